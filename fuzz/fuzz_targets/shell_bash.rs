//! A shell text, which bash checks too. Slow.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: oracle::shell::let_brush_panic(), |data: &[u8]| {
    oracle::shell_bash::agrees_with_bash(&String::from_utf8_lossy(data));
});
