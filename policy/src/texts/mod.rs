//! Readers of plain texts: strings of a tool call become facts that cannot be disguised.
//!
//! | reader | finds | fails by |
//! |---|---|---|
//! | [`hosts`] | hosts and addresses, as they are really reached | `complete: false` |
//! | [`paths`] | paths, lexically normal | `known: false` |
//! | [`unicode`] | characters that hide or imitate | counts go on where the list ends |
//! | [`encodings`] | texts inside of texts (base64, hex, percent, gzip) | `complete: false` |
//! | [`secrets`] | keys, tokens, passwords | `complete: false`; redaction then keeps nothing |
//!
//! Every reader is total: it takes steps in proportion to the text's length, within named limits,
//! and says in its result when it gave up. None of them looks at the world: a link is not
//! followed, a name is not resolved.

pub mod encodings;
pub mod hosts;
pub mod paths;
mod percent;
pub mod secrets;
pub mod unicode;

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test may fail by panicking")]
mod corpora;
#[cfg(test)]
mod properties;
