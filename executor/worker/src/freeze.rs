//! The role that starts an interpreter once, at build time, and answers with the
//! module that begins where it stopped.
//!
//! Its code was compiled before, in a worker of another role, so that this one too
//! can never make executable memory. What the interpreter imports while it starts is
//! laid out in the workspace; it sees it as `/image`, and after that never again.

use std::fs::File;
use std::os::unix::net::UnixStream;

use executor::wasm::wire::{
    Compiled, Freeze, MAX_ARTEFACT_FRAME_BYTES, Ready, read_frame, write_frame,
};
use tokio::runtime::Runtime;
use wasmtime::{Instance, Store, Val};
use wasmtime_wizer::{InstanceState, ModuleContext, SnapshotVal, ValType, Wizer};

use crate::guest::{self, Host};
use crate::memory::Slots;
use crate::{Failure, artefact, engine, files, run};

/// The function that starts the interpreter, by the guest ABI.
const INIT: &str = "lazaret_init";

/// Where the interpreter finds what it imports (host side, guest side).
const DIRS: [(&str, &str); 2] = [("/workspace", "/image"), ("/tmp", "/tmp")];

fn wizer() -> Wizer {
    let mut wizer = Wizer::new();
    wizer.init_func(INIT);
    wizer
}

/// `module` with all of its state exported, so that it can be read afterwards.
///
/// # Errors
/// When the module has state that cannot be frozen.
pub(crate) fn instrumented(module: &[u8]) -> Result<Vec<u8>, String> {
    let instrumented = wizer().instrument(module);
    instrumented
        .map(|(_, module)| module)
        .map_err(|error| format!("{error:#}"))
}

/// Start the precompiled module behind `file`, freeze it, and answer with it.
///
/// # Errors
/// When the worker cannot confine itself or the socket breaks. A module that does not
/// start is an answer, not an error.
pub(crate) fn once(
    inside: jail::Inside,
    mut socket: UnixStream,
    file: &File,
) -> Result<(), Failure> {
    let engine = engine::engine(Slots::new(None, None))?;
    let module = artefact::load(&engine, file)?;
    let restricted = inside.enter_root()?.restrict()?;
    let runtime = run::event_loop()?;
    let report = restricted.seal()?;
    let ready = Ready {
        engine: engine::version(),
        report,
    };
    write_frame(&mut socket, &ready)?;
    let order: Freeze = read_frame(&mut socket, MAX_ARTEFACT_FRAME_BYTES)?;
    let frozen = frozen(&runtime, &engine, &module, &order);
    write_frame(&mut socket, &frozen)?;
    Ok(())
}

fn frozen(
    runtime: &Runtime,
    engine: &wasmtime::Engine,
    module: &wasmtime::Module,
    order: &Freeze,
) -> Compiled {
    files::lay_out(&order.files).map_err(|error| format!("the image's files: {error}"))?;
    let told = |error: wasmtime::Error| format!("{error:#}");
    let wizer = wizer();
    let (context, _) = wizer.instrument(&order.module).map_err(told)?;
    runtime.block_on(async {
        let mut started = Started::start(engine, module).await?;
        freeze(&wizer, &context, &mut started).await
    })
}

async fn freeze(wizer: &Wizer, context: &ModuleContext<'_>, started: &mut Started) -> Compiled {
    let frozen = wizer.snapshot(context, started).await;
    match (frozen, started.lacking.take()) {
        (_, Some(name)) => Err(format!("the started module has no state `{name}`")),
        (Err(error), None) => Err(format!("{error:#}")),
        (Ok(module), None) => Ok(module),
    }
}

/// An interpreter that was started.
struct Started {
    store: Store<Host>,
    instance: Instance,
    /// State that was asked for and is not there.
    lacking: Option<String>,
}

impl Started {
    async fn start(engine: &wasmtime::Engine, module: &wasmtime::Module) -> Result<Self, String> {
        let told = |error: wasmtime::Error| format!("{error:#}");
        let linker = guest::linker(engine).map_err(told)?;
        let mut store = guest::store(engine, Host::new(&DIRS).map_err(told)?);
        store.data_mut().listen();
        let instance = linker
            .instantiate_async(&mut store, module)
            .await
            .map_err(told)?;
        let mut this = Self {
            store,
            instance,
            lacking: None,
        };
        // A reactor's own start, which runs the C library's constructors.
        for name in ["_initialize", INIT] {
            if name == INIT || this.instance.get_func(&mut this.store, name).is_some() {
                this.call(name).await?;
            }
        }
        Ok(this)
    }

    async fn call(&mut self, name: &str) -> Result<(), String> {
        let function = self
            .instance
            .get_typed_func::<(), ()>(&mut self.store, name);
        let function = function.map_err(|error| format!("{error:#}"))?;
        let called = function.call_async(&mut self.store, ()).await;
        called.map_err(|error| {
            let said = self.store.data().last_words();
            format!("`{name}` failed: {error}: {said}")
        })
    }
}

impl InstanceState for Started {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match global.map(|global| global.get(&mut self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(bits)) => SnapshotVal::F32(bits),
            Some(Val::F64(bits)) => SnapshotVal::F64(bits),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            Some(_) | None => {
                self.lacking = Some(name.to_owned());
                SnapshotVal::I32(0)
            }
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut self.store, name) {
            Some(memory) => contents(memory.data(&self.store)),
            None => {
                self.lacking = Some(name.to_owned());
                contents(&[]);
            }
        }
    }
}
