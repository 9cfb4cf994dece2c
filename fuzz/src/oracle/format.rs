//! The one form of a policy.

use policy::{Policy, fmt};

use super::load;

/// `parse(fmt(p)) == p`, and `fmt` of it changes nothing more.
pub fn hold(text: &str) {
    let Ok(formed) = fmt(text) else { return };
    assert_eq!(fmt(&formed).as_deref(), Ok(formed.as_str()));
    let digest = |text: &str| load(text).ok().as_ref().map(Policy::digest);
    assert_eq!(digest(text), digest(&formed));
}
