//! Shells: code in `-c`, in a file, or on standard input.

use super::super::facts::{Certainty, EffectKind, OpaqueKind, Origin};
use super::super::walk::{Walk, Walker};
use super::{Subject, doubt, effect, shell_code};

/// Shells that read the language of this module, more or less.
const SHELLS: &[&str] = &[
    "ash", "bash", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "nu", "oksh", "osh", "pwsh",
    "rbash", "rc", "sash", "sh", "tcsh", "xonsh", "yash", "zsh",
];

/// Those that do not read it: what they are given is read here all the same, but stays opaque.
const OTHER_LANGUAGE: &[&str] = &["csh", "fish", "nu", "pwsh", "rc", "tcsh", "xonsh"];

/// Options with a value in the next argument.
const WITH_VALUE: &[&str] = &["-o", "+o", "-O", "+O", "--rcfile", "--init-file"];

pub(super) fn is_shell(base: &str) -> bool {
    SHELLS.contains(&base)
}

/// What the arguments of a shell ask for.
enum Request {
    /// The argument with the code.
    Code(usize),
    /// The argument with the file.
    File(usize),
    Input,
}

pub(super) fn inspect(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    startup_files(walker, subject)?;
    if OTHER_LANGUAGE.contains(&subject.base) {
        doubt(walker, subject, OpaqueKind::Code, subject.base)?;
    }
    match request(subject) {
        Request::Code(at) => code(walker, subject, at),
        Request::File(at) => {
            let file = subject.text(at).to_owned();
            effect(walker, subject, EffectKind::Executes, &file, Some(&file));
            doubt(walker, subject, OpaqueKind::Script, &file)
        }
        Request::Input => input(walker, subject),
    }
}

fn code(walker: &mut Walker<'_>, subject: &Subject<'_>, at: usize) -> Walk {
    let Some(code) = subject.arguments.get(at) else {
        return doubt(walker, subject, OpaqueKind::Wrapper, "-c without code");
    };
    // An argument before it that may vanish or multiply makes another one the code.
    let shifted = subject
        .arguments
        .iter()
        .take(at)
        .any(|argument| !argument.is_literal());
    if shifted {
        doubt(walker, subject, OpaqueKind::Eval, &code.text)?;
    }
    shell_code(walker, subject, code, Origin::Evaluated)
}

fn startup_files(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let options = subject
        .arguments
        .iter()
        .take_while(|a| a.text.starts_with(['-', '+']));
    for argument in options {
        let text = argument.text.as_str();
        if text.starts_with("--rc") || text.starts_with("--init") || is_interactive(text) {
            doubt(walker, subject, OpaqueKind::Option, text)?;
        }
    }
    Ok(())
}

/// Interactive and login shells read files and expand aliases.
fn is_interactive(text: &str) -> bool {
    let short = text.starts_with('-') && !text.starts_with("--");
    text == "--login" || (short && text.len() <= 5 && text.contains(['i', 'l']))
}

/// Where the code comes from. `-c` may stand in a cluster and before other options.
fn request(subject: &Subject<'_>) -> Request {
    let mut command = false;
    let mut at = 0;
    while let Some(argument) = subject.arguments.get(at) {
        let text = argument.text.as_str();
        if text == "--" || text == "-" {
            at += 1;
            break;
        }
        if !text.starts_with(['-', '+']) || text.len() < 2 {
            break;
        }
        let long = text.starts_with("--");
        command |= !long && text.starts_with('-') && text.contains('c');
        command |= text == "--command";
        let value = WITH_VALUE.contains(&text) || (!long && text.ends_with(['o', 'O']));
        at += if value { 2 } else { 1 };
    }
    match (command, subject.arguments.get(at)) {
        (true, _) => Request::Code(at),
        (false, Some(_)) if !reads_input(subject) => Request::File(at),
        (false, _) => Request::Input,
    }
}

/// `-s` makes the operands positional parameters.
fn reads_input(subject: &Subject<'_>) -> bool {
    subject
        .arguments
        .iter()
        .take_while(|argument| argument.text.starts_with('-'))
        .any(|argument| !argument.text.starts_with("--") && argument.text.contains('s'))
}

/// Code from a here-document is known, from anywhere else it is not.
fn input(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    match &subject.input {
        Some(document) => {
            if document.certainty > Certainty::Glob {
                doubt(walker, subject, OpaqueKind::Stdin, &document.text)?;
            }
            let context = subject.inner(Origin::Evaluated);
            walker.subshell(|inner| inner.read(&document.text, context))
        }
        None => doubt(walker, subject, OpaqueKind::Stdin, subject.base),
    }
}
