//! A policy of what cedar can say, and calls: both engines.
#![no_main]

use lazaret_fuzz::{generate, oracle};
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| {
    if let Ok((rules, calls)) = generate::plain_case(&mut Unstructured::new(data)) {
        oracle::cedar::agrees_with_cedar(&rules, &calls);
    }
});
