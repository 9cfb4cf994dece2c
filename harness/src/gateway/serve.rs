//! Listening, and stopping in good order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use super::{Gate, Token, router};
use crate::config::Config;
use crate::core::Harness;

/// After cancelling, workers are killed and outcomes written: this long at most.
const LAST_WORDS: Duration = Duration::from_secs(10);

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
    /// Serving broke off.
    #[error("serving broke off: {0}")]
    Serve(io::Error),
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
        let gate = Gate {
            harness,
            token,
            body_bytes: config.body_bytes,
        };
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
        self.listener.local_addr().map_err(ServeError::Serve)
    }

    /// Serve until `stop`; then take no new connection, let running calls end for a
    /// while, and cancel what is left.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let Self {
            listener,
            gate,
            drain,
        } = self;
        let harness = gate.harness.clone();
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let stop = async move {
            stop.await;
            // The other side is gone only when serving has ended by itself.
            let _told = stopping.send(()).is_ok();
        };
        // An answer must not wait for the client's acknowledgement of its head.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
        });
        let serving = axum::serve(listener, router(gate)).with_graceful_shutdown(stop);
        let mut serving = tokio::spawn(async move { serving.await });
        let ended = tokio::select! {
            ended = &mut serving => ended,
            () = drained(stopped, drain) => {
                harness.cancel();
                match tokio::time::timeout(LAST_WORDS, &mut serving).await {
                    Ok(ended) => ended,
                    // Idle connections that nobody closes; their calls have ended.
                    Err(_) => return Ok(()),
                }
            }
        };
        ended
            .map_err(io::Error::other)
            .and_then(|served| served)
            .map_err(ServeError::Serve)
    }
}

/// Ends when running calls have had their time after the stop.
async fn drained(stopped: tokio::sync::oneshot::Receiver<()>, drain: Duration) {
    if stopped.await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(drain).await;
}
