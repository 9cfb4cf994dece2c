//! A call that is run without having been permitted.

use executor::Outcome;
use executor::wasm::{Wasm, WorkerTap};
use policy::ToolCall;
use tokio_util::sync::CancellationToken;

pub async fn run(backend: &Wasm, call: &ToolCall, tap: &dyn WorkerTap) -> Outcome {
    backend.run(call, &CancellationToken::new(), tap).await //~ E0308: mismatched types
}
