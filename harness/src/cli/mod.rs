//! The command line: what can be typed, and who handles it.

mod audit;
mod doctor;
mod doctor_containers;
mod mcp;
mod policy;
mod profile;
mod run;
mod runtime;
mod serve;
mod show;
mod units;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use harness::config::{Config, ConfigError, Written};

/// Lazaret itself failed.
pub(crate) const STATUS_FAILED: u8 = 125;

/// What was asked for does not hold.
pub(crate) const STATUS_NO: u8 = 1;

/// Any error on its way to the one line that a person reads.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs untrusted code: judged by policy, contained in a sandbox, entered in a ledger.
#[derive(Debug, Parser)]
#[command(
    name = "lazaret",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a program in a fresh sandbox; no daemon needed
    Run(Box<run::RunArgs>),
    /// Serve the HTTP API
    Serve(serve::ServeArgs),
    /// Serve the tools to an MCP client that starts this; no daemon needed
    Mcp(mcp::McpArgs),
    /// Check, test, explain, format, compare and replay policies
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Read and verify the ledger
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Build and verify the runtimes that programs run in
    #[command(subcommand)]
    Runtime(runtime::RuntimeCommand),
    /// Show sandbox profiles
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    /// Show every layer of confinement: there or not, and what to do
    Doctor(doctor::DoctorArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What every command that touches state takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Places {
    /// Directory of ledger and token [default: $XDG_STATE_HOME/lazaret; as root /var/lib/lazaret]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Configuration file (TOML); every key also as LAZARET_KEY
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Places {
    /// The configuration: command line over environment over file.
    pub(crate) fn config(&self, typed: Written) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => Written::from_file(path)?,
            None => Written::default(),
        };
        let typed = Written {
            state: self.state.clone(),
            ..typed
        };
        typed.or(Written::from_environment()?).or(file).resolve()
    }
}

/// Read the command line and do it.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let status = if error.use_stderr() { STATUS_FAILED } else { 0 };
            // A closed pipe is the reader's choice.
            let _printed = error.print().is_ok();
            return ExitCode::from(status);
        }
    };
    match dispatch(cli.command) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("lazaret: {error}");
            ExitCode::from(STATUS_FAILED)
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Serve(args) => serve::serve(&args),
        Command::Mcp(args) => mcp::mcp(&args),
        Command::Policy(command) => policy::policy(&command),
        Command::Audit(command) => audit::audit(&command),
        Command::Runtime(command) => runtime::runtime(&command),
        Command::Profile(command) => profile::profile(&command),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "lazaret",
                &mut std::io::stdout(),
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A runtime for the asynchronous parts.
pub(crate) fn tokio() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
