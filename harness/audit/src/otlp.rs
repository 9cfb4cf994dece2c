//! Records as OTLP logs: each one a line as OpenTelemetry's file exporter writes them (JSON encoding
//! of the protocol), which a collector reads with its `otlpjson` receivers.
//!
//! A call's id is the trace id of its records, so that a decision and its outcome are found
//! together. Arguments and outputs are not in it, and an erased field is left out. Pure
//! translation, as in [`crate::siem`].

use serde_json::{Value, json};

use crate::reader::Record;
use crate::wire::{Data, Decision, Digest, Id, Outcome, Verdict};

/// Severities by the protocol's numbers.
#[derive(Debug, Clone, Copy)]
enum Severity {
    Info,
    Warn,
}

impl Severity {
    fn number(self) -> u64 {
        match self {
            Self::Info => 9,
            Self::Warn => 13,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
        }
    }

    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Self::Info,
            Verdict::Hold | Verdict::Deny => Self::Warn,
        }
    }
}

/// What a record says: how grave, in one line, in pairs.
struct Said {
    severity: Severity,
    line: String,
    pairs: Vec<(&'static str, Value)>,
}

/// The record as a document of OTLP logs.
#[must_use]
pub fn otlp(record: &Record) -> Value {
    let said = said(record.data());
    let mut pairs = vec![
        ("lazaret.record", json!(record.seq())),
        ("lazaret.leaf", json!(Digest(record.hash()).to_string())),
    ];
    pairs.extend(said.pairs);
    let time = record.time_us().saturating_mul(1_000).to_string();
    let mut log = json!({
        "timeUnixNano": time,
        "observedTimeUnixNano": time,
        "severityNumber": said.severity.number(),
        "severityText": said.severity.text(),
        "eventName": format!("lazaret.{}", record.kind().as_str()),
        "body": { "stringValue": said.line },
        "attributes": attributes(pairs),
    });
    if let (Value::Object(log), Some(call)) = (&mut log, record.call_id()) {
        let trace = Id(call).to_string().replace('-', "");
        log.insert("traceId".to_owned(), json!(trace));
    }
    let instance = Id(record.instance()).to_string();
    let resource = attributes(vec![
        ("service.name", json!("lazaret")),
        ("service.version", json!(env!("CARGO_PKG_VERSION"))),
        ("service.instance.id", json!(instance)),
    ]);
    let scope = json!({ "scope": { "name": "lazaret.ledger" }, "logRecords": [log] });
    json!({ "resourceLogs": [{ "resource": { "attributes": resource }, "scopeLogs": [scope] }] })
}

fn said(data: &Data) -> Said {
    let plain = |line: String, pairs| Said {
        severity: Severity::Info,
        line,
        pairs,
    };
    match data {
        Data::Decision(decision) => decided(decision),
        Data::Outcome(outcome) => ended(outcome),
        Data::Start(start) => plain(
            "ledger opened".to_owned(),
            vec![("lazaret.key", json!(start.key))],
        ),
        Data::Stop(_) => plain("ledger closed".to_owned(), Vec::new()),
        Data::Note(note) => plain(
            format!("note: {}", note.topic),
            vec![("lazaret.topic", json!(note.topic))],
        ),
        Data::Erasure(erasure) => plain(
            format!("records erased: {}", erasure.reason),
            vec![("lazaret.by", json!(erasure.by))],
        ),
    }
}

fn decided(decision: &Decision) -> Said {
    let verdict = match decision.verdict {
        Verdict::Allow => "allow",
        Verdict::Hold => "hold",
        Verdict::Deny => "deny",
    };
    let session = decision.session.kept().and_then(Option::as_ref);
    Said {
        severity: Severity::of(decision.verdict),
        line: format!("{verdict} {}", decision.tool),
        pairs: vec![
            ("gen_ai.tool.name", json!(decision.tool)),
            ("lazaret.verdict", json!(verdict)),
            ("lazaret.rules", json!(decision.rules)),
            ("lazaret.reason", json!(decision.reason.kept())),
            ("enduser.id", json!(decision.principal.kept())),
            ("session.id", json!(session)),
            ("lazaret.profile", json!(decision.profile)),
            ("lazaret.runtime", json!(decision.runtime)),
            (
                "lazaret.policy.digest",
                json!(decision.policy_digest.to_string()),
            ),
            (
                "lazaret.policy.generation",
                json!(decision.policy_generation),
            ),
        ],
    }
}

fn ended(outcome: &Outcome) -> Said {
    Said {
        severity: Severity::Info,
        line: format!("call ended: {}", outcome.ending),
        pairs: vec![
            ("lazaret.ending", json!(outcome.ending)),
            ("lazaret.decision", json!(outcome.decision_seq)),
            ("lazaret.detail", json!(outcome.detail.kept())),
            ("process.exit.code", json!(outcome.exit_code)),
        ],
    }
}

/// Pairs in the protocol's form; those that say nothing are left out.
fn attributes(pairs: Vec<(&'static str, Value)>) -> Vec<Value> {
    let said = pairs.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(key, value)| json!({ "key": key, "value": any(value) }))
        .collect()
}

/// A value in the protocol's form, where integers are written as strings.
fn any(value: Value) -> Value {
    match value {
        Value::Bool(truth) => json!({ "boolValue": truth }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Array(values) => {
            let values: Vec<Value> = values.into_iter().map(any).collect();
            json!({ "arrayValue": { "values": values } })
        }
        Value::String(text) => json!({ "stringValue": text }),
        other @ (Value::Null | Value::Object(_)) => json!({ "stringValue": other.to_string() }),
    }
}
