//! The three verdicts and their order.
//!
//! Verdicts combine by `max`: the strictest wins. There is no fourth for "unknown", what cannot
//! be decided is a deny.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a rule, or the policy as a whole, says of a call. Ordered from loose to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The call may run, in the sandbox that the rule names.
    Allow,
    /// The call waits for a person.
    Hold,
    /// The call does not run.
    Deny,
}

impl Verdict {
    /// The word for it in files and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
