//! One worker of the pool: sends a call, waits for its answer, and knows when to
//! stop waiting.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::jailed::{Jailed, StartError, describe};
use super::wire::{Answer, Call, MAX_ANSWER_FRAME_BYTES, decode_frame, encode_frame, frame_length};
use crate::outcome::Ending;

/// What a worker gets beyond the call's own time before it is killed: it ends
/// its guest by itself, collects the files and answers.
const GRACE: Duration = Duration::from_secs(2);

/// How long a worker that closed its socket may take to be gone.
const END_WAIT: Duration = Duration::from_millis(500);

/// A worker that is ready for a call.
#[derive(Debug)]
pub(crate) struct Worker {
    jailed: Jailed,
    socket: UnixStream,
    pub(crate) about: Arc<About>,
    pub(crate) calls: u32,
}

/// What receipts say of a worker; the same for all of its calls.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) runtime: Arc<crate::receipt::RuntimeReceipt>,
    pub(crate) layers: Arc<[&'static str]>,
    pub(crate) reported: Arc<jail::Report>,
    pub(crate) observed: Arc<jail::Observed>,
}

impl Worker {
    /// Take over a started worker.
    ///
    /// # Errors
    /// When the socket cannot be used without blocking.
    pub(crate) fn new(jailed: Jailed, about: About) -> Result<Self, StartError> {
        let socket = jailed.socket.try_clone().and_then(|socket| {
            socket.set_nonblocking(true)?;
            UnixStream::from_std(socket)
        });
        let socket = socket.map_err(|error| StartError::Ended {
            said: error.to_string(),
        })?;
        Ok(Self {
            jailed,
            socket,
            about: Arc::new(about),
            calls: 0,
        })
    }

    /// Whether its process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.jailed.is_alive()
    }

    /// The confined process, as the host numbers it.
    pub(crate) fn pid(&self) -> u32 {
        self.jailed.pid
    }

    /// Send the call and wait: for the answer, for the end of its time, or for
    /// somebody to cancel it. `sent` runs when the call is on its way.
    pub(crate) async fn call(
        &mut self,
        call: &Call,
        cancel: &CancellationToken,
        sent: impl FnOnce(u32),
    ) -> Result<Answer, Ending> {
        self.calls = self.calls.saturating_add(1);
        let wall = Duration::from_millis(call.limits.wall_ms).saturating_add(GRACE);
        let pid = self.pid();
        let exchange = async {
            let frame = encode_frame(call)?;
            self.socket.write_all(&frame).await?;
            sent(pid);
            read_answer(&mut self.socket).await
        };
        let lost = tokio::select! {
            answer = exchange => match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            },
            () = cancel.cancelled() => return Err(Ending::Cancelled),
            () = tokio::time::sleep(wall) => return Err(Ending::TimedOut),
        };
        Err(self.why_lost(&lost))
    }

    fn why_lost(&mut self, error: &io::Error) -> Ending {
        // A worker that is gone closes its socket first and ends a moment later.
        let status = tokio::task::block_in_place(|| self.jailed.ended_by_itself(END_WAIT));
        Ending::Killed(match status {
            Some(status) => format!("the worker is gone: {}", describe(status)),
            None => format!("the worker broke off: {error}"),
        })
    }
}

async fn read_answer(socket: &mut UnixStream) -> io::Result<Answer> {
    let mut head = [0; 4];
    socket.read_exact(&mut head).await?;
    let mut body = vec![0; frame_length(head, MAX_ANSWER_FRAME_BYTES)?];
    socket.read_exact(&mut body).await?;
    decode_frame(&body)
}
