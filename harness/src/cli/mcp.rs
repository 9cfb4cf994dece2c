//! `lazaret mcp`: the tools for a client of the Model Context Protocol that starts this program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use harness::config::Written;
use harness::mcp::McpServer;
use harness::{Harness, fault};

use super::{Failure, Places, serve};

/// One client calls a tool after the other; a second worker is ready while the first is cleaned.
const WARM_WORKERS: usize = 1;

/// Serve the tools to the MCP client that starts this; no daemon needed.
#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// Policy file [default: the shipped `contain`]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

pub(crate) fn mcp(args: &McpArgs) -> Result<ExitCode, Failure> {
    fault::check()?;
    // Standard output belongs to the protocol.
    serve::log_to_stderr()?;
    let typed = Written {
        policy: args.policy.clone(),
        warm_workers: Some(WARM_WORKERS),
        ..Written::default()
    };
    let config = args.places.config(typed)?;
    super::tokio()?.block_on(async {
        let harness = Harness::open(&config)?;
        harness.warm_up().await?;
        harness.note_start()?;
        let server = McpServer::new(harness.clone()).await;
        let served = server.serve(tokio::io::stdin(), tokio::io::stdout()).await;
        // Nobody is there to read what still runs.
        harness.close(Duration::ZERO).await?;
        served?;
        Ok(ExitCode::SUCCESS)
    })
}
