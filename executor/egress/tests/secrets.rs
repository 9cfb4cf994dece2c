//! Attempts to get a secret out, by a guest that holds a placeholder and a server that gives back
//! what it was sent.
//!
//! After each attempt: the guest has not read the secret in any of the usual encodings, no record
//! holds it, and a server that it does not belong to has not seen it. The control shows that the
//! server it belongs to did.

#![allow(unreachable_pub, dead_code, reason = "shared by several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

mod support;

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use egress::{SecretRule, SecretValue, Secrets};
use support::{Answer, Make, World, send};

const VALUE: &str = "sk-live/4711+abcdefXYZ";

struct Edge {
    world: World,
    placeholder: String,
}

fn rule(host: String) -> SecretRule {
    SecretRule {
        name: "api".to_owned(),
        value: SecretValue::new(VALUE.to_owned()),
        hosts: vec![host],
        headers: vec!["authorization".to_owned(), "x-api-key".to_owned()],
        in_clear: false,
    }
}

impl Edge {
    fn new() -> Self {
        Self::with(|_, https| rule(format!("a.test:{https}")))
    }

    fn with(rule: impl FnOnce(u16, u16) -> SecretRule) -> Self {
        let world = World::make(|http, https| Make {
            secrets: Secrets::new(vec![rule(http, https)]).unwrap(),
            ..Make::default()
        });
        let (name, placeholder) = world.door().placeholders().next().unwrap();
        assert_eq!(name, "api");
        let placeholder = placeholder.to_owned();
        Self { world, placeholder }
    }

    /// A request in TLS that the proxy looks into, to a host. `HOST` and `TOKEN` are filled in.
    fn secure(&self, host: &str, request: &str) -> Answer {
        let authority = format!("{host}:{}", self.world.https.port());
        let ours = self.world.ours.certificate_pem();
        match self.world.tls(&authority, host, ours) {
            Err(answer) => answer,
            Ok(mut stream) => {
                let request = self.filled(request, &authority);
                if stream.write_all(request.as_bytes()).is_err() {
                    return Answer::read(&mut &[][..]);
                }
                Answer::read(&mut stream)
            }
        }
    }

    /// The same in clear.
    fn clear(&self, host: &str, request: &str) -> Answer {
        let authority = format!("{host}:{}", self.world.http.port());
        let request = request.replacen(" /", &format!(" http://{authority}/"), 1);
        self.world.ask(self.filled(&request, &authority).as_bytes())
    }

    fn filled(&self, request: &str, authority: &str) -> String {
        request
            .replace("HOST", authority)
            .replace("TOKEN", &self.placeholder)
    }

    fn get(&self, path: &str) -> Answer {
        self.secure(
            "a.test",
            &format!("GET {path} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n"),
        )
    }

    fn server_saw_it(&self) -> bool {
        let seen = self.world.https.seen().join("\n") + &self.world.http.seen().join("\n");
        holds(&seen)
    }

    /// Nothing of it came to the guest or to the ledger.
    fn is_kept(&self, answer: &Answer) {
        let text = format!("{}{}", answer.head, answer.text());
        assert!(!holds(&text), "{text}");
        let records = format!("{:?}", self.world.sink.all());
        assert!(!holds(&records), "{records}");
    }

    /// Refused, and no server saw the secret.
    fn is_refused(&self, answer: &Answer) {
        self.is_kept(answer);
        assert!(answer.status >= 400 || answer.status == 0, "{answer:?}");
        assert!(!self.server_saw_it());
        let reasons = self.world.reasons();
        assert!(!reasons.is_empty());
    }

    fn is_refused_for(&self, reason: &str, answer: &Answer) {
        self.is_refused(answer);
        assert!(
            self.world.reasons().contains(&reason),
            "{:?}",
            self.world.reasons()
        );
    }
}

/// The secret, in whatever way a server is likely to write it.
fn holds(text: &str) -> bool {
    let bearer = format!("Bearer {VALUE}");
    let hex: String = VALUE.bytes().map(|b| format!("{b:02x}")).collect();
    let forms = [
        VALUE.to_owned(),
        VALUE.chars().rev().collect(),
        VALUE.replace('/', "%2F").replace('+', "%2B"),
        VALUE.replace('/', "\\/"),
        hex,
        BASE64_STANDARD_NO_PAD.encode(VALUE),
        BASE64_STANDARD_NO_PAD.encode(bearer),
    ];
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    forms.iter().any(|form| clean.contains(form.as_str()))
}

#[test]
fn the_control_the_server_gets_the_secret() {
    let edge = Edge::new();
    let answer = edge.get("/hello");
    assert_eq!(answer.status, 200);
    assert!(
        edge.world
            .https
            .seen()
            .join("")
            .contains(&format!("Bearer {VALUE}"))
    );
    edge.is_kept(&answer);
    let admitted = edge.world.sink.all().into_iter().next().unwrap();
    assert_eq!(admitted.secrets, ["api"]);
}

/// A server that gives back what it was sent, in many ways.
#[test]
fn what_comes_back_is_searched() {
    let edge = Edge::new();
    for path in [
        "/echo",
        "/echo-chunked",
        "/echo-base64",
        "/echo-hex",
        "/echo-reversed",
        "/echo-percent",
        "/echo-json",
        "/echo-header",
        "/echo-location",
        "/echo-cookie",
        "/echo-trailer",
        "/echo-reason",
    ] {
        edge.world.forget();
        let answer = edge.get(path);
        assert!(
            edge.server_saw_it(),
            "{path}: no attempt without the secret"
        );
        assert!(matches!(answer.status, 200 | 302), "{path}: {answer:?}");
        edge.is_kept(&answer);
    }
    let echoed = edge.get("/echo").text();
    assert!(echoed.contains(&edge.placeholder), "{echoed}");
}

#[test]
fn an_answer_that_cannot_be_searched_is_not_handed_back() {
    let edge = Edge::new();
    let answer = edge.get("/echo-gzip");
    assert_eq!(answer.status, 502);
    edge.is_kept(&answer);
}

#[test]
fn a_server_cannot_be_asked_for_pieces_or_encodings() {
    let edge = Edge::new();
    let answer = edge.secure("a.test", "GET /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\nRange: bytes=0-3\r\nIf-Range: x\r\nAccept-Encoding: gzip, br\r\n\r\n");
    edge.is_kept(&answer);
    let seen = edge.world.https.seen().join("").to_ascii_lowercase();
    assert!(!seen.contains("range:") && !seen.contains("gzip"), "{seen}");
    assert!(seen.contains("accept-encoding: identity"));
}

#[test]
fn basic_credentials_are_opened_for_it() {
    let edge = Edge::new();
    let credentials = BASE64_STANDARD.encode(format!("user:{}", edge.placeholder));
    let answer = edge.secure(
        "a.test",
        &format!("GET /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic {credentials}\r\n\r\n"),
    );
    let wanted = BASE64_STANDARD.encode(format!("user:{VALUE}"));
    assert!(edge.world.https.seen().join("").contains(&wanted));
    assert!(!answer.text().contains(&wanted));
    let answer = edge.secure(
        "b.test",
        &format!("GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic {credentials}\r\n\r\n"),
    );
    // TLS with b.test is not looked into: the placeholder goes there as it is, worth nothing.
    edge.is_kept(&answer);
}

/// To hosts, ports and schemes that it does not belong to.
#[test]
fn it_goes_nowhere_else() {
    let get = "GET /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n";
    for host in ["a.test", "b.test", "denied.test", "127.0.0.1", "ws.test"] {
        let edge = Edge::new();
        let answer = edge.clear(host, get);
        edge.is_refused_for("secret", &answer);
    }
    let edge = Edge::new();
    let upper = get.replace("TOKEN", &edge.placeholder.to_ascii_uppercase());
    let answer = edge.clear("b.test", &upper);
    edge.is_refused_for("secret", &answer);
    let basic = BASE64_STANDARD.encode(format!("u:{}", edge.placeholder));
    let answer = edge.clear(
        "b.test",
        &get.replace("Bearer TOKEN", &format!("Basic {basic}")),
    );
    edge.is_refused_for("secret", &answer);
}

/// In places of a request in which it does not belong, to the right host.
#[test]
fn it_stands_nowhere_else() {
    for request in [
        "GET /echo/TOKEN HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "GET /echo?key=TOKEN HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "GET /echo?key=%6Caza%72et_secre%74_TAIL HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nX-Other: TOKEN\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nCookie: a=TOKEN\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nUser-Agent: TOKEN\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nReferer: http://x/TOKEN\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nTOKEN: a\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\nX-Copy: TOKEN\r\n\r\n",
        "TRACE /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: b.test\r\nAuthorization: TOKEN\r\n\r\n",
        "GET http://b.test/echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let edge = Edge::new();
        let tail = edge
            .placeholder
            .trim_start_matches("lazaret_secret_")
            .to_owned();
        let answer = edge.secure("a.test", &request.replace("TAIL", &tail));
        edge.is_refused(&answer);
    }
}

/// In a body, however it is cut.
#[test]
fn it_stands_in_no_body() {
    let edge = Edge::new();
    let length = edge.placeholder.len();
    let answer = edge.secure(
        "a.test",
        &format!("POST /echo HTTP/1.1\r\nHost: HOST\r\nContent-Length: {length}\r\n\r\nTOKEN"),
    );
    edge.is_refused_for("secret", &answer);
    let edge = Edge::new();
    let chunks: String = edge
        .placeholder
        .chars()
        .map(|c| format!("1\r\n{c}\r\n"))
        .collect();
    let answer = edge.secure("a.test", &format!("POST /echo HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"));
    edge.is_refused_for("secret", &answer);
    let edge = Edge::new();
    let answer = edge.clear(
        "b.test",
        &format!("POST /echo HTTP/1.1\r\nHost: HOST\r\nContent-Length: {length}\r\n\r\nTOKEN"),
    );
    edge.is_refused_for("secret", &answer);
}

/// Written byte by byte, it is still one header.
#[test]
fn split_writes_change_nothing() {
    let edge = Edge::new();
    let authority = format!("b.test:{}", edge.world.http.port());
    let request = edge.filled(
        &format!(
            "GET http://{authority}/echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\n\r\n"
        ),
        &authority,
    );
    let mut stream = edge.world.connect();
    for byte in request.as_bytes() {
        send(&mut stream, &[*byte]);
    }
    let answer = Answer::read(&mut stream);
    edge.is_refused_for("secret", &answer);
}

/// Where a redirect leads is another host, and the guest's own request.
#[test]
fn a_redirect_does_not_carry_it() {
    let edge = Edge::new();
    let answer = edge.get("/echo-location");
    edge.is_kept(&answer);
    let location = support::header(&answer.head, "location").unwrap();
    edge.world.forget();
    let path = location
        .trim_start_matches("http://denied.test")
        .replace(' ', "%20");
    let answer = edge.clear(
        "denied.test",
        &format!("GET {path} HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\n\r\n"),
    );
    edge.is_refused_for("secret", &answer);
}

/// A server whose certificate is not that of the host gets nothing.
#[test]
fn the_certificate_must_agree() {
    let edge = Edge::with(|_, https| rule(format!("six.test:{https}")));
    // The tests' certificate does not name six.test.
    let answer = edge.secure(
        "six.test",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\n\r\n",
    );
    edge.is_refused_for("unreachable", &answer);
}

/// A name that leads to an address which no rule names gets nothing.
#[test]
fn the_address_must_agree() {
    let edge = Edge::with(|_, https| rule(format!("inner.test:{https}")));
    let answer = edge.secure(
        "inner.test",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: TOKEN\r\n\r\n",
    );
    edge.is_refused_for("address", &answer);
}

#[test]
fn in_clear_only_where_the_rule_says_so() {
    let edge = Edge::with(|http, _| SecretRule {
        in_clear: true,
        ..rule(format!("a.test:{http}"))
    });
    let answer = edge.clear(
        "a.test",
        "GET /echo HTTP/1.1\r\nHost: HOST\r\nX-Api-Key: TOKEN\r\n\r\n",
    );
    assert_eq!(answer.status, 200);
    assert!(edge.server_saw_it());
    edge.is_kept(&answer);
}

#[test]
fn rules_that_cannot_be_kept_are_refused() {
    let bad = |change: fn(&mut SecretRule)| {
        let mut rule = rule("a.test".to_owned());
        change(&mut rule);
        Secrets::new(vec![rule])
            .err()
            .map(|error| error.to_string())
    };
    for change in [
        (|rule| rule.name = "a b".to_owned()) as fn(&mut SecretRule),
        |rule| rule.value = SecretValue::new("short".to_owned()),
        |rule| rule.value = SecretValue::new("with a\r\nnewline".to_owned()),
        |rule| rule.hosts = Vec::new(),
        |rule| rule.hosts = vec!["a/b".to_owned()],
        |rule| rule.headers = vec!["a b".to_owned()],
    ] {
        let error = bad(change).unwrap();
        assert!(
            !error.contains("short") && !error.contains("newline"),
            "{error}"
        );
    }
    assert_eq!(
        format!("{:?}", SecretValue::new(VALUE.to_owned())),
        "SecretValue(..)"
    );
}
