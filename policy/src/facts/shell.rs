//! Facts of a shell text, from its reading in [`crate::shell`].
//!
//! What is unknown stays unknown: an argument that only the run time knows is null, and where it
//! may become an option, the list of options ends with null.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::texts::Hosts;
use super::{Facts, Kind, Reading, object, targets, texts};
use crate::shell::{
    Argument, Assignment, Certainty, Code, Command, CommandKind, Directory, EffectKind, Influence,
    Language, Opaque, Origin, Redirect, RedirectMode, ShellFacts, Syntax, analyse,
};
use crate::texts::paths::{looks_like_path, normal};

pub(super) fn read(facts: &mut Facts, text: &str) {
    let read = analyse(text);
    let mut opaque = opaque_kinds(&read);
    for (index, command) in read.commands.iter().enumerate() {
        let opaque = opaque.remove(&index).unwrap_or_default();
        facts.push(Kind::Command, command_atom(command, &opaque));
    }
    read_hosts(&mut Hosts::of(facts), &read);
    let redirects = read.redirects.iter().filter_map(redirect_atom);
    redirects.for_each(|atom| facts.push(Kind::Redirect, atom));
    for assignment in &read.assignments {
        facts.push(Kind::Assignment, assignment_atom(assignment));
    }
    for opaque in &read.opaque {
        facts.push(Kind::Opaque, opaque_atom(opaque));
    }
    for code in &read.code {
        facts.push(Kind::Snippet, snippet_atom(code));
    }
    facts.set(
        Reading::Shell,
        json!({"syntax": syntax(read.syntax), "commands": read.commands.len()}),
    );
}

fn command_atom(command: &Command, opaque: &BTreeSet<&str>) -> Value {
    object([
        ("name", Some(name(command))),
        ("path", command.path.as_deref().map(Value::from)),
        ("kind", Some(kind(command.kind).into())),
        ("subcommand", command.subcommand.as_deref().map(Value::from)),
        ("flags", Some(flags(command))),
        ("arguments", Some(words(command.arguments.iter()))),
        ("operands", Some(words(command.operands()))),
        ("paths", Some(paths(command))),
        ("effects", Some(effects(command))),
        ("opaque", Some(json!(opaque))),
        ("origin", Some(origin(command.origin).into())),
        ("directory", Some(directory(&command.directory))),
    ])
}

fn name(command: &Command) -> Value {
    match command.kind {
        CommandKind::Unknown => Value::Null,
        CommandKind::Program | CommandKind::Builtin | CommandKind::Function => {
            command.name.as_str().into()
        }
    }
}

/// Every option that the program may see; null at the end where an unknown word may be one.
fn flags(command: &Command) -> Value {
    let mut seen = BTreeSet::new();
    let names = command.flags.iter().map(|flag| flag.name.as_str());
    let mut flags: Vec<Value> = names
        .filter(|name| seen.insert(*name))
        .map(Value::from)
        .collect();
    if command.arguments.iter().any(may_be_flag) {
        flags.push(Value::Null);
    }
    Value::Array(flags)
}

/// Whether an unknown word may turn out to be an option. One word with a known beginning that is
/// no dash is none; several words may hold one anywhere.
fn may_be_flag(argument: &Argument) -> bool {
    match argument.certainty {
        Certainty::Literal => false,
        Certainty::Glob | Certainty::OneWord => {
            let known = argument.text.get(..argument.known_prefix_bytes);
            known.is_none_or(|known| known.is_empty() || known.starts_with('-'))
        }
        Certainty::Input | Certainty::Words => true,
    }
}

/// Null for what is not known, and once more at the end where there may be more words.
fn words<'a>(arguments: impl Iterator<Item = &'a Argument>) -> Value {
    let mut more = false;
    let mut words: Vec<Value> = arguments
        .map(|argument| {
            more |= matches!(
                argument.certainty,
                Certainty::Input | Certainty::Words | Certainty::Glob
            );
            known(argument)
        })
        .collect();
    if more && words.last() != Some(&Value::Null) {
        words.push(Value::Null);
    }
    Value::Array(words)
}

fn known(argument: &Argument) -> Value {
    if argument.is_literal() {
        argument.text.as_str().into()
    } else {
        Value::Null
    }
}

/// Operands that look like paths, each as where it leads.
fn paths(command: &Command) -> Value {
    let mut more = false;
    let mut paths: Vec<Value> = Vec::new();
    for operand in command.operands() {
        match operand.certainty {
            Certainty::Literal if looks_like_path(&operand.text) => {
                paths.push(path(&operand.text, &command.directory));
            }
            Certainty::Literal => {}
            Certainty::Glob | Certainty::Input | Certainty::OneWord | Certainty::Words => {
                more = true;
            }
        }
    }
    if more {
        paths.push(Value::Null);
    }
    Value::Array(paths)
}

/// Where a path leads; null if that depends on the run time.
fn path(text: &str, directory: &Directory) -> Value {
    let value = |directory| texts::value(&normal(text, directory));
    match directory {
        Directory::OneOf(directories) => match directories.as_slice() {
            [] => value(None),
            [one] if one.is_empty() => value(None),
            [one] => value(Some(one)),
            _ if text.starts_with(['/', '~']) => value(None),
            _ => Value::Null,
        },
        Directory::Unknown if text.starts_with(['/', '~']) => value(None),
        Directory::Unknown => Value::Null,
    }
}

/// Hosts that a command connects to, and those that stand in any word.
fn read_hosts(hosts: &mut Hosts<'_>, read: &ShellFacts) {
    for command in &read.commands {
        let connects = command
            .effects
            .iter()
            .filter(|e| e.kind == EffectKind::Connects);
        for target in connects.filter_map(|effect| effect.target.as_deref()) {
            hosts.read_target(target);
        }
        targets::read(hosts, command);
        for argument in command.arguments.iter().filter(|a| a.is_literal()) {
            hosts.read_word(&argument.text);
        }
    }
    for redirect in read.redirects.iter().filter(|r| r.target.is_literal()) {
        hosts.read_word(&redirect.target.text);
    }
    let values = read.assignments.iter().filter_map(|a| a.value.as_ref());
    for value in values.filter(|value| value.is_literal()) {
        hosts.read_word(&value.text);
    }
}

fn effects(command: &Command) -> Value {
    let mut kinds: Vec<&str> = command
        .effects
        .iter()
        .map(|effect| effect_kind(effect.kind))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    json!(kinds)
}

/// Why a command is not understood in full, by its place.
fn opaque_kinds(read: &ShellFacts) -> BTreeMap<usize, BTreeSet<&'static str>> {
    let mut kinds: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for opaque in &read.opaque {
        if let Some(command) = opaque.command {
            kinds
                .entry(command)
                .or_default()
                .insert(opaque.kind.as_str());
        }
    }
    kinds
}

fn directory(directory: &Directory) -> Value {
    match directory {
        Directory::OneOf(paths) => json!(paths),
        Directory::Unknown => json!([null]),
    }
}

/// None for what opens no file.
fn redirect_atom(redirect: &Redirect) -> Option<Value> {
    let mode = match redirect.mode {
        RedirectMode::Read => "read",
        RedirectMode::Write => "write",
        RedirectMode::Append => "append",
        RedirectMode::ReadWrite => "read-write",
        RedirectMode::Duplicate => return None,
    };
    let target = if redirect.target.is_literal() {
        path(&redirect.target.text, &redirect.directory)
    } else {
        Value::Null
    };
    Some(json!({"mode": mode, "target": target}))
}

fn assignment_atom(assignment: &Assignment) -> Value {
    let influence = match assignment.influence {
        Influence::Data => "data",
        Influence::Code => "code",
    };
    json!({
        "name": assignment.name,
        "value": assignment.value.as_ref().map_or(Value::Null, known),
        "influence": influence,
    })
}

fn opaque_atom(opaque: &Opaque) -> Value {
    json!({"kind": opaque.kind.as_str(), "about": opaque.about})
}

fn snippet_atom(code: &Code) -> Value {
    let text = match code.certainty {
        Certainty::Literal => Value::from(code.text.as_str()),
        Certainty::Glob | Certainty::Input | Certainty::OneWord | Certainty::Words => Value::Null,
    };
    json!({"language": language(code.language), "text": text})
}

fn syntax(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::Accepted => "accepted",
        Syntax::Rejected => "rejected",
        Syntax::Unfinished => "unfinished",
    }
}

fn kind(kind: CommandKind) -> &'static str {
    match kind {
        CommandKind::Program => "program",
        CommandKind::Builtin => "builtin",
        CommandKind::Function => "function",
        CommandKind::Unknown => "unknown",
    }
}

fn effect_kind(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::Executes => "executes",
        EffectKind::Writes => "writes",
        EffectKind::Deletes => "deletes",
        EffectKind::Loads => "loads",
        EffectKind::ReadsEnvironment => "reads-environment",
        EffectKind::Connects => "connects",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Text => "text",
        Origin::Substitution => "substitution",
        Origin::ProcessSubstitution => "process-substitution",
        Origin::Function => "function",
        Origin::Wrapper => "wrapper",
        Origin::Evaluated => "evaluated",
        Origin::Deferred => "deferred",
        Origin::Code => "code",
        Origin::Remote => "remote",
    }
}

fn language(language: Language) -> &'static str {
    match language {
        Language::Awk => "awk",
        Language::Sed => "sed",
        Language::Python => "python",
        Language::JavaScript => "javascript",
        Language::Perl => "perl",
        Language::Ruby => "ruby",
        Language::Php => "php",
        Language::Other => "other",
    }
}
