//! A call that is run without having been permitted.

use executor::Outcome;
use executor::wasm::{Wasm, WorkerTap};
use policy::ToolCall;
use tokio_util::sync::CancellationToken;

async fn run(backend: &Wasm, call: &ToolCall, tap: &dyn WorkerTap) -> Outcome {
    backend.run(call, &CancellationToken::new(), tap).await
}

fn main() {
    let _run = run;
}
