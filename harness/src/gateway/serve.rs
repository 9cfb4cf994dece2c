//! Listening, and stopping in good order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{Gate, Token, router};
use crate::config::Config;
use crate::core::Harness;

/// After cancelling, workers are killed and outcomes written: this long at most.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Connections at once; more wait to be taken. Each costs a descriptor and some
/// kilobytes; hosts give a process 1,024 descriptors and more.
const MAX_CONNECTIONS: usize = 512;

/// How long a client may take to send the head of a request; an idle connection is
/// closed after it.
const HEAD_WAIT: Duration = Duration::from_secs(15);

/// Header fields of a request.
const MAX_HEADERS: usize = 64;

/// The head of a request, and what is read of a body at once.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Before the next try when a connection could not be taken, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers get to leave when the daemon stops.
const ANSWER_WAIT: Duration = Duration::from_millis(200);

/// A daemon that is bound to its address.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    gate: Gate,
    drain: Duration,
}

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The address that was bound cannot be read.
    #[error("the address of the listener cannot be read: {0}")]
    Address(io::Error),
}

impl Bound {
    /// Bind the configured address.
    ///
    /// # Errors
    /// When the address is taken or not this machine's.
    pub async fn bind(config: &Config, harness: Harness, token: Token) -> Result<Self, ServeError> {
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Listen { address, source })?;
        let gate = Gate::new(harness, token, config.body_bytes);
        Ok(Self {
            listener,
            gate,
            drain: Duration::from_millis(config.drain_ms),
        })
    }

    /// The address, with the port that the kernel chose if none was named.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn address(&self) -> Result<SocketAddr, ServeError> {
        self.listener.local_addr().map_err(ServeError::Address)
    }

    /// Serve until `stop`; then take no new connection, let running calls end for a
    /// while, cancel what is left, and give their answers a moment to leave.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) {
        let harness = self.gate.harness.clone();
        let drain = self.drain;
        let open = GracefulShutdown::new();
        tokio::select! {
            () = self.accept(&open) => {}
            () = stop => {}
        }
        let mut closing = std::pin::pin!(open.shutdown());
        tokio::select! {
            () = &mut closing => return,
            () = answered(&harness) => return,
            () = tokio::time::sleep(drain) => harness.cancel(),
        }
        tokio::select! {
            () = closing => {}
            () = answered(&harness) => {}
            () = tokio::time::sleep(LAST_WORDS) => {}
        }
    }

    /// Take connections for ever, at most [`MAX_CONNECTIONS`] at once.
    async fn accept(self, open: &GracefulShutdown) {
        let service = TowerToHyperService::new(router(self.gate));
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // Closed by nobody, so a permit always comes.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // An answer must not wait for the client's acknowledgement of its head.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WAIT)
                .max_headers(MAX_HEADERS)
                .max_buf_size(MAX_HEAD_BYTES)
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service.clone());
            let connection = open.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection broke off");
                }
                drop(permit);
            });
        }
    }
}

/// No call runs, and the last answers had a moment to leave.
async fn answered(harness: &Harness) {
    harness.calls_over().await;
    tokio::time::sleep(ANSWER_WAIT).await;
}
