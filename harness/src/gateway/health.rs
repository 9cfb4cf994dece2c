//! Whether the daemon lives, and whether a call would be run now.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::rules::in_force;
use super::{Gate, Problem};

/// The process answers.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// A call would be run now; otherwise 503 and why not.
pub(crate) async fn ready(State(gate): State<Gate>) -> Response {
    match why_not(&gate) {
        None => {
            let policy = in_force(&gate.harness.rules());
            Json(json!({ "status": "ready", "policy": policy })).into_response()
        }
        Some(why) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why)
            .with("policy", in_force(&gate.harness.rules()))
            .into_response(),
    }
}

/// All that there is to say, in one document.
pub(crate) async fn health(State(gate): State<Gate>) -> Response {
    let why = why_not(&gate);
    let (status, level) = match why {
        None => (StatusCode::OK, "healthy"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let body = json!({
        "status": level,
        "reason": why,
        "version": env!("CARGO_PKG_VERSION"),
        "workers": gate.harness.health().pool,
        "containers": gate.harness.health().containers,
        "policy": in_force(&gate.harness.rules()),
    });
    (status, Json(body)).into_response()
}

fn why_not(gate: &Gate) -> Option<String> {
    let health = gate.harness.health();
    if let Some(reason) = health.sealed {
        return Some(format!("the ledger is sealed, nothing is run: {reason}"));
    }
    if let Some(reason) = health.broken {
        return Some(format!("no worker starts: {reason}"));
    }
    if let Some(broken) = health.rules.closed() {
        return Some(format!("the policy is broken, nothing is judged: {broken}"));
    }
    health.stopping.then(|| "the daemon is stopping".to_owned())
}
