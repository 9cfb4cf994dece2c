//! The role that compiles one module and ends. Compilers are large and their
//! input is not ours, so this happens in a jail of its own.

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;

use executor::wasm::wire::{Compiled, Ready, Target, write_frame};
use wasmtime::Engine;

use crate::memory::Slots;
use crate::{Failure, engine, freeze, image};

/// Largest module that is compiled; a frozen CPython with its library is 40 MB.
const MAX_MODULE_BYTES: u64 = 512 << 20;

/// Compile the module behind `source` and answer with the artefact.
///
/// # Errors
/// When the worker cannot confine itself or the socket breaks. A module that
/// does not compile is an answer, not an error.
pub(crate) fn once(
    inside: jail::Inside,
    mut socket: UnixStream,
    source: File,
    target: Target,
) -> Result<(), Failure> {
    let engine = engine::engine(Slots::new(None, None))?;
    let report = inside.enter_root()?.restrict()?.seal()?;
    let ready = Ready {
        engine: engine::version(),
        report,
    };
    write_frame(&mut socket, &ready)?;
    let compiled = read(source).and_then(|module| compile(&engine, &module, target));
    write_frame(&mut socket, &compiled)?;
    Ok(())
}

fn read(source: File) -> Result<Vec<u8>, String> {
    let mut module = Vec::new();
    let read = source.take(MAX_MODULE_BYTES + 1).read_to_end(&mut module);
    read.map_err(|error| format!("the module cannot be read: {error}"))?;
    match module.len() as u64 > MAX_MODULE_BYTES {
        true => Err(format!(
            "the module is larger than {MAX_MODULE_BYTES} bytes"
        )),
        false => Ok(module),
    }
}

fn compile(engine: &Engine, module: &[u8], target: Target) -> Compiled {
    let code = |module: &[u8]| {
        engine
            .precompile_module(module)
            .map_err(|error| format!("{error:#}"))
    };
    match target {
        Target::Start => Ok(image::artefact(code(&freeze::instrumented(module)?)?, &[])),
        Target::Frozen => {
            let apart = image::take_apart(module)?;
            Ok(image::artefact(code(&apart.module)?, &apart.pages))
        }
    }
}
