//! The first process of a container that has one way out.
//!
//! ```text
//!  helper -- COMMAND…
//!    127.0.0.1:3128 ◄── HTTP_PROXY … programs      (relay thread: bytes, nothing read)
//!         └──► /run/lazaret/egress.sock ──► the daemon's proxy
//! ```
//!
//! It brings the loopback up if it must, offers the proxy there, starts the command with the
//! variables that programs find a proxy by, hands signals on, reaps what is orphaned, and exits as
//! the command did: its status, or 128 and its signal. It decides nothing and reads nothing: what may
//! go out is judged on the other side of the socket. Exit codes of its own: 125 when it cannot do
//! its work, 126 and 127 when the command cannot be started, as shells have them.

mod child;
mod environment;
mod loopback;
mod relay;

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use thiserror::Error;

/// Where the daemon mounts its directory.
const DIRECTORY: &str = "/run/lazaret";

/// The socket in that directory.
const SOCKET: &str = "egress.sock";

/// The port of the proxy inside the container: the usual one of proxies.
const PORT: u16 = 3128;

/// What stops the helper before the command runs.
#[derive(Debug, Error)]
enum Failure {
    #[error("write `helper [--directory DIR] -- COMMAND [ARGUMENT…]`")]
    Usage,
    #[error(
        "the loopback cannot be brought up ({0}); start the container with it, or with CAP_NET_ADMIN"
    )]
    Loopback(nix::Error),
    #[error("127.0.0.1:{PORT} cannot be listened on ({0}); leave that port to the proxy")]
    Listen(io::Error),
    #[error("the system refuses what the helper needs: {0}")]
    System(#[from] nix::Error),
    #[error("`{}` cannot be started: {source}", command.display())]
    Command { command: PathBuf, source: io::Error },
}

/// The command line, read.
struct Line {
    directory: PathBuf,
    command: OsString,
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("lazaret-helper: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run() -> Result<u8, Failure> {
    let line = Line::parse(std::env::args_os().skip(1)).ok_or(Failure::Usage)?;
    // Before any thread, so that all threads leave signals to the one that waits for them.
    let signals = child::block_signals()?;
    let listener = listen()?;
    relay::start(listener, line.directory.join(SOCKET)).map_err(Failure::Listen)?;
    let variables = environment::variables(PORT, &line.directory);
    let child = child::start(&line.command, &line.arguments, variables).map_err(|source| {
        let command = PathBuf::from(&line.command);
        Failure::Command { command, source }
    })?;
    Ok(child::wait(child, &signals)?)
}

/// On the loopback, which a new network namespace has but does not use.
fn listen() -> Result<TcpListener, Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    if !has_route(address) {
        loopback::up().map_err(Failure::Loopback)?;
    }
    TcpListener::bind(address).map_err(Failure::Listen)
}

/// Whether the address is reached at all. To connect a datagram socket asks for the route and sends
/// nothing; to listen alone is possible on a loopback that is down.
fn has_route(address: SocketAddr) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    socket.and_then(|socket| socket.connect(address)).is_ok()
}

impl Line {
    fn parse(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut directory = Path::new(DIRECTORY).to_owned();
        loop {
            let word = words.next()?;
            match word.to_str()? {
                "--" => break,
                "--directory" => directory = words.next()?.into(),
                _ => return None,
            }
        }
        Some(Self {
            directory,
            command: words.next()?,
            arguments: words.collect(),
        })
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage | Self::Loopback(_) | Self::Listen(_) | Self::System(_) => 125,
            Self::Command { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Self::Command { .. } => 126,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Option<Line> {
        Line::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn the_command_stands_after_two_dashes() {
        let line = parse(&["--", "sh", "-c", "--"]).unwrap();
        assert_eq!(line.command, "sh");
        assert_eq!(line.arguments, ["-c", "--"]);
        assert_eq!(line.directory, Path::new(DIRECTORY));
        let line = parse(&["--directory", "/tmp", "--", "true"]).unwrap();
        assert_eq!(line.directory, Path::new("/tmp"));
        for words in [
            &[][..],
            &["--"],
            &["true"],
            &["--directory"],
            &["-x", "--", "true"],
        ] {
            assert!(parse(words).is_none(), "{words:?}");
        }
    }
}
