//! A policy file: any text, or after a NUL byte what makes one that is nearly valid.
#![no_main]

use lazaret_fuzz::{generate, oracle};
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let made = data
        .strip_prefix(&[0])
        .map(|rest| generate::text::near_policy(&mut Unstructured::new(rest)));
    match made {
        Some(Ok(text)) => oracle::loader::loads_or_says_why(&text),
        Some(Err(_)) => {}
        None => oracle::loader::loads_or_says_why(&String::from_utf8_lossy(data)),
    }
});
