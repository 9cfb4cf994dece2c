//! One instance of the interpreter: what it can reach of the host, how much it
//! may use, and how its end is told.
//!
//! An instance is prepared before its call is known, runs one program and is
//! thrown away. Nothing of the host is reachable but two directories of the
//! worker's private file system, the clock and random numbers. What passes between
//! the two is the guest ABI (docs/GUEST-ABI.md).

use std::time::Duration;

use crate::stdin::LateStdin;
use executor::wasm::wire::{Call, CallLimits, End};
use wasmtime::{
    Engine, Error, Instance, InstancePre, Linker, Memory, Module, ResourceLimiter, Result, Store,
    Trap, TypedFunc,
};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder, WasiView};

use crate::deadline::Deadline;
use crate::streams::Sink;

/// Open handles (files, streams, polls) of one guest: well above what a program
/// with 256 files needs, far below what would weigh on the worker.
const MAX_HANDLES: usize = 4_096;

/// Random bytes that a guest may ask for at once; each costs worker memory.
const MAX_RANDOM_BYTES: u64 = 16 << 20;

/// Ticks of the epoch that a guest runs for: the deadline is the only tick.
const EPOCHS: u64 = 1;

/// What is kept of what an interpreter says that does not start: a traceback.
const LAST_WORDS_BYTES: u64 = 8 << 10;

/// What the ABI calls memory that ran out and that nobody caught.
const MEMORY_EXHAUSTED: i32 = 256;

/// Directories of the worker's private file system that a guest sees, under the
/// same names.
pub(crate) const GUEST_DIRS: [&str; 2] = ["/workspace", "/tmp"];

/// The interpreter, linked and ready to be instantiated.
pub(crate) struct Interpreter {
    engine: Engine,
    ready: InstancePre<Host>,
}

impl Interpreter {
    /// Link `module` against what a guest may reach.
    ///
    /// # Errors
    /// When the module wants an import that does not exist.
    pub(crate) fn link(engine: &Engine, module: &Module) -> Result<Self> {
        let linker = linker(engine)?;
        Ok(Self {
            engine: engine.clone(),
            ready: linker.instantiate_pre(module)?,
        })
    }

    /// A fresh instance that has seen no input yet.
    ///
    /// # Errors
    /// When there is no memory for it or the worker's directories are gone.
    pub(crate) async fn prepare(&self) -> Result<Prepared> {
        let mut store = store(&self.engine, Host::new(&GUEST_DIRS.map(|dir| (dir, dir)))?);
        let instance = self.ready.instantiate_async(&mut store).await?;
        let door = Door::of(&instance, &mut store)?;
        Ok(Prepared { store, door })
    }
}

/// Everything that a guest may import.
///
/// # Errors
/// Never in fact; two functions of one name would be one.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    p1::add_to_linker_async(&mut linker, |host: &mut Host| &mut host.wasi)?;
    Ok(linker)
}

/// A store whose guest is metered and stops at the next epoch.
pub(crate) fn store(engine: &Engine, host: Host) -> Store<Host> {
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.meter);
    store.set_epoch_deadline(EPOCHS);
    store
}

/// Where a program goes in.
struct Door {
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    run: TypedFunc<(u32, u32), i32>,
}

impl Door {
    fn of(instance: &Instance, store: &mut Store<Host>) -> Result<Self> {
        let memory = instance
            .get_memory(&mut *store, "memory")
            .ok_or_else(|| Error::msg("the module exports no `memory`"))?;
        Ok(Self {
            memory,
            alloc: instance.get_typed_func(&mut *store, "lazaret_alloc")?,
            run: instance.get_typed_func(&mut *store, "lazaret_run")?,
        })
    }
}

/// An instance that waits for its program.
pub(crate) struct Prepared {
    store: Store<Host>,
    door: Door,
}

/// What an instance left behind when it was thrown away.
pub(crate) struct Remains {
    pub(crate) end: End,
    pub(crate) stdout: executor::wasm::wire::Stream,
    pub(crate) stderr: executor::wasm::wire::Stream,
    pub(crate) memory_peak_bytes: u64,
    /// The instance itself: dropped when the answer is on its way.
    pub(crate) instance: Used,
}

/// An instance that has run. Dropping it puts its memory back.
pub(crate) struct Used(#[expect(dead_code, reason = "held to be dropped")] Store<Host>);

impl Prepared {
    /// Run one program to its end or its deadline.
    pub(crate) async fn run(mut self, call: &mut Call, deadline: &Deadline) -> Remains {
        let end = match self.store.data().meter.peak_bytes > call.limits.memory_bytes {
            // The interpreter alone holds more than the call may have.
            true => End::OutOfMemory,
            false => self.finish(call, deadline).await,
        };
        let host = self.store.data_mut();
        Remains {
            end,
            stdout: host.stdout.take(),
            stderr: host.stderr.take(),
            memory_peak_bytes: host.meter.peak_bytes,
            instance: Used(self.store),
        }
    }

    async fn finish(&mut self, call: &mut Call, deadline: &Deadline) -> End {
        self.store.data_mut().admit(call);
        self.store.set_epoch_deadline(EPOCHS);
        let input = input(call);
        let wall = Duration::from_millis(call.limits.wall_ms);
        let finished = {
            let _armed = deadline.arm(wall);
            tokio::time::timeout(wall, self.enter(&input)).await
        };
        let meter = &self.store.data().meter;
        match finished {
            Err(_elapsed) => End::TimedOut,
            Ok(Ok(status)) => told(status),
            Ok(Err(error)) => stopped(&error, meter),
        }
    }

    async fn enter(&mut self, input: &[u8]) -> Result<i32> {
        let length = u32::try_from(input.len())?;
        let at = self.door.alloc.call_async(&mut self.store, length).await?;
        self.door
            .memory
            .write(&mut self.store, at as usize, input)?;
        let run = &self.door.run;
        run.call_async(&mut self.store, (at, length)).await
    }
}

/// The program as the ABI lays it out.
fn input(call: &Call) -> Vec<u8> {
    let mut input = Vec::with_capacity(call.code.len() + call.filename.len() + 64);
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let text = |text: &str, input: &mut Vec<u8>| {
        input.extend_from_slice(&number(text.len()));
        input.extend_from_slice(text.as_bytes());
    };
    text(&call.code, &mut input);
    text(&call.filename, &mut input);
    input.extend_from_slice(&number(call.args.len()));
    for argument in &call.args {
        text(argument, &mut input);
    }
    input
}

/// What the interpreter told by returning. A list of 10^12 items is refused by the
/// interpreter itself, without asking for memory: its word is enough.
fn told(status: i32) -> End {
    match (u8::try_from(status), status) {
        (Ok(status), _) => End::Exited(status),
        (Err(_), MEMORY_EXHAUSTED) => End::OutOfMemory,
        (Err(_), other) => End::Trapped(format!("the guest answered outside its ABI: {other}")),
    }
}

/// Why the engine stopped the guest.
fn stopped(error: &Error, meter: &Meter) -> End {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return End::Exited(u8::try_from(*status & 0xFF).unwrap_or(u8::MAX));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => End::TimedOut,
        // Under memory pressure CPython gives up with an abort.
        _ if meter.refused => End::OutOfMemory,
        Some(trap) => End::Trapped(trap.to_string()),
        None => End::Trapped(format!("{error:#}")),
    }
}

/// The host's side of one instance.
pub(crate) struct Host {
    wasi: WasiP1Ctx,
    stdin: LateStdin,
    stdout: Sink,
    stderr: Sink,
    meter: Meter,
}

impl Host {
    /// A host that shows `dirs` (path here, path in the guest) and nothing else.
    ///
    /// # Errors
    /// When a directory is gone.
    pub(crate) fn new(dirs: &[(&str, &str)]) -> Result<Self> {
        let (stdin, stdout, stderr) = (LateStdin::default(), Sink::default(), Sink::default());
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdin(stdin.clone())
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .allow_blocking_current_thread(true)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(MAX_RANDOM_BYTES);
        for (here, there) in dirs {
            wasi.preopened_dir(here, there, FsPerms::ReadWrite)?;
        }
        // Directories keep what was set when they were opened. For the rest the thread must not
        // be blocked: a guest that only sleeps would block it, and not be stopped in time.
        wasi.allow_blocking_current_thread(false);
        let mut wasi = wasi.build_p1();
        wasi.ctx().table.set_max_capacity(MAX_HANDLES);
        Ok(Self {
            wasi,
            stdin,
            stdout,
            stderr,
            meter: Meter::default(),
        })
    }

    /// Keep what the guest says on standard error while it is started.
    pub(crate) fn listen(&self) {
        self.stderr.set_limit(LAST_WORDS_BYTES);
    }

    /// What it said since.
    pub(crate) fn last_words(&self) -> String {
        String::from_utf8_lossy(&self.stderr.take().bytes).into_owned()
    }

    /// Take in what belongs to one call.
    fn admit(&mut self, call: &mut Call) {
        let CallLimits {
            memory_bytes,
            output_bytes,
            ..
        } = call.limits;
        self.stdin.fill(std::mem::take(&mut call.stdin));
        self.stdout.set_limit(output_bytes);
        self.stderr.set_limit(output_bytes);
        self.meter.limit_bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    }
}

/// Counts the guest's memory and refuses what is over the limit. The guest sees
/// a failed allocation, as on a machine without memory.
#[derive(Debug)]
struct Meter {
    limit_bytes: usize,
    peak_bytes: u64,
    refused: bool,
}

impl Default for Meter {
    /// Before its call an instance takes what its image needs and no more is
    /// known; the pool's slot is the bound.
    fn default() -> Self {
        Self {
            limit_bytes: usize::MAX,
            peak_bytes: 0,
            refused: false,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let granted = desired <= self.limit_bytes && maximum.is_none_or(|most| desired <= most);
        match granted {
            true => self.peak_bytes = self.peak_bytes.max(desired as u64),
            false => self.refused = true,
        }
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, _: Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        // The pool's `table_elements` is the bound.
        Ok(true)
    }
}
