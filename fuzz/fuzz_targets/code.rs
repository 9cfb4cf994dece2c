//! Any text as a program: it is read to an end, twice the same.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| oracle::code::hold(text));
