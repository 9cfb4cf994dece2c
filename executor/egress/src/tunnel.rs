//! What comes after `CONNECT`: looked at before a byte of it is relayed.
//!
//! ```text
//!              ┌─ TLS, name = host ──► relayed (or, inspected: answered with our certificate,
//!  first bytes ┤                                and each request inside judged)
//!              ├─ HTTP in clear ─────► each request judged, to this host and no other
//!              └─ anything else ─────► refused, unless a rule names `raw`
//! ```
//!
//! A refusal in a tunnel is told by a TLS alert, because nothing else is read there, and recorded.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::exchange::Exchange;
use crate::head::TUNNEL;
use crate::hello::{self, ACCESS_DENIED, Hello, Opening};
use crate::host::{Authority, Host};
use crate::judge::{Counts, Protocol, Question, Scheme};
use crate::record::EgressRecord;
use crate::refusal::{Reason, Refusal};
use crate::relay::relay;
use crate::serve::{Channel, Session, leave, serve};
use crate::stream::{Connection, Prefixed};
use crate::upstream::{self, Server};

/// A tunnel that was opened.
pub(crate) enum Tunnel {
    /// To a server that is connected already; what is in it stays closed.
    Closed {
        authority: Authority,
        server: Server,
        exchange: Arc<Exchange>,
    },
    /// To us: what is in it is looked into.
    Inspected(Authority),
}

impl Tunnel {
    fn authority(&self) -> &Authority {
        match self {
            Self::Closed { authority, .. } | Self::Inspected(authority) => authority,
        }
    }
}

/// Runs a tunnel to its end.
pub(crate) async fn run(session: &Session, tunnel: Tunnel, mut guest: Connection, read: Bytes) {
    let mut read = BytesMut::from(read.as_ref());
    let authority = tunnel.authority().clone();
    let opening = hello::open(&mut guest, &mut read, &session.shared.limits).await;
    let is_tls = matches!(opening, Ok(Opening::Tls(_)));
    let guest: Connection = Box::new(Prefixed::new(read.freeze(), guest));
    let ended = match opening {
        Err(refusal) => Err((refusal, guest)),
        Ok(Opening::Http) => {
            in_clear(session, tunnel, guest).await;
            Ok(())
        }
        Ok(Opening::Tls(hello)) => match fits(&hello, &authority.host) {
            Ok(()) => encrypted(session, tunnel, guest).await,
            Err(refusal) if refusal.reason == Reason::ServerName => Err((refusal, guest)),
            Err(refusal) => unread(session, tunnel, guest, refusal).await,
        },
        Ok(Opening::Other) => {
            let refusal = Refusal::new(
                Reason::NotTls,
                format!("what is sent to {authority} is neither TLS nor HTTP, and no rule names the protocol `raw`"),
            )
            .or("to allow it, add `\"arguments.protocol\" = [\"connect\", \"raw\"]` to a rule for this host");
            unread(session, tunnel, guest, refusal).await
        }
    };
    if let Err((refusal, guest)) = ended {
        refuse(session, &authority, &refusal, guest, is_tls).await;
    }
}

type Refused = (Refusal, Connection);

/// The name in the hello is the host of the tunnel.
fn fits(hello: &Hello, host: &Host) -> Result<(), Refusal> {
    if hello.encrypted {
        return Err(Refusal::new(
            Reason::EncryptedHello,
            "the hello is encrypted, so that nobody sees whom it is for",
        )
        .or("switch encrypted hellos (ECH) off"));
    }
    match (&hello.server_name, host) {
        (Some(name), Host::Name(host)) if name == host => Ok(()),
        (None, Host::Address(_)) => Ok(()),
        (None, Host::Name(host)) => Err(Refusal::new(
            Reason::NoServerName,
            format!("the TLS client names no server in the tunnel to `{host}`"),
        )
        .or("send the server's name (SNI)")),
        (Some(name), host) => Err(Refusal::new(
            Reason::ServerName,
            format!("the TLS client asks for `{name}` in the tunnel to `{host}`"),
        )
        .or("open a tunnel to the host that is asked for")),
    }
}

async fn encrypted(session: &Session, tunnel: Tunnel, guest: Connection) -> Result<(), Refused> {
    match tunnel {
        Tunnel::Closed {
            server, exchange, ..
        } => {
            let idle = session.shared.limits.idle;
            relay(guest, server.stream, &exchange, idle).await;
            Ok(())
        }
        Tunnel::Inspected(authority) => inspect(session, authority, guest).await,
    }
}

/// Answers as the server, and serves what is inside.
async fn inspect(
    session: &Session,
    authority: Authority,
    guest: Connection,
) -> Result<(), Refused> {
    let shared = &session.shared;
    let config = shared
        .authority
        .as_ref()
        .and_then(|ours| ours.server_config(&authority.host).ok());
    let Some(config) = config else {
        let detail = "TLS cannot be looked into: there is no certificate for the host";
        return Err((Refusal::new(Reason::Unreachable, detail), guest));
    };
    let handshake = TlsAcceptor::from(config).accept(guest);
    match timeout(shared.limits.head, handshake).await {
        // A guest that does not trust us says so itself.
        Err(_) | Ok(Err(_)) => {
            tracing::debug!("a guest did not finish its handshake with us");
        }
        Ok(Ok(guest)) => {
            let channel = Channel::Tunnel {
                scheme: Scheme::Https,
                authority,
            };
            within(session, channel, Box::new(guest)).await;
        }
    }
    Ok(())
}

/// HTTP in clear, as some clients send it for `http://` URLs too.
async fn in_clear(session: &Session, tunnel: Tunnel, guest: Connection) {
    let authority = tunnel.authority().clone();
    // The server is connected to again for a request that is allowed.
    drop(tunnel);
    let channel = Channel::Tunnel {
        scheme: Scheme::Http,
        authority,
    };
    within(session, channel, guest).await;
}

async fn within(session: &Session, channel: Channel, guest: Connection) {
    let (shared, caller) = (Arc::clone(&session.shared), Arc::clone(&session.caller));
    let life = session.life.clone();
    serve(shared, caller, life, channel, guest, Bytes::new()).await;
}

/// Bytes that nobody reads go out only where a rule names them.
async fn unread(
    session: &Session,
    tunnel: Tunnel,
    guest: Connection,
    otherwise: Refusal,
) -> Result<(), Refused> {
    let authority = tunnel.authority().clone();
    let known: Vec<IpAddr> = match &tunnel {
        Tunnel::Closed { server, .. } => vec![server.address.ip()],
        Tunnel::Inspected(_) => Vec::new(),
    };
    let question = |protocol, addresses| Question {
        protocol,
        scheme: Scheme::Https,
        method: TUNNEL,
        authority: &authority,
        target: None,
        addresses,
    };
    let judge = &session.shared.judge;
    if judge
        .judge(
            &session.caller,
            &question(Protocol::Raw, &known),
            Counts::No,
        )
        .is_err()
    {
        return Err((otherwise, guest));
    }
    let (number, _) = session.shared.meter.request();
    let mut record = EgressRecord::new(&session.caller, number);
    let admitted = session
        .admit(&question(Protocol::Raw, &[]), &mut record)
        .await;
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return Err((refusal, guest)),
    };
    let limits = &session.shared.limits;
    let server = match tunnel {
        Tunnel::Closed { server, .. } => server,
        Tunnel::Inspected(_) => {
            match upstream::connect(&authority, &admitted.addresses, limits).await {
                Ok(server) => server,
                Err(refusal) => return Err((refusal, guest)),
            }
        }
    };
    relay(guest, server.stream, &admitted.exchange, limits.idle).await;
    Ok(())
}

/// Says no in the words that are heard there.
async fn refuse(
    session: &Session,
    authority: &Authority,
    refusal: &Refusal,
    mut guest: Connection,
    is_tls: bool,
) {
    let (number, _) = session.shared.meter.request();
    let mut record = EgressRecord::new(&session.caller, number);
    record.about(&Question {
        protocol: Protocol::Connect,
        scheme: Scheme::Https,
        method: TUNNEL,
        authority,
        target: None,
        addresses: &[],
    });
    session.refused(record, refusal).await;
    if is_tls {
        let alert = async {
            guest.write_all(&ACCESS_DENIED).await?;
            guest.shutdown().await
        };
        // A guest that has gone hears nothing, and that is all.
        if let Ok(Err(error)) = timeout(session.shared.limits.head, alert).await {
            tracing::debug!(%error, "an alert was not heard");
        }
    }
}

/// Relays a WebSocket that the server has agreed to.
pub(crate) async fn socket(
    session: &Session,
    guest: OnUpgrade,
    server: OnUpgrade,
    exchange: &Arc<Exchange>,
) {
    let Some((guest, read)) = leave(guest).await else {
        return;
    };
    let Ok(server) = server.await else {
        return;
    };
    let guest = Box::new(Prefixed::new(read, guest));
    let server = Box::new(TokioIo::new(server));
    relay(guest, server, exchange, session.shared.limits.idle).await;
}
