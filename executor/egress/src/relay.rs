//! Bytes both ways between a guest and a server, counted and timed, never more held than a buffer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::{Instant, sleep};

use crate::exchange::Exchange;
use crate::limits::RELAY_BYTES;
use crate::meter::Way;
use crate::refusal::{Reason, Refusal};
use crate::stream::Connection;

/// Relays until both sides have ended, nothing has moved for `idle`, or the budget is spent.
pub(crate) async fn relay(
    guest: Connection,
    server: Connection,
    exchange: &Arc<Exchange>,
    idle: Duration,
) {
    let moved = Arc::new(AtomicU64::new(0));
    let counted = |inner, way| Counted {
        inner,
        way,
        exchange: Arc::clone(exchange),
        moved: Arc::clone(&moved),
    };
    let mut guest = counted(guest, Way::Out);
    let mut server = counted(server, Way::In);
    let copy = copy_bidirectional_with_sizes(&mut guest, &mut server, RELAY_BYTES, RELAY_BYTES);
    tokio::select! {
        // An end that was not in good order is an end all the same.
        _ = copy => {}
        () = silence(&moved, idle) => {
            let slow = Refusal::new(Reason::Slow, "nothing moved in the tunnel within the limit");
            exchange.cut(&slow);
        }
    }
}

/// Ends when nothing has moved for so long.
async fn silence(moved: &AtomicU64, idle: Duration) {
    let mut before = moved.load(Ordering::Relaxed);
    let mut since = Instant::now();
    loop {
        sleep(idle / 4).await;
        let now = moved.load(Ordering::Relaxed);
        if now != before {
            before = now;
            since = Instant::now();
        } else if since.elapsed() >= idle {
            return;
        }
    }
}

/// A side of a relay whose bytes are counted as they are read.
struct Counted {
    inner: Connection,
    way: Way,
    exchange: Arc<Exchange>,
    moved: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
        let count = buffer.filled().len() - before;
        this.moved.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(this.exchange.count(this.way, count))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.moved.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut this.inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}
