//! Many clients at once for a while: errors, times, and whether memory stays flat.
//!
//! The clients share the machine with the daemon, so the figures are a lower
//! bound of what it can do. Any error fails the command, with the first one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::bench::contender;
use crate::bench::memory::Memory;
use crate::bench::sample::{Sample, milliseconds};
use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::table::{Align, Table};

/// A moment after the first calls, so that `start` is a daemon at work.
const SETTLE: Duration = Duration::from_secs(1);

/// What all clients found together.
#[derive(Default)]
struct Findings {
    sample: Mutex<Sample>,
    errors: AtomicU64,
    first_error: Mutex<Option<Failure>>,
}

/// Runs `clients` for `time` and prints what was found.
pub(super) fn run(daemon: &Daemon, clients: usize, time: Duration) -> Result<(), Failure> {
    let findings = Findings::default();
    let started = Instant::now();
    let mut memory = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| one_client(daemon, started, time, &findings));
        }
        let moments = [
            ("start", SETTLE.min(time)),
            ("middle", time / 2),
            ("end", time),
        ];
        for (moment, at) in moments {
            std::thread::sleep(at.saturating_sub(started.elapsed()));
            memory.push((moment, Memory::now(daemon.process_id())));
        }
    });
    let sample = findings.sample.into_inner().unwrap_or_default();
    let errors = findings.errors.into_inner();
    print(clients, started.elapsed(), &sample, errors);
    println!("{}", memory_table(&memory));
    match findings.first_error.into_inner().ok().flatten() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn one_client(daemon: &Daemon, started: Instant, time: Duration, findings: &Findings) {
    let client = daemon.client().another();
    let body = contender::request_body();
    let mut sample = Sample::default();
    while started.elapsed() < time {
        let call = Instant::now();
        match contender::call(&client, &body) {
            Ok(()) => sample.add(call.elapsed()),
            Err(failure) => {
                findings.errors.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut first) = findings.first_error.lock() {
                    first.get_or_insert(failure);
                }
            }
        }
    }
    if let Ok(mut all) = findings.sample.lock() {
        all.extend(sample);
    }
}

fn print(clients: usize, time: Duration, sample: &Sample, errors: u64) {
    println!(
        "{clients} clients for {:.0} s: {} calls ({:.0} a second), {errors} errors, p50 {}, p99 {}, p99.9 {}\n",
        time.as_secs_f64(),
        sample.len(),
        sample.len() as f64 / time.as_secs_f64(),
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
