//! A ledger that was cut or put back is a perfect shorter ledger: only what lies elsewhere knows.
//! And witnesses, who saw that it only grew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use audit::{
    Anchor, AnchorError, Checkpoint, CosignError, Fault, KeyPaths, Ledger, PublicKey, Reader,
    Trust, cosign, verify_with,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{beside, call, sample};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

struct Scene {
    directory: tempfile::TempDir,
    path: PathBuf,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    sample(&path);
    Scene { directory, path }
}

fn newest(path: &Path) -> Checkpoint {
    Reader::open(path).unwrap().checkpoint().unwrap().unwrap()
}

fn grow(path: &Path) {
    let ledger = Ledger::open(path).unwrap();
    call(&ledger, b"later\n");
    ledger.close().unwrap();
}

fn trust(path: &Path, anchor: &Anchor) -> Trust {
    Trust {
        anchors: anchor.get().unwrap().into_iter().collect(),
        ..Trust::beside(path).unwrap()
    }
}

/// Everything of a ledger: its file, its mark, its keys.
fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_all(&path, &target),
            false => drop(std::fs::copy(&path, &target).unwrap()),
        }
    }
}

/// Puts an earlier copy of everything back, and says what each anchor finds.
fn put_back(anchor: &Anchor) {
    let scene = scene();
    let kept = tempfile::tempdir().unwrap();
    copy_all(scene.directory.path(), kept.path());
    grow(&scene.path);
    anchor.put(&newest(&scene.path)).unwrap();
    let verified = verify_with(&scene.path, &trust(&scene.path, anchor)).unwrap();
    assert_eq!(verified.anchored, Some(16));
    anchor.put(&newest(&scene.path)).unwrap();
    grow(&scene.path);
    verify_with(&scene.path, &trust(&scene.path, anchor)).unwrap();
    std::fs::remove_file(&scene.path).unwrap();
    copy_all(kept.path(), scene.directory.path());
    // Without the anchor nothing is to be seen.
    verify_with(&scene.path, &Trust::beside(&scene.path).unwrap()).unwrap();
    let fault = verify_with(&scene.path, &trust(&scene.path, anchor)).unwrap_err();
    assert_eq!(
        fault,
        Fault::Behind {
            record: 11,
            once: 16
        }
    );
    let error = anchor.put(&newest(&scene.path)).unwrap_err();
    assert!(
        matches!(
            error,
            AnchorError::Ahead {
                anchored: 16,
                own: 10,
                ..
            }
        ),
        "{error}"
    );
    // Written on from there, it has as many records again, and others.
    grow(&scene.path);
    let fault = verify_with(&scene.path, &trust(&scene.path, anchor)).unwrap_err();
    assert_eq!(fault, Fault::NotAsAnchored { record: 16 });
    let error = anchor.put(&newest(&scene.path)).unwrap_err();
    assert!(matches!(error, AnchorError::Ahead { .. }), "{error}");
}

#[test]
fn a_file_elsewhere_finds_a_ledger_that_was_put_back() {
    let elsewhere = tempfile::tempdir().unwrap();
    put_back(&Anchor::File(elsewhere.path().join("anchor")));
}

#[test]
fn a_git_ref_finds_a_ledger_that_was_put_back_and_keeps_its_history() {
    let elsewhere = tempfile::tempdir().unwrap();
    let git = |words: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(elsewhere.path())
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    let anchor = format!("git:{}", elsewhere.path().display());
    let anchor: Anchor = anchor.parse().unwrap();
    put_back(&anchor);
    let log = git(&["log", "--format=%s", "refs/lazaret/ledger"]);
    assert_eq!(log, "16 records\n");
    let other = scene();
    let error = anchor.put(&newest(&other.path)).unwrap_err();
    assert!(matches!(error, AnchorError::Other { .. }), "{error}");
}

#[test]
fn places_have_a_form() {
    for text in ["file:/a/b", "git:/a#refs/x/y", "journal:"] {
        assert_eq!(text.parse::<Anchor>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "file:",
        "git:",
        "git:/a#main",
        "journal:x",
        "/a/b",
        "https://example.com/",
    ] {
        assert!(
            matches!(text.parse::<Anchor>(), Err(AnchorError::Form(_))),
            "{text}"
        );
    }
    let nowhere = Anchor::Git {
        repository: "/nowhere".into(),
        reference: "refs/x".to_owned(),
    };
    assert!(nowhere.get().is_err());
}

/// A witness as C2SP describes it, written here a second time.
struct Witness {
    name: &'static str,
    key: SigningKey,
}

impl Witness {
    fn bytes(&self) -> Vec<u8> {
        [&[4], self.key.verifying_key().as_bytes().as_slice()].concat()
    }

    fn id(&self) -> Vec<u8> {
        let text = [self.name.as_bytes(), b"\n", &self.bytes()].concat();
        Sha256::digest(text).iter().take(4).copied().collect()
    }

    fn public(&self) -> PublicKey {
        let id: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{}+{id}+{}", self.name, BASE64.encode(self.bytes()));
        PublicKey::parse(&text).unwrap()
    }

    fn cosign(&self, checkpoint: &Checkpoint, time: u64) -> String {
        let message = format!("cosignature/v1\ntime {time}\n{}", checkpoint.note().text());
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        let bytes = [self.id(), time.to_be_bytes().to_vec(), signature.to_vec()].concat();
        format!(
            "{}\u{2014} {} {}\n",
            checkpoint.note(),
            self.name,
            BASE64.encode(bytes)
        )
    }
}

#[test]
fn a_cosignature_is_taken_when_it_is_good_and_kept() {
    let scene = scene();
    let witness = Witness {
        name: "witness.example.org",
        key: SigningKey::from_bytes(&[7; 32]),
    };
    let keys = [witness.public()];
    let checkpoint = newest(&scene.path);
    let trust = Trust {
        witnesses: keys.to_vec(),
        ..Trust::beside(&scene.path).unwrap()
    };
    let fault = verify_with(&scene.path, &trust).unwrap_err();
    assert!(matches!(fault, Fault::NoWitness { .. }), "{fault}");
    let note = checkpoint.note().to_string();
    let refused = cosign(&scene.path, &note, &keys);
    assert!(matches!(refused, Err(CosignError::NotCosigned(_))));
    let good = witness.cosign(&checkpoint, 1_700_000_000);
    assert_eq!(cosign(&scene.path, &good, &keys).unwrap(), 10);
    assert_eq!(cosign(&scene.path, &good, &keys).unwrap(), 10, "again");
    let kept = newest(&scene.path);
    assert_eq!(kept.note().signatures().len(), 2);
    let times = kept
        .note()
        .signatures()
        .iter()
        .filter_map(audit::Signature::cosigned_at);
    assert_eq!(times.collect::<Vec<_>>(), [1_700_000_000]);
    let verified = verify_with(&scene.path, &trust).unwrap();
    assert_eq!(verified.witnessed, [("witness.example.org".to_owned(), 10)]);
    grow(&scene.path);
    verify_with(&scene.path, &trust).unwrap();
}

#[test]
fn a_cosignature_of_another_ledger_or_a_forged_one_is_not_taken() {
    let (mine, other) = (scene(), scene());
    let witness = Witness {
        name: "witness.example.org",
        key: SigningKey::from_bytes(&[7; 32]),
    };
    let forger = Witness {
        name: "witness.example.org",
        key: SigningKey::from_bytes(&[8; 32]),
    };
    let keys = [witness.public()];
    let foreign = witness.cosign(&newest(&other.path), 1);
    let refused = cosign(&mine.path, &foreign, &keys);
    assert!(matches!(refused, Err(CosignError::Unknown(10))));
    let forged = forger.cosign(&newest(&mine.path), 1);
    let refused = cosign(&mine.path, &forged, &keys);
    assert!(matches!(refused, Err(CosignError::NotCosigned(_))));
    assert_eq!(
        newest(&mine.path).note().signatures().len(),
        1,
        "nothing was written"
    );
}

#[test]
fn a_ledger_is_not_opened_without_its_own_key() {
    let scene = scene();
    let paths = KeyPaths::of(&scene.path);
    let private = std::fs::read(&paths.private).unwrap();
    std::fs::remove_file(&paths.private).unwrap();
    let opened = Ledger::open(&scene.path);
    let Err(error) = opened else {
        panic!("it was opened")
    };
    assert!(
        error.to_string().contains("put its own key back"),
        "{error}"
    );
    std::fs::write(&paths.private, private).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&paths.private, mode).unwrap();
    Ledger::open(&scene.path).unwrap().close().unwrap();
    assert!(beside(&scene.path, ".d").exists());
}
