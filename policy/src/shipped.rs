//! The policies and profiles that come with the program, as text.
//!
//! They are the files of the repository, compiled in, so that a binary without an installation
//! still has its default. Nothing here decides; a test loads all of them.

/// A file that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// The file's name, as in messages.
    pub file: &'static str,
    /// The file's text.
    pub text: &'static str,
}

/// The default policy: code runs in a sandbox without authority, everything else is denied.
pub const CONTAIN: Shipped = Shipped {
    file: "contain.toml",
    text: include_str!("../packs/contain.toml"),
};

/// All policies, the default first.
pub const PACKS: &[Shipped] = &[CONTAIN];

/// All profiles.
pub const PROFILES: &[Shipped] = &[Shipped {
    file: "wasm-offline.toml",
    text: include_str!("../../profiles/wasm-offline.toml"),
}];
