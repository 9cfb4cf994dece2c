//! What one door may use together, and that it ends there.

#![allow(unreachable_pub, dead_code, reason = "shared by several tests")]
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::time::Duration;

use egress::{Budget, Limits};
use support::{Answer, Make, World, send};

fn world(budget: Budget) -> World {
    World::make(|_, _| Make {
        budget,
        ..Make::default()
    })
}

fn get(world: &World, host: &str, path: &str) -> Answer {
    world.get(&format!("http://{host}:{}{path}", world.http.port()))
}

#[test]
fn requests_are_counted_and_refusals_do_not_fill_the_ledger() {
    let world = world(Budget {
        requests: 3,
        ..Budget::default()
    });
    for _ in 0..3 {
        assert_eq!(get(&world, "a.test", "/hello").status, 200);
    }
    for _ in 0..20 {
        assert_eq!(get(&world, "a.test", "/hello").status, 429);
    }
    assert_eq!(world.http.seen().len(), 3);
    let refused = world
        .sink
        .all()
        .into_iter()
        .filter(|r| r.event == egress::Event::Refused);
    assert_eq!(refused.count(), 1);
    assert_eq!(world.door().used().requests, 23);
}

#[test]
fn hosts_are_counted() {
    let world = world(Budget {
        hosts: 1,
        ..Budget::default()
    });
    assert_eq!(get(&world, "a.test", "/hello").status, 200);
    assert_eq!(get(&world, "b.test", "/hello").status, 429);
    assert_eq!(get(&world, "a.test", "/hello").status, 200);
}

#[test]
fn bytes_are_counted_both_ways() {
    let world = world(Budget {
        received_bytes: 100_000,
        sent_bytes: 1_000,
        ..Budget::default()
    });
    let answer = get(&world, "a.test", "/big");
    assert_eq!(answer.text(), "(cut off)");
    assert_eq!(world.reasons(), ["budget"]);
    let port = world.http.port();
    let body = "x".repeat(2_000);
    let request = format!(
        "POST http://b.test:{port}/hello HTTP/1.1\r\nHost: b.test:{port}\r\nContent-Length: 2000\r\n\r\n{body}"
    );
    assert_eq!(world.ask(request.as_bytes()).status, 502);
    assert!(
        world
            .http
            .seen()
            .iter()
            .all(|seen| !seen.starts_with("POST"))
    );
}

#[test]
fn connections_are_counted() {
    let world = world(Budget {
        connections: 2,
        ..Budget::default()
    });
    let held = [world.connect(), world.connect()];
    std::thread::sleep(Duration::from_millis(100));
    let mut third = world.connect();
    assert_eq!(Answer::read(&mut third).status, 429);
    drop(held);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(get(&world, "a.test", "/hello").status, 200);
}

#[test]
fn a_connection_has_an_end() {
    let world = World::make(|_, _| {
        let make = Make::default();
        Make {
            limits: Limits {
                total: Duration::from_millis(700),
                ..make.limits
            },
            ..make
        }
    });
    let mut stream = world
        .tunnel(&format!("raw.test:{}", world.http.port()))
        .unwrap();
    send(&mut stream, b"get /ws HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(Answer::read_head_only(&mut stream).status, 101);
    let since = std::time::Instant::now();
    let mut byte = [0];
    while std::io::Read::read(&mut stream, &mut byte).unwrap() > 0 {}
    assert!(since.elapsed() < Duration::from_secs(3));
}

#[test]
fn silence_ends_a_tunnel() {
    let world = World::new();
    let mut stream = world
        .tunnel(&format!("raw.test:{}", world.http.port()))
        .unwrap();
    send(&mut stream, b"get /ws HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(Answer::read_head_only(&mut stream).status, 101);
    let mut byte = [0];
    assert_eq!(std::io::Read::read(&mut stream, &mut byte).unwrap(), 0);
    assert!(world.reasons().contains(&"slow"));
}

#[test]
fn a_server_that_stalls_is_cut_off() {
    let world = World::new();
    assert_eq!(get(&world, "a.test", "/stalls").text(), "(cut off)");
    assert_eq!(world.reasons(), ["slow"]);
}
