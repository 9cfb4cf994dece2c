//! Facts of a shell text, from its reading in [`crate::shell`].
//!
//! What is unknown stays unknown: an argument that only the run time knows is null, and where it
//! may become an option, the list of options ends with null.

use serde_json::{Value, json};

use super::{Facts, Kind, Reading, object};
use crate::shell::{
    Argument, Assignment, Certainty, Code, Command, CommandKind, Directory, EffectKind, Influence,
    Language, Opaque, Origin, Redirect, RedirectMode, ShellFacts, Syntax, analyse,
};

pub(super) fn read(facts: &mut Facts, text: &str) {
    let read = analyse(text);
    for (index, command) in read.commands.iter().enumerate() {
        facts.push(Kind::Command, command_atom(&read, index, command));
    }
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

fn command_atom(read: &ShellFacts, index: usize, command: &Command) -> Value {
    object([
        ("name", Some(name(command))),
        ("path", command.path.as_deref().map(Value::from)),
        ("kind", Some(kind(command.kind).into())),
        ("subcommand", command.subcommand.as_deref().map(Value::from)),
        ("flags", Some(flags(command))),
        ("arguments", Some(texts(command.arguments.iter()))),
        ("operands", Some(texts(command.operands()))),
        ("paths", Some(paths(command))),
        ("effects", Some(effects(command))),
        ("opaque", Some(opaque_kinds(read, index))),
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
    let mut flags: Vec<Value> = Vec::with_capacity(command.flags.len());
    for flag in &command.flags {
        let name = Value::from(flag.name.as_str());
        if !flags.contains(&name) {
            flags.push(name);
        }
    }
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
fn texts<'a>(arguments: impl Iterator<Item = &'a Argument>) -> Value {
    let mut more = false;
    let mut texts: Vec<Value> = arguments
        .map(|argument| {
            more |= matches!(
                argument.certainty,
                Certainty::Input | Certainty::Words | Certainty::Glob
            );
            known(argument)
        })
        .collect();
    if more && texts.last() != Some(&Value::Null) {
        texts.push(Value::Null);
    }
    Value::Array(texts)
}

fn known(argument: &Argument) -> Value {
    if argument.is_literal() {
        argument.text.as_str().into()
    } else {
        Value::Null
    }
}

fn paths(command: &Command) -> Value {
    texts(command.operands().filter(|operand| {
        !operand.is_literal() || operand.text.contains('/') || operand.text.starts_with(['~', '.'])
    }))
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

fn opaque_kinds(read: &ShellFacts, index: usize) -> Value {
    let of_command = read
        .opaque
        .iter()
        .filter(|opaque| opaque.command == Some(index));
    let mut kinds: Vec<&str> = of_command.map(|opaque| opaque.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    json!(kinds)
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
    Some(json!({"mode": mode, "target": known(&redirect.target)}))
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
