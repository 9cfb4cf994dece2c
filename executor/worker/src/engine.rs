//! How the engine is set up: once, for compiling and for running, because an
//! artefact only loads into an engine of the same settings.

use std::sync::Arc;

use wasmtime::{Config, Engine, Result};

use crate::memory::{GUARD_BYTES, RESERVATION_BYTES, Slots};
use crate::stack::Stacks;

/// Wasm stack of a guest. CPython's own recursion limit of a thousand frames
/// ends in a `RecursionError` well before this.
const WASM_STACK_BYTES: usize = 4 << 20;

/// Native stack under a guest's fiber: the wasm stack and room for host calls.
const FIBER_STACK_BYTES: usize = WASM_STACK_BYTES + (512 << 10);

/// An engine that compiles, and one that runs guests in the memory of `slots`.
///
/// # Errors
/// When this host cannot run the configuration, for example for want of
/// address space.
pub(crate) fn engine(slots: Slots) -> Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        // Images are mapped by us, not by the engine.
        .memory_init_cow(false)
        .memory_reservation(RESERVATION_BYTES as u64)
        .memory_guard_size(GUARD_BYTES as u64)
        .guard_before_linear_memory(false)
        .wasm_backtrace_max_frames(None)
        .concurrency_support(false)
        .with_host_memory(Arc::new(slots))
        .with_host_stack(Arc::new(Stacks::default()));
    Engine::new(&config)
}

/// The version of the engine that this worker is built with.
pub(crate) fn version() -> String {
    format!("wasmtime {}", executor::wasm::ENGINE_VERSION)
}
