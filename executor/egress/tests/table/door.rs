//! What holds for all requests of a door: pins, records, calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use egress::{Counts, Rules, Ruling};
use policy::{CallId, Policy, ToolCall};

use super::*;
use crate::support::{Make, POLICY, load};

/// Counts what is entered into the state of a session.
struct Counting {
    policy: Policy,
    counted: AtomicUsize,
}

impl Rules for Counting {
    fn decide(&self, id: CallId, call: ToolCall, counts: Counts) -> Result<Ruling, String> {
        if counts == Counts::Yes {
            self.counted.fetch_add(1, Ordering::SeqCst);
        }
        self.policy.decide(id, call, counts)
    }
}

/// However many questions are asked about it.
#[test]
fn a_request_that_goes_out_counts_once() {
    let counting = Arc::new(Counting {
        policy: load(POLICY),
        counted: AtomicUsize::new(0),
    });
    let rules = Arc::clone(&counting) as Arc<dyn Rules>;
    let world = World::make(|_, _| Make {
        rules: Some(rules),
        ..Make::default()
    });
    let counted = || counting.counted.load(Ordering::SeqCst);
    assert_eq!(world.get(&url(&world, "a.test", "/hello")).status, 200);
    assert_eq!(counted(), 1);
    assert_eq!(world.get("http://denied.test/").status, 403);
    assert_eq!(counted(), 1, "what no rule allows did not go out");
    let authority = format!("a.test:{}", world.https.port());
    world.tunnel(&authority).unwrap();
    assert_eq!(counted(), 2);
}

/// Where nothing is judged, nothing goes out.
struct Nobody;

impl Rules for Nobody {
    fn decide(&self, _: CallId, _: ToolCall, _: Counts) -> Result<Ruling, String> {
        Err("the policy is broken".to_owned())
    }
}

#[test]
fn without_a_policy_nothing_goes_out() {
    let world = World::make(|_, _| Make {
        rules: Some(Arc::new(Nobody)),
        ..Make::default()
    });
    let answer = world.get(&url(&world, "a.test", "/hello"));
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("the policy is broken"));
    assert!(world.http.seen().is_empty());
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
    let text = format!("{records:?}");
    assert!(text.contains("denied.test") && text.contains("/hello"));
    assert!(!text.contains("key=value"), "{text}");
}
