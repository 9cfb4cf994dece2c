//! `lazaret serve`: the daemon.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use harness::config::Written;
use harness::gateway::{Bound, Token};
use harness::{Harness, fault};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Places};

/// Serve the HTTP API.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 lets the kernel choose [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Policy file [default: the shipped `contain`]
    #[arg(long, value_name = "FILE")]
    policy: Option<std::path::PathBuf>,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn serve(args: &ServeArgs) -> Result<ExitCode, Failure> {
    fault::check()?;
    log_to_stderr()?;
    raise_descriptors();
    let typed = Written {
        listen: args.listen.clone(),
        policy: args.policy.clone(),
        ..Written::default()
    };
    let config = args.places.config(typed)?;
    super::tokio()?.block_on(async {
        let harness = Harness::open(&config)?;
        harness.resume_counts()?;
        let token = Token::open(&config.state.join("api-token"))?;
        harness.warm_up().await?;
        harness.note_start()?;
        let bound = Bound::bind(&config, harness.clone(), token).await?;
        let (mut terminate, mut interrupt, mut hangup) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        );
        writeln!(
            std::io::stdout(),
            "listening on http://{}",
            bound.address()?
        )?;
        // For who publishes it; `lazaret audit key` prints it again.
        let key = audit::Trust::beside(harness.ledger_path())?.key;
        if let Some(key) = key {
            // Who only waited for the address may have gone.
            drop(writeln!(std::io::stdout(), "ledger signed by {key}"));
        }
        std::io::stdout().flush()?;
        let rules = harness.clone();
        let following = tokio::spawn(async move {
            tokio::join!(rules.watch(), rules.keep_counts(), async {
                while hangup.recv().await.is_some() {
                    // What is wrong is logged, and shown in health.
                    let _kept = rules.reload("SIGHUP").await.is_ok();
                }
            })
        });
        bound
            .serve(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            })
            .await;
        following.abort();
        let counted = harness.clone();
        let closed = harness.close(Duration::from_millis(config.drain_ms)).await;
        counted.write_counts();
        closed?;
        Ok(ExitCode::SUCCESS)
    })
}

/// As many descriptors as the system lets us have: the usual 1,024 are used up by a few containers
/// with a way out. What we start gets limits of its own.
fn raise_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// `LAZARET_LOG` says what is logged, as `warn` or `harness=debug`.
pub(crate) fn log_to_stderr() -> Result<(), Failure> {
    use std::io::IsTerminal;
    let wanted = std::env::var("LAZARET_LOG").unwrap_or_else(|_unset| "warn".into());
    let filter = tracing_subscriber::EnvFilter::try_new(&wanted).map_err(|error| {
        format!("LAZARET_LOG is `{wanted}`: {error}; give a level such as warn or debug")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}
