//! `cargo xtask bench reload`: decisions under load while the policy file changes under the daemon.
//!
//! All clients send calls that are denied, each a decision with its durable record. Meanwhile the
//! file goes from policy to policy, of a thousand rules and another reason each, with broken ones
//! between. An answer that is lost, that mixes two generations, or that an old generation gave a
//! second after the change, fails the command.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Client, Judged};
use crate::bench::sample::{Sample, milliseconds};
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::setup;
use crate::table::{Align, Table};
use crate::workspace::Workspace;

/// Between two changes of the file: long enough for the slowest that is allowed, twice.
const BETWEEN: Duration = Duration::from_secs(2);

/// An old generation is gone by then.
const GONE: Duration = Duration::from_secs(1);

/// What the daemon is to bear meanwhile.
const RATE: f64 = 2_000.0;

/// How long and by how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    time: Duration,
    clients: usize,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self {
            time: Duration::from_secs(20),
            clients: 64,
        };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "--seconds" => {
                    options.time = Duration::from_secs(super::number(word, words.next())?)
                }
                "--clients" => options.clients = super::number(word, words.next())?,
                other => {
                    return Err(Failure::Usage(format!(
                        "`bench reload` has no option `{other}`; see `cargo xtask --help`"
                    )));
                }
            }
        }
        Ok(options)
    }
}

/// One answer, when it was asked for, and how long it took.
struct Said {
    began: Instant,
    took: Duration,
    judged: Judged,
}

/// The file was changed to a policy with this reason.
struct Changed {
    at: Instant,
    reason: String,
}

/// Measures and prints.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    setup::prepare(workspace)?;
    let state = workspace
        .scratch("bench")?
        .join(format!("reload-{}", std::process::id()));
    std::fs::create_dir_all(&state).map_err(Failure::file(&state))?;
    let file = state.join("policy.toml");
    put(&file, &policy("zero"))?;
    let path = file.to_string_lossy().into_owned();
    let environment = [
        ("LAZARET_POLICY", path.as_str()),
        ("LAZARET_WARM_WORKERS", "0"),
    ];
    let daemon = Daemon::start(workspace, &state, &environment)?;
    let finding = measure(&daemon, &file, options);
    daemon.stop()?;
    std::fs::remove_dir_all(&state).map_err(Failure::file(&state))?;
    finding
}

fn measure(daemon: &Daemon, file: &Path, options: &Options) -> Result<(), Failure> {
    let all: Mutex<Vec<Said>> = Mutex::default();
    let lost: Mutex<Vec<Failure>> = Mutex::default();
    let started = Instant::now();
    let changes = std::thread::scope(|scope| {
        for _ in 0..options.clients {
            let (all, lost, client) = (&all, &lost, daemon.client().another());
            scope.spawn(move || ask(&client, started, options.time, all, lost));
        }
        change(file, started, options.time)
    })?;
    let took = started.elapsed();
    let all = all.into_inner().unwrap_or_default();
    let lost = lost.into_inner().unwrap_or_default();
    let gone = gone(&all, &changes);
    let rate = all.len() as f64 / took.as_secs_f64();
    print(&all, rate, lost.len(), &changes, &gone);
    if let Some(first) = lost.into_iter().next() {
        return Err(first);
    }
    if mixed(&all) > 0 {
        return Err(Failure::Check("an answer mixes two generations".into()));
    }
    if gone.quantile(1000).is_some_and(|longest| longest > GONE) {
        return Err(Failure::Check(
            "an old generation judged a second after the change".into(),
        ));
    }
    Ok(())
}

fn ask(
    client: &Client,
    started: Instant,
    time: Duration,
    all: &Mutex<Vec<Said>>,
    lost: &Mutex<Vec<Failure>>,
) {
    let call = json!({ "language": "python", "code": "forbidden" });
    let mut said = Vec::new();
    while started.elapsed() < time {
        let began = Instant::now();
        match client.deny(&call) {
            Ok(judged) => said.push(Said {
                began,
                took: began.elapsed(),
                judged,
            }),
            Err(failure) => add(lost, [failure]),
        }
    }
    add(all, said);
}

/// A client that broke while it held the lock fails the command by itself.
fn add<T>(to: &Mutex<Vec<T>>, more: impl IntoIterator<Item = T>) {
    if let Ok(mut to) = to.lock() {
        to.extend(more);
    }
}

/// A new reason each time, and a broken file in the middle.
fn change(file: &Path, started: Instant, time: Duration) -> Result<Vec<Changed>, Failure> {
    let mut changes = Vec::new();
    std::thread::sleep(BETWEEN / 2);
    while started.elapsed() + BETWEEN < time {
        let reason = format!("reason {}", changes.len() + 1);
        put(file, &policy(&reason))?;
        changes.push(Changed {
            at: Instant::now(),
            reason,
        });
        std::thread::sleep(BETWEEN / 2);
        put(file, "version = 1\nname = ")?;
        std::thread::sleep(BETWEEN / 2);
    }
    Ok(changes)
}

fn put(file: &Path, text: &str) -> Result<(), Failure> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).map_err(Failure::file(&beside))?;
    std::fs::rename(&beside, file).map_err(Failure::file(file))
}

/// A thousand rules: what a security team of some years has.
fn policy(reason: &str) -> String {
    let others = (0..1_000).map(|number| {
        format!(
            "[[rule]]\nid = \"other-{number}\"\neffect = \"deny\"\nmatch = {{ tool = \"tool-{number}\" }}\nreason = \"not here\"\n"
        )
    });
    let first = format!(
        "version = 1\nname = \"house\"\n[[rule]]\nid = \"forbidden\"\neffect = \"deny\"\nmatch = {{ tool = \"execute_code\", \"arguments.code\" = \"forbidden\" }}\nreason = \"{reason}\"\n"
    );
    std::iter::once(first).chain(others).collect()
}

/// For each change, how long after it an old generation still began to judge a call.
fn gone(all: &[Said], changes: &[Changed]) -> Sample {
    let mut sample = Sample::default();
    for (at, change) in changes.iter().enumerate() {
        let next = changes.get(at + 1).map(|next| next.at);
        let after = all
            .iter()
            .filter(|said| said.began > change.at && next.is_none_or(|next| said.began < next));
        let old = after.filter(|said| said.judged.reason != change.reason);
        let last = old.map(|said| said.began.duration_since(change.at)).max();
        sample.add(last.unwrap_or_default());
    }
    sample
}

/// Answers whose reason or digest is not that of their generation.
fn mixed(all: &[Said]) -> usize {
    let mut first: BTreeMap<u64, (&str, &str)> = BTreeMap::new();
    let mixed = all.iter().filter(|said| {
        let found = (said.judged.digest.as_str(), said.judged.reason.as_str());
        *first.entry(said.judged.generation).or_insert(found) != found
    });
    mixed.count()
}

fn print(all: &[Said], rate: f64, lost: usize, changes: &[Changed], gone: &Sample) {
    let mut times = Sample::default();
    all.iter().for_each(|said| times.add(said.took));
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right)]);
    let note = if rate < RATE {
        " (less than the 2,000 wanted)"
    } else {
        ""
    };
    for (what, figure) in [
        ("decisions", all.len().to_string()),
        ("a second", format!("{rate:.0}{note}")),
        ("lost", lost.to_string()),
        ("mixed", mixed(all).to_string()),
        ("answer p50", milliseconds(times.quantile(500))),
        ("answer p99", milliseconds(times.quantile(990))),
        ("answer longest", milliseconds(times.quantile(1000))),
        (
            "changes of the file, each followed by a broken one",
            changes.len().to_string(),
        ),
        (
            "old generation gone after, median",
            milliseconds(gone.quantile(500)),
        ),
        (
            "old generation gone after, longest",
            milliseconds(gone.quantile(1000)),
        ),
    ] {
        table.row([what.to_owned(), figure]);
    }
    println!("\n{table}");
}
