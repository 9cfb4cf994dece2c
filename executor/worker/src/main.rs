//! `lazaret-worker`: the jailed process.
//!
//! The daemon starts it with a socket on descriptor 0 and a sealed memory file
//! on descriptor 1, and sends one [`Setup`] frame. The worker then becomes what
//! the frame says: it confines itself, tells what the kernel granted, and works
//! through calls until the socket closes. It never reads a guest's input before
//! it is confined, and it never decides anything.
//!
//! It fails by ending: status 64 when it was not started by the daemon, 70 when
//! it could not confine itself or lost the socket. The line on standard error
//! says why.

mod artefact;
mod compile;
mod deadline;
mod engine;
mod files;
mod freeze;
mod guest;
mod image;
mod memory;
mod run;
mod stack;
mod stdin;
mod streams;
mod typescript;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use executor::wasm::wire::{MAX_CALL_FRAME_BYTES, Role, Setup, WIRE_VERSION, read_frame};

/// Why a worker could not work.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// `EX_USAGE` of sysexits: a person started it by hand.
const STATUS_USAGE: u8 = 64;

/// `EX_SOFTWARE`: it cannot go on.
const STATUS_FAILED: u8 = 70;

fn main() -> ExitCode {
    if control_socket()
        .and_then(|socket| socket.peer_addr())
        .is_err()
    {
        eprintln!("lazaret-worker is started by `lazaret`; it has nothing to say on its own");
        return ExitCode::from(STATUS_USAGE);
    }
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lazaret-worker: {error}");
            ExitCode::from(STATUS_FAILED)
        }
    }
}

fn work() -> Result<(), Failure> {
    // Entering the jail closes all but the first three descriptors, so what is
    // opened before is given back before.
    let setup: Setup = read_frame(&mut control_socket()?, MAX_CALL_FRAME_BYTES)?;
    if setup.version != WIRE_VERSION {
        return Err(format!(
            "daemon speaks version {}, worker {WIRE_VERSION}: install both from one build",
            setup.version
        )
        .into());
    }
    let inside = jail::enter(&setup.plan, control_socket()?.into())?;
    let (socket, artefact) = (control_socket()?, artefact()?);
    match setup.role {
        Role::Run => run::serve(inside, socket, &artefact),
        Role::Compile { target } => compile::once(inside, socket, artefact, target),
        Role::Freeze => freeze::once(inside, socket, &artefact),
    }
}

/// The socket that the daemon put on descriptor 0.
fn control_socket() -> io::Result<UnixStream> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// The file that the daemon put on descriptor 1.
fn artefact() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}
