//! Ranges of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
//!
//! An IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) is that IPv4 address. Cannot fail
//! beyond refusing what is no range.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    first: IpAddr,
    prefix_bits: u8,
}

/// A text that is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotACidr;

impl Cidr {
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => same_prefix(
                u128::from(u32::from(first)) << 96,
                u128::from(u32::from(address)) << 96,
                self.prefix_bits,
            ),
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                same_prefix(u128::from(first), u128::from(address), self.prefix_bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The first and the last address.
    pub(crate) fn ends(&self) -> (IpAddr, IpAddr) {
        let last = match self.first {
            IpAddr::V4(first) => {
                let host = u32::MAX.checked_shr(self.prefix_bits.into()).unwrap_or(0);
                IpAddr::V4((u32::from(first) | host).into())
            }
            IpAddr::V6(first) => {
                let host = u128::MAX.checked_shr(self.prefix_bits.into()).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(first) | host))
            }
        };
        (self.first, last)
    }
}

fn same_prefix(a: u128, b: u128, bits: u8) -> bool {
    (a ^ b).leading_zeros() >= u32::from(bits)
}

impl FromStr for Cidr {
    type Err = NotACidr;

    /// Refuses a range whose first address is not the lowest: whoever wrote it meant another.
    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| NotACidr)?;
        let most: u8 = if first.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            None => most,
            Some(bits) if bits.starts_with('+') => return Err(NotACidr),
            Some(bits) => bits.parse().map_err(|_| NotACidr)?,
        };
        let range = Self { first, prefix_bits };
        let whole = prefix_bits <= most && first == first.to_canonical() && range.is_lowest();
        whole.then_some(range).ok_or(NotACidr)
    }
}

impl Cidr {
    fn is_lowest(&self) -> bool {
        match self.ends() {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let host = u32::MAX.checked_shr(self.prefix_bits.into()).unwrap_or(0);
                u32::from(last) & host == host && u32::from(first) & host == 0
            }
            (IpAddr::V6(first), IpAddr::V6(_)) => {
                let host = u128::MAX.checked_shr(self.prefix_bits.into()).unwrap_or(0);
                u128::from(first) & host == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses() {
        let holds = |range: &str, address: &str| {
            let range: Cidr = range.parse().unwrap();
            range.holds(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("0.0.0.0/0", "255.255.255.255"));
        assert!(holds("169.254.169.254", "169.254.169.254"));
        assert!(!holds("169.254.169.254", "169.254.169.255"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("fd00::/8", "fdff::1"));
        assert!(!holds("::/0", "10.0.0.1"));
        assert!(holds("::/0", "2001:db8::1"));
    }

    #[test]
    fn what_is_no_range() {
        for text in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "fd00::1/8",
            "::ffff:10.0.0.0/104",
            "10/8",
            "a/8",
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(NotACidr), "{text}");
        }
    }

    #[test]
    fn ends_of_ranges() {
        let ends = |range: &str| range.parse::<Cidr>().unwrap().ends();
        assert_eq!(
            ends("10.0.0.0/8").1,
            "10.255.255.255".parse::<IpAddr>().unwrap()
        );
        assert_eq!(ends("::/0").1, IpAddr::V6(Ipv6Addr::from(u128::MAX)));
        assert_eq!(ends("1.2.3.4").1, "1.2.3.4".parse::<IpAddr>().unwrap());
    }
}
