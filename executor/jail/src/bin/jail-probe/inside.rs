//! The probe in a worker's place: confines itself as a worker does, then does the act.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use jail::{JailError, Report, Restricted};
use nix::errno::Errno;

use crate::acts::{self, Act};
use crate::raw;
use crate::wire::{Answer, Place, Request, Runner};

/// More than any request needs.
const REQUEST_MAX_BYTES: usize = 64 << 10;

/// The status of a probe that could not confine itself.
const NOT_CONFINED: u8 = 125;

/// Reads the request from descriptor 0, confines itself, does the act, answers.
pub(crate) fn serve() -> Result<ExitCode, String> {
    let request = read_request()?;
    let act = acts::all().into_iter().find(|act| act.name == request.act);
    let act = act.ok_or_else(|| format!("no act is called `{}`", request.act))?;
    let Confined {
        report,
        times,
        helper,
    } = match confine(&request, act) {
        Ok(confined) => confined,
        Err(error) => {
            tell(&Answer::Failed(error.to_string()))?;
            return Ok(ExitCode::from(NOT_CONFINED));
        }
    };
    tell(&Answer::Ready(Box::new(report), times))?;
    // The daemon looks at the process from outside, as it would at a worker.
    let go = [0_u8];
    raw::call(libc::SYS_read, &[0, go.as_ptr() as u64, 1]).map_err(|e| e.to_string())?;
    let result = match request.on {
        Runner::First => (act.run)(&request.place),
        Runner::Helper => helper.perform(),
    };
    tell(&result.map_or_else(|errno| Answer::Refused(errno as i32), |()| Answer::Ok))?;
    Ok(ExitCode::SUCCESS)
}

struct Confined {
    report: Report,
    times: [u64; 4],
    helper: Helper,
}

/// The sequence as a worker walks it, with the clock beside.
fn confine(request: &Request, act: Act) -> Result<Confined, JailError> {
    let step = |step| move |source| JailError::Step { step, source };
    let keeper_fd = std::io::stdout().as_fd().try_clone_to_owned();
    let keeper_fd = keeper_fd.map_err(step("duplicating the keeper's pipe"))?;

    let start = Instant::now();
    let inside = jail::enter(&request.plan, keeper_fd)?;
    // Descriptor 1 was the pipe for the process id; a worker has its module there.
    nix::unistd::dup2_stdout(std::io::stderr())
        .map_err(|error| step("giving up the keeper's pipe")(error.into()))?;
    let entered = Instant::now();
    let rooted = inside.enter_root()?;
    let has_root = Instant::now();
    let restricted = rooted.restrict()?;
    let is_restricted = Instant::now();
    let helper = Helper::start(&restricted, act, request.place.clone())?;
    let before_seal = Instant::now();
    let report = restricted.seal()?;
    let times = [
        entered - start,
        has_root - entered,
        is_restricted - has_root,
        before_seal.elapsed(),
    ];
    Ok(Confined {
        report,
        times: times.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        helper,
    })
}

/// A thread that was started before the process was sealed, as a worker's epoch thread.
struct Helper {
    go: Sender<()>,
    result: Receiver<Result<(), Errno>>,
}

impl Helper {
    fn start(restricted: &Restricted, act: Act, place: Place) -> Result<Self, JailError> {
        let (go, told) = channel::<()>();
        let (answers, result) = channel();
        restricted.start_thread("helper", move || {
            if told.recv().is_ok() {
                // Nobody listens only when the process ends.
                let _gone = answers.send((act.run)(&place));
            }
        })?;
        Ok(Self { go, result })
    }

    fn perform(&self) -> Result<(), Errno> {
        self.go.send(()).map_err(|_| Errno::EPIPE)?;
        self.result.recv().map_err(|_| Errno::EPIPE)?
    }
}

/// The control socket for as long as it is used: `enter` closes every copy.
fn control() -> Result<UnixStream, String> {
    let copy = std::io::stdin().as_fd().try_clone_to_owned();
    copy.map(UnixStream::from).map_err(|e| e.to_string())
}

fn tell(answer: &Answer) -> Result<(), String> {
    let mut line = serde_json::to_string(answer).map_err(|e| e.to_string())?;
    line.push('\n');
    // On descriptor 0 itself: an act may have used up all others.
    let args = [0, line.as_ptr() as u64, line.len() as u64];
    match raw::call(libc::SYS_write, &args).map(usize::try_from) {
        Ok(Ok(wrote)) if wrote == line.len() => Ok(()),
        other => Err(format!("the answer was not sent: {other:?}")),
    }
}

fn read_request() -> Result<Request, String> {
    let mut control = control()?;
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < REQUEST_MAX_BYTES {
        control.read_exact(&mut byte).map_err(|e| e.to_string())?;
        if byte == *b"\n" {
            return serde_json::from_slice(&line).map_err(|e| e.to_string());
        }
        line.extend_from_slice(&byte);
    }
    Err("the request is too long".into())
}
