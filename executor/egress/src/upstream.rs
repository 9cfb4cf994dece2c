//! Connections to servers: only to addresses that were checked, and to nothing that a name says
//! later.
//!
//! An address is tried after the other, each within its limit. TLS is checked against the host
//! that was asked for. A connection is kept for the next request of the same guest connection to the
//! same place, which is judged anew before it is used. Fails with a [`Refusal`].

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::{Authority, Host};
use crate::judge::Scheme;
use crate::limits::{Limits, MAX_HEADERS};
use crate::refusal::{Reason, Refusal};
use crate::stream::Connection;
use crate::tls::server_name;

/// Addresses of one host that are tried.
const MAX_TRIES: usize = 4;

/// How long a connection may take to be ready again after an answer.
const SETTLE: Duration = Duration::from_millis(50);

/// What the head of a server's answer may hold.
const MAX_ANSWER_HEAD_BYTES: usize = 256 << 10;

/// A connection to a server.
pub(crate) struct Server {
    pub(crate) stream: Connection,
    pub(crate) address: SocketAddr,
    /// The host that the certificate was checked for.
    pub(crate) tls_host: Option<Host>,
}

/// Connects to the first of the addresses that takes the connection.
pub(crate) async fn connect(
    authority: &Authority,
    addresses: &[IpAddr],
    limits: &Limits,
) -> Result<Server, Refusal> {
    for address in addresses.iter().take(MAX_TRIES) {
        let address = SocketAddr::new(*address, authority.port);
        if let Ok(Ok(stream)) = timeout(limits.connect, TcpStream::connect(address)).await {
            // Small writes go out at once; a failure costs time and nothing else.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection waits to fill its packets");
            }
            return Ok(Server {
                stream: Box::new(stream),
                address,
                tls_host: None,
            });
        }
    }
    let detail = format!("{authority} takes no connection");
    Err(Refusal::new(Reason::Unreachable, detail).or("try again, or name another port"))
}

impl Server {
    /// The same connection in TLS.
    pub(crate) async fn secured(
        self,
        host: &Host,
        config: Arc<ClientConfig>,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let failed = |why: &str| {
            let detail = format!("no TLS with `{host}`: {why}");
            Refusal::new(Reason::Unreachable, detail)
                .or("give the server a certificate that this installation trusts")
        };
        let name =
            server_name(host).ok_or_else(|| failed("the name cannot stand in a certificate"))?;
        let handshake = TlsConnector::from(config).connect(name, self.stream);
        match timeout(limits.connect, handshake).await {
            Err(_) => Err(failed("it takes too long")),
            Ok(Err(error)) => Err(failed(&error.to_string())),
            Ok(Ok(stream)) => Ok(Self {
                stream: Box::new(stream),
                address: self.address,
                tls_host: Some(host.clone()),
            }),
        }
    }

    /// Speaks HTTP over it. The task that drives the connection ends with `life`.
    pub(crate) async fn http(
        self,
        scheme: Scheme,
        authority: Authority,
        life: CancellationToken,
    ) -> Result<Upstream, Refusal> {
        let (sender, connection) = http1::Builder::new()
            .max_headers(MAX_HEADERS * 2)
            .max_buf_size(MAX_ANSWER_HEAD_BYTES)
            .handshake(TokioIo::new(self.stream))
            .await
            .map_err(|_| bad_answer(&authority))?;
        tokio::spawn(async move {
            tokio::select! {
                ended = connection.with_upgrades() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection to a server ended badly");
                    }
                }
                () = life.cancelled() => {}
            }
        });
        Ok(Upstream {
            sender,
            scheme,
            authority,
            address: self.address,
            tls_host: self.tls_host,
        })
    }
}

/// HTTP with one server.
pub(crate) struct Upstream {
    sender: SendRequest<Body>,
    scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) address: SocketAddr,
    pub(crate) tls_host: Option<Host>,
}

impl Upstream {
    /// Whether it leads to the same place, over an address that is still pinned, and is free.
    pub(crate) async fn fits(
        &mut self,
        scheme: Scheme,
        authority: &Authority,
        addresses: &[IpAddr],
    ) -> bool {
        self.scheme == scheme
            && self.authority == *authority
            && addresses.contains(&self.address.ip())
            && matches!(timeout(SETTLE, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Sends a request. One that never went out is given back. The time for an answer begins when
    /// nothing of the request moves any more.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
        exchange: &Exchange,
        limits: &Limits,
    ) -> Result<hyper::Response<Incoming>, NotSent> {
        let mut answering = pin!(self.sender.try_send_request(request));
        let mut sent_bytes = exchange.sent_bytes();
        let answered = loop {
            match timeout(limits.answer, &mut answering).await {
                Ok(answered) => break answered,
                Err(_) if exchange.sent_bytes() > sent_bytes => sent_bytes = exchange.sent_bytes(),
                Err(_) => return Err(NotSent::For(no_answer(&self.authority))),
            }
        };
        answered.map_err(|mut error| match error.take_message() {
            Some(request) => NotSent::Unused(Box::new(request)),
            None => NotSent::For(bad_answer(&self.authority)),
        })
    }
}

fn no_answer(authority: &Authority) -> Refusal {
    let detail = format!("{authority} does not answer within the limit");
    Refusal::new(Reason::NoAnswer, detail).or("try again later")
}

/// Why there is no answer.
pub(crate) enum NotSent {
    /// The server had closed the connection; the request can go over another one.
    Unused(Box<Request<Body>>),
    /// For a reason.
    For(Refusal),
}

pub(crate) fn bad_answer(authority: &Authority) -> Refusal {
    let detail = format!("{authority} does not answer as HTTP/1.1 has it");
    Refusal::new(Reason::BadAnswer, detail)
}
