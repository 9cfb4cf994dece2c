//! A shell text.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: oracle::shell::let_brush_panic(), |data: &[u8]| {
    oracle::shell::is_sound(&String::from_utf8_lossy(data));
});
