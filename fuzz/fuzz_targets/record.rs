//! A record of the ledger, as an export holds it.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| oracle::ledger::record(&String::from_utf8_lossy(data)));
