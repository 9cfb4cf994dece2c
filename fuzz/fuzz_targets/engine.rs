//! A policy and calls: the indexed engine against the reference interpreter.
#![no_main]

use lazaret_fuzz::{generate, oracle};
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| {
    if let Ok(case) = generate::case(&mut Unstructured::new(data)) {
        oracle::engine::agrees_with_the_reference(&case);
    }
});
