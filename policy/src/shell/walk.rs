//! From the tree to facts: who runs, where, with which arguments.
//!
//! Every text that bash reads as code comes through [`Walker::read`], also the operand of `sh -c`
//! or a trap: it is parsed by us, confirmed by the second reading and walked. Branches are all
//! taken to run. A directory that may or may not have been entered counts as both.

use super::arithmetic;
use super::ast::{
    AndOr, AssignedValue, AssignmentWord, Body, End, HereBody, Joint, Member, Operation, Operator,
    Parameter, Piece, Pipeline, Redirection, Script, Simple, TestTerm, Word,
};
use super::budget::{Budget, MAX_ABOUT_CHARS, MAX_DEPTH, MAX_DIRECTORIES, MAX_OPAQUE};
use super::cursor::{Fault, Parsed, Parser};
use super::expand;
use super::facts::{
    Argument, Assignment, Certainty, Command, CommandKind, Directory, Document, Influence, Opaque,
    OpaqueKind, Origin, Redirect, RedirectMode, ShellFacts, Syntax,
};
use super::names;
use super::programs;
use super::second::{self, Agreement, SecondBudget};

/// Where code stands, as far as it matters for the commands in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) origin: Origin,
    pub(super) parent: Option<usize>,
    pub(super) depth: u32,
}

impl Context {
    /// The same place, reached through another door.
    pub(super) fn via(self, origin: Origin) -> Self {
        let remote = self.origin == Origin::Remote;
        Self {
            origin: if remote { Origin::Remote } else { origin },
            depth: self.depth + 1,
            ..self
        }
    }

    pub(super) fn under(self, command: usize) -> Self {
        Self {
            parent: Some(command),
            ..self
        }
    }
}

/// Steps for making the facts of one command, against one for reading a byte: measured.
const COMMAND_STEPS: usize = 120;
/// Steps for each of its words, which wrappers copy.
const WORD_STEPS: usize = 8;

/// Collects the facts.
pub(super) struct Walker<'b> {
    pub(super) facts: ShellFacts,
    pub(super) budget: &'b mut Budget,
    pub(super) second: SecondBudget,
    /// The directories in which the next command may run; none if that is not known.
    pub(super) directory: Option<Vec<String>>,
    /// How often the directory changed so far.
    pub(super) moves: u32,
    /// Whether some function changes the directory.
    function_moves: bool,
    /// The here-documents of the text at hand.
    documents: Vec<HereBody>,
}

/// The analysis cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

pub(super) type Walk = Result<(), Stopped>;

impl<'b> Walker<'b> {
    pub(super) fn new(budget: &'b mut Budget, second: SecondBudget) -> Self {
        Self {
            facts: ShellFacts::default(),
            budget,
            second,
            directory: Some(vec![String::new()]),
            moves: 0,
            function_moves: false,
            documents: Vec::new(),
        }
    }

    /// The whole text.
    pub(super) fn read_all(&mut self, text: &str) -> Walk {
        let context = Context {
            origin: Origin::Text,
            parent: None,
            depth: 0,
        };
        let fault = self.read_parsed(text, context)?;
        self.facts.syntax = match fault {
            None => Syntax::Accepted,
            Some(Fault::Syntax) => Syntax::Rejected,
            Some(Fault::Depth | Fault::Budget) => Syntax::Unfinished,
        };
        Ok(())
    }

    /// A text that bash reads as code.
    pub(super) fn read(&mut self, text: &str, context: Context) -> Walk {
        if context.depth >= MAX_DEPTH {
            return self.opaque(OpaqueKind::Depth, text, context.parent);
        }
        self.read_parsed(text, context)?;
        Ok(())
    }

    fn read_parsed(&mut self, text: &str, context: Context) -> Result<Option<Fault>, Stopped> {
        let parsed = match Parser::new(text, context.depth, self.budget) {
            Ok(parser) => parser.finish(),
            Err(_) => return self.stop(OpaqueKind::Budget, text).map(|()| None),
        };
        let Parsed {
            script,
            documents,
            notes,
            fault,
        } = parsed;
        for note in notes {
            self.opaque(note.kind, &note.about, context.parent)?;
        }
        match fault {
            None => self.confirm(text, &script, &documents, context)?,
            Some(Fault::Syntax) => self.opaque(OpaqueKind::Rejected, text, context.parent)?,
            Some(Fault::Depth) => self.opaque(OpaqueKind::Depth, text, context.parent)?,
            Some(Fault::Budget) => self.opaque(OpaqueKind::Budget, text, context.parent)?,
        }
        let outer = std::mem::replace(&mut self.documents, documents);
        let walked = self.script(&script, context);
        self.documents = outer;
        walked?;
        Ok(fault)
    }

    /// Compares with the second reading.
    fn confirm(
        &mut self,
        text: &str,
        script: &Script,
        documents: &[HereBody],
        context: Context,
    ) -> Walk {
        match second::compare(text, script, documents, &mut self.second) {
            Agreement::Same => Ok(()),
            Agreement::Differ(about) => {
                self.opaque(OpaqueKind::Disagreement, &about, context.parent)
            }
            Agreement::NotRead(about) => {
                self.opaque(OpaqueKind::Unconfirmed, about, context.parent)
            }
        }
    }

    pub(super) fn opaque(&mut self, kind: OpaqueKind, about: &str, command: Option<usize>) -> Walk {
        if self.facts.opaque.len() >= MAX_OPAQUE {
            return self.stop(OpaqueKind::Budget, "opaque facts");
        }
        let known = self
            .facts
            .opaque
            .iter()
            .rev()
            .take_while(|other| other.command == command)
            .any(|other| other.kind == kind);
        if !known {
            self.push_opaque(kind, about, command);
        }
        Ok(())
    }

    /// Ends the analysis with an opaque fact.
    fn stop(&mut self, kind: OpaqueKind, about: &str) -> Walk {
        self.push_opaque(kind, about, None);
        Err(Stopped)
    }

    fn push_opaque(&mut self, kind: OpaqueKind, about: &str, command: Option<usize>) {
        self.facts.opaque.push(Opaque {
            kind,
            about: about.chars().take(MAX_ABOUT_CHARS).collect(),
            command,
        });
    }

    fn spend(&mut self, steps: usize) -> Walk {
        match self.budget.spend(steps) {
            Ok(()) => Ok(()),
            Err(_) => self.stop(OpaqueKind::Budget, "steps"),
        }
    }

    fn script(&mut self, script: &Script, context: Context) -> Walk {
        for entry in &script.entries {
            self.and_or(entry, context)?;
        }
        Ok(())
    }

    fn and_or(&mut self, entry: &AndOr, context: Context) -> Walk {
        let before = self.directory.clone();
        self.pipeline(&entry.first, context)?;
        for (joint, pipeline) in &entry.rest {
            if *joint == Joint::Or {
                self.or_in(before.as_ref());
            }
            self.pipeline(pipeline, context)?;
        }
        match entry.end {
            End::Background => self.directory = before,
            End::Sequence => self.or_in(before.as_ref()),
        }
        Ok(())
    }

    /// The directory may also be one of `others`.
    fn or_in(&mut self, others: Option<&Vec<String>>) {
        let (Some(mine), Some(others)) = (self.directory.as_mut(), others) else {
            self.directory = None;
            return;
        };
        for other in others {
            if !mine.contains(other) {
                mine.push(other.clone());
            }
        }
        if mine.len() > MAX_DIRECTORIES {
            self.directory = None;
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, context: Context) -> Walk {
        let before = self.directory.clone();
        let start = self.facts.commands.len();
        for member in &pipeline.members {
            self.member(member, context)?;
            if pipeline.members.len() > 1 {
                self.directory.clone_from(&before);
            }
        }
        if pipeline.negated {
            self.or_in(before.as_ref());
        }
        if pipeline.members.len() > 1 {
            let members = (start..self.facts.commands.len()).collect();
            self.facts.pipelines.push(members);
        }
        Ok(())
    }

    fn member(&mut self, member: &Member, context: Context) -> Walk {
        if let Body::Simple(simple) = &member.body {
            return self.simple(simple, &member.redirects, context);
        }
        for redirection in &member.redirects {
            self.redirection(redirection, context)?;
        }
        self.compound(&member.body, context)
    }

    fn compound(&mut self, body: &Body, context: Context) -> Walk {
        match body {
            Body::Simple(simple) => self.simple(simple, &[], context),
            Body::Nothing => Ok(()),
            Body::Subshell(script) => self.subshell(|walker| walker.script(script, context)),
            Body::Group(script) => self.script(script, context),
            Body::If(parts) => parts.iter().try_for_each(|part| self.branch(part, context)),
            Body::Loop(condition, body) => self.repeated(|walker| {
                walker.script(condition, context)?;
                walker.script(body, context)
            }),
            Body::For(name, words, body) => self.for_loop(name, words.as_deref(), body, context),
            Body::ArithmeticFor(pieces, body) => {
                self.arithmetic(pieces, context)?;
                self.repeated(|walker| walker.script(body, context))
            }
            Body::Case(subject, arms) => self.case(subject, arms, context),
            Body::Arithmetic(pieces) => self.arithmetic(pieces, context),
            Body::Test(terms) => terms.iter().try_for_each(|term| self.test(term, context)),
            Body::Function(name, body) => self.function(name, body, context),
            Body::Coprocess(name, body) => {
                if let Some(name) = name {
                    self.assign(name, None, context)?;
                }
                self.subshell(|walker| walker.member(body, context))
            }
        }
    }

    /// What happens to the directory in there stays in there.
    pub(super) fn subshell(&mut self, inner: impl FnOnce(&mut Self) -> Walk) -> Walk {
        let before = self.directory.clone();
        inner(self)?;
        self.directory = before;
        Ok(())
    }

    fn branch(&mut self, part: &Script, context: Context) -> Walk {
        let before = self.directory.clone();
        self.script(part, context)?;
        self.or_in(before.as_ref());
        Ok(())
    }

    /// A body that may run again after it changed the directory.
    fn repeated(&mut self, inner: impl FnOnce(&mut Self) -> Walk) -> Walk {
        let (moves, commands) = (self.moves, self.facts.commands.len());
        let redirects = self.facts.redirects.len();
        inner(self)?;
        if self.moves == moves {
            return Ok(());
        }
        self.directory = None;
        for command in self.facts.commands.iter_mut().skip(commands) {
            command.directory = Directory::Unknown;
        }
        for redirect in self.facts.redirects.iter_mut().skip(redirects) {
            redirect.directory = Directory::Unknown;
        }
        Ok(())
    }

    fn for_loop(
        &mut self,
        name: &str,
        words: Option<&[Word]>,
        body: &Script,
        context: Context,
    ) -> Walk {
        for word in words.unwrap_or(&[]) {
            self.pieces(&word.pieces, context)?;
        }
        self.assign(name, None, context)?;
        self.repeated(|walker| walker.script(body, context))
    }

    fn case(&mut self, subject: &Word, arms: &[(Vec<Word>, Script)], context: Context) -> Walk {
        self.pieces(&subject.pieces, context)?;
        for (patterns, script) in arms {
            for pattern in patterns {
                self.pieces(&pattern.pieces, context)?;
            }
            self.branch(script, context)?;
        }
        Ok(())
    }

    /// Called from anywhere, so its directory is not known.
    fn function(&mut self, name: &str, body: &Member, context: Context) -> Walk {
        if !self.facts.functions.iter().any(|known| known == name) {
            self.facts.functions.push(name.to_owned());
        }
        self.spend(self.facts.functions.len())?;
        let before = self.directory.take();
        let moves = self.moves;
        self.member(body, context.via(Origin::Function))?;
        self.function_moves |= self.moves != moves;
        self.directory = before;
        Ok(())
    }

    fn test(&mut self, term: &TestTerm, context: Context) -> Walk {
        for word in &term.words {
            self.pieces(&word.pieces, context)?;
        }
        match term.operator.as_deref() {
            Some("-v" | "-R") => self.evaluated_names(&term.words, context),
            Some("-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge") => term
                .words
                .iter()
                .try_for_each(|word| self.arithmetic_text(&expand::value(&word.pieces), context)),
            _ => Ok(()),
        }
    }

    fn evaluated_names(&mut self, words: &[Word], context: Context) -> Walk {
        for word in words {
            let name = expand::value(&word.pieces);
            self.evaluated_name(&name, context)?;
        }
        Ok(())
    }

    /// A text that bash takes for a variable's name: a subscript in it is evaluated.
    pub(super) fn evaluated_name(&mut self, name: &Argument, context: Context) -> Walk {
        if name.certainty != Certainty::Literal && !name.text.contains('[') {
            return self.opaque(OpaqueKind::Subscript, &name.text, context.parent);
        }
        if name.text.contains('[') {
            self.opaque(OpaqueKind::Subscript, &name.text, context.parent)?;
            self.read_expanded(&name.text, context)?;
        }
        Ok(())
    }

    /// An operand that bash evaluates as arithmetic.
    pub(super) fn arithmetic_text(&mut self, argument: &Argument, context: Context) -> Walk {
        if arithmetic::is_number(&argument.text) {
            return Ok(());
        }
        self.opaque(OpaqueKind::Arithmetic, &argument.text, context.parent)?;
        self.read_expanded(&argument.text, context)
    }

    /// Text that bash expands as if it stood in double quotes.
    pub(super) fn read_expanded(&mut self, text: &str, context: Context) -> Walk {
        if !text.contains(['$', '`']) || context.depth >= MAX_DEPTH {
            return Ok(());
        }
        let Ok(mut parser) = Parser::new(text, context.depth, self.budget) else {
            return self.stop(OpaqueKind::Budget, text);
        };
        let result = parser.document();
        let documents = std::mem::take(&mut parser.documents);
        let notes = std::mem::take(&mut parser.notes);
        for note in notes {
            self.opaque(note.kind, &note.about, context.parent)?;
        }
        let pieces = match result {
            Ok(pieces) => pieces,
            Err(_) => return self.opaque(OpaqueKind::Rejected, text, context.parent),
        };
        let outer = std::mem::replace(&mut self.documents, documents);
        let walked = self.pieces(&pieces, context.via(Origin::Evaluated));
        self.documents = outer;
        walked
    }

    /// Arithmetic: substitutions in it run, and variables in it are evaluated in their turn.
    fn arithmetic(&mut self, pieces: &[Piece], context: Context) -> Walk {
        self.pieces(pieces, context)?;
        let text = expand::value(pieces).text;
        self.spend(text.len())?;
        for name in arithmetic::names(&text) {
            if names::influence(name) == Influence::Code {
                self.assign(name, None, context)?;
            }
        }
        if arithmetic::reads_variables(&text) {
            self.opaque(OpaqueKind::Arithmetic, &text, context.parent)?;
        }
        Ok(())
    }

    /// Everything that runs while a word is expanded.
    pub(super) fn pieces(&mut self, pieces: &[Piece], context: Context) -> Walk {
        self.spend(pieces.len())?;
        for piece in pieces {
            match piece {
                Piece::Text(_) | Piece::Quoted(_) => {}
                Piece::Parameter(parameter) => self.parameter(parameter, context)?,
                Piece::Command(script, _) => {
                    self.spend(COMMAND_STEPS)?;
                    let context = context.via(Origin::Substitution);
                    self.subshell(|walker| walker.script(script, context))?;
                }
                Piece::Arithmetic(inner) => self.arithmetic(inner, context)?,
                Piece::Process(script) => {
                    let context = context.via(Origin::ProcessSubstitution);
                    self.subshell(|walker| walker.script(script, context))?;
                }
                Piece::Odd(text, kind) => self.opaque(*kind, text, context.parent)?,
            }
        }
        Ok(())
    }

    fn parameter(&mut self, parameter: &Parameter, context: Context) -> Walk {
        self.pieces(&parameter.nested, context)?;
        match parameter.operation {
            Operation::Read => Ok(()),
            Operation::Assign => self.assign(&parameter.name, None, context),
            Operation::Evaluate => {
                self.opaque(OpaqueKind::Arithmetic, &parameter.name, context.parent)
            }
            Operation::Indirect => {
                self.opaque(OpaqueKind::Indirect, &parameter.name, context.parent)
            }
        }
    }

    fn redirection(&mut self, redirection: &Redirection, context: Context) -> Walk {
        if let Some(variable) = &redirection.variable {
            self.assign(variable, None, context)?;
        }
        let mode = match redirection.operator {
            Operator::HereDocument => return self.here_document(redirection, context),
            Operator::HereString => return self.here_string(redirection, context),
            Operator::Read => RedirectMode::Read,
            Operator::Write | Operator::Both => RedirectMode::Write,
            Operator::Append | Operator::BothAppend => RedirectMode::Append,
            Operator::ReadWrite => RedirectMode::ReadWrite,
            Operator::DuplicateIn | Operator::DuplicateOut => RedirectMode::Duplicate,
        };
        self.pieces(&redirection.target.pieces, context)?;
        for target in self.expand(&redirection.target, context)? {
            self.spend(COMMAND_STEPS)?;
            self.redirect(mode, redirection.operator, target, context)?;
        }
        Ok(())
    }

    fn redirect(
        &mut self,
        mode: RedirectMode,
        operator: Operator,
        target: Argument,
        context: Context,
    ) -> Walk {
        let descriptor = target.text.strip_suffix('-').unwrap_or(&target.text);
        let number = descriptor.bytes().all(|byte| byte.is_ascii_digit());
        if !target.is_literal() {
            self.opaque(OpaqueKind::Target, &target.text, context.parent)?;
        }
        let mode = match (mode, operator) {
            (RedirectMode::Duplicate, Operator::DuplicateOut) if !number => RedirectMode::Write,
            (mode, _) => mode,
        };
        self.push_redirect(mode, target);
        Ok(())
    }

    pub(super) fn push_redirect(&mut self, mode: RedirectMode, target: Argument) {
        let directory = self.here();
        self.facts.redirects.push(Redirect {
            mode,
            target,
            directory,
        });
    }

    fn here_document(&mut self, redirection: &Redirection, context: Context) -> Walk {
        let Some(index) = redirection.document else {
            return Ok(());
        };
        let body = self.documents.get_mut(index).map(std::mem::take);
        let pieces = body.unwrap_or_default().pieces;
        self.pieces(&pieces, context)?;
        self.push_document(&pieces);
        Ok(())
    }

    fn here_string(&mut self, redirection: &Redirection, context: Context) -> Walk {
        self.pieces(&redirection.target.pieces, context)?;
        self.push_document(&redirection.target.pieces);
        Ok(())
    }

    fn push_document(&mut self, pieces: &[Piece]) {
        let value = expand::value(pieces);
        self.facts.documents.push(Document {
            text: value.text,
            certainty: value.certainty,
        });
    }

    /// The arguments that a word becomes.
    fn expand(&mut self, word: &Word, context: Context) -> Result<Vec<Argument>, Stopped> {
        match expand::arguments(word, self.budget) {
            Ok(expanded) => {
                if expanded.gave_up {
                    self.opaque(OpaqueKind::Braces, "{…}", context.parent)?;
                }
                Ok(expanded.arguments)
            }
            Err(_) => self.stop(OpaqueKind::Budget, "braces").map(|()| Vec::new()),
        }
    }

    fn simple(&mut self, simple: &Simple, redirects: &[Redirection], context: Context) -> Walk {
        for assignment in simple.assignments.iter().chain(&simple.lists) {
            self.assignment_word(assignment, simple, context)?;
        }
        let mut arguments = Vec::with_capacity(simple.words.len());
        for word in &simple.words {
            self.spend(1)?;
            self.pieces(&word.pieces, context)?;
            arguments.extend(self.expand(word, context)?);
        }
        let documents = self.facts.documents.len();
        for redirection in redirects {
            self.redirection(redirection, context)?;
        }
        let input = self
            .facts
            .documents
            .get(documents..)
            .and_then(<[_]>::last)
            .cloned();
        self.command(arguments, input, context)
    }

    fn assignment_word(
        &mut self,
        assignment: &AssignmentWord,
        simple: &Simple,
        context: Context,
    ) -> Walk {
        if let Some(subscript) = &assignment.subscript {
            self.arithmetic(subscript, context)?;
        }
        let value = match &assignment.value {
            AssignedValue::Word(word) => {
                self.pieces(&word.pieces, context)?;
                Some(expand::value(&word.pieces))
            }
            AssignedValue::List(words) => {
                for word in words {
                    self.pieces(&word.pieces, context)?;
                }
                None
            }
        };
        if assignment.name == "IFS" && is_read(simple) {
            // `IFS= read -r line`: how `read` splits, and nothing after it.
            self.push_assignment(&assignment.name, value, Influence::Data);
            return Ok(());
        }
        self.assign(&assignment.name, value, context)
    }

    fn push_assignment(&mut self, name: &str, value: Option<Argument>, influence: Influence) {
        self.facts.assignments.push(Assignment {
            name: name.to_owned(),
            value,
            influence,
        });
    }

    /// A variable gets a value.
    pub(super) fn assign(&mut self, name: &str, value: Option<Argument>, context: Context) -> Walk {
        let influence = names::influence(name);
        self.spend(COMMAND_STEPS)?;
        if influence == Influence::Code {
            self.opaque(OpaqueKind::Environment, name, context.parent)?;
            if let Some(value) = value.as_ref().filter(|_| names::holds_code(name)) {
                self.read(&value.text, context.via(Origin::Deferred))?;
            }
        }
        self.push_assignment(name, value, influence);
        Ok(())
    }

    /// Where the next command runs.
    pub(super) fn here(&self) -> Directory {
        match &self.directory {
            Some(paths) => Directory::OneOf(paths.clone()),
            None => Directory::Unknown,
        }
    }

    /// A command with its arguments, the name among them; `input` is its here-document.
    pub(super) fn command(
        &mut self,
        mut words: Vec<Argument>,
        input: Option<Document>,
        context: Context,
    ) -> Walk {
        self.spend(
            words
                .len()
                .saturating_mul(WORD_STEPS)
                .saturating_add(COMMAND_STEPS),
        )?;
        if words.is_empty() {
            return Ok(());
        }
        if context.depth >= MAX_DEPTH {
            return self.opaque(OpaqueKind::Depth, "wrappers", context.parent);
        }
        let name = words.remove(0);
        let index = self.facts.commands.len();
        let resolved = names::resolve(&name.text);
        self.spend(self.facts.functions.len())?;
        let kind = self.kind_of(&name, &resolved);
        self.facts.commands.push(Command {
            name: resolved.name.to_owned(),
            path: name.text.contains('/').then(|| name.text.clone()),
            kind,
            subcommand: None,
            flags: Vec::new(),
            arguments: words,
            effects: Vec::new(),
            origin: context.origin,
            parent: context.parent,
            directory: self.here(),
        });
        self.name_doubts(&name, &resolved, index)?;
        self.argument_doubts(index)?;
        if self.function_moves && kind != CommandKind::Program {
            self.lose_directory();
        }
        programs::inspect(self, index, resolved.base, &name, input, context)
    }

    /// The directory is not known from here on.
    pub(super) fn lose_directory(&mut self) {
        self.moves += 1;
        self.directory = None;
    }

    fn kind_of(&self, name: &Argument, resolved: &names::Resolved<'_>) -> CommandKind {
        if !name.is_literal() {
            return CommandKind::Unknown;
        }
        if self.facts.functions.contains(&name.text) {
            return CommandKind::Function;
        }
        match names::is_builtin(resolved.name) && !name.text.contains('/') {
            true => CommandKind::Builtin,
            false => CommandKind::Program,
        }
    }

    fn name_doubts(
        &mut self,
        name: &Argument,
        resolved: &names::Resolved<'_>,
        index: usize,
    ) -> Walk {
        if !name.is_literal() {
            return self.opaque(OpaqueKind::Name, &name.text, Some(index));
        }
        if resolved.local {
            self.opaque(OpaqueKind::LocalProgram, &name.text, Some(index))?;
        }
        if !name.text.is_ascii() {
            self.opaque(OpaqueKind::Lookalike, &name.text, Some(index))?;
        }
        Ok(())
    }

    /// At most one opaque fact of each kind for one command.
    fn argument_doubts(&mut self, index: usize) -> Walk {
        let Some(command) = self.facts.commands.get(index) else {
            return Ok(());
        };
        let first = |wanted: fn(Certainty) -> bool| {
            let mut arguments = command.arguments.iter();
            let found = arguments.find(|argument| wanted(argument.certainty));
            found.map(|argument| argument.text.clone())
        };
        let glob = first(|certainty| certainty == Certainty::Glob);
        let input = first(|certainty| certainty == Certainty::Input);
        let unknown = first(|certainty| certainty > Certainty::Input);
        if let Some(text) = glob {
            self.opaque(OpaqueKind::Glob, &text, Some(index))?;
        }
        if let Some(text) = input {
            self.opaque(OpaqueKind::Input, &text, Some(index))?;
        }
        if let Some(text) = unknown {
            self.opaque(OpaqueKind::Argument, &text, Some(index))?;
        }
        Ok(())
    }
}

/// Whether the command is the builtin `read`, by its plain name.
fn is_read(simple: &Simple) -> bool {
    match simple.words.first().map(|word| word.pieces.as_slice()) {
        Some([Piece::Text(name)]) => name == "read",
        _ => false,
    }
}
