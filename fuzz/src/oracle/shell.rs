//! The shell reading: total, within its budget, its indices whole, and nothing silently missed.

use brush_parser::ast::{AndOr, Command, CompoundCommand, CompoundList, Pipeline};
use brush_parser::{Parser, ParserOptions};
use policy::shell::{Argument, Directory, ShellFacts, Syntax};

use crate::fault::analyse;

/// The budget of one text, as policy/src/shell/budget.rs states it.
const BASE_STEPS: u64 = 40_000;
const STEPS_PER_BYTE: u64 = 3;
/// A command that no text holds by chance.
const WITNESS: &str = "zq7witness";

/// Any text.
pub fn is_sound(text: &str) {
    let facts = analyse(text);
    assert!(facts.steps <= BASE_STEPS + STEPS_PER_BYTE * text.len() as u64);
    is_whole(&facts);
    assert_eq!(facts, analyse(text), "the same text reads the same");
    if facts.syntax != Syntax::Accepted {
        assert!(facts.is_opaque(), "gave up without a word: {text:?}");
    }
    what_follows_is_seen(text, &facts);
    what_brush_finds_is_there(text, &facts);
}

/// libFuzzer ends a process in the panic's hook; the reader of others may panic, which ours
/// catches. From here on only a panic that nobody catches ends the process.
pub fn let_brush_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let theirs = panic
            .location()
            .is_some_and(|place| place.file().contains("brush-parser"));
        if !theirs {
            eprintln!("{panic}");
        }
    }));
}

// ---- indices and bounds -------------------------------------------------------------------------

fn is_whole(facts: &ShellFacts) {
    let commands = facts.commands.len();
    for (index, command) in facts.commands.iter().enumerate() {
        assert!(
            command
                .parent
                .is_none_or(|parent| parent < commands && parent != index)
        );
        command.arguments.iter().for_each(is_argument);
        is_directory(&command.directory);
    }
    for redirect in &facts.redirects {
        is_argument(&redirect.target);
        is_directory(&redirect.directory);
    }
    facts
        .assignments
        .iter()
        .filter_map(|a| a.value.as_ref())
        .for_each(is_argument);
    assert!(
        facts
            .pipelines
            .iter()
            .flatten()
            .all(|member| *member < commands)
    );
    assert!(facts.code.iter().all(|code| code.command < commands));
    assert!(
        facts
            .opaque
            .iter()
            .all(|opaque| opaque.command.is_none_or(|c| c < commands))
    );
    assert!(
        facts
            .opaque
            .iter()
            .all(|opaque| opaque.about.chars().count() <= 64)
    );
}

fn is_argument(argument: &Argument) {
    let known = argument.known_prefix_bytes;
    assert!(argument.text.is_char_boundary(known), "{argument:?}");
    if argument.is_literal() {
        assert_eq!(known, argument.text.len(), "{argument:?}");
    }
}

fn is_directory(directory: &Directory) {
    match directory {
        Directory::OneOf(paths) => assert!((1..=4).contains(&paths.len())),
        Directory::Unknown => {}
    }
}

// ---- nothing is missed --------------------------------------------------------------------------

/// A command after a text that is accepted by itself is seen, at the top and in brackets. Not asked
/// of a text with a here-document, which may eat it, or with a backslash at its end, which joins
/// them.
fn what_follows_is_seen(text: &str, facts: &ShellFacts) {
    let joins = text.ends_with('\\') || text.contains("<<") || text.contains('\0');
    if facts.syntax != Syntax::Accepted || joins || text.len() > 4_096 {
        return;
    }
    for whole in [
        format!("{text}\n{WITNESS}"),
        format!("( {text}\n{WITNESS} )"),
        format!("echo \"$( {text}\n{WITNESS} )\""),
    ] {
        let facts = analyse(&whole);
        let seen = facts.runs(WITNESS) || facts.syntax != Syntax::Accepted;
        assert!(seen, "{WITNESS} is missed in {whole:?}");
    }
}

/// The names of plain commands that the other reader finds, where ours claims to know everything.
fn what_brush_finds_is_there(text: &str, facts: &ShellFacts) {
    if facts.is_opaque() || facts.syntax != Syntax::Accepted || text.len() > 4_096 {
        return;
    }
    let read = || Parser::new(text.as_bytes(), &ParserOptions::default()).parse_program();
    let Ok(Ok(program)) = std::panic::catch_unwind(read) else {
        return;
    };
    let mut names = Vec::new();
    program
        .complete_commands
        .iter()
        .for_each(|list| of_list(list, &mut names));
    for name in names {
        assert!(facts.runs(&name), "`{name}` is missed in {text:?}");
    }
}

fn of_list(list: &CompoundList, names: &mut Vec<String>) {
    for item in &list.0 {
        of_pipeline(&item.0.first, names);
        for next in &item.0.additional {
            match next {
                AndOr::And(pipeline) | AndOr::Or(pipeline) => of_pipeline(pipeline, names),
            }
        }
    }
}

fn of_pipeline(pipeline: &Pipeline, names: &mut Vec<String>) {
    pipeline
        .seq
        .iter()
        .for_each(|command| of_command(command, names));
}

fn of_command(command: &Command, names: &mut Vec<String>) {
    match command {
        Command::Simple(simple) => {
            let name = simple.word_or_name.as_ref().map(|word| &word.value);
            names.extend(name.filter(|name| is_plain(name)).cloned());
        }
        Command::Compound(compound, _) => of_compound(compound, names),
        Command::Function(function) => of_compound(&function.body.0, names),
        Command::ExtendedTest(..) => {}
    }
}

/// The forms that hold lists of commands; the others hold words.
fn of_compound(compound: &CompoundCommand, names: &mut Vec<String>) {
    match compound {
        CompoundCommand::BraceGroup(group) => of_list(&group.list, names),
        CompoundCommand::Subshell(subshell) => of_list(&subshell.list, names),
        CompoundCommand::ForClause(clause) => of_list(&clause.body.list, names),
        CompoundCommand::ArithmeticForClause(clause) => of_list(&clause.body.list, names),
        CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
            of_list(&clause.0, names);
            of_list(&clause.1.list, names);
        }
        CompoundCommand::IfClause(clause) => {
            of_list(&clause.condition, names);
            of_list(&clause.then, names);
            for part in clause.elses.iter().flatten() {
                part.condition.iter().for_each(|list| of_list(list, names));
                of_list(&part.body, names);
            }
        }
        CompoundCommand::CaseClause(clause) => {
            clause
                .cases
                .iter()
                .filter_map(|case| case.cmd.as_ref())
                .for_each(|l| of_list(l, names));
        }
        CompoundCommand::Coprocess(coprocess) => of_command(&coprocess.body, names),
        CompoundCommand::Arithmetic(_) => {}
    }
}

/// A name that no shell reads otherwise.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase())
}
