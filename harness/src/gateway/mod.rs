//! The HTTP interface: strict at the door, plain behind it.
//!
//! It reads requests, asks [`Harness::execute`], and writes answers. It decides
//! nothing. Every error is a problem document (RFC 9457) in one line that says
//! what to do.

mod auth;
mod execute;
mod health;
mod ledger;
mod openapi;
mod problem;
mod rules;
mod serve;

pub use auth::{Token, TokenError};
pub use execute::{answer, denied};
pub use problem::Problem;
pub use serve::{Bound, ServeError};

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use tokio::sync::Semaphore;

use crate::core::Harness;

/// What every handler sees.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) harness: Harness,
    pub(crate) token: Token,
    pub(crate) body_bytes: usize,
    pub(crate) room: Arc<Semaphore>,
}

/// Request bodies that are held at once, of all calls together, in bytes; a body
/// costs several times its length while its call runs.
const ROOM_BYTES: u64 = 256 << 20;

/// What one permit of [`Gate::room`] stands for.
pub(crate) const ROOM_UNIT_BYTES: u64 = 1 << 10;

impl Gate {
    pub(crate) fn new(harness: Harness, token: Token, body_bytes: usize) -> Self {
        let units = ROOM_BYTES.max(body_bytes as u64).div_ceil(ROOM_UNIT_BYTES);
        let units = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS)));
        Self {
            harness,
            token,
            body_bytes,
            room,
        }
    }
}

pub(crate) fn router(gate: Gate) -> Router {
    // What is behind the token; what is not says nothing about calls.
    let guarded = Router::new()
        .route("/v1/execute", post(execute::execute))
        .route("/v1/ledger", get(ledger::page))
        .route("/v1/ledger/checkpoint", get(ledger::checkpoint))
        .route("/v1/ledger/records/{seq}", get(ledger::record))
        .route("/v1/ledger/records/{seq}/proof", get(ledger::proof))
        .route("/v1/policy", get(rules::show))
        .route("/v1/policy/reload", post(rules::reload))
        .route("/v1/policy/check", post(rules::check))
        .route("/v1/policy/explain", post(rules::explain))
        .route_layer(middleware::from_fn_with_state(gate.clone(), auth::require));
    Router::new()
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/openapi.json", get(openapi::document))
        .merge(guarded)
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        // Handlers bound their bodies themselves, with a problem document.
        .layer(DefaultBodyLimit::disable())
        .with_state(gate)
}

async fn no_such_path(State(_): State<Gate>, uri: Uri) -> impl IntoResponse {
    let detail = format!(
        "there is no `{}`; /openapi.json lists what there is",
        short(uri.path())
    );
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

async fn wrong_method(State(_): State<Gate>, method: Method, uri: Uri) -> impl IntoResponse {
    let path = short(uri.path());
    let detail = format!("`{path}` does not take {method}; /openapi.json lists what it takes");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

/// A path of the client's, bounded and printable.
fn short(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(200).collect()
}
