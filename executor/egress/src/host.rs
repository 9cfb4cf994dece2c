//! Hosts and authorities, read so strictly that nobody can read them otherwise.
//!
//! A host is a plain name of ASCII letters, digits, hyphens and underscores, an IPv4 address in
//! four decimal parts, or an IPv6 address in brackets. Everything that programs are known to read
//! in two ways is none: user info, percent signs, trailing dots, short, octal and hexadecimal
//! numbers, zones, characters beyond ASCII. Nothing is looked up here. Fails with [`NotAHost`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// The length of a name and of its parts, as DNS has them.
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Where a request goes, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// In lower case.
    Name(String),
    /// Written as an address. An IPv4 address in the form of IPv6 stays in that form.
    Address(IpAddr),
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// Never 0.
    pub port: u16,
}

/// A text that is no host, or can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotAHost {
    /// Nothing, or longer than names are.
    #[error("a host has 1 to {MAX_NAME_BYTES} characters")]
    Length,
    /// `user@host`.
    #[error("a host is written without user info")]
    UserInfo,
    /// Anything but letters, digits, hyphen and underscore between dots.
    #[error("a host is written plainly: letters, digits, hyphens, without a dot at the end")]
    Characters,
    /// A number that is no IPv4 address in four decimal parts.
    #[error("an address is written in four decimal parts or in brackets")]
    Number,
    /// Not `1` to `65535`.
    #[error("a port is a number from 1 to 65535")]
    Port,
}

impl Host {
    /// The name, when it is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }
}

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        if text.contains('@') {
            return Err(NotAHost::UserInfo);
        }
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(NotAHost::Number)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| NotAHost::Number)?;
            return Ok(Self::Address(address.into()));
        }
        check_name(text)?;
        if !ends_in_number(text) {
            return Ok(Self::Name(text.to_ascii_lowercase()));
        }
        let address: Ipv4Addr = text.parse().map_err(|_| NotAHost::Number)?;
        Ok(Self::Address(address.into()))
    }
}

fn check_name(text: &str) -> Result<(), NotAHost> {
    if !(1..=MAX_NAME_BYTES).contains(&text.len()) {
        return Err(NotAHost::Length);
    }
    if text.split('.').all(is_label) {
        Ok(())
    } else {
        Err(NotAHost::Characters)
    }
}

fn is_label(label: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=MAX_LABEL_BYTES).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// As browsers have it: a host whose last part is a number is an address or nothing.
fn ends_in_number(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or(text);
    let digits = last.bytes().all(|b| b.is_ascii_digit());
    let hex = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    digits || hex
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Authority {
    /// Reads `host:port`; the port may be left out where there is a usual one.
    ///
    /// # Errors
    /// [`NotAHost`] for anything else.
    pub fn parse(text: &str, usual_port: Option<u16>) -> Result<Self, NotAHost> {
        let (host, port) = split(text)?;
        let port = match port {
            Some(digits) => read_port(digits)?,
            None => usual_port.ok_or(NotAHost::Port)?,
        };
        Ok(Self {
            host: host.parse()?,
            port,
        })
    }

    /// As a `Host` header has it: without the port that the scheme has anyway.
    #[must_use]
    pub fn to_header(&self, usual_port: u16) -> String {
        if self.port == usual_port {
            self.host.to_string()
        } else {
            self.to_string()
        }
    }
}

/// The host and the digits after its colon. In brackets a colon is part of the address.
fn split(text: &str) -> Result<(&str, Option<&str>), NotAHost> {
    if text.contains('@') {
        return Err(NotAHost::UserInfo);
    }
    if text.starts_with('[') {
        let end = text.find(']').ok_or(NotAHost::Number)?;
        let (host, rest) = text.split_at_checked(end + 1).ok_or(NotAHost::Number)?;
        return match rest.strip_prefix(':') {
            Some(digits) => Ok((host, Some(digits))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(NotAHost::Characters),
        };
    }
    match text.split_once(':') {
        Some((host, digits)) => Ok((host, Some(digits))),
        None => Ok((text, None)),
    }
}

fn read_port(digits: &str) -> Result<u16, NotAHost> {
    if digits.is_empty() || digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotAHost::Port);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(NotAHost::Port),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn plain_hosts_are_read() {
        for (text, wanted) in [
            ("Example.COM", "example.com"),
            ("a_b.example", "a_b.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::FFFF:7f00:1]", "[::ffff:127.0.0.1]"),
            ("1.example", "1.example"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a.",
            ".a",
            "a b",
            "a\0b",
            "a\r\nb",
            "a%2eb",
            "user@a",
            "a@b@c",
            "bücher.example",
            "2130706433",
            "0x7f000001",
            "127.1",
            "0177.0.0.1",
            "0x7f.1",
            "127.0.0.1.",
            "1.2.3.4.5",
            "256.0.0.1",
            "127.0.0.01",
            "[::1",
            "::1",
            "[::1%25lo]",
            "[127.0.0.1]",
            "a/b",
            "a\\b",
            "a#b",
            "a?b",
            "-a",
            "a-",
            "127。0。0。1",
            "*",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn ports_are_decimal_and_real() {
        let parse = |text| Authority::parse(text, None);
        assert_eq!(parse("a.example:443").unwrap().port, 443);
        assert_eq!(parse("[::1]:8080").unwrap().to_string(), "[::1]:8080");
        for text in [
            "a.example",
            "a.example:",
            "a.example:0",
            "a.example:65536",
            "a.example:+80",
            "a.example:80:80",
            "[::1]80",
            "a:0x50",
            "a: 80",
            "a:000080",
            "u@a:80",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Authority::parse("a.example", Some(80)).unwrap().port, 80);
    }
}
