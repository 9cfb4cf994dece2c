//! The first process of a container: says what it sees, waits for one program, runs it, hands
//! out its streams and files, and ends; with it everything that is left in the container.
//!
//! It holds no authority and keeps no secret: it is the same user as the guest. What keeps the
//! guest in is set from outside before this starts, and compared by the daemon. It stands in
//! the image as one static file, because an image need have no C library. When the daemon is
//! gone its standard input ends, and so does it.

mod collect;
mod lay_out;
mod report;
mod run;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use container_init::{MAX_START_BYTES, Said, Start, read_frame, write_frame};

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
    // No other process of this user may look into this one, or write to its output.
    nix::sys::prctl::set_dumpable(false)?;
    let sender = Sender(Arc::new(Mutex::new(io::stdout())));
    sender.send(&Said::Ready(report::report()?))?;
    let start: Start = read_frame(&mut io::stdin().lock(), MAX_START_BYTES)?;
    let ended = match lay_out::lay_out(&start.files) {
        Ok(()) => run::run(&start, &sender)?,
        Err(error) => run::not_started(format!("the files cannot be laid out: {error}")),
    };
    sender.send(&Said::Ended(ended))?;
    collect::collect(&start.collect, start.limits, &sender)?;
    sender.send(&Said::Done)
}
