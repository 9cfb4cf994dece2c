//! What code inside a sandbox links.
//!
//! The WIT world that a guest speaks, and the sides of it that are written in the
//! guest's own language. The daemon carries them as text, so that an installed
//! `lazaret` can build a runtime without its source tree. This crate does
//! nothing by itself and depends on nothing.

/// The WIT package `lazaret:guest`, file name and text.
pub const WIT: (&str, &str) = ("world.wit", include_str!("../wit/world.wit"));

/// The Python side of a call, file name and text: imported once when the runtime
/// is built, then frozen.
pub const PYTHON_APP: (&str, &str) = ("app.py", include_str!("../python/app.py"));

#[cfg(test)]
mod tests {
    use super::{PYTHON_APP, WIT};

    #[test]
    fn the_python_side_exports_what_the_world_asks_for() {
        assert!(
            WIT.1
                .contains("export run: func(program: program) -> ended;")
        );
        assert!(PYTHON_APP.1.contains("def run(self, program, "));
        assert!(WIT.1.contains("import exit-now: func(status: u8);"));
        assert!(PYTHON_APP.1.contains("wit_world.exit_now("));
    }
}
