//! What the proxy costs: requests a second and the time of one, beside a direct connection and,
//! where its program is named, mitmproxy. `cargo xtask bench egress` runs it.
//!
//! One origin on the loopback, the same clients and requests for all contenders, one after the
//! other in rounds, so that a noisy moment falls on all of them. The clients share the machine with
//! everything else: compare the ratios.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement may fail by panicking"
)]

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use egress::{
    Budget, Caller, Door, EgressRecord, Limits, NameServers, PolicyJudge, Recording, SOCKET,
    Secrets, Settings, Sink, Trust,
};
use policy::{CallId, Inspect, Policy, Profiles};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Connections at once.
const CLIENTS: usize = 16;
/// How often each contender has its turn.
const ROUNDS: usize = 3;
/// One turn.
const TURN: Duration = Duration::from_secs(2);
/// What the door must serve of mitmproxy's requests, at least.
const LEAST_RATIO: f64 = 10.0;
/// What one request brings.
const SMALL_BYTES: usize = 1_024;
const LARGE_BYTES: usize = 64 << 20;

const POLICY: &str = r#"
version = 1
name = "bench"
[[rule]]
id = "origin"
effect = "allow"
run = "bench"
reason = "the origin of the bench"
match = { tool = "http_request", "host.address" = { cidr = "127.0.0.1" } }
"#;

const PROFILE: &str = r#"
version = 1
name = "bench"
doc = "for requests"
rank = 1
backend = "container"
[languages]
bash = "shell"
[tools]
http_request = "shell"
[limits]
wall_ms = { max = 1000, why = "bench" }
memory_bytes = { max = 1000, why = "bench" }
output_bytes = { max = 1000, why = "bench" }
file_bytes = { max = 1000, why = "bench" }
file_count = { max = 16, why = "bench" }
stdin_bytes = { max = 1000, why = "bench" }
code_bytes = { max = 1000, why = "bench" }
[layers.net_namespace]
why = "bench"
"#;

struct Nowhere;

impl Sink for Nowhere {
    fn record(&self, record: EgressRecord) -> Recording<'_> {
        std::hint::black_box(record);
        Box::pin(async { Ok(()) })
    }
}

/// A way to the origin.
#[derive(Clone)]
enum Way {
    Direct(SocketAddr),
    Door(PathBuf),
    Mitmproxy(SocketAddr),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Way {
    fn name(&self) -> &'static str {
        match self {
            Self::Direct(_) => "direct",
            Self::Door(_) => "lazaret",
            Self::Mitmproxy(_) => "mitmproxy",
        }
    }

    async fn connect(&self) -> Box<dyn Stream> {
        match self {
            Self::Direct(address) | Self::Mitmproxy(address) => {
                let stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                Box::new(stream)
            }
            Self::Door(path) => Box::new(UnixStream::connect(path).await.unwrap()),
        }
    }

    fn target(&self, origin: SocketAddr, path: &str) -> String {
        match self {
            Self::Direct(_) => path.to_owned(),
            Self::Door(_) | Self::Mitmproxy(_) => format!("http://{origin}{path}"),
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let origin = origin().await;
    let directory = tempfile::tempdir().unwrap();
    let door = open(directory.path());
    let mut ways = vec![
        Way::Direct(origin),
        Way::Door(directory.path().join(SOCKET)),
    ];
    let mitmproxy = start_mitmproxy().await;
    match &mitmproxy {
        Some((_, address)) => ways.push(Way::Mitmproxy(*address)),
        None => println!("mitmproxy: left out, `MITMDUMP` does not name its program"),
    }
    let mut samples = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for (way, sample) in ways.iter().zip(&mut samples) {
            sample.extend(turn(way, origin, CLIENTS).await);
        }
    }
    println!(
        "\n{CLIENTS} clients, {SMALL_BYTES} bytes a request, {} s each",
        TURN.as_secs() * ROUNDS as u64
    );
    for (way, sample) in ways.iter().zip(&mut samples) {
        report(way.name(), sample);
    }
    let ratio = ratio(&ways, &samples);
    println!("\none client");
    for way in &ways {
        report(way.name(), &mut turn(way, origin, 1).await);
    }
    println!("\none answer of {} MiB", LARGE_BYTES >> 20);
    for way in &ways {
        let since = Instant::now();
        let mut stream = way.connect().await;
        ask(&mut stream, &way.target(origin, "/large"), origin).await;
        let mib = (LARGE_BYTES >> 20) as f64;
        println!(
            "{:<12} {:>8.0} MiB/s",
            way.name(),
            mib / since.elapsed().as_secs_f64()
        );
    }
    if let Some((mut process, _)) = mitmproxy {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    door.close().await;
    if let Some(ratio) = ratio {
        println!("\nlazaret serves {ratio:.1} times mitmproxy's requests");
        assert!(ratio >= LEAST_RATIO, "at least {LEAST_RATIO} is wanted");
    }
}

/// The requests through the door to those through mitmproxy, in the same time.
fn ratio(ways: &[Way], samples: &[Vec<Duration>]) -> Option<f64> {
    let count = |name| {
        let at = ways.iter().position(|way| way.name() == name)?;
        Some(samples.get(at)?.len() as f64)
    };
    Some(count("lazaret")? / count("mitmproxy")?)
}

fn report(name: &str, sample: &mut [Duration]) {
    sample.sort_unstable();
    let at = |per_mille: usize| sample[sample.len().saturating_sub(1) * per_mille / 1000];
    let busy: Duration = sample.iter().sum();
    let mean = busy / u32::try_from(sample.len()).unwrap();
    println!(
        "{name:<12} {:>8} requests   mean {mean:>9.1?}   p50 {:>9.1?}   p99 {:>9.1?}",
        sample.len(),
        at(500),
        at(990)
    );
}

/// The time of each request in one turn.
async fn turn(way: &Way, origin: SocketAddr, clients: usize) -> Vec<Duration> {
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let way = way.clone();
            tokio::spawn(async move {
                let target = way.target(origin, "/small");
                let mut stream = way.connect().await;
                let (since, mut times) = (Instant::now(), Vec::new());
                while since.elapsed() < TURN {
                    let asked = Instant::now();
                    ask(&mut stream, &target, origin).await;
                    times.push(asked.elapsed());
                }
                times
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// One request over a connection that is kept.
async fn ask(stream: &mut Box<dyn Stream>, target: &str, origin: SocketAddr) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {origin}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 64 << 10];
    let mut filled = 0;
    let end = loop {
        filled += stream.read(&mut bytes[filled..]).await.unwrap();
        if let Some(at) = bytes[..filled].windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut left = length.unwrap() - (filled - end);
    while left > 0 {
        let count = stream.read(&mut bytes).await.unwrap();
        assert!(count > 0);
        left -= count;
    }
}

/// A server of two answers.
async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let answer = |length: usize| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            Arc::new([head.into_bytes(), vec![b'x'; length]].concat())
        };
        let (small, large) = (answer(SMALL_BYTES), answer(LARGE_BYTES));
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let (small, large) = (Arc::clone(&small), Arc::clone(&large));
            tokio::spawn(async move {
                let mut head = Vec::new();
                while stream
                    .read_buf(&mut head)
                    .await
                    .is_ok_and(|count| count > 0)
                {
                    if !head.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    let answer = if head.starts_with(b"GET /large") {
                        &large
                    } else {
                        &small
                    };
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                    head.clear();
                }
            });
        }
    });
    address
}

fn open(directory: &std::path::Path) -> Door {
    let profiles = Profiles::load([("bench.toml", PROFILE)]).unwrap();
    let policy = Arc::new(Policy::load("bench-policy.toml", POLICY, &profiles).unwrap());
    let judge = PolicyJudge::new("bench", policy);
    let door = Door::open(
        directory,
        Settings {
            judge: Arc::new(judge),
            sink: Arc::new(Nowhere),
            limits: Limits::default(),
            budget: Budget {
                requests: u64::MAX,
                ..Budget::default()
            },
            names: NameServers::These(Vec::new()),
            trust: Trust::System,
            inspect: Inspect::Nothing,
            authority: None,
            secrets: Secrets::default(),
        },
    )
    .unwrap();
    door.begin(Caller {
        call_id: CallId::from_bytes([1; 16]),
        principal: "bench".to_owned(),
        session: None,
    });
    door
}

/// The program that `MITMDUMP` names, on a free port, once it takes connections.
async fn start_mitmproxy() -> Option<(Child, SocketAddr)> {
    let program = env::var_os("MITMDUMP")?;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let process = Command::new(program)
        .args(["--quiet", "--listen-host", "127.0.0.1", "--listen-port"])
        .arg(address.port().to_string())
        .args(["--set", "flow_detail=0"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        assert!(
            since.elapsed() < Duration::from_secs(180),
            "mitmproxy does not start"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Some((process, address))
}
