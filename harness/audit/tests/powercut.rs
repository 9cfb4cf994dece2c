//! The power goes: what was written after the last sync is dropped, torn, or comes in any order.
//!
//! A writer commits one group after the other. Between two commits the files go
//! from one synced state to the next; a cut in between leaves any part of the
//! difference, sector by sector. SQLite syncs the log before a commit returns,
//! and syncs it again before a page goes to the database, so a cut can leave
//! parts of the log alone, or the whole log and parts of the database. Every
//! such state is put together here from copies, opened, and must have all that
//! was acknowledged.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::path::Path;

use audit::{Ledger, Reader, verify};
use common::{Dice, assert_there, beside, call_id, decision};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// Commits; the log goes back to its beginning about every twenty-five of them.
const COMMITS: usize = 90;

/// States that are put together between two commits.
const CUTS: usize = 3;

/// The files of a ledger at a moment when all of them are synced.
#[derive(Clone)]
struct State {
    database: Vec<u8>,
    log: Vec<u8>,
    mark: Vec<u8>,
}

impl State {
    fn of(path: &Path) -> Self {
        let read = |path: &Path| std::fs::read(path).unwrap_or_default();
        Self {
            database: std::fs::read(path).unwrap(),
            log: read(&beside(path, "-wal")),
            mark: read(&beside(path, ".d").join("mark")),
        }
    }

    /// Lays it down for another ledger, with the first one's key.
    fn restore(&self, path: &Path, keys: &Path) {
        let directory = beside(path, ".d");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(path, &self.database).unwrap();
        std::fs::write(beside(path, "-wal"), &self.log).unwrap();
        std::fs::write(directory.join("mark"), &self.mark).unwrap();
        let own = path.with_file_name("keys");
        std::fs::create_dir_all(&own).unwrap();
        for name in ["ledger.key", "ledger.pub"] {
            std::fs::copy(keys.join(name), own.join(name)).unwrap();
        }
    }
}

/// Some sectors of the new bytes over the old ones, one of them torn; any length in between.
fn mix(old: &[u8], new: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut mixed = old.to_vec();
    let longest = old.len().max(new.len());
    if longest > mixed.len() && dice.below(2) == 0 {
        mixed.resize(longest, 0);
    }
    let share = dice.below(101);
    for at in (0..new.len()).step_by(SECTOR) {
        let end = (at + SECTOR).min(new.len());
        let is_new = old.get(at..end) != Some(&new[at..end]);
        if !is_new || dice.below(100) >= share {
            continue;
        }
        // The last one that was under way: its beginning only.
        let torn = match dice.below(20) {
            0 => at + usize::try_from(dice.below((end - at) as u64)).unwrap(),
            _ => end,
        };
        if mixed.len() < torn {
            mixed.resize(torn, 0);
        }
        mixed[at..torn].copy_from_slice(&new[at..torn]);
    }
    mixed
}

fn cut(before: &State, after: &State, dice: &mut Dice) -> State {
    let mark = match dice.below(2) {
        0 => before.mark.clone(),
        _ => after.mark.clone(),
    };
    // Pages go to the database only when the log is synced.
    match dice.below(2) {
        0 => State {
            database: before.database.clone(),
            log: mix(&before.log, &after.log, dice),
            mark: before.mark.clone(),
        },
        _ => State {
            database: mix(&before.database, &after.database, dice),
            log: after.log.clone(),
            mark,
        },
    }
}

/// The two numbers in the log's head that change when it begins anew (SQLite's file format, 4.1).
fn salts(log: &[u8]) -> Option<&[u8]> {
    log.get(16..24)
}

/// One commit of some records; what it acknowledged.
fn commit(ledger: &Ledger, dice: &mut Dice) -> Vec<(u64, String)> {
    let (sender, answers) = std::sync::mpsc::channel();
    let count = 1 + dice.below(5);
    for _ in 0..count {
        let mut entry = decision(call_id(), "deny");
        let letter = u8::try_from(dice.below(256)).unwrap();
        entry.arguments = vec![letter; usize::try_from(dice.below(60_000)).unwrap()];
        let sender = sender.clone();
        ledger.append_decision(entry, move |result| {
            let receipt = result.unwrap();
            let hash = audit::Digest(receipt.record_hash()).to_string();
            drop(sender.send((receipt.seq(), hash)));
        });
    }
    drop(sender);
    answers.iter().collect()
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("first/ledger.db");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let keys = path.with_file_name("keys");
    // Nothing is written but what is committed here.
    let hour = std::time::Duration::from_hours(1);
    let rhythm = audit::Rhythm {
        checkpoint_records: 100,
        checkpoint_wall: hour,
        heartbeat_wall: hour,
    };
    let settings = audit::Settings {
        signer: None,
        rhythm,
    };
    let ledger = Ledger::open_with(&path, settings).unwrap();
    let mut dice = Dice(0x0bad_5eed);
    let mut acks = Vec::new();
    let mut before = State::of(&path);
    let (mut logs, mut pages) = (0, 0);
    for round in 0..COMMITS {
        let new = commit(&ledger, &mut dice);
        let after = State::of(&path);
        logs += usize::from(before.log != after.log);
        pages += usize::from(before.database != after.database);
        // When the log began anew in between, the states on the way are not to be had from
        // these two: what the log held at its end went to the database first.
        let cuts = match salts(&before.log) == salts(&after.log) {
            true => CUTS,
            false => 0,
        };
        for n in 0..cuts {
            let place = directory.path().join("cut/ledger.db");
            cut(&before, &after, &mut dice).restore(
                &{
                    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                    place.clone()
                },
                &keys,
            );
            let what = format!("commit {round}, cut {n}");
            verify(&place).unwrap_or_else(|fault| panic!("{what}: {fault}"));
            assert_there(&place, &acks);
            let opened = Ledger::open(&place).unwrap_or_else(|error| panic!("{what}: {error}"));
            drop(commit(&opened, &mut dice));
            opened.close().unwrap();
            verify(&place).unwrap_or_else(|fault| panic!("{what}, written on: {fault}"));
            assert_there(&place, &acks);
            std::fs::remove_dir_all(place.parent().unwrap()).unwrap();
        }
        acks.extend(new);
        before = after;
    }
    assert!(
        logs == COMMITS && pages > 1,
        "{logs} logs and {pages} databases were cut"
    );
    assert_eq!(
        Reader::open(&path).unwrap().count().unwrap(),
        1 + acks.len() as u64
    );
    ledger.close().unwrap();
}
