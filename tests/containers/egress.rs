//! The one way out of a container, from a program in it to a server on this machine, and what the
//! ledger has of it. Real Docker, real gVisor, real servers; each has its control.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "tests, and a world that is shared with those of the proxy"
)]

#[path = "../../executor/egress/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use appliance_tests::command::verify;
use appliance_tests::containers::{bash, can_run, containers_of, eventually, with};
use appliance_tests::daemon::{Answer, Client, Daemon, Options};
use appliance_tests::files::Files;
use appliance_tests::ledger::{self, Request};
use serde_json::json;
use support::dns::NameServer;
use support::server::{Server, TestAuthority};

/// The shipped profile, in gVisor.
const GVISOR: &str = "container-egress";

/// The same on the host's kernel, and with TLS looked into.
const INSPECTED: &str = "trusted-egress";

/// The value of the secret, in no form that a test could meet by chance.
const SECRET: &str = "s3cr3t-Zq8-of-the-tests";

const POLICY: &str = r#"
version = 1
name = "egress-tests"

[[rule]]
id = "gvisor"
effect = "allow"
run = "container-egress"
reason = "commands with a way out"
[rule.match]
tool = "run_command"
"command.name" = { exists = true }
"redirect.target" = { exists = true }
"assignment.name" = { exists = true }
"opaque.kind" = { exists = true }
"host.name" = { exists = true }
"path.value" = { exists = true }

[[rule]]
id = "inspected"
effect = "allow"
run = "trusted-egress"
reason = "commands with a way out that is looked into"
[rule.match]
tool = "run_command"
"command.name" = { exists = true }
"redirect.target" = { exists = true }
"assignment.name" = { exists = true }
"opaque.kind" = { exists = true }
"host.name" = { exists = true }
"path.value" = { exists = true }

[[rule]]
id = "offline"
effect = "allow"
run = "container-offline"
reason = "commands without one"
[rule.match]
tool = "run_command"
"command.name" = { exists = true }
"redirect.target" = { exists = true }
"assignment.name" = { exists = true }
"opaque.kind" = { exists = true }
"host.name" = { exists = true }
"path.value" = { exists = true }

[[rule]]
id = "names"
effect = "allow"
run = "container-egress"
reason = "the servers of the tests"
match = { tool = "http_request", "host.name" = ["a.test", "b.test"] }

[[rule]]
id = "address"
effect = "allow"
run = "container-egress"
reason = "they are here"
match = { tool = "http_request", "host.address" = { cidr = "127.0.0.1" } }

[[rule]]
id = "names-inspected"
effect = "allow"
run = "trusted-egress"
reason = "the servers of the tests"
match = { tool = "http_request", "host.name" = ["a.test", "b.test"] }

[[rule]]
id = "address-inspected"
effect = "allow"
run = "trusted-egress"
reason = "they are here"
match = { tool = "http_request", "host.address" = { cidr = "127.0.0.1" } }

[[rule]]
id = "no-admin"
effect = "deny"
reason = "administration is not for agents"
match = { tool = "http_request", "arguments.path" = { prefix = "/admin" } }
"#;

/// Servers, a name server, and a daemon whose containers reach them.
struct World {
    http: Server,
    https: Server,
    files: Files,
    _dns: NameServer,
    state: tempfile::TempDir,
    daemon: Option<Daemon>,
}

impl World {
    fn new() -> Self {
        Self::with("", &[])
    }

    /// With more in the file about egress, and more variables of the daemon.
    fn with(more: &str, environment: &[(&str, &str)]) -> Self {
        Self::under(POLICY, more, environment)
    }

    /// Under another policy.
    fn under(rules: &str, more: &str, environment: &[(&str, &str)]) -> Self {
        let theirs = TestAuthority::new();
        let here = || vec![support::addresses(&["127.0.0.1"])];
        let names = ["a.test", "b.test", "denied.test"];
        let dns = NameServer::start(names.map(|name| (name, here())).into());
        let state = tempfile::tempdir().unwrap();
        let world = Self {
            http: Server::plain(),
            https: Server::tls(&theirs),
            files: Files::new(),
            daemon: None,
            _dns: dns,
            state,
        };
        let folder = world.state.path();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let roots = file("roots.pem", theirs.certificate_pem());
        file("secret", &format!("{SECRET}\n"));
        let https = world.https.port();
        let more = more
            .replace("STATE", &folder.display().to_string())
            .replace("HTTPS_PORT", &https.to_string());
        let egress = format!(
            "version = 1\nname_servers = [\"{}\"]\ntrust = \"{}\"\n{more}",
            world._dns.address(),
            roots.display()
        );
        let egress = file("egress.toml", &egress);
        let policy = file("policy.toml", rules);
        fs::create_dir(folder.join("profiles")).unwrap();
        file("profiles/trusted-egress.toml", &inspected_profile());
        let mut options = Options::default().state(folder).policy(&policy);
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        options.environment = vec![
            set("LAZARET_CONTAINERS", "required"),
            set("LAZARET_EGRESS", &egress.display().to_string()),
            set(
                "LAZARET_PROFILES",
                &folder.join("profiles").display().to_string(),
            ),
            set("LAZARET_LOG", "debug"),
        ];
        let more = environment.iter().map(|(name, value)| set(name, value));
        options.environment.extend(more);
        Self {
            daemon: Some(Daemon::start_with(options)),
            ..world
        }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    fn client(&self) -> Client {
        self.daemon().client()
    }

    fn http(&self, path: &str) -> String {
        format!("http://a.test:{}{path}", self.http.port())
    }

    fn https(&self, path: &str) -> String {
        format!("https://a.test:{}{path}", self.https.port())
    }

    fn run(&self, profile: &str, text: &str) -> Answer {
        let answer = bash(&self.client(), profile, text);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    fn succeeds(&self, profile: &str, text: &str) -> String {
        let answer = self.run(profile, text);
        assert_eq!(answer.body["exit_code"], 0, "{text}: {answer:?}");
        answer.text("stdout").to_owned()
    }

    fn fails(&self, profile: &str, text: &str) -> String {
        let answer = self.run(profile, text);
        // A program ran, and said no.
        answer.assert_ending("exited");
        assert_ne!(answer.body["exit_code"], 0, "{text}: {answer:?}");
        [answer.text("stdout"), answer.text("stderr")].concat()
    }

    /// Ends the daemon, and gives what its ledger has of requests, once it is verified.
    fn requests(&mut self) -> Vec<Request> {
        let daemon = self.daemon.take().unwrap();
        let ledger = daemon.ledger();
        daemon.stop();
        let verified = verify(&ledger);
        assert_eq!(verified.code, 0, "{}", verified.err());
        ledger::requests(&ledger)
    }

    /// The folders of processes with their doors.
    fn doors(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.state.path().join("egress"));
        let paths = folder.into_iter().flatten().flatten();
        let paths = paths.map(|entry| entry.path());
        paths.filter(|path| path.is_dir()).collect()
    }
}

/// `docker-trusted` with the way out, looked into.
fn inspected_profile() -> String {
    let shipped = policy::shipped::PROFILES;
    let trusted = shipped.iter().find(|one| one.file == "docker-trusted.toml");
    let text = trusted.unwrap().text;
    let text = text.replace("name = \"docker-trusted\"", "name = \"trusted-egress\"");
    let rank = text.lines().find(|line| line.starts_with("rank")).unwrap();
    let text = text.replace(rank, "rank = 900");
    let text = text.replace("[tools]\n", "[tools]\nhttp_request = \"shell\"\n");
    text + "\n[layers.egress_proxy]\ninspect = \"everything\"\nwhy = \"tests\"\n"
}

const CURL: &str = "curl --silent --show-error --fail-with-body --max-time 20";

#[test]
fn curl_reaches_what_is_allowed_and_nothing_else() {
    if !can_run() {
        return;
    }
    let world = World::new();
    for profile in [GVISOR, INSPECTED] {
        for url in [world.http("/hello"), world.https("/hello")] {
            let curl = format!("{CURL} {url}");
            assert_eq!(world.succeeds(profile, &curl), "hello", "{profile} {url}");
        }
        let denied = world.fails(profile, &format!("{CURL} http://denied.test/"));
        assert!(denied.contains("next_steps"), "{denied}");
        assert!(denied.contains("denied.test"), "{denied}");
        let tunnel = world.fails(profile, &format!("{CURL} https://denied.test/"));
        assert!(tunnel.contains("403"), "{tunnel}");
        // A rule for a path is seen where the request is read.
        let admin = world.fails(profile, &format!("{CURL} {}", world.http("/admin")));
        assert!(admin.contains("no-admin"), "{admin}");
    }
    let admin = format!("{CURL} {}", world.https("/admin"));
    assert_eq!(world.succeeds(GVISOR, &admin), "hello", "control: a tunnel");
    assert!(world.fails(INSPECTED, &admin).contains("no-admin"));
    // Controls: there is no other way, and none at all without the profile.
    let direct = format!("http://127.0.0.1:{}/hello", world.http.port());
    assert_eq!(world.http.directly("127.0.0.1", "/hello"), 200);
    world.fails(GVISOR, &format!("{CURL} --noproxy '*' {direct}"));
    world.fails(
        "container-offline",
        &format!("{CURL} {}", world.http("/hello")),
    );
    world.fails(
        "container-offline",
        &format!(
            "{CURL} --proxy http://127.0.0.1:3128 {}",
            world.http("/hello")
        ),
    );
    assert!(!world.http.seen().concat().contains("/admin"));
}

#[test]
fn python_git_and_pip_work_through_it() {
    if !can_run() {
        return;
    }
    let world = World::new();
    let urllib = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())";
    let requests = "import sys, requests; print(requests.get(sys.argv[1]).text)";
    for program in [urllib, requests] {
        for url in [world.http("/hello"), world.https("/hello")] {
            let text = format!("python3 -c '{program}' {url}");
            assert_eq!(world.succeeds(GVISOR, &text).trim(), "hello", "{url}");
        }
    }
    let denied = world.fails(
        GVISOR,
        &format!("python3 -c '{urllib}' http://denied.test/"),
    );
    assert!(denied.contains("403"), "{denied}");

    let script = "set -e; git init -q work; cd work; echo text > file; git add file; \
        git -c user.name=t -c user.email=t@example.com commit -qm one; \
        git clone -q --bare . ../repository.git; cd ../repository.git; git update-server-info";
    world.files.make("sh", &["-c", script]);
    let url = world.files.url("repository.git");
    let clone = format!("git clone -q {url} clone && cat clone/file");
    assert_eq!(world.succeeds(GVISOR, &clone), "text\n");
    world.fails("container-offline", &clone);

    world.files.make("python3", &["-c", WHEEL]);
    let index = world.files.url("simple/");
    let install = format!(
        "python3 -m pip --isolated --no-cache-dir --retries 0 --disable-pip-version-check install --quiet \
         --index-url {index} --trusted-host a.test --target t greeting && cat t/greeting.py"
    );
    assert_eq!(world.succeeds(INSPECTED, &install), "TEXT = 'hello'\n");
    assert_eq!(world.succeeds(GVISOR, &install), "TEXT = 'hello'\n");
    world.fails("container-offline", &install);
}

const WHEEL: &str = r#"
import os, zipfile
os.makedirs("simple/greeting")
with zipfile.ZipFile("simple/greeting/greeting-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("greeting.py", "TEXT = 'hello'\n")
    wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("greeting-1.0.dist-info/RECORD", "greeting.py,,\ngreeting-1.0.dist-info/METADATA,,\ngreeting-1.0.dist-info/WHEEL,,\ngreeting-1.0.dist-info/RECORD,,\n")
"#;

#[test]
fn the_ledger_has_every_request_with_its_call_and_its_end() {
    if !can_run() {
        return;
    }
    let mut world = World::new();
    let text = format!(
        "{CURL} {} >/dev/null; {CURL} {} >/dev/null; {CURL} http://denied.test/x?key=value; true",
        world.http("/hello?key=value"),
        world.https("/hello"),
    );
    let answer = world.run(GVISOR, &text);
    let call = answer.call_id().to_owned();
    let state = world.state.path().to_owned();
    let requests = world.requests();
    assert_eq!(requests.len(), 3, "{requests:#?}");
    assert!(requests.iter().all(|request| request.text("call") == call));
    assert!(
        requests
            .iter()
            .all(|request| request.text("profile") == GVISOR)
    );
    let [plain, tunnel, denied] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(
        (plain.verdict.as_str(), plain.text("protocol")),
        ("allow", "http")
    );
    assert!(plain.rules.contains(&"names".to_owned()), "{plain:?}");
    assert!(plain.text("url").ends_with("/hello"), "{plain:?}");
    assert_eq!(
        (tunnel.verdict.as_str(), tunnel.text("protocol")),
        ("allow", "connect")
    );
    assert_eq!(
        (denied.verdict.as_str(), denied.text("reason")),
        ("deny", "denied")
    );
    assert!(denied.reason.contains("denied.test"), "{denied:?}");
    assert!(denied.outcome.is_none());
    let outcome = plain.outcome.clone().unwrap();
    assert_eq!(outcome["data"]["ending"], "answered");
    assert_eq!(outcome["data"]["receipt"]["status"], 200);
    assert_eq!(outcome["data"]["receipt"]["address"], "127.0.0.1");
    assert_eq!(outcome["data"]["usage"]["received_bytes"], 5);
    // Before the outcome of the call, so that nothing of a call comes after it.
    let of_call = ledger::of_call(&state.join("ledger.db"), &call);
    let last = of_call.last().unwrap()["seq"].as_u64().unwrap();
    for request in &requests {
        let end = request
            .outcome
            .as_ref()
            .map_or(request.seq, |outcome| outcome["seq"].as_u64().unwrap());
        assert!(end < last, "{end} {last}");
    }
    for request in &requests {
        let arguments = request.arguments.to_string();
        assert!(!arguments.contains("key=value"), "no query: {arguments}");
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

const SECRET_FILE: &str = r#"
[[secret]]
name = "API_TOKEN"
file = "STATE/secret"
hosts = ["a.test:HTTPS_PORT"]
headers = ["authorization"]

[[secret]]
name = "OTHER_TOKEN"
env = "LAZARET_TESTS_TOKEN"
hosts = ["b.test:HTTPS_PORT"]
headers = ["x-api-key"]
"#;

#[test]
fn a_secret_reaches_its_server_and_nobody_else() {
    if !can_run() {
        return;
    }
    const OTHER: &str = "0ther-s3cr3t-of-the-tests";
    let mut world = World::with(SECRET_FILE, &[("LAZARET_TESTS_TOKEN", OTHER)]);
    let echo = world.https("/echo");
    let told = world.succeeds(
        GVISOR,
        &format!("env; {CURL} -H \"authorization: Bearer $API_TOKEN\" {echo}"),
    );
    assert!(
        told.contains("API_TOKEN=lazaret_secret_API_TOKEN_"),
        "{told}"
    );
    let seen = world.https.seen().concat();
    assert!(
        seen.contains(&format!("Bearer {SECRET}")),
        "control: {seen}"
    );
    let b = format!("https://b.test:{}/echo", world.https.port());
    world.succeeds(
        GVISOR,
        &format!("{CURL} -H \"x-api-key: $OTHER_TOKEN\" {b}"),
    );
    assert!(world.https.seen().concat().contains(OTHER), "control");

    world.https.forget();
    world.http.forget();
    let plain = world.http("/echo");
    let elsewhere = [
        format!("{CURL} -H \"authorization: Bearer $API_TOKEN\" {b}"),
        format!("{CURL} -H \"authorization: Bearer $API_TOKEN\" {plain}"),
        format!("{CURL} -H \"x-other: $API_TOKEN\" {echo}"),
        format!("{CURL} {echo}?k=$API_TOKEN"),
        format!("{CURL} --data \"k=$API_TOKEN\" {echo}"),
        format!("{CURL} -H \"authorization: Bearer $OTHER_TOKEN\" {echo}"),
    ];
    for attempt in &elsewhere {
        let said = world.fails(GVISOR, attempt);
        assert!(!said.contains(SECRET) && !said.contains(OTHER), "{said}");
    }
    let server = [world.https.seen(), world.http.seen()].concat().concat();
    assert!(
        !server.contains(SECRET) && !server.contains(OTHER),
        "{server}"
    );
    // A server that gives it back in another form.
    for path in [
        "/echo-base64",
        "/echo-hex",
        "/echo-reversed",
        "/echo-header",
    ] {
        let url = world.https(path);
        let text = format!("{CURL} -i -H \"authorization: Bearer $API_TOKEN\" {url}");
        let said = world.succeeds(GVISOR, &text);
        for form in forms(SECRET) {
            assert!(!said.contains(&form), "{path}: {said}");
        }
    }
    let log = world.daemon().log();
    assert!(log.contains("egress refused"), "control: it logs");
    let requests = world.requests();
    let named = requests.iter().any(|request| {
        let outcome = request.outcome.as_ref();
        outcome.is_some_and(|one| one["data"]["receipt"]["secrets"] == json!(["API_TOKEN"]))
    });
    assert!(
        named,
        "control: the ledger names what was put in: {requests:#?}"
    );
    // Each attempt was refused for the secret, before it went out or in its middle.
    let refused = requests.iter().filter(|request| {
        let end = request.outcome.as_ref();
        let cut = end.is_some_and(|end| end["data"]["receipt"]["reason"] == "secret");
        cut || request.text("reason") == "secret"
    });
    assert_eq!(refused.count(), elsewhere.len(), "{requests:#?}");
    let files = ["ledger.db", "ledger.db-wal"].map(|name| fs::read(world.state.path().join(name)));
    for secret in [SECRET, OTHER] {
        for form in forms(secret) {
            assert!(!log.contains(&form), "the log");
            for bytes in files.iter().flatten() {
                assert!(!contains(bytes, form.as_bytes()), "the ledger: {form}");
            }
        }
    }
}

/// A secret as it is, in hexadecimal, and reversed; base64 of what stands before it differs.
fn forms(secret: &str) -> [String; 3] {
    [
        secret.to_owned(),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        secret.chars().rev().collect(),
    ]
}

#[test]
fn a_warm_container_has_a_door_of_its_own_that_opens_with_the_call() {
    if !can_run() {
        return;
    }
    let mut world = World::new();
    let client = world.client();
    let text = format!(
        "ls -la /run/lazaret; touch /run/lazaret/x; {CURL} {}",
        world.http("/hello")
    );
    let idle = || client.get("/health").body["containers"]["idle"].as_u64() > Some(0);
    let mut doors = Vec::new();
    for wanted in [false, true, true] {
        eventually("one is made ahead", || !wanted || idle());
        let answer = world.run(GVISOR, &text);
        assert_eq!(answer.body["receipt"]["warm"], wanted, "{answer:?}");
        assert!(answer.text("stdout").ends_with("hello"), "{answer:?}");
        assert!(
            answer.text("stderr").contains("touch"),
            "it cannot be written: {answer:?}"
        );
        let mounts = answer.body["receipt"]["container"]["settings"]["mounts"].clone();
        let line = mounts[0].as_str().unwrap().to_owned();
        assert_eq!(mounts.as_array().unwrap().len(), 1);
        assert!(line.ends_with(" at /run/lazaret, read-only"), "{line}");
        assert!(!doors.contains(&line), "one container, one door");
        doors.push(line);
    }
    // A container that waits has a door that nothing goes through: its call has not come.
    eventually("one waits", idle);
    let socket = fs::read_dir(&world.doors()[0])
        .unwrap()
        .flatten()
        .next()
        .unwrap();
    let socket = socket.path().join("egress.sock");
    let said = Command::new("curl")
        .args(["--silent", "--max-time", "5", "--unix-socket"])
        .arg(&socket)
        .arg(world.http("/hello"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("no-call"), "{said}");
    world.daemon.take().unwrap().stop();
    assert_eq!(world.doors(), Vec::<PathBuf>::new());
    assert!(containers_of(world.state.path()).is_empty());
}

#[test]
fn a_killed_daemon_leaves_no_socket_after_its_next_start() {
    if !can_run() {
        return;
    }
    let mut world = World::new();
    let client = world.client();
    let text = format!("{CURL} {}; sleep 20", world.http("/hello"));
    let call = thread::spawn(move || bash(&client, GVISOR, &text));
    eventually("the guest went through its door", || {
        !world.http.seen().is_empty()
    });
    world.daemon.take().unwrap().kill();
    drop(call.join());
    assert!(!world.doors().is_empty(), "control: it left some");
    let daemon = Daemon::start_with(Options::default().state(world.state.path()));
    eventually("they are removed", || world.doors().is_empty());
    daemon.stop();
    assert!(containers_of(world.state.path()).is_empty());
}

/// The steps of a call (`harness/src/fault.rs`), and whether its container is there by then.
const POINTS: [(&str, bool); 10] = [
    ("received", false),
    ("parsed", false),
    ("decided", false),
    ("decision_recorded", false),
    ("admitted", false),
    ("worker_ready", true),
    ("request_sent", true),
    ("worker_answered", true),
    ("outcome_recorded", false),
    ("replying", false),
];

/// No container, socket or mount.
#[test]
fn a_daemon_that_is_killed_at_any_point_leaves_nothing_after_its_next_start() {
    if !can_run() {
        return;
    }
    for (point, has_container) in POINTS {
        let mut world = World::with("", &[("LAZARET_FAULT", point)]);
        let text = format!("{CURL} {}", world.http("/hello"));
        let lost = bash(&world.client(), INSPECTED, &text);
        assert!(lost.broke.is_some(), "{point}: {lost:?}");
        let killed = world.daemon.take().unwrap().wait(Duration::from_secs(5));
        assert!(killed.is_some_and(|status| !status.success()), "{point}");
        let state = world.state.path().to_owned();
        if has_container {
            assert!(!containers_of(&state).is_empty(), "control: {point}");
            assert!(!world.doors().is_empty(), "control: {point}");
        }
        let daemon = Daemon::start_with(Options::default().state(&state));
        eventually("they are removed", || {
            containers_of(&state).is_empty() && world.doors().is_empty()
        });
        daemon.stop();
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(
            !mounts.contains(state.to_str().unwrap()),
            "{point}: {mounts}"
        );
    }
}

/// The request that a budget allows goes out, also where its address is asked about: the command
/// and three requests are four calls, and name one host.
#[test]
fn what_a_request_adds_is_not_held_against_itself() {
    if !can_run() {
        return;
    }
    let budget = "[[budget]]\nid = \"few\"\nper = \"session\"\nmost = { calls = 4, hosts = 1 }\nreason = \"few calls to one host\"\n";
    let mut world = World::under(&format!("{POLICY}\n{budget}"), "", &[]);
    let url = world.http("/hello");
    let loops =
        format!("for i in 1 2 3 4; do {CURL} -o /dev/null -w '%{{http_code}} ' {url}; done");
    let session = json!({"session": "s"});
    let told = with(&world.client(), GVISOR, "bash", &loops, session);
    assert_eq!(told.text("stdout"), "200 200 200 403 ", "{told:?}");
    let verdicts: Vec<_> = world
        .requests()
        .into_iter()
        .map(|one| one.verdict)
        .collect();
    assert_eq!(verdicts, ["allow", "allow", "allow", "deny"]);
}

/// What is asked for and not waited for has an end too.
#[test]
fn a_request_that_is_given_up_has_its_end_in_the_ledger() {
    if !can_run() {
        return;
    }
    let mut world = World::new();
    let url = world.http("/hello");
    let leaves =
        format!("for i in $(seq 40); do {CURL} -o /dev/null {url} & done; sleep 0.3; exit 0");
    let told = world.run(INSPECTED, &leaves);
    told.assert_ending("exited");
    let requests = world.requests();
    assert!(!requests.is_empty(), "control: some came through");
    for request in requests.iter().filter(|one| one.verdict == "allow") {
        let end = request.outcome.as_ref().map(|end| &end["ending"]);
        assert!(end.is_some_and(|end| end != "interrupted"), "{request:?}");
    }
}

#[test]
fn a_budget_that_is_spent_and_a_policy_that_changes_hold_at_once() {
    if !can_run() {
        return;
    }
    let mut world = World::with("[budget]\nrequests = 3\n", &[]);
    let url = world.http("/hello");
    let loops =
        format!("for i in 1 2 3 4 5; do {CURL} -o /dev/null -w '%{{http_code}} ' {url}; done");
    let told = world.run(INSPECTED, &loops);
    assert_eq!(told.text("stdout"), "200 200 200 429 429 ", "{told:?}");

    let client = world.client();
    let text = format!("{CURL} -o /dev/null -w '%{{http_code}} ' {url}; sleep 6; {CURL} {url}");
    world.http.forget();
    let call = thread::spawn(move || bash(&client, INSPECTED, &text));
    eventually("the first request came", || !world.http.seen().is_empty());
    let policy = world.state.path().join("policy.toml");
    let closed = POLICY.replace("\"a.test\", ", "");
    fs::write(&policy, closed).unwrap();
    let answer = call.join().unwrap();
    assert!(answer.text("stdout").starts_with("200 "), "{answer:?}");
    assert!(answer.text("stdout").contains("next_steps"), "{answer:?}");
    let requests = world.requests();
    let refused: Vec<_> = requests
        .iter()
        .filter(|one| one.verdict == "deny")
        .collect();
    // One for the budget, however often it was asked; one by the new policy.
    assert_eq!(refused.len(), 2, "{refused:#?}");
    assert_eq!(refused[0].text("reason"), "budget");
}
