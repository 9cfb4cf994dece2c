//! The proof of one record.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| oracle::ledger::proof(&String::from_utf8_lossy(data)));
