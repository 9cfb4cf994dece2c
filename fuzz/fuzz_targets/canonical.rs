//! JSON, read strictly and written in one form.
#![no_main]

use lazaret_fuzz::oracle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| oracle::canonical::reads_as_serde_json(data));
