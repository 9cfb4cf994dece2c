//! `lazaret serve` as a fixture: a real daemon, a real port, a real client.
//!
//! [`Daemon`] owns a process and, unless told otherwise, a fresh state
//! directory. It waits for the line that says the daemon is ready and never
//! for a fixed time; it never repeats a request, because a repetition would
//! hide a lost answer. Dropping it kills the daemon.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::{Finished, program, verify, wait_within};

/// A daemon that loads its runtime on a busy machine is ready well before.
const READY_WALL: Duration = Duration::from_secs(60);

/// SIGTERM lets running calls finish: their wall limit is at most 10 s.
const STOP_WALL: Duration = Duration::from_secs(30);

/// An answer later than this is a hang: no profile lets a call run so long.
const ANSWER_WALL: Duration = Duration::from_secs(60);

/// Answers are at most a few MiB of base64; a client must not be flooded.
const ANSWER_BYTES: u64 = 256 << 20;

/// What the daemon printed when it was ready.
const READY: &str = "listening on http://";

/// How a daemon is to be started.
#[derive(Debug, Default)]
pub struct Options {
    /// Lives longer than the daemon when given; else fresh and temporary.
    pub state: Option<PathBuf>,
    /// More arguments for `lazaret serve`.
    pub arguments: Vec<OsString>,
    /// More environment, as `LAZARET_FAULT`.
    pub environment: Vec<(String, String)>,
    /// Where to listen; a free port of the loopback when absent.
    pub listen: Option<String>,
}

impl Options {
    /// Starts on this state directory, which stays when the daemon goes.
    #[must_use]
    pub fn state(mut self, state: &Path) -> Self {
        self.state = Some(state.to_owned());
        self
    }

    /// Starts with `LAZARET_FAULT=point`.
    #[must_use]
    pub fn fault(mut self, point: &str) -> Self {
        self.environment
            .push(("LAZARET_FAULT".to_owned(), point.to_owned()));
        self
    }

    /// Starts with this policy file.
    #[must_use]
    pub fn policy(mut self, file: &Path) -> Self {
        self.arguments.push("--policy".into());
        self.arguments.push(file.into());
        self
    }
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    client: Client,
    state: PathBuf,
    log: Log,
    _temporary: Option<tempfile::TempDir>,
}

impl Daemon {
    /// A daemon with a fresh state directory and the default policy.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A daemon as the options say.
    ///
    /// # Panics
    /// If it does not become ready.
    #[must_use]
    pub fn start_with(options: Options) -> Self {
        Self::try_start(options).unwrap_or_else(|error| panic!("the daemon did not start: {error}"))
    }

    /// A daemon as the options say, or what it said instead of becoming ready.
    ///
    /// # Errors
    /// The last line of its standard error, or that it said nothing in time.
    ///
    /// # Panics
    /// If the program is missing.
    pub fn try_start(options: Options) -> Result<Self, String> {
        let temporary = options
            .state
            .is_none()
            .then(|| tempfile::tempdir().expect("a temporary state directory"));
        let state = options.state.clone().unwrap_or_else(|| {
            let folder = temporary.as_ref().expect("made just above");
            folder.path().to_owned()
        });
        let mut child = command(&options, &state)
            .spawn()
            .map_err(|error| format!("cannot start lazaret: {error}"))?;
        let (address, log) = match ready(&mut child) {
            Ok(ready) => ready,
            Err(why) => {
                drop(child.kill());
                drop(child.wait());
                return Err(why);
            }
        };
        let token = std::fs::read_to_string(state.join("api-token"))
            .map_err(|error| format!("no token in `{}`: {error}", state.display()))?;
        Ok(Self {
            child,
            client: Client::new(&address, token.trim()),
            state,
            log,
            _temporary: temporary,
        })
    }

    /// A client that knows the token; cheap to clone, good for many threads.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// `POST /v1/execute`.
    #[must_use]
    pub fn execute(&self, request: &Value) -> Answer {
        self.client.execute(request)
    }

    /// Runs Python code with nothing else asked for.
    #[must_use]
    pub fn python(&self, code: &str) -> Answer {
        self.execute(&serde_json::json!({"language": "python", "code": code}))
    }

    /// The daemon's process number.
    ///
    /// # Panics
    /// Never: process numbers fit.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process number")
    }

    /// The state directory.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// What it has written to standard error so far.
    ///
    /// # Panics
    /// If its reader died.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("the daemon's log").join("\n")
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger.db")
    }

    /// Whether the process is still there.
    ///
    /// # Panics
    /// If the kernel refuses to say.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("look at the daemon").is_none()
    }

    /// Fails the test unless the daemon still answers a plain call rightly.
    ///
    /// # Panics
    /// If it does not.
    pub fn assert_works(&self) {
        let answer = self.python("print(6 * 7)");
        assert_eq!(answer.status, 200, "the daemon works on: {answer:?}");
        assert_eq!(answer.text("stdout"), "42\n", "{answer:?}");
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("kill the daemon");
        self.child.wait().expect("reap the daemon");
    }

    /// Waits until the daemon ended by itself.
    #[must_use]
    pub fn wait(mut self, wall: Duration) -> Option<ExitStatus> {
        wait_within(&mut self.child, wall)
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    /// If it has not stopped after the longest a call may run.
    pub fn stop(mut self) -> ExitStatus {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM).expect("send SIGTERM");
        wait_within(&mut self.child, STOP_WALL)
            .unwrap_or_else(|| panic!("not stopped {STOP_WALL:?} after SIGTERM"))
    }

    /// SIGTERM, and the ledger verified when the daemon is gone.
    ///
    /// # Panics
    /// If the state directory was temporary: then nothing would be left.
    #[must_use]
    pub fn stop_and_verify(self) -> Finished {
        assert!(
            self._temporary.is_none(),
            "give the daemon a state directory that outlives it"
        );
        let ledger = self.ledger();
        self.stop();
        verify(&ledger)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(options: &Options, state: &Path) -> Command {
    let mut command = Command::new(program("lazaret"));
    command
        .arg("serve")
        .arg("--listen")
        .arg(options.listen.as_deref().unwrap_or("127.0.0.1:0"))
        .arg("--state")
        .arg(state)
        .args(&options.arguments)
        .env_remove("LAZARET_FAULT")
        .env("NO_COLOR", "1")
        .envs(options.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The lines of standard error.
type Log = Arc<Mutex<Vec<String>>>;

/// Waits for the line that names the address.
fn ready(child: &mut Child) -> Result<(String, Log), String> {
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The fixture may be gone; the pipe is read on so that the daemon never waits.
            drop(send.send(line));
        }
    });
    let log = Log::default();
    let reader = collect_lines(stderr, Arc::clone(&log));
    let deadline = Instant::now() + READY_WALL;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match receive.recv_timeout(left) {
            Ok(line) => {
                if let Some((_, address)) = line.split_once(READY) {
                    return Ok((address.trim().to_owned(), log));
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => return Err("not ready in time".to_owned()),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                drop(reader.join());
                let said = log.lock().map(|lines| lines.join(" / "));
                return Err(said.unwrap_or_default());
            }
        }
    }
}

/// Reads standard error for ever; what it said is there when the daemon fails.
fn collect_lines(stream: impl std::io::Read + Send + 'static, log: Log) -> thread::JoinHandle<()> {
    let echo = std::env::var_os("LAZARET_TEST_ECHO").is_some();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if echo {
                eprintln!("daemon: {line}");
            }
            match log.lock() {
                Ok(mut lines) => lines.push(line),
                Err(_poisoned) => return,
            }
        }
    })
}

/// What came back over HTTP.
#[derive(Clone)]
pub struct Answer {
    /// The status code; 0 when the connection broke before an answer.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// The body, `null` when it is not JSON.
    pub body: Value,
    /// The body, byte for byte.
    pub raw: Vec<u8>,
    /// From the first byte sent to the last received.
    pub took: Duration,
    /// Why there is no answer.
    pub broke: Option<String>,
}

/// What a failed test shows of it: a receipt is long, and says nothing of most failures.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut body = self.body.clone();
        if let Some(body) = body.as_object_mut() {
            drop(body.remove("receipt"));
        }
        write!(f, "{} after {:?}: {body}", self.status, self.took)?;
        match (&self.body, &self.broke) {
            (Value::Null, None) => write!(f, "{}", String::from_utf8_lossy(&self.raw)),
            (_, Some(broke)) => write!(f, "broke: {broke}"),
            (_, None) => Ok(()),
        }
    }
}

impl Answer {
    /// The text at a top-level key, or an empty one.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.body[key].as_str().unwrap_or_default()
    }

    /// The call's number.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.text("call_id")
    }

    /// Everything that the answer holds as text: body and decoded files.
    #[must_use]
    pub fn everything(&self) -> String {
        use base64::Engine as _;
        let mut all = String::from_utf8_lossy(&self.raw).into_owned();
        for file in self.body["files"].as_array().into_iter().flatten() {
            let encoded = file["content_base64"].as_str().unwrap_or_default();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .unwrap_or_default();
            all.push_str(&String::from_utf8_lossy(&bytes));
        }
        all.push_str(self.text("stdout"));
        all.push_str(self.text("stderr"));
        all
    }

    /// Fails the test unless the call ran and ended as `ending`.
    ///
    /// # Panics
    /// If it did not.
    pub fn assert_ending(&self, ending: &str) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.text("verdict"), "allow", "{self:?}");
        assert_eq!(self.text("ending"), ending, "{self:?}");
    }

    /// Fails the test unless this is a problem of RFC 9457 that helps its reader.
    ///
    /// # Panics
    /// If it is not.
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(
            self.content_type.starts_with("application/problem+json"),
            "media type of a problem: {self:?}"
        );
        for key in ["type", "title", "detail"] {
            let text = self.text(key);
            assert!(!text.is_empty(), "a problem has a `{key}`: {self:?}");
        }
        assert_eq!(self.body["status"], status, "{self:?}");
        let detail = self.text("detail");
        assert!(
            !detail.contains('\n') && detail.len() < 1000,
            "one short line: {detail}"
        );
        for leak in ["panicked", "src/", ".rs:", "serde_json::"] {
            assert!(!detail.contains(leak), "no inside of ours shown: {detail}");
        }
    }
}

/// An HTTP client with the daemon's token.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    /// A client of `address` (`host:port`).
    #[must_use]
    pub fn new(address: &str, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_WALL))
            .proxy(None)
            .build();
        Self {
            agent: config.into(),
            base: format!("http://{address}"),
            token: token.to_owned(),
        }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// The token, for tests that speak HTTP by hand.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// `POST /v1/execute`.
    #[must_use]
    pub fn execute(&self, request: &Value) -> Answer {
        self.post_bytes("/v1/execute", request.to_string().as_bytes())
    }

    /// `POST` of any bytes as `application/json`.
    #[must_use]
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        self.post_as(path, "application/json", body)
    }

    /// `POST` of any bytes as any media type.
    #[must_use]
    pub fn post_as(&self, path: &str, media_type: &str, body: &[u8]) -> Answer {
        let start = Instant::now();
        let sent = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", media_type)
            .send(body);
        answer(sent, start)
    }

    /// `GET` with the token.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        let start = Instant::now();
        let sent = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .call();
        answer(sent, start)
    }

    /// `POST /v1/execute` without any token.
    #[must_use]
    pub fn execute_without_token(&self, request: &Value) -> Answer {
        let start = Instant::now();
        let sent = self
            .agent
            .post(format!("{}/v1/execute", self.base))
            .header("content-type", "application/json")
            .send(request.to_string().as_bytes());
        answer(sent, start)
    }
}

type Sent = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn answer(sent: Sent, start: Instant) -> Answer {
    let read = sent.and_then(|mut response| {
        let raw = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES)
            .read_to_vec()?;
        Ok((response, raw))
    });
    match read {
        Ok((response, raw)) => Answer {
            status: response.status().as_u16(),
            content_type: response
                .headers()
                .get("content-type")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            body: serde_json::from_slice(&raw).unwrap_or(Value::Null),
            raw,
            took: start.elapsed(),
            broke: None,
        },
        Err(error) => Answer {
            status: 0,
            content_type: String::new(),
            body: Value::Null,
            raw: Vec::new(),
            took: start.elapsed(),
            broke: Some(error.to_string()),
        },
    }
}
