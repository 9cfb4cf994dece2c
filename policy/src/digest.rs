//! Digests over meaning: two files that say the same have the same digest, however they are
//! spaced, commented or ordered.
//!
//! Every digest carries a tag, so that a policy's can never be taken for a profile's. Cannot fail.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::json;

/// What a digest is of. The tag is part of the hashed bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Domain {
    Policy,
    Profile,
}

impl Domain {
    /// Ends in NUL, so that no tag is the beginning of another.
    fn tag(self) -> &'static [u8] {
        match self {
            Self::Policy => POLICY_TAG,
            Self::Profile => PROFILE_TAG,
        }
    }
}

const POLICY_TAG: &[u8] = b"lazaret policy 1\0";
const PROFILE_TAG: &[u8] = b"lazaret profile 1\0";

const _: () = assert!(
    POLICY_TAG.len() == 17 && PROFILE_TAG.len() == 18,
    "ledgers hold digests made with these tags: read docs/POLICY.md, Digests, and raise the version in the tag"
);

/// SHA-256 over the tag and the canonical form of `meaning`.
pub(crate) fn digest(domain: Domain, meaning: &Value) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(domain.tag());
    hash.update(json::canonical(meaning));
    hash.finalize().into()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pinned() {
        // printf 'lazaret policy 1\0{"a":1,"b":[]}' | sha256sum
        assert_eq!(
            hex(&digest(Domain::Policy, &json!({"b": [], "a": 1}))),
            "41b6811dbea862ea8747acdb9c8766aa52c3a8aded286a548c8cfe9e22406ac4"
        );
        assert_ne!(
            digest(Domain::Policy, &json!(1)),
            digest(Domain::Profile, &json!(1))
        );
    }
}
