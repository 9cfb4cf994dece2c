//! Proofs and exports of a real ledger, checked by implementations of others and by ours; and
//! damaged ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod common;

use std::path::{Path, PathBuf};

use audit::{
    Bodies, Checkpoint, Fault, Holds, KeyPaths, Ledger, PublicKey, Reader, Trust, export_jsonl,
    export_tiles, judge, verify_export, verify_extension, verify_proof,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{call_id, decision, sample};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, record_hash,
};

struct Scene {
    directory: tempfile::TempDir,
    path: PathBuf,
    key: PublicKey,
}

fn scene(records: u64) -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    sample(&path);
    grow(&path, records);
    let text = std::fs::read_to_string(KeyPaths::of(&path).public).unwrap();
    let key = PublicKey::parse(&text).unwrap();
    Scene {
        directory,
        path,
        key,
    }
}

/// Appends until there are so many records; the last is a stop.
fn grow(path: &Path, records: u64) {
    let ledger = Ledger::open(path).unwrap();
    let (sender, answers) = std::sync::mpsc::channel();
    let there = Reader::open(path).unwrap().count().unwrap();
    let mut open = 0;
    for _ in there + 1..records {
        let sender = sender.clone();
        ledger.append_decision(decision(call_id(), "deny"), move |result| {
            sender.send(result.unwrap().seq()).unwrap();
        });
        open += 1;
        if open > 500 {
            answers.recv().unwrap();
            open -= 1;
        }
    }
    ledger.close().unwrap();
}

/// The root and size of our newest checkpoint, as other tools read it.
fn their_head(scene: &Scene) -> (u64, Hash) {
    let reader = Reader::open(&scene.path).unwrap();
    let text = reader.checkpoint().unwrap().unwrap().note().to_string();
    let note = Note::from_bytes(text.as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&scene.key.to_string()).unwrap();
    note.verify(&VerifierList::new(vec![Box::new(verifier)]))
        .unwrap();
    let head = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    (head.size(), *head.hash())
}

/// The hashes between the index and the checkpoint of a proof.
fn path_of(proof: &str) -> Vec<Hash> {
    let lines = proof.split("\n\n").next().unwrap().lines();
    let hashes = lines.filter(|line| line.len() == 44 && !line.contains(' '));
    hashes
        .map(|line| Hash(BASE64.decode(line).unwrap().try_into().unwrap()))
        .collect()
}

fn leaf_of(proof: &str) -> Vec<u8> {
    let extra = proof
        .lines()
        .find_map(|line| line.strip_prefix("extra "))
        .unwrap();
    let extra: serde_json::Value = serde_json::from_slice(&BASE64.decode(extra).unwrap()).unwrap();
    serde_json::to_vec(&extra["leaf"]).unwrap()
}

#[test]
fn every_record_is_proved_to_others_and_to_us() {
    for records in [10, 13, 300] {
        let scene = scene(records);
        let (size, root) = their_head(&scene);
        let reader = Reader::open(&scene.path).unwrap();
        assert_eq!(size, reader.count().unwrap());
        for seq in 1..=size {
            let proof = reader.prove(seq, &[]).unwrap();
            let leaf = record_hash(&leaf_of(&proof));
            check_record(&path_of(&proof), size, root, seq - 1, leaf).unwrap();
            let proved = verify_proof(&proof, &scene.key).unwrap();
            assert_eq!((proved.seq, proved.size), (seq, size));
            assert!(proved.hidden.is_empty());
        }
        assert!(reader.prove(size + 1, &[]).is_err());
        assert!(reader.prove(0, &[]).is_err());
    }
}

#[test]
fn a_field_is_shown_alone_and_a_changed_one_is_found() {
    let scene = scene(12);
    let reader = Reader::open(&scene.path).unwrap();
    let proof = reader
        .prove(2, &["verdict".to_owned(), "tool".to_owned()])
        .unwrap();
    let proved = verify_proof(&proof, &scene.key).unwrap();
    let shown: Vec<_> = proved
        .shown
        .iter()
        .map(|f| (f.name.as_str(), f.value.as_str()))
        .collect();
    assert_eq!(
        shown,
        [("tool", "\"execute_code\""), ("verdict", "\"allow\"")]
    );
    assert!(proved.hidden.contains(&"principal".to_owned()));
    assert!(!proof.contains("tester"), "a hidden value is in the proof");
    assert!(reader.prove(2, &["nonsense".to_owned()]).is_err());
    let extra = proof
        .lines()
        .find_map(|line| line.strip_prefix("extra "))
        .unwrap();
    let text = String::from_utf8(BASE64.decode(extra).unwrap()).unwrap();
    for (from, to) in [
        ("\"allow\"", "\"deny\""),
        ("\"principal\":\"", "\"principal\":\"0"),
        ("\"seq\":2", "\"seq\":3"),
        ("\"kind\":\"decision\"", "\"kind\":\"outcome\""),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        let other = proof.replace(extra, &BASE64.encode(other));
        let fault = verify_proof(&other, &scene.key).expect_err(to);
        assert!(matches!(fault, Fault::Proof(_)), "{fault}");
    }
}

#[test]
fn every_changed_letter_of_a_proof_is_found() {
    let scene = scene(20);
    let proof = Reader::open(&scene.path).unwrap().prove(7, &[]).unwrap();
    verify_proof(&proof, &scene.key).unwrap();
    for (at, letter) in proof.char_indices() {
        let other = if letter == 'A' { 'B' } else { 'A' };
        let mut changed = proof.clone();
        changed.replace_range(at..at + letter.len_utf8(), &other.to_string());
        assert!(
            verify_proof(&changed, &scene.key).is_err(),
            "letter {at} `{letter}`"
        );
    }
    let another = self::scene(10);
    assert!(verify_proof(&proof, &another.key).is_err(), "another key");
}

#[test]
fn growth_is_proved_between_two_checkpoints() {
    let scene = scene(40);
    let before = Reader::open(&scene.path)
        .unwrap()
        .checkpoint()
        .unwrap()
        .unwrap();
    grow(&scene.path, 700);
    let reader = Reader::open(&scene.path).unwrap();
    let proof = reader.prove_extension(before.size()).unwrap();
    assert_eq!(verify_extension(&proof, &before, &scene.key), Ok((40, 700)));
    let (size, root) = their_head(&scene);
    check_tree(
        &path_of(&proof),
        size,
        root,
        before.size(),
        Hash(before.root()),
    )
    .unwrap();
    let other = self::scene(40);
    let foreign = Reader::open(&other.path)
        .unwrap()
        .checkpoint()
        .unwrap()
        .unwrap();
    assert!(verify_extension(&proof, &foreign, &scene.key).is_err());
    let file = scene.directory.path().join("growth");
    std::fs::write(&file, &proof).unwrap();
    let trust = Trust {
        key: Some(scene.key.clone()),
        anchors: vec![before],
        ..Trust::default()
    };
    assert_eq!(
        judge(&file, &trust),
        Ok(Holds::Extension { old: 40, new: 700 })
    );
    assert!(reader.prove_extension(701).is_err());
}

/// Their reader over our files.
struct Files(PathBuf);

impl TileReader for Files {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = tiles.iter().map(|tile| {
            // Their paths carry the height, as Go's checksum database has it.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            Ok(std::fs::read(self.0.join(path)).expect("a tile that they want"))
        });
        read.collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

#[test]
fn tiles_are_read_by_another_implementation_and_by_ours() {
    for records in [14, 256, 257, 1000] {
        let scene = scene(records);
        let out = scene.directory.path().join("tiles");
        let exported = export_tiles(&Reader::open(&scene.path).unwrap(), &out).unwrap();
        assert_eq!((exported.records, exported.unsigned), (records, 0));
        let (size, root) = their_head(&scene);
        let files = Files(out.clone());
        let hashes = TileHashReader::new(size, root, &files);
        for index in [0, 9, size / 2, size - 1] {
            let proof = prove_record(size, index, &hashes).unwrap();
            let leaf = Reader::open(&scene.path)
                .unwrap()
                .get(index + 1)
                .unwrap()
                .unwrap();
            check_record(&proof, size, root, index, record_hash(leaf.entry())).unwrap();
        }
        let trust = Trust {
            key: Some(scene.key.clone()),
            ..Trust::default()
        };
        assert_eq!(verify_export(&out, &trust).unwrap().records, records);
        strike_tiles(&out, &trust);
    }
}

/// Any changed byte of any file of a tiled export is found.
fn strike_tiles(out: &Path, trust: &Trust) {
    let mut open = vec![out.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let whole = std::fs::read(&path).unwrap();
        for at in [0, whole.len() / 3, whole.len() - 1] {
            let mut other = whole.clone();
            other[at] ^= 1;
            std::fs::write(&path, other).unwrap();
            assert!(
                verify_export(out, trust).is_err(),
                "{} byte {at}",
                path.display()
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(
            verify_export(out, trust).is_err(),
            "{} is gone",
            path.display()
        );
        std::fs::write(&path, whole).unwrap();
    }
    verify_export(out, trust).unwrap();
}

#[test]
fn an_export_of_lines_holds_and_a_change_of_any_line_is_found() {
    let scene = scene(30);
    let trust = Trust {
        key: Some(scene.key.clone()),
        ..Trust::default()
    };
    let reader = Reader::open(&scene.path).unwrap();
    let mut out = Vec::new();
    export_jsonl(&reader, Bodies::With, &mut out).unwrap();
    let file = scene.directory.path().join("export.jsonl");
    std::fs::write(&file, &out).unwrap();
    let held = verify_export(&file, &trust).unwrap();
    assert_eq!(held.records, 30);
    assert!(held.bodies > 20);
    let Ok(Holds::Export(again)) = judge(&file, &trust) else {
        panic!("it is no export")
    };
    assert_eq!(again, held);
    assert!(
        judge(&file, &Trust::default()).is_err(),
        "without a key nothing holds"
    );
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for at in 0..lines.len() {
        let rest = |lines: &[&str]| lines.join("\n") + "\n";
        let mut without = lines.clone();
        let line = without.remove(at);
        let mut swapped = lines.clone();
        swapped.swap(at, (at + 1) % lines.len());
        let mut changed = lines.clone();
        let other = line.replacen(['1', '2', 'A', 'e'], "7", 1);
        changed[at] = &other;
        // A body may be left out: the record still names it.
        let is_body = line.starts_with("{\"base64\"");
        let cases = [
            ("gone", without),
            ("swapped", swapped),
            ("changed", changed),
        ];
        for (what, lines) in cases {
            std::fs::write(&file, rest(&lines)).unwrap();
            let judged = verify_export(&file, &trust);
            assert!(
                judged.is_err() || (is_body && what != "changed"),
                "line {at} {what}: {line}"
            );
        }
    }
    std::fs::write(&file, text.trim_end()).unwrap();
    assert!(verify_export(&file, &trust).is_err(), "cut by one byte");
}

#[test]
fn a_checkpoint_is_made_after_some_records_and_after_some_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let rhythm = audit::Rhythm {
        checkpoint_records: 50,
        checkpoint_wall: std::time::Duration::from_millis(300),
        heartbeat_wall: std::time::Duration::from_secs(1),
    };
    let settings = audit::Settings {
        rhythm,
        ..audit::Settings::default()
    };
    let ledger = Ledger::open_with(&path, settings).unwrap();
    let signed = |path: &Path| {
        let last: Option<Checkpoint> = Reader::open(path).unwrap().checkpoint().unwrap();
        last.map_or(0, |last| last.size())
    };
    for _ in 0..49 {
        drop(ledger.decision(decision(call_id(), "deny")).unwrap());
    }
    assert!(signed(&path) > 0, "fifty records are signed");
    drop(ledger.decision(decision(call_id(), "deny")).unwrap());
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(signed(&path), 51, "what is new is signed after some time");
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let last = Reader::open(&path).unwrap().tail(1).unwrap();
    assert!(
        last[0].json().contains("\"topic\":\"heartbeat\""),
        "{}",
        last[0].json()
    );
    ledger.close().unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(signed(&path), reader.count().unwrap(), "the end is signed");
    audit::verify(&path).unwrap();
}
