//! Copies bytes between the loopback and the socket of the way out. One thread for all connections,
//! so that they do not count against the container's limit of processes.
//!
//! Each direction holds at most a buffer; who does not read is waited for. A connection that
//! cannot be made is answered with an HTTP 502, so that programs say something clear. A fault of
//! one connection ends that one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use container_init::PROXY_PORT;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// As many as a budget of the proxy is likely to have, and room. Further ones wait in the kernel.
const MAX_CONNECTIONS: usize = 512;

/// What one direction holds.
const BUFFER_BYTES: usize = 16 << 10;

/// The thread needs little.
const STACK_BYTES: usize = 256 << 10;

/// When the system gives no further descriptors.
const BREATH: Duration = Duration::from_millis(20);

const UNREACHABLE: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\ncontent-length: 61\r\nconnection: close\r\n\r\nthe way out of this sandbox is closed: no proxy is listening\n";

/// Offers the proxy behind `socket` on the container's loopback, for as long as this process lives.
pub(crate) fn offer(socket: PathBuf) -> io::Result<()> {
    start(
        TcpListener::bind((Ipv4Addr::LOCALHOST, PROXY_PORT))?,
        socket,
    )
}

/// Relays in a thread of its own from now on.
fn start(listener: TcpListener, socket: PathBuf) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    thread::Builder::new()
        .name("relay".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || run(&listener, &socket))?;
    Ok(())
}

/// Ends with the process.
fn run(listener: &TcpListener, socket: &Path) {
    let mut pairs: Vec<Pair> = Vec::new();
    loop {
        let Some(ready) = wait(listener, &pairs) else {
            thread::sleep(BREATH);
            continue;
        };
        let mut moves = ready.pairs.into_iter();
        pairs.retain_mut(|pair| !moves.next().unwrap_or(false) || pair.step());
        if ready.accepts {
            accept(listener, socket, &mut pairs);
        }
    }
}

/// Who has something to do.
struct Ready {
    accepts: bool,
    /// In the order of the pairs.
    pairs: Vec<bool>,
}

/// Waits for descriptors of which something is wanted; of others a hang-up would be told for ever.
/// None when the system cannot say.
fn wait(listener: &TcpListener, pairs: &[Pair]) -> Option<Ready> {
    let mut polled = Vec::with_capacity(pairs.len() * 2 + 1);
    let mut whose = Vec::with_capacity(pairs.len() * 2);
    for (index, pair) in pairs.iter().enumerate() {
        for (fd, flags) in pair.wanted() {
            if !flags.is_empty() {
                polled.push(PollFd::new(fd, flags));
                whose.push(index);
            }
        }
    }
    if pairs.len() < MAX_CONNECTIONS {
        polled.push(PollFd::new(listener.as_fd(), PollFlags::POLLIN));
    }
    poll(&mut polled, PollTimeout::NONE).ok()?;
    let mut ready = Ready {
        accepts: false,
        pairs: vec![false; pairs.len()],
    };
    for (at, fd) in polled.iter().enumerate() {
        // An event that has no name here is one all the same: to look is never wrong, since
        // nothing blocks, and to look away could leave a pair for ever.
        let is_ready = fd.any().unwrap_or(true);
        match whose.get(at).and_then(|index| ready.pairs.get_mut(*index)) {
            Some(pair) => *pair |= is_ready,
            None => ready.accepts = is_ready,
        }
    }
    Some(ready)
}

fn accept(listener: &TcpListener, socket: &Path, pairs: &mut Vec<Pair>) {
    match listener.accept() {
        Ok((inside, _)) => match Pair::new(inside, socket) {
            Ok(pair) => pairs.push(pair),
            Err(error) => eprintln!("lazaret-init: a connection is dropped: {error}"),
        },
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(_) => thread::sleep(BREATH),
    }
}

/// A connection of a program, and the one to the proxy.
struct Pair {
    inside: TcpStream,
    outside: UnixStream,
    out: Direction,
    back: Direction,
}

impl Pair {
    fn new(mut inside: TcpStream, socket: &Path) -> io::Result<Self> {
        let outside = UnixStream::connect(socket).inspect_err(|_| {
            // Whoever does not read it has gone, and needs no answer.
            drop(inside.write_all(UNREACHABLE));
        })?;
        inside.set_nonblocking(true)?;
        inside.set_nodelay(true)?;
        outside.set_nonblocking(true)?;
        Ok(Self {
            inside,
            outside,
            out: Direction::new(),
            back: Direction::new(),
        })
    }

    /// What is waited for on either side.
    fn wanted(&self) -> [(BorrowedFd<'_>, PollFlags); 2] {
        let flags = |reads: &Direction, writes: &Direction| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, reads.takes());
            flags.set(PollFlags::POLLOUT, writes.holds());
            flags
        };
        [
            (self.inside.as_fd(), flags(&self.out, &self.back)),
            (self.outside.as_fd(), flags(&self.back, &self.out)),
        ]
    }

    /// Moves what can be moved. False when the connection is over.
    fn step(&mut self) -> bool {
        let moved = self
            .out
            .step(&mut self.inside, &mut self.outside)
            .and_then(|()| self.back.step(&mut self.outside, &mut self.inside));
        moved.is_ok() && !(self.out.is_over() && self.back.is_over())
    }
}

/// One way of a connection.
struct Direction {
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The reader has ended; what is held is still to be written.
    Ending,
    Over,
}

/// What can be told that no more will come.
trait HalfClose {
    fn end(&self) -> io::Result<()>;
}

impl HalfClose for TcpStream {
    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl HalfClose for UnixStream {
    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Direction {
    fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            from: 0,
            to: 0,
            state: State::Open,
        }
    }

    fn holds(&self) -> bool {
        self.from < self.to
    }

    fn takes(&self) -> bool {
        self.state == State::Open && !self.holds()
    }

    fn is_over(&self) -> bool {
        self.state == State::Over
    }

    fn step(
        &mut self,
        reader: &mut impl Read,
        writer: &mut (impl Write + HalfClose),
    ) -> io::Result<()> {
        if self.takes() {
            match reader.read(&mut self.buffer) {
                Ok(0) => self.state = State::Ending,
                Ok(count) => (self.from, self.to) = (0, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if self.holds() {
            match writer.write(self.buffer.get(self.from..self.to).unwrap_or_default()) {
                Ok(count) => self.from += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if self.state == State::Ending && !self.holds() {
            writer.end()?;
            self.state = State::Over;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn connected(answer: &'static [u8]) -> TcpStream {
        let directory = std::env::temp_dir().join(format!(
            "lazaret-relay-{}-{}",
            std::process::id(),
            answer.len()
        ));
        std::fs::create_dir_all(&directory).unwrap();
        let socket = directory.join("egress.sock");
        let proxy = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = proxy.accept().unwrap();
            let mut asked = Vec::new();
            stream.read_to_end(&mut asked).unwrap();
            stream.write_all(&asked).unwrap();
            stream.write_all(answer).unwrap();
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        start(listener, socket).unwrap();
        TcpStream::connect(address).unwrap()
    }

    #[test]
    fn bytes_come_back_after_the_end_of_what_was_asked() {
        let mut stream = connected(b"end");
        let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut writer = stream.try_clone().unwrap();
        let copy = sent.clone();
        let writing = thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        writing.join().unwrap();
        assert_eq!(back.len(), sent.len() + 3);
        assert!(back.starts_with(&sent) && back.ends_with(b"end"));
    }

    #[test]
    fn no_proxy_is_said_in_http() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        start(listener, "/nowhere/egress.sock".into()).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 502 "));
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        assert_eq!(body.len(), 61);
    }
}
