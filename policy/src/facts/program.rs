//! Facts of programs in Python and JavaScript, from their reading in [`crate::code`].
//!
//! For judging and for the record; containment does not rest on them. A list that is not complete
//! ends with null, and so does every list of a program that could not be read to its end.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::code::{CodeFacts, Syntax, javascript, python};

/// The facts of a program; none for languages that are not read.
pub(super) fn read(language: Option<&str>, text: &str) -> Option<Value> {
    match language {
        Some("python") => Some(group(&python(text))),
        Some("javascript" | "typescript") => Some(group(&javascript(text))),
        Some(_) | None => None,
    }
}

fn group(code: &CodeFacts) -> Value {
    let whole = code.complete && code.syntax == Syntax::Accepted;
    let list = |texts: BTreeSet<&str>| list(texts, whole);
    json!({
        "syntax": code.syntax.as_str(),
        "imports": list(code.imports.iter().map(String::as_str).collect()),
        "calls": list(code.calls.iter().map(|call| call.name.as_str()).collect()),
        "dynamic": list(code.dynamic.iter().map(|dynamic| dynamic.kind.as_str()).collect()),
        "paths": list(code.paths.iter().map(String::as_str).collect()),
        "hosts": list(code.hosts.iter().map(String::as_str).collect()),
        "commands": list(code.shell.iter().map(String::as_str).collect()),
    })
}

fn list(texts: BTreeSet<&str>, whole: bool) -> Value {
    let mut items: Vec<Value> = texts.into_iter().map(Value::from).collect();
    if !whole {
        items.push(Value::Null);
    }
    Value::Array(items)
}
