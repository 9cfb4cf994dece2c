//! A `when`: any text, or after a NUL byte what makes an expression, a world and a call.
#![no_main]

use lazaret_fuzz::{generate, oracle};
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let Some(rest) = data.strip_prefix(&[0]) else {
        return oracle::when::reads_what_it_writes(&String::from_utf8_lossy(data));
    };
    let u = &mut Unstructured::new(rest);
    if let (Ok(when), Ok(context), Ok(call)) = (
        generate::when::when(u),
        generate::when::context(u),
        generate::call::call(u),
    ) {
        oracle::when::means_what_it_says(&when, &context, &call);
    }
});
