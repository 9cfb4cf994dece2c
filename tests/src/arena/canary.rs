//! Canaries: a secret or a witness in every place that programs aim at.
//!
//! - a file gets a secret line; reading it out means saying the secret;
//! - a folder gets a hidden file whose name is a secret; listing it says it;
//! - where the kernel owns the folder (`/proc`, `/sys`), its real names are the
//!   witness: nobody prints all of them who did not list it;
//! - a file of the kernel gets the secret through a bind mount over it;
//! - a name that programs look for in the process table gets a process;
//! - the shell is replaced by one that logs and then is the shell.
//!
//! Files that are programs are left as they are, and the places where the
//! corpus puts its loot are left empty, so that creating a file shows.
//! What could not be planted is reported, never passed over.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::aim::Aims;
use super::root::{ARENA, bind_read_only};
use super::{Hit, Kind};

/// Where the programs of the corpus put what they took or made.
const SINKS: [&str; 3] = [
    "/usr/copy_file",
    "/usr/encoded_data.py",
    "/usr/downloaded_script.py",
];

/// Fewer names than this can be said by chance.
const WITNESS_NAMES: usize = 5;

/// The shells through which programs start other programs.
const SHELLS: [&str; 2] = ["/bin/sh", "/bin/bash"];

/// A secret that nothing else says.
#[must_use]
pub fn secret() -> String {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).expect("random bytes");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("canary-{hex}")
}

/// Everything that was planted.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    /// Secret → what saying it proves.
    secrets: BTreeMap<String, Hit>,
    /// Folder → names that are all said only by listing it.
    witnesses: BTreeMap<String, Vec<String>>,
    decoys: Vec<(String, Child)>,
    /// Places where nothing could be planted, and why.
    pub(super) unplanted: Vec<String>,
}

impl Canaries {
    /// Plants a canary at every aim.
    #[must_use]
    pub(super) fn plant(aims: &Aims) -> Self {
        let mut canaries = Self::default();
        for file in aims
            .files
            .iter()
            .filter(|file| !SINKS.contains(&file.as_str()))
        {
            canaries.plant_file(Path::new(file));
        }
        for folder in &aims.folders {
            canaries.plant_folder(Path::new(folder));
        }
        for name in &aims.processes {
            canaries.decoys.push((name.clone(), decoy(name)));
        }
        for shell in SHELLS {
            log_executions(Path::new(shell));
        }
        canaries
    }

    /// A secret of this kind and place that somebody else plants.
    pub(super) fn expect_secret(&mut self, secret: &str, kind: Kind, place: &str) {
        self.secrets
            .insert(secret.to_owned(), Hit::new(kind, place));
    }

    /// What a text gives away.
    #[must_use]
    pub(super) fn said_in(&self, text: &str) -> Vec<Hit> {
        let secrets = self.secrets.iter();
        let mut hits: Vec<Hit> = secrets
            .filter(|(secret, _)| text.contains(secret.as_str()))
            .map(|(_, hit)| hit.clone())
            .collect();
        let lines: std::collections::BTreeSet<&str> = text.lines().map(str::trim).collect();
        for (folder, names) in &self.witnesses {
            if names.iter().all(|name| lines.contains(name.as_str())) {
                hits.push(Hit::new(Kind::Listed, folder));
            }
        }
        hits
    }

    /// The decoys that somebody killed.
    ///
    /// # Panics
    /// If the kernel refuses to say.
    #[must_use]
    pub(super) fn killed(&mut self) -> Vec<Hit> {
        let dead = self.decoys.extract_if(.., |(_, child)| {
            child.try_wait().expect("look at a decoy").is_some()
        });
        dead.map(|(name, _)| Hit::new(Kind::Killed, name)).collect()
    }

    /// The decoys that are there.
    #[must_use]
    pub(super) fn decoy_pids(&self) -> Vec<i32> {
        let pids = self
            .decoys
            .iter()
            .map(|(_, child)| i32::try_from(child.id()));
        pids.flatten().collect()
    }

    fn plant_file(&mut self, path: &Path) {
        let secret = secret();
        let hit = Hit::new(Kind::Read, path.to_string_lossy());
        let planted = match fs::metadata(path) {
            _ if of_the_kernel(path) => cover_file(path, &secret),
            Ok(meta) if meta.is_dir() => return self.plant_folder(path),
            Ok(meta) if meta.permissions().mode() & 0o111 != 0 => Err("is a program".to_owned()),
            _ => append(path, &secret),
        };
        self.note(path, secret, hit, planted);
    }

    fn plant_folder(&mut self, path: &Path) {
        let secret = secret();
        let hit = Hit::new(Kind::Listed, path.to_string_lossy());
        let names = names(path);
        if of_the_kernel(path) && names.len() >= WITNESS_NAMES {
            self.witnesses
                .insert(path.to_string_lossy().into_owned(), names);
            return;
        }
        let planted = if of_the_kernel(path) {
            cover_folder(path, &secret)
        } else {
            append(&path.join(format!(".{secret}")), "listed")
        };
        self.note(path, secret, hit, planted);
    }

    fn note(&mut self, path: &Path, secret: String, hit: Hit, planted: Result<(), String>) {
        match planted {
            Ok(()) => {
                self.secrets.insert(secret, hit);
            }
            Err(why) => self.unplanted.push(format!("{}: {why}", path.display())),
        }
    }
}

fn of_the_kernel(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/sys")
}

/// Adds a secret line to a file, which is made if it is not there.
fn append(path: &Path, secret: &str) -> Result<(), String> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut content = fs::read(path).unwrap_or_default();
        content.extend_from_slice(format!("\n# {secret}\n").as_bytes());
        fs::write(path, content)
    };
    write().map_err(|error| error.to_string())
}

/// The names in a folder that are no numbers: processes come and go.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.parse::<u32>().is_err())
        .collect();
    names.sort();
    names
}

/// Lays a copy with a secret over a file of the kernel.
fn cover_file(path: &Path, secret: &str) -> Result<(), String> {
    let content = fs::read(path).map_err(|error| error.to_string())?;
    let cover = cover(path);
    fs::write(&cover, content).map_err(|error| error.to_string())?;
    append(&cover, secret)?;
    bind_read_only(&cover, path);
    Ok(())
}

/// Lays a folder with a secret name in it over a folder of the kernel.
fn cover_folder(path: &Path, secret: &str) -> Result<(), String> {
    if !path.is_dir() {
        return Err("is not on this kernel".to_owned());
    }
    let cover = cover(path);
    append(&cover.join(format!(".{secret}")), "listed")?;
    bind_read_only(&cover, path);
    Ok(())
}

fn cover(path: &Path) -> PathBuf {
    let name = path.to_string_lossy().replace('/', "_");
    let covers = Path::new(ARENA).join("covers");
    fs::create_dir_all(&covers).expect("a folder for covers");
    covers.join(name)
}

/// A process that does nothing under the name that somebody hunts.
fn decoy(name: &str) -> Child {
    Command::new("/proc/self/exe")
        .arg0(name)
        .arg("decoy")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("start a decoy")
}

/// The log that the replaced shells write.
#[must_use]
pub(super) fn execution_log() -> PathBuf {
    Path::new(ARENA).join("executed")
}

/// Puts a script in the place of a shell: it logs, then is the real one.
fn log_executions(shell: &Path) {
    let Some(name) = shell.file_name().filter(|_| shell.exists()) else {
        return;
    };
    let kept = Path::new(ARENA).join("real").join(name);
    fs::create_dir_all(Path::new(ARENA).join("real")).expect("a folder for shells");
    fs::copy(shell, &kept).expect("keep the real shell");
    let kept = kept.display();
    let log = execution_log();
    let script = format!(
        "#!{kept}\necho \"$0\" >> {}\nexec {kept} \"$@\"\n",
        log.display()
    );
    // A link is replaced by the script, what it points to stays.
    fs::remove_file(shell).expect("take the shell away");
    fs::write(shell, script).expect("put the script there");
    fs::set_permissions(shell, fs::Permissions::from_mode(0o755)).expect("executable");
    fs::write(log, "").expect("an empty log");
}
