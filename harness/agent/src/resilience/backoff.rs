//! How long to wait before another attempt: doubling, with chance, bounded.

use crate::digest::mix;

/// Doublings: base × 16 is the longest wait that is not asked for by the provider.
const MAX_DOUBLINGS: u32 = 4;

/// The wait before attempt `attempt + 1`: between half and all of
/// `base_ms` × 2^min(`attempt`, 4), and no more than `most_ms`.
///
/// Half is fixed, so that no attempt comes at once; half is chance, so that those who
/// failed together do not come back together.
#[must_use]
pub const fn wait_ms(base_ms: u64, most_ms: u64, attempt: u32, seed: u64) -> u64 {
    let doublings = if attempt < MAX_DOUBLINGS {
        attempt
    } else {
        MAX_DOUBLINGS
    };
    let full = base_ms.saturating_mul(1 << doublings);
    let full = if full < most_ms { full } else { most_ms };
    let half = full / 2;
    match (full - half).checked_add(1) {
        Some(choices) => half + mix(seed, attempt as u64) % choices,
        None => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_doubles_four_times() {
        let longest = |attempt| {
            (0..2_000)
                .map(|seed| wait_ms(1_000, 60_000, attempt, seed))
                .max()
        };
        let waits: Vec<_> = (0..7)
            .filter_map(longest)
            .map(|ms| (ms + 50) / 1_000)
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 16, 16]);
    }

    proptest! {
        #[test]
        fn a_wait_is_within_its_bounds(
            base: u64, most: u64, attempt: u32, seed: u64,
        ) {
            let wait = wait_ms(base, most, attempt, seed);
            let full = base.saturating_mul(1 << attempt.min(4)).min(most);
            prop_assert!(wait <= full && wait >= full / 2);
        }
    }
}
