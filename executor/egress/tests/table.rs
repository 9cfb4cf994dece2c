//! What goes through the proxy and what does not, case by case, against real servers.
//!
//! Each case says what is sent, the status that comes back, the reason in the records, and whether
//! a server saw anything. The controls show that the servers answer without the proxy. Run it with
//! `--nocapture` to read the table.

#![allow(unreachable_pub, dead_code, reason = "shared by several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::Duration;

use support::{Answer, World, send};

/// What came of a case.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    status: u16,
    reason: &'static str,
    reached: bool,
}

struct Case {
    name: &'static str,
    act: Box<dyn Fn(&World) -> u16>,
    want: Got,
}

const NOTHING: &str = "";

fn case(
    name: &'static str,
    status: u16,
    reason: &'static str,
    reached: bool,
    act: impl Fn(&World) -> u16 + 'static,
) -> Case {
    Case {
        name,
        act: Box::new(act),
        want: Got {
            status,
            reason,
            reached,
        },
    }
}

/// A URL of the plain server.
fn url(world: &World, host: &str, path: &str) -> String {
    format!("http://{host}:{}{path}", world.http.port())
}

fn get(
    name: &'static str,
    status: u16,
    reason: &'static str,
    host: &'static str,
    path: &'static str,
) -> Case {
    let reached = status == 200 || status == 302;
    case(name, status, reason, reached, move |world| {
        world.get(&url(world, host, path)).status
    })
}

/// A request whose bytes are written out; `PORT` is the plain server's port.
fn bytes(name: &'static str, status: u16, reason: &'static str, text: &'static str) -> Case {
    let reached = status == 200 || matches!(reason, "bad-answer" | "no-answer");
    case(name, status, reason, reached, move |world| {
        let text = text.replace("PORT", &world.http.port().to_string());
        world.ask(text.as_bytes()).status
    })
}

/// What is said in a tunnel; gives 200 when the server's answer comes back, 0 when nothing does.
fn tunnel(
    name: &'static str,
    status: u16,
    reason: &'static str,
    host: &'static str,
    said: &'static [u8],
) -> Case {
    case(
        name,
        status,
        reason,
        status == 200,
        move |world| match world.tunnel(&format!("{host}:{}", world.http.port())) {
            Err(answer) => answer.status,
            Ok(mut stream) => {
                let port = world.http.port().to_string();
                match std::str::from_utf8(said) {
                    Ok(text) => send(&mut stream, text.replace("PORT", &port).as_bytes()),
                    Err(_) => send(&mut stream, said),
                }
                Answer::read(&mut stream).status
            }
        },
    )
}

fn tls(
    name: &'static str,
    status: u16,
    reason: &'static str,
    host: &'static str,
    sni: &'static str,
) -> Case {
    case(name, status, reason, status == 200, move |world| {
        let authority = format!("{host}:{}", world.https.port());
        let trusted = world.theirs.certificate_pem().to_owned();
        match world.tls(&authority, sni, &trusted) {
            Err(answer) => answer.status,
            Ok(mut stream) => {
                let asked = stream.write_all(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                asked.map_or(0, |()| Answer::read(&mut stream).status)
            }
        }
    })
}

fn run(world: &World, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    println!("{:<58} {:>6}  {:<16} reached", "case", "status", "reason");
    for case in &cases {
        world.forget();
        let status = (case.act)(world);
        let reasons = world.reasons();
        let got = Got {
            status,
            reason: reasons.first().copied().unwrap_or(NOTHING),
            reached: !world.http.seen().is_empty() || !world.https.seen().is_empty(),
        };
        println!(
            "{:<58} {:>6}  {:<16} {}",
            case.name, got.status, got.reason, got.reached
        );
        if got != case.want {
            wrong.push(format!(
                "{}: wanted {:?}, got {got:?}",
                case.name, case.want
            ));
        }
    }
    println!("{} cases", cases.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn controls_without_the_proxy() {
    let world = World::new();
    for address in ["127.0.0.1", "127.0.0.2", "127.0.0.9", "::1"] {
        assert_eq!(world.http.directly(address, "/hello"), 200, "{address}");
    }
    assert_eq!(world.http.directly("127.0.0.1", "/h2c"), 101);
    assert_eq!(world.http.directly("127.0.0.1", "/admin"), 200);
    assert_eq!(world.http.seen().len(), 6);
}

#[test]
fn who_is_reached() {
    run(
        &World::new(),
        vec![
            get("a host that is allowed", 200, "", "a.test", "/hello"),
            get("a host in capitals", 200, "", "A.TEST", "/hello"),
            get(
                "a host that no rule knows",
                403,
                "denied",
                "denied.test",
                "/",
            ),
            get(
                "a host below an allowed one",
                403,
                "denied",
                "x.a.test",
                "/",
            ),
            get(
                "a host that begins like an allowed one",
                403,
                "denied",
                "a.test.evil.test",
                "/",
            ),
            get(
                "a host of another profile's rule",
                403,
                "denied",
                "elsewhere.test",
                "/",
            ),
            get(
                "a name that nobody knows",
                502,
                "unknown-name",
                "missing.test",
                "/",
            ),
            get("a deny beats an allow", 403, "denied", "a.test", "/admin/x"),
            get(
                "a deny, percent-encoded",
                403,
                "denied",
                "a.test",
                "/%61dmin/x",
            ),
            get("a hold", 403, "held", "a.test", "/held"),
            get("a path that is allowed", 200, "", "read.test", "/open/a"),
            get("a path that is not", 403, "denied", "read.test", "/closed"),
            get(
                "out of an allowed path",
                400,
                "malformed",
                "read.test",
                "/open/../closed",
            ),
            get(
                "out of it, encoded",
                400,
                "malformed",
                "read.test",
                "/open/%2e%2e/closed",
            ),
            get(
                "out of it, encoded slash",
                400,
                "malformed",
                "read.test",
                "/open/..%2fclosed",
            ),
            get(
                "out of it, with a parameter",
                400,
                "malformed",
                "read.test",
                "/open/..;/closed",
            ),
            bytes(
                "a method that is not allowed",
                403,
                "denied",
                "POST http://read.test:PORT/open/a HTTP/1.1\r\nHost: read.test:PORT\r\nContent-Length: 0\r\n\r\n",
            ),
            get(
                "an address that a rule names",
                200,
                "",
                "127.0.0.1",
                "/hello",
            ),
            get("the loopback, unnamed", 403, "address", "127.0.0.2", "/"),
            get(
                "a name at an unnamed loopback",
                403,
                "address",
                "inner.test",
                "/",
            ),
            get(
                "a name at two addresses, one of them unnamed",
                403,
                "address",
                "mixed.test",
                "/",
            ),
            get(
                "a name at an address that a deny names",
                403,
                "denied",
                "many.test",
                "/",
            ),
            get(
                "IPv6 loopback that a rule names",
                200,
                "",
                "[::1]",
                "/hello",
            ),
            get("a name at IPv6", 200, "", "six.test", "/hello"),
            get(
                "IPv4 in IPv6, unnamed",
                403,
                "address",
                "[::ffff:127.0.0.2]",
                "/",
            ),
            get(
                "IPv4 in IPv6, hexadecimal",
                403,
                "address",
                "[::ffff:7f00:2]",
                "/",
            ),
            get("a name at IPv4 in IPv6", 403, "address", "mapped.test", "/"),
            get("IPv4-compatible IPv6", 403, "address", "[::127.0.0.2]", "/"),
            get(
                "NAT64 of the loopback",
                403,
                "address",
                "[64:ff9b::7f00:2]",
                "/",
            ),
            get(
                "6to4 of a private address",
                403,
                "address",
                "[2002:a00:1::1]",
                "/",
            ),
            get("the unspecified address", 403, "address", "0.0.0.0", "/"),
            get("IPv6 unspecified", 403, "address", "[::]", "/"),
            get(
                "the metadata service",
                403,
                "address",
                "169.254.169.254",
                "/latest/meta-data/",
            ),
            get("a private address", 403, "address", "10.0.0.1", "/"),
            get(
                "a private address of home",
                403,
                "address",
                "192.168.0.1",
                "/",
            ),
            get(
                "a provider's shared network",
                403,
                "address",
                "100.64.0.1",
                "/",
            ),
            get("a multicast group", 403, "address", "224.0.0.1", "/"),
            get("IPv6 unique local", 403, "address", "[fd00::1]", "/"),
            get("IPv6 link-local", 403, "address", "[fe80::1]", "/"),
            get("IPv6 multicast", 403, "address", "[ff02::1]", "/"),
            get("an address for examples", 403, "address", "192.0.2.7", "/"),
            get("decimal address", 400, "malformed", "2130706434", "/"),
            get("hexadecimal address", 400, "malformed", "0x7f000002", "/"),
            get("octal address", 400, "malformed", "0177.0.0.2", "/"),
            get("short address", 400, "malformed", "127.2", "/"),
            get("a dot at the end", 400, "malformed", "a.test.", "/"),
            get("user info", 400, "malformed", "a.test@127.0.0.2", "/"),
            get(
                "a redirect is the guest's to follow",
                302,
                "",
                "a.test",
                "/redirect",
            ),
            get(
                "where it leads is judged anew",
                403,
                "address",
                "inner.test",
                "/hello",
            ),
        ],
    );
}

#[test]
fn how_it_is_asked() {
    run(
        &World::new(),
        vec![
            bytes(
                "NUL in the host",
                400,
                "malformed",
                "GET http://a.test\0.evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "encoded NUL in the host",
                400,
                "malformed",
                "GET http://a.test%00.evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "encoded CRLF in the host",
                400,
                "malformed",
                "GET http://a.test%0d%0aX:y/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "CRLF in the host",
                400,
                "malformed",
                "GET http://a.test\r\nX: y/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "CRLF in the path",
                400,
                "malformed",
                "GET http://a.test:PORT/%0d%0aX HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a line feed before the request",
                400,
                "malformed",
                "\r\nGET http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "bare line feeds",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\nHost: a.test:PORT\n\n",
            ),
            bytes(
                "a length and a transfer coding",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            bytes(
                "a transfer coding and a length",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            ),
            bytes(
                "two lengths",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
            ),
            bytes(
                "a disguised transfer coding",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: xchunked\r\n\r\n",
            ),
            bytes(
                "a space before the colon",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nContent-Length : 4\r\n\r\nabcd",
            ),
            bytes(
                "a folded line",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nX: a\r\n b\r\n\r\n",
            ),
            bytes(
                "a chunk with an extension",
                502,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
            ),
            bytes(
                "chunks as they should be",
                200,
                "",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ),
            bytes(
                "Host is not the target",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\nHost: b.test:PORT\r\n\r\n",
            ),
            bytes(
                "two hosts",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nHost: b.test\r\n\r\n",
            ),
            bytes(
                "no host",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\n\r\n",
            ),
            bytes(
                "a path alone",
                400,
                "malformed",
                "GET /hello HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "https without a tunnel",
                400,
                "malformed",
                "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "another scheme",
                400,
                "malformed",
                "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "a fragment",
                400,
                "malformed",
                "GET http://a.test:PORT/#x HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "HTTP/1.0",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.0\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "HTTP/2",
                400,
                "malformed",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ),
            bytes(
                "TRACE",
                400,
                "malformed",
                "TRACE http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "an upgrade to h2c",
                403,
                "upgrade",
                "GET http://a.test:PORT/h2c HTTP/1.1\r\nHost: a.test:PORT\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
            ),
            bytes(
                "a WebSocket that no rule names",
                403,
                "upgrade",
                "GET http://a.test:PORT/ws HTTP/1.1\r\nHost: a.test:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            ),
            bytes(
                "a WebSocket by POST",
                403,
                "upgrade",
                "POST http://ws.test:PORT/ws HTTP/1.1\r\nHost: ws.test:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            ),
            bytes(
                "an unasked switch of protocols",
                502,
                "bad-answer",
                "GET http://a.test:PORT/sneaky HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a server that speaks no HTTP",
                502,
                "bad-answer",
                "GET http://a.test:PORT/garbage HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a server that does not answer",
                504,
                "no-answer",
                "GET http://a.test:PORT/silent HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            case("a head over its limit", 413, "too-large", false, |world| {
                let long = "x".repeat(egress::MAX_HEAD_BYTES);
                world
                    .ask(
                        format!("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nX: {long}\r\n\r\n")
                            .as_bytes(),
                    )
                    .status
            }),
            case(
                "more headers than there are",
                413,
                "too-large",
                false,
                |world| {
                    let many = "X: y\r\n".repeat(egress::MAX_HEADERS + 1);
                    world
                        .ask(
                            format!("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n{many}\r\n")
                                .as_bytes(),
                        )
                        .status
                },
            ),
            case("a head that comes slowly", 408, "slow", false, |world| {
                let mut stream = world.connect();
                for byte in b"GET http://a.test/ HTTP/1.1\r\nHost: a.t" {
                    send(&mut stream, &[*byte]);
                    thread::sleep(Duration::from_millis(20));
                }
                Answer::read(&mut stream).status
            }),
            case("a body that comes to a halt", 502, "slow", false, |world| {
                let mut stream = world.connect();
                let port = world.http.port();
                send(&mut stream, format!("POST http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\nContent-Length: 10\r\n\r\nhalf").as_bytes());
                Answer::read(&mut stream).status
            }),
            case(
                "a request that is smuggled behind another",
                200,
                "denied",
                true,
                |world| {
                    let port = world.http.port();
                    let mut stream = world.connect();
                    send(&mut stream, format!("GET http://a.test:{port}/hello HTTP/1.1\r\nHost: a.test:{port}\r\n\r\nGET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\n").as_bytes());
                    let first = Answer::read(&mut stream);
                    assert_eq!(Answer::read(&mut stream).status, 403);
                    first.status
                },
            ),
        ],
    );
}

#[test]
fn what_is_in_a_tunnel() {
    run(
        &World::new(),
        vec![
            tls(
                "TLS for the host of the tunnel",
                200,
                "",
                "a.test",
                "a.test",
            ),
            tls("TLS in capitals", 200, "", "A.test", "a.test"),
            tls(
                "TLS for another allowed host",
                0,
                "server-name",
                "a.test",
                "b.test",
            ),
            tls(
                "TLS for a host that is not allowed",
                0,
                "server-name",
                "a.test",
                "localhost",
            ),
            tls(
                "a tunnel to a host that is not allowed",
                403,
                "denied",
                "denied.test",
                "a.test",
            ),
            tls(
                "a tunnel to an unnamed address",
                403,
                "address",
                "127.0.0.2",
                "127.0.0.1",
            ),
            tls(
                "TLS without a name, to a named address",
                200,
                "",
                "127.0.0.1",
                "127.0.0.1",
            ),
            tls(
                "TLS without a name, to a host",
                0,
                "no-server-name",
                "a.test",
                "127.0.0.1",
            ),
            tls(
                "a tunnel by a rule for reading alone",
                403,
                "denied",
                "read.test",
                "read.test",
            ),
            tunnel(
                "HTTP in clear",
                200,
                "",
                "a.test",
                b"GET /hello HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            tunnel(
                "HTTP in clear for another host",
                400,
                "malformed",
                "a.test",
                b"GET /hello HTTP/1.1\r\nHost: b.test\r\n\r\n",
            ),
            tunnel(
                "a whole URL in a tunnel",
                400,
                "malformed",
                "a.test",
                b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n",
            ),
            tunnel(
                "a tunnel in a tunnel",
                400,
                "malformed",
                "a.test",
                b"CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n",
            ),
            tunnel(
                "HTTP in clear, denied",
                403,
                "denied",
                "a.test",
                b"GET /admin HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            tunnel("other bytes", 0, "not-tls", "a.test", b"SSH-2.0-x\r\n"),
            tunnel("old SSL", 0, "not-tls", "a.test", &[0x80, 0x2e, 1, 0, 2]),
            tunnel(
                "a hello that is none",
                0,
                "not-tls",
                "a.test",
                &[22, 3, 1, 0, 5, 2, 0, 0, 1, 0],
            ),
            tunnel("a hello that stays away", 0, "slow", "a.test", &[22, 3, 1]),
            tunnel("a tunnel without a port", 400, "malformed", "a.test:", b""),
            bytes(
                "a tunnel whose Host differs",
                400,
                "malformed",
                "CONNECT a.test:PORT HTTP/1.1\r\nHost: b.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel with user info",
                400,
                "malformed",
                "CONNECT b.test@a.test:PORT HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel with a path",
                400,
                "malformed",
                "CONNECT a.test:PORT/x HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel with NUL",
                400,
                "malformed",
                "CONNECT a.test\0:PORT HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel to a port that nobody listens on",
                502,
                "unreachable",
                "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\n",
            ),
            case("an encrypted hello", 0, "encrypted-hello", false, |world| {
                let mut stream = world
                    .tunnel(&format!("a.test:{}", world.https.port()))
                    .unwrap();
                send(&mut stream, &encrypted_hello("a.test"));
                let mut alert = Vec::new();
                stream.read_to_end(&mut alert).unwrap();
                assert_eq!(alert, [21, 3, 3, 0, 2, 2, 49]);
                0
            }),
            case("raw bytes that a rule names", 200, "", true, |world| {
                let mut stream = world
                    .tunnel(&format!("raw.test:{}", world.http.port()))
                    .unwrap();
                // Neither TLS nor a method: the tests' server answers it all the same.
                send(&mut stream, b"get /hello HTTP/1.1\r\nHost: x\r\n\r\n");
                Answer::read(&mut stream).status
            }),
            case("a WebSocket that a rule names", 101, "", true, |world| {
                let port = world.http.port();
                let mut stream = world.connect();
                send(&mut stream, format!("GET http://ws.test:{port}/ws HTTP/1.1\r\nHost: ws.test:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n").as_bytes());
                let answer = Answer::read_head_only(&mut stream);
                send(&mut stream, b"both ways");
                let mut back = [0; 9];
                stream.read_exact(&mut back).unwrap();
                assert_eq!(&back, b"both ways");
                answer.status
            }),
        ],
    );
}

/// As a browser sends it: a server name for all to see, and the real one encrypted.
fn encrypted_hello(name: &str) -> Vec<u8> {
    let vector = |length_bytes: usize, body: &[u8]| {
        let length = body.len().to_be_bytes();
        [&length[length.len() - length_bytes..], body].concat()
    };
    let entry = [&[0], vector(2, name.as_bytes()).as_slice()].concat();
    let names = [&[0, 0], vector(2, &vector(2, &entry)).as_slice()].concat();
    let encrypted = [&[0xfe, 0x0d], vector(2, &[0, 0, 1]).as_slice()].concat();
    let body = [
        &[3, 3],
        [7; 32].as_slice(),
        &[0],
        &vector(2, &[0x13, 1]),
        &[1, 0],
        &vector(2, &[names, encrypted].concat()),
    ]
    .concat();
    let message = [&[1], vector(3, &body).as_slice()].concat();
    [&[22, 3, 1], vector(2, &message).as_slice()].concat()
}

#[test]
fn a_name_that_turns_round_stays_where_it_was() {
    let world = World::new();
    for _ in 0..5 {
        let answer = world.get(&url(&world, "turning.test", "/hello"));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(world.dns.asked("turning.test"), 1);
    assert_eq!(world.http.seen().len(), 5);
}

#[test]
fn each_request_of_a_connection_is_judged() {
    let world = World::new();
    let mut stream = world.connect();
    let port = world.http.port();
    let mut ask = |host: &str, path: &str| {
        let host = format!("{host}:{port}");
        send(
            &mut stream,
            format!("GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
        );
        Answer::read(&mut stream).status
    };
    assert_eq!(ask("a.test", "/hello"), 200);
    assert_eq!(ask("a.test", "/hello"), 200);
    assert_eq!(ask("a.test", "/admin"), 403);
    assert_eq!(ask("denied.test", "/hello"), 403);
    assert_eq!(ask("b.test", "/hello"), 200);
    // The connection to a.test was used twice, the one to b.test is another.
    assert_eq!(world.http.connections(), 2);
    assert_eq!(world.http.seen().len(), 3);
}

#[test]
fn nothing_goes_out_between_two_calls() {
    let mut world = World::new();
    let address = url(&world, "a.test", "/hello");
    let mut tunnel = world
        .tunnel(&format!("a.test:{}", world.http.port()))
        .unwrap();
    world.door().end();
    // What was open ends with its call.
    let mut rest = Vec::new();
    tunnel.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    let refused = world.get(&address);
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("no call is running"));
    world.door().begin(support::caller());
    assert_eq!(world.get(&address).status, 200);
    let socket = world.directory.path().join(egress::SOCKET);
    assert!(socket.exists());
    world.close();
    assert!(!socket.exists());
}

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let world = World::new();
    let answer = world.get("http://denied.test/x");
    let problem = answer.text();
    for wanted in [
        "\"reason\":\"denied\"",
        "denied.test",
        "next_steps",
        "docs/EGRESS.md",
    ] {
        assert!(problem.contains(wanted), "{wanted}: {problem}");
    }
    assert!(answer.head.contains("application/problem+json"));
    let admin = world.get("http://a.test/admin").text();
    assert!(admin.contains("no-admin"), "{admin}");
}

#[test]
fn records_tell_of_each_request() {
    let mut world = World::new();
    let url = url(&world, "a.test", "/hello?key=value");
    assert_eq!(world.get(&url).status, 200);
    assert_eq!(world.get("http://denied.test/x?key=value").status, 403);
    let sink = std::sync::Arc::clone(&world.sink);
    world.close();
    let records = sink.all();
    let events: Vec<_> = records.iter().map(|record| record.event).collect();
    use egress::Event::{Admitted, Ended, Refused};
    assert!(events.contains(&Refused) && events.contains(&Ended));
    assert_eq!(events[0], Admitted);
    let ended = records.iter().find(|record| record.event == Ended).unwrap();
    assert_eq!(ended.received_bytes, 5);
    assert_eq!(ended.status, Some(200));
    assert_eq!(ended.rules, ["names"]);
    assert_eq!(ended.address, Some("127.0.0.1".parse().unwrap()));
    let text = serde_json::to_string(&records).unwrap();
    assert!(text.contains("denied.test") && text.contains("/hello"));
    assert!(!text.contains("key=value"), "{text}");
}
