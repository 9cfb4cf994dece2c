//! Why something does not go out, in a form for programs and in words for people.
//!
//! A refusal names its reason by a word that never changes, the rules behind it, and what to do.
//! It never holds a header's value, a body or a query. Cannot fail.

use bytes::Bytes;
use serde_json::json;

use crate::judge::RuledBy;

/// The reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Bytes that are no request, or that two programs could read in two ways.
    Malformed,
    /// A head or body over its limit.
    TooLarge,
    /// A sender that took too long.
    Slow,
    /// The policy denies it.
    Denied,
    /// The policy holds it, and nobody can be asked while a connection waits.
    Held,
    /// An address that is not of the open network, and that no rule names.
    Address,
    /// An upgrade that is not a WebSocket, or one that no rule names.
    Upgrade,
    /// Bytes in a tunnel that are neither TLS nor HTTP, and no rule names `raw`.
    NotTls,
    /// A TLS hello without a server name.
    NoServerName,
    /// A TLS hello for another server than the tunnel was opened to.
    ServerName,
    /// A TLS hello whose server name is encrypted.
    EncryptedHello,
    /// A placeholder of a secret where the secret does not belong.
    Secret,
    /// More than the budget holds.
    Budget,
    /// No call is running that the connection could belong to.
    NoCall,
    /// The ledger did not take the record.
    Unrecorded,
    /// A name that has no address.
    UnknownName,
    /// No connection to the server, or none whose certificate holds.
    Unreachable,
    /// A server that answers no HTTP, or something that may not be passed on.
    BadAnswer,
    /// A server that does not answer.
    NoAnswer,
}

impl Reason {
    /// The word in records and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::Slow => "slow",
            Self::Denied => "denied",
            Self::Held => "held",
            Self::Address => "address",
            Self::Upgrade => "upgrade",
            Self::NotTls => "not-tls",
            Self::NoServerName => "no-server-name",
            Self::ServerName => "server-name",
            Self::EncryptedHello => "encrypted-hello",
            Self::Secret => "secret",
            Self::Budget => "budget",
            Self::NoCall => "no-call",
            Self::Unrecorded => "unrecorded",
            Self::UnknownName => "unknown-name",
            Self::Unreachable => "unreachable",
            Self::BadAnswer => "bad-answer",
            Self::NoAnswer => "no-answer",
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Slow => 408,
            Self::TooLarge => 413,
            Self::Denied
            | Self::Held
            | Self::Address
            | Self::Upgrade
            | Self::NotTls
            | Self::NoServerName
            | Self::ServerName
            | Self::EncryptedHello
            | Self::Secret
            | Self::NoCall => 403,
            Self::Budget => 429,
            Self::Unrecorded => 503,
            Self::UnknownName | Self::Unreachable | Self::BadAnswer => 502,
            Self::NoAnswer => 504,
        }
    }

    fn phrase(self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            403 => "Forbidden",
            408 => "Request Timeout",
            413 => "Content Too Large",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "Bad Gateway",
        }
    }
}

/// What did not go out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// In words, for the caller.
    pub detail: String,
    /// The rules of the policy that took effect.
    pub rules: Vec<String>,
    /// What the caller can do.
    pub next_steps: Vec<String>,
    /// Which policy refused it; none where no policy did.
    pub ruled_by: Option<Box<RuledBy>>,
}

impl Refusal {
    /// A refusal that no rule is behind.
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            rules: Vec::new(),
            next_steps: Vec::new(),
            ruled_by: None,
        }
    }

    /// With what the caller can do about it.
    pub(crate) fn or(mut self, next_step: impl Into<String>) -> Self {
        self.next_steps.push(next_step.into());
        self
    }

    /// The body of the answer: problem details (RFC 9457).
    #[must_use]
    pub fn problem(&self) -> Bytes {
        let problem = json!({
            "type": format!("urn:lazaret:egress:{}", self.reason.as_str()),
            "title": "the egress proxy refused this request",
            "status": self.reason.status(),
            "detail": self.detail,
            "reason": self.reason.as_str(),
            "rules": self.rules,
            "next_steps": self.next_steps,
        });
        let mut text = problem.to_string();
        text.push('\n');
        text.into()
    }

    /// A whole answer, for where no HTTP library is in the way. The connection closes after it.
    pub(crate) fn to_answer(&self) -> Bytes {
        let body = self.problem();
        let head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.reason.status(),
            self.reason.phrase(),
            body.len(),
        );
        [head.as_bytes(), &body].concat().into()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_reason_and_remedy() {
        let refusal = Refusal::new(Reason::Denied, "no rule").or("add one");
        let body: serde_json::Value = serde_json::from_slice(&refusal.problem()).unwrap();
        assert_eq!(body["reason"], "denied");
        assert_eq!(body["status"], 403);
        assert_eq!(body["next_steps"][0], "add one");
        let answer = refusal.to_answer();
        assert!(answer.starts_with(b"HTTP/1.1 403 Forbidden\r\n"));
    }
}
