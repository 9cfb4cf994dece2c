//! A short text, repeated to the longest that is read.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

/// A longer one repeats too little to be dear.
const MAX_UNIT_BYTES: usize = 48;

fuzz_target!(init: oracle::shell::let_brush_panic(), |unit: &str| {
    if (1..=MAX_UNIT_BYTES).contains(&unit.len()) {
        oracle::ceiling::is_bounded(unit);
    }
});
