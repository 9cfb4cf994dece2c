//! The daemon's half: starts the probe in a worker's place and speaks to it.
//!
//! This is how the executor starts a worker, in small: the control socket is the worker's
//! descriptor 0, the pipe for the process id its descriptor 1.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::wire::{Answer, GO, Request};

/// A probe in the jail: its keeper is the daemon's child.
pub(crate) struct Launched {
    pub(crate) keeper: Child,
    pub(crate) control: BufReader<UnixStream>,
    /// The jailed process as the host counts it; `None` when it never got that far.
    pub(crate) pid: Option<u32>,
}

/// No step of the probe takes this long.
const ANSWER_MAX: Duration = Duration::from_secs(20);

impl Launched {
    /// Starts `program inside` and sends it the request.
    pub(crate) fn start(program: &mut Command, request: &Request) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let (ours, theirs) = UnixStream::pair().map_err(text)?;
        ours.set_read_timeout(Some(ANSWER_MAX)).map_err(text)?;
        let mut keeper = program
            .arg("inside")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .spawn()
            .map_err(text)?;
        // The command holds the other end of the socket as long as it lives.
        program.stdin(Stdio::null());
        let mut control = BufReader::new(ours);
        let mut line = serde_json::to_string(request).map_err(|e| e.to_string())?;
        line.push('\n');
        control.get_mut().write_all(line.as_bytes()).map_err(text)?;
        let mut pid = [0; 4];
        let told = keeper
            .stdout
            .take()
            .map(|mut pipe| pipe.read_exact(&mut pid));
        let pid = matches!(told, Some(Ok(()))).then(|| u32::from_le_bytes(pid));
        Ok(Self {
            keeper,
            control,
            pid,
        })
    }

    /// Lets the act begin.
    pub(crate) fn go(&mut self) -> Result<(), String> {
        self.control
            .get_mut()
            .write_all(&[GO])
            .map_err(|e| e.to_string())
    }

    /// The next answer; `None` when the probe ended.
    pub(crate) fn answer(&mut self) -> Result<Option<Answer>, String> {
        let mut line = String::new();
        let read = self.control.read_line(&mut line);
        match read {
            Ok(0) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error.to_string()),
            Ok(_) => serde_json::from_str(&line)
                .map(Some)
                .map_err(|e| e.to_string()),
        }
    }
}

/// A command that starts `program` with nothing of this process's environment.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    command
}
