//! The first process of a container: says what it sees, waits for one program, runs it, hands
//! out its streams and files, and ends; with it everything that is left in the container. While the
//! program runs it offers the way out, if there is one.
//!
//! It holds no authority and keeps no secret: it is the same user as the guest. What keeps the
//! guest in is set from outside before this starts, and compared by the daemon. It stands in
//! the image as one static file, because an image need have no C library. When the daemon is
//! gone its standard input ends, and so does it.

mod collect;
mod lay_out;
mod relay;
mod report;
mod run;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use container_init::{MAX_START_BYTES, Said, Start, read_frame, write_frame};
use nix::unistd::{Pid, getpid};

/// The first process of a process namespace.
const FIRST: Pid = Pid::from_raw(1);

/// Standard output, shared by those who send frames.
#[derive(Clone)]
pub(crate) struct Sender(Arc<Mutex<io::Stdout>>);

impl Sender {
    /// Send one frame.
    pub(crate) fn send(&self, said: &Said) -> io::Result<()> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write_frame(&mut *out, said)
    }
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it; the exit status says it too.
            let _told = writeln!(io::stderr(), "lazaret-init: {error}").is_ok();
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    // It ends whatever it may signal: as any other process it would end what is not its own.
    if getpid() != FIRST {
        return Err(io::Error::other(
            "is the first process of a container, and nothing else",
        ));
    }
    // No other process of this user may look into this one, or write to its output.
    nix::sys::prctl::set_dumpable(false)?;
    let sender = Sender(Arc::new(Mutex::new(io::stdout())));
    sender.send(&Said::Ready(report::report()?))?;
    let start: Start = read_frame(&mut io::stdin().lock(), MAX_START_BYTES)?;
    let ended = match prepare(&start) {
        Ok(()) => run::run(&start, &sender)?,
        Err(why) => run::not_started(why),
    };
    sender.send(&Said::Ended(ended))?;
    collect::collect(&start.collect, start.limits, &sender)?;
    sender.send(&Said::Done)
}

/// What the program finds when it starts: its files, and the way out if it has one.
fn prepare(start: &Start) -> Result<(), String> {
    lay_out::lay_out(&start.files)
        .map_err(|error| format!("the files cannot be laid out: {error}"))?;
    match &start.egress_socket {
        None => Ok(()),
        Some(socket) => relay::offer(socket.into())
            .map_err(|error| format!("the way out cannot be offered: {error}")),
    }
}
