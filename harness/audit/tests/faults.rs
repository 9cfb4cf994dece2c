//! Bad places and bad disks: no file, no ledger, no room, no permission; and
//! entries that break a rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

use audit::{AppendError, Fault, Ledger, OpenError, ReadError, Reader, Refusal, verify};
use common::{assert_there, beside, call, call_id, decision, outcome};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// A file system of our own, unmounted at the end.
struct Mount<'p>(&'p Path);

impl<'p> Mount<'p> {
    /// `None` where we may not mount; the test then says so.
    fn tmpfs(path: &'p Path, options: &str) -> Option<Self> {
        let mounted = mount(
            Some("none"),
            path,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(options),
        );
        if mounted.is_err() {
            eprintln!("skipped: mounting a tmpfs needs root");
        }
        mounted.ok().map(|()| Self(path))
    }

    fn make_read_only(&self) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, self.0, None::<&str>, flags, None::<&str>).unwrap();
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        umount2(self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

fn lazaret_verify(path: &Path, options: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lazaret-verify"))
        .arg(path)
        .args(options)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn a_full_disk_seals_the_ledger_and_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_disk) = Mount::tmpfs(directory.path(), "size=16m") else {
        return;
    };
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let mut acks = Vec::new();
    let error = loop {
        let id = call_id();
        match ledger.decision(decision(id, "allow")) {
            Ok(receipt) => acks.push((
                receipt.seq(),
                audit::Digest(receipt.record_hash()).to_string(),
            )),
            Err(error) => break error,
        }
        assert!(acks.len() < 100_000, "the disk is never full");
    };
    assert!(matches!(error, AppendError::Failed { .. }), "{error}");
    assert!(acks.len() > 100);
    assert!(
        ledger.sealed().unwrap().contains("full"),
        "{:?}",
        ledger.sealed()
    );
    let again = ledger.decision(decision(call_id(), "allow")).unwrap_err();
    assert!(matches!(again, AppendError::Sealed { .. }), "{again}");
    assert_there(&path, &acks);
    verify(&path).unwrap();
    assert!(matches!(ledger.close(), Err(AppendError::Sealed { .. })));
    verify(&path).unwrap();
    let remounted = MsFlags::MS_REMOUNT;
    mount(
        None::<&str>,
        directory.path(),
        None::<&str>,
        remounted,
        Some("size=64m"),
    )
    .unwrap();
    let ledger = Ledger::open(&path).unwrap();
    call(&ledger, b"room again");
    ledger.close().unwrap();
    assert_there(&path, &acks);
    assert_eq!(verify(&path).unwrap().open_calls, []);
}

/// Waits until the ledger is open again; it looks every second.
fn wait_unsealed(ledger: &Ledger) {
    for _ in 0..100 {
        if ledger.sealed().is_none() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("still sealed: {:?}", ledger.sealed());
}

/// Takes all the room that is left.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
}

fn remount(path: &Path, flags: MsFlags, options: Option<&str>) {
    let flags = MsFlags::MS_REMOUNT | flags;
    mount(None::<&str>, path, None::<&str>, flags, options).unwrap();
}

#[test]
fn a_ledger_recovers_by_itself_when_there_is_room_again() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_disk) = Mount::tmpfs(directory.path(), "size=16m") else {
        return;
    };
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let (kept, lost) = (call_id(), call_id());
    let kept_seq = ledger.decision(decision(kept, "allow")).unwrap().seq();
    let lost_seq = ledger.decision(decision(lost, "allow")).unwrap().seq();
    let mut acks = Vec::new();
    while let Ok(receipt) = ledger.decision(decision(call_id(), "deny")) {
        acks.push((
            receipt.seq(),
            audit::Digest(receipt.record_hash()).to_string(),
        ));
    }
    let sealed = ledger.sealed().unwrap();
    assert!(sealed.contains("full"), "{sealed}");
    // To the last page, so that nothing small fits either.
    fill(&directory.path().join("hog"));
    // Its outcome is lost: nobody will end this call.
    let error = ledger
        .outcome(outcome(lost, lost_seq, b"lost"))
        .unwrap_err();
    assert!(matches!(error, AppendError::Sealed { .. }), "{error}");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(ledger.sealed().is_some(), "there is no room yet");
    remount(directory.path(), MsFlags::empty(), Some("size=64m"));
    wait_unsealed(&ledger);
    drop(ledger.outcome(outcome(kept, kept_seq, b"kept")).unwrap());
    assert!(
        ledger.outcome(outcome(lost, lost_seq, b"late")).is_err(),
        "it was closed"
    );
    call(&ledger, b"room again");
    ledger.close().unwrap();
    assert_there(&path, &acks);
    let verified = verify(&path).unwrap();
    assert_eq!(verified.open_calls, []);
    let reader = Reader::open(&path).unwrap();
    let ended = reader.by_call(&lost).unwrap();
    assert!(
        ended
            .last()
            .unwrap()
            .json()
            .contains("\"ending\":\"interrupted\"")
    );
    let last = reader.tail(10).unwrap();
    let note = last
        .iter()
        .find(|record| record.json().contains("\"topic\":\"recovered\""));
    assert!(note.unwrap().json().contains("full"));
}

#[test]
fn a_ledger_recovers_when_its_disk_can_be_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_disk) = Mount::tmpfs(directory.path(), "size=16m") else {
        return;
    };
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    call(&ledger, b"before");
    // A file that is open for writing keeps a file system from becoming read-only, so room is
    // taken away instead, to the last page, by another file.
    let hog = directory.path().join("hog");
    fill(&hog);
    let mut error = None;
    for _ in 0..2000 {
        if let Err(found) = ledger.decision(decision(call_id(), "allow")) {
            error = Some(found);
            break;
        }
    }
    assert!(
        matches!(error, Some(AppendError::Failed { .. })),
        "{error:?}"
    );
    std::fs::remove_file(&hog).unwrap();
    wait_unsealed(&ledger);
    call(&ledger, b"after");
    ledger.close().unwrap();
    assert_eq!(verify(&path).unwrap().open_calls.len(), 0);
}

#[test]
fn a_damaged_page_seals_the_ledger_until_somebody_looks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    call(&ledger, b"fine");
    ledger.close().unwrap();
    // The page of the table of calls, which only a decision looks at.
    let conn = rusqlite::Connection::open(&path).unwrap();
    let page: i64 = conn
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'calls'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(conn);
    let mut bytes = std::fs::read(&path).unwrap();
    let start = usize::try_from(page - 1).unwrap() * 4096;
    bytes.get_mut(start..start + 4096).unwrap().fill(0xee);
    std::fs::write(&path, &bytes).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    let error = ledger.decision(decision(call_id(), "allow")).unwrap_err();
    assert!(matches!(error, AppendError::Failed { .. }), "{error}");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(ledger.sealed().is_some(), "a damaged page does not heal");
    drop(ledger);
    verify(&path).unwrap_err();
}

/// A file system in a file, which can be made to fail: on the first error it becomes read-only, and
/// everything that is written to it fails.
struct Loop<'p> {
    place: &'p Path,
    image: std::path::PathBuf,
}

impl<'p> Loop<'p> {
    /// `None` where there is nothing to make it with; the test then says so.
    fn make(place: &'p Path, image: std::path::PathBuf) -> Option<Self> {
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(32 << 20).unwrap();
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(&image)
            .status();
        let this = Self { place, image };
        match made.is_ok_and(|status| status.success()) && this.mount() {
            true => Some(this),
            false => {
                eprintln!("skipped: mounting a file wants root, mkfs.ext4 and loop devices");
                None
            }
        }
    }

    fn mount(&self) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop,errors=remount-ro"]);
        let mounted = mount.arg(&self.image).arg(self.place).status();
        mounted.is_ok_and(|status| status.success())
    }

    /// As after a sector that cannot be written. False where the kernel has no way to ask for it.
    fn fail(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let place = self.place.display().to_string();
        let mine = mounts.lines().find(|line| line.contains(&place)).unwrap();
        let device = mine.split(' ').next().unwrap().trim_start_matches("/dev/");
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        std::fs::write(trigger, "1\n").is_ok()
    }

    /// What a person does then.
    fn mend(&self) {
        umount2(self.place, MntFlags::empty()).unwrap();
        drop(
            Command::new("e2fsck")
                .args(["-p", "-f"])
                .arg(&self.image)
                .output(),
        );
        assert!(self.mount(), "mounted again");
    }
}

impl Drop for Loop<'_> {
    fn drop(&mut self) {
        umount2(self.place, MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
fn a_disk_that_fails_and_becomes_read_only_seals_the_ledger_and_loses_nothing_acknowledged() {
    let (directory, images) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(disk) = Loop::make(directory.path(), images.path().join("image")) else {
        return;
    };
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let acks: Vec<_> = (0..40)
        .map(|_| {
            let receipt = ledger.decision(decision(call_id(), "deny")).unwrap();
            let hash = audit::Digest(receipt.record_hash()).to_string();
            (receipt.seq(), hash)
        })
        .collect();
    if !disk.fail() {
        eprintln!("skipped: this kernel fails no file system on demand");
        return;
    }
    let error = ledger.decision(decision(call_id(), "allow")).unwrap_err();
    assert!(matches!(error, AppendError::Failed { .. }), "{error}");
    let sealed = ledger.sealed().unwrap();
    assert!(
        sealed.contains("I/O") || sealed.contains("readonly"),
        "{sealed}"
    );
    let again = ledger.decision(decision(call_id(), "allow")).unwrap_err();
    assert!(matches!(again, AppendError::Sealed { .. }), "{again}");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(ledger.sealed().is_some(), "the disk does not mend itself");
    assert_there(&path, &acks);
    assert!(ledger.close().is_err());
    disk.mend();
    assert_there(&path, &acks);
    verify(&path).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    call(&ledger, b"after");
    ledger.close().unwrap();
    assert_there(&path, &acks);
    assert_eq!(verify(&path).unwrap().open_calls, []);
}

#[test]
fn a_read_only_disk_is_read_but_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Mount::tmpfs(directory.path(), "size=4m") else {
        return;
    };
    let path = directory.path().join("a ledger?#%.db");
    common::sample(&path);
    let before = common::contents(&path);
    disk.make_read_only();
    assert!(matches!(
        Ledger::open(&path),
        Err(OpenError::Io { .. } | OpenError::Storage { .. })
    ));
    assert_eq!(common::contents(&path), before);
    assert_eq!(verify(&path).unwrap().records, 10);
    assert_eq!(lazaret_verify(&path, &[]).0, 0);
}

#[test]
fn a_ledger_that_is_removed_or_replaced_while_open_is_sealed() {
    for end in ["", "-wal"] {
        for replaced in [None, Some(b"other")] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("ledger.db");
            let ledger = Ledger::open(&path).unwrap();
            call(&ledger, b"fine");
            std::fs::remove_file(beside(&path, end)).unwrap();
            if let Some(bytes) = replaced {
                std::fs::write(beside(&path, end), bytes).unwrap();
            }
            let lost = ledger.decision(decision(call_id(), "allow"));
            assert!(matches!(lost, Err(AppendError::Failed { .. })), "{lost:?}");
            assert!(ledger.sealed().is_some());
            drop(ledger);
            // The log may still hold it all, and SQLite may save a removed log at the end.
            match verify(&path) {
                Ok(verified) => assert!(verified.records >= 3, "{end} {replaced:?}"),
                Err(fault) => assert!(replaced.is_some() || end.is_empty(), "{fault}"),
            }
        }
    }
}

#[test]
fn a_ledger_whose_storage_fails_is_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    call(&ledger, b"fine");
    // Another connection takes the table away: the next statement fails.
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("ALTER TABLE log RENAME TO gone")
        .unwrap();
    let failed = ledger.decision(decision(call_id(), "allow"));
    assert!(
        matches!(failed, Err(AppendError::Failed { .. })),
        "{failed:?}"
    );
    other
        .execute_batch("ALTER TABLE gone RENAME TO log")
        .unwrap();
    let sealed = ledger.decision(decision(call_id(), "allow"));
    assert!(
        matches!(sealed, Err(AppendError::Sealed { .. })),
        "{sealed:?}"
    );
}

#[test]
fn a_file_without_permission_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    common::sample(&path);
    if nix::unistd::geteuid().is_root() {
        eprintln!("skipped: root writes everything; the read-only disk has its own test");
        return;
    }
    let read_only = std::os::unix::fs::PermissionsExt::from_mode(0o400);
    std::fs::set_permissions(&path, read_only).unwrap();
    assert!(matches!(
        Ledger::open(&path),
        Err(OpenError::Io { .. } | OpenError::Storage { .. })
    ));
    verify(&path).unwrap();
}

#[test]
fn only_the_owner_can_read_a_ledger() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    call(&ledger, b"secret");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&path, end)), 0o600, "{end}");
    }
    assert_eq!(mode(&beside(&path, ".d")), 0o700);
    assert_eq!(mode(&beside(&path, ".d").join("mark")), 0o600);
}

#[test]
fn what_is_no_ledger_is_left_alone_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage");
    std::fs::write(
        &garbage,
        "not a database, but long enough to look at\n".repeat(100),
    )
    .unwrap();
    let empty = directory.path().join("empty");
    std::fs::write(&empty, b"").unwrap();
    let foreign = directory.path().join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t(x)")
        .unwrap();
    for path in [&garbage, &foreign] {
        let before = std::fs::read(path).unwrap();
        assert!(matches!(Ledger::open(path), Err(OpenError::Foreign(_))));
        assert!(matches!(Reader::open(path), Err(ReadError::Foreign(_))));
        assert!(matches!(verify(path), Err(Fault::Foreign(_))));
        assert_eq!(lazaret_verify(path, &[]).0, 1);
        assert_eq!(std::fs::read(path).unwrap(), before, "it was written to");
        assert!(!beside(path, ".d").exists());
    }
    assert!(matches!(verify(&empty), Err(Fault::Foreign(_))));
}

#[test]
fn what_is_not_there_is_unreadable_and_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("no/such/ledger.db");
    assert!(matches!(Ledger::open(&missing), Err(OpenError::Io { .. })));
    assert!(matches!(
        Ledger::open(directory.path()),
        Err(OpenError::Directory(_))
    ));
    for path in [missing.as_path(), directory.path(), Path::new("/dev/null")] {
        assert!(
            matches!(verify(path), Err(Fault::Unreadable(_))),
            "{}",
            path.display()
        );
        assert_eq!(lazaret_verify(path, &["--json"]).0, 2);
    }
    assert!(!missing.exists());
}

#[test]
fn the_verifier_says_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    common::sample(&path);
    let (code, line) = lazaret_verify(&path, &[]);
    assert!(
        code == 0
            && line.starts_with(
                "holds: 10 records, 9 bodies, 0 erased, 2 open calls, signed to 10 by lazaret/"
            )
            && line.contains(", mark at 10, root "),
        "{line}"
    );
    let (code, json) = lazaret_verify(&path, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json.get("records").unwrap().as_u64()), (0, Some(10)));
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("DELETE FROM log WHERE id / 8192 = 4")
        .unwrap();
    assert_eq!(
        lazaret_verify(&path, &[]),
        (1, "FAULT record 4: missing\n".to_owned())
    );
    let (code, json) = lazaret_verify(&path, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json.get("record").unwrap().as_u64()), (1, Some(4)));
    assert_eq!(lazaret_verify(&path, &["--nonsense"]).0, 2);
}

#[test]
fn a_refused_entry_writes_nothing_and_seals_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let (id, denied) = (call_id(), call_id());
    let receipt = ledger.decision(decision(id, "allow")).unwrap();
    let no = ledger.decision(decision(denied, "deny")).unwrap();
    let refused = |result: Result<u64, AppendError>| match result {
        Err(AppendError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let decide = |entry| refused(ledger.decision(entry).map(|receipt| receipt.seq()));
    let end = |id, seq| {
        refused(
            ledger
                .outcome(outcome(id, seq, b""))
                .map(|receipt| receipt.seq()),
        )
    };
    assert!(matches!(decide(decision(id, "allow")), Refusal::Decided(_)));
    assert!(matches!(
        decide(decision(call_id(), "Allow")),
        Refusal::Verdict(_)
    ));
    assert!(matches!(end(id, 1), Refusal::NotOpen { .. }));
    assert!(matches!(
        end(call_id(), receipt.seq()),
        Refusal::NotOpen { .. }
    ));
    assert!(matches!(end(denied, no.seq()), Refusal::NotOpen { .. }));
    assert!(matches!(end(id, u64::MAX), Refusal::NotOpen { .. }));
    drop(ledger.outcome(outcome(id, receipt.seq(), b"")).unwrap());
    assert!(matches!(end(id, receipt.seq()), Refusal::NotOpen { .. }));
    assert_eq!(ledger.sealed(), None);
    ledger.close().unwrap();
    assert_eq!(verify(&path).unwrap().records, 5);
}

#[test]
fn every_append_is_answered_once_also_when_the_ledger_closes() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&directory.path().join("ledger.db")).unwrap();
    let (sender, answers) = mpsc::channel();
    for _ in 0..500 {
        let sender = sender.clone();
        ledger.append_decision(decision(call_id(), "deny"), move |result| {
            drop(sender.send(result))
        });
    }
    ledger.clone().close().unwrap();
    let sender_after = sender.clone();
    ledger.append_decision(decision(call_id(), "deny"), move |result| {
        drop(sender_after.send(result))
    });
    drop(sender);
    let answers: Vec<_> = answers.iter().collect();
    assert_eq!(answers.len(), 501);
    assert!(answers.iter().take(500).all(Result::is_ok));
    assert!(matches!(answers.last(), Some(Err(AppendError::Closed))));
    drop(ledger);
}

#[test]
fn the_last_handle_may_go_inside_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let (sender, answers) = mpsc::channel();
    let held = ledger.clone();
    ledger.append_decision(decision(call_id(), "deny"), move |result| {
        drop(held);
        sender.send(result.is_ok()).unwrap();
    });
    drop(ledger);
    assert!(answers.recv().unwrap());
}

#[test]
fn an_answer_that_panics_seals_the_ledger_and_leaves_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    ledger.append_decision(decision(call_id(), "deny"), |_| panic!("on purpose"));
    // It may have been in the same commit, and is durable then.
    let (records, after) = match ledger.decision(decision(call_id(), "deny")) {
        Ok(_) => (3, ledger.decision(decision(call_id(), "deny"))),
        Err(error) => (2, Err(error)),
    };
    assert!(
        matches!(after, Err(AppendError::Sealed { .. })),
        "{after:?}"
    );
    drop(ledger);
    assert_eq!(verify(&path).unwrap().records, records);
}
