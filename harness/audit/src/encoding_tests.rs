//! The canonical form, attacked; and the bytes and hashes that are pinned.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::entry::{DecisionEntry, FileEntry, NoteEntry, OutcomeEntry};
use crate::prepare::{self, Prepared};
use crate::wire::{Digest, Erasure};

const PLACE: Place = Place {
    seq: 7,
    time_us: 1_700_000_000_000_000,
    instance: [0x11; 16],
};

fn decision() -> Prepared {
    let entry = DecisionEntry {
        call_id: [0x22; 16],
        principal: "local".to_owned(),
        session: None,
        tool: "execute_code".to_owned(),
        arguments: b"{}".to_vec(),
        verdict: "allow".to_owned(),
        rules: vec!["contain-code".to_owned()],
        reason: "line one\nand \"two\" \u{1} \u{1F600}".to_owned(),
        policy_digest: [0x33; 32],
        policy_generation: 3,
        profile: Some("wasm-offline".to_owned()),
        runtime: Some("python".to_owned()),
        limits: json!({"wall_ms": 10_000, "memory_bytes": 268_435_456_u64, "b": [1, -1, null, true]}),
    };
    prepare::decision(entry).unwrap().0
}

fn outcome() -> Prepared {
    prepare::outcome(OutcomeEntry {
        call_id: [0x22; 16],
        decision_seq: 7,
        ending: "exited".to_owned(),
        detail: None,
        exit_code: Some(-1),
        stdout: b"hello\n".to_vec(),
        stderr: Vec::new(),
        files: vec![FileEntry {
            path: "out/a b.csv".to_owned(),
            content: b"1,2".to_vec(),
        }],
        truncated_stdout: true,
        truncated_stderr: false,
        usage: json!({"z": 1, "a": {"d": u64::MAX, "c": i64::MIN}}),
        receipt: json!({"layers": ["landlock"]}),
        repeat: None,
    })
    .unwrap()
}

fn note() -> Prepared {
    let detail = json!({"é": "ü", "e": "\u{7f}\u{2028}"});
    prepare::note(NoteEntry {
        topic: "policy".to_owned(),
        detail,
    })
    .unwrap()
}

fn framed(entry: &Prepared) -> Vec<u8> {
    entry.sealed.frame(PLACE).unwrap().0
}

/// An encoder that shares nothing with ours but the escaping of strings.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|member| member.0.as_bytes());
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| format!("{}:{}", json!(key), sorted(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(sorted).collect::<Vec<_>>().join(",")
            )
        }
        plain => plain.to_string(),
    }
}

/// The pinned decision, with a salt of ones.
const PINNED: &str = concat!(
    r#"{"data":{"arguments":{"bytes":2,"digest":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"#,
    r#""call_id":"22222222-2222-2222-2222-222222222222","limits":{"b":[1,-1,null,true],"memory_bytes":268435456,"wall_ms":10000},"#,
    r#""policy_digest":"3333333333333333333333333333333333333333333333333333333333333333","policy_generation":3,"#,
    r#""principal":"local","profile":"wasm-offline","#,
    "\"reason\":\"line one\\nand \\\"two\\\" \\u0001 \u{1F600}\",",
    r#""rules":["contain-code"],"runtime":"python","session":null,"tool":"execute_code","verdict":"allow"},"#,
    r#""instance":"11111111-1111-1111-1111-111111111111","kind":"decision","salt":"01010101010101010101010101010101","#,
    r#""seq":7,"time_us":1700000000000000,"v":3}"#,
);

/// Its leaf, computed by another program (Python's hashlib and json) from the bytes above.
const PINNED_LEAF: &str = "3ced29b407125c852eaa2a5fa092fc3bef8cd537e2d92740dcbcbb3496a198d6";
const PINNED_ENTRY: &str = concat!(
    r#"{"fields":"a39c771a91f2d2f90c5647b6b46e87d0450842c3191ad3b5da5d3abe5719364a","#,
    r#""instance":"11111111-1111-1111-1111-111111111111","kind":"decision","seq":7,"time_us":1700000000000000,"v":3}"#,
);

#[test]
fn a_pinned_record_has_its_pinned_bytes_and_leaf() {
    let decision = decision();
    let data = Data::parse(Kind::Decision, decision.sealed.data.get()).unwrap();
    let (record, leaf) = Sealed::new(&data, [1; 16]).unwrap().frame(PLACE).unwrap();
    assert_eq!(String::from_utf8(record.clone()).unwrap(), PINNED);
    assert_eq!(Digest(leaf).to_string(), PINNED_LEAF);
    let decoded = decode(&record).unwrap();
    assert_eq!(decoded.place, PLACE);
    assert_eq!(
        String::from_utf8(decoded.entry.clone()).unwrap(),
        PINNED_ENTRY
    );
    assert_eq!(read_entry(&decoded.entry).unwrap().0, PLACE);
}

#[test]
fn every_set_of_fields_is_erased_and_the_leaf_stays() {
    for entry in [decision(), outcome(), note()] {
        let record = framed(&entry);
        let whole = decode(&record).unwrap();
        let names: Vec<&str> = whole
            .data
            .erasable()
            .iter()
            .map(|(name, _)| *name)
            .collect();
        for set in 1_usize..1 << names.len() {
            let goes = |at: &usize| set >> at & 1 == 1;
            let gone: Vec<&str> = (0..names.len()).filter(goes).map(|at| names[at]).collect();
            let rest = erase(&record, &gone).unwrap();
            let decoded = decode(&rest).unwrap();
            assert_eq!(decoded.entry, whole.entry, "{gone:?}");
            assert_eq!(decoded.committed, whole.committed);
            assert_eq!(decoded.data.erased(), gone);
            // One after the other is the same as at once.
            let by_one = gone.iter().fold(record.clone(), |record, name| {
                erase(&record, &[name]).unwrap()
            });
            assert_eq!(by_one, rest);
            let text = String::from_utf8(rest).unwrap();
            let salt = whole_salt(&record);
            assert!(
                !text.contains(&salt),
                "the salt of an erased field is left: {text}"
            );
        }
    }
}

fn whole_salt(record: &[u8]) -> String {
    let record: Value = serde_json::from_slice(record).unwrap();
    record["salt"].as_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_erased_stays() {
    for (entry, name) in [
        (decision(), "verdict"),
        (outcome(), "ending"),
        (note(), "topic"),
        (note(), "nothing"),
    ] {
        assert!(erase(&framed(&entry), &[name]).is_err() || name == "nothing");
    }
}

#[test]
fn salts_that_do_not_fit_are_refused() {
    let record = String::from_utf8(framed(&note())).unwrap();
    let salt = whole_salt(record.as_bytes());
    let erased = String::from_utf8(erase(record.as_bytes(), &["detail"]).unwrap()).unwrap();
    for other in [
        record.replace(&format!(",\"salt\":\"{salt}\""), ""),
        record.replace(
            &format!("\"salt\":\"{salt}\""),
            &format!("\"salts\":{{\"detail\":\"{salt}\",\"topic\":\"{salt}\"}}"),
        ),
        erased.replace("\"salts\":{", &format!("\"salt\":\"{salt}\",\"salts\":{{")),
        erased.replace("\"erased\":{\"detail\"", "\"erased\":{\"other\""),
    ] {
        assert!(decode(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn every_kind_is_written_in_sorted_order_and_read_back() {
    let erasure = Data::Erasure(Erasure {
        by: "ann".to_owned(),
        items: vec![crate::wire::Erased {
            bodies: vec!["*".to_owned()],
            fields: Vec::new(),
            first: 1,
            last: 2,
        }],
        reason: "because".to_owned(),
    });
    let start = Data::Start(crate::wire::Start {
        key: "k".to_owned(),
        pid: 1,
        version: "0".to_owned(),
    });
    let stop = Data::Stop(crate::wire::Stop {});
    let plain =
        |data: &Data| prepare::encode(data, Vec::new(), crate::prepare::Call::None).unwrap();
    for entry in [
        decision(),
        outcome(),
        note(),
        plain(&start),
        plain(&stop),
        plain(&erasure),
    ] {
        let record = framed(&entry);
        let value: Value = serde_json::from_slice(&record).unwrap();
        assert_eq!(String::from_utf8(record.clone()).unwrap(), sorted(&value));
        let decoded = decode(&record).unwrap();
        assert_eq!(decoded.place, PLACE);
        assert_eq!(decoded.data.encode().unwrap(), entry.sealed.data.get());
    }
}

#[test]
fn a_second_spelling_is_no_record() {
    let record = String::from_utf8(framed(&outcome())).unwrap();
    let spellings = [
        ("{\"data\"", "{ \"data\""),
        ("\"seq\":7", "\"seq\":7.0"),
        ("\"seq\":7", "\"seq\":07"),
        ("\"seq\":7", "\"seq\":7,\"seq\":7"),
        ("\"a\":{", "\"a\":{\"e\":1,"),
        ("\"c\":", "\"c\":1,\"c\":"),
        ("\"exited\"", "\"\\u0065xited\""),
        ("\"bytes\":6", "\"bytes\":6e0"),
        ("\"exit_code\":-1,", ""),
        ("\"exit_code\":-1", "\"exit_code\":-0"),
        ("\"v\":3}", "\"v\":3} "),
        ("\"v\":3}", "\"v\":3,\"w\":1}"),
        (
            "22222222-2222-2222-2222-222222222222",
            "22222222222222222222222222222222",
        ),
        ("11111111-1111", "{11111111-1111"),
        ("\"truncated\":true", "\"truncated\":1"),
        ("\"kind\":\"outcome\"", "\"kind\":\"decision\""),
    ];
    for (from, to) in spellings {
        let other = record.replacen(from, to, 1);
        assert_ne!(other, record, "`{from}` does not occur");
        assert!(decode(other.as_bytes()).is_err(), "`{to}` was accepted");
    }
    assert!(decode(record.to_uppercase().as_bytes()).is_err());
}

#[test]
fn a_later_format_is_named() {
    let later = br#"{"anything":[],"v":4}"#;
    assert_eq!(decode(later), Err(DecodeError::Version(4)));
    let record = String::from_utf8(framed(&note()))
        .unwrap()
        .replace("\"v\":3", "\"v\":5");
    assert_eq!(decode(record.as_bytes()), Err(DecodeError::Version(5)));
    for earlier in [1, 2] {
        let record = record.replace("\"v\":5", &format!("\"v\":{earlier}"));
        assert_eq!(
            decode(record.as_bytes()),
            Err(DecodeError::Version(earlier))
        );
    }
}

#[test]
fn what_a_record_cannot_hold_is_refused() {
    let note = |detail: Value| {
        prepare::note(NoteEntry {
            topic: "t".to_owned(),
            detail,
        })
    };
    assert!(note(json!({"a": [0.5]})).is_err());
    assert!(note(json!(1e30)).is_err());
    assert!(note(json!("x".repeat(crate::entry::MAX_RECORD_BYTES))).is_err());
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let deepest = note(nested(crate::entry::MAX_JSON_DEPTH - 1)).unwrap();
    decode(&framed(&deepest)).unwrap();
    assert!(note(nested(crate::entry::MAX_JSON_DEPTH)).is_err());
    for ending in ["", "Exited", "interrupted", "a b", &"x".repeat(33)] {
        let entry = OutcomeEntry {
            call_id: [0; 16],
            decision_seq: 1,
            ending: ending.to_owned(),
            detail: None,
            exit_code: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            files: Vec::new(),
            truncated_stdout: false,
            truncated_stderr: false,
            usage: Value::Null,
            receipt: Value::Null,
            repeat: None,
        };
        assert!(prepare::outcome(entry).is_err(), "`{ending}` was accepted");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_has_one_spelling_that_is_read_back(detail in any_json(), topic in any::<String>()) {
        let entry = prepare::note(NoteEntry { topic, detail: detail.clone() }).unwrap();
        let record = framed(&entry);
        let decoded = decode(&record).unwrap();
        let Data::Note(note) = decoded.data else { panic!("not a note") };
        prop_assert_eq!(&note.detail.kept().unwrap().0, &detail);
        let value: Value = serde_json::from_slice(&record).unwrap();
        prop_assert_eq!(String::from_utf8(record).unwrap(), sorted(&value));
    }

    #[test]
    fn a_changed_byte_is_another_record_or_none(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let record = framed(&outcome());
        let mut other = record.clone();
        *other.get_mut(at.index(record.len())).unwrap() ^= flip;
        // Another record, and another leaf: nothing of a record is outside of what is hashed.
        if let Ok(decoded) = decode(&other) {
            prop_assert_ne!(decoded.leaf(), decode(&record).unwrap().leaf());
        }
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err());
    }
}
