//! The policy over HTTP: which one is in force, reading it again, trying a text or a call out.
//!
//! Behind the token. Runs nothing and records no call; only `reload` changes anything, and only to
//! what the policy file says.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use policy::{LoadError, Policy, Profiles, ToolCall, Warning};
use serde::Deserialize;
use serde_json::{Value, json};

use super::execute::{LARGE_BYTES, bad_request, check_media_type, parse, read_body};
use super::{Gate, Problem};
use crate::core::Harness;
use crate::in_force::{Broken, Generation, Standing, now_us};

/// Problems and warnings that one answer lists; a person reads them, and corrects the first.
const MAX_LISTED: usize = 200;

/// `GET /v1/policy`.
pub(crate) async fn show(State(gate): State<Gate>) -> Json<Value> {
    let standing = gate.harness.rules();
    let generation = standing.generation();
    let rules = generation.policy();
    let expired = now_us().map(|now| rules.expired(now)).unwrap_or_default();
    let mut shown = in_force(&standing);
    extend(
        &mut shown,
        json!({
            "name": rules.name(),
            "doc": rules.doc(),
            "file": gate.harness.policy_file().map(|file| file.display().to_string()),
            "rules": rules.rules().count(),
            "profiles": generation.profiles().iter().map(policy::Profile::name).collect::<Vec<_>>(),
            "on_broken": gate.harness.on_broken().as_str(),
            "warnings": warnings(rules.warnings()),
            "expired": warnings(&expired),
        }),
    );
    Json(shown)
}

/// `POST /v1/policy/reload`.
pub(crate) async fn reload(State(gate): State<Gate>) -> Response {
    match gate.harness.reload("api").await {
        Ok(reloaded) => {
            let standing = gate.harness.rules();
            let answer = json!({ "changed": reloaded.changed, "policy": in_force(&standing) });
            Json(answer).into_response()
        }
        Err(broken) => refused(&gate.harness, &broken).into_response(),
    }
}

fn refused(harness: &Harness, broken: &Broken) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "policy-broken",
        format!("the policy stays as it was: {broken}"),
    )
    .with("problems", broken.problems().map_or(json!([]), problems))
    .with("policy", in_force(&harness.rules()))
}

/// What `POST /v1/policy/check` reads: a policy's text, and those of the files that it includes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checked {
    text: String,
    #[serde(default = "unnamed")]
    file: String,
    #[serde(default)]
    include: BTreeMap<String, String>,
}

fn unnamed() -> String {
    "policy.toml".to_owned()
}

/// `POST /v1/policy/check`.
pub(crate) async fn check(State(gate): State<Gate>, request: Request) -> Response {
    let asked: Checked = match body(&gate, request).await {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    let generation = std::sync::Arc::clone(gate.harness.rules().generation());
    // Tests run: a policy of thousands of rules takes longer than others should wait.
    let checked = tokio::task::spawn_blocking(move || judge(&asked, generation.profiles())).await;
    match checked {
        Ok(answer) => Json(answer).into_response(),
        Err(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "lost",
            "the check broke off; send it again",
        )
        .into_response(),
    }
}

fn judge(asked: &Checked, profiles: &Profiles) -> Value {
    let mut texts = |name: &str| {
        let text = asked.include.get(name).cloned();
        text.ok_or_else(|| "it is not among the texts in `include`".to_owned())
    };
    match Policy::load_with(&asked.file, &asked.text, profiles, &mut texts) {
        Ok(policy) => json!({
            "holds": true,
            "name": policy.name(),
            "digest": executor::runtime::hex::hex(&policy.digest()),
            "rules": policy.rules().count(),
            "problems": [],
            "warnings": warnings(policy.warnings()),
        }),
        Err(error) => json!({ "holds": false, "problems": problems(&error), "warnings": [] }),
    }
}

/// `POST /v1/policy/explain`.
pub(crate) async fn explain(State(gate): State<Gate>, request: Request) -> Response {
    let bytes = match read(&gate, request).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.into_response(),
    };
    let explained = match bytes.len() > LARGE_BYTES {
        true => tokio::task::block_in_place(|| explained(&gate, &bytes)),
        false => explained(&gate, &bytes),
    };
    match explained {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => problem.into_response(),
    }
}

fn explained(gate: &Gate, bytes: &[u8]) -> Result<Value, Problem> {
    let call = ToolCall::parse(bytes).map_err(|error| bad_request(error.to_string()))?;
    let (generation, explanation) = gate.harness.explain(&call);
    let mut answer = json!(explanation);
    extend(&mut answer, json!({ "policy": decided_by(&generation) }));
    Ok(answer)
}

async fn read(gate: &Gate, request: Request) -> Result<Vec<u8>, Problem> {
    check_media_type(&request)?;
    read_body(request, gate.body_bytes).await
}

async fn body<T: serde::de::DeserializeOwned>(gate: &Gate, request: Request) -> Result<T, Problem> {
    let value = parse(&read(gate, request).await?)?;
    serde_json::from_value(value).map_err(|error| bad_request(error.to_string()))
}

// ---- documents ----------------------------------------------------------------------------------

/// What every answer about a policy says of it.
pub(crate) fn in_force(standing: &Standing) -> Value {
    let generation = standing.generation();
    json!({
        "generation": generation.number(),
        "digest": generation.digest(),
        "loaded_at": time(generation.loaded_at_us()),
        "last_error": standing.broken().map(Broken::why),
    })
}

/// Which policy decided.
pub(crate) fn decided_by(generation: &Generation) -> Value {
    json!({ "generation": generation.number(), "digest": generation.digest() })
}

/// Microseconds since 1970 as RFC 3339.
fn time(micros: u64) -> Option<String> {
    let micros = i64::try_from(micros).ok()?;
    let at = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(at.to_string())
}

fn problems(error: &LoadError) -> Value {
    let listed = error.problems().iter().take(MAX_LISTED);
    listed
        .map(|problem| {
            json!({
                "file": problem.place().file(),
                "line": problem.line(),
                "column": problem.place().column(),
                "rule": problem.rule(),
                "test": problem.test(),
                "message": problem.fault().to_string(),
            })
        })
        .collect()
}

fn warnings(warnings: &[Warning]) -> Value {
    let listed = warnings.iter().take(MAX_LISTED);
    listed
        .map(|warning| {
            json!({
                "file": warning.place().file(),
                "line": warning.line(),
                "column": warning.place().column(),
                "rule": warning.rule(),
                "message": warning.what().to_string(),
            })
        })
        .collect()
}

fn extend(document: &mut Value, more: Value) {
    if let (Value::Object(document), Value::Object(more)) = (document, more) {
        document.extend(more);
    }
}
