//! Ranges of network addresses, of both families.
//!
//! An address fact is text in the one form that the pre-pass writes, so a text that is an address
//! in another form is none here. Cannot fail.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges with no more addresses than this are walked through.
const MAX_WALKED: u128 = 4096;

/// A set of addresses: closed ranges of numbers for each family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Addresses {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// The address that a text is, if it is written as facts write it.
pub(super) fn read(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    (address.to_string() == text).then_some(address)
}

impl Addresses {
    /// The network of an address: those that share its first bits. None when there are not so many.
    pub(super) fn network(address: IpAddr, bits: u8) -> Option<Self> {
        match address {
            IpAddr::V4(address) => {
                let rest = 32_u32.checked_sub(bits.into())?;
                let host = u32::MAX.checked_shr(32 - rest).unwrap_or(0);
                let first = u32::from(address) & !host;
                Some(Self {
                    v4: vec![(first, first | host)],
                    v6: Vec::new(),
                })
            }
            IpAddr::V6(address) => {
                let rest = 128_u32.checked_sub(bits.into())?;
                let host = u128::MAX.checked_shr(128 - rest).unwrap_or(0);
                let first = u128::from(address) & !host;
                Some(Self {
                    v4: Vec::new(),
                    v6: vec![(first, first | host)],
                })
            }
        }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => {
                let number = u32::from(address);
                self.v4
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&number))
            }
            IpAddr::V6(address) => {
                let number = u128::from(address);
                self.v6
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&number))
            }
        }
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            v4: meet(&self.v4, &other.v4),
            v6: meet(&self.v6, &other.v6),
        }
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        Self {
            v4: part(
                &self.v4,
                &other.v4,
                |n| n.checked_sub(1),
                |n| n.checked_add(1),
            ),
            v6: part(
                &self.v6,
                &other.v6,
                |n| n.checked_sub(1),
                |n| n.checked_add(1),
            ),
        }
    }

    /// Addresses of the set as texts, and whether they are all of them.
    pub(super) fn some(&self) -> (Vec<String>, bool) {
        let mut complete = true;
        let mut texts = Vec::new();
        for (low, high) in &self.v4 {
            let few = u128::from(high - low) < MAX_WALKED;
            complete &= few;
            let all = (*low..=*high).map(|n| Ipv4Addr::from(n).to_string());
            let ends = [*low, low | 1, *high].map(|n| Ipv4Addr::from(n).to_string());
            match few {
                true => texts.extend(all),
                false => texts.extend(ends),
            }
        }
        for (low, high) in &self.v6 {
            let few = high - low < MAX_WALKED;
            complete &= few;
            let all = (*low..=*high).map(|n| Ipv6Addr::from(n).to_string());
            let ends = [*low, low | 1, *high].map(|n| Ipv6Addr::from(n).to_string());
            match few {
                true => texts.extend(all),
                false => texts.extend(ends),
            }
        }
        (texts, complete)
    }
}

fn meet<N: Ord + Copy>(a: &[(N, N)], b: &[(N, N)]) -> Vec<(N, N)> {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let both = pairs.map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)));
    both.filter(|(low, high)| low <= high).collect()
}

fn part<N: Ord + Copy>(
    all: &[(N, N)],
    out: &[(N, N)],
    before: fn(N) -> Option<N>,
    after: fn(N) -> Option<N>,
) -> Vec<(N, N)> {
    let mut left = all.to_vec();
    for (low, high) in out {
        left = left
            .into_iter()
            .flat_map(|(from, to)| {
                let lower = before(*low).map(|end| (from, to.min(end)));
                let upper = after(*high).map(|begin| (from.max(begin), to));
                [lower, upper].into_iter().flatten()
            })
            .filter(|(from, to)| from <= to)
            .collect();
    }
    left
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn network(text: &str) -> Addresses {
        let (address, bits) = text.split_once('/').unwrap();
        Addresses::network(address.parse().unwrap(), bits.parse().unwrap()).unwrap()
    }

    #[test]
    fn networks_hold_their_addresses() {
        let link = network("169.254.7.7/16");
        assert!(link.contains("169.254.0.0".parse().unwrap()));
        assert!(link.contains("169.254.255.255".parse().unwrap()));
        assert!(!link.contains("169.253.255.255".parse().unwrap()));
        assert!(network("0.0.0.0/0").contains("255.255.255.255".parse().unwrap()));
        assert!(!network("0.0.0.0/0").contains("::".parse().unwrap()));
        assert!(network("fe80::/10").contains("febf::1".parse().unwrap()));
        assert!(network("::1/128").contains("::1".parse().unwrap()));
        assert_eq!(Addresses::network("1.2.3.4".parse().unwrap(), 33), None);
    }

    #[test]
    fn networks_meet_and_part() {
        let ten = network("10.0.0.0/8");
        let one = network("10.1.0.0/16");
        assert_eq!(ten.and(&one), one);
        let rest = ten.without(&one);
        assert!(!rest.contains("10.1.2.3".parse().unwrap()));
        assert!(rest.contains("10.0.255.255".parse().unwrap()));
        assert!(rest.contains("10.2.0.0".parse().unwrap()));
        assert_eq!(one.without(&ten), Addresses::default());
        let (some, complete) = network("10.0.0.0/30").some();
        assert_eq!((some.len(), complete), (4, true));
        assert!(!ten.some().1);
    }

    #[test]
    fn only_the_plain_form_is_an_address() {
        assert!(read("127.0.0.1").is_some() && read("::1").is_some());
        assert!(read("127.1").is_none() && read("0:0::1").is_none());
    }
}
