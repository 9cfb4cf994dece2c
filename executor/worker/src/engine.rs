//! How the engine is set up: once, for compiling and for running, because an
//! artefact only loads into an engine of the same settings.

use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Result};

/// Wasm stack of a guest. CPython's own recursion limit of a thousand frames
/// ends in a `RecursionError` well before this.
const WASM_STACK_BYTES: usize = 4 << 20;

/// Native stack under a guest's fiber: the wasm stack and room for host calls.
const FIBER_STACK_BYTES: usize = WASM_STACK_BYTES + (512 << 10);

/// Instances that one worker holds at once: the one that is prepared, or runs.
const LIVE_INSTANCES: u32 = 1;

/// Core modules of a component. A componentised CPython links about forty.
const CORE_INSTANCES: u32 = 96;

/// Entries of a table: componentised CPython fills 5,700, larger images more.
const TABLE_ELEMENTS: usize = 20_000;

/// Largest memory image that is kept as a mapping rather than as segments.
const IMAGE_BYTES: u64 = 256 << 20;

/// An engine that compiles, and one that runs guests of up to `memory_bytes`.
///
/// # Errors
/// When this host cannot run the configuration, for example for want of
/// address space.
pub(crate) fn engine(memory_bytes: u64) -> Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(IMAGE_BYTES)
        .wasm_backtrace_max_frames(None)
        .concurrency_support(false)
        .allocation_strategy(pool(memory_bytes));
    Engine::new(&config)
}

/// Slots for one instance, reset by unmapping: the faster
/// reset by `pagemap_scan` of this engine version can leave a page that was
/// swapped out to the next guest.
fn pool(memory_bytes: u64) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(LIVE_INSTANCES)
        .total_core_instances(LIVE_INSTANCES * CORE_INSTANCES)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_memories_per_component(4)
        .max_tables_per_component(16)
        .total_memories(LIVE_INSTANCES * 2)
        .total_tables(LIVE_INSTANCES * 8)
        .total_stacks(LIVE_INSTANCES)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(memory_bytes).unwrap_or(usize::MAX))
        .pagemap_scan(Enabled::No);
    pool
}
