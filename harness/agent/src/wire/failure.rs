//! Why a model gave no answer, in classes that say what to do next.
//!
//! By status and type of error, never by the words of a message. Cannot fail: what is
//! not known is `Invalid` below 500 and `Server` from there on.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters of a provider's message that are kept.
const MAX_MESSAGE_CHARS: usize = 300;

/// The longest wait that a header may ask for, a day; whoever asks for more means never.
const MAX_RETRY_AFTER_MS: u64 = 24 * 60 * 60 * 1_000;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// Status of HTTP, where there was an answer at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the provider asks to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Asked too often.
    RateLimited,
    /// The provider has too much to do.
    Overloaded,
    /// The provider is broken.
    Server,
    /// No connection, or it was lost before an answer.
    Connection,
    /// It took too long.
    Timeout,
    /// The stream ended before the answer did.
    Cut,
    /// An answer with nothing in it.
    Empty,
    /// The key will not do.
    Auth,
    /// There is no money left.
    Quota,
    /// There is no such model.
    NotFound,
    /// The request will not do.
    Invalid,
    /// The conversation is too long for the model.
    ContextTooLong,
    /// The provider refuses to answer this.
    Filtered,
    /// The answer is larger than anybody needs.
    TooLarge,
    /// The answer cannot be read.
    Garbage,
    /// The circuit breaker is open.
    BreakerOpen,
    /// No permit came free in time.
    NoPermit,
}

impl FailureKind {
    /// True when the same request may well succeed a moment later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::Server
            | Self::Connection
            | Self::Timeout
            | Self::Cut
            | Self::Empty
            | Self::NoPermit => true,
            Self::Auth
            | Self::Quota
            | Self::NotFound
            | Self::Invalid
            | Self::ContextTooLong
            | Self::Filtered
            | Self::TooLarge
            | Self::Garbage
            | Self::BreakerOpen => false,
        }
    }

    /// True when another provider may well succeed with the same request.
    #[must_use]
    pub const fn is_the_providers(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::Server
            | Self::Connection
            | Self::Timeout
            | Self::Cut
            | Self::Empty
            | Self::NoPermit
            | Self::Auth
            | Self::Quota
            | Self::NotFound
            | Self::TooLarge
            | Self::Garbage
            | Self::BreakerOpen => true,
            Self::Invalid | Self::ContextTooLong | Self::Filtered => false,
        }
    }

    /// True when it says that the provider is ill, which a circuit breaker counts.
    #[must_use]
    pub const fn is_illness(self) -> bool {
        match self {
            Self::Overloaded
            | Self::Server
            | Self::Connection
            | Self::Timeout
            | Self::Cut
            | Self::Empty
            | Self::TooLarge
            | Self::Garbage => true,
            Self::RateLimited
            | Self::NoPermit
            | Self::Auth
            | Self::Quota
            | Self::NotFound
            | Self::Invalid
            | Self::ContextTooLong
            | Self::Filtered
            | Self::BreakerOpen => false,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "the provider limits the rate",
            Self::Overloaded => "the provider is overloaded",
            Self::Server => "the provider failed",
            Self::Connection => "there is no connection to the provider",
            Self::Timeout => "the provider took too long",
            Self::Cut => "the provider's stream ended too soon",
            Self::Empty => "the provider's answer is empty",
            Self::Auth => "the provider does not accept the key; check it",
            Self::Quota => "the provider's quota is used up",
            Self::NotFound => "the provider has no such model; check its name",
            Self::Invalid => "the provider does not accept the request",
            Self::ContextTooLong => "the conversation is too long for the model; lower the budget",
            Self::Filtered => "the provider refuses to answer this",
            Self::TooLarge => "the provider's answer is too large",
            Self::Garbage => "the provider's answer cannot be read",
            Self::BreakerOpen => "the provider failed too often and is left alone for a while",
            Self::NoPermit => "the provider is being asked as often as it may",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.kind.as_str())?;
        if let Some(status) = self.status {
            write!(to, " (status {status})")?;
        }
        if self.message.is_empty() {
            return Ok(());
        }
        write!(to, ": `{}`", self.message)
    }
}

impl Failure {
    /// A failure without an answer of HTTP.
    #[must_use]
    pub fn new(kind: FailureKind, message: &str) -> Self {
        Self {
            kind,
            status: None,
            retry_after_ms: None,
            message: one_line(message),
        }
    }

    /// The failure that an answer of HTTP with `status` is.
    ///
    /// `retry_after` is the header as it came: seconds, whole or not.
    #[must_use]
    pub fn of_answer(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let told = Told::of(&value);
        let kind = told.kind().unwrap_or_else(|| of_status(status));
        let message = match told.message {
            "" => String::from_utf8_lossy(body.get(..512).unwrap_or(body)).into_owned(),
            told => told.to_owned(),
        };
        Self {
            status: Some(status),
            retry_after_ms: retry_after.and_then(wait_ms),
            ..Self::new(kind, &message)
        }
    }

    /// The failure that an error inside of a stream is.
    #[must_use]
    pub fn of_stream(value: &Value) -> Self {
        let told = Told::of(value);
        Self::new(told.kind().unwrap_or(FailureKind::Server), told.message)
    }
}

/// What a provider says of an error, in whatever of the forms.
struct Told<'a> {
    types: [&'a str; 2],
    message: &'a str,
}

impl<'a> Told<'a> {
    fn of(value: &'a Value) -> Self {
        let error = value
            .pointer("/response/error")
            .filter(|error| !error.is_null())
            .or_else(|| value.get("error"))
            .unwrap_or(value);
        let text = |key| error.get(key).and_then(Value::as_str).unwrap_or("");
        Self {
            types: [text("code"), text("type")],
            message: error.as_str().unwrap_or_else(|| text("message")),
        }
    }

    fn kind(&self) -> Option<FailureKind> {
        self.types.iter().find_map(|word| of_type(word))
    }
}

fn of_type(word: &str) -> Option<FailureKind> {
    let kind = match word {
        "rate_limit_error" | "rate_limit_exceeded" | "requests" | "tokens" => {
            FailureKind::RateLimited
        }
        "overloaded_error" | "engine_overloaded" | "unavailable_error" => FailureKind::Overloaded,
        "api_error" | "server_error" | "internal_error" => FailureKind::Server,
        "timeout_error" => FailureKind::Timeout,
        "authentication_error" | "permission_error" | "invalid_api_key" => FailureKind::Auth,
        "insufficient_quota" | "billing_error" => FailureKind::Quota,
        "not_found_error" | "model_not_found" => FailureKind::NotFound,
        "context_length_exceeded" | "exceed_context_size_error" | "request_too_large" => {
            FailureKind::ContextTooLong
        }
        "content_filter" | "content_policy_violation" => FailureKind::Filtered,
        "invalid_request_error" => FailureKind::Invalid,
        _ => return None,
    };
    Some(kind)
}

const fn of_status(status: u16) -> FailureKind {
    match status {
        401 | 403 => FailureKind::Auth,
        402 => FailureKind::Quota,
        404 => FailureKind::NotFound,
        408 => FailureKind::Timeout,
        413 => FailureKind::ContextTooLong,
        429 => FailureKind::RateLimited,
        503 | 529 => FailureKind::Overloaded,
        504 => FailureKind::Timeout,
        500.. => FailureKind::Server,
        _ => FailureKind::Invalid,
    }
}

/// A header in seconds, whole or not, as milliseconds. A date is not read: there is no
/// clock here to take it from.
fn wait_ms(header: &str) -> Option<u64> {
    let seconds: f64 = header.trim().parse().ok()?;
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    let millis = (seconds * 1_000.0).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between zero and a day"
    )]
    let bounded = millis.min(MAX_RETRY_AFTER_MS as f64) as u64;
    Some(bounded)
}

fn one_line(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> FailureKind {
        Failure::of_answer(status, None, body.as_bytes()).kind
    }

    #[test]
    fn each_provider_s_form_of_an_error_is_read() {
        let cases = [
            (
                429,
                r#"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#,
                FailureKind::RateLimited,
            ),
            (
                429,
                r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#,
                FailureKind::Quota,
            ),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded","type":"invalid_request_error"}}"#,
                FailureKind::ContextTooLong,
            ),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
                FailureKind::Overloaded,
            ),
            (
                404,
                r#"{"error":"model 'x' not found"}"#,
                FailureKind::NotFound,
            ),
            (502, "<html>bad gateway</html>", FailureKind::Server),
            (503, "", FailureKind::Overloaded),
            (418, "{}", FailureKind::Invalid),
            (401, r#"{"error":{"message":"no"}}"#, FailureKind::Auth),
        ];
        for (status, body, wanted) in cases {
            assert_eq!(kind(status, body), wanted, "{status} {body}");
        }
    }

    #[test]
    fn the_words_of_a_message_decide_nothing() {
        let body = r#"{"error":{"message":"rate limit overloaded timeout"}}"#;
        assert_eq!(kind(400, body), FailureKind::Invalid);
    }

    #[test]
    fn a_wait_is_read_in_parts_of_seconds_and_bounded() {
        let wait = |header| Failure::of_answer(429, Some(header), b"").retry_after_ms;
        assert_eq!(wait("1.5"), Some(1_500));
        assert_eq!(wait(" 20 "), Some(20_000));
        assert_eq!(wait("1e99"), Some(MAX_RETRY_AFTER_MS));
        assert_eq!(wait("-1"), None);
        assert_eq!(wait("NaN"), None);
        assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }

    #[test]
    fn a_message_is_one_line_and_short() {
        let body = format!(r#"{{"error":"a\nb{}"}}"#, "x".repeat(5_000));
        let failure = Failure::of_answer(500, None, body.as_bytes());
        assert!(failure.message.starts_with("a b") && failure.message.len() <= MAX_MESSAGE_CHARS);
    }
}
