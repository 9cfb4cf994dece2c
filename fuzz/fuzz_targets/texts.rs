//! Any text: its hosts, paths, look-alikes, encodings and secrets are read to an end, and what is
//! normal stays so.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| oracle::texts::hold(text));
