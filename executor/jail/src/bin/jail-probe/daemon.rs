//! The probe in the daemon's place: what the acts aim at, and the jailed run of one.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;

use crate::acts::{Act, EXECUTED_STATUS};
use crate::launch::{Launched, command};
use crate::raw;
use crate::wire::{Answer, Outcome, Place, Request};

/// What an act may aim at, for as long as this lives.
pub(crate) struct Bait {
    pub(crate) place: Place,
    _tcp: TcpListener,
    _unix: UnixListener,
}

/// Names are not used twice: a child of an earlier act may still be ending.
static BAITS: AtomicU32 = AtomicU32::new(0);

/// A byte of this process that another one may try to read.
static SECRET: u8 = 42;

impl Bait {
    pub(crate) fn lay() -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let id = std::process::id();
        let nth = BAITS.fetch_add(1, Ordering::Relaxed);
        let canary = std::env::temp_dir().join(format!("jail-probe-canary-{id}-{nth}"));
        std::fs::write(&canary, "canary").map_err(text)?;
        let tcp = TcpListener::bind(("127.0.0.1", 0)).map_err(text)?;
        let port = tcp.local_addr().map_err(text)?.port();
        let socket = format!("jail-probe-{id}-{nth}");
        let address = SocketAddr::from_abstract_name(&socket).map_err(text)?;
        let unix = UnixListener::bind_addr(&address).map_err(text)?;
        // Where the kernel lets only parents trace, this lets anybody: a stronger control.
        // Without that module it is refused, and not needed.
        let any = u64::MAX;
        let _not_needed = raw::call(libc::SYS_prctl, &[libc::PR_SET_PTRACER as u64, any]);
        let place = Place {
            daemon: i32::try_from(id).map_err(|e| e.to_string())?,
            address: (&raw const SECRET) as u64,
            canary,
            workspace: PathBuf::from(jail::WORKSPACE),
            port,
            socket,
        };
        Ok(Self {
            place,
            _tcp: tcp,
            _unix: unix,
        })
    }
}

impl Drop for Bait {
    fn drop(&mut self) {
        // An act that works may have removed it.
        let _removed = std::fs::remove_file(&self.place.canary);
    }
}

/// Does the act in the jail and tells how it ended.
pub(crate) fn outcome(act: Act, template: &Request) -> Result<Outcome, String> {
    let bait = Bait::lay()?;
    let request = Request {
        act: act.name.to_owned(),
        place: bait.place.clone(),
        ..template.clone()
    };
    let mut launched = launch(&request)?;
    match launched.answer()? {
        Some(Answer::Ready(..)) => {}
        Some(Answer::Failed(error)) => return Err(error),
        other => return Err(format!("the inside said {other:?} instead of being ready")),
    }
    let pid = launched.pid.ok_or("the keeper told no process id")?;
    let own = jail::own().map_err(|e| e.to_string())?;
    let observed = jail::observe(pid).map_err(|e| e.to_string())?;
    observed
        .verify(&request.plan, &own)
        .map_err(|e| e.to_string())?;
    launched.go()?;
    let answer = launched.answer()?;
    let status = launched.keeper.wait().map_err(|e| e.to_string())?;
    match (answer, status.code()) {
        (Some(Answer::Ok), _) => Ok(Outcome::Ok),
        (Some(Answer::Refused(errno)), _) => Ok(Outcome::Refused(errno)),
        (None, Some(status)) if status == i32::from(EXECUTED_STATUS) => Ok(Outcome::Ok),
        (None, Some(status)) if status > SIGNALLED => Ok(Outcome::Killed(status - SIGNALLED)),
        (other, status) => Err(format!("the inside said {other:?}, status {status:?}")),
    }
}

/// What the keeper adds to the number of the signal that ended the child.
const SIGNALLED: i32 = 128;

fn launch(request: &Request) -> Result<Launched, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    Launched::start(&mut command(&program), request)
}

/// Confines `times` processes one after the other and prints the medians.
pub(crate) fn cost(times: usize) -> Result<(), String> {
    let mut request = Request::new(jail::Plan::strict(jail::Role::Worker));
    request.act = "nothing".into();
    let mut columns: [Vec<u64>; 5] = Default::default();
    for _ in 0..times {
        let mut launched = launch(&request)?;
        match launched.answer()? {
            Some(Answer::Ready(_, steps)) => {
                let total = steps.iter().sum();
                let figures = steps.into_iter().chain([total]);
                columns.iter_mut().zip(figures).for_each(|(c, f)| c.push(f));
            }
            other => return Err(format!("{other:?}")),
        }
        launched.go()?;
        launched.keeper.wait().map_err(|e| e.to_string())?;
    }
    let names = ["enter", "enter_root", "restrict", "seal", "together"];
    for (name, column) in names.iter().zip(&mut columns) {
        column.sort_unstable();
        let at = |share: usize| column.get(column.len() * share / 100).copied().unwrap_or(0);
        println!("{name:<12} median {:>6} µs   p90 {:>6} µs", at(50), at(90));
    }
    Ok(())
}

/// Turns a step of an act that has a library call into the act's error.
pub(crate) fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
