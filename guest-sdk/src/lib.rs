//! What code inside a sandbox links: the sides of a call that are written in the guest's
//! own language. The daemon carries them as text, so that an installed `lazaret` can build
//! a runtime without its source tree. This crate does nothing by itself and depends on
//! nothing. What passes between the two sides: docs/GUEST-ABI.md.

/// The Python side of a call, file name and text: imported once when the runtime
/// is built, then frozen.
pub const PYTHON_APP: (&str, &str) = ("app.py", include_str!("../python/app.py"));

#[cfg(test)]
mod tests {
    use super::PYTHON_APP;

    #[test]
    fn the_python_side_has_the_function_that_the_c_side_calls() {
        let (name, text) = PYTHON_APP;
        assert_eq!(name, "app.py");
        assert!(text.contains("\ndef run(code, filename, args, "));
    }
}
