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

macro_rules! pack {
    ($file:literal) => {
        Shipped {
            file: $file,
            text: include_str!(concat!("../packs/", $file)),
        }
    };
}

macro_rules! profile {
    ($file:literal) => {
        Shipped {
            file: $file,
            text: include_str!(concat!("../../profiles/", $file)),
        }
    };
}

/// The default policy: everything runs in a sandbox without authority, and what has no sandbox is
/// denied.
pub const CONTAIN: Shipped = pack!("contain.toml");

/// All policies, the default first.
pub const PACKS: &[Shipped] = &[
    CONTAIN,
    pack!("workspace.toml"),
    pack!("egress-allowlist.toml"),
    pack!("data-analysis.toml"),
    pack!("shell-readonly.toml"),
    pack!("compatible.toml"),
];

/// All profiles.
pub const PROFILES: &[Shipped] = &[
    profile!("wasm-offline.toml"),
    profile!("container-offline.toml"),
    profile!("container-egress.toml"),
    profile!("container-data.toml"),
    profile!("container-node.toml"),
    profile!("docker-trusted.toml"),
];
