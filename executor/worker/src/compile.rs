//! The role that compiles one component and ends. Compilers are large and their
//! input is not ours, so this happens in a jail of its own.

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;

use executor::wasm::wire::{Compiled, Ready, write_frame};

use crate::{Failure, engine};

/// Largest component that is compiled; CPython with its library is 34 MB.
const MAX_COMPONENT_BYTES: u64 = 256 << 20;

/// The slots of the engine that only compiles: settings that matter to the
/// artefact do not include it.
const NO_GUEST_MEMORY: u64 = 4 << 30;

/// Compile the component behind `source` and answer with the artefact.
///
/// # Errors
/// When the worker cannot confine itself or the socket breaks. A component that
/// does not compile is an answer, not an error.
pub(crate) fn once(
    inside: jail::Inside,
    mut socket: UnixStream,
    source: File,
) -> Result<(), Failure> {
    let engine = engine::engine(NO_GUEST_MEMORY)?;
    let report = inside.enter_root()?.restrict()?.seal()?;
    let version = format!("wasmtime {}", executor::wasm::ENGINE_VERSION);
    write_frame(
        &mut socket,
        &Ready {
            engine: version,
            report,
        },
    )?;
    write_frame(&mut socket, &compile(&engine, source))?;
    Ok(())
}

fn compile(engine: &wasmtime::Engine, source: File) -> Compiled {
    let mut component = Vec::new();
    let read = source
        .take(MAX_COMPONENT_BYTES + 1)
        .read_to_end(&mut component);
    read.map_err(|error| format!("the component cannot be read: {error}"))?;
    if component.len() as u64 > MAX_COMPONENT_BYTES {
        return Err(format!(
            "the component is larger than {MAX_COMPONENT_BYTES} bytes"
        ));
    }
    engine
        .precompile_component(&component)
        .map_err(|error| format!("{error:#}"))
}
