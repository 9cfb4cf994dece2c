//! The daemon's HTTP interface as a client sees it: the only file that knows the
//! wire's field names.
//!
//! Never retries: whoever counts errors wants to see each. Fails where an answer
//! lacks what the interface promises.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::failure::Failure;

/// No call of ours runs longer: the widest wall limit is 10 s, and a queue of
/// fifty may stand before it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Files of 16 MiB as base64, two streams of 1 MiB, and room.
const ANSWER_BYTES: u64 = 64 << 20;
const DAEMON: &str = "the daemon";
/// What a call that the policy does not let run is answered with.
const DENIED: u16 = 403;

/// A client with its own connection, which it keeps.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    authorization: String,
}

/// What the daemon said to one call.
pub(crate) enum Answer {
    Ran(Box<Ran>),
    Refused(Refused),
}

/// A call that ran, however it ended.
pub(crate) struct Ran {
    pub(crate) verdict: Verdict,
    pub(crate) ending: Ending,
    pub(crate) exit_code: Option<i64>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) stdout_truncated: bool,
    pub(crate) files: Vec<Collected>,
    pub(crate) receipt: Value,
    pub(crate) decision: u64,
    pub(crate) outcome: u64,
}

/// Which policy judged a call, and why as it did.
pub(crate) struct Judged {
    pub(crate) generation: u64,
    pub(crate) digest: String,
    pub(crate) reason: String,
}

/// A call that did not run, as problem details.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) detail: String,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) decision: Option<u64>,
}

/// A file that the call left.
pub(crate) struct Collected {
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
}

/// What the policy said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    Hold,
    Deny,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    Exited,
    TimedOut,
    OutOfMemory,
    OutOfFuel,
    Killed,
    LaunchFailed,
    Cancelled,
}

impl Client {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections_per_host(1)
            .build()
            .new_agent();
        Self {
            agent,
            url: format!("{url}/v1/execute"),
            authorization: format!("Bearer {token}"),
        }
    }

    /// Another client of the same daemon, with a connection of its own.
    pub(crate) fn another(&self) -> Self {
        Self {
            agent: self.agent.config().new_agent(),
            url: self.url.clone(),
            authorization: self.authorization.clone(),
        }
    }

    /// Sends `body` to `POST /v1/execute`.
    pub(crate) fn execute(&self, body: &Value) -> Result<Answer, Failure> {
        let (status, answer) = self.post(body.to_string().as_bytes())?;
        read(status, &answer)
    }

    /// Sends a call that the policy denies, and gives what judged it.
    pub(crate) fn deny(&self, arguments: &Value) -> Result<Judged, Failure> {
        let (status, answer) = self.post(arguments.to_string().as_bytes())?;
        judged(status, &answer)
    }

    /// Sends bytes and gives the status and body, unread: for measuring.
    pub(crate) fn post(&self, body: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        let lost = |error: ureq::Error| Failure::answer(DAEMON, format!("nothing: {error}"));
        let mut response = self
            .agent
            .post(&self.url)
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .send(body)
            .map_err(lost)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES);
        Ok((status, body.read_to_vec().map_err(lost)?))
    }
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }

    fn read(word: &str) -> Option<Self> {
        [Self::Allow, Self::Hold, Self::Deny]
            .into_iter()
            .find(|verdict| verdict.word() == word)
    }
}

impl Ending {
    const ALL: [Self; 7] = [
        Self::Exited,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::OutOfFuel,
        Self::Killed,
        Self::LaunchFailed,
        Self::Cancelled,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::OutOfFuel => "out_of_fuel",
            Self::Killed => "killed",
            Self::LaunchFailed => "launch_failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.word() == word)
    }
}

impl Ran {
    /// The ending, with the exit code where there is one.
    pub(crate) fn ending_text(&self) -> String {
        match (self.ending, self.exit_code) {
            (Ending::Exited, Some(code)) => format!("exited {code}"),
            (ending, _) => ending.word().replace('_', " "),
        }
    }
}

fn judged(status: u16, answer: &[u8]) -> Result<Judged, Failure> {
    let text = || String::from_utf8_lossy(answer).into_owned();
    if status != DENIED {
        return Err(Failure::answer(DAEMON, format!("{status}: {}", text())));
    }
    let read: Value = serde_json::from_slice(answer).unwrap_or_default();
    let generation = read.pointer("/policy/generation").and_then(Value::as_u64);
    let digest = read.pointer("/policy/digest").and_then(Value::as_str);
    let reason = read.get("detail").and_then(Value::as_str);
    match (generation, digest, reason) {
        (Some(generation), Some(digest), Some(reason)) => Ok(Judged {
            generation,
            digest: digest.to_owned(),
            reason: reason.to_owned(),
        }),
        (_, _, _) => Err(Failure::answer(
            DAEMON,
            format!("without a policy: {}", text()),
        )),
    }
}

fn read(status: u16, answer: &[u8]) -> Result<Answer, Failure> {
    let answer: Value = serde_json::from_slice(answer)
        .map_err(|error| Failure::answer(DAEMON, format!("status {status}: {error}")))?;
    if status != 200 {
        return Ok(Answer::Refused(refused(status, &answer)));
    }
    ran(answer).map(|ran| Answer::Ran(Box::new(ran)))
}

fn refused(status: u16, answer: &Value) -> Refused {
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    Refused {
        status,
        detail: text("detail")
            .or(text("title"))
            .unwrap_or_default()
            .to_owned(),
        verdict: text("verdict").and_then(Verdict::read),
        decision: answer.pointer("/ledger/decision").and_then(Value::as_u64),
    }
}

fn ran(mut answer: Value) -> Result<Ran, Failure> {
    let receipt = answer.get_mut("receipt").map(Value::take);
    let at = |place: &str| answer.pointer(place);
    let text = |place: &str| at(place).and_then(Value::as_str);
    let number = |place: &str| at(place).and_then(Value::as_u64);
    let flag = |place: &str| at(place).and_then(Value::as_bool);
    Ok(Ran {
        verdict: text("/verdict")
            .and_then(Verdict::read)
            .ok_or_else(lacks("verdict"))?,
        ending: text("/ending")
            .and_then(Ending::read)
            .ok_or_else(lacks("ending"))?,
        exit_code: at("/exit_code").and_then(Value::as_i64),
        stdout: text("/stdout").ok_or_else(lacks("stdout"))?.to_owned(),
        stderr: text("/stderr").ok_or_else(lacks("stderr"))?.to_owned(),
        stdout_truncated: flag("/truncated/stdout").ok_or_else(lacks("truncated.stdout"))?,
        files: files(at("/files")).ok_or_else(lacks("files"))?,
        receipt: receipt.ok_or_else(lacks("receipt"))?,
        decision: number("/ledger/decision").ok_or_else(lacks("ledger.decision"))?,
        outcome: number("/ledger/outcome").ok_or_else(lacks("ledger.outcome"))?,
    })
}

fn files(list: Option<&Value>) -> Option<Vec<Collected>> {
    let file = |file: &Value| {
        let path = file.get("path")?.as_str()?.to_owned();
        let content = BASE64.decode(file.get("content_base64")?.as_str()?).ok()?;
        Some(Collected { path, content })
    };
    list?.as_array()?.iter().map(file).collect()
}

fn lacks(field: &str) -> impl FnOnce() -> Failure {
    move || Failure::answer(DAEMON, format!("without a readable `{field}`"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn answer() -> Value {
        json!({
            "call_id": "0", "verdict": "allow", "ending": "exited", "exit_code": 3,
            "stdout": "1\n", "stderr": "", "truncated": {"stdout": false, "stderr": false},
            "files": [{"path": "out/a", "bytes": 2, "sha256": "", "content_base64": "aGk="}],
            "usage": {}, "receipt": {"layers": {}}, "ledger": {"decision": 2, "outcome": 3},
        })
    }

    #[test]
    fn an_answer_is_read() {
        let Answer::Ran(ran) = read(200, answer().to_string().as_bytes()).unwrap() else {
            panic!("refused");
        };
        assert_eq!(
            (ran.ending_text().as_str(), ran.decision, ran.outcome),
            ("exited 3", 2, 3)
        );
        assert_eq!(ran.files.first().unwrap().content, b"hi");
    }

    #[test]
    fn an_unknown_ending_is_not_taken_for_a_good_one() {
        let mut answer = answer();
        *answer.get_mut("ending").unwrap() = json!("fine");
        assert!(read(200, answer.to_string().as_bytes()).is_err());
    }

    #[test]
    fn problem_details_are_read() {
        let body = br#"{"status":403,"title":"denied","verdict":"deny","ledger":{"decision":7}}"#;
        let Answer::Refused(refused) = read(403, body).unwrap() else {
            panic!("ran");
        };
        assert_eq!(refused.verdict, Some(Verdict::Deny));
        assert_eq!(
            (refused.detail.as_str(), refused.decision),
            ("denied", Some(7))
        );
    }
}
