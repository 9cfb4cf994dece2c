//! Clients at once for a while: errors, times, and whether memory stays flat. `cargo xtask bench
//! load` tries every language by numbers of clients; `bench call` ends with fifty.
//!
//! The clients share the machine with the daemon, so the figures are a lower
//! bound of what it can do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::bench::contender::{self, Language};
use crate::bench::memory::Memory;
use crate::bench::sample::{Sample, milliseconds};
use crate::bench::{start_daemon_in, stop_daemon};
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::setup;
use crate::table::{Align, Table};
use crate::workspace::Workspace;

/// A moment after the first calls, so that `start` is a daemon at work.
const SETTLE: Duration = Duration::from_secs(1);

/// Clients at once, from one that waits for each answer to more than the queue's usual depth.
const CLIENTS: [usize; 4] = [1, 8, 50, 500];
/// Memory that is a file system: a ledger here is written as ever, and its syncs cost nothing.
const MEMORY: &str = "/dev/shm";

/// What `bench load` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// For each number of clients.
    time: Duration,
}

impl Options {
    /// Reads `[--seconds N]`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let seconds = match words {
            [] => Some(10),
            ["--seconds", seconds] => seconds.parse().ok().filter(|seconds| *seconds > 0),
            _ => None,
        };
        let usage = || Failure::Usage("`bench load` takes --seconds N".into());
        let time = Duration::from_secs(seconds.ok_or_else(usage)?);
        Ok(Self { time })
    }
}

/// Every language by every number of clients, with the ledger on the disk and in memory: the
/// difference is what its syncs cost. Any error fails the command, with the first one.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    setup::prepare(workspace)?;
    let mut table = Table::new(&[
        ("print(1) in", Align::Left),
        ("ledger", Align::Left),
        ("clients", Align::Right),
        ("calls/s", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("p99.9", Align::Right),
        ("errors", Align::Right),
    ]);
    let mut first_error = None;
    let places = [
        ("on disk", workspace.scratch("bench")?),
        ("in memory", PathBuf::from(MEMORY)),
    ];
    for (place, folder) in places {
        let daemon = start_daemon_in(workspace, &folder)?;
        for language in Language::ALL {
            for clients in CLIENTS {
                let found = measure(&daemon, language, clients, options.time, || {});
                table.row([
                    language.name().to_owned(),
                    place.to_owned(),
                    clients.to_string(),
                    format!("{:.0}", found.per_second()),
                    milliseconds(found.sample.quantile(500)),
                    milliseconds(found.sample.quantile(990)),
                    milliseconds(found.sample.quantile(999)),
                    found.errors.to_string(),
                ]);
                first_error = first_error.or(found.first_error);
            }
        }
        stop_daemon(daemon)?;
    }
    println!("{table}");
    first_error.map_or(Ok(()), Err)
}

/// Runs `clients` for `time`, looks at the memory meanwhile, and prints what was found.
pub(super) fn flat(daemon: &Daemon, clients: usize, time: Duration) -> Result<(), Failure> {
    let started = Instant::now();
    let mut memory = Vec::new();
    let watch = || {
        let moments = [
            ("start", SETTLE.min(time)),
            ("middle", time / 2),
            ("end", time),
        ];
        for (moment, at) in moments {
            std::thread::sleep(at.saturating_sub(started.elapsed()));
            memory.push((moment, Memory::now(daemon.process_id())));
        }
    };
    let found = measure(daemon, Language::Python, clients, time, watch);
    print(clients, &found);
    println!("{}", memory_table(&memory));
    found.first_error.map_or(Ok(()), Err)
}

/// What all clients found together.
#[derive(Default)]
struct Found {
    sample: Sample,
    errors: u64,
    first_error: Option<Failure>,
    took: Duration,
}

impl Found {
    fn per_second(&self) -> f64 {
        self.sample.len() as f64 / self.took.as_secs_f64()
    }

    fn add(&mut self, other: Self) {
        self.sample.extend(other.sample);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// Lets so many clients call for so long, each on a connection of its own, and `watch` meanwhile.
fn measure(
    daemon: &Daemon,
    language: Language,
    clients: usize,
    time: Duration,
    watch: impl FnOnce(),
) -> Found {
    let started = Instant::now();
    let mut all = Found::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| scope.spawn(|| one_client(daemon, language, started, time)))
            .collect();
        watch();
        for client in clients {
            let found = client.join();
            all.add(found.unwrap_or_else(|why| std::panic::resume_unwind(why)));
        }
    });
    all.took = started.elapsed();
    all
}

fn one_client(daemon: &Daemon, language: Language, started: Instant, time: Duration) -> Found {
    let client = daemon.client().another();
    let body = contender::request_body(language);
    let mut found = Found::default();
    while started.elapsed() < time {
        let call = Instant::now();
        match contender::call(&client, &body) {
            Ok(()) => found.sample.add(call.elapsed()),
            Err(failure) => {
                found.errors += 1;
                found.first_error.get_or_insert(failure);
            }
        }
    }
    found
}

fn print(clients: usize, found: &Found) {
    let sample = &found.sample;
    println!(
        "{clients} clients for {:.0} s: {} calls ({:.0} a second), {} errors, p50 {}, p99 {}, p99.9 {}\n",
        found.took.as_secs_f64(),
        sample.len(),
        found.per_second(),
        found.errors,
        milliseconds(sample.quantile(500)),
        milliseconds(sample.quantile(990)),
        milliseconds(sample.quantile(999)),
    );
}

fn memory_table(memory: &[(&str, Memory)]) -> Table {
    let mut table = Table::new(&[
        ("resident memory", Align::Left),
        ("daemon", Align::Right),
        ("workers", Align::Right),
        ("number of workers", Align::Right),
    ]);
    for (moment, memory) in memory {
        table.row([
            (*moment).into(),
            format!("{} KiB", memory.daemon_kib),
            format!("{} KiB", memory.workers_kib),
            memory.workers.to_string(),
        ]);
    }
    table
}
