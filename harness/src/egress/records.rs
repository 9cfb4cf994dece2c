//! The requests of one door in the ledger: each is a decision of its own about the tool
//! `http_request`, durable before a byte goes out, and, if it was allowed, an outcome at its end.
//!
//! ```text
//!  refused  ─► decision (deny, hold)
//!  admitted ─► decision (allow) ── durable ──► goes out ── ended ─► outcome (answered, cut_off)
//! ```
//!
//! The arguments of the decision name the call that the request belongs to, under `call`. They hold
//! what rules are asked about, but never a query; the outcome holds the status, the address, the
//! bytes and the names of secrets. A decision that the ledger does not take refuses its request. A
//! request whose end is not recorded is closed as `interrupted` by the ledger's next writer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::egress::{EgressRecord, Event, NotRecorded, Recording, RuledBy, Sink};
use audit::{AppendError, DecisionEntry, Ledger, OutcomeEntry};
use policy::{REQUEST_TOOL, ToolCall, Verdict};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::in_force::InForce;

/// How a request that was admitted ended: the server's answer was handed back, or the tunnel closed.
const ANSWERED: &str = "answered";

/// It was broken off, and the outcome says why.
const CUT_OFF: &str = "cut_off";

/// The records of one door.
pub(super) struct Records {
    profile: String,
    ledger: Ledger,
    rules: Arc<InForce>,
    /// Admitted requests without an end, by their number; as many as the door has connections.
    open: Mutex<HashMap<u64, Open>>,
}

/// A request that the ledger waits for.
struct Open {
    call_id: [u8; 16],
    decision_seq: u64,
}

impl Records {
    pub(super) fn new(profile: &str, ledger: Ledger, rules: Arc<InForce>) -> Self {
        Self {
            profile: profile.to_owned(),
            ledger,
            rules,
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn decided(&self, record: EgressRecord) -> Result<(), NotRecorded> {
        let call_id = uuid::Uuid::now_v7().into_bytes();
        let entry = self.decision(call_id, &record)?;
        let (done, durable) = oneshot::channel();
        self.ledger.append_decision(entry, move |result| {
            // The receiver waits below; it is gone only with its connection.
            let _told = done.send(result).is_ok();
        });
        let receipt = durable.await.unwrap_or(Err(AppendError::Closed));
        let receipt = receipt.map_err(not_recorded)?;
        if record.event == Event::Admitted {
            let decision_seq = receipt.seq();
            let open = Open {
                call_id,
                decision_seq,
            };
            self.open().insert(record.request, open);
        }
        Ok(())
    }

    fn decision(
        &self,
        call_id: [u8; 16],
        record: &EgressRecord,
    ) -> Result<DecisionEntry, NotRecorded> {
        let caller = &record.caller;
        let (principal, session) = (&caller.principal, caller.session.as_deref());
        let call = ToolCall::new(REQUEST_TOOL, self.arguments(record), principal, session);
        let call = call.map_err(|error| NotRecorded(error.to_string()))?;
        let ruled_by = record.ruled_by.unwrap_or_else(|| self.ruled_now());
        Ok(DecisionEntry {
            call_id,
            principal: principal.clone(),
            session: caller.session.clone(),
            tool: REQUEST_TOOL.to_owned(),
            arguments: call.canonical_arguments().to_vec(),
            verdict: record.verdict.as_str().to_owned(),
            rules: record.rules.clone(),
            reason: record.detail.clone().unwrap_or_default(),
            policy_digest: ruled_by.digest,
            policy_generation: ruled_by.generation,
            profile: (record.verdict == Verdict::Allow).then(|| self.profile.clone()),
            runtime: None,
            limits: Value::Null,
        })
    }

    /// What was refused before the policy was asked was refused under the one in force.
    fn ruled_now(&self) -> RuledBy {
        let standing = self.rules.standing();
        let generation = standing.generation();
        RuledBy {
            digest: generation.policy().digest(),
            generation: generation.number(),
        }
    }

    fn arguments(&self, record: &EgressRecord) -> Value {
        let mut arguments = Map::new();
        let mut put = |key: &str, value: Value| {
            if !value.is_null() {
                arguments.insert(key.to_owned(), value);
            }
        };
        put("call", record.caller.call_id.to_string().into());
        put("request", record.request.into());
        put("profile", self.profile.as_str().into());
        put("url", json!(url(record)));
        put("protocol", json!(record.protocol));
        put("scheme", json!(record.scheme));
        put("method", json!(record.method));
        put("host", json!(record.host));
        put("port", json!(record.port));
        put("path", json!(record.path));
        put("reason", json!(record.reason.map(::egress::Reason::as_str)));
        Value::Object(arguments)
    }

    async fn ended(&self, record: EgressRecord) -> Result<(), NotRecorded> {
        let open = self.open().remove(&record.request);
        let open = open.ok_or_else(|| NotRecorded("it was never admitted".to_owned()))?;
        let (done, durable) = oneshot::channel();
        self.ledger
            .append_outcome(outcome(&open, record), move |result| {
                let _told = done.send(result).is_ok();
            });
        let receipt = durable.await.unwrap_or(Err(AppendError::Closed));
        receipt.map(drop).map_err(not_recorded)
    }
}

impl Sink for Records {
    fn record(&self, record: EgressRecord) -> Recording<'_> {
        Box::pin(async move {
            match record.event {
                Event::Refused | Event::Admitted => self.decided(record).await,
                Event::Ended => self.ended(record).await,
            }
        })
    }
}

/// Without its query; nothing where no host was read.
fn url(record: &EgressRecord) -> Option<String> {
    let (scheme, host, port) = (record.scheme?, record.host.as_ref()?, record.port?);
    let path = record.path.as_deref().unwrap_or("/");
    Some(format!("{scheme}://{host}:{port}{path}"))
}

fn outcome(open: &Open, record: EgressRecord) -> OutcomeEntry {
    let cut_off = record.reason.is_some();
    OutcomeEntry {
        call_id: open.call_id,
        decision_seq: open.decision_seq,
        ending: if cut_off { CUT_OFF } else { ANSWERED }.to_owned(),
        detail: record.detail.filter(|_| cut_off),
        exit_code: None,
        stdout: Vec::new(),
        stderr: Vec::new(),
        files: Vec::new(),
        truncated_stdout: false,
        truncated_stderr: false,
        usage: json!({
            "sent_bytes": record.sent_bytes,
            "received_bytes": record.received_bytes,
        }),
        receipt: json!({
            "address": record.address.map(|address| address.to_string()),
            "status": record.status,
            "secrets": record.secrets,
            "reason": record.reason.map(::egress::Reason::as_str),
        }),
        repeat: None,
    }
}

fn not_recorded(error: AppendError) -> NotRecorded {
    NotRecorded(error.to_string())
}
