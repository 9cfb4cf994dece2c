//! A signed note, and the checkpoint in it.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| oracle::ledger::checkpoint(&String::from_utf8_lossy(data)));
