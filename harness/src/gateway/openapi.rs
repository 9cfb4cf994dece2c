//! The interface, described for programs.

use axum::Json;
use serde_json::{Value, json};

/// The OpenAPI document.
pub(crate) async fn document() -> Json<Value> {
    Json(openapi())
}

fn openapi() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lazaret",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs untrusted code by one request: judged by policy, contained in a sandbox, entered in a ledger.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": {
            "/v1/execute": { "post": execute() },
            "/v1/ledger": { "get": ledger_page() },
            "/v1/ledger/checkpoint": { "get": ledger_text("ledgerCheckpoint", "The newest checkpoint, a signed note", &[]) },
            "/v1/ledger/records/{seq}": { "get": ledger_record() },
            "/v1/ledger/records/{seq}/proof": { "get": ledger_text("ledgerProof", "The proof of one record under the newest checkpoint, with all its fields", &[seq_parameter()]) },
            "/v1/policy": { "get": policy_in_force() },
            "/v1/policy/reload": { "post": policy_reload() },
            "/v1/policy/check": { "post": policy_check() },
            "/v1/policy/explain": { "post": policy_explain() },
            "/health": { "get": health("How the daemon stands") },
            "/health/live": { "get": health("Whether the process answers") },
            "/health/ready": { "get": health("Whether a call would be run now") },
            "/openapi.json": { "get": {
                "operationId": "openapi",
                "summary": "This document",
                "responses": { "200": { "description": "The document" } },
            } },
        },
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": {
                "Program": program(),
                "Outcome": outcome(),
                "Policy": policy(),
                "Finding": finding(),
                "Problem": problem(),
            },
        },
    })
}

fn execute() -> Value {
    json!({
        "operationId": "execute",
        "summary": "Run a program in a fresh sandbox",
        "security": [{ "token": [] }],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": reference("Program") } },
        },
        "responses": {
            "200": {
                "description": "It ran, whatever its ending",
                "content": { "application/json": { "schema": reference("Outcome") } },
            },
            "400": refusal("The request is malformed"),
            "401": refusal("No token, or another daemon's"),
            "403": refusal("The policy does not let it run: `verdict`, `rules`, `next_steps`, `ledger`"),
            "408": refusal("The body did not come in time"),
            "413": refusal("More than is taken"),
            "415": refusal("Not JSON"),
            "500": refusal("A step of the daemon failed; the call's record is in the ledger"),
            "503": refusal("The queue is full, the ledger is sealed, the policy is broken and the gate closed, or the daemon is stopping"),
        },
    })
}

fn ledger_page() -> Value {
    let asked = |name: &str, kind: &str, text: &str| json!({ "name": name, "in": "query", "schema": { "type": kind }, "description": text });
    json!({
        "operationId": "ledger",
        "summary": "A page of the ledger's records, oldest first",
        "security": [{ "token": [] }],
        "parameters": [
            asked("after", "integer", "The `after` of the page before"),
            asked("limit", "integer", "Records at most, up to 1000"),
            asked("wait_ms", "integer", "At the end of the ledger, wait so long for the next record"),
            asked("since", "string", "Written at or after this time"),
            asked("until", "string", "Written before this time"),
            asked("principal", "string", "Calls made for this principal"),
            asked("session", "string", "Calls of this session"),
            asked("tool", "string", "Calls of this tool"),
            asked("verdict", "string", "allow, hold or deny"),
            asked("rule", "string", "Calls that this rule matched"),
            asked("ending", "string", "Calls that ended so"),
            asked("text", "string", "A text in the record or in one of its bodies"),
        ],
        "responses": {
            "200": {
                "description": "The page",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "required": ["records", "after", "more"],
                    "properties": {
                        "records": { "type": "array", "items": { "type": "object" } },
                        "after": { "type": "integer" },
                        "more": { "type": "boolean" },
                    },
                } } },
            },
            "400": refusal("Something asked for is none"),
            "401": refusal("No token, or another daemon's"),
            "503": refusal("The ledger cannot be read"),
        },
    })
}

fn seq_parameter() -> Value {
    json!({ "name": "seq", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 1 } })
}

fn ledger_record() -> Value {
    json!({
        "operationId": "ledgerRecord",
        "summary": "One record with its leaf and its bodies; an erased body is null",
        "security": [{ "token": [] }],
        "parameters": [seq_parameter()],
        "responses": {
            "200": {
                "description": "The record",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "required": ["record", "leaf", "bodies"],
                    "properties": {
                        "record": { "type": "object" },
                        "leaf": { "type": "string" },
                        "bodies": { "type": "object", "additionalProperties": { "type": ["string", "null"] } },
                    },
                } } },
            },
            "400": refusal("The number is none"),
            "401": refusal("No token, or another daemon's"),
            "404": refusal("There is no such record"),
            "503": refusal("The ledger cannot be read"),
        },
    })
}

fn ledger_text(operation: &str, summary: &str, parameters: &[Value]) -> Value {
    let mut responses = json!({
        "200": { "description": "The text", "content": { "text/plain": { "schema": { "type": "string" } } } },
        "401": refusal("No token, or another daemon's"),
        "409": refusal("No checkpoint covers it yet"),
        "503": refusal("The ledger cannot be read"),
    });
    if let Some(responses) = responses.as_object_mut()
        && !parameters.is_empty()
    {
        responses.insert("400".to_owned(), refusal("The number is none"));
        responses.insert("404".to_owned(), refusal("There is no such record"));
    }
    json!({
        "operationId": operation,
        "summary": summary,
        "security": [{ "token": [] }],
        "parameters": parameters,
        "responses": responses,
    })
}

fn policy_in_force() -> Value {
    json!({
        "operationId": "policy",
        "summary": "The policy in force, and its warnings",
        "security": [{ "token": [] }],
        "responses": {
            "200": {
                "description": "The policy",
                "content": { "application/json": { "schema": {
                    "allOf": [reference("Policy"), { "type": "object", "properties": {
                        "name": { "type": "string" },
                        "doc": { "type": ["string", "null"] },
                        "file": { "type": ["string", "null"], "description": "Null for the shipped policy" },
                        "rules": { "type": "integer" },
                        "profiles": { "type": "array", "items": { "type": "string" } },
                        "on_broken": { "enum": ["keep", "close"] },
                        "warnings": { "type": "array", "items": reference("Finding") },
                        "expired": { "type": "array", "items": reference("Finding") },
                    } }],
                } } },
            },
            "401": refusal("No token, or another daemon's"),
        },
    })
}

fn policy_reload() -> Value {
    json!({
        "operationId": "policyReload",
        "summary": "Read policy and profiles again, and put them in force if they are good",
        "security": [{ "token": [] }],
        "responses": {
            "200": {
                "description": "In force; `changed` is false where it means what the one before meant",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "properties": { "changed": { "type": "boolean" }, "policy": reference("Policy") },
                } } },
            },
            "401": refusal("No token, or another daemon's"),
            "422": refusal("It is broken and the old one stays: `problems`, `policy`"),
        },
    })
}

fn policy_check() -> Value {
    json!({
        "operationId": "policyCheck",
        "summary": "Load a policy's text with its tests, without putting it in force",
        "security": [{ "token": [] }],
        "requestBody": { "required": true, "content": { "application/json": { "schema": {
            "type": "object",
            "additionalProperties": false,
            "required": ["text"],
            "properties": {
                "text": { "type": "string", "description": "The file's text (TOML)" },
                "file": { "type": "string", "description": "Its name, for the findings" },
                "include": {
                    "type": "object", "additionalProperties": { "type": "string" },
                    "description": "Texts of the files that it includes, by name",
                },
            },
        } } } },
        "responses": {
            "200": {
                "description": "What was found",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "required": ["holds", "problems", "warnings"],
                    "properties": {
                        "holds": { "type": "boolean" },
                        "name": { "type": "string" },
                        "digest": { "type": "string" },
                        "rules": { "type": "integer" },
                        "problems": { "type": "array", "items": reference("Finding") },
                        "warnings": { "type": "array", "items": reference("Finding") },
                    },
                } } },
            },
            "400": refusal("The request is malformed"),
            "401": refusal("No token, or another daemon's"),
            "408": refusal("The body did not come in time"),
            "413": refusal("More than is taken"),
            "415": refusal("Not JSON"),
        },
    })
}

fn policy_explain() -> Value {
    json!({
        "operationId": "policyExplain",
        "summary": "What the policy in force makes of a call, rule by rule; nothing is run or recorded",
        "security": [{ "token": [] }],
        "requestBody": { "required": true, "content": { "application/json": { "schema": {
            "type": "object",
            "additionalProperties": false,
            "required": ["tool", "arguments"],
            "properties": {
                "tool": { "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,128}$" },
                "arguments": { "type": "object" },
                "principal": { "type": "string" },
                "session": { "type": "string" },
            },
        } } } },
        "responses": {
            "200": {
                "description": "The explanation",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "required": ["verdict", "reason", "rules", "facts", "policy"],
                    "properties": {
                        "verdict": { "enum": ["allow", "hold", "deny"] },
                        "reason": { "type": "string" },
                        "next_steps": { "type": "array", "items": { "type": "string" } },
                        "run": { "type": ["string", "null"] },
                        "facts": { "type": "object" },
                        "rules": { "type": "array", "items": { "type": "object" } },
                        "nearest": { "type": ["object", "null"] },
                        "policy": reference("Policy"),
                    },
                } } },
            },
            "400": refusal("The call is malformed"),
            "401": refusal("No token, or another daemon's"),
            "408": refusal("The body did not come in time"),
            "413": refusal("More than is taken"),
            "415": refusal("Not JSON"),
        },
    })
}

fn policy() -> Value {
    json!({
        "type": "object",
        "required": ["generation", "digest"],
        "properties": {
            "generation": { "type": "integer", "minimum": 1, "description": "1 at the start of the daemon, one more with each policy of another meaning" },
            "digest": { "type": "string", "description": "SHA-256 of what the policy means" },
            "loaded_at": { "type": ["string", "null"], "format": "date-time" },
            "last_error": { "type": ["string", "null"], "description": "Why the last attempt to load came to nothing" },
        },
    })
}

fn finding() -> Value {
    json!({
        "type": "object",
        "required": ["file", "line", "column", "rule", "message"],
        "properties": {
            "file": { "type": "string" },
            "line": { "type": "integer" },
            "column": { "type": "integer" },
            "rule": { "type": ["string", "null"] },
            "test": { "type": ["integer", "null"] },
            "message": { "type": "string" },
        },
    })
}

fn health(summary: &str) -> Value {
    json!({
        "summary": summary,
        "responses": {
            "200": { "description": "Yes" },
            "503": { "description": "No, and why" },
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn refusal(description: &str) -> Value {
    json!({
        "description": description,
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    })
}

fn program() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["language", "code"],
        "properties": {
            "language": { "type": "string", "examples": ["python"] },
            "code": { "type": "string", "description": "Source text" },
            "args": { "type": "array", "items": { "type": "string" }, "maxItems": 1024 },
            "session": { "type": "string", "minLength": 1, "maxLength": 256, "description": "For rules and budgets that count over calls" },
            "turn": { "type": "string", "minLength": 1, "maxLength": 256, "description": "The turn of the model; another one begins anew" },
            "stdin": { "type": "string" },
            "stdin_base64": { "type": "string", "contentEncoding": "base64" },
            "files": { "type": "array", "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["path"],
                "properties": {
                    "path": { "type": "string", "description": "Relative to /workspace" },
                    "content": { "type": "string" },
                    "content_base64": { "type": "string", "contentEncoding": "base64" },
                },
            } },
            "collect": {
                "type": "array", "maxItems": 64, "items": { "type": "string" },
                "description": "Globs of the files that are wanted back, such as out/*.csv",
            },
            "profile": { "type": "string", "description": "Ask for this sandbox profile" },
            "limits": {
                "type": "object",
                "additionalProperties": false,
                "description": "At most the profile's; above it the call is denied",
                "properties": {
                    "wall_ms": { "type": "integer", "minimum": 1 },
                    "memory_bytes": { "type": "integer", "minimum": 1 },
                    "output_bytes": { "type": "integer", "minimum": 1 },
                },
            },
        },
    })
}

fn outcome() -> Value {
    json!({
        "type": "object",
        "required": ["call_id", "verdict", "ending", "exit_code", "stdout", "stderr", "truncated",
                     "files", "usage", "receipt", "ledger"],
        "properties": {
            "call_id": { "type": "string", "format": "uuid" },
            "verdict": { "const": "allow" },
            "ending": { "enum": ["exited", "timed_out", "out_of_memory", "out_of_fuel", "killed",
                                 "launch_failed", "cancelled"] },
            "detail": { "type": ["string", "null"] },
            "exit_code": { "type": ["integer", "null"], "minimum": 0, "maximum": 255 },
            "stdout": { "type": "string" },
            "stdout_base64": { "type": "string", "description": "The exact bytes, if they are no UTF-8" },
            "stderr": { "type": "string" },
            "stderr_base64": { "type": "string", "description": "The exact bytes, if they are no UTF-8" },
            "truncated": { "type": "object", "properties": {
                "stdout": { "type": "boolean" }, "stderr": { "type": "boolean" },
            } },
            "files": { "type": "array", "items": { "type": "object", "properties": {
                "path": { "type": "string" },
                "bytes": { "type": "integer" },
                "sha256": { "type": "string" },
                "content_base64": { "type": "string", "contentEncoding": "base64" },
            } } },
            "files_left_out": { "type": "array", "items": { "type": "object", "properties": {
                "path": { "type": "string" }, "reason": { "type": "string" },
            } } },
            "usage": { "type": "object", "properties": {
                "wall_us": { "type": "integer" },
                "cpu_us": { "type": "integer" },
                "memory_peak_bytes": { "type": "integer" },
            } },
            "receipt": { "type": ["object", "null"], "description": "The layers that were really in force" },
            "budgets": { "type": "array", "items": { "type": "object", "properties": {
                "budget": { "type": "string" },
                "per": { "enum": ["turn", "session", "principal"] },
                "calls": { "type": "integer" },
                "cpu_ms": { "type": "integer" },
                "output_bytes": { "type": "integer" },
                "hosts": { "type": "integer" },
            } }, "description": "What remains of each budget that counts the call" },
            "redacted": { "type": "integer", "description": "Places of the output from which something was taken out" },
            "ledger": { "type": "object", "properties": {
                "decision": { "type": "integer" }, "outcome": { "type": "integer" },
            } },
            "policy": reference("Policy"),
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
        },
    })
}
