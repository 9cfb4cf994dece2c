//! A policy: written in the one form it means the same, and is in that form already.
#![no_main]

use lazaret_fuzz::generate;
use lazaret_fuzz::oracle;
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| {
    if let Ok(case) = generate::case(&mut Unstructured::new(data)) {
        oracle::format::hold(&generate::rules::file(&case.rules));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        oracle::format::hold(text);
    }
});
