//! Writers that are killed, several writers at once, and what is found after.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use audit::{Data, INTERRUPTED, Ledger, Reader, Rhythm, Settings, Tap, Target, Wish, verify};
use common::{
    Dice, acknowledged, assert_there, beside, call_id, child, child_with, decision, outcome,
};

/// Rounds of `kill -9`; enough to strike every phase of a commit many times. `LEDGER_ROUNDS` asks
/// for more, as `cargo xtask crash` does.
const ROUNDS: u64 = 40;

/// Rounds on one ledger: each round verifies all of it.
const ROUNDS_OF_A_LEDGER: u64 = 25;

/// At which pass of a step the writer dies: at once, soon, and when much has been written.
const PASSES: [u64; 4] = [1, 2, 9, 40];

fn rounds() -> u64 {
    let asked = std::env::var("LEDGER_ROUNDS").ok();
    asked
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS)
}

/// Child: appends from four threads, one of which erases now and then, until it is killed; by
/// itself, if `LEDGER_STEP` says at which step.
#[test]
#[ignore = "runs as a child of the other tests"]
fn endless_writer() {
    let Some(path) = common::child_path() else {
        return;
    };
    let settings = Settings {
        // Often enough that signing and settling are struck too.
        rhythm: Rhythm {
            checkpoint_records: 16,
            ..Rhythm::default()
        },
        tap: death(),
        ..Settings::default()
    };
    let ledger = Ledger::open_with(&path, settings).unwrap();
    common::acknowledge(0, [0; 32]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let ledger = &ledger;
            scope.spawn(move || {
                for round in 1_u64.. {
                    let outcome = append_and_acknowledge(ledger);
                    if thread == 0 && round % 8 == 0 {
                        erase(ledger, outcome);
                    }
                }
            });
        }
    });
}

/// `STEP N`: the step of which the Nth pass is the end.
fn death() -> Option<Tap> {
    let text = std::env::var("LEDGER_STEP").ok()?;
    let (step, pass) = text.split_once(' ').unwrap();
    let (step, pass): (String, u64) = (step.to_owned(), pass.parse().unwrap());
    let passed = AtomicU64::new(0);
    Some(Box::new(move |at| {
        if format!("{at:?}") == step && passed.fetch_add(1, Ordering::Relaxed) + 1 == pass {
            nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::SIGKILL).unwrap();
            // Nothing more is done until the signal is here.
            std::thread::sleep(Duration::from_mins(1));
        }
    }))
}

fn erase(ledger: &Ledger, seq: u64) {
    let wish = Wish {
        by: "tester".to_owned(),
        reason: "asked for".to_owned(),
        target: Target::Record {
            seq,
            bodies: vec!["stdout".to_owned()],
            fields: Vec::new(),
        },
    };
    let wiped = ledger.erase(wish).unwrap();
    assert!(wiped.seq > seq);
}

/// Child: appends fifty calls from each of four threads and closes.
#[test]
#[ignore = "runs as a child of the other tests"]
fn patient_writer() {
    let Some(path) = common::child_path() else {
        return;
    };
    let ledger = Ledger::open(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| append_one(&ledger)));
        }
    });
    ledger.close().unwrap();
}

/// Child: opens one call and waits to be killed.
#[test]
#[ignore = "runs as a child of the other tests"]
fn caller_that_waits() {
    let Some(path) = common::child_path() else {
        return;
    };
    let ledger = Ledger::open(&path).unwrap();
    let receipt = ledger.decision(decision(call_id(), "allow")).unwrap();
    common::acknowledge(receipt.seq(), receipt.record_hash());
    std::thread::sleep(Duration::from_mins(10));
}

fn append_one(ledger: &Ledger) {
    append_and_acknowledge(ledger);
}

fn append_and_acknowledge(ledger: &Ledger) -> u64 {
    let id = call_id();
    let receipt = ledger.decision(decision(id, "allow")).unwrap();
    common::acknowledge(receipt.seq(), receipt.record_hash());
    let stdout = format!("{:04096}\n", receipt.seq());
    let receipt = ledger
        .outcome(outcome(id, receipt.seq(), stdout.as_bytes()))
        .unwrap();
    common::acknowledge(receipt.seq(), receipt.record_hash());
    receipt.seq()
}

/// A ledger whose writers are killed, and all that they acknowledged.
struct Struck {
    _directory: tempfile::TempDir,
    path: PathBuf,
    acks: Vec<(u64, String)>,
}

impl Struck {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        Self {
            _directory: directory,
            path,
            acks: Vec::new(),
        }
    }

    /// After a writer's death: all that was acknowledged is there, and the ledger holds.
    fn look(&mut self, writer: &mut std::process::Child, what: &str) -> usize {
        // To the end first: a writer that nobody reads from would wait, and not die.
        let acks = acknowledged(writer);
        writer.wait().unwrap();
        let new = acks.iter().filter(|(seq, _)| *seq > 0).cloned();
        let before = self.acks.len();
        self.acks.extend(new);
        // Killed before it had made a ledger.
        if self.path.exists() && Reader::open(&self.path).is_ok() {
            verify(&self.path).unwrap_or_else(|fault| panic!("{what}: {fault}"));
            assert_there(&self.path, &self.acks);
        }
        self.acks.len() - before
    }

    /// It is opened, written and closed as if nothing had been.
    fn end(self) {
        let ledger = Ledger::open(&self.path).unwrap();
        append_and_acknowledge(&ledger);
        ledger.close().unwrap();
        assert_eq!(verify(&self.path).unwrap().open_calls, []);
        assert_there(&self.path, &self.acks);
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    let begun = Instant::now();
    let mut dice = Dice(0x5eed_1e55_0bad_cafe);
    let mut struck = Struck::new();
    let (mut all, mut in_work, mut round, mut ledgers) = (0, 0, 0, 1);
    // On a busy machine many are killed before they have opened the ledger.
    while round < rounds() || (all <= 200 && round < 20 * rounds()) {
        if round > 0 && round % ROUNDS_OF_A_LEDGER == 0 {
            std::mem::replace(&mut struck, Struck::new()).end();
            ledgers += 1;
        }
        round += 1;
        let mut writer = child("endless_writer", &struck.path);
        std::thread::sleep(Duration::from_millis(2 + dice.below(80)));
        writer.kill().unwrap();
        let new = struck.look(&mut writer, &format!("round {round}"));
        all += new;
        in_work += u64::from(new > 0);
    }
    struck.end();
    println!(
        "{round} rounds of kill -9 on {ledgers} ledgers in {:.0?}: {in_work} struck a writer at work, \
         {all} records acknowledged, none lost, every ledger verified after each",
        begun.elapsed()
    );
    assert!(all > 200, "only {all} records were acknowledged");
}

#[test]
fn a_writer_that_dies_at_any_step_loses_nothing_that_it_acknowledged() {
    let mut acknowledged = 0;
    for step in audit::STEPS {
        let mut struck = Struck::new();
        for pass in PASSES {
            let what = format!("{step:?} {pass}");
            let mut writer = child_with("endless_writer", &struck.path, &[("LEDGER_STEP", &what)]);
            acknowledged += struck.look(&mut writer, &what);
            let status = writer.wait().unwrap();
            assert_eq!(status.signal(), Some(9), "{what}: {status}");
        }
        struck.end();
    }
    println!(
        "{} steps, each at the passes {PASSES:?}: {acknowledged} records acknowledged, none lost",
        audit::STEPS.len()
    );
}

#[test]
fn two_processes_append_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut writers = [
        child("patient_writer", &path),
        child("patient_writer", &path),
    ];
    let mut all = Vec::new();
    for writer in &mut writers {
        all.extend(acknowledged(writer));
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(all.len(), 2 * 4 * 50 * 2);
    let verified = verify(&path).unwrap();
    assert_eq!(verified.records, 800 + 4);
    assert_eq!(verified.open_calls, []);
    assert_there(&path, &all);
}

#[test]
fn one_process_works_on_while_another_is_killed_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut dice = Dice(7);
    let mut survivor = child("patient_writer", &path);
    let mut all = Vec::new();
    for _ in 0..8 {
        let mut victim = child("endless_writer", &path);
        std::thread::sleep(Duration::from_millis(30 + dice.below(40)));
        victim.kill().unwrap();
        victim.wait().unwrap();
        all.extend(
            acknowledged(&mut victim)
                .into_iter()
                .filter(|(seq, _)| *seq > 0),
        );
    }
    all.extend(acknowledged(&mut survivor));
    assert!(survivor.wait().unwrap().success(), "the survivor failed");
    verify(&path).unwrap();
    assert_there(&path, &all);
    Ledger::open(&path).unwrap().close().unwrap();
    assert_eq!(verify(&path).unwrap().open_calls, []);
}

#[test]
fn the_open_call_of_a_dead_writer_is_closed_once_and_of_a_living_one_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let living = Ledger::open(&path).unwrap();
    let mine = call_id();
    let receipt = living.decision(decision(mine, "allow")).unwrap();
    let mut dead = child("caller_that_waits", &path);
    wait_for(&path, 2);
    dead.kill().unwrap();
    dead.wait().unwrap();
    let theirs = acknowledged(&mut dead).first().unwrap().0;
    let opened: Vec<_> = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Ledger::open(&path).unwrap()))
            .collect();
        openers
            .into_iter()
            .map(|opener| opener.join().unwrap())
            .collect()
    });
    let verified = verify(&path).unwrap();
    assert_eq!(verified.open_calls.len(), 1, "only the living call is open");
    assert_eq!(verified.open_calls.first().unwrap().call_id, mine);
    let reader = Reader::open(&path).unwrap();
    let call = reader.get(theirs).unwrap().unwrap().call_id().unwrap();
    let records = reader.by_call(&call).unwrap();
    assert_eq!(records.len(), 2, "closed once");
    let Data::Outcome(outcome_of_dead) = records.last().unwrap().data() else {
        panic!("no outcome")
    };
    assert_eq!(outcome_of_dead.ending, INTERRUPTED);
    assert_eq!(outcome_of_dead.decision_seq, theirs);
    drop(
        living
            .outcome(outcome(mine, receipt.seq(), b"done"))
            .unwrap(),
    );
    opened
        .into_iter()
        .for_each(|ledger| ledger.close().unwrap());
    living.close().unwrap();
    verify(&path).unwrap();
    let locks = std::fs::read_dir(beside(&path, ".d")).unwrap();
    let locks = locks.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("instance-")
    });
    assert_eq!(locks.count(), 0, "lock files stay behind");
}

fn wait_for(path: &std::path::Path, open: usize) {
    for _ in 0..1000 {
        if verify(path).unwrap().open_calls.len() == open {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the child never opened its call");
}

/// Child: appends thirty calls, little enough that all of it is still in the
/// log, and waits to be killed.
#[test]
#[ignore = "runs as a child of the other tests"]
fn writer_that_waits() {
    let Some(path) = common::child_path() else {
        return;
    };
    let ledger = Ledger::open(&path).unwrap();
    (0..30).for_each(|_| append_one(&ledger));
    std::thread::sleep(Duration::from_mins(10));
}

#[test]
fn every_flipped_bit_in_the_log_of_a_killed_writer_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut writer = child("writer_that_waits", &path);
    wait_for_records(&path, 61);
    writer.kill().unwrap();
    writer.wait().unwrap();
    let acks = acknowledged(&mut writer);
    assert_eq!(acks.len(), 60);
    verify(&path).unwrap();
    assert_there(&path, &acks);
    let (log, index) = (beside(&path, "-wal"), beside(&path, "-shm"));
    let (whole, database) = (std::fs::read(&log).unwrap(), std::fs::read(&path).unwrap());
    assert!(whole.len() > 100_000);
    let mut dice = Dice(99);
    for _ in 0..150 {
        let mut struck = whole.clone();
        let at = usize::try_from(dice.below(whole.len() as u64)).unwrap();
        *struck.get_mut(at).unwrap() ^= 1 << dice.below(8);
        std::fs::write(&path, &database).unwrap();
        std::fs::write(&log, &struck).unwrap();
        drop(std::fs::remove_file(&index));
        verify(&path).expect_err("a flipped bit");
    }
    std::fs::remove_file(&log).unwrap();
    verify(&path).expect_err("the log is gone");
}

fn wait_for_records(path: &std::path::Path, count: u64) {
    for _ in 0..4000 {
        if Reader::open(path).is_ok_and(|reader| reader.count().is_ok_and(|found| found >= count)) {
            // The acknowledgement follows the commit.
            std::thread::sleep(Duration::from_millis(50));
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the child never wrote {count} records");
}
