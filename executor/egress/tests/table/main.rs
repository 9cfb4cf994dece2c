//! What goes through the proxy and what does not, case by case, against real servers.
//!
//! Each case says what is sent, the status that comes back, the reason in the records, and whether
//! a server saw anything. The controls show that the servers answer without the proxy. Run it with
//! `--nocapture` to read the tables.

#![allow(unreachable_pub, dead_code, reason = "shared by several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod door;
mod form;
mod reach;
mod tunnel;

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
