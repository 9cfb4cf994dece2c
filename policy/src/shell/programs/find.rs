//! `find` and `fd`: commands, files and deletions among the tests.

use super::super::facts::{Argument, Certainty, EffectKind, OpaqueKind, Origin};
use super::super::walk::{Walk, Walker};
use super::{Subject, doubt, effect};

pub(super) fn inspect(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let mut at = 0;
    while let Some(argument) = subject.arguments.get(at) {
        at = step(walker, subject, &argument.text, at)?;
    }
    Ok(())
}

/// Looks at one argument; the place of the next.
fn step(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    text: &str,
    at: usize,
) -> Result<usize, super::super::walk::Stopped> {
    let fd = subject.base != "find";
    match text {
        "-exec" | "-execdir" | "-ok" | "-okdir" if !fd => return execute(walker, subject, at),
        "-x" | "--exec" | "-X" | "--exec-batch" if fd => return execute(walker, subject, at),
        _ if fd && text.starts_with("--exec") => {
            doubt(walker, subject, OpaqueKind::Wrapper, text)?;
        }
        "-delete" => effect(walker, subject, EffectKind::Deletes, text, None),
        "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
            let file = subject.text(at + 1).to_owned();
            effect(walker, subject, EffectKind::Writes, text, Some(&file));
        }
        "-files0-from" => {
            let file = subject.text(at + 1).to_owned();
            effect(walker, subject, EffectKind::Loads, text, Some(&file));
        }
        _ => {}
    }
    Ok(at + 1)
}

/// The command up to `;`, or up to `+` after `{}`.
fn execute(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    at: usize,
) -> Result<usize, super::super::walk::Stopped> {
    let mut words = Vec::new();
    let mut end = at + 1;
    while let Some(argument) = subject.arguments.get(end) {
        let last = words
            .last()
            .is_some_and(|word: &Argument| word.text == "{}");
        if argument.text == ";" || (argument.text == "+" && last) {
            break;
        }
        words.push(argument.clone());
        end += 1;
    }
    let cause = subject.text(at).to_owned();
    let program = words.first().map(|word| word.text.clone());
    effect(
        walker,
        subject,
        EffectKind::Executes,
        &cause,
        program.as_deref(),
    );
    run(walker, subject, words)?;
    Ok(end + 1)
}

/// Runs the words with names of files in the place of `{}`.
fn run(walker: &mut Walker<'_>, subject: &Subject<'_>, mut words: Vec<Argument>) -> Walk {
    for (at, word) in words.iter_mut().enumerate() {
        if !word.text.contains("{}") {
            continue;
        }
        if word.text == "{}" && at > 0 {
            word.certainty = word.certainty.max(Certainty::Input);
            word.known_prefix_bytes = 0;
        } else {
            // Where it is code, the name of a file becomes part of it.
            doubt(walker, subject, OpaqueKind::Injected, &word.text)?;
        }
    }
    let context = subject.inner(Origin::Wrapper);
    walker.subshell(|inner| inner.command(words, None, context))
}
