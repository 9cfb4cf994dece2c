//! A request, forwarded, and its answer, handed back.
//!
//! What belongs to one connection stays on it: the headers that `Connection` names, those of
//! proxies, upgrades but for a WebSocket that was allowed. The `Host` is the one that was judged, the
//! path is sent as it was judged.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};

use crate::body::{Body, Filter, Metered, whole};
use crate::exchange::Exchange;
use crate::head::{Head, malformed};
use crate::host::Authority;
use crate::judge::{Protocol, Question, Scheme};
use crate::meter::Way;
use crate::record::EgressRecord;
use crate::refusal::{Reason, Refusal};
use crate::secrets::{Connected, Wanted};
use crate::serve::{Admitted, After, Session};
use crate::upstream::{NotSent, Upstream, bad_answer};

/// Headers of one connection (RFC 9110, 7.6.1), and those that are for a proxy.
const OF_THE_CONNECTION: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// What lets a server answer in pieces or encodings in which a secret is not found.
const OF_PIECES: [HeaderName; 4] = [
    header::ACCEPT_ENCODING,
    header::RANGE,
    header::IF_RANGE,
    HeaderName::from_static("a-im"),
];

/// A request on its way.
struct Route<'a> {
    scheme: Scheme,
    authority: &'a Authority,
    wanted: &'a Wanted,
}

impl Session {
    /// Judges and forwards one request.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        head: &Head,
        request: Request<Incoming>,
        record: &mut EgressRecord,
    ) -> Result<Response<Body>, Refusal> {
        record.method = Some(head.method.clone());
        let (scheme, authority, target) = self.place(head)?;
        let protocol = protocol(head, scheme)?;
        let question = Question {
            protocol,
            scheme,
            method: &head.method,
            authority: &authority,
            target: Some(&target),
            addresses: &[],
        };
        record.about(&question);
        let wanted = self
            .shared
            .secrets
            .look(&authority, &target, request.headers())?;
        if protocol == Protocol::WebSocket && !wanted.is_empty() {
            return Err(Refusal::new(
                Reason::Secret,
                "a secret is not put into an upgrade, whose answers cannot be searched",
            ));
        }
        record.secrets = self.shared.secrets.names(&wanted);
        let admitted = self.admit(&question, record).await?;
        let uri: Uri = target
            .to_origin_form()
            .parse()
            .map_err(|_| malformed("the path cannot be sent"))?;
        let route = Route {
            scheme,
            authority: &authority,
            wanted: &wanted,
        };
        let exchange = Arc::clone(&admitted.exchange);
        let sent = self.send(&route, uri, request, protocol, admitted).await;
        sent.inspect_err(|refusal| {
            exchange.cut(refusal);
        })
    }

    async fn send(
        self: &Arc<Self>,
        route: &Route<'_>,
        uri: Uri,
        mut request: Request<Incoming>,
        protocol: Protocol,
        admitted: Admitted,
    ) -> Result<Response<Body>, Refusal> {
        let Admitted {
            exchange,
            addresses,
        } = admitted;
        let upgrade = (protocol == Protocol::WebSocket).then(|| hyper::upgrade::on(&mut request));
        let mut upstream = self
            .upstream(route.scheme, route.authority, &addresses)
            .await?;
        let (parts, body) = request.into_parts();
        let filter = match self.shared.secrets.detector() {
            Some(detector) => Filter::Detect(detector),
            None => Filter::Pass,
        };
        let limits = self.shared.limits;
        let body = Metered::body(body, Way::Out, filter, Arc::clone(&exchange), limits);
        let mut outgoing = Request::new(body);
        *outgoing.method_mut() = parts.method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = self.outgoing_headers(route, parts.headers, protocol)?;
        self.put_in(route, &mut outgoing, &upstream, &addresses)?;
        let mut answer = match upstream.send(outgoing, &exchange, &limits).await {
            Ok(answer) => answer,
            Err(NotSent::For(refusal)) => return Err(refusal),
            Err(NotSent::Unused(outgoing)) => {
                drop(upstream);
                upstream = self
                    .upstream(route.scheme, route.authority, &addresses)
                    .await?;
                upstream
                    .send(*outgoing, &exchange, &limits)
                    .await
                    .map_err(|error| match error {
                        NotSent::For(refusal) => refusal,
                        NotSent::Unused(_) => bad_answer(route.authority),
                    })?
            }
        };
        exchange.answered(answer.status().as_u16());
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(guest) = upgrade else {
                return Err(bad_answer(route.authority));
            };
            let server = hyper::upgrade::on(&mut answer);
            self.leave_http(After::Socket(guest, server, exchange));
            return Ok(switched(answer));
        }
        self.upstream.lock().await.replace(upstream);
        self.handed_back(route.wanted, answer, exchange)
    }

    fn outgoing_headers(
        &self,
        route: &Route<'_>,
        mut headers: HeaderMap,
        protocol: Protocol,
    ) -> Result<HeaderMap, Refusal> {
        strip(&mut headers);
        headers.remove(header::EXPECT);
        headers.remove(header::CONTENT_LENGTH);
        if !route.wanted.is_empty() {
            OF_PIECES.iter().for_each(|name| {
                headers.remove(name);
            });
            headers.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            );
        }
        if protocol == Protocol::WebSocket {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        let host = route.authority.to_header(route.scheme.usual_port());
        let host =
            HeaderValue::from_str(&host).map_err(|_| malformed("the host cannot be sent"))?;
        headers.insert(header::HOST, host);
        Ok(headers)
    }

    fn put_in(
        &self,
        route: &Route<'_>,
        outgoing: &mut Request<Body>,
        upstream: &Upstream,
        addresses: &[std::net::IpAddr],
    ) -> Result<(), Refusal> {
        let to = Connected {
            authority: &upstream.authority,
            scheme: route.scheme,
            tls_host: upstream.tls_host.as_ref(),
            is_pinned: addresses.contains(&upstream.address.ip()),
        };
        self.shared
            .secrets
            .put_in(route.wanted, outgoing.headers_mut(), &to)
    }

    fn handed_back(
        &self,
        wanted: &Wanted,
        answer: Response<Incoming>,
        exchange: Arc<Exchange>,
    ) -> Result<Response<Body>, Refusal> {
        let (mut parts, body) = answer.into_parts();
        // A reason phrase of the server's own is text that nobody searches.
        parts.extensions.clear();
        strip(&mut parts.headers);
        let filter = if wanted.is_empty() {
            Filter::Pass
        } else {
            let mut scrubber = self.shared.secrets.scrubber(wanted)?;
            if is_encoded(&parts.headers) {
                return Err(Refusal::new(
                    Reason::BadAnswer,
                    "the server compressed its answer to a request with a secret, against what was asked",
                ));
            }
            for value in parts.headers.values_mut() {
                let scrubbed = scrubber.whole(value.as_bytes());
                *value = HeaderValue::from_maybe_shared(scrubbed).map_err(|_| {
                    Refusal::new(Reason::BadAnswer, "a header cannot be handed back")
                })?;
            }
            parts.headers.remove(header::CONTENT_LENGTH);
            Filter::Scrub(Box::new(scrubber))
        };
        let body = Metered::body(body, Way::In, filter, exchange, self.shared.limits);
        Ok(Response::from_parts(parts, body))
    }
}

/// What a request speaks. Of upgrades only a WebSocket is one that can be judged.
fn protocol(head: &Head, scheme: Scheme) -> Result<Protocol, Refusal> {
    if head.method == "TRACE" {
        return Err(malformed(
            "`TRACE` gives back what a server was sent and is not forwarded",
        ));
    }
    match (head.upgrade.as_deref(), scheme) {
        (None, Scheme::Http) => Ok(Protocol::Http),
        (None, Scheme::Https) => Ok(Protocol::Https),
        (Some("websocket"), _) if head.method == "GET" => Ok(Protocol::WebSocket),
        (Some(other), _) => Err(Refusal::new(
            Reason::Upgrade,
            format!("an upgrade to `{other}` would leave what is judged"),
        )
        .or("leave `Upgrade` out")),
    }
}

/// Takes out what belongs to one connection.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A client must not make us drop what says where a body ends or whom it is for.
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&OF_THE_CONNECTION) {
        headers.remove(name);
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The answer to a WebSocket's request.
fn switched(answer: Response<Incoming>) -> Response<Body> {
    let (mut parts, _) = answer.into_parts();
    parts.extensions.clear();
    strip(&mut parts.headers);
    let headers = &mut parts.headers;
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    Response::from_parts(parts, whole(Bytes::new()))
}
