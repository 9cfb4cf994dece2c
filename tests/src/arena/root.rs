//! The arena's file system: the host's own, under a layer that is thrown away.
//!
//! ```text
//!   merged /  = overlay( lower: the host's root, upper: a private tmpfs )
//!     /proc      fresh, of the arena's pid namespace; the knobs of the host read-only
//!     /sys       fresh, read-only
//!     /dev       six harmless devices
//!     /run/lazaret-arena   tmpfs: what belongs to the arena itself
//!     job.read_only…       bound from the host, read-only
//! ```
//! The upper layer is the evidence: it holds every change to any file of the
//! system and nothing else. It and the lower layer stay reachable through two
//! open directories after the old root has gone.
//!
//! Must be called in fresh mount, pid and net namespaces, as root; it refuses
//! to work as the first mount namespace's process, so that a mistake cannot
//! rearrange the host. Any failure panics, and the namespaces die with it.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// What belongs to the arena: programs, shims, the log of executions, state.
pub const ARENA: &str = "/run/lazaret-arena";

/// Room for what programs write into the throwaway layer.
const UPPER: &str = "size=1g,mode=755";

/// The devices that programs get, as a container would.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Knobs under /proc that reach beyond every namespace.
const KNOBS: [&str; 5] = ["sys", "irq", "bus", "fs", "sysrq-trigger"];

/// The two layers, held open.
#[derive(Debug)]
pub(super) struct Layers {
    upper: File,
    lower: File,
}

impl Layers {
    /// The throwaway layer as a folder.
    #[must_use]
    pub(super) fn upper(&self) -> PathBuf {
        opened(&self.upper)
    }

    /// Where `path` lies on the untouched host; only ever looked at.
    #[must_use]
    pub(super) fn lower(&self, path: &Path) -> PathBuf {
        let relative = path.strip_prefix("/").unwrap_or(path);
        opened(&self.lower).join(relative)
    }
}

/// The folder behind an open directory, wherever it is mounted or not.
fn opened(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/.", folder.as_raw_fd()))
}

/// Moves this process into the arena's file system.
///
/// # Panics
/// If any step fails, or outside fresh namespaces.
#[must_use]
pub(super) fn enter(staging: &Path, read_only: &[PathBuf]) -> Layers {
    assert_eq!(
        std::process::id(),
        1,
        "the arena is the first of its pid namespace"
    );
    mount_one(
        "none",
        Path::new("/"),
        None,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None,
    );
    mount_one(
        "arena",
        staging,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(UPPER),
    );
    let [upper, work, merged] = ["upper", "work", "merged"].map(|name| {
        let folder = staging.join(name);
        fs::create_dir(&folder).expect("a folder for a layer");
        folder
    });
    let layers = Layers {
        upper: File::open(&upper).expect("open the upper layer"),
        lower: File::open("/").expect("open the lower layer"),
    };
    let options = format!(
        "lowerdir=/,upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    mount_one(
        "arena",
        &merged,
        Some("overlay"),
        MsFlags::empty(),
        Some(&options),
    );
    special_folders(&merged);
    for folder in read_only {
        bind_read_only(folder, &inside(&merged, folder));
    }
    change_root(&merged);
    layers
}

/// /proc, /sys, /dev and the arena's own folder.
fn special_folders(merged: &Path) {
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let proc = merged.join("proc");
    mount_one("proc", &proc, Some("proc"), harmless, None);
    for knob in KNOBS {
        let knob = proc.join(knob);
        if knob.exists() {
            bind_read_only(&knob, &knob);
        }
    }
    let sys = merged.join("sys");
    mount_one(
        "sys",
        &sys,
        Some("sysfs"),
        harmless | MsFlags::MS_RDONLY,
        None,
    );
    for device in DEVICES {
        let place = merged.join("dev").join(device);
        if !place.exists() {
            fs::write(&place, "").expect("a place for a device");
        }
        let device = Path::new("/dev").join(device);
        mount_one(device, &place, None, MsFlags::MS_BIND, None);
    }
    let own = inside(merged, Path::new(ARENA));
    fs::create_dir_all(&own).expect("the arena's own folder");
    mount_one(
        "own",
        &own,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=256m,mode=755"),
    );
}

/// Makes the merged tree the root and lets the old one go.
fn change_root(merged: &Path) {
    std::env::set_current_dir(merged).expect("go to the new root");
    nix::unistd::pivot_root(".", ".").expect("pivot_root");
    umount2(".", MntFlags::MNT_DETACH).expect("detach the old root");
    std::env::set_current_dir("/").expect("go to /");
}

/// Binds `source` at `target`, and takes the right to write away.
pub(super) fn bind_read_only(source: &Path, target: &Path) {
    if source.is_dir() {
        fs::create_dir_all(target).expect("a place to bind to");
    }
    mount_one(source, target, None, MsFlags::MS_BIND, None);
    let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount_one("none", target, None, again, None);
}

fn inside(merged: &Path, absolute: &Path) -> PathBuf {
    merged.join(absolute.strip_prefix("/").expect("an absolute path"))
}

fn mount_one(
    source: impl AsRef<Path>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: Option<&str>,
) {
    mount(Some(source.as_ref()), target, kind, flags, options)
        .unwrap_or_else(|error| panic!("mount on {}: {error}", target.display()));
}
