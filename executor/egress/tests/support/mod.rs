//! A small world for the proxy: real servers, a name server, a certificate authority, a door.
//!
//! Everything is on this machine's loopback; addresses that a rule names are `127.0.0.1` and `::1`,
//! and `127.0.0.2` is an address like those that nobody may reach unasked.

#![allow(dead_code, reason = "each test uses its part")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

pub(crate) mod dns;
pub(crate) mod server;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use egress::{
    Authority, Budget, Caller, Door, EgressRecord, Event, Limits, NameServers, PolicyJudge,
    Recording, Rules, SOCKET, Secrets, Settings, Sink, Trust,
};
use policy::{CallId, Inspect, Policy, Profiles, shipped};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::dns::NameServer;
use self::server::{Server, TestAuthority};

/// Long enough for a busy machine, short enough to wait for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The profile that the tests run under, with the tool as which requests are judged.
const PROFILE: &str = "container-egress";

/// Hosts that rules allow by name, and addresses that rules name.
pub(crate) const POLICY: &str = r#"
version = 1
name = "egress-tests"

[[rule]]
id = "names"
effect = "allow"
run = "container-egress"
reason = "these hosts are for tests"
match = { tool = "http_request", "host.name" = ["a.test", "b.test", "inner.test", "mixed.test", "turning.test", "missing.test", "many.test", "ws.test", "raw.test", "127.0.0.1", "six.test", "mapped.test"] }
unless = { "arguments.protocol" = ["raw"] }

[[rule]]
id = "one-address"
effect = "allow"
run = "container-egress"
reason = "the servers of the tests are there"
match = { tool = "http_request", "host.address" = { cidr = ["127.0.0.1", "127.0.0.9", "::1"] } }

[[rule]]
id = "everywhere"
effect = "allow"
run = "container-egress"
reason = "a rule for everything, which names nothing"
match = { tool = "http_request", "host.name" = { regex = '^(127\.0\.0\.[23]|10\.0\.0\.1|169\.254\.169\.254|\[?::.*|192\.0\.2\.[0-9]+|240\.0\.0\.113|0\.0\.0\.0|100\..*|fe80.*|64:.*|2002:.*|2001:.*|fd00.*|ff02.*|224\..*|192\.168\..*)$' } }

[[rule]]
id = "get-only"
effect = "allow"
run = "container-egress"
reason = "reading alone, below one path"
match = { tool = "http_request", "host.name" = "read.test", "arguments.method" = ["GET", "HEAD"], "arguments.path" = { prefix = "/open/" } }

[[rule]]
id = "sockets"
effect = "allow"
run = "container-egress"
reason = "a chat"
match = { tool = "http_request", "host.name" = ["ws.test", "127.0.0.1"], "arguments.protocol" = "websocket" }
unless = { "arguments.path" = "/not-ws" }

[[rule]]
id = "raw"
effect = "allow"
run = "container-egress"
reason = "git over ssh"
match = { tool = "http_request", "host.name" = "raw.test", "arguments.protocol" = ["connect", "raw"] }

[[rule]]
id = "other-profile"
effect = "allow"
run = "wasm-offline"
reason = "an allow for another profile"
match = { tool = "http_request", "host.name" = "elsewhere.test" }

[[rule]]
id = "held"
effect = "hold"
reason = "a person looks first"
match = { tool = "http_request", "arguments.path" = { prefix = "/held" } }

[[rule]]
id = "no-admin"
effect = "deny"
reason = "administration is not for agents"
match = { tool = "http_request", "arguments.path" = { prefix = "/admin" } }

[[rule]]
id = "no-nine"
effect = "deny"
reason = "this address is nobody's business"
match = { tool = "http_request", "arguments.addresses" = { any = { cidr = "127.0.0.9" } } }
"#;

/// Keeps records in memory.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    records: Vec<EgressRecord>,
    /// The newest request that was seen.
    newest: u64,
    /// What belongs to this request or an earlier one was forgotten, also what comes late.
    forgotten: u64,
}

impl Sink for Memory {
    fn record(&self, record: EgressRecord) -> Recording<'_> {
        let mut kept = self.0.lock().unwrap();
        kept.newest = kept.newest.max(record.request);
        if record.request > kept.forgotten {
            kept.records.push(record);
        }
        Box::pin(async { Ok(()) })
    }
}

impl Memory {
    pub(crate) fn all(&self) -> Vec<EgressRecord> {
        self.0.lock().unwrap().records.clone()
    }

    pub(crate) fn clear(&self) {
        let mut kept = self.0.lock().unwrap();
        kept.records.clear();
        kept.forgotten = kept.newest;
    }
}

/// How a door is made, where it differs from the usual.
pub(crate) struct Make {
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    pub(crate) inspect: Inspect,
    pub(crate) secrets: Secrets,
    pub(crate) policy: String,
    /// Instead of the policy.
    pub(crate) rules: Option<Arc<dyn Rules>>,
}

impl Default for Make {
    fn default() -> Self {
        Self {
            limits: Limits {
                head: Duration::from_millis(400),
                idle: Duration::from_millis(1_500),
                lookup: Duration::from_secs(2),
                connect: Duration::from_secs(2),
                answer: Duration::from_millis(2_500),
                ..Limits::default()
            },
            budget: Budget::default(),
            inspect: Inspect::Nothing,
            secrets: Secrets::default(),
            policy: POLICY.to_owned(),
            rules: None,
        }
    }
}

/// A door with everything behind it.
pub(crate) struct World {
    pub(crate) sink: Arc<Memory>,
    pub(crate) http: Server,
    pub(crate) https: Server,
    pub(crate) dns: NameServer,
    pub(crate) ours: Arc<Authority>,
    pub(crate) theirs: TestAuthority,
    pub(crate) directory: TempDir,
    door: Option<Door>,
    runtime: Runtime,
}

pub(crate) fn caller() -> Caller {
    Caller {
        call_id: CallId::from_bytes([7; 16]),
        principal: "tests".to_owned(),
        session: Some("s".to_owned()),
    }
}

pub(crate) fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

fn profiles() -> Profiles {
    Profiles::load(shipped::PROFILES.iter().map(|one| (one.file, one.text))).unwrap()
}

pub(crate) fn load(policy: &str) -> Policy {
    Policy::load("egress-tests.toml", policy, &profiles()).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::make(|_, _| Make::default())
    }

    /// The ports of the servers are known when the door is made.
    pub(crate) fn make(how: impl FnOnce(u16, u16) -> Make) -> Self {
        let runtime = Runtime::new().unwrap();
        let theirs = TestAuthority::new();
        let http = Server::plain();
        let https = Server::tls(&theirs);
        let dns = NameServer::start(names());
        let how = how(http.port(), https.port());
        let ours = Arc::new(Authority::make().unwrap());
        let sink = Arc::new(Memory::default());
        let directory = tempfile::tempdir().unwrap();
        let rules = how.rules.unwrap_or_else(|| Arc::new(load(&how.policy)));
        let settings = Settings {
            judge: Arc::new(PolicyJudge::new(PROFILE, rules)),
            sink: Arc::clone(&sink) as Arc<dyn Sink>,
            limits: how.limits,
            budget: how.budget,
            names: NameServers::These(vec![dns.address()]),
            trust: Trust::Only(theirs.certificate_pem().to_owned()),
            inspect: how.inspect,
            authority: Some(Arc::clone(&ours)),
            secrets: how.secrets,
        };
        let door = {
            let _in_runtime = runtime.enter();
            Door::open(directory.path(), settings).unwrap()
        };
        door.begin(caller());
        Self {
            sink,
            http,
            https,
            dns,
            ours,
            theirs,
            directory,
            door: Some(door),
            runtime,
        }
    }

    pub(crate) fn door(&self) -> &Door {
        self.door.as_ref().unwrap()
    }

    pub(crate) fn close(&mut self) {
        let door = self.door.take().unwrap();
        self.runtime.block_on(door.close());
    }

    /// A connection to the door.
    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.directory.path().join(SOCKET)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes and reads the first answer.
    pub(crate) fn ask(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        send(&mut stream, bytes);
        Answer::read(&mut stream)
    }

    pub(crate) fn get(&self, url: &str) -> Answer {
        let host = url.split('/').nth(2).unwrap();
        self.ask(format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
    }

    /// A tunnel that was opened, or the answer that refused it.
    pub(crate) fn tunnel(&self, authority: &str) -> Result<UnixStream, Answer> {
        let mut stream = self.connect();
        let line = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        send(&mut stream, line.as_bytes());
        let answer = Answer::read_head_only(&mut stream);
        if answer.status == 200 {
            Ok(stream)
        } else {
            Err(answer.finish(&mut stream))
        }
    }

    /// TLS in a tunnel, trusting the authority in PEM.
    pub(crate) fn tls(&self, authority: &str, sni: &str, trusted: &str) -> Result<Tls, Answer> {
        let stream = self.tunnel(authority)?;
        Ok(StreamOwned::new(client(sni, trusted), stream))
    }

    /// The records so far that say why, once there is at least one.
    pub(crate) fn reasons(&self) -> Vec<&'static str> {
        let since = Instant::now();
        loop {
            let records = self.sink.all();
            let reasons: Vec<_> = records
                .iter()
                .filter_map(|record| record.reason.map(egress::Reason::as_str))
                .collect();
            let is_over = records.iter().any(|record| record.event == Event::Ended);
            if !reasons.is_empty() || is_over || since.elapsed() > Duration::from_secs(3) {
                return reasons;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn forget(&self) {
        self.sink.clear();
        self.http.forget();
        self.https.forget();
    }
}

pub(crate) type Tls = StreamOwned<ClientConnection, UnixStream>;

pub(crate) fn client(sni: &str, trusted: &str) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(sni.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// The names that the name server knows; several answers are given one after the other.
fn names() -> HashMap<&'static str, Vec<Vec<IpAddr>>> {
    let here = || vec![addresses(&["127.0.0.1"])];
    HashMap::from([
        ("a.test", here()),
        ("b.test", here()),
        ("ws.test", here()),
        ("raw.test", here()),
        ("read.test", here()),
        ("elsewhere.test", here()),
        ("denied.test", here()),
        ("six.test", vec![addresses(&["::1"])]),
        ("mapped.test", vec![addresses(&["::ffff:127.0.0.2"])]),
        ("inner.test", vec![addresses(&["127.0.0.2"])]),
        ("mixed.test", vec![addresses(&["127.0.0.1", "127.0.0.2"])]),
        ("many.test", vec![addresses(&["127.0.0.9"])]),
        (
            "turning.test",
            vec![addresses(&["127.0.0.1"]), addresses(&["127.0.0.2"])],
        ),
    ])
}

pub(crate) fn send(stream: &mut impl Write, bytes: &[u8]) {
    // A door that refuses early closes while we write; what it said is still to be read.
    match stream.write_all(bytes) {
        Ok(()) => {}
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ) => {}
        Err(error) => unreachable!("{error}"),
    }
}

/// An HTTP answer, as far as a test asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(stream: &mut impl Read) -> Self {
        Self::read_head_only(stream).finish(stream)
    }

    /// Status 0 when there is no answer.
    pub(crate) fn read_head_only(stream: &mut impl Read) -> Self {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Ok(_) | Err(_) => break,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Self {
            status: status.unwrap_or(0),
            head,
            body: Vec::new(),
        }
    }

    pub(crate) fn finish(mut self, stream: &mut impl Read) -> Self {
        let lower = self.head.to_ascii_lowercase();
        if let Some(length) = header(&lower, "content-length") {
            self.body = vec![0; length.parse().unwrap()];
            if stream.read_exact(&mut self.body).is_err() {
                self.body = b"(cut off)".to_vec();
            }
        } else if lower.contains("transfer-encoding: chunked") {
            let mut raw = Vec::new();
            let mut byte = [0];
            while !raw.ends_with(b"0\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                raw.push(byte[0]);
            }
            self.body = unchunk(&raw);
        }
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

pub(crate) fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&raw[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 || raw.len() < end + 2 + size {
            break;
        }
        body.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = raw.get(end + 4 + size..).unwrap_or_default();
    }
    body
}
