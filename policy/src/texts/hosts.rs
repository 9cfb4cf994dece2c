//! Hosts and addresses, named as they are really reached.
//!
//! A host can be written in many ways: `http://2130706433/`, `http://good.example@[::ffff:7f00:1]`,
//! `127.0.0.1.nip.io`. Each becomes one [`Host`] with a canonical name, the address that the text
//! itself gives away, and every [`Disguise`] by name, so that a rule can compare names and refuse
//! disguises. Special schemes are split as WHATWG's URL standard says; the host itself is read by
//! the crate `url`.
//!
//! Nothing is resolved: a name without an address in it has none. [`read_host`] is for a value
//! that is meant as a host or URL, [`find_hosts`] for free text, where a word that only might be a
//! host (`notes.md`, `a:b`) is none.

use std::net::IpAddr;

mod address;
mod disguise;
mod find;
mod read;

pub use address::{AddressKind, address_kind};
pub use disguise::Disguise;
pub use find::find_hosts;
pub use read::read_host;

/// How long an authority (`user@host:port`) may be. A name in DNS has at most 253 characters;
/// what is longer is cut and called [`Disguise::Overlong`].
pub const MAX_AUTHORITY_BYTES: usize = 1024;

/// How many hosts are listed for one text, and how many places are looked at for one: a text of
/// 64 KiB then takes some milliseconds.
pub const MAX_HOSTS: usize = 256;

/// A host that a text names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// Lower case, punycode, without trailing dots; an address in its usual form and without
    /// brackets. Empty for a transport without a host (`ext::sh -c …`).
    pub name: String,
    /// The address that the name stands for by itself.
    pub address: Option<IpAddr>,
    /// As written, or the scheme's own.
    pub port: Option<u16>,
    /// In lower case.
    pub scheme: Option<String>,
    /// In what the text makes it look like another, sorted, each once.
    pub disguise: Vec<Disguise>,
}

impl Host {
    /// What kind of address it has, if it is known.
    pub fn address_kind(&self) -> Option<AddressKind> {
        self.address.map(address_kind)
    }

    fn disguised(mut self, disguise: impl IntoIterator<Item = Disguise>) -> Self {
        self.disguise.extend(disguise);
        self.disguise.sort_unstable();
        self.disguise.dedup();
        self
    }
}

/// The hosts of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// In the text's order, each once.
    pub found: Vec<Host>,
    /// The whole text was read. If not, it may name further hosts.
    pub complete: bool,
}

/// The hosts of a text that may be a URL or host itself (`://` or an address from its beginning),
/// or may only contain some.
pub fn hosts(text: &str) -> Hosts {
    let mut hosts = find_hosts(text);
    if hosts.found.is_empty() && hosts.complete && read::is_surely_host(text) {
        hosts.found.extend(read_host(text));
    }
    hosts
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]
mod tests;
