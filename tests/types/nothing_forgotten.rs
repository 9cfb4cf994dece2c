//! Decide, record, admit, run: the control of the others.

use std::path::Path;

use audit::{DecisionEntry, Ledger};
use executor::wasm::{Wasm, WorkerTap};
use executor::{Admitted, Outcome};
use policy::{CallId, Permit, Policy, ToolCall, decide};
use tokio_util::sync::CancellationToken;

fn permit(policy: &Policy, id: CallId, call: ToolCall) -> Option<Permit> {
    decide(policy, id, call).into_permit().ok()
}

fn admit(ledger: &Ledger, entry: DecisionEntry, permit: Permit) -> Option<Admitted> {
    Admitted::new(permit, ledger.decision(entry).ok()?).ok()
}

async fn run(backend: &Wasm, admitted: &Admitted, tap: &dyn WorkerTap) -> Outcome {
    backend.run(admitted, &CancellationToken::new(), tap).await
}

/// Names them all; nothing is run.
pub(crate) fn all() {
    let _all = (permit, admit, run);
    assert!(Ledger::open(Path::new("/nowhere/ledger.db")).is_err());
}
