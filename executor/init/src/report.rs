//! What this process sees of its confinement, read from the kernel that answers here.
//!
//! A file that this kernel does not have leaves its part empty; the daemon decides what it must
//! know. gVisor's `/proc` says less than Linux's.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;

use container_init::{Report, SeenMount, WIRE_VERSION};
use nix::sys::utsname::uname;
use nix::unistd::{getegid, geteuid, getgroups, getpid};

/// A name that no image has.
const PROBE: &str = "/.lazaret-probe";

/// Read everything.
///
/// # Errors
/// When the kernel does not even tell its name.
pub(crate) fn report() -> io::Result<Report> {
    let kernel = uname()?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let groups = getgroups()?.into_iter().map(|group| group.as_raw());
    Ok(Report {
        version: WIRE_VERSION,
        kernel_release: kernel.release().to_string_lossy().into_owned(),
        kernel_version: kernel.version().to_string_lossy().into_owned(),
        hostname: kernel.nodename().to_string_lossy().into_owned(),
        user: (geteuid().as_raw(), getegid().as_raw()),
        groups: groups.collect(),
        pid: u32::try_from(getpid().as_raw()).unwrap_or_default(),
        capabilities: capabilities(&status),
        no_new_privs: field(&status, "NoNewPrivs").map(|value| value == "1"),
        seccomp_mode: field(&status, "Seccomp").and_then(|value| value.parse().ok()),
        interfaces: interfaces(),
        mounts: mounts(),
        rlimits: rlimits(),
        root_is_writable: root_is_writable(),
        devices: devices(),
    })
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim())
}

fn capabilities(status: &str) -> Vec<(String, u64)> {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let read = |name: &str| {
        let bits = u64::from_str_radix(field(status, name)?, 16).ok()?;
        Some((name.to_owned(), bits))
    };
    sets.into_iter().filter_map(read).collect()
}

/// `/proc/net/dev`: two lines of heading, then one for each interface.
fn interfaces() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// Of a line of mountinfo: the fifth field is where, the sixth the flags, and after a lone
/// hyphen come kind, source and options (proc(5)).
fn mounts() -> Vec<SeenMount> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<SeenMount> {
    let (place, system) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(4);
    let mut system = system.split(' ');
    let (point, flags) = (place.next()?, place.next()?);
    let (kind, source) = (system.next()?, system.next()?);
    let options = system.next().unwrap_or_default();
    let options = flags.split(',').chain(options.split(','));
    Some(SeenMount {
        point: point.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options: options.map(str::to_owned).collect(),
    })
}

/// The name of a limit ends where two blanks begin.
fn rlimits() -> Vec<(String, Option<u64>, Option<u64>)> {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = |line: &str| {
        let (name, rest) = line.split_once("  ")?;
        let mut values = rest.split_whitespace();
        let (soft, hard) = (values.next()?, values.next()?);
        Some((name.to_owned(), soft.parse().ok(), hard.parse().ok()))
    };
    text.lines().skip(1).filter_map(limit).collect()
}

fn root_is_writable() -> bool {
    let made = fs::File::create_new(PROBE).is_ok();
    made && {
        let _gone = fs::remove_file(PROBE).is_ok();
        true
    }
}

fn devices() -> Vec<String> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let devices = entries.filter(|entry| {
        let kind = entry.file_type();
        kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device())
    });
    let mut names: Vec<String> = devices
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
