//! Addresses: what kind they are, which IPv4 address an IPv6 one leads to, and which address a
//! name gives away by itself.
//!
//! Ranges are from IANA's special-purpose address registries; metadata addresses are those of AWS,
//! Google, Azure, Oracle, Alibaba and OpenStack.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Disguise;

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressKind {
    /// The machine itself.
    Loopback,
    /// The local link.
    LinkLocal,
    /// A cloud's metadata service, which hands out credentials.
    Metadata,
    /// A private network.
    Private,
    /// A provider's shared network (RFC 6598).
    SharedCgnat,
    /// A group.
    Multicast,
    /// Everybody on the link.
    Broadcast,
    /// `0.0.0.0` and `::`, which reach the machine itself on Linux.
    Unspecified,
    /// For examples in texts.
    Documentation,
    /// Set aside, or for protocols only.
    Reserved,
    /// The public Internet.
    Global,
}

impl AddressKind {
    /// The name in facts and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::Private => "private",
            Self::SharedCgnat => "shared-cgnat",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Documentation => "documentation",
            Self::Reserved => "reserved",
            Self::Global => "global",
        }
    }
}

/// What kind of address this is. An IPv6 address that leads to an IPv4 one is of that one's kind.
pub fn address_kind(address: IpAddr) -> AddressKind {
    match real_address(address).0 {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> AddressKind {
    match address.octets() {
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => {
            AddressKind::Metadata
        }
        [0, 0, 0, 0] => AddressKind::Unspecified,
        [255, 255, 255, 255] => AddressKind::Broadcast,
        [127, ..] => AddressKind::Loopback,
        [169, 254, ..] => AddressKind::LinkLocal,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressKind::Private,
        [100, 64..=127, ..] => AddressKind::SharedCgnat,
        [224..=239, ..] => AddressKind::Multicast,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressKind::Documentation,
        [0 | 240..=255, ..] | [192, 0, 0, _] | [198, 18..=19, ..] | [192, 88, 99, _] => {
            AddressKind::Reserved
        }
        _ => AddressKind::Global,
    }
}

fn kind_v6(address: Ipv6Addr) -> AddressKind {
    match address.segments() {
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => AddressKind::Metadata,
        [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => AddressKind::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressKind::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressKind::Loopback,
        [0xfe80..=0xfebf, ..] => AddressKind::LinkLocal,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressKind::Private,
        [0xff00..=0xffff, ..] => AddressKind::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressKind::Documentation,
        [0x2001, 0..=0x1ff, ..] => AddressKind::Reserved,
        [0x2000..=0x3fff, ..] => AddressKind::Global,
        _ => AddressKind::Reserved,
    }
}

/// The address that is reached, and the disguise it was in.
pub(super) fn real_address(address: IpAddr) -> (IpAddr, Option<Disguise>) {
    let IpAddr::V6(long) = address else {
        return (address, None);
    };
    match embedded(long) {
        Some((short, disguise)) => (IpAddr::V4(short), Some(disguise)),
        None => (address, None),
    }
}

fn embedded(address: Ipv6Addr) -> Option<(Ipv4Addr, Disguise)> {
    let found = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        [0, 0, 0, 0, 0, 0xffff, high, low] => (join(high, low), Disguise::MappedAddress),
        [0, 0, 0, 0, 0xffff, 0, high, low] => (join(high, low), Disguise::MappedAddress),
        [0, 0, 0, 0, 0, 0, high, low] => (join(high, low), Disguise::CompatibleAddress),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => {
            (join(high, low), Disguise::Nat64Address)
        }
        [0x2002, high, low, ..] => (join(high, low), Disguise::SixToFourAddress),
        [0x2001, 0, _, _, _, _, high, low] => (join(!high, !low), Disguise::TeredoAddress),
        [.., 0 | 0x200, 0x5efe, high, low] => (join(high, low), Disguise::IsatapAddress),
        _ => return None,
    };
    Some(found)
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

/// How an IPv4 address is written, other than in four decimal parts.
pub(super) fn notation(written: &str) -> Option<Disguise> {
    let parts = || written.split('.');
    let hex = |part: &str| part.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("0x"));
    if parts().any(hex) {
        return Some(Disguise::HexAddress);
    }
    if parts().any(|part| part.len() > 1 && part.starts_with('0')) {
        return Some(Disguise::OctalAddress);
    }
    match parts().count() {
        1 => Some(Disguise::DecimalAddress),
        2 | 3 => Some(Disguise::ShortAddress),
        _ => None,
    }
}

/// Names of the machine itself, beside `localhost`.
const LOCAL: [&str; 8] = [
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
    "loopback",
];

/// Names of metadata services.
const METADATA: [&str; 5] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Domains below which each name is an address.
const EMBEDDING: [&str; 8] = [
    "nip.io",
    "sslip.io",
    "xip.io",
    "traefik.me",
    "backname.io",
    "rbndr.us",
    "1u.ms",
    "nip.direct",
];

/// Public domains below which each name is the machine itself.
const LOOPING: [&str; 8] = [
    "localtest.me",
    "lvh.me",
    "vcap.me",
    "lacolhost.com",
    "localho.st",
    "fuf.me",
    "local.gd",
    "loopback.site",
];

/// The address that `name` (in lower case) stands for without a question to DNS, or that a public
/// service is known to answer for it.
pub(super) fn of_name(name: &str) -> (Option<IpAddr>, Option<Disguise>) {
    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const CLOUD: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)));
    if name == "localhost" {
        return (HERE, None);
    }
    if LOCAL.contains(&name) || name.ends_with(".localhost") {
        return (HERE, Some(Disguise::Alias));
    }
    if METADATA.contains(&name) {
        return (CLOUD, Some(Disguise::Alias));
    }
    if LOOPING
        .iter()
        .any(|domain| is_below(name, domain).is_some())
    {
        return (HERE, Some(Disguise::EmbeddedAddress));
    }
    match EMBEDDING.iter().find_map(|domain| is_below(name, domain)) {
        Some(labels) => (written_in(labels), Some(Disguise::EmbeddedAddress)),
        None => (None, None),
    }
}

/// What stands before `domain` in `name`: empty if it is the domain itself.
fn is_below<'a>(name: &'a str, domain: &str) -> Option<&'a str> {
    let before = name.strip_suffix(domain)?;
    if before.is_empty() {
        return Some(before);
    }
    before.strip_suffix('.')
}

/// The address in the labels before an embedding domain. If there are several, the one that is
/// not of the public Internet: that is the one to worry about.
fn written_in(labels: &str) -> Option<IpAddr> {
    let dashed = labels.rsplit('.').filter_map(dashed_v6).map(IpAddr::V6);
    let all = dashed.chain(v4_in(labels).map(IpAddr::V4));
    all.min_by_key(|address| address_kind(*address) == AddressKind::Global)
}

/// sslip.io writes an IPv6 address with dashes for colons.
fn dashed_v6(label: &str) -> Option<Ipv6Addr> {
    label.replace('-', ":").parse().ok()
}

fn v4_in(labels: &str) -> impl Iterator<Item = Ipv4Addr> + '_ {
    let parts: Vec<&str> = labels.split(['.', '-']).collect();
    let quads: Vec<Ipv4Addr> = parts.windows(4).filter_map(quad).collect();
    let hex = labels.split(['.', '-']).filter_map(hex_v4);
    quads.into_iter().chain(hex)
}

fn quad(parts: &[&str]) -> Option<Ipv4Addr> {
    let mut numbers = parts.iter().map(|part| part.parse::<u8>().ok());
    let mut next = || numbers.next().flatten();
    Some(Ipv4Addr::new(next()?, next()?, next()?, next()?))
}

fn hex_v4(part: &str) -> Option<Ipv4Addr> {
    let hex = part.len() == 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(part, 16).ok().map(Ipv4Addr::from_bits))?
}
