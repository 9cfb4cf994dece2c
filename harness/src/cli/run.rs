//! `lazaret run`: one program, the same way through policy, sandbox and ledger as
//! in the daemon.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use executor::{Ending, OutFile};
use harness::config::Written;
use harness::{Denial, EXECUTE_CODE, Executed, Harness, Reply, Whereabouts, fault, gateway};
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Places, STATUS_FAILED, units};

/// Who runs it: the person at the shell.
const PRINCIPAL: &str = "cli";

/// The program was stopped at its deadline.
const STATUS_TIMED_OUT: u8 = 124;
/// The policy does not let it run.
const STATUS_DENIED: u8 = 126;
/// It needed more memory than it may have; 128 and SIGKILL, as after the kernel's
/// own out-of-memory killer.
const STATUS_MEMORY: u8 = 137;
/// It was cancelled; 128 and SIGINT.
const STATUS_CANCELLED: u8 = 130;

/// A file that a program is given is at most this long, so that a wrong file name
/// does not fill the memory.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// Run a program in a fresh sandbox.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Language of the program
    #[arg(short, long, default_value = "python")]
    language: String,
    /// The program itself
    #[arg(short, long, value_name = "CODE", conflicts_with = "file_name")]
    code: Option<String>,
    /// File that holds the program; - for standard input
    #[arg(value_name = "FILE", required_unless_present = "code")]
    file_name: Option<PathBuf>,
    /// File that becomes the program's standard input; - for ours
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Give the program a file: HOST or HOST:GUEST, where GUEST is a path in /workspace
    #[arg(long = "file", value_name = "HOST[:GUEST]")]
    files: Vec<String>,
    /// Write the files that the program made or changed into DIR
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Policy file [default: the shipped `contain`]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Ask for a sandbox profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Wall-clock limit, such as 10s or 500ms
    #[arg(long, value_name = "TIME", value_parser = units::wall_ms)]
    wall: Option<u64>,
    /// Memory limit, such as 256MiB
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    memory: Option<u64>,
    /// Print the whole answer as JSON instead of the program's output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
    /// Arguments of the program
    #[arg(last = true)]
    args: Vec<String>,
}

pub(crate) fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    fault::check()?;
    let given = given_files(&args.files)?;
    let call = arguments(args, &given)?;
    let typed = Written {
        policy: args.policy.clone(),
        // One call: one worker, made for it.
        warm_workers: Some(0),
        max_running: Some(1),
        ..Written::default()
    };
    let config = args.places.config(typed)?;
    let executed = super::tokio()?.block_on(async {
        let harness = Harness::open(&config)?;
        let cancel = harness.cancel_handle();
        let on_signal = cancel.clone();
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            on_signal.cancel();
        });
        let executed = harness
            .execute(EXECUTE_CODE, call, PRINCIPAL, Whereabouts::default(), cancel)
            .await?;
        harness.close(Duration::ZERO).await?;
        Ok::<_, Failure>(executed)
    })?;
    match executed {
        Executed::Refused(denial) => refused(args, &denial),
        Executed::Done(reply) => done(args, &given, &reply),
    }
}

/// A file of the host's that the program is given.
struct Given {
    guest: String,
    content: Vec<u8>,
}

fn given_files(specs: &[String]) -> Result<Vec<Given>, Failure> {
    specs.iter().map(|spec| given_file(spec)).collect()
}

fn given_file(spec: &str) -> Result<Given, Failure> {
    let (host, guest) = match spec.rsplit_once(':') {
        Some((host, guest)) if !guest.is_empty() && !host.is_empty() => (host, guest.to_owned()),
        Some(_) | None => {
            let name = Path::new(spec).file_name().ok_or_else(|| {
                format!("`{spec}` names no file; write --file HOST or --file HOST:GUEST")
            })?;
            (spec, name.to_string_lossy().into_owned())
        }
    };
    Ok(Given {
        guest,
        content: read(Path::new(host))?,
    })
}

/// A regular file, or `-` for standard input.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let named = |error: io::Error| format!("`{}`: {error}", path.display());
    let mut content = Vec::new();
    let source: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(fs::File::open(path).map_err(named)?),
    };
    source
        .take(MAX_INPUT_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(named)?;
    match content.len() as u64 > MAX_INPUT_BYTES {
        true => Err(format!("`{}` is over 64 MiB; is it the right file?", path.display()).into()),
        false => Ok(content),
    }
}

/// The command line as the arguments of the tool: from here on, as in the daemon.
fn arguments(args: &RunArgs, given: &[Given]) -> Result<Value, Failure> {
    let mut call = Map::new();
    call.insert("language".into(), json!(args.language));
    call.insert("code".into(), json!(code(args)?));
    if !args.args.is_empty() {
        call.insert("args".into(), json!(args.args));
    }
    if let Some(stdin) = &args.stdin {
        call.insert("stdin_base64".into(), json!(BASE64.encode(read(stdin)?)));
    }
    if !given.is_empty() {
        call.insert("files".into(), given.iter().map(file).collect());
    }
    if args.out.is_some() {
        call.insert("collect".into(), json!(["**"]));
    }
    if let Some(profile) = &args.profile {
        call.insert("profile".into(), json!(profile));
    }
    let limits = [("wall_ms", args.wall), ("memory_bytes", args.memory)];
    let limits: Map<String, Value> = limits
        .into_iter()
        .filter_map(|(name, limit)| Some((name.to_owned(), json!(limit?))))
        .collect();
    if !limits.is_empty() {
        call.insert("limits".into(), Value::Object(limits));
    }
    Ok(Value::Object(call))
}

fn file(given: &Given) -> Value {
    json!({ "path": given.guest, "content_base64": BASE64.encode(&given.content) })
}

fn code(args: &RunArgs) -> Result<String, Failure> {
    if let Some(code) = &args.code {
        return Ok(code.clone());
    }
    let path = args
        .file_name
        .as_deref()
        .ok_or("name a FILE, or give the program with -c")?;
    if path == Path::new("-") && args.stdin.as_deref() == Some(Path::new("-")) {
        return Err(
            "program and standard input cannot both be `-`; put one of them in a file".into(),
        );
    }
    String::from_utf8(read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!(
            "`{}` is not UTF-8 (byte {at}); save it as UTF-8",
            path.display()
        )
        .into()
    })
}

fn refused(args: &RunArgs, denial: &Denial) -> Result<ExitCode, Failure> {
    let problem = gateway::denied(denial);
    if args.json {
        writeln!(io::stdout(), "{}", problem.document())?;
    } else {
        let refusal = denial.refusal();
        let rules: Vec<&str> = refusal.rules().iter().map(|rule| rule.id()).collect();
        let by = match rules.is_empty() {
            true => String::new(),
            false => format!(" (rule {})", rules.join(", ")),
        };
        let next = refusal.next_steps().join("; ");
        eprintln!(
            "lazaret: {}: {}{by}; {next}",
            refusal.verdict().as_str(),
            refusal.reason()
        );
    }
    Ok(ExitCode::from(STATUS_DENIED))
}

fn done(args: &RunArgs, given: &[Given], reply: &Reply) -> Result<ExitCode, Failure> {
    let outcome = reply.outcome();
    if args.json {
        writeln!(io::stdout(), "{}", gateway::answer(reply))?;
    } else {
        pass_on(&mut io::stdout(), &outcome.stdout.bytes)?;
        pass_on(&mut io::stderr(), &outcome.stderr.bytes)?;
        explain(&outcome.ending);
        for (name, stream) in [
            ("output", &outcome.stdout),
            ("error output", &outcome.stderr),
        ] {
            if stream.truncated {
                eprintln!(
                    "lazaret: the program's {name} was cut at {} bytes",
                    stream.bytes.len()
                );
            }
        }
    }
    if let Some(dir) = &args.out {
        for left_out in &outcome.left_out {
            eprintln!(
                "lazaret: `{}` was left out: {}",
                left_out.path, left_out.reason
            );
        }
        write_files(dir, given, &outcome.files)?;
    }
    Ok(ExitCode::from(status(&outcome.ending)))
}

/// Byte for byte. A reader that went away is its own business.
fn pass_on(to: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn explain(ending: &Ending) {
    match ending {
        Ending::Exited(_) => {}
        Ending::TimedOut => {
            eprintln!("lazaret: stopped at its wall-clock limit; --wall sets another")
        }
        Ending::OutOfMemory => eprintln!(
            "lazaret: it needed more memory than it may have; --memory sets another limit"
        ),
        Ending::OutOfFuel => eprintln!("lazaret: it used up its fuel"),
        Ending::Killed(why) => eprintln!("lazaret: killed: {why}"),
        Ending::LaunchFailed(why) => eprintln!("lazaret: not run: {why}"),
        Ending::Cancelled => eprintln!("lazaret: cancelled"),
    }
}

fn status(ending: &Ending) -> u8 {
    match ending {
        Ending::Exited(status) => *status,
        Ending::TimedOut | Ending::OutOfFuel => STATUS_TIMED_OUT,
        Ending::OutOfMemory => STATUS_MEMORY,
        Ending::Killed(_) | Ending::LaunchFailed(_) => STATUS_FAILED,
        Ending::Cancelled => STATUS_CANCELLED,
    }
}

/// New and changed files. The directory is made if need be; in it, nothing is
/// written through a link and nothing that is there is replaced.
fn write_files(dir: &Path, given: &[Given], files: &[OutFile]) -> Result<(), Failure> {
    let named = |error: io::Error| format!("`{}`: {error}", dir.display());
    fs::create_dir_all(dir).map_err(named)?;
    for file in files.iter().filter(|file| !unchanged(given, file)) {
        place(dir, file)?;
    }
    Ok(())
}

fn unchanged(given: &[Given], file: &OutFile) -> bool {
    given
        .iter()
        .any(|one| one.guest == file.path && one.content == file.content)
}

/// Write one file below `dir` by a name that the guest chose: no component is
/// followed if it is a link.
fn place(dir: &Path, file: &OutFile) -> Result<(), Failure> {
    let path = dir.join(&file.path);
    let named = |error: io::Error| format!("`{}`: {error}", path.display());
    let mut below = dir.to_owned();
    let parents = Path::new(&file.path)
        .parent()
        .into_iter()
        .flat_map(Path::components);
    for part in parents {
        below.push(part);
        match fs::symlink_metadata(&below) {
            Ok(there) if there.is_dir() => {}
            Ok(_) => {
                return Err(
                    format!("`{}` is in the way; choose an empty --out", below.display()).into(),
                );
            }
            Err(_) => fs::create_dir(&below).map_err(named)?,
        }
    }
    let mut to = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "`{}` is there already; choose an empty --out",
                path.display()
            ),
            _other => format!("`{}`: {error}", path.display()),
        })?;
    Ok(to.write_all(&file.content).map_err(named)?)
}
