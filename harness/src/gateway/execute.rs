//! `POST /v1/execute`: a program in, what became of it out.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use executor::runtime::hex::{hex, sha256};
use executor::{OutFile, ProgramError, Stream};
use http_body_util::BodyExt as _;
use policy::{MAX_NAME_BYTES, Refusal, json as strict};
use serde_json::{Map, Value, json};
use tokio::sync::SemaphorePermit;

use super::{Gate, Problem, ROOM_UNIT_BYTES};
use crate::book::Whereabouts;
use crate::core::{CallError, EXECUTE_CODE, Executed};
use crate::fault::{self, Point};
use crate::reply::{Denial, Reply};

/// Who calls: the holder of the one token.
const PRINCIPAL: &str = "api";

/// How long a client may take to send its request.
const BODY_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// When to try again after the queue was full.
const RETRY_S: u32 = 1;

/// Handle the request.
pub(crate) async fn execute(State(gate): State<Gate>, request: Request) -> Response {
    match run(&gate, request).await {
        Ok(executed) => {
            fault::pass(Point::Replying, None);
            respond(&executed)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn run(gate: &Gate, request: Request) -> Result<Executed, Problem> {
    check_media_type(&request)?;
    if gate.harness.is_full() {
        return Err(problem(CallError::Busy));
    }
    // Held until the call is over: what all calls together may hold in memory.
    let _room = room(gate, &request)?;
    let body = read_body(request, gate.body_bytes).await?;
    fault::pass(Point::Received, None);
    let mut arguments = parse(&body)?;
    drop(body);
    let session = take_name(&mut arguments, "session")?;
    let turn = take_name(&mut arguments, "turn")?;
    let whereabouts = Whereabouts {
        session: session.as_deref(),
        turn: turn.as_deref(),
    };
    let cancel = gate.harness.cancel_handle();
    gate.harness
        .execute(EXECUTE_CODE, arguments, PRINCIPAL, whereabouts, cancel)
        .await
        .map_err(problem)
}

/// What stands beside the arguments of the call.
fn take_name(arguments: &mut Value, key: &str) -> Result<Option<String>, Problem> {
    let taken = arguments.as_object_mut().and_then(|map| map.remove(key));
    match taken {
        None => Ok(None),
        Some(Value::String(name)) if !name.is_empty() && name.len() <= MAX_NAME_BYTES => {
            Ok(Some(name))
        }
        Some(_) => Err(bad_request(format!(
            "`{key}` is not a text of 1 to {MAX_NAME_BYTES} bytes; leave it out or correct it"
        ))),
    }
}

/// Bodies above this are read on a thread that may block: 64 KiB take a fifth of a
/// millisecond.
pub(crate) const LARGE_BYTES: usize = 64 << 10;

pub(crate) fn parse(body: &[u8]) -> Result<Value, Problem> {
    let parsed = match body.len() > LARGE_BYTES {
        true => tokio::task::block_in_place(|| strict::parse(body)),
        false => strict::parse(body),
    };
    parsed.map_err(|error| bad_request(error.to_string()))
}

/// Room for the body, as long as announced; one of unknown length takes the most.
fn room<'a>(gate: &'a Gate, request: &Request) -> Result<SemaphorePermit<'a>, Problem> {
    let bytes = announced(request)
        .unwrap_or(gate.body_bytes as u64)
        .min(gate.body_bytes as u64);
    let units = u32::try_from(bytes.div_ceil(ROOM_UNIT_BYTES))
        .unwrap_or(u32::MAX)
        .max(1);
    gate.room
        .try_acquire_many(units)
        .map_err(|_full| problem(CallError::Busy))
}

/// JSON, or no word about it: another type may mean another reading of the bytes.
pub(crate) fn check_media_type(request: &Request) -> Result<(), Problem> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    match essence.trim().eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "send JSON, with `Content-Type: application/json`",
        )),
    }
}

/// The body, if it is not too long and comes in time.
pub(crate) async fn read_body(request: Request, most: usize) -> Result<Vec<u8>, Problem> {
    let announced = announced(&request);
    let (_, body): (_, Body) = request.into_parts();
    if announced.is_some_and(|length| length > most as u64) {
        // A client that is still sending reads no answer: take it in and let it go.
        let _drained = tokio::time::timeout(DRAIN_WAIT, drain(body)).await.is_ok();
        return Err(too_long(most));
    }
    let read = tokio::time::timeout(BODY_WAIT, to_bytes(body, most)).await;
    match read {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(error)) if is_length(&error) => Err(too_long(most)),
        Ok(Err(_)) => Err(bad_request("the body broke off; send it whole")),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request-timeout",
            "the body did not come within 30 seconds; send it again",
        )),
    }
}

/// The length that the client announced.
fn announced(request: &Request) -> Option<u64> {
    request
        .headers()
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// How long a body that is too long is taken in before the answer.
const DRAIN_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// Most of a body that is too long and taken in all the same.
const DRAIN_BYTES: usize = 256 << 20;

async fn drain(mut body: Body) {
    let mut taken = 0;
    while let Some(Ok(frame)) = body.frame().await
        && taken < DRAIN_BYTES
    {
        taken += frame.data_ref().map_or(0, |data| data.len());
    }
}

fn is_length(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = inner.source();
    }
    false
}

fn too_long(most: usize) -> Problem {
    let detail = format!("the body is over {most} bytes; send less, or raise `body_bytes`");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

pub(crate) fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
}

fn problem(error: CallError) -> Problem {
    let detail = error.to_string();
    match error {
        CallError::Arguments(ProgramError::TooMany { .. }) => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
        }
        CallError::Arguments(_) | CallError::Call(_) => bad_request(detail),
        CallError::Busy => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry_after(RETRY_S)
        }
        CallError::PolicyBroken(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "policy-broken", detail)
        }
        CallError::Ledger(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ledger-sealed", detail)
        }
        CallError::Stopping => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail),
        CallError::Unrecordable(_) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unrecordable", detail)
        }
        CallError::Lost(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "lost", detail),
    }
}

fn respond(executed: &Executed) -> Response {
    match executed {
        Executed::Done(reply) => Json(answer(reply)).into_response(),
        Executed::Refused(denial) => denied(denial).into_response(),
    }
}

/// The document about a refused call.
#[must_use]
pub fn denied(denial: &Denial) -> Problem {
    let refusal = denial.refusal();
    let rules: Vec<Value> = refusal
        .rules()
        .iter()
        .map(|rule| json!({ "id": rule.id(), "effect": rule.effect(), "reason": rule.reason() }))
        .collect();
    let kind = match refusal {
        Refusal::Held(_) => "held",
        Refusal::Denied(_) => "denied",
    };
    Problem::new(StatusCode::FORBIDDEN, kind, refusal.reason())
        .with("call_id", json!(refusal.call_id().to_string()))
        .with("verdict", json!(refusal.verdict()))
        .with("rules", Value::Array(rules))
        .with("next_steps", json!(refusal.next_steps()))
        .with("budgets", json!(refusal.decision().remaining()))
        .with("ledger", json!({ "decision": denial.decision_seq() }))
        .with(
            "policy",
            policy(denial.generation(), &refusal.policy_digest()),
        )
}

/// The document about a call that ran.
#[must_use]
pub fn answer(reply: &Reply) -> Value {
    let outcome = reply.outcome();
    let mut answer = Map::new();
    let mut put = |key: &str, value: Value| answer.insert(key.to_owned(), value);
    put("call_id", json!(reply.call_id().to_string()));
    put("verdict", json!("allow"));
    put("ending", json!(outcome.ending.name()));
    put("detail", json!(outcome.ending.detail()));
    put("exit_code", json!(outcome.ending.exit_code()));
    put("stdout", text(&outcome.stdout));
    put("stderr", text(&outcome.stderr));
    put(
        "truncated",
        json!({
            "stdout": outcome.stdout.truncated,
            "stderr": outcome.stderr.truncated,
        }),
    );
    put("files", outcome.files.iter().map(file).collect());
    put("files_left_out", json!(outcome.left_out));
    put("usage", json!(outcome.usage));
    put("budgets", json!(reply.remaining()));
    put("redacted", json!(reply.redacted()));
    put("receipt", json!(outcome.receipt));
    put(
        "ledger",
        json!({ "decision": reply.decision_seq(), "outcome": reply.outcome_seq() }),
    );
    put("policy", policy(reply.generation(), &reply.policy_digest()));
    for (key, stream) in [
        ("stdout_base64", &outcome.stdout),
        ("stderr_base64", &outcome.stderr),
    ] {
        if std::str::from_utf8(&stream.bytes).is_err() {
            answer.insert(key.to_owned(), json!(BASE64.encode(&stream.bytes)));
        }
    }
    Value::Object(answer)
}

/// Which policy decided.
fn policy(generation: u64, digest: &[u8; 32]) -> Value {
    json!({ "generation": generation, "digest": hex(digest) })
}

/// A stream as text. Bytes that are no UTF-8 are replaced here, and the stream
/// is given exactly in a second member.
fn text(stream: &Stream) -> Value {
    json!(String::from_utf8_lossy(&stream.bytes))
}

fn file(file: &OutFile) -> Value {
    json!({
        "path": file.path,
        "bytes": file.content.len(),
        "sha256": sha256(&file.content),
        "content_base64": BASE64.encode(&file.content),
    })
}
