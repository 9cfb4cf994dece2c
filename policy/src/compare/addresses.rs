//! Sets of network addresses, of both families.
//!
//! An IPv4 address that is written as IPv6 is that IPv4 address, as in [`crate::cidr`]. Cannot fail.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cidr::Cidr;

/// Ranges with no more addresses than this are tried one by one.
const MAX_TRIED: u128 = 256;

/// A set of addresses: closed ranges of numbers for each family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Addresses {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

/// The address that a text is.
pub(super) fn read(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

impl Addresses {
    /// Every address.
    pub(super) fn all() -> Self {
        Self {
            v4: vec![(0, u32::MAX)],
            v6: vec![(0, u128::MAX)],
        }
    }

    pub(super) fn of(ranges: &[Cidr]) -> Self {
        let mut all = Self::default();
        for range in ranges {
            match range.ends() {
                (IpAddr::V4(low), IpAddr::V4(high)) => all.v4.push((low.into(), high.into())),
                (IpAddr::V6(low), IpAddr::V6(high)) => all.v6.push((low.into(), high.into())),
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
            }
        }
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
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

    /// Some addresses of the set as texts: all of a small range, the ends of a large one.
    pub(super) fn some(&self) -> Vec<String> {
        let v4 = self.v4.iter().flat_map(|(low, high)| {
            let few = (*low..=*high).take_while(move |_| u128::from(high - low) < MAX_TRIED);
            let inside = low.saturating_add(1).min(*high);
            let all = [*low, inside, *high].into_iter().chain(few);
            all.map(|number| Ipv4Addr::from(number).to_string())
        });
        let v6 = self.v6.iter().flat_map(|(low, high)| {
            let few = (*low..=*high).take_while(move |_| high - low < MAX_TRIED);
            let inside = low.saturating_add(1).min(*high);
            let all = [*low, inside, *high].into_iter().chain(few);
            all.map(|number| Ipv6Addr::from(number).to_string())
        });
        v4.chain(v6).collect()
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
        let range: Cidr = text.parse().map_err(|_| "no range").unwrap();
        Addresses::of(&[range])
    }

    #[test]
    fn networks_hold_their_addresses() {
        let link = network("169.254.0.0/16");
        assert!(link.contains("169.254.0.0".parse().unwrap()));
        assert!(link.contains("169.254.255.255".parse().unwrap()));
        assert!(!link.contains("169.253.255.255".parse().unwrap()));
        assert!(network("0.0.0.0/0").contains("255.255.255.255".parse().unwrap()));
        assert!(!network("0.0.0.0/0").contains("::".parse().unwrap()));
        assert!(network("fe80::/10").contains("febf::1".parse().unwrap()));
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
        assert!(one.without(&ten).is_empty());
        assert!(Addresses::all().without(&Addresses::all()).is_empty());
        assert!(
            network("10.0.0.0/30")
                .some()
                .contains(&"10.0.0.2".to_owned())
        );
    }
}
