//! The way into the jail, one step after the other. Read it from top to bottom.
//!
//! The process must have one thread and own no descriptor but 0, 1 and 2: a thread would
//! stay outside, and every other descriptor is closed. Each stage is a value that the
//! next one consumes, so a step cannot be left out or come in another order.
//!
//! Every failure is an error that names the layer and the step. A process that got one is
//! in an unknown state between outside and inside: it must end.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{RecvError, channel};
use std::thread::JoinHandle;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{
    ForkResult, Gid, Uid, chdir, getegid, geteuid, mkdir, pivot_root, setgroups, sethostname,
    setresgid, setresuid, setsid,
};

use crate::check;
use crate::error::{During, JailError};
use crate::fence::Fence;
use crate::keeper::{self, Verdict};
use crate::plan::{Layer, Plan, SCRATCH, Tmpfs, WORKSPACE};
use crate::report::{Checked, Report};
use crate::seccomp::Filter;
use crate::sys;

/// The process is in its own namespaces. The host's root is still visible, so this is
/// where the caller loads what it needs from there.
#[derive(Debug)]
#[must_use = "the process is not confined yet"]
pub struct Inside {
    plan: Plan,
    fence: Option<Fence>,
    filter: Option<Filter>,
}

/// The process has an empty root.
#[derive(Debug)]
#[must_use = "the process is not confined yet"]
pub struct Rooted(Inside);

/// The process has limits, no capabilities and the Landlock rules. This is where the
/// caller starts its helper threads and builds its event loop: none can come later.
#[derive(Debug)]
#[must_use = "the process is not confined yet"]
pub struct Restricted {
    inside: Inside,
    checked: Vec<Checked>,
}

/// Puts the process into its own namespaces and forks: the child returns as process 1 of
/// its process namespace, the process that was called becomes its keeper and never returns.
///
/// `keeper_fd` gets the child's process id as the host counts it, four bytes little
/// endian, before the child goes on. Descriptor 0 is the control socket: when its other
/// end closes, the keeper kills the child. The child keeps 0, 1 and 2 as they are: a worker
/// finds its module on 1.
///
/// # Errors
/// The plan, the list of system calls, or the first step that the kernel refuses.
pub fn enter(plan: &Plan, keeper_fd: OwnedFd) -> Result<Inside, JailError> {
    // What can be known beforehand fails before anything has changed.
    only_one_thread()?;
    let (fence, filter) = known_beforehand(plan)?;

    // Root gives itself up first: the namespaces must not belong to root.
    let was_root = geteuid().is_root();
    let (uid, gid) = become_nobody(plan, was_root)?;

    // No READ_IMPLIES_EXEC inherited: with it every readable page would be executable.
    sys::plain_personality().step("setting the plain personality")?;

    // The user namespace comes first, because it gives the right to make the others.
    own_user_namespace(uid, gid)?;
    for (layer, flag) in NAMESPACES {
        if plan.has(layer) {
            unshare(flag).layer(layer, "unshare")?;
        }
    }
    if plan.has(Layer::UtsNamespace) {
        sethostname(HOST_NAME).layer(Layer::UtsNamespace, "setting the host name")?;
    }

    // No controlling terminal for either; a process-group leader keeps its session, and
    // its child, which is none, leaves it below.
    setsid().map(drop).or_else(ignore_group_leader)?;

    // A process namespace holds for children only: the child goes on, this one keeps it.
    let (mine, theirs) = UnixStream::pair().step("making the keeper's socket pair")?;
    match sys::fork().step("fork")? {
        ForkResult::Parent { child } => {
            drop(theirs);
            keeper::keep(child, keeper_fd, mine, was_root)
        }
        ForkResult::Child => {
            drop((mine, keeper_fd));
            become_child(theirs)?;
            Ok(Inside {
                plan: plan.clone(),
                fence,
                filter,
            })
        }
    }
}

/// What can be said of a plan on this host without carrying it out: its numbers, the
/// version of Landlock, the list of system calls.
///
/// # Errors
/// The same that [`enter`] would answer.
pub fn foresee(plan: &Plan) -> Result<(), JailError> {
    known_beforehand(plan).map(drop)
}

fn known_beforehand(plan: &Plan) -> Result<(Option<Fence>, Option<Filter>), JailError> {
    plan.check()?;
    let fence = Fence::for_plan(plan)?;
    let filter = match plan.has(Layer::Seccomp) {
        true => Some(Filter::of(plan.role)?),
        false => None,
    };
    Ok((fence, filter))
}

impl Inside {
    /// Gives the process an empty root on memory, with `/workspace` and `/tmp` of bounded
    /// size, and detaches the host's. The working directory becomes `/workspace`.
    ///
    /// # Errors
    /// The first mount that the kernel refuses.
    pub fn enter_root(self) -> Result<Rooted, JailError> {
        build_root(&self.plan)?;
        Ok(Rooted(self))
    }
}

impl Rooted {
    /// Sets resource limits, gives up every capability for good, and raises the Landlock
    /// rules; then tries forbidden acts.
    ///
    /// # Errors
    /// The first step that the kernel refuses, or that reads back as not in force.
    pub fn restrict(self) -> Result<Restricted, JailError> {
        let Self(inside) = self;
        set_rlimits(&inside.plan)?;

        // A full disk of its own must be an error for the guest, not the end of the worker.
        sys::ignore(Signal::SIGXFSZ).step("ignoring SIGXFSZ")?;

        // The bounding set and the secure bits want a capability, so they come before the
        // rest is dropped.
        shed_capabilities()?;

        // Required by Landlock and seccomp, and final.
        prctl::set_no_new_privs().layer(Layer::NoNewPrivs, "prctl")?;

        if let Some(fence) = inside.fence {
            fence.raise()?;
        }

        // No other process of the same user may look into this one.
        prctl::set_dumpable(false).step("making the process undumpable")?;
        // Changing credentials may have cleared it.
        prctl::set_pdeathsig(Signal::SIGKILL).step("binding the process to its keeper")?;

        let checked = check::after_restrict(&inside.plan, inside.fence)?;
        Ok(Restricted { inside, checked })
    }
}

impl Restricted {
    /// Starts a helper thread, and returns when it runs. The start of a thread makes calls
    /// that the list of role `worker` does not have, so a thread that is still starting
    /// when [`seal`](Self::seal) comes would end the process: start every thread through
    /// this, or wait for it in another way.
    ///
    /// # Errors
    /// The thread cannot be started; the plan's `threads` bounds how many can.
    pub fn start_thread<F, T>(&self, name: &str, work: F) -> Result<JoinHandle<T>, JailError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (runs, running) = channel();
        let builder = std::thread::Builder::new().name(name.to_owned());
        let started = builder.spawn(move || {
            drop(runs);
            work()
        });
        let thread = started.step("starting a helper thread")?;
        // Nothing is ever sent: the thread lets go of its end as its first act.
        let Err(RecvError) = running.recv().map(|never: Infallible| match never {});
        Ok(thread)
    }

    /// Puts the list of system calls into force on every thread; nothing can be loosened
    /// and no thread of role `worker` started after it. Then tries two forbidden calls.
    ///
    /// # Errors
    /// The kernel refuses the list, or the list does not refuse what it must.
    pub fn seal(self) -> Result<Report, JailError> {
        let Self {
            inside:
                Inside {
                    plan,
                    fence,
                    filter,
                },
            mut checked,
        } = self;
        if let Some(filter) = &filter {
            filter
                .install()
                .map_err(std::io::Error::other)
                .layer(Layer::Seccomp, "installing the list")?;
            checked.extend(check::after_seal()?);
        }
        Ok(Report {
            layers: plan.layers.iter().copied().collect(),
            landlock_abi: fence.map_or(0, Fence::kernel_abi),
            landlock_handled: fence.map(Fence::handled).unwrap_or_default(),
            landlock_granted: fence.map(Fence::granted).unwrap_or_default(),
            seccomp_list: plan.role,
            seccomp_filters: filter
                .as_ref()
                .map_or(0, |f| u32::try_from(f.count()).unwrap_or(u32::MAX)),
            seccomp_digest: filter.map(|f| hex(&f.digest())).unwrap_or_default(),
            self_check: checked,
        })
    }
}

/// The empty root, step by step.
pub(crate) fn build_root(plan: &Plan) -> Result<(), JailError> {
    let step = |what| move |error: nix::Error| refused(Layer::EmptyRoot, what, error);
    let none = None::<&str>;

    // Nothing that is mounted from here on may travel to the host.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .layer(Layer::MountNamespace, "making mounts private")?;
    umask(Mode::from_bits_truncate(0o077));

    // The new root lies on /proc for a moment: the one directory that is surely there.
    mount_tmpfs(STAGE, ROOT_OPTIONS).map_err(step("mounting the root"))?;
    chdir(STAGE).map_err(step("entering the root"))?;
    for (path, tmpfs) in [(WORKSPACE, plan.workspace), (SCRATCH, plan.scratch)] {
        let relative = Path::new(path).strip_prefix("/").unwrap_or(Path::new(path));
        mkdir(relative, Mode::S_IRWXU).map_err(step("making a directory"))?;
        mount_tmpfs(relative, &options(tmpfs)).map_err(step("mounting a directory"))?;
    }

    // Both names are the same directory: the old root ends up on top of the new one, and
    // is taken off it (pivot_root(2), "pivot_root(".", ".")"). The keeper's root and
    // working directory, in the same namespace, move along.
    pivot_root(".", ".").map_err(step("pivot_root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(step("detaching the old root"))?;
    chdir("/").map_err(step("entering the root"))?;

    // Last, because the two directories had to be made.
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MOUNT_FLAGS;
    mount(none, "/", none, read_only, none).map_err(step("making the root read-only"))?;
    chdir(WORKSPACE).map_err(step("entering the workspace"))
}

/// The namespaces beside the user namespace, each asked for by itself so that a refusal
/// names it.
pub(crate) const NAMESPACES: [(Layer, CloneFlags); 6] = [
    (Layer::MountNamespace, CloneFlags::CLONE_NEWNS),
    (Layer::PidNamespace, CloneFlags::CLONE_NEWPID),
    (Layer::NetNamespace, CloneFlags::CLONE_NEWNET),
    (Layer::IpcNamespace, CloneFlags::CLONE_NEWIPC),
    (Layer::UtsNamespace, CloneFlags::CLONE_NEWUTS),
    (Layer::CgroupNamespace, CloneFlags::CLONE_NEWCGROUP),
];

/// What the process is told its host is called.
const HOST_NAME: &str = "lazaret";

/// The user and group inside. Any but 0 (which `execve` treats specially) and 65534
/// (which also stands for every id that is not mapped).
pub(crate) const INSIDE_ID: u32 = 1000;

/// Where the new root is put together.
const STAGE: &str = "/proc";

/// One page and three entries: itself, `/workspace` and `/tmp`.
const ROOT_OPTIONS: &str = "size=4096,nr_inodes=3,mode=0555";

/// On every mount: nothing to execute, no devices, no set-user-id.
const MOUNT_FLAGS: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

fn refused(layer: Layer, step: &'static str, error: nix::Error) -> JailError {
    JailError::Refused {
        layer,
        step,
        source: error.into(),
    }
}

fn only_one_thread() -> Result<(), JailError> {
    let tasks = std::fs::read_dir("/proc/self/task").step("counting threads in /proc")?;
    match tasks.count() {
        1 => Ok(()),
        more => Err(JailError::Threads(more)),
    }
}

/// Gives root up for the plan's user; an ordinary user stays who it is. Answers with the
/// ids to map.
pub(crate) fn become_nobody(plan: &Plan, was_root: bool) -> Result<(u32, u32), JailError> {
    if was_root {
        let (uid, gid) = (Uid::from_raw(plan.uid), Gid::from_raw(plan.gid));
        setgroups(&[]).layer(Layer::UserNamespace, "leaving root's groups")?;
        setresgid(gid, gid, gid).layer(Layer::UserNamespace, "leaving root's group")?;
        setresuid(uid, uid, uid).layer(Layer::UserNamespace, "leaving root")?;
        // The change took /proc/self away from the process, and the id maps lie there.
        prctl::set_dumpable(true).layer(Layer::UserNamespace, "owning /proc/self")?;
    }
    Ok((geteuid().as_raw(), getegid().as_raw()))
}

/// A user namespace in which one user and one group exist; all else is nobody.
pub(crate) fn own_user_namespace(uid: u32, gid: u32) -> Result<(), JailError> {
    unshare(CloneFlags::CLONE_NEWUSER).layer(Layer::UserNamespace, "unshare")?;
    let write = |path: &str, text: String| std::fs::write(path, text);
    // An unprivileged group map is refused until setgroups is given up.
    write("/proc/self/setgroups", "deny".into())
        .layer(Layer::UserNamespace, "denying setgroups")?;
    write("/proc/self/uid_map", format!("{INSIDE_ID} {uid} 1"))
        .layer(Layer::UserNamespace, "mapping the user")?;
    write("/proc/self/gid_map", format!("{INSIDE_ID} {gid} 1"))
        .layer(Layer::UserNamespace, "mapping the group")
}

fn ignore_group_leader(error: nix::Error) -> Result<(), JailError> {
    match error {
        nix::Error::EPERM => Ok(()),
        other => Err(other).step("leaving the session"),
    }
}

/// The child's first acts: bound to its keeper, without any descriptor but 0, 1 and 2.
fn become_child(mut keeper: UnixStream) -> Result<(), JailError> {
    prctl::set_pdeathsig(Signal::SIGKILL).step("binding the process to its keeper")?;
    // The keeper may have died before the line above. It answers only to this byte, so
    // its answer shows that it lived after it.
    keeper
        .write_all(&[keeper::BOUND])
        .map_err(|_| JailError::KeeperGone)?;
    Verdict::read(&mut keeper)?;
    drop(keeper);
    setsid().step("leaving the session")?;
    // Whatever the daemon left open by mistake ends here.
    sys::close_range(3, u32::MAX).step("closing what is left open")
}

fn mount_tmpfs<P: ?Sized + nix::NixPath>(target: &P, options: &str) -> nix::Result<()> {
    mount(
        Some("tmpfs"),
        target,
        Some("tmpfs"),
        MOUNT_FLAGS,
        Some(options),
    )
}

fn options(tmpfs: Tmpfs) -> String {
    format!("size={},nr_inodes={},mode=0700", tmpfs.bytes, tmpfs.inodes)
}

/// Each limit, soft and hard, with its figure.
pub(crate) fn rlimits(plan: &Plan) -> [(Resource, u64); 10] {
    [
        // No memory of a guest in a core file.
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_DATA, plan.memory_bytes),
        (Resource::RLIMIT_FSIZE, plan.file_bytes()),
        (Resource::RLIMIT_NOFILE, plan.open_files),
        // Keeper and first thread count too.
        (Resource::RLIMIT_NPROC, plan.threads.saturating_add(2)),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
        (Resource::RLIMIT_SIGPENDING, 64),
        (Resource::RLIMIT_NICE, 0),
        (Resource::RLIMIT_RTPRIO, 0),
    ]
}

pub(crate) fn set_rlimits(plan: &Plan) -> Result<(), JailError> {
    for (resource, limit) in rlimits(plan) {
        // A host whose own hard limit is lower already has the stricter one.
        let (_, hard) = getrlimit(resource).layer(Layer::Rlimits, "getrlimit")?;
        let limit = limit.min(hard);
        setrlimit(resource, limit, limit).layer(Layer::Rlimits, "setrlimit")?;
    }
    Ok(())
}

/// `SECBIT_*` of linux/securebits.h, all but the two about a traced process: user 0 is
/// nobody special, changing ids raises nothing, nothing is kept or ambient; all locked.
const SECURE_BITS: u64 = 0b1110_1111;

/// No kernel knows more capabilities than the 64 bits that it stores them in.
const CAPABILITIES_MAX: u64 = 64;

/// Takes the capabilities away from the calling process, in every set and for good.
pub(crate) fn shed_capabilities() -> Result<(), JailError> {
    let layer = Layer::NoCapabilities;
    for capability in 0..CAPABILITIES_MAX {
        match sys::prctl(libc::PR_CAPBSET_DROP, capability, 0) {
            Ok(_) => {}
            // Past the last one that the kernel knows.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            Err(error) => return Err(error).layer(layer, "dropping the bounding set"),
        }
    }
    sys::prctl(libc::PR_SET_SECUREBITS, SECURE_BITS, 0).layer(layer, "locking the secure bits")?;
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL as u64;
    sys::prctl(libc::PR_CAP_AMBIENT, clear, 0).layer(layer, "clearing the ambient set")?;
    sys::drop_capabilities().layer(layer, "capset")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
