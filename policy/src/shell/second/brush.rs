//! The simple commands of brush-parser's tree, as digests.

use brush_parser::ast::{
    AndOr, Assignment, AssignmentValue, CaseItem, Command, CommandPrefixOrSuffixItem,
    CompoundCommand, CompoundList, ElseClause, ExtendedTestExpr, IoFileRedirectTarget, IoRedirect,
    Pipeline, Program, RedirectList, SimpleCommand, Word,
};
use brush_parser::word::{WordPiece, WordPieceWithSource};
use brush_parser::{Parser, ParserOptions};

use super::super::cursor::key_of;
use super::ours::PROCESS_KEY;
use super::{Digest, SecondBudget, refused};

/// Substitutions inside of substitutions that are followed: as deep as our own reading goes.
const MAX_LEVELS: u32 = super::super::budget::MAX_DEPTH;

/// Brackets in a word that is read for substitutions: time doubles with each that does not close.
const MAX_BRACKETS_IN_A_WORD: usize = 12;

/// Every simple command of the text; the reason if it is not accepted.
pub(super) fn commands(text: &str, budget: &mut SecondBudget) -> Result<Vec<u64>, String> {
    let mut reader = Reader {
        budget,
        found: Vec::new(),
        level: 0,
        options: options(),
    };
    reader.text(text)?;
    Ok(reader.found)
}

/// Patterns of words do not matter here, and tildes are where its word parser panics.
fn options() -> ParserOptions {
    ParserOptions {
        enable_extended_globbing: false,
        tilde_expansion_at_word_start: false,
        ..ParserOptions::default()
    }
}

struct Reader<'b> {
    budget: &'b mut SecondBudget,
    found: Vec<u64>,
    level: u32,
    options: ParserOptions,
}

type Read = Result<(), String>;

impl Reader<'_> {
    fn text(&mut self, text: &str) -> Read {
        if self.level >= MAX_LEVELS {
            return Err("too many levels".to_owned());
        }
        self.level += 1;
        let program = self.parse(text)?;
        for list in &program.complete_commands {
            self.list(list)?;
        }
        self.level -= 1;
        Ok(())
    }

    /// A panic of the library ends here as a reason: it must not take the caller down.
    fn parse(&self, text: &str) -> Result<Program, String> {
        let options = self.options.clone();
        let parsed =
            std::panic::catch_unwind(|| Parser::new(text.as_bytes(), &options).parse_program());
        match parsed {
            Ok(Ok(program)) => Ok(program),
            Ok(Err(_)) => Err("rejected".to_owned()),
            Err(_) => Err("gave up".to_owned()),
        }
    }

    fn list(&mut self, list: &CompoundList) -> Read {
        for item in &list.0 {
            self.pipeline(&item.0.first)?;
            for next in &item.0.additional {
                match next {
                    AndOr::And(pipeline) | AndOr::Or(pipeline) => self.pipeline(pipeline)?,
                }
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Read {
        pipeline
            .seq
            .iter()
            .try_for_each(|command| self.command(command))
    }

    fn command(&mut self, command: &Command) -> Read {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Compound(compound, redirects) => {
                self.redirects(redirects.as_ref())?;
                self.compound(compound)
            }
            Command::Function(function) => {
                self.redirects(function.body.1.as_ref())?;
                self.compound(&function.body.0)
            }
            Command::ExtendedTest(test, redirects) => {
                self.redirects(redirects.as_ref())?;
                self.test(&test.expr)
            }
        }
    }

    fn compound(&mut self, compound: &CompoundCommand) -> Read {
        match compound {
            CompoundCommand::Arithmetic(arithmetic) => self.expanded(&arithmetic.expr.value),
            CompoundCommand::ArithmeticForClause(clause) => {
                let parts = [&clause.initializer, &clause.condition, &clause.updater];
                for part in parts.into_iter().flatten() {
                    self.expanded(&part.value)?;
                }
                self.list(&clause.body.list)
            }
            CompoundCommand::BraceGroup(group) => self.list(&group.list),
            CompoundCommand::Subshell(subshell) => self.list(&subshell.list),
            CompoundCommand::ForClause(clause) => {
                self.words(clause.values.as_deref().unwrap_or(&[]))?;
                self.list(&clause.body.list)
            }
            CompoundCommand::CaseClause(clause) => {
                self.word(&clause.value.value)?;
                clause.cases.iter().try_for_each(|case| self.case(case))
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition)?;
                self.list(&clause.then)?;
                let elses = clause.elses.as_deref().unwrap_or(&[]);
                elses.iter().try_for_each(|part| self.otherwise(part))
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0)?;
                self.list(&clause.1.list)
            }
            CompoundCommand::Coprocess(coprocess) => self.command(&coprocess.body),
        }
    }

    fn otherwise(&mut self, part: &ElseClause) -> Read {
        if let Some(condition) = &part.condition {
            self.list(condition)?;
        }
        self.list(&part.body)
    }

    fn case(&mut self, case: &CaseItem) -> Read {
        self.words(&case.patterns)?;
        match &case.cmd {
            Some(list) => self.list(list),
            None => Ok(()),
        }
    }

    fn test(&mut self, test: &ExtendedTestExpr) -> Read {
        match test {
            ExtendedTestExpr::And(left, right) | ExtendedTestExpr::Or(left, right) => {
                self.test(left)?;
                self.test(right)
            }
            ExtendedTestExpr::Not(inner) | ExtendedTestExpr::Parenthesized(inner) => {
                self.test(inner)
            }
            ExtendedTestExpr::UnaryTest(_, word) => self.word(&word.value),
            ExtendedTestExpr::BinaryTest(_, left, right) => {
                self.word(&left.value)?;
                self.word(&right.value)
            }
        }
    }

    fn simple(&mut self, simple: &SimpleCommand) -> Read {
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        let mut parts = Parts::default();
        for item in prefix {
            self.item(item, &mut parts)?;
        }
        if let Some(name) = &simple.word_or_name {
            parts.words.push(key_of(&name.value));
            self.word(&name.value)?;
        }
        for item in suffix {
            self.item(item, &mut parts)?;
        }
        self.found.push(parts.digest());
        Ok(())
    }

    fn item(&mut self, item: &CommandPrefixOrSuffixItem, parts: &mut Parts) -> Read {
        match item {
            CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                parts.files.extend(self.redirect(redirect)?);
                Ok(())
            }
            CommandPrefixOrSuffixItem::Word(word) => {
                parts.words.push(key_of(&word.value));
                self.word(&word.value)
            }
            CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                let list = matches!(assignment.value, AssignmentValue::Array(_));
                // Among the arguments, only lists are assignments in our reading.
                match parts.words.is_empty() || list {
                    true => parts.assignments.push(key_of(&word.value)),
                    false => parts.words.push(key_of(&word.value)),
                }
                self.assignment(assignment, word)
            }
            CommandPrefixOrSuffixItem::ProcessSubstitution(_, subshell) => {
                parts.words.push(PROCESS_KEY);
                self.list(&subshell.list)
            }
        }
    }

    fn assignment(&mut self, assignment: &Assignment, word: &Word) -> Read {
        match &assignment.value {
            AssignmentValue::Scalar(_) => self.word(&word.value),
            AssignmentValue::Array(elements) => elements.iter().try_for_each(|(index, value)| {
                if let Some(index) = index {
                    self.word(&index.value)?;
                }
                self.word(&value.value)
            }),
        }
    }

    fn redirects(&mut self, redirects: Option<&RedirectList>) -> Read {
        for redirect in redirects.iter().flat_map(|list| &list.0) {
            self.redirect(redirect)?;
        }
        Ok(())
    }

    /// The key of the target; none for a here-document.
    fn redirect(&mut self, redirect: &IoRedirect) -> Result<Option<u64>, String> {
        match redirect {
            IoRedirect::File(_, _, target) => match target {
                IoFileRedirectTarget::Filename(word) | IoFileRedirectTarget::Duplicate(word) => {
                    self.word(&word.value)?;
                    Ok(Some(key_of(&word.value)))
                }
                IoFileRedirectTarget::Fd(descriptor) => Ok(Some(key_of(&descriptor.to_string()))),
                IoFileRedirectTarget::ProcessSubstitution(_, subshell) => {
                    self.list(&subshell.list)?;
                    Ok(Some(PROCESS_KEY))
                }
            },
            IoRedirect::HereDocument(_, document) => {
                if document.requires_expansion {
                    self.expanded(&document.doc.value)?;
                }
                Ok(None)
            }
            IoRedirect::HereString(_, word) | IoRedirect::OutputAndError(word, _) => {
                self.word(&word.value)?;
                Ok(Some(key_of(&word.value)))
            }
        }
    }

    fn words(&mut self, words: &[Word]) -> Read {
        words.iter().try_for_each(|word| self.word(&word.value))
    }

    /// The substitutions in a word.
    fn word(&mut self, word: &str) -> Read {
        if !may_run(word) {
            return Ok(());
        }
        self.admit_word(word)?;
        let options = self.options.clone();
        let parsed = std::panic::catch_unwind(|| brush_parser::word::parse(word, &options).ok());
        match parsed {
            Ok(Some(pieces)) => self.pieces(word, &pieces),
            Ok(None) | Err(_) => Err("a word is rejected".to_owned()),
        }
    }

    /// Text in which quotes have no meaning: here-documents and arithmetic.
    fn expanded(&mut self, text: &str) -> Read {
        if !may_run(text) {
            return Ok(());
        }
        self.admit_word(text)?;
        let options = self.options.clone();
        let parsed =
            std::panic::catch_unwind(|| brush_parser::word::parse_heredoc(text, &options).ok());
        match parsed {
            Ok(Some(pieces)) => self.pieces(text, &pieces),
            Ok(None) | Err(_) => Err("a text is rejected".to_owned()),
        }
    }

    /// Its reader of words goes back and forth at every bracket.
    fn admit_word(&mut self, text: &str) -> Read {
        let brackets = text
            .bytes()
            .filter(|byte| matches!(byte, b'(' | b'[' | b'{' | b'`'))
            .count();
        if brackets > MAX_BRACKETS_IN_A_WORD {
            return Err("many brackets in a word".to_owned());
        }
        self.admit(text)
    }

    fn admit(&mut self, text: &str) -> Read {
        if self.level >= MAX_LEVELS {
            return Err("too many levels".to_owned());
        }
        match (refused(text), self.budget.take(text.len())) {
            (None, true) => Ok(()),
            (Some(reason), _) => Err(reason.to_owned()),
            (None, false) => Err("budget of the second reading".to_owned()),
        }
    }

    fn pieces(&mut self, source: &str, pieces: &[WordPieceWithSource]) -> Read {
        for piece in pieces {
            match &piece.piece {
                WordPiece::CommandSubstitution(text)
                | WordPiece::BackquotedCommandSubstitution(text) => {
                    self.admit(text)?;
                    self.text(text)?;
                }
                WordPiece::DoubleQuotedSequence(inner)
                | WordPiece::GettextDoubleQuotedSequence(inner) => self.pieces(source, inner)?,
                WordPiece::ArithmeticExpression(expression) => self.expanded(&expression.value)?,
                WordPiece::ParameterExpansion(_) => {
                    let text = source.get(piece.start_index..piece.end_index).unwrap_or("");
                    self.operand(text)?;
                }
                WordPiece::Text(_)
                | WordPiece::SingleQuotedText(_)
                | WordPiece::AnsiCQuotedText(_)
                | WordPiece::TildeExpansion(_)
                | WordPiece::EscapeSequence(_) => {}
            }
        }
        Ok(())
    }

    /// What stands in `${…}`, read as a word of its own.
    fn operand(&mut self, text: &str) -> Read {
        let inner = text
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'));
        match inner {
            Some(inner) => {
                self.level += 1;
                self.word(inner)?;
                self.level -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Whether anything in the text could be a substitution.
fn may_run(text: &str) -> bool {
    text.contains("$(")
        || text.contains('`')
        || text.contains("${")
        || text.contains("$[")
        || text.contains("<(")
        || text.contains(">(")
        || text.contains("$\\\n")
}

/// What one simple command consists of.
#[derive(Default)]
struct Parts {
    assignments: Vec<u64>,
    words: Vec<u64>,
    files: Vec<u64>,
}

impl Parts {
    fn digest(&self) -> u64 {
        let mut digest = Digest::new();
        let parts = self
            .assignments
            .iter()
            .chain(&self.words)
            .chain(&self.files);
        parts.for_each(|key| digest.add(*key));
        digest.value
    }
}
