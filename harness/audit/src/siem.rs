//! Records in the words of other tools: OCSF events and CEF lines.
//!
//! | record | OCSF 1.6 class |
//! |---|---|
//! | a decision that allows | API Activity (6003) |
//! | a decision that holds or denies | Detection Finding (2004) |
//! | an outcome | Process Activity (1007), Terminate |
//!
//! The other kinds are about the ledger itself and have no event there; CEF has
//! a line for each record. What the classes have no place for stands under
//! `unmapped`. An erased field is left out. Pure translation: it reads a record
//! and touches nothing.

use serde_json::{Map, Value, json};

use crate::reader::Record;
use crate::wire::{Data, Decision, Digest, Id, Outcome, Verdict};

/// The version of OCSF that events are in.
const OCSF_VERSION: &str = "1.6.0";

/// OCSF's classes, each with its category.
#[derive(Debug, Clone, Copy)]
enum Class {
    ApiActivity,
    DetectionFinding,
    ProcessActivity,
}

impl Class {
    /// Class, category and activity.
    fn numbers(self) -> (u64, u64, u64) {
        match self {
            // A tool call is none of create, read, update and delete: it is other.
            Self::ApiActivity => (6003, 6, 99),
            Self::DetectionFinding => (2004, 2, 1),
            Self::ProcessActivity => (1007, 1, 2),
        }
    }
}

/// How grave an event is, in OCSF's numbers.
#[derive(Debug, Clone, Copy)]
enum Severity {
    Informational,
    Low,
    Medium,
}

impl Severity {
    fn number(self) -> u64 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
        }
    }

    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Self::Informational,
            Verdict::Hold => Self::Low,
            Verdict::Deny => Self::Medium,
        }
    }
}

/// The record as an OCSF event; `None` when it is about the ledger itself.
#[must_use]
pub fn ocsf(record: &Record) -> Option<Value> {
    match record.data() {
        Data::Decision(decision) => Some(match decision.verdict {
            Verdict::Allow => api_activity(record, decision),
            Verdict::Hold | Verdict::Deny => finding(record, decision),
        }),
        Data::Outcome(outcome) => Some(process_activity(record, outcome)),
        Data::Start(_) | Data::Stop(_) | Data::Note(_) | Data::Erasure(_) => None,
    }
}

/// What every event has.
fn event(record: &Record, class: Class, severity: Severity, call: Id, own: Value) -> Value {
    let (class, category, activity) = class.numbers();
    let mut event = json!({
        "class_uid": class,
        "category_uid": category,
        "activity_id": activity,
        "type_uid": class * 100 + activity,
        "severity_id": severity.number(),
        "time": record.time_us() / 1_000,
        "metadata": {
            "version": OCSF_VERSION,
            "uid": record.seq().to_string(),
            "correlation_uid": call.to_string(),
            "log_name": "ledger",
            "product": {
                "name": "Lazaret",
                "vendor_name": "Lazaret",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
    });
    if let (Value::Object(event), Value::Object(own)) = (&mut event, own) {
        event.extend(own);
    }
    if class == 6003
        && let Value::Object(event) = &mut event
    {
        event.insert("activity_name".to_owned(), json!("Tool call"));
    }
    event
}

fn api_activity(record: &Record, decision: &Decision) -> Value {
    let instance = Id(record.instance()).to_string();
    let own = json!({
        "actor": actor(decision),
        "api": {
            "operation": decision.tool,
            "request": { "uid": decision.call_id.to_string() },
            "service": { "name": "lazaret" },
        },
        "src_endpoint": { "svc_name": "lazaret", "instance_uid": instance },
        "status_id": 1,
        "message": decision.reason.kept(),
        "unmapped": decided(record, decision),
    });
    let severity = Severity::of(decision.verdict);
    event(
        record,
        Class::ApiActivity,
        severity,
        decision.call_id,
        without_null(own),
    )
}

fn finding(record: &Record, decision: &Decision) -> Value {
    let title = match decision.verdict {
        Verdict::Allow => "Tool call allowed",
        Verdict::Hold => "Tool call held",
        Verdict::Deny => "Tool call denied",
    };
    let rule = decision.rules.first();
    let info = json!({
        "uid": decision.call_id.to_string(),
        "title": title,
        "desc": decision.reason.kept(),
        "created_time": record.time_us() / 1_000,
        "analytic": rule.map(|rule| json!({ "name": rule, "type_id": 1 })),
    });
    let own = json!({
        "finding_info": without_null(info),
        "status_id": 1,
        "message": format!("{title}: {}", decision.tool),
        "unmapped": decided(record, decision),
    });
    let severity = Severity::of(decision.verdict);
    event(
        record,
        Class::DetectionFinding,
        severity,
        decision.call_id,
        own,
    )
}

fn process_activity(record: &Record, outcome: &Outcome) -> Value {
    let has_exited = outcome.exit_code == Some(0);
    let instance = Id(record.instance()).to_string();
    let own = json!({
        "actor": { "app_name": "lazaret" },
        "device": { "uid": instance, "type_id": 0 },
        "process": { "uid": outcome.call_id.to_string() },
        "exit_code": outcome.exit_code,
        "status_id": if has_exited { 1 } else { 2 },
        "status_detail": outcome.ending,
        "message": outcome.detail.kept(),
        "unmapped": {
            "decision": outcome.decision_seq,
            "ending": outcome.ending,
            "usage": outcome.usage.0,
            "receipt": outcome.receipt.0,
            "leaf": Digest(record.hash()).to_string(),
        },
    });
    let severity = Severity::Informational;
    event(
        record,
        Class::ProcessActivity,
        severity,
        outcome.call_id,
        without_null(own),
    )
}

/// Somebody, or the program itself when nobody is known any more.
fn actor(decision: &Decision) -> Value {
    let user = decision.principal.kept();
    let session = decision.session.kept().and_then(Option::as_ref);
    without_null(json!({
        "app_name": "lazaret",
        "user": user.map(|name| json!({ "name": name })),
        "session": session.map(|uid| json!({ "uid": uid })),
    }))
}

fn decided(record: &Record, decision: &Decision) -> Value {
    json!({
        "tool": decision.tool,
        "principal": decision.principal.kept(),
        "verdict": verdict(decision.verdict),
        "rules": decision.rules,
        "profile": decision.profile,
        "runtime": decision.runtime,
        "policy_digest": decision.policy_digest.to_string(),
        "policy_generation": decision.policy_generation,
        "leaf": Digest(record.hash()).to_string(),
    })
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Hold => "hold",
        Verdict::Deny => "deny",
    }
}

/// The record as a line of the Common Event Format, without what syslog puts before it.
#[must_use]
pub fn cef(record: &Record) -> String {
    let kind = record.kind().as_str();
    let mut fields = vec![
        ("rt", (record.time_us() / 1_000).to_string()),
        ("externalId", record.seq().to_string()),
        ("deviceExternalId", Id(record.instance()).to_string()),
    ];
    let (name, severity) = match record.data() {
        Data::Decision(decision) => {
            fields.extend(decision_fields(decision));
            (
                format!("tool call {}", past(decision.verdict)),
                Severity::of(decision.verdict),
            )
        }
        Data::Outcome(outcome) => {
            fields.extend(outcome_fields(outcome));
            ("tool call ended".to_owned(), Severity::Informational)
        }
        Data::Note(note) => {
            fields.push(("msg", note.topic.clone()));
            ("note".to_owned(), Severity::Informational)
        }
        Data::Erasure(erasure) => {
            fields.push(("suser", erasure.by.clone()));
            fields.push(("msg", erasure.reason.clone()));
            ("records erased".to_owned(), Severity::Low)
        }
        Data::Start(_) => ("ledger opened".to_owned(), Severity::Informational),
        Data::Stop(_) => ("ledger closed".to_owned(), Severity::Informational),
    };
    let pairs: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("{key}={}", escape(value, '=')))
        .collect();
    // CEF counts gravity from 0 to 10.
    format!(
        "CEF:0|Lazaret|Lazaret|{}|{kind}|{}|{}|{}",
        env!("CARGO_PKG_VERSION"),
        escape(&name, '|'),
        severity.number() * 2,
        pairs.join(" ")
    )
}

fn past(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::Hold => "held",
        Verdict::Deny => "denied",
    }
}

fn decision_fields(decision: &Decision) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("act", verdict(decision.verdict).to_owned()),
        ("app", decision.tool.clone()),
        ("cs1Label", "call".to_owned()),
        ("cs1", decision.call_id.to_string()),
        ("cs2Label", "rules".to_owned()),
        ("cs2", decision.rules.join(",")),
    ];
    if let Some(principal) = decision.principal.kept() {
        fields.push(("suser", principal.clone()));
    }
    if let Some(reason) = decision.reason.kept() {
        fields.push(("msg", reason.clone()));
    }
    fields
}

fn outcome_fields(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("outcome", outcome.ending.clone()),
        ("cs1Label", "call".to_owned()),
        ("cs1", outcome.call_id.to_string()),
        ("cn1Label", "decision".to_owned()),
        ("cn1", outcome.decision_seq.to_string()),
    ];
    if let Some(detail) = outcome.detail.kept().and_then(Option::as_ref) {
        fields.push(("msg", detail.clone()));
    }
    fields
}

/// A backslash before backslashes and before the character that would end the field; a line stays
/// one line.
fn escape(text: &str, end: char) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\\' => escaped.push_str("\\\\"),
            letter if letter == end => escaped.extend(['\\', letter]),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
