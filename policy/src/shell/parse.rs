//! The grammar: lists, pipelines, compound commands, redirections, here-documents.
//!
//! ```text
//!  list ──► and-or ──► pipeline ──► member ──┬─► simple: assignments, words, redirections
//!                                            └─► compound, function, coproc, [[ ]], (( ))
//! ```
//!
//! Accepts what `bash -n` of 5.2 accepts. A syntax error keeps what was read before it: bash runs
//! that much of a text before it sees the error.

use super::ast::{
    AndOr, Body, End, Joint, Member, Operator, Pipeline, Redirection, Script, Simple, Word,
};
use super::cursor::{Fault, Parsed, Parser, is_break, is_name};
use super::facts::OpaqueKind;
use super::word::Place;

/// What ends a list besides the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Only the end of the text.
    End,
    /// `)`
    Paren,
    /// One of these reserved words, where a command would start.
    Words(&'static [&'static str]),
    /// `;;` and its like, or `esac`.
    Arm,
}

/// Steps for making one member of a pipeline, against one for reading a byte: measured.
const MEMBER_STEPS: usize = 24;

/// Reserved words that cannot start a command.
const CLOSERS: &[&str] = &[
    "then", "elif", "else", "fi", "do", "done", "esac", "in", "}",
];

/// Every word with a meaning where a command starts.
const RESERVED: &[&str] = &[
    "if", "then", "elif", "else", "fi", "do", "done", "case", "esac", "while", "until", "for",
    "select", "function", "{", "}", "!", "[[", "time", "coproc", "in",
];

/// Builtins whose arguments may be assignments of lists.
const ASSIGNING: &[&str] = &[
    "alias", "declare", "eval", "export", "let", "local", "readonly", "typeset",
];

impl Parser<'_, '_> {
    /// Reads the whole text.
    pub(super) fn finish(mut self) -> Parsed {
        let mut script = Script::default();
        let fault = self.whole(&mut script).err();
        if !self.pending.is_empty() && fault.is_none() {
            self.note(OpaqueKind::HereDocument, "no body");
        }
        Parsed {
            script,
            documents: self.documents,
            notes: self.notes,
            fault,
        }
    }

    fn whole(&mut self, script: &mut Script) -> Result<(), Fault> {
        self.entries(Stop::End, script)?;
        if self.cur().is_some() {
            return Err(Fault::Syntax);
        }
        Ok(())
    }

    /// A list, possibly empty.
    pub(super) fn list(&mut self, stop: Stop) -> Result<Script, Fault> {
        let mut script = Script::default();
        self.entries(stop, &mut script)?;
        Ok(script)
    }

    /// A list that must hold a command, as in `then … fi`.
    fn body(&mut self, stop: Stop) -> Result<Script, Fault> {
        let script = self.deeper(|parser| parser.list(stop))?;
        if script.entries.is_empty() {
            return Err(Fault::Syntax);
        }
        Ok(script)
    }

    fn entries(&mut self, stop: Stop, script: &mut Script) -> Result<(), Fault> {
        loop {
            self.skip_newlines()?;
            if self.at_stop(stop) {
                return Ok(());
            }
            let mut entry = self.and_or()?;
            self.skip_blanks();
            let separated = self.separator(&mut entry)?;
            script.entries.push(entry);
            if !separated {
                return Ok(());
            }
        }
    }

    fn at_stop(&mut self, stop: Stop) -> bool {
        match (self.cur(), stop) {
            (None, _) => true,
            (Some(byte), Stop::Paren) => byte == b')',
            (Some(_), Stop::End) => false,
            (Some(_), Stop::Words(words)) => words.iter().any(|word| self.at_word(word)),
            (Some(_), Stop::Arm) => self.at(";;") || self.at(";&") || self.at_word("esac"),
        }
    }

    /// `;`, `&` or a newline. Not the first half of `;;`.
    fn separator(&mut self, entry: &mut AndOr) -> Result<bool, Fault> {
        if self.at(";;") || self.at(";&") {
            return Ok(false);
        }
        if self.eat(";") {
            return Ok(true);
        }
        if self.eat("&") {
            entry.end = End::Background;
            return Ok(true);
        }
        if self.cur() == Some(b'\n') {
            self.newline()?;
            return Ok(true);
        }
        Ok(false)
    }

    fn and_or(&mut self) -> Result<AndOr, Fault> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let joint = if self.eat("&&") {
                Joint::And
            } else if self.eat("||") {
                Joint::Or
            } else {
                break;
            };
            self.skip_newlines()?;
            rest.push((joint, self.pipeline()?));
        }
        Ok(AndOr {
            first,
            rest,
            end: End::Sequence,
        })
    }

    fn pipeline(&mut self) -> Result<Pipeline, Fault> {
        let start = self.pos;
        let prefixed = self.prefixes();
        let negated = self.since(start).contains('!');
        if prefixed && self.at_pipeline_end() {
            return Ok(Pipeline {
                members: vec![member(Body::Nothing)],
                negated,
            });
        }
        let mut members = vec![self.member()?];
        loop {
            self.skip_blanks();
            if self.at("||") || !self.eat("|") {
                return Ok(Pipeline { members, negated });
            }
            if self.cur() == Some(b'&') {
                self.pos += 1;
            }
            self.skip_newlines()?;
            members.push(self.member()?);
        }
    }

    /// `!` and `time`, any number of them.
    fn prefixes(&mut self) -> bool {
        let mut any = false;
        loop {
            if self.eat_word("!") {
                self.skip_blanks();
            } else if self.eat_word("time") {
                self.skip_blanks();
                if self.eat_word("-p") {
                    self.skip_blanks();
                }
                if self.eat_word("--") {
                    self.skip_blanks();
                }
            } else {
                return any;
            }
            any = true;
        }
    }

    fn at_pipeline_end(&mut self) -> bool {
        matches!(self.cur(), None | Some(b'\n' | b';' | b')'))
    }

    /// Whether this reserved word comes next, unquoted and whole.
    pub(super) fn at_word(&mut self, word: &str) -> bool {
        let start = self.pos;
        let found = self.eat_word(word);
        self.pos = start;
        found
    }

    /// Moves over this reserved word.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let start = self.pos;
        if self.eat(word) && self.at_break() {
            return true;
        }
        self.pos = start;
        false
    }

    /// The reserved word at the place.
    fn reserved(&mut self) -> Option<&'static str> {
        match self.cur()? {
            b'a'..=b'z' | b'{' | b'}' | b'!' | b'[' => {}
            _ => return None,
        }
        RESERVED.iter().copied().find(|word| self.at_word(word))
    }

    fn member(&mut self) -> Result<Member, Fault> {
        self.budget.spend(MEMBER_STEPS)?;
        self.skip_blanks();
        if self.cur() == Some(b'(') {
            let body = self.paren_command()?;
            return self.compound(body);
        }
        match self.reserved() {
            Some(word) if word == "!" || CLOSERS.contains(&word) => Err(Fault::Syntax),
            Some("function") => self.function_keyword(),
            Some("coproc") => self.coprocess(),
            // Special only where a pipeline starts; elsewhere an ordinary word.
            Some("time") | None => self.simple(),
            Some(word) => {
                let body = self.keyword_command(word)?;
                self.compound(body)
            }
        }
    }

    /// A compound command with its redirections.
    fn compound(&mut self, body: Body) -> Result<Member, Fault> {
        let mut redirects = Vec::new();
        loop {
            self.skip_blanks();
            match self.redirection()? {
                Some(redirection) => redirects.push(redirection),
                None => return Ok(Member { body, redirects }),
            }
        }
    }

    /// `((…))` or `(…)`.
    fn paren_command(&mut self) -> Result<Body, Fault> {
        let start = self.pos;
        if self.eat("((")
            && let Some(pieces) = self.arithmetic_or_back(start)?
        {
            return Ok(Body::Arithmetic(pieces));
        }
        self.pos = start;
        self.expect("(")?;
        let script = self.body(Stop::Paren)?;
        self.expect(")")?;
        Ok(Body::Subshell(script))
    }

    fn keyword_command(&mut self, word: &'static str) -> Result<Body, Fault> {
        self.eat(word);
        match word {
            "{" => {
                let script = self.body(Stop::Words(&["}"]))?;
                self.close("}")?;
                Ok(Body::Group(script))
            }
            "if" => self.if_command(),
            "while" | "until" => self.loop_command(),
            "for" => self.for_command(),
            "select" => {
                self.skip_blanks();
                self.for_words()
            }
            "case" => self.case_command(),
            "[[" => {
                let terms = self.deeper(Self::test_command)?;
                Ok(Body::Test(terms))
            }
            _ => Err(Fault::Syntax),
        }
    }

    /// A reserved word that must come now.
    fn close(&mut self, word: &str) -> Result<(), Fault> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(Fault::Syntax)
        }
    }

    fn if_command(&mut self) -> Result<Body, Fault> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.body(Stop::Words(&["then"]))?);
            self.close("then")?;
            parts.push(self.body(Stop::Words(&["elif", "else", "fi"]))?);
            if !self.eat_word("elif") {
                break;
            }
        }
        if self.eat_word("else") {
            parts.push(self.body(Stop::Words(&["fi"]))?);
        }
        self.close("fi")?;
        Ok(Body::If(parts))
    }

    fn loop_command(&mut self) -> Result<Body, Fault> {
        let condition = self.body(Stop::Words(&["do"]))?;
        let body = self.do_group()?;
        Ok(Body::Loop(condition, body))
    }

    fn do_group(&mut self) -> Result<Script, Fault> {
        self.close("do")?;
        let script = self.body(Stop::Words(&["done"]))?;
        self.close("done")?;
        Ok(script)
    }

    /// `do … done`, or the older `{ … }`.
    fn for_body(&mut self) -> Result<Script, Fault> {
        if !self.eat_word("{") {
            return self.do_group();
        }
        let script = self.body(Stop::Words(&["}"]))?;
        self.close("}")?;
        Ok(script)
    }

    fn for_command(&mut self) -> Result<Body, Fault> {
        self.skip_blanks();
        if !self.eat("((") {
            return self.for_words();
        }
        let start = self.pos;
        let Some(pieces) = self.arithmetic_or_back(start)? else {
            return Err(Fault::Syntax);
        };
        self.skip_blanks();
        self.eat(";");
        self.skip_newlines()?;
        let body = self.for_body()?;
        Ok(Body::ArithmeticFor(pieces, body))
    }

    fn for_words(&mut self) -> Result<Body, Fault> {
        let start = self.pos;
        self.word(Place::Plain)?;
        let name = self.since(start).replace("\\\n", "");
        if !is_name(&name) {
            // Bash reads on and fails when the loop runs.
            self.note(OpaqueKind::Rejected, &name);
        }
        self.skip_newlines()?;
        let mut words = None;
        if self.eat_word("in") {
            words = Some(self.words_to_end()?);
            self.skip_newlines()?;
        } else if self.eat(";") {
            self.skip_newlines()?;
        }
        let body = self.for_body()?;
        Ok(Body::For(name, words, body))
    }

    /// Words up to `;` or a newline, which is consumed.
    fn words_to_end(&mut self) -> Result<Vec<Word>, Fault> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            match self.cur() {
                Some(b';') if !self.at(";;") => {
                    self.pos += 1;
                    return Ok(words);
                }
                Some(b'\n') => {
                    self.newline()?;
                    return Ok(words);
                }
                _ => words.push(self.word(Place::Plain)?),
            }
        }
    }

    fn case_command(&mut self) -> Result<Body, Fault> {
        self.skip_blanks();
        let subject = self.word(Place::Plain)?;
        self.skip_newlines()?;
        self.close("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.eat_word("esac") {
                return Ok(Body::Case(subject, arms));
            }
            let patterns = self.case_patterns()?;
            let script = self.deeper(|parser| parser.list(Stop::Arm))?;
            arms.push((patterns, script));
            let ended = self.eat(";;&") || self.eat(";;") || self.eat(";&");
            if !ended && !self.at_word("esac") {
                return Err(Fault::Syntax);
            }
        }
    }

    fn case_patterns(&mut self) -> Result<Vec<Word>, Fault> {
        self.eat("(");
        let mut patterns = Vec::new();
        loop {
            self.skip_blanks();
            patterns.push(self.word(Place::Plain)?);
            self.skip_blanks();
            if self.eat(")") {
                return Ok(patterns);
            }
            self.expect("|")?;
        }
    }

    /// `function name [()] body`.
    fn function_keyword(&mut self) -> Result<Member, Fault> {
        self.eat("function");
        self.skip_blanks();
        let start = self.pos;
        self.word(Place::Plain)?;
        let name = self.since(start).to_owned();
        self.skip_blanks();
        if self.at("(") && !self.at("((") {
            let before = self.pos;
            self.pos += 1;
            self.skip_blanks();
            if !self.eat(")") {
                self.pos = before;
            }
        }
        self.function_body(name)
    }

    fn function_body(&mut self, name: String) -> Result<Member, Fault> {
        self.skip_newlines()?;
        let body = self.deeper(Self::member)?;
        if matches!(
            body.body,
            Body::Simple(_) | Body::Function(..) | Body::Coprocess(..) | Body::Nothing
        ) {
            return Err(Fault::Syntax);
        }
        Ok(member(Body::Function(name, Box::new(body))))
    }

    /// `coproc [name] command`.
    fn coprocess(&mut self) -> Result<Member, Fault> {
        self.eat("coproc");
        self.skip_blanks();
        let name = self.coprocess_name()?;
        let body = self.deeper(Self::member)?;
        Ok(member(Body::Coprocess(name, Box::new(body))))
    }

    /// A name counts only before a compound command.
    fn coprocess_name(&mut self) -> Result<Option<String>, Fault> {
        let start = self.pos;
        if self.at_break() || self.reserved().is_some() {
            return Ok(None);
        }
        self.word(Place::Plain)?;
        let name = self.since(start).to_owned();
        self.skip_blanks();
        let compound = self.cur() == Some(b'(') || self.reserved().is_some();
        if compound {
            if !is_name(&name) {
                // Bash reads on and fails when it gets there.
                self.note(OpaqueKind::Rejected, &name);
            }
            return Ok(Some(name));
        }
        self.budget.spend(self.pos - start)?;
        self.pos = start;
        Ok(None)
    }

    /// Assignments, words and redirections; or the head of a function.
    fn simple(&mut self) -> Result<Member, Fault> {
        let mut simple = Simple::default();
        let mut redirects = Vec::new();
        let start = self.pos;
        let mut assigning = Assigning::Prefix;
        loop {
            self.skip_blanks();
            if let Some(redirection) = self.redirection()? {
                redirects.push(redirection);
                continue;
            }
            if self.at_break() && !self.at("<(") && !self.at(">(") {
                break;
            }
            self.simple_part(&mut simple, &mut assigning)?;
            if simple.words.len() == 1 && redirects.is_empty() && simple.assignments.is_empty() {
                let name = self.since(start);
                if let Some(function) = self.function_after(name)? {
                    return Ok(function);
                }
            }
        }
        if simple.words.is_empty() && simple.assignments.is_empty() && redirects.is_empty() {
            return Err(Fault::Syntax);
        }
        Ok(Member {
            body: Body::Simple(simple),
            redirects,
        })
    }

    fn simple_part(&mut self, simple: &mut Simple, state: &mut Assigning) -> Result<(), Fault> {
        match *state {
            Assigning::Prefix => {
                if let Some(assignment) = self.assignment()? {
                    simple.assignments.push(assignment);
                    return Ok(());
                }
                let start = self.pos;
                simple.words.push(self.word(Place::Plain)?);
                *state = match ASSIGNING.contains(&self.since(start)) {
                    true => Assigning::Arguments,
                    false => Assigning::Never,
                };
            }
            Assigning::Arguments if self.list_ahead()? => {
                if let Some(assignment) = self.assignment()? {
                    simple.lists.push(assignment);
                }
            }
            Assigning::Arguments | Assigning::Never => {
                simple.words.push(self.word(Place::Plain)?);
            }
        }
        Ok(())
    }

    /// Whether `name=(` comes next.
    fn list_ahead(&mut self) -> Result<bool, Fault> {
        let start = self.pos;
        while self
            .raw(0)
            .is_some_and(|byte| !is_break(byte) && byte != b'=')
        {
            self.pos += 1;
        }
        let found =
            self.eat("=(") && is_name(self.between(start, self.pos - 2).trim_end_matches('+'));
        self.budget.spend(self.pos - start)?;
        self.pos = start;
        Ok(found)
    }

    /// `name () body`, if parentheses follow the first word.
    fn function_after(&mut self, name: &str) -> Result<Option<Member>, Fault> {
        let before = self.pos;
        let name = name.to_owned();
        self.skip_blanks();
        if self.cur() != Some(b'(') {
            self.pos = before;
            return Ok(None);
        }
        self.pos += 1;
        self.skip_blanks();
        self.expect(")")?;
        self.function_body(name).map(Some)
    }

    /// A redirection, with the number or variable before it.
    fn redirection(&mut self) -> Result<Option<Redirection>, Fault> {
        self.cur();
        let start = self.pos;
        let variable = self.descriptor();
        if self.at("<(") || self.at(">(") {
            self.pos = start;
            return Ok(None);
        }
        let plain = start == self.pos;
        let Some(operator) = self.operator(plain) else {
            self.pos = start;
            return Ok(None);
        };
        self.skip_blanks();
        let target_start = self.pos;
        let target = self.word(Place::Plain)?;
        let digits = self
            .since(target_start)
            .bytes()
            .all(|byte| byte.is_ascii_digit());
        if digits && matches!(self.cur(), Some(b'<' | b'>')) {
            // `1>2>x`: the number belongs to the second redirection, and the first has no file.
            return Err(Fault::Syntax);
        }
        let document = match operator {
            (Operator::HereDocument, tabs) => Some(self.open_document(&target, target_start, tabs)),
            _ => None,
        };
        Ok(Some(Redirection {
            operator: operator.0,
            variable,
            target,
            document,
        }))
    }

    /// Digits or `{name}` directly before `<` or `>`; otherwise the place stays.
    fn descriptor(&mut self) -> Option<String> {
        let start = self.pos;
        if self.raw(0) == Some(b'{') {
            return self.descriptor_variable();
        }
        while self.cur().is_some_and(|byte| byte.is_ascii_digit()) {
            self.pos += 1;
        }
        if !matches!(self.cur(), Some(b'<' | b'>')) {
            self.pos = start;
        }
        None
    }

    fn descriptor_variable(&mut self) -> Option<String> {
        let start = self.pos;
        self.pos += 1;
        while self.cur().is_some_and(|byte| {
            !is_break(byte) && !matches!(byte, b'}' | b'$' | b'`' | b'\'' | b'"')
        }) {
            self.pos += 1;
        }
        let name = self.between(start + 1, self.pos).to_owned();
        let named = self.eat("}") && matches!(self.cur(), Some(b'<' | b'>'));
        let variable = name.split('[').next().is_some_and(is_name);
        if named && variable {
            if name.contains('[') {
                self.note(OpaqueKind::Subscript, &name);
            }
            return Some(name);
        }
        self.pos = start;
        None
    }

    fn operator(&mut self, plain: bool) -> Option<(Operator, super::cursor::Tabs)> {
        use super::cursor::Tabs;
        const TABLE: &[(&str, Operator)] = &[
            ("<<<", Operator::HereString),
            ("<<", Operator::HereDocument),
            ("<&", Operator::DuplicateIn),
            ("<>", Operator::ReadWrite),
            ("<", Operator::Read),
            (">>", Operator::Append),
            (">&", Operator::DuplicateOut),
            (">|", Operator::Write),
            (">", Operator::Write),
        ];
        if self.eat("<<-") {
            return Some((Operator::HereDocument, Tabs::Strip));
        }
        if plain && self.eat("&>>") {
            return Some((Operator::BothAppend, Tabs::Keep));
        }
        if plain && self.eat("&>") {
            return Some((Operator::Both, Tabs::Keep));
        }
        let (_, operator) = TABLE.iter().find(|(text, _)| self.eat(text))?;
        Some((*operator, Tabs::Keep))
    }
}

/// Where in a simple command assignments may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assigning {
    Prefix,
    Arguments,
    Never,
}

fn member(body: Body) -> Member {
    Member {
        body,
        redirects: Vec::new(),
    }
}
