//! What other tools are given: OCSF events against the published schema, CEF lines read back.
//!
//! `ocsf/*.json` are the three classes of OCSF 1.6.0 as JSON Schema, made from the published
//! schema by the package `ocsf-json-schema` 1.2.0, without titles and descriptions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;

use audit::{Ledger, Reader, Record, Target, Wish, cef, ocsf, otlp};
use common::{call_id, decision, outcome, sample};
use serde_json::{Value, json};

/// A ledger with every kind of record, texts that want escaping, and erased fields.
fn records() -> Vec<Record> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    sample(&path);
    let ledger = Ledger::open(&path).unwrap();
    let id = call_id();
    let mut entry = decision(id, "allow");
    entry.principal = "a|b=c\\d".to_owned();
    entry.session = Some("s".to_owned());
    entry.reason = "two\nlines = one | \u{1F600}".to_owned();
    let receipt = ledger.decision(entry).unwrap();
    let mut ended = outcome(id, receipt.seq(), b"x");
    ended.detail = Some("it\r\nended".to_owned());
    ended.exit_code = Some(3);
    let ended = ledger.outcome(ended).unwrap();
    drop(ledger.decision(decision(call_id(), "hold")).unwrap());
    let last = ledger.decision(decision(call_id(), "deny")).unwrap();
    for seq in [receipt.seq(), ended.seq(), last.seq()] {
        let target = Target::Record {
            seq,
            bodies: Vec::new(),
            fields: Vec::new(),
        };
        let wish = Wish {
            by: "ann".to_owned(),
            reason: "asked to".to_owned(),
            target,
        };
        if seq != receipt.seq() {
            ledger.erase(wish).unwrap();
        }
    }
    ledger.close().unwrap();
    Reader::open(&path).unwrap().tail(100).unwrap()
}

fn schema(class: u64) -> jsonschema::Validator {
    let text = match class {
        6003 => include_str!("ocsf/api_activity.json"),
        1007 => include_str!("ocsf/process_activity.json"),
        2004 => include_str!("ocsf/detection_finding.json"),
        other => panic!("class {other}"),
    };
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

#[test]
fn events_hold_against_the_published_schema() {
    let mut seen = BTreeMap::new();
    for record in records() {
        let Some(event) = ocsf(&record) else { continue };
        let class = event.get("class_uid").unwrap().as_u64().unwrap();
        let errors: Vec<String> = schema(class)
            .iter_errors(&event)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{event:#}\n{errors:#?}");
        *seen.entry(class).or_insert(0) += 1;
        // The control: the schema refuses what is none.
        let mut other = event.clone();
        other.as_object_mut().unwrap().remove("metadata");
        assert!(!schema(class).is_valid(&other));
        let mut other = event;
        other
            .as_object_mut()
            .unwrap()
            .insert("nonsense".to_owned(), json!(1));
        assert!(!schema(class).is_valid(&other));
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1007, 2004, 6003]);
}

/// A reader of CEF by its own words: seven fields behind bars, then pairs.
fn read(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => fields.last_mut().unwrap().push(letters.next().unwrap()),
            '|' if fields.len() < 8 => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
        if fields.len() == 8 {
            break;
        }
    }
    let rest: String = letters.collect();
    let mut pairs: Vec<(String, String)> = Vec::new();
    for word in rest.split(' ') {
        // A key is letters and digits before an equals sign that is not escaped.
        match word.split_once('=') {
            Some((key, value)) if key.chars().all(|c| c.is_ascii_alphanumeric()) => {
                pairs.push((key.to_owned(), value.to_owned()));
            }
            _ => {
                let last = &mut pairs.last_mut().unwrap().1;
                last.push(' ');
                last.push_str(word);
            }
        }
    }
    fields.pop();
    let plain = |value: String| {
        let value = value
            .replace("\\n", "\n")
            .replace("\\r", "\r")
            .replace("\\=", "=");
        value.replace("\\\\", "\\")
    };
    (
        fields,
        pairs
            .into_iter()
            .map(|(key, value)| (key, plain(value)))
            .collect(),
    )
}

#[test]
fn lines_are_read_back() {
    for record in records() {
        let line = cef(&record);
        assert!(!line.contains('\n'), "{line}");
        let (fields, pairs) = read(&line);
        let [version, vendor, _, _, class, _, severity] = fields.as_slice() else {
            panic!("{line}")
        };
        assert_eq!((version.as_str(), vendor.as_str()), ("CEF:0", "Lazaret"));
        assert_eq!(class, record.kind().as_str());
        assert!((0..=10).contains(&severity.parse::<u64>().unwrap()));
        assert_eq!(pairs["externalId"], record.seq().to_string());
        let whole: Value = serde_json::from_str(record.json()).unwrap();
        for (pointer, key) in [("/data/principal", "suser"), ("/data/reason", "msg")] {
            if let Some(text) = whole.pointer(pointer).and_then(Value::as_str)
                && class == "decision"
            {
                assert_eq!(pairs[key], text, "{line}");
            }
        }
    }
}

/// The protocol's JSON, by its description: camel case, integers as strings, ids in hexadecimal.
#[test]
fn logs_are_in_the_form_of_the_protocol() {
    for record in records() {
        let document = otlp(&record);
        let resource = &document["resourceLogs"][0];
        let log = &resource["scopeLogs"][0]["logRecords"][0];
        let nanos: u64 = log["timeUnixNano"].as_str().unwrap().parse().unwrap();
        assert_eq!(nanos, record.time_us() * 1_000);
        assert!([9, 13].contains(&log["severityNumber"].as_u64().unwrap()));
        let name = log["eventName"].as_str().unwrap();
        assert_eq!(name, format!("lazaret.{}", record.kind().as_str()));
        assert_eq!(log.get("traceId").is_some(), record.call_id().is_some());
        if let Some(trace) = log.get("traceId") {
            let trace = trace.as_str().unwrap();
            assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()));
        }
        let attributes = log["attributes"].as_array().unwrap();
        let seq = attributes.iter().find(|one| one["key"] == "lazaret.record");
        assert_eq!(seq.unwrap()["value"]["intValue"], record.seq().to_string());
        for one in attributes {
            let value = one["value"].as_object().unwrap();
            assert_eq!(value.len(), 1, "{one}");
        }
    }
}
