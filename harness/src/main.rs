//! `lazaret`: the daemon and everything that is done from a shell.
//!
//! Exit codes: the guest's own for `run`; 124 timed out, 125 Lazaret itself
//! failed, 126 denied by policy, 137 killed for memory. Everything else: 0 it
//! holds, 1 it does not, 125 it could not be found out. Errors are one line on
//! standard error that says what to do.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
