//! The role that runs calls: load, confine, say so, then one call after the
//! other, each in an instance of its own.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use executor::wasm::wire::{
    Answer, Call, CallLimits, End, LeftOut, MAX_CALL_FRAME_BYTES, Preparation, Ready, Stream,
    read_frame, write_frame,
};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tokio::runtime::Runtime;

use crate::deadline::Deadline;
use crate::guest::{GUEST_DIRS, Interpreter, Prepared, Remains, Used};
use crate::memory::{self, Slots};
use crate::{Failure, artefact, engine, files, image, typescript};

/// Limits of the call that warms a worker up before it takes any other.
const WARM_UP: CallLimits = CallLimits {
    wall_ms: 30_000,
    memory_bytes: u64::MAX,
    output_bytes: 1_024,
    file_bytes: 0,
    file_count: 0,
};

/// Become a worker that runs calls, until the daemon closes the socket.
///
/// # Errors
/// When the worker cannot confine itself or the socket breaks.
pub(crate) fn serve(
    inside: jail::Inside,
    mut socket: UnixStream,
    file: &File,
) -> Result<(), Failure> {
    let slots = Slots::new(image::image(file)?, memory::pagemap());
    let engine = engine::engine(slots)?;
    let module = artefact::load(&engine, file)?;
    let interpreter = Interpreter::link(&engine, &module)?;
    let restricted = inside.enter_root()?.restrict()?;
    let deadline = Deadline::start(&restricted, engine)?;
    let worker = Worker {
        deadline,
        interpreter,
        runtime: event_loop()?,
    };
    let report = restricted.seal()?;
    worker.warm_up()?;
    let ready = Ready {
        engine: engine::version(),
        report,
    };
    write_frame(&mut socket, &ready)?;
    worker.calls(&mut socket)
}

/// The loop that guests wait in, with the one thread that it may have for file
/// writes: started here, because after sealing no thread can be made, and kept for
/// as long as the worker lives.
pub(crate) fn event_loop() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .thread_keep_alive(FOREVER)
        .build()?;
    runtime.block_on(runtime.spawn_blocking(|| ()))?;
    Ok(runtime)
}

/// Longer than any worker lives.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

struct Worker {
    interpreter: Interpreter,
    deadline: Deadline,
    runtime: Runtime,
}

impl Worker {
    /// One empty program of our own: everything that the engine sets up at the
    /// first call is then set up.
    fn warm_up(&self) -> Result<(), Failure> {
        let prepared = self.prepare()?;
        let mut call = Call {
            filename: "warm-up".into(),
            limits: WARM_UP,
            ..Call::default()
        };
        let remains = self.run(prepared, &mut call);
        files::wipe()?;
        match remains.end {
            End::Exited(0) => Ok(()),
            end => Err(format!("the runtime does not start: {end:?}").into()),
        }
    }

    fn calls(&self, socket: &mut UnixStream) -> Result<(), Failure> {
        loop {
            let prepared = self.prepare()?;
            let call: Call = match read_frame(socket, MAX_CALL_FRAME_BYTES) {
                Ok(call) => call,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let (mut answer, used) = self.answer(prepared, call);
            // Before it says that it takes another: whoever reads that may send one at once.
            let wiped = files::wipe();
            answer.reusable &= wiped.is_ok();
            write_frame(socket, &answer)?;
            if !answer.reusable {
                return Ok(wiped?);
            }
            // The memory is put back while nobody waits. If that cannot be done, the worker
            // ends, and the daemon starts another.
            drop(used);
        }
    }

    fn prepare(&self) -> Result<Prepared, Failure> {
        Ok(self.runtime.block_on(self.interpreter.prepare())?)
    }

    fn run(&self, prepared: Prepared, call: &mut Call) -> Remains {
        self.runtime.block_on(prepared.run(call, &self.deadline))
    }

    /// Run one call and say what became of it, and what is left to be put back.
    fn answer(&self, prepared: Prepared, mut call: Call) -> (Answer, Option<Used>) {
        let started = Instant::now();
        if let Err(report) = prepare_source(&mut call) {
            return (refused(report, call.limits, started.elapsed()), None);
        }
        if let Err(error) = files::lay_out(&call.files) {
            let reason = format!("the files could not be laid out: {error}");
            return (launch_failed(reason), None);
        }
        let (started, cpu) = (Instant::now(), cpu_time());
        let remains = self.run(prepared, &mut call);
        let (wall, cpu) = (started.elapsed(), cpu_time().saturating_sub(cpu));
        let collected = files::collect(&call.collect, call.limits);
        let clean = matches!(remains.end, End::Exited(_));
        let (files, left_out) = collected.unwrap_or_else(|error| {
            let reason = format!("the files could not be collected: {error}");
            (
                Vec::new(),
                vec![LeftOut {
                    path: "*".into(),
                    reason,
                }],
            )
        });
        let answer = Answer {
            end: remains.end,
            stdout: remains.stdout,
            stderr: remains.stderr,
            files,
            left_out,
            cpu_us: micros(cpu),
            memory_peak_bytes: remains.memory_peak_bytes,
            wall_us: micros(wall),
            reusable: clean,
        };
        (answer, Some(remains.instance))
    }
}

/// Make of the source text what the interpreter reads, or say why it cannot be read.
fn prepare_source(call: &mut Call) -> Result<(), String> {
    match call.preparation {
        Preparation::None => Ok(()),
        Preparation::EraseTypes => match typescript::to_javascript(&call.code) {
            Ok(code) => {
                call.code = code;
                Ok(())
            }
            Err(refused) => {
                let path = format!("{}/{}", GUEST_DIRS[0], call.filename);
                Err(refused.report(&call.code, &path))
            }
        },
    }
}

/// A source text that could not be read ends as the interpreter ends on a syntax error.
fn refused(report: String, limits: CallLimits, wall: Duration) -> Answer {
    let mut bytes = report.into_bytes();
    let most = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX);
    let truncated = bytes.len() > most;
    bytes.truncate(most);
    Answer {
        stderr: Stream { bytes, truncated },
        wall_us: micros(wall),
        cpu_us: micros(wall),
        reusable: true,
        ..without_run(End::Exited(1))
    }
}

fn launch_failed(reason: String) -> Answer {
    without_run(End::LaunchFailed(reason))
}

/// The answer to a call whose program did not run.
fn without_run(end: End) -> Answer {
    Answer {
        end,
        stdout: Stream::default(),
        stderr: Stream::default(),
        files: Vec::new(),
        left_out: Vec::new(),
        cpu_us: 0,
        memory_peak_bytes: 0,
        wall_us: 0,
        reusable: false,
    }
}

/// Processor time of this process so far, as the kernel counts it.
fn cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_engine_version_is_the_one_that_is_locked() {
        let lock = include_str!("../../../Cargo.lock");
        let version = executor::wasm::ENGINE_VERSION;
        let locked = format!("name = \"wasmtime\"\nversion = \"{version}\"");
        assert!(
            lock.contains(&locked),
            "set ENGINE_VERSION to the version in Cargo.lock"
        );
    }
}
