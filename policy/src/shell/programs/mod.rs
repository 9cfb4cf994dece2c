//! What well-known programs do with their arguments.
//!
//! A program that is not known here runs under its own name with its arguments, and that is all
//! that is claimed. A known one that runs other programs is seen through; where its options are
//! not understood, that is opaque and not a guess.

mod builtins;
mod code;
mod effects;
mod find;
mod flags;
mod git;
mod shells;
mod wrappers;

use super::facts::{
    Argument, Certainty, Code, CommandKind, Document, Effect, EffectKind, Language, OpaqueKind,
    Origin,
};
use super::walk::{Context, Walk, Walker};

/// One command under inspection.
pub(super) struct Subject<'a> {
    /// Its index in the facts.
    pub(super) index: usize,
    /// The last part of its name.
    pub(super) base: &'a str,
    /// A copy of its arguments.
    pub(super) arguments: Vec<Argument>,
    /// Its here-document.
    pub(super) input: Option<Document>,
    /// Where it stands.
    pub(super) context: Context,
}

impl Subject<'_> {
    /// The text of an argument.
    fn text(&self, at: usize) -> &str {
        self.arguments
            .get(at)
            .map_or("", |argument| argument.text.as_str())
    }

    /// The context for what this command runs.
    fn inner(&self, origin: Origin) -> Context {
        self.context.via(origin).under(self.index)
    }

    /// The arguments from `at` on.
    fn rest(&self, at: usize) -> Vec<Argument> {
        self.arguments.iter().skip(at).cloned().collect()
    }
}

/// Fills in flags, subcommand and effects of a command, and follows what it runs.
pub(super) fn inspect(
    walker: &mut Walker<'_>,
    index: usize,
    base: &str,
    name: &Argument,
    input: Option<Document>,
    context: Context,
) -> Walk {
    let Some(command) = walker.facts.commands.get_mut(index) else {
        return Ok(());
    };
    command.flags = flags::flags(base, &command.arguments);
    command.subcommand = flags::subcommand(base, &command.arguments);
    let kind = command.kind;
    let subject = Subject {
        index,
        base,
        arguments: command.arguments.clone(),
        input,
        context,
    };
    if name.certainty == Certainty::Words || name.text.is_empty() {
        // An empty `$x rm` runs `rm`.
        walker.command(subject.rest(0), None, subject.inner(Origin::Wrapper))?;
    }
    if !name.is_literal() {
        return Ok(());
    }
    if kind == CommandKind::Builtin {
        builtins::inspect(walker, &subject)?;
    }
    effects::inspect(walker, &subject)?;
    follow(walker, &subject)
}

/// Programs that run other programs or code.
fn follow(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    match subject.base {
        "find" | "fd" | "fdfind" => find::inspect(walker, subject),
        "git" => git::inspect(walker, subject),
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" => code::awk(walker, subject),
        "sed" | "gsed" => code::sed(walker, subject),
        base if shells::is_shell(base) => shells::inspect(walker, subject),
        base if code::interpreter(base).is_some() => code::interpreted(walker, subject),
        _ => wrappers::inspect(walker, subject),
    }
}

/// Adds an effect to the command.
fn effect(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    kind: EffectKind,
    cause: &str,
    target: Option<&str>,
) {
    if let Some(command) = walker.facts.commands.get_mut(subject.index) {
        command.effects.push(Effect {
            kind,
            cause: cause.to_owned(),
            target: target.map(str::to_owned),
        });
    }
}

/// An opaque fact about the command.
fn doubt(walker: &mut Walker<'_>, subject: &Subject<'_>, kind: OpaqueKind, about: &str) -> Walk {
    walker.opaque(kind, about, Some(subject.index))
}

/// An argument that is shell code.
fn shell_code(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    code: &Argument,
    origin: Origin,
) -> Walk {
    if !matches!(code.certainty, Certainty::Literal) {
        doubt(walker, subject, OpaqueKind::Eval, &code.text)?;
    }
    walker.subshell(|inner| inner.read(&code.text, subject.inner(origin)))
}

/// Several arguments that a program joins with blanks and gives to a shell.
fn joined(arguments: &[Argument]) -> Argument {
    let texts: Vec<&str> = arguments.iter().map(|a| a.text.as_str()).collect();
    let certainty = arguments.iter().map(|a| a.certainty).max();
    let text = texts.join(" ");
    Argument::as_certain(text, certainty.unwrap_or(Certainty::Literal))
}

/// Records code of another language.
fn foreign_code(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    language: Language,
    code: &Argument,
) {
    walker.facts.code.push(Code {
        language,
        text: code.text.clone(),
        certainty: code.certainty,
        command: subject.index,
    });
}
