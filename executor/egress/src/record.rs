//! What the ledger keeps of each request: never a header's value, a body, a query or a secret.
//!
//! A refusal is one record. An admitted request is two: one *before* its first byte goes out, which
//! must be durable or nothing goes out, and one at its end with what it used. The daemon implements
//! [`Sink`]; a sink that fails refuses the request.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use policy::Verdict;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::judge::{Answer, Caller, Question, RuledBy};
use crate::refusal::{Reason, Refusal};

/// The path in a record is cut here.
const MAX_PATH_BYTES: usize = 1_024;

/// Endings that are made durable together.
const ENDINGS_AT_ONCE: usize = 64;

/// How long the last records of a door may take to be written.
const LAST_RECORDS: Duration = Duration::from_secs(10);

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressRecord {
    /// Whose request it is, and of which call.
    pub caller: Arc<Caller>,
    /// The same in the records of one request; counts from 1 at each door.
    pub request: u64,
    /// What happened.
    pub event: Event,
    /// When, in microseconds since the beginning of 1970 in UTC.
    pub at_us: u64,
    /// `http`, `https`, `connect`, `websocket` or `raw`; none when the request was not read.
    pub protocol: Option<&'static str>,
    /// `http` or `https`; of a tunnel, of what is in it.
    pub scheme: Option<&'static str>,
    /// As it was asked.
    pub method: Option<String>,
    /// In the proxy's one form.
    pub host: Option<String>,
    /// As it was asked.
    pub port: Option<u16>,
    /// Without its query, cut after 1,024 bytes; none for a tunnel.
    pub path: Option<String>,
    /// The address that is connected to.
    pub address: Option<IpAddr>,
    /// Allow, hold or deny.
    pub verdict: Verdict,
    /// The rules that took effect.
    pub rules: Vec<String>,
    /// Which policy decided; none where none was asked.
    pub ruled_by: Option<RuledBy>,
    /// Why it was refused or cut off.
    pub reason: Option<Reason>,
    /// The reason in words; of one that is admitted, the policy's.
    pub detail: Option<String>,
    /// The status of the server's answer.
    pub status: Option<u16>,
    /// From the guest to the server, without what TLS adds.
    pub sent_bytes: u64,
    /// From the server to the guest.
    pub received_bytes: u64,
    /// Names of the secrets that were put in.
    pub secrets: Vec<String>,
}

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Nothing of it went out.
    Refused,
    /// It is about to go out.
    Admitted,
    /// It is over, or was cut off with a reason.
    Ended,
}

/// A record that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the record was not taken: {0}")]
pub struct NotRecorded(pub String);

/// What [`Sink::record`] gives.
pub type Recording<'a> = Pin<Box<dyn Future<Output = Result<(), NotRecorded>> + Send + 'a>>;

/// Takes records, in their order.
pub trait Sink: Send + Sync {
    /// Ends when the record is durable.
    fn record(&self, record: EgressRecord) -> Recording<'_>;
}

impl EgressRecord {
    /// A record about nothing yet but its call. Nothing has gone out.
    pub(crate) fn new(caller: &Arc<Caller>, request: u64) -> Self {
        Self {
            caller: Arc::clone(caller),
            request,
            event: Event::Refused,
            at_us: now_us(),
            protocol: None,
            scheme: None,
            method: None,
            host: None,
            port: None,
            path: None,
            address: None,
            verdict: Verdict::Allow,
            rules: Vec::new(),
            ruled_by: None,
            reason: None,
            detail: None,
            status: None,
            sent_bytes: 0,
            received_bytes: 0,
            secrets: Vec::new(),
        }
    }

    /// Says what is asked.
    pub(crate) fn about(&mut self, question: &Question<'_>) {
        self.protocol = Some(question.protocol.as_str());
        self.scheme = Some(question.scheme.as_str());
        self.method = Some(question.method.to_owned());
        self.host = Some(question.authority.host.to_string());
        self.port = Some(question.authority.port);
        self.path = question.target.map(|target| cut(&target.path));
    }

    /// Says why it is allowed.
    pub(crate) fn allowed(&mut self, answer: Answer) {
        self.rules = answer.rules;
        self.ruled_by = answer.ruled_by;
        self.detail = Some(answer.why);
    }

    /// The same request, refused.
    pub(crate) fn refused(mut self, refusal: &Refusal) -> Self {
        self.event = Event::Refused;
        self.verdict = match refusal.reason {
            Reason::Held => Verdict::Hold,
            Reason::Malformed
            | Reason::TooLarge
            | Reason::Slow
            | Reason::Denied
            | Reason::Address
            | Reason::Upgrade
            | Reason::NotTls
            | Reason::NoServerName
            | Reason::ServerName
            | Reason::EncryptedHello
            | Reason::Secret
            | Reason::Budget
            | Reason::NoCall
            | Reason::Unrecorded
            | Reason::UnknownName
            | Reason::Unreachable
            | Reason::BadAnswer
            | Reason::NoAnswer => Verdict::Deny,
        };
        self.rules.clone_from(&refusal.rules);
        self.ruled_by = refusal.ruled_by.as_deref().copied().or(self.ruled_by);
        self.because(refusal);
        self
    }

    /// The same request at its end.
    pub(crate) fn ended(mut self) -> Self {
        self.event = Event::Ended;
        self.at_us = now_us();
        self
    }

    /// Says why there was no answer, if nobody did: whoever asked has gone, or the call has ended.
    pub(crate) fn unanswered(&mut self) {
        let answers = matches!(self.protocol, Some("http" | "https" | "websocket"));
        if answers && self.status.is_none() && self.reason.is_none() {
            let why = "its call ended, or the program left, before the answer";
            self.because(&Refusal::new(Reason::NoAnswer, why));
        }
    }

    pub(crate) fn because(&mut self, refusal: &Refusal) {
        self.reason = Some(refusal.reason);
        self.detail = Some(refusal.detail.clone());
    }
}

fn cut(path: &str) -> String {
    let end = path.floor_char_boundary(MAX_PATH_BYTES);
    path.get(..end).unwrap_or(path).to_owned()
}

pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Hands records to the sink: those that must be durable first, and those of endings in the
/// background. The queue holds no more records than the door's budget has requests.
#[derive(Clone)]
pub(crate) struct Recorder {
    sink: Arc<dyn Sink>,
    endings: mpsc::UnboundedSender<EgressRecord>,
}

impl Recorder {
    /// The task ends with the last clone of the recorder.
    pub(crate) fn start(sink: Arc<dyn Sink>) -> (Self, Endings) {
        let (endings, mut queue) = mpsc::unbounded_channel();
        let into = Arc::clone(&sink);
        let task = tokio::spawn(async move {
            let mut ended = Vec::with_capacity(ENDINGS_AT_ONCE);
            while queue.recv_many(&mut ended, ENDINGS_AT_ONCE).await > 0 {
                write(&into, &mut ended).await;
            }
        });
        (Self { sink, endings }, Endings(task))
    }

    /// Waits until the record is durable.
    pub(crate) async fn durable(&self, record: EgressRecord) -> Result<(), Refusal> {
        let taken = self.sink.record(record).await;
        taken.map_err(|error| {
            tracing::error!(%error, "a request is refused because it cannot be recorded");
            Refusal::new(Reason::Unrecorded, "the ledger does not take records")
        })
    }

    /// Does not wait.
    pub(crate) fn later(&self, record: EgressRecord) {
        if self.endings.send(record).is_err() {
            tracing::error!("a request's end is not in the ledger: the recorder is gone");
        }
    }
}

/// Together, so that they are made durable together and not one after the other.
async fn write(into: &Arc<dyn Sink>, ended: &mut Vec<EgressRecord>) {
    let mut writing = JoinSet::new();
    for record in ended.drain(..) {
        let into = Arc::clone(into);
        writing.spawn(async move { into.record(record).await });
    }
    while let Some(written) = writing.join_next().await {
        let written = written.unwrap_or_else(|broken| Err(NotRecorded(broken.to_string())));
        if let Err(error) = written {
            tracing::error!(%error, "a request's end is not in the ledger");
        }
    }
}

/// The task that writes endings.
pub(crate) struct Endings(JoinHandle<()>);

impl Endings {
    /// Waits for the last of them, but not for ever.
    pub(crate) async fn finish(self) {
        if tokio::time::timeout(LAST_RECORDS, self.0).await.is_err() {
            tracing::error!("the ledger did not take the last records of a door in time");
        }
    }
}
