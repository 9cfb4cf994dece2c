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
            "503": refusal("The queue is full, the ledger is sealed, or the daemon is stopping"),
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
            "ledger": { "type": "object", "properties": {
                "decision": { "type": "integer" }, "outcome": { "type": "integer" },
            } },
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
