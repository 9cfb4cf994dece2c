//! Standard streams of a guest: bounded buffers in memory, no descriptor.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use executor::wasm::wire::Stream;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// What a guest may hand over in one write; also bounds what the engine
/// allocates on the guest's behalf.
const WRITE_PERMIT_BYTES: usize = 64 << 10;

/// Keeps the first bytes of a stream and marks what was dropped. The guest
/// never learns that it was cut: it goes on until its other limits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    stream: Stream,
    limit_bytes: usize,
}

impl Sink {
    /// Keep up to `limit_bytes` from now on.
    pub(crate) fn set_limit(&self, limit_bytes: u64) {
        self.kept().limit_bytes = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    }

    /// What was kept; the sink is empty afterwards.
    pub(crate) fn take(&self) -> Stream {
        std::mem::take(&mut self.kept().stream)
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.kept();
        let room = kept.limit_bytes.saturating_sub(kept.stream.bytes.len());
        let (fits, rest) = bytes.split_at(room.min(bytes.len()));
        kept.stream.bytes.extend_from_slice(fits);
        kept.stream.truncated |= !rest.is_empty();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Sink {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Sink {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Sink {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT_BYTES)
    }
}

#[async_trait::async_trait]
impl Pollable for Sink {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
