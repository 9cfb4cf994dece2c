//! A policy that cedar can say too, or after a NUL byte any policy, exported: both engines on the
//! same calls.
#![no_main]

use lazaret_fuzz::{generate, oracle};
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(init: oracle::cedar::reads_what_is_shipped(), |data: &[u8]| {
    if let Some(rest) = data.strip_prefix(&[0]) {
        if let Ok(case) = generate::case(&mut Unstructured::new(rest)) {
            oracle::cedar::agrees_with_the_export(&case);
        }
    } else if let Ok((rules, calls)) = generate::plain_case(&mut Unstructured::new(data)) {
        oracle::cedar::agrees_with_cedar(&rules, &calls);
    }
});
