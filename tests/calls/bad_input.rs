//! Bad input: a clear 4xx, nothing run, and the daemon works on.
//!
//! The table is the specification; a new way to be wrong is a new line in it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use appliance_tests::daemon::{Answer, Client, Daemon, Options};
use appliance_tests::{ledger, process};
use serde_json::{Value, json};

/// More than any body that is taken, as the issue has it.
const HUGE_BYTES: usize = 100 << 20;

/// What the daemon may hold more after a huge body was sent to it.
const HUGE_LEFT_BYTES: u64 = 40 << 20;

/// (what is wrong, the body, a word that the detail must have)
fn bodies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = |what, body: &str, word| (what, body.as_bytes().to_vec(), word);
    vec![
        text("nothing", "", ""),
        text("no JSON", "hello", ""),
        text("half of it", r#"{"language":"python","code":"#, ""),
        text("an array", r#"["python"]"#, ""),
        text("null", "null", ""),
        text("a string", r#""python""#, ""),
        text("two values", r#"{"language":"python","code":"1"} {}"#, ""),
        text(
            "bytes after it",
            "{\"language\":\"python\",\"code\":\"1\"}\0",
            "",
        ),
        text("single quotes", "{'language':'python','code':'1'}", ""),
        text(
            "a comma too many",
            r#"{"language":"python","code":"1",}"#,
            "",
        ),
        text("a comment", r#"{"language":"python","code":"1"/**/}"#, ""),
        text(
            "NaN",
            r#"{"language":"python","code":"1","limits":{"wall_ms":NaN}}"#,
            "",
        ),
        text(
            "a key twice",
            r#"{"language":"python","code":"1","code":"2"}"#,
            "code",
        ),
        text(
            "a key twice, once escaped",
            r#"{"language":"python","code":"1","c\u006fde":"2"}"#,
            "code",
        ),
        text(
            "a key twice, deep",
            r#"{"language":"python","code":"1","limits":{"wall_ms":1,"wall_ms":2}}"#,
            "wall_ms",
        ),
        text(
            "an unknown key",
            r#"{"language":"python","code":"1","codee":"2"}"#,
            "codee",
        ),
        text(
            "an unknown key, deep",
            r#"{"language":"python","code":"1","limits":{"cpu":1}}"#,
            "cpu",
        ),
        text(
            "an unknown key in a file",
            r#"{"language":"python","code":"1","files":[{"path":"a","content":"b","mode":"777"}]}"#,
            "mode",
        ),
        text("no code", r#"{"language":"python"}"#, "code"),
        text("no language", r#"{"code":"1"}"#, "language"),
        text(
            "half a surrogate",
            r#"{"language":"python","code":"\ud800"}"#,
            "",
        ),
        text(
            "surrogates the wrong way round",
            r#"{"language":"python","code":"\udc00\ud800"}"#,
            "",
        ),
        (
            "code that is not UTF-8",
            [
                br#"{"language":"python","code":""#.as_slice(),
                b"\xff\xfe",
                br#""}"#,
            ]
            .concat(),
            "UTF-8",
        ),
        (
            "an overlong slash",
            [
                br#"{"language":"python","code":""#.as_slice(),
                b"\xc0\xaf",
                br#""}"#,
            ]
            .concat(),
            "UTF-8",
        ),
        (
            "UTF-16",
            "{\"language\":\"python\"}"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
            "",
        ),
        (
            "a byte order mark",
            "\u{feff}{\"language\":\"python\",\"code\":\"1\"}".into(),
            "",
        ),
        (
            "a control character",
            b"{\"language\":\"python\",\"code\":\"a\x01b\"}".to_vec(),
            "",
        ),
        ("100,000 brackets", "[".repeat(100_000).into_bytes(), ""),
        (
            "100,000 objects",
            "{\"a\":".repeat(100_000).into_bytes(),
            "",
        ),
        (
            "a number too large for any type",
            [
                br#"{"language":"python","code":"1","limits":{"wall_ms":"#.as_slice(),
                "9".repeat(10_000).as_bytes(),
                b"}}",
            ]
            .concat(),
            "",
        ),
    ]
}

/// (what is wrong, the field's value, a word that the detail must have)
fn fields() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("language", json!("cobol"), "cobol"),
        ("language", json!(""), ""),
        ("language", json!("Python"), ""),
        ("language", json!("python\u{0}"), ""),
        ("language", json!("../python"), ""),
        ("language", json!(1), "language"),
        ("language", json!(null), ""),
        ("code", json!(1), "code"),
        ("code", json!(["print(1)"]), "code"),
        ("code", json!(null), ""),
        ("code", json!("#".repeat((1 << 20) + 1)), "code"),
        ("stdin", json!(1), "stdin"),
        ("stdin", json!({"a": 1}), "stdin"),
        ("stdin", json!("x".repeat((1 << 20) + 1)), "stdin"),
        ("args", json!("a b"), "args"),
        ("args", json!([1]), "args"),
        ("args", json!(["a\u{0}b"]), "args"),
        ("args", json!(vec!["x"; 100_000]), "args"),
        ("files", json!({}), "files"),
        ("files", json!([1]), "files"),
        ("files", json!([{"content": "x"}]), "path"),
        ("files", json!([{"path": "a"}]), "content"),
        (
            "files",
            json!([{"path": "a", "content": "x", "content_base64": "eA=="}]),
            "content",
        ),
        ("files", json!([{"path": "a", "content": 1}]), "content"),
        (
            "files",
            json!([{"path": "a", "content_base64": "?"}]),
            "ase64",
        ),
        (
            "files",
            json!([{"path": "a", "content_base64": "eA"}]),
            "ase64",
        ),
        (
            "files",
            json!([{"path": "a", "content": ""}, {"path": "a", "content": ""}]),
            "a",
        ),
        (
            "files",
            json!([{"path": "a", "content": ""}, {"path": "a/b", "content": ""}]),
            "a",
        ),
        (
            "files",
            json!([{"path": "a", "content": "x".repeat((16 << 20) + 1)}]),
            "",
        ),
        (
            "files",
            Value::Array(
                (0..300)
                    .map(|n| json!({"path": format!("f{n}"), "content": ""}))
                    .collect(),
            ),
            "",
        ),
        ("collect", json!("*"), "collect"),
        ("collect", json!([1]), "collect"),
        ("collect", json!(["["]), "["),
        ("collect", json!(vec!["*"; 10_000]), "collect"),
        ("collect", json!(["{".repeat(100_000)]), "collect"),
        ("profile", json!(1), "profile"),
        ("profile", json!("no-such-profile"), "no-such-profile"),
        ("profile", json!("../../etc/passwd"), ""),
        ("limits", json!(1), "limits"),
        ("limits", json!([]), "limits"),
    ]
}

const BAD_PATHS: [&str; 20] = [
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "/workspace/a",
    "../a",
    "a/../b",
    "a/../../b",
    "a/..",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "a\u{0}b",
    "\u{0}",
    "~/../a/..",
    "a\n/../b",
    "..\u{0}/x",
    "//etc/passwd",
];

const LIMITS: [&str; 3] = ["wall_ms", "memory_bytes", "output_bytes"];

/// Zero, negative, fractional, beyond what any of the types holds, and no numbers.
const BAD_LIMITS: [&str; 12] = [
    "0",
    "-1",
    "1.5",
    "1e3",
    "-0",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "\"1000\"",
    "true",
    "null",
    "[1000]",
];

/// Fails unless the answer is a clear 4xx that mentions `word`.
fn assert_clear(answer: &Answer, what: &str, word: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    answer.assert_problem(answer.status);
    assert!(
        answer.text("detail").contains(word),
        "{what}: says `{word}`: {answer:?}"
    );
    assert!(
        answer.took < Duration::from_secs(5),
        "{what}: {:?}",
        answer.took
    );
}

#[test]
fn broken_bodies() {
    let daemon = Daemon::start();
    for (what, body, word) in bodies() {
        let answer = daemon.client().post_bytes("/v1/execute", &body);
        assert_clear(&answer, what, word);
    }
    daemon.assert_works();
}

#[test]
fn wrong_fields() {
    let daemon = Daemon::start();
    for (field, value, word) in fields() {
        let mut request = json!({"language": "python", "code": "print(1)"});
        let short: String = value.to_string().chars().take(60).collect();
        request
            .as_object_mut()
            .unwrap()
            .insert(field.to_owned(), value);
        assert_clear(
            &daemon.execute(&request),
            &format!("{field} = {short}"),
            word,
        );
    }
    daemon.assert_works();
}

#[test]
fn wrong_paths() {
    let daemon = Daemon::start();
    let long = ["x".repeat(5000), "x".repeat(300), "d/".repeat(100) + "f"];
    let paths = BAD_PATHS.iter().map(ToString::to_string).chain(long);
    for path in paths {
        for content in [json!({"content": "x"}), json!({"content_base64": "eA=="})] {
            let mut file = content;
            file.as_object_mut()
                .unwrap()
                .insert("path".to_owned(), json!(path));
            let request = json!({"language": "python", "code": "print(1)", "files": [file]});
            assert_clear(&daemon.execute(&request), &format!("path {path:?}"), "path");
        }
    }
    let control = json!({"language": "python", "code": "print(open('a/b..c').read())",
                         "files": [{"path": "a/b..c", "content": "fine"}]});
    assert_eq!(
        daemon.execute(&control).text("stdout"),
        "fine\n",
        "control: dots in a name"
    );
}

#[test]
fn wrong_limits() {
    let daemon = Daemon::start();
    for limit in LIMITS {
        for value in BAD_LIMITS {
            let body = format!(
                r#"{{"language":"python","code":"print(1)","limits":{{"{limit}":{value}}}}}"#
            );
            let answer = daemon.client().post_bytes("/v1/execute", body.as_bytes());
            assert_clear(&answer, &format!("{limit} = {value}"), limit);
        }
    }
    daemon.assert_works();
}

#[test]
fn wrong_media_types() {
    let daemon = Daemon::start();
    let body = json!({"language": "python", "code": "print(1)"}).to_string();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonx",
    ] {
        let answer = daemon
            .client()
            .post_as("/v1/execute", media_type, body.as_bytes());
        assert_clear(&answer, media_type, "application/json");
        assert_eq!(
            answer.status, 415,
            "{media_type}: a page in a browser can send these"
        );
    }
    let control = daemon.client().post_as(
        "/v1/execute",
        "application/json; charset=utf-8",
        body.as_bytes(),
    );
    assert_eq!(control.status, 200, "control: {control:?}");
}

#[test]
fn a_huge_body_is_refused_without_being_held() {
    let daemon = Daemon::start();
    daemon.assert_works();
    let before = process::own_memory_bytes(daemon.pid());
    let head = head(
        &daemon.client(),
        &format!("content-length: {HUGE_BYTES}\r\n"),
    );
    let told = raw(&daemon.client(), &head, HUGE_BYTES);
    assert!(told.contains(" 413 "), "said with its length: {told}");
    let chunked = head_chunked(&daemon.client());
    let told = raw(&daemon.client(), &chunked, HUGE_BYTES);
    assert!(told.contains(" 413 "), "said without its length: {told}");
    daemon.assert_works();
    let after = process::own_memory_bytes(daemon.pid());
    assert!(
        after < before + HUGE_LEFT_BYTES,
        "{before} bytes before, {after} after"
    );
}

#[test]
fn bad_http() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let token = client.token();
    let cases = [
        "GARBAGE\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}   ".to_owned(),
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n{}".to_owned(),
        format!("POST /v1/execute HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(1 << 20)),
        format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(1 << 20)),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(10_000)),
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff0\r\n".to_owned(),
    ];
    for case in cases {
        let told = raw(&client, &case, 0);
        let first = told.lines().next().unwrap_or_default();
        let refused = first.is_empty() || first.contains(" 4") || first.contains(" 5");
        assert!(
            refused,
            "{:?} is answered {first}",
            case.chars().take(60).collect::<String>()
        );
        assert!(!first.contains(" 500"), "{first}");
        assert!(!told.contains("200 OK"), "nothing smuggled: {told}");
        daemon.assert_works();
    }
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut silent: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(client.address()).unwrap())
        .collect();
    for (number, stream) in silent.iter_mut().enumerate() {
        let part = head(&client, "content-length: 100\r\n");
        let cut = part.len() * number / 200;
        stream
            .write_all(part.as_bytes().get(..cut).unwrap())
            .unwrap();
    }
    daemon.assert_works();
}

#[test]
fn nothing_of_bad_input_runs_or_is_taken_for_a_call() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(Options::default().state(state.path()));
    for (_, body, _) in bodies() {
        let answer = daemon.client().post_bytes("/v1/execute", &body);
        assert!((400..500).contains(&answer.status));
    }
    let ledger = daemon.ledger();
    assert_eq!(daemon.stop_and_verify().code, 0);
    assert!(
        ledger::of_kind(&ledger, "outcome").is_empty(),
        "no call, no outcome"
    );
}

/// Broken input from several sides at once, between good calls.
#[test]
fn good_calls_do_not_suffer_from_bad_ones() {
    let daemon = Daemon::start();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for (_, body, _) in bodies() {
                    let answer = daemon.client().post_bytes("/v1/execute", &body);
                    assert!((400..500).contains(&answer.status));
                }
            });
        }
        for _ in 0..10 {
            daemon.assert_works();
        }
    });
}

fn head(client: &Client, more: &str) -> String {
    format!(
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n{more}\r\n",
        client.token()
    )
}

/// One chunk of the whole huge length.
fn head_chunked(client: &Client) -> String {
    let head = head(client, "transfer-encoding: chunked\r\n");
    format!("{head}{HUGE_BYTES:x}\r\n")
}

/// Sends `head` and `filler` spaces by hand; what the daemon said before it hung up.
fn raw(client: &Client, head: &str, filler: usize) -> String {
    let mut stream = TcpStream::connect(client.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut sender = stream.try_clone().unwrap();
    let head = head.to_owned();
    let sending = thread::spawn(move || {
        let block = [b' '; 1 << 16];
        // The daemon may hang up at any time, which is its right.
        if sender.write_all(head.as_bytes()).is_err() {
            return;
        }
        for _ in 0..filler / block.len() {
            if sender.write_all(&block).is_err() {
                return;
            }
        }
    });
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        said.extend_from_slice(buffer.get(..count).unwrap_or_default());
        // An answer is complete with its body; what follows would be another.
        if count == 0 || said.len() > 1 << 20 {
            break;
        }
    }
    stream.shutdown(std::net::Shutdown::Both).ok();
    sending.join().unwrap();
    String::from_utf8_lossy(&said).into_owned()
}
