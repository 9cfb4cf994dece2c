//! The power goes: what was written after the last sync is dropped, torn, or comes in any order.
//!
//! Each append is one transaction of SQLite, made on the caller's thread, and the files are copied
//! after each. Between two copies they go from one synced state to the next; a cut in between leaves
//! any part of the difference, sector by sector, within the order that SQLite's syncs enforce:
//!
//! - the log is synced before a commit returns, and before its pages go to the database: so either
//!   parts of the log and the old database, or the whole log and parts of the database;
//! - a log begins anew only when all of it lies in the database, synced, and its new head is synced
//!   before the frames behind it: so the database is the same in both copies, and the log has parts
//!   of the new head before the old frames, or the new head before parts of the new ones.
//!
//! Every such state is put together here from copies, opened, and must have all that was
//! acknowledged.
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

/// Commits; the log goes back to its beginning about every thirty of them.
const COMMITS: usize = 100;

/// The head of a log, with the two numbers that change when it begins anew at 16 to 24 (SQLite's
/// file format, 4.1).
const LOG_HEAD: usize = 32;

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

/// How far a commit had come when the power went.
#[derive(Clone, Copy)]
enum Cut {
    /// Its frames were being written to the log.
    Frames,
    /// Its frames are synced; the log was being copied to the database.
    Pages,
    /// The head of the log that begins anew was being written.
    NewHead,
    /// That head is synced; the frames behind it were being written.
    NewFrames,
}

fn cut(before: &State, after: &State, how: Cut, dice: &mut Dice) -> State {
    let old = before.clone();
    match how {
        Cut::Frames => State {
            log: mix(&before.log, &after.log, dice),
            ..old
        },
        Cut::Pages => State {
            database: mix(&before.database, &after.database, dice),
            log: after.log.clone(),
            mark: match dice.below(2) {
                0 => before.mark.clone(),
                _ => after.mark.clone(),
            },
        },
        Cut::NewHead => {
            let torn = usize::try_from(dice.below(LOG_HEAD as u64 + 1)).unwrap();
            let log = [&after.log[..torn], &before.log[torn..]].concat();
            State { log, ..old }
        }
        Cut::NewFrames => {
            let begun = [&after.log[..LOG_HEAD], &before.log[LOG_HEAD..]].concat();
            State {
                log: mix(&begun, &after.log, dice),
                ..old
            }
        }
    }
}

/// Which cuts there can be between these two.
fn cuts(before: &State, after: &State) -> [Cut; 2] {
    if before.log.get(16..24) == after.log.get(16..24) {
        return [Cut::Frames, Cut::Pages];
    }
    assert!(
        before.database == after.database,
        "a log began anew before all of it lay in the database"
    );
    [Cut::NewHead, Cut::NewFrames]
}

/// One commit of one record; what it acknowledged.
fn commit(ledger: &Ledger, dice: &mut Dice) -> (u64, String) {
    let mut entry = decision(call_id(), "deny");
    let letter = u8::try_from(dice.below(256)).unwrap();
    entry.arguments = vec![letter; usize::try_from(dice.below(250_000)).unwrap()];
    let receipt = ledger.decision(entry).unwrap();
    let hash = audit::Digest(receipt.record_hash()).to_string();
    (receipt.seq(), hash)
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
        rhythm,
        ..audit::Settings::default()
    };
    let ledger = Ledger::open_with(&path, settings).unwrap();
    let mut dice = Dice(0x0bad_5eed);
    let mut acks = Vec::new();
    let mut before = State::of(&path);
    let (mut logs, mut pages, mut begun) = (0, 0, 0);
    for round in 0..COMMITS {
        let new = commit(&ledger, &mut dice);
        let after = State::of(&path);
        logs += usize::from(before.log != after.log);
        pages += usize::from(before.database != after.database);
        begun += usize::from(before.log.get(16..24) != after.log.get(16..24));
        for n in 0..CUTS {
            let [first, second] = cuts(&before, &after);
            let how = if dice.below(2) == 0 { first } else { second };
            let place = directory.path().join("cut/ledger.db");
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            cut(&before, &after, how, &mut dice).restore(&place, &keys);
            let what = format!("commit {round}, cut {n}");
            verify(&place).unwrap_or_else(|fault| panic!("{what}: {fault}"));
            assert_there(&place, &acks);
            let opened = Ledger::open(&place).unwrap_or_else(|error| panic!("{what}: {error}"));
            commit(&opened, &mut dice);
            opened.close().unwrap();
            verify(&place).unwrap_or_else(|fault| panic!("{what}, written on: {fault}"));
            assert_there(&place, &acks);
            std::fs::remove_dir_all(place.parent().unwrap()).unwrap();
        }
        acks.push(new);
        before = after;
    }
    assert!(
        logs == COMMITS && pages > 1 && begun > 1,
        "{logs} logs and {pages} databases were cut, {begun} of the logs where they began anew"
    );
    assert_eq!(
        Reader::open(&path).unwrap().count().unwrap(),
        1 + acks.len() as u64
    );
    ledger.close().unwrap();
}
