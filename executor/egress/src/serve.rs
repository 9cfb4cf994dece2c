//! One connection of a guest: each request judged, resolved, checked, recorded, then forwarded.
//!
//! ```text
//!  Head ─► form ─► placeholders ─► judge ─► budget ─► names ─► judge again ─► reach ─► record
//!                                                                                        │
//!  guest ◄── scrubbed, counted ◄── answer ◄── server ◄── secrets ◄── connection ◄────────┘
//! ```
//!
//! Nothing goes out before the record of its admission is durable. A connection that was used is
//! used again only after the whole way was gone through anew. Redirects are not followed: they are
//! the guest's next request. Every failure is a [`Refusal`], answered and recorded.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::body::{Body, whole};
use crate::door::Shared;
use crate::exchange::Exchange;
use crate::gate::{Gate, Heads};
use crate::head::{Head, TUNNEL, malformed};
use crate::host::Authority;
use crate::judge::{Caller, Counts, Protocol, Question, Scheme};
use crate::limits::{MAX_HEAD_BYTES, MAX_HEADERS};
use crate::record::{EgressRecord, Event};
use crate::refusal::{Reason, Refusal};
use crate::stream::Connection;
use crate::target::Target;
use crate::tunnel::{self, Tunnel};
use crate::upstream::{self, Server, Upstream};

/// What hyper holds of a request: the head that the gate released, and something of its body.
const MAX_BUFFER_BYTES: usize = MAX_HEAD_BYTES * 2;

/// Where requests of a connection may go.
#[derive(Debug, Clone)]
pub(crate) enum Channel {
    /// The proxy itself: anywhere, by whole URLs and `CONNECT`.
    Proxy,
    /// Inside of a tunnel: to its end and nowhere else.
    Tunnel {
        scheme: Scheme,
        authority: Authority,
    },
}

/// One connection of the guest, or one inside of a tunnel.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) life: CancellationToken,
    channel: Channel,
    heads: Arc<Heads>,
    /// The connection of the last request.
    pub(crate) upstream: Mutex<Option<Upstream>>,
    after: SyncMutex<Option<After>>,
}

/// What a connection becomes when it leaves HTTP.
pub(crate) enum After {
    Tunnel(OnUpgrade, Tunnel),
    Socket(OnUpgrade, OnUpgrade, Arc<Exchange>),
}

/// A request that everything agrees to.
pub(crate) struct Admitted {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) addresses: Arc<[IpAddr]>,
}

/// Serves a connection until it ends. Boxed, because a tunnel serves what is in it.
pub(crate) fn serve(
    shared: Arc<Shared>,
    caller: Arc<Caller>,
    life: CancellationToken,
    channel: Channel,
    connection: Connection,
    read: Bytes,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let (gate, heads) = Gate::new(connection, read, shared.limits);
        let session = Arc::new(Session {
            shared,
            caller,
            life,
            channel,
            heads,
            upstream: Mutex::new(None),
            after: SyncMutex::new(None),
        });
        session.run(gate).await;
    })
}

impl Session {
    async fn run(self: Arc<Self>, gate: Gate<Connection>) {
        let answerer = Arc::clone(&self);
        let service = service_fn(move |request| {
            let session = Arc::clone(&answerer);
            async move { Ok::<_, Infallible>(session.answer(request).await) }
        });
        let served = http1::Builder::new()
            // A client may say that it is done and still wait for its answer.
            .half_close(true)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_BUFFER_BYTES)
            .serve_connection(TokioIo::new(gate), service)
            .with_upgrades()
            .await;
        let mut refusal = self.heads.take_refusal();
        if let Err(error) = served {
            tracing::debug!(%error, "a connection of a guest ended badly");
            // hyper has answered it by itself.
            let unread = error.is_parse() && self.heads.next().is_some();
            refusal = refusal.or_else(|| unread.then(|| malformed("the URL is none")));
        }
        if let Some(refusal) = refusal {
            let (number, _) = self.shared.meter.request();
            self.refused(EgressRecord::new(&self.caller, number), &refusal)
                .await;
        }
        let after = self
            .after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match after {
            None => {}
            Some(After::Tunnel(upgrade, tunnel)) => {
                if let Some((connection, read)) = leave(upgrade).await {
                    tunnel::run(&self, tunnel, connection, read).await;
                }
            }
            Some(After::Socket(guest, server, exchange)) => {
                tunnel::socket(&self, guest, server, &exchange).await;
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (number, within) = self.shared.meter.request();
        let mut record = EgressRecord::new(&self.caller, number);
        let Some(head) = self.heads.next() else {
            return refusal_answer(&malformed("the request has no head"), true);
        };
        let leaves = head.leaves_http();
        let answered = match within {
            Err(refusal) => Err(refusal),
            Ok(()) if head.method == TUNNEL => self.open_tunnel(&head, request, &mut record).await,
            Ok(()) => self.forward(&head, request, &mut record).await,
        };
        match answered {
            Ok(mut answer) => {
                // The gate stays shut behind a request that wanted to leave HTTP.
                if head.upgrade.is_some() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                answer
            }
            Err(refusal) => {
                // What was admitted has a record of its end, with the reason.
                if record.event == Event::Refused {
                    self.refused(record, &refusal).await;
                }
                refusal_answer(&refusal, leaves)
            }
        }
    }

    /// Records a refusal, as long as the budget has records.
    pub(crate) async fn refused(&self, record: EgressRecord, refusal: &Refusal) {
        tracing::debug!(reason = refusal.reason.as_str(), "egress refused");
        if !self.shared.meter.is_recorded(record.request) {
            return;
        }
        let record = record.refused(refusal);
        if let Err(unrecorded) = self.shared.recorder.durable(record).await {
            tracing::error!(
                reason = unrecorded.reason.as_str(),
                "a refusal is not recorded"
            );
        }
    }

    // ---- judging --------------------------------------------------------------------------------

    /// Everything between a question and its durable admission. Nothing has gone out then but a
    /// question to name servers.
    pub(crate) async fn admit(
        &self,
        question: &Question<'_>,
        record: &mut EgressRecord,
    ) -> Result<Admitted, Refusal> {
        let shared = &self.shared;
        record.about(question);
        record.allowed(shared.judge.judge(&self.caller, question, Counts::No)?);
        shared.meter.host(&question.authority.host)?;
        let addresses = shared.names.addresses(&question.authority.host).await?;
        let question = Question {
            addresses: &addresses,
            ..question.clone()
        };
        record.allowed(shared.judge.judge(&self.caller, &question, Counts::No)?);
        // One address out of reach is enough: answers that mix are how names are turned round.
        for address in addresses.iter() {
            shared.judge.reaches(&self.caller, &question, *address)?;
        }
        // Counted last: what it adds to its session is not held against itself.
        record.allowed(shared.judge.judge(&self.caller, &question, Counts::Yes)?);
        record.address = addresses.first().copied();
        let admitted = EgressRecord {
            event: Event::Admitted,
            ..record.clone()
        };
        let exchange = begin(shared, admitted.clone()).await?;
        *record = admitted;
        Ok(Admitted {
            exchange,
            addresses,
        })
    }

    /// Where a request goes, read from its head alone.
    pub(crate) fn place(&self, head: &Head) -> Result<(Scheme, Authority, Target), Refusal> {
        let (scheme, authority, target) = match &self.channel {
            Channel::Proxy => {
                let rest = head.target.strip_prefix("http://").ok_or_else(not_a_url)?;
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at_checked(end).ok_or_else(not_a_url)?;
                let path = if path.starts_with('/') {
                    path.to_owned()
                } else {
                    format!("/{path}")
                };
                let authority = read_authority(authority, Some(Scheme::Http.usual_port()))?;
                (Scheme::Http, authority, path)
            }
            Channel::Tunnel { scheme, authority } => {
                (*scheme, authority.clone(), head.target.clone())
            }
        };
        let host = read_authority(&head.host, Some(scheme.usual_port()))?;
        if host != authority {
            return Err(malformed(
                "`Host` names another host than the request goes to",
            ));
        }
        let target = Target::parse(&target).map_err(|error| malformed(&error.to_string()))?;
        Ok((scheme, authority, target))
    }

    // ---- tunnels --------------------------------------------------------------------------------

    async fn open_tunnel(
        self: &Arc<Self>,
        head: &Head,
        mut request: Request<Incoming>,
        record: &mut EgressRecord,
    ) -> Result<Response<Body>, Refusal> {
        record.method = Some(TUNNEL.to_owned());
        if let Channel::Tunnel { .. } = self.channel {
            return Err(malformed("a tunnel is not opened inside of a tunnel"));
        }
        let authority = read_authority(&head.target, None)?;
        let host = read_authority(&head.host, Some(authority.port))?;
        if host != authority {
            return Err(malformed(
                "`Host` names another host than the tunnel goes to",
            ));
        }
        let tunnel = self.tunnel(authority, record).await?;
        let upgrade = hyper::upgrade::on(&mut request);
        let after = After::Tunnel(upgrade, tunnel);
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = Some(after);
        Ok(Response::new(whole(Bytes::new())))
    }

    /// A tunnel that is looked into is judged by what is in it; any other here, by its host.
    async fn tunnel(
        &self,
        authority: Authority,
        record: &mut EgressRecord,
    ) -> Result<Tunnel, Refusal> {
        if self.shared.inspects(&authority) {
            return Ok(Tunnel::Inspected(authority));
        }
        let question = Question {
            protocol: Protocol::Connect,
            scheme: Scheme::Https,
            method: TUNNEL,
            authority: &authority,
            target: None,
            addresses: &[],
        };
        let admitted = self.admit(&question, record).await?;
        let server = upstream::connect(&authority, &admitted.addresses, &self.shared.limits)
            .await
            .inspect_err(|refusal| {
                admitted.exchange.cut(refusal);
            })?;
        Ok(Tunnel::Closed {
            authority,
            server,
            exchange: admitted.exchange,
        })
    }

    /// The connection for a request: the last one if it leads to the same place, or a new one.
    pub(crate) async fn upstream(
        &self,
        scheme: Scheme,
        authority: &Authority,
        addresses: &[IpAddr],
    ) -> Result<Upstream, Refusal> {
        if let Some(mut upstream) = self.upstream.lock().await.take()
            && upstream.fits(scheme, authority, addresses).await
        {
            return Ok(upstream);
        }
        let limits = &self.shared.limits;
        let server = upstream::connect(authority, addresses, limits).await?;
        let server = match scheme {
            Scheme::Http => server,
            Scheme::Https => {
                let config = Arc::clone(&self.shared.client_config);
                server.secured(&authority.host, config, limits).await?
            }
        };
        self.speak(server, scheme, authority.clone()).await
    }

    pub(crate) async fn speak(
        &self,
        server: Server,
        scheme: Scheme,
        authority: Authority,
    ) -> Result<Upstream, Refusal> {
        server.http(scheme, authority, self.life.clone()).await
    }

    pub(crate) fn leave_http(&self, after: After) {
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = Some(after);
    }
}

/// The guest's connection, when HTTP has let go of it, and what was read of it.
pub(crate) async fn leave(upgrade: OnUpgrade) -> Option<(Connection, Bytes)> {
    let upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<Gate<Connection>>>().ok()?;
    let (connection, read) = parts.io.into_inner().into_inner();
    let read = [parts.read_buf.as_ref(), &read].concat();
    Some((connection, read.into()))
}

fn not_a_url() -> Refusal {
    malformed("the proxy takes `http://` URLs and `CONNECT`; a URL begins with `http://`")
}

fn read_authority(text: &str, usual_port: Option<u16>) -> Result<Authority, Refusal> {
    Authority::parse(text, usual_port).map_err(|error| malformed(&error.to_string()))
}

fn refusal_answer(refusal: &Refusal, closes: bool) -> Response<Body> {
    let mut answer = Response::new(whole(refusal.problem()));
    *answer.status_mut() =
        StatusCode::from_u16(refusal.reason.status()).unwrap_or(StatusCode::FORBIDDEN);
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    let reason = HeaderValue::from_static(refusal.reason.as_str());
    headers.insert(HeaderName::from_static("lazaret-refusal"), reason);
    if closes || refusal.reason == Reason::Malformed {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Admits durably. Not given up when its connection is: a decision that is in the ledger has an
/// exchange, and with it an end.
async fn begin(shared: &Arc<Shared>, admitted: EgressRecord) -> Result<Arc<Exchange>, Refusal> {
    let (meter, recorder) = (Arc::clone(&shared.meter), shared.recorder.clone());
    let beginning = tokio::spawn(async move {
        recorder.durable(admitted.clone()).await?;
        Ok(Exchange::new(admitted, meter, recorder))
    });
    let stopped = |_stopped| Refusal::new(Reason::Unrecorded, "the daemon stops");
    beginning.await.map_err(stopped)?
}
