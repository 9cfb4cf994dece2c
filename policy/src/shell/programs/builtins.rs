//! Builtins that move, evaluate, assign, or change how bash reads what follows.

use super::super::facts::{Argument, Certainty, EffectKind, OpaqueKind, Origin};
use super::super::names::join;
use super::super::walk::{Walk, Walker};
use super::{Subject, doubt, effect, joined, shell_code};

pub(super) fn inspect(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    match subject.base {
        "cd" => change_directory(walker, subject),
        "pushd" | "popd" => {
            walker.lose_directory();
            Ok(())
        }
        "eval" => evaluate(walker, subject),
        "." | "source" => source(walker, subject),
        "trap" => trap(walker, subject),
        "alias" => alias(walker, subject),
        "export" | "declare" | "typeset" | "local" | "readonly" => declare(walker, subject),
        "let" => arithmetic(walker, subject),
        "read" | "mapfile" | "readarray" | "unset" | "getopts" => names(walker, subject),
        "printf" | "wait" | "test" | "[" => named_by_option(walker, subject),
        "set" | "shopt" | "enable" | "bind" | "unalias" => state(walker, subject),
        "hash" => hash(walker, subject),
        "complete" | "compgen" => completion(walker, subject),
        "fc" | "history" => history(walker, subject),
        _ => Ok(()),
    }
}

fn change_directory(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    walker.moves += 1;
    let mut operands = subject
        .arguments
        .iter()
        .filter(|argument| !(argument.text.starts_with('-') && argument.text.len() > 1));
    let target = operands.next();
    let paths = match target {
        None => Some(vec!["~".to_owned()]),
        Some(path) if path.text == "-" || !path.is_literal() => None,
        Some(path) => walker.directory.as_ref().map(|bases| {
            let joined = bases.iter().map(|base| join(base, &path.text));
            joined.collect()
        }),
    };
    let searched = walker.facts.assignments.iter().any(|a| a.name == "CDPATH");
    walker.directory = paths.filter(|_| !searched && operands.next().is_none());
    Ok(())
}

/// `eval` joins its arguments and reads them in this very shell.
fn evaluate(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let skipped = usize::from(subject.text(0) == "--");
    let code = joined(&subject.rest(skipped));
    if code.certainty != Certainty::Literal {
        doubt(walker, subject, OpaqueKind::Eval, &code.text)?;
        walker.lose_directory();
    }
    walker.read(&code.text, subject.inner(Origin::Evaluated))
}

fn source(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    walker.lose_directory();
    let file = subject.text(0).to_owned();
    effect(walker, subject, EffectKind::Executes, &file, Some(&file));
    doubt(walker, subject, OpaqueKind::Script, &file)?;
    match &subject.input {
        Some(document) => {
            let context = subject.inner(Origin::Evaluated);
            walker.read(&document.text.clone(), context)
        }
        None => Ok(()),
    }
}

/// The handler runs when the signal comes, from wherever the shell then is.
fn trap(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let mut arguments = subject
        .arguments
        .iter()
        .filter(|argument| !matches!(argument.text.as_str(), "--" | "-p" | "-l"));
    let Some(handler) = arguments.next().cloned() else {
        return Ok(());
    };
    let signals: Vec<&Argument> = arguments.collect();
    if handler.text == "-" || signals.is_empty() {
        return Ok(());
    }
    if signals
        .iter()
        .any(|s| matches!(s.text.as_str(), "DEBUG" | "RETURN" | "ERR"))
    {
        doubt(walker, subject, OpaqueKind::ShellState, "trap on commands")?;
    }
    deferred(walker, subject, &handler)
}

/// Code that runs later.
fn deferred(walker: &mut Walker<'_>, subject: &Subject<'_>, code: &Argument) -> Walk {
    let before = walker.directory.take();
    shell_code(walker, subject, code, Origin::Deferred)?;
    walker.directory = before;
    Ok(())
}

fn alias(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    for argument in &subject.arguments {
        let Some((_, value)) = argument.text.split_once('=') else {
            continue;
        };
        doubt(walker, subject, OpaqueKind::Alias, &argument.text)?;
        let code = Argument::as_certain(value.to_owned(), argument.certainty);
        deferred(walker, subject, &code)?;
    }
    Ok(())
}

/// `declare name=value`: assigns, evaluates subscripts, and with `-i` or `-n` the value too.
fn declare(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let mut values = Values::Kept;
    for argument in &subject.arguments {
        let text = argument.text.as_str();
        if text.starts_with(['-', '+']) {
            if text.contains(['i', 'n', 'a', 'A']) {
                values = Values::Evaluated;
            }
            continue;
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim_end_matches('+'), Some(value)),
            None => (text, None),
        };
        declare_one(walker, subject, argument, (name, value), values)?;
    }
    Ok(())
}

/// What `declare` does with a value: with `-i` it is arithmetic, with `-n` and `-a` a name with
/// subscripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    Kept,
    Evaluated,
}

fn declare_one(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    argument: &Argument,
    (name, value): (&str, Option<&str>),
    values: Values,
) -> Walk {
    let context = subject.context.under(subject.index);
    let name_known = argument.known_prefix_bytes >= name.len();
    if !name_known {
        doubt(walker, subject, OpaqueKind::Environment, &argument.text)?;
    }
    let literal = |text: &str| Argument::as_certain(text.to_owned(), argument.certainty);
    let literal_name = Argument::as_certain(name.to_owned(), Certainty::Literal);
    walker.evaluated_name(&literal_name, context)?;
    if let Some(value) = value.filter(|_| values == Values::Evaluated) {
        walker.arithmetic_text(&literal(value), context)?;
    }
    walker.assign(name, value.map(literal), context)
}

fn arithmetic(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let context = subject.context.under(subject.index);
    for argument in &subject.arguments {
        walker.arithmetic_text(argument, context)?;
        for name in super::super::arithmetic::names(&argument.text) {
            walker.assign(name, None, context)?;
        }
    }
    Ok(())
}

/// Every operand may be a variable's name.
fn names(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let context = subject.context.under(subject.index);
    for (at, argument) in subject.arguments.iter().enumerate() {
        let text = argument.text.as_str();
        let callback = subject
            .arguments
            .get(at + 1)
            .filter(|_| is_callback(subject, text));
        if let Some(callback) = callback {
            effect(
                walker,
                subject,
                EffectKind::Executes,
                text,
                Some(&callback.text),
            );
            deferred(walker, subject, callback)?;
        }
        if text.starts_with('-') {
            continue;
        }
        walker.evaluated_name(argument, context)?;
        if subject.base != "unset" && super::super::cursor::is_name(text) {
            walker.assign(text, None, context)?;
        }
    }
    unset_influence(walker, subject)
}

/// `mapfile -C command`.
fn is_callback(subject: &Subject<'_>, option: &str) -> bool {
    matches!(subject.base, "mapfile" | "readarray") && option.starts_with("-C")
}

/// Taking away `PATH` changes what runs as much as setting it.
fn unset_influence(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    use super::super::facts::Influence;
    for argument in &subject.arguments {
        let code = super::super::names::influence(&argument.text) == Influence::Code;
        if subject.base == "unset" && code {
            doubt(walker, subject, OpaqueKind::Environment, &argument.text)?;
        }
    }
    Ok(())
}

/// `printf -v name`, `wait -p name`, `test -v name`.
fn named_by_option(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let context = subject.context.under(subject.index);
    let assigns = matches!(subject.base, "printf" | "wait");
    for (at, argument) in subject.arguments.iter().enumerate() {
        let text = argument.text.as_str();
        let attached_name = assigns && text.starts_with("-v");
        if !attached_name && !matches!(text, "-v" | "-p" | "-R") {
            continue;
        }
        let attached = text.get(2..).filter(|name| !name.is_empty());
        let name = match attached {
            Some(name) => Some(Argument {
                text: name.to_owned(),
                ..argument.clone()
            }),
            None => subject.arguments.get(at + 1).cloned(),
        };
        let Some(name) = name else { continue };
        // `test -p file` asks about a pipe.
        if text == "-p" && subject.base != "wait" {
            continue;
        }
        walker.evaluated_name(&name, context)?;
        if assigns {
            walker.assign(&name.text, None, context)?;
        }
    }
    Ok(())
}

/// Options of the shell that change how later text is read or run.
fn state(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let harmless = subject.base == "set" && subject.arguments.iter().all(is_harmless_option);
    let queried =
        subject.base == "shopt" && !subject.arguments.iter().any(|a| a.text.starts_with('-'));
    if harmless || queried || subject.arguments.is_empty() {
        return Ok(());
    }
    let about = joined(&subject.arguments).text;
    doubt(walker, subject, OpaqueKind::ShellState, &about)?;
    for argument in subject.arguments.iter().filter(|_| subject.base == "bind") {
        if let Some((_, code)) = argument.text.split_once(':') {
            walker.read(code, subject.inner(Origin::Deferred))?;
        }
    }
    Ok(())
}

/// `-e`, `-u`, `-x`, `-o pipefail` and the like change when the shell stops, not what it reads.
fn is_harmless_option(argument: &Argument) -> bool {
    let text = argument.text.as_str();
    let letters = text.strip_prefix(['-', '+']);
    let harmless =
        letters.is_some_and(|l| l.chars().all(|c| "euvfhEToCm-".contains(c) || c == 'x'));
    let named = matches!(
        text,
        "errexit"
            | "nounset"
            | "pipefail"
            | "xtrace"
            | "verbose"
            | "noglob"
            | "noclobber"
            | "errtrace"
    );
    argument.is_literal() && (harmless || named)
}

/// `hash -p path name` gives a name another program.
fn hash(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    if subject
        .arguments
        .iter()
        .any(|a| a.text.starts_with("-p") || !a.is_literal())
    {
        let about = joined(&subject.arguments).text;
        doubt(walker, subject, OpaqueKind::ShellState, &about)?;
    }
    Ok(())
}

/// `-C command` runs a command, `-F` a function; `-W words` expands its words.
fn completion(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    for (at, argument) in subject.arguments.iter().enumerate() {
        let Some(value) = subject.arguments.get(at + 1) else {
            continue;
        };
        match argument.text.as_str() {
            "-C" => deferred(walker, subject, value)?,
            "-W" => walker.read_expanded(&value.text, subject.inner(Origin::Evaluated))?,
            "-F" => doubt(walker, subject, OpaqueKind::Name, &value.text)?,
            _ => {}
        }
    }
    Ok(())
}

/// Old commands run again.
fn history(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    if subject.base == "fc" {
        doubt(walker, subject, OpaqueKind::Eval, "fc")?;
    }
    Ok(())
}
