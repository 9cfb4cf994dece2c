//! The fast reader against the thorough one: on records as they are written, and on damaged ones.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::encoding::decode;
use crate::entry::{DecisionEntry, FileEntry, NoteEntry, OutcomeEntry};
use crate::prepare::{self, Prepared};

const PLACE: Place = Place {
    seq: 7,
    time_us: 1_700_000_000_000_000,
    instance: [0x1a; 16],
};

fn framed(entry: &Prepared) -> Vec<u8> {
    entry.sealed.frame(PLACE).unwrap().0
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-zé]{0,3}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn any_decision()(
        call_id in any::<[u8; 16]>(), principal in any::<String>(), session in any::<Option<String>>(),
        tool in any::<String>(), arguments in prop::collection::vec(any::<u8>(), 0..20),
        verdict in prop::sample::select(vec!["allow", "hold", "deny"]),
        rules in prop::collection::vec(any::<String>(), 0..4), reason in any::<String>(),
        policy_generation in any::<u64>(), profile in any::<Option<String>>(), limits in any_json(),
    ) -> Vec<u8> {
        let entry = DecisionEntry {
            call_id, principal, session, tool, arguments, verdict: verdict.to_owned(), rules, reason,
            policy_digest: [0xfa; 32], policy_generation, runtime: profile.clone(), profile, limits,
        };
        framed(&prepare::decision(entry).unwrap().0)
    }
}

prop_compose! {
    fn any_outcome()(
        call_id in any::<[u8; 16]>(), decision_seq in any::<u64>(), ending in "e[a-z_]{0,30}",
        detail in any::<Option<String>>(), exit_code in any::<Option<i32>>(),
        stdout in prop::collection::vec(any::<u8>(), 0..9), paths in prop::collection::vec(any::<String>(), 0..4),
        is_cut in any::<bool>(), usage in any_json(), receipt in any_json(),
    ) -> Vec<u8> {
        let entry = OutcomeEntry {
            call_id, decision_seq, ending, detail, exit_code, stderr: stdout.clone(),
            files: paths.into_iter().map(|path| FileEntry { path, content: stdout.clone() }).collect(),
            stdout, truncated_stdout: is_cut, truncated_stderr: !is_cut, usage, receipt, repeat: None,
        };
        framed(&prepare::outcome(entry).unwrap())
    }
}

fn any_record() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![any_decision(), any_outcome()]
}

/// A byte changed, removed or put in; or a piece of the record written a second time.
fn damaged(record: &[u8], at: usize, byte: u8, how: u8) -> Vec<u8> {
    let mut other = record.to_vec();
    match how % 4 {
        0 => other[at] = byte,
        1 => drop(other.remove(at)),
        2 => other.insert(at, byte),
        _ => {
            let end = (at + usize::from(byte)).min(other.len());
            let piece = other[at..end].to_vec();
            other.splice(end..end, piece);
        }
    }
    other
}

/// A key with a letter that is escaped is left to the thorough reader.
fn is_plain(record: &[u8]) -> bool {
    !String::from_utf8_lossy(record).contains("\\")
}

proptest! {
    #[test]
    fn what_is_written_is_read_fast_and_the_same(record in any_record()) {
        let decoded = decode(&record).unwrap();
        prop_assert!(agrees(&record, Some(&decoded)));
        prop_assert!(skim(&record).is_some() || !is_plain(&record));
    }

    #[test]
    fn what_is_damaged_is_read_fast_only_as_the_thorough_reader_reads_it(
        record in any_record(), at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(br#"0129-"\\nu{}[],:.eE "#.to_vec())], how in any::<u8>(),
    ) {
        let other = damaged(&record, at.index(record.len()), byte, how);
        let decoded = decode(&other).ok();
        prop_assert!(agrees(&other, decoded.as_ref()));
    }
}

/// Each is refused by the thorough reader, or read as another record.
#[test]
fn no_second_spelling_is_read_fast() {
    let entry = OutcomeEntry {
        call_id: [0x22; 16],
        decision_seq: 7,
        ending: "exited".to_owned(),
        detail: None,
        exit_code: Some(-1),
        stdout: b"hello\n".to_vec(),
        stderr: Vec::new(),
        files: Vec::new(),
        truncated_stdout: true,
        truncated_stderr: false,
        usage: serde_json::json!({"b": 1, "c": {"d": u64::MAX, "e": i64::MIN}}),
        receipt: Value::Null,
        repeat: None,
    };
    let record = String::from_utf8(framed(&prepare::outcome(entry).unwrap())).unwrap();
    assert!(skim(record.as_bytes()).is_some());
    for (from, to) in [
        ("{\"data\"", "{ \"data\""),
        ("\"seq\":7", "\"seq\":07"),
        ("\"seq\":7", "\"seq\":7.0"),
        ("\"exit_code\":-1", "\"exit_code\":-0"),
        ("\"exit_code\":-1", "\"exit_code\":2147483648"),
        ("\"b\":1", "\"b\":-0"),
        ("\"b\":1", "\"b\":1e0"),
        ("\"b\":1", "\"b\":18446744073709551616"),
        ("\"b\":1", "\"b\":1,\"b\":1"),
        ("\"b\":1", "\"d\":1"),
        ("\"b\":1", "\"\\u0062\":1"),
        ("exited", "\\u0065xited"),
        ("exited", "ex\\/ited"),
        ("exited", "ex\\u0009ited"),
        ("exited", "ex\\u001Fited"),
        ("exited", "ex\u{1}ited"),
        ("\"v\":3}", "\"v\":3} "),
        ("\"v\":3}", "\"v\":4}"),
        ("22222222-2222", "2222222-22222"),
        ("1a1a1a1a-", "1A1a1a1a-"),
    ] {
        let other = record.replacen(from, to, 1);
        assert_ne!(other, record, "`{from}` does not occur");
        assert_eq!(skim(other.as_bytes()), None, "`{to}` was read");
    }
}

#[test]
fn other_kinds_and_erased_fields_are_left_to_the_thorough_reader() {
    let note = prepare::note(NoteEntry {
        topic: "t".to_owned(),
        detail: Value::Null,
    });
    assert_eq!(skim(&framed(&note.unwrap())), None);
    let interrupted = prepare::interrupted([1; 16], 2, None).unwrap();
    assert_eq!(skim(&framed(&interrupted)), None);
}
