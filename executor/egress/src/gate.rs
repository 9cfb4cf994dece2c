//! Stands between a connection and the HTTP library, and lets only checked bytes through.
//!
//! ```text
//!            ┌──────────── Gate ────────────┐
//!  guest ──► │ Head ─► Body ─► Head ─► …    │ ──► hyper
//!            │   └──► Held (CONNECT, Upgrade)│      │
//!            │   └──► Shut  ── refusal ◄─────┼──────┘ (written when hyper is done)
//!            └──────────────────────────────┘
//! ```
//!
//! A head is released only when it is complete and has passed [`Head::parse`]; then exactly the
//! bytes of its body; then the next head. So the library never sees where two messages could be
//! told apart in two ways, and each request that it hands on has a [`Head`] in [`Heads`]. After a
//! request that leaves HTTP nothing is released until [`Gate::into_inner`]. Time limits are kept
//! here: for a head from its first byte, for all else from the last byte. A refusal is answered
//! and the connection closed.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::chunks::Chunks;
use crate::head::{Framing, Head, forbidden, malformed};
use crate::limits::{Limits, MAX_HEAD_BYTES};
use crate::refusal::{Reason, Refusal};

/// What is read at once.
const READ_BYTES: usize = 16 << 10;

/// What the gate has seen: heads that were released, and why it shut.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    released: Mutex<VecDeque<Head>>,
    refusal: Mutex<Option<Refusal>>,
}

impl Heads {
    /// The head of the next request that the library hands on.
    pub(crate) fn next(&self) -> Option<Head> {
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        released.pop_front()
    }

    /// Why the gate shut, if it did.
    pub(crate) fn take_refusal(&self) -> Option<Refusal> {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.take()
    }

    fn push(&self, head: Head) {
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        released.push_back(head);
    }

    fn refuse(&self, refusal: Refusal) {
        let mut place = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(refusal);
    }
}

/// A connection of which only checked bytes are read.
pub(crate) struct Gate<S> {
    connection: S,
    /// Read, and not yet released.
    inbox: BytesMut,
    state: State,
    heads: Arc<Heads>,
    limits: Limits,
    deadline: Pin<Box<Sleep>>,
    /// What is still to be written before the connection closes.
    parting: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the end of a head, with so many of its bytes looked at.
    Head { seen: usize },
    /// So many bytes of a head may go, and then what follows it.
    Release { left: usize, then: Then },
    /// So many bytes of a body are to come.
    Length { left: u64 },
    /// So many bytes of the inbox may go, and then more chunks.
    Chunks { free: usize, place: Chunks },
    /// The client leaves HTTP; nothing more is released.
    Held,
    /// Refused.
    Shut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Body(Framing),
    Hold,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gate<S> {
    /// A gate before a connection of which `read` was read already.
    pub(crate) fn new(connection: S, read: Bytes, limits: Limits) -> (Self, Arc<Heads>) {
        let heads = Arc::new(Heads::default());
        let gate = Self {
            connection,
            inbox: BytesMut::from(read.as_ref()),
            state: State::Head { seen: 0 },
            heads: Arc::clone(&heads),
            limits,
            deadline: Box::pin(sleep(limits.idle)),
            parting: Bytes::new(),
        };
        (gate, heads)
    }

    /// The connection, and what was read of it beyond the last head.
    pub(crate) fn into_inner(self) -> (S, Bytes) {
        (self.connection, self.inbox.freeze())
    }

    fn shut(&mut self, refusal: Refusal) {
        self.parting = refusal.to_answer();
        self.heads.refuse(refusal);
        self.inbox.clear();
        self.state = State::Shut;
    }

    /// Looks at the bytes of a head that came in since.
    fn look(&mut self, seen: usize) -> State {
        let from = seen.saturating_sub(3);
        if let Some(end) = find_end(self.inbox.get(from..).unwrap_or_default()) {
            return self.complete(from + end);
        }
        match early_fault(&self.inbox, seen) {
            Some(fault) => self.refused(malformed(fault)),
            None if self.inbox.len() > MAX_HEAD_BYTES => self.refused(too_large()),
            None => State::Head {
                seen: self.inbox.len(),
            },
        }
    }

    fn complete(&mut self, end: usize) -> State {
        if end > MAX_HEAD_BYTES {
            return self.refused(too_large());
        }
        match Head::parse(self.inbox.get(..end).unwrap_or_default()) {
            Err(refusal) => self.refused(refusal),
            Ok(head) => {
                let then = if head.leaves_http() {
                    Then::Hold
                } else {
                    Then::Body(head.framing)
                };
                self.heads.push(head);
                State::Release { left: end, then }
            }
        }
    }

    fn refused(&mut self, refusal: Refusal) -> State {
        self.shut(refusal);
        State::Shut
    }

    /// What may be handed on of the inbox now.
    fn free(&self) -> usize {
        match self.state {
            State::Release { left, .. } => left,
            State::Length { left } => usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(self.inbox.len()),
            State::Chunks { free, .. } => free,
            State::Head { .. } | State::Held | State::Shut => 0,
        }
    }

    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.free().min(buffer.remaining()).min(self.inbox.len());
        if let Some(bytes) = self.inbox.get(..count) {
            buffer.put_slice(bytes);
        }
        self.inbox.advance(count);
        self.state = self.state.after(count);
    }

    /// Reads more into the inbox; `Ready(0)` at the end of the stream.
    fn fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0_u8; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        match Pin::new(&mut self.connection).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => {
                let first = self.inbox.is_empty();
                self.inbox.extend_from_slice(buffer.filled());
                self.restart_clock(first);
                Poll::Ready(Ok(buffer.filled().len()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.late(context),
        }
    }

    /// A head has its time from its first byte, everything else from its last.
    fn restart_clock(&mut self, first: bool) {
        let time = match self.state {
            State::Head { .. } if first => self.limits.head,
            State::Head { .. } => return,
            State::Release { .. }
            | State::Length { .. }
            | State::Chunks { .. }
            | State::Held
            | State::Shut => self.limits.idle,
        };
        self.deadline.as_mut().reset(Instant::now() + time);
    }

    /// At the deadline the gate shuts. Within a body, whoever forwards it hears of it.
    fn late(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(Future::poll(self.deadline.as_mut(), context));
        let refusal = Refusal::new(
            Reason::Slow,
            "the request did not come within its time limit",
        );
        match self.state {
            // Nothing was asked: an idle connection closes without a word.
            State::Head { .. } if self.inbox.is_empty() => self.state = State::Shut,
            State::Head { .. } => self.shut(refusal),
            State::Shut => {}
            State::Release { .. } | State::Length { .. } | State::Chunks { .. } | State::Held => {
                self.state = State::Shut;
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Poll::Ready(Ok(0))
    }

    /// The end of the stream: in good order between two requests only.
    fn ended(&mut self) -> io::Result<()> {
        match self.state {
            State::Head { .. } if self.inbox.is_empty() => Ok(()),
            State::Shut => Ok(()),
            State::Head { .. } => {
                self.shut(malformed("the connection ended within a head"));
                Ok(())
            }
            State::Release { .. } | State::Length { .. } | State::Chunks { .. } | State::Held => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

impl State {
    fn after(self, count: usize) -> Self {
        match self {
            Self::Release { left, then } if left <= count => match then {
                Then::Hold => Self::Held,
                Then::Body(Framing::Length(0)) => Self::Head { seen: 0 },
                Then::Body(Framing::Length(left)) => Self::Length { left },
                Then::Body(Framing::Chunked) => Self::Chunks {
                    free: 0,
                    place: Chunks::START,
                },
            },
            Self::Release { left, then } => Self::Release {
                left: left - count,
                then,
            },
            Self::Length { left } => {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                match left.saturating_sub(count) {
                    0 => Self::Head { seen: 0 },
                    left => Self::Length { left },
                }
            }
            Self::Chunks { free, place } => match (free.saturating_sub(count), place) {
                (0, Chunks::Done) => Self::Head { seen: 0 },
                (free, place) => Self::Chunks { free, place },
            },
            Self::Head { .. } | Self::Held | Self::Shut => self,
        }
    }
}

/// The length of a head that ends in these bytes.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

/// What can be said before a head is complete, so that nobody waits for the rest of it.
fn early_fault(inbox: &[u8], seen: usize) -> Option<&'static str> {
    if inbox.first().is_some_and(|b| !b.is_ascii_uppercase()) {
        return Some("a request begins with `METHOD target HTTP/1.1`");
    }
    let before = seen.saturating_sub(1);
    let fresh = inbox.get(before..).unwrap_or_default();
    let bare = fresh
        .windows(2)
        .any(|pair| matches!(pair, [b, b'\n'] if *b != b'\r'));
    if bare {
        return Some("a line ends in CRLF, and neither stands alone");
    }
    fresh.iter().copied().find_map(forbidden)
}

fn too_large() -> Refusal {
    let detail = format!("a request's head has at most {MAX_HEAD_BYTES} bytes");
    Refusal::new(Reason::TooLarge, detail)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        loop {
            match gate.state {
                State::Held => return Poll::Pending,
                State::Shut => return Poll::Ready(Ok(())),
                State::Head { seen } if gate.inbox.len() > seen => {
                    gate.state = gate.look(seen);
                    continue;
                }
                State::Chunks { free: 0, mut place } if !gate.inbox.is_empty() => {
                    let free = place.take(&gate.inbox).map_err(|_| not_chunked(gate))?;
                    gate.state = State::Chunks { free, place };
                }
                State::Head { .. }
                | State::Release { .. }
                | State::Length { .. }
                | State::Chunks { .. } => {}
            }
            if gate.free() > 0 {
                gate.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            if ready!(gate.fill(context))? == 0 {
                return Poll::Ready(gate.ended());
            }
        }
    }
}

/// Whoever forwards the body hears of it, and says why.
fn not_chunked<S>(gate: &mut Gate<S>) -> io::Error {
    gate.state = State::Shut;
    io::ErrorKind::InvalidData.into()
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().connection).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        while !gate.parting.is_empty() {
            let written =
                ready!(Pin::new(&mut gate.connection).poll_write(context, &gate.parting))?;
            if written == 0 {
                break;
            }
            gate.parting.advance(written);
        }
        Pin::new(&mut gate.connection).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().connection).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}
