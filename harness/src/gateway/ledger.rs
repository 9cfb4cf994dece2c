//! The ledger over HTTP: pages of records, one record, its proof, the newest checkpoint.
//!
//! Behind the token. Reads and never writes; each request opens the ledger for itself, beside the
//! writer. A page is bounded in records and in bytes, and says where the next one begins; with
//! `wait_ms` a request at the end of the ledger waits for the next record, which is how a client
//! follows it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use audit::{Page, Query, ReadError, Reader, Record, Verdict};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use executor::runtime::hex::hex;
use serde_json::{Value, json};

use super::execute::bad_request;
use super::{Gate, Problem};

/// Records of a page when none are asked for.
const PAGE: usize = 100;

/// Records of a page at most.
const MAX_PAGE: usize = 1_000;

/// Records of a page go on until they have so many bytes; one more fits in any case.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// How long a request may wait for the next record.
const MAX_WAIT_MS: u64 = 30_000;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `GET /v1/ledger`.
pub(crate) async fn page(State(gate): State<Gate>, uri: Uri) -> Response {
    let asked = match Asked::read(uri.query().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    let until = Instant::now() + Duration::from_millis(asked.wait_ms);
    loop {
        let look = asked.clone();
        let found = read(&gate, move |reader| {
            reader.search(&look.query, look.after, look.limit)
        });
        match found.await {
            Ok(page)
                if page.records.is_empty() && page.next.is_none() && Instant::now() < until =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(page) => return Json(document(page, asked.after)).into_response(),
            Err(problem) => return problem.into_response(),
        }
    }
}

/// `GET /v1/ledger/records/{seq}`.
pub(crate) async fn record(State(gate): State<Gate>, Path(seq): Path<String>) -> Response {
    let seq = match number(&seq) {
        Ok(seq) => seq,
        Err(problem) => return problem.into_response(),
    };
    let found = read(&gate, move |reader| {
        let record = reader.get(seq)?;
        record.map(|record| whole(reader, &record)).transpose()
    });
    match found.await {
        Ok(Some(record)) => Json(record).into_response(),
        Ok(None) => missing(seq).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// `GET /v1/ledger/records/{seq}/proof`.
pub(crate) async fn proof(State(gate): State<Gate>, Path(seq): Path<String>) -> Response {
    let seq = match number(&seq) {
        Ok(seq) => seq,
        Err(problem) => return problem.into_response(),
    };
    let found = read(&gate, move |reader| {
        let there = reader.get(seq)?.is_some();
        there.then(|| reader.prove(seq, &[])).transpose()
    });
    match found.await {
        Ok(Some(proof)) => text(proof),
        Ok(None) => missing(seq).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// `GET /v1/ledger/checkpoint`.
pub(crate) async fn checkpoint(State(gate): State<Gate>) -> Response {
    match read(&gate, Reader::checkpoint).await {
        Ok(Some(checkpoint)) => text(checkpoint.note().to_string()),
        Ok(None) => {
            unsigned("the ledger has no checkpoint yet; try again in some seconds").into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

fn text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn number(text: &str) -> Result<u64, Problem> {
    let wrong = || bad_request("the number of a record is a number from 1");
    text.parse().map_err(|_| wrong())
}

fn missing(seq: u64) -> Problem {
    let detail = format!("there is no record {seq}; /v1/ledger lists what there is");
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

fn unsigned(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "not-signed", detail)
}

/// Reads the ledger where waiting for a disk holds nobody up.
async fn read<R: Send + 'static>(
    gate: &Gate,
    act: impl FnOnce(&Reader) -> Result<R, ReadError> + Send + 'static,
) -> Result<R, Problem> {
    let path: PathBuf = gate.harness.ledger_path().to_owned();
    let read = tokio::task::spawn_blocking(move || act(&Reader::open(&path)?)).await;
    match read {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error @ ReadError::Unsigned(_))) => Err(unsigned(&error.to_string())),
        Ok(Err(error)) => {
            let detail = error.to_string();
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ledger-unreadable",
                detail,
            ))
        }
        Err(_) => {
            let detail = "reading the ledger broke off; send it again";
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "lost",
                detail,
            ))
        }
    }
}

/// What a page is asked for.
#[derive(Debug, Clone)]
struct Asked {
    query: Query,
    after: u64,
    limit: usize,
    wait_ms: u64,
}

impl Asked {
    fn read(text: &str) -> Result<Self, Problem> {
        let mut asked = Self {
            query: Query::default(),
            after: 0,
            limit: PAGE,
            wait_ms: 0,
        };
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            asked.set(&name, &value)?;
        }
        asked.limit = asked.limit.clamp(1, MAX_PAGE);
        asked.wait_ms = asked.wait_ms.min(MAX_WAIT_MS);
        Ok(asked)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let wrong = |wanted: &str| bad_request(format!("`{name}` is `{value}`, not {wanted}"));
        let number = || value.parse::<u64>().map_err(|_| wrong("a number"));
        let word = Some(value.to_owned());
        match name {
            "after" => self.after = number()?,
            "limit" => self.limit = usize::try_from(number()?).unwrap_or(MAX_PAGE),
            "wait_ms" => self.wait_ms = number()?,
            "since" => self.query.since_us = Some(moment(value).ok_or_else(|| wrong("a time"))?),
            "until" => self.query.until_us = Some(moment(value).ok_or_else(|| wrong("a time"))?),
            "principal" => self.query.principal = word,
            "session" => self.query.session = word,
            "tool" => self.query.tool = word,
            "verdict" => {
                self.query.verdict = Some(match value {
                    "allow" => Verdict::Allow,
                    "hold" => Verdict::Hold,
                    "deny" => Verdict::Deny,
                    _ => return Err(wrong("allow, hold or deny")),
                });
            }
            "rule" => self.query.rule = word,
            "ending" => self.query.ending = word,
            "text" => self.query.text = word,
            _ => {
                return Err(bad_request(format!(
                    "`{name}` is nothing that is asked for; /openapi.json lists what is"
                )));
            }
        }
        Ok(())
    }
}

/// RFC 3339, or microseconds since 1970.
fn moment(text: &str) -> Option<u64> {
    let time = || {
        text.parse::<jiff::Timestamp>()
            .ok()?
            .as_microsecond()
            .try_into()
            .ok()
    };
    text.parse().ok().or_else(time)
}

fn document(page: Page, after: u64) -> Value {
    let (mut records, mut bytes, mut last) = (Vec::new(), 0, after);
    let mut more = page.next.is_some();
    // Where the search went on without finding anything is where the next page begins.
    let searched = page.next.unwrap_or(last);
    for record in &page.records {
        if bytes >= MAX_PAGE_BYTES {
            more = true;
            return json!({ "records": records, "after": last, "more": more });
        }
        bytes += record.json().len();
        last = record.seq();
        records.push(one(record));
    }
    json!({ "records": records, "after": last.max(searched), "more": more })
}

fn one(record: &Record) -> Value {
    serde_json::from_str(record.json()).unwrap_or(Value::Null)
}

/// A record with its leaf and what is there of its bodies.
fn whole(reader: &Reader, record: &Record) -> Result<Value, ReadError> {
    let mut bodies = serde_json::Map::new();
    for named in record.data().bodies() {
        let body = reader.body(record.seq(), &named)?;
        let body = body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        bodies.insert(named.name, json!(body));
    }
    Ok(json!({ "record": one(record), "leaf": hex(&record.hash()), "bodies": bodies }))
}
