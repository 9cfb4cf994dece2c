//! A policy, calls and two rules that are added: what holds for all of them.
#![no_main]

use lazaret_fuzz::generate::{self, rules};
use lazaret_fuzz::oracle;
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let u = &mut Unstructured::new(data);
    let strict = if u.arbitrary().unwrap_or(false) {
        "deny"
    } else {
        "hold"
    };
    if let (Ok(strict), Ok(allow), Ok(case)) = (
        rules::rule(u, strict),
        rules::rule(u, "allow"),
        generate::case(u),
    ) {
        oracle::laws::hold(&case, &strict, &allow);
    }
});
