//! One instance of the interpreter: what it can reach of the host, how much it
//! may use, and how its end is told.
//!
//! An instance is prepared before its call is known, runs one program and is
//! thrown away. Nothing of the host is reachable but two directories of the
//! worker's private file system, the clock and random numbers.

use std::time::Duration;

use crate::stdin::LateStdin;
use executor::wasm::wire::{Call, CallLimits, End};
use wasmtime::component::{Component, Func, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Engine, Error, ResourceLimiter, Result, Store, StoreContextMut, Trap};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use crate::deadline::Deadline;
use crate::streams::Sink;

/// Open handles (files, streams, polls) of one guest: well above what a program
/// with 256 files needs, far below what would weigh on the worker.
const MAX_HANDLES: usize = 4_096;

/// Random bytes that a guest may ask for at once; each costs worker memory.
const MAX_RANDOM_BYTES: u64 = 16 << 20;

/// Ticks of the epoch that a guest runs for: the deadline is the only tick.
const EPOCHS: u64 = 1;

/// Directories of the worker's private file system that a guest sees, under the
/// same names.
pub(crate) const GUEST_DIRS: [&str; 2] = ["/workspace", "/tmp"];

/// The interpreter, linked and ready to be instantiated.
pub(crate) struct Interpreter {
    engine: Engine,
    ready: InstancePre<Host>,
}

impl Interpreter {
    /// Link `component` against what a guest may reach.
    ///
    /// # Errors
    /// When the component wants an import that does not exist.
    pub(crate) fn link(engine: &Engine, component: &Component) -> Result<Self> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        linker.root().func_wrap("exit-now", exit_now)?;
        Ok(Self {
            engine: engine.clone(),
            ready: linker.instantiate_pre(component)?,
        })
    }

    /// A fresh instance that has seen no input yet.
    ///
    /// # Errors
    /// When the pool has no slot or the worker's directories are gone.
    pub(crate) async fn prepare(&self) -> Result<Prepared> {
        let mut store = Store::new(&self.engine, Host::new()?);
        store.limiter(|host| &mut host.meter);
        store.set_epoch_deadline(EPOCHS);
        let instance = self.ready.instantiate_async(&mut store).await?;
        let run = instance
            .get_func(&mut store, "run")
            .ok_or_else(|| Error::msg("the component exports no `run`"))?;
        Ok(Prepared { store, run })
    }
}

/// An instance that waits for its program.
pub(crate) struct Prepared {
    store: Store<Host>,
    run: Func,
}

/// What an instance left behind when it was thrown away.
pub(crate) struct Remains {
    pub(crate) end: End,
    pub(crate) stdout: executor::wasm::wire::Stream,
    pub(crate) stderr: executor::wasm::wire::Stream,
    pub(crate) memory_peak_bytes: u64,
}

impl Prepared {
    /// Run one program to its end or its deadline. The instance is gone
    /// afterwards, whatever happened.
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
        }
    }

    async fn finish(&mut self, call: &mut Call, deadline: &Deadline) -> End {
        self.store.data_mut().admit(call);
        self.store.set_epoch_deadline(EPOCHS);
        let arguments = [program(call)];
        let mut results = [Val::Bool(false)];
        let wall = Duration::from_millis(call.limits.wall_ms);
        let finished = {
            let _armed = deadline.arm(wall);
            let running = self
                .run
                .call_async(&mut self.store, &arguments, &mut results);
            tokio::time::timeout(wall, running).await
        };
        let meter = &self.store.data().meter;
        match finished {
            Err(_elapsed) => End::TimedOut,
            Ok(Ok(())) => told(&results),
            Ok(Err(error)) => stopped(&error, meter),
        }
    }
}

/// The record `program` of the guest's world.
fn program(call: &mut Call) -> Val {
    let args = std::mem::take(&mut call.args)
        .into_iter()
        .map(Val::String)
        .collect();
    Val::Record(vec![
        ("code".into(), Val::String(std::mem::take(&mut call.code))),
        ("filename".into(), Val::String(call.filename.clone())),
        ("args".into(), Val::List(args)),
    ])
}

/// What the interpreter told by returning.
fn told(results: &[Val]) -> End {
    match results.first() {
        Some(Val::Variant(name, Some(status))) if name == "exited" => match **status {
            Val::U8(status) => End::Exited(status),
            ref other => End::Trapped(format!("the guest's status was not a byte: {other:?}")),
        },
        // A list of 10^12 items is refused by the interpreter itself, without asking
        // for memory: its word is enough.
        Some(Val::Variant(name, None)) if name == "memory-exhausted" => End::OutOfMemory,
        other => End::Trapped(format!("the guest answered outside its world: {other:?}")),
    }
}

/// Why the engine stopped the guest.
fn stopped(error: &Error, meter: &Meter) -> End {
    if let Some(ExitNow(status)) = error.downcast_ref() {
        return End::Exited(*status);
    }
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

/// `os._exit`: ends the instance without unwinding.
#[derive(Debug)]
struct ExitNow(u8);

impl std::fmt::Display for ExitNow {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "the guest left with status {}", self.0)
    }
}

impl std::error::Error for ExitNow {}

fn exit_now(_: StoreContextMut<'_, Host>, (status,): (u8,)) -> Result<()> {
    Err(Error::new(ExitNow(status)))
}

/// The host's side of one instance.
struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
    stdin: LateStdin,
    stdout: Sink,
    stderr: Sink,
    meter: Meter,
}

impl Host {
    fn new() -> Result<Self> {
        let (stdin, stdout, stderr) = (LateStdin::default(), Sink::default(), Sink::default());
        let mut wasi = WasiCtx::builder();
        wasi.stdin(stdin.clone())
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .allow_blocking_current_thread(true)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(MAX_RANDOM_BYTES);
        for dir in GUEST_DIRS {
            wasi.preopened_dir(dir, dir, FsPerms::ReadWrite)?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Ok(Self {
            wasi: wasi.build(),
            table,
            stdin,
            stdout,
            stderr,
            meter: Meter::default(),
        })
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

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
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
