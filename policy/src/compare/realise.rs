//! Real calls for the facts that a search found.
//!
//! The search makes up what is read out of a call; a witness must be a call that is really read so.
//! This module writes calls that are likely to be: the words of the command that was found in a
//! shell text, the path in the argument that takes one, and a few well-known commands. It proves
//! nothing and is trusted with nothing: whoever uses it asks the policies about every call. Cannot
//! fail, and gives at most a few dozen calls.

use serde_json::Value;

use super::space::Model;
use crate::call::ToolCall;
use crate::facts::{Facts, Kind};
use crate::policy::Policy;
use crate::tool::Role;

/// Commands that are read with most of the effects that there are.
const KNOWN: [&str; 20] = [
    "ls",
    "cat a",
    "rm -rf a",
    "tee a",
    "env",
    "curl http://a.example/",
    "wget http://a.example/",
    "ssh a ls",
    "git push",
    "python3 -c 'print(1)'",
    "perl -e 1",
    "awk '{print}' a",
    "sed -i s/a/b/ a",
    "find . -delete",
    "find . -exec rm {} +",
    "xargs rm",
    "sh -c ls",
    "sudo ls",
    "$a",
    "eval \"$a\"",
];

/// Calls that may be read as the model has it, the likeliest first.
pub(super) fn calls(model: &Model, policy: &Policy) -> Vec<ToolCall> {
    let tool = policy.tools().get(model.call.tool());
    let mut roles: Vec<(&str, Role)> = tool.map(|tool| tool.roles().collect()).unwrap_or_default();
    roles.sort_unstable_by_key(|(argument, _)| model.call.arguments().get(*argument).is_none());
    let mut calls = vec![model.call.clone()];
    for (argument, role) in roles {
        let texts = match role {
            Role::Shell => shell_texts(&model.facts),
            Role::Path => field(&model.facts, Kind::Path, "value")
                .into_iter()
                .collect(),
            Role::Url => urls(&model.facts),
            Role::Code => Vec::new(),
        };
        calls.extend(
            texts
                .into_iter()
                .filter_map(|text| with(&model.call, argument, &text)),
        );
    }
    calls
}

/// The call with another text in one argument.
fn with(call: &ToolCall, argument: &str, text: &str) -> Option<ToolCall> {
    let mut arguments = call.arguments().clone();
    let entries = arguments.as_object_mut()?;
    entries.insert(argument.to_owned(), text.into());
    ToolCall::new(call.tool(), arguments, call.principal(), call.session()).ok()
}

fn first(facts: &Facts, kind: Kind) -> Option<&Value> {
    facts.atoms(kind).first()
}

fn field(facts: &Facts, kind: Kind, name: &str) -> Option<String> {
    let value = first(facts, kind)?.get(name)?.as_str()?;
    Some(value.to_owned())
}

fn urls(facts: &Facts) -> Vec<String> {
    let names = ["name", "address"].map(|name| field(facts, Kind::Host, name));
    let scheme = field(facts, Kind::Host, "scheme").unwrap_or_else(|| "https".to_owned());
    let names = names.into_iter().flatten();
    names
        .flat_map(|name| [format!("{scheme}://{name}/"), name])
        .collect()
}

// ---- shell --------------------------------------------------------------------------------------

/// Texts with one command, or with as much of one as there is.
fn shell_texts(facts: &Facts) -> Vec<String> {
    let command = first(facts, Kind::Command);
    let redirect = first(facts, Kind::Redirect).map(redirect);
    let assignment = first(facts, Kind::Assignment).map(assignment);
    let around = |command: String| {
        let parts = [assignment.clone(), Some(command), redirect.clone()];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|p| !p.is_empty())
            .collect();
        parts.join(" ")
    };
    let mut texts = match command {
        Some(command) => commands(command),
        None => vec![String::new()],
    };
    // A name that was not asked for can be one that is read with effects.
    texts.extend(
        command
            .map(|_| KNOWN.map(str::to_owned))
            .into_iter()
            .flatten(),
    );
    if first(facts, Kind::Opaque).is_some() {
        texts.extend(KNOWN.map(str::to_owned));
    }
    texts.into_iter().map(around).collect()
}

/// The words of a command: all that was found of it, then less, then with its options and operands
/// after a known program of its effects.
fn commands(command: &Value) -> Vec<String> {
    let name = match command.get("path").or_else(|| command.get("name")) {
        Some(Value::String(name)) => quoted(name),
        Some(_) => "\"$a\"".to_owned(),
        None => "a".to_owned(),
    };
    let subcommand = command
        .get("subcommand")
        .and_then(Value::as_str)
        .map(quoted);
    let list = |field: &str| words(command.get(field));
    let (flags, arguments) = (list("flags"), list("arguments"));
    let (operands, paths) = (list("operands"), list("paths"));
    let directory = list("directory").into_iter().next();
    let begin: Vec<String> = std::iter::once(name).chain(subcommand).collect();
    let all = [&begin, &flags, &arguments, &operands, &paths];
    let some = [&begin, &arguments];
    let mut texts = vec![
        joined(&all),
        joined(&[&begin, &flags, &operands]),
        joined(&some),
    ];
    texts.extend([joined(&[&begin, &flags, &paths]), joined(&[&begin])]);
    if let Some(directory) = directory {
        let there = texts.iter().map(|text| format!("cd {directory} && {text}"));
        texts.extend(there.collect::<Vec<_>>());
    }
    texts
}

fn joined(parts: &[&Vec<String>]) -> String {
    let words: Vec<&str> = parts
        .iter()
        .flat_map(|part| part.iter().map(String::as_str))
        .collect();
    words.join(" ")
}

/// The words of a list; a word that is not known is a variable's value.
fn words(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    let words = items.map(|item| match item {
        Value::String(text) => quoted(text),
        _ => "$a".to_owned(),
    });
    words.collect()
}

fn redirect(redirect: &Value) -> String {
    let sign = match redirect.get("mode").and_then(Value::as_str) {
        Some("read") => "<",
        Some("append") => ">>",
        Some("read-write") => "<>",
        Some(_) | None => ">",
    };
    let target = match redirect.get("target") {
        Some(Value::String(target)) => quoted(target),
        Some(_) => "$a".to_owned(),
        None => "a".to_owned(),
    };
    format!("{sign} {target}")
}

fn assignment(assignment: &Value) -> String {
    // A variable that programs take code from, where no other was asked for.
    let name = assignment
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("LD_PRELOAD");
    let value = assignment
        .get("value")
        .and_then(Value::as_str)
        .map_or("a".to_owned(), quoted);
    format!("{name}={value}")
}

/// As one word of a shell text.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
