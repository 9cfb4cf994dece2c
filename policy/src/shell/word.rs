//! Reads words: quoting, `$…`, back-ticks, process substitution, assignments.
//!
//! Follows `read_token_word` and `parse_matched_pair` of bash 5.2. Where shells differ, or where
//! quotes stand in places in which their meaning depends on the version, the word stays readable
//! and an opaque note says so.

use super::ast::{AssignedValue, AssignmentWord, Operation, Parameter, Piece, Quote, Word};
use super::cursor::{Fault, Parser, is_break, is_name_byte, is_name_start, key_of};
use super::escape::{ansi_c, unescape_backticks};
use super::facts::OpaqueKind;

/// Where a word stands, which decides what its characters mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An ordinary word.
    Plain,
    /// The pattern after `==` in `[[ … ]]`: groups as in `@(a|b)`.
    Pattern,
    /// The regular expression after `=~` in `[[ … ]]`: parentheses and bars.
    Regex,
}

/// Steps for an attempt that failed, besides those for its bytes.
const ATTEMPT_STEPS: usize = 8;

/// What quotes do inside of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    /// They are characters, and odd ones.
    Ordinary,
    /// They enclose text, as in a subscript.
    Enclose,
}

/// What ends a run of expanded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// `"`
    Quote,
    /// The end of the text, as in a here-document; `"` is an ordinary character.
    End,
}

impl Parser<'_, '_> {
    /// One word; a syntax error if there is none.
    pub(super) fn word(&mut self, place: Place) -> Result<Word, Fault> {
        self.cur();
        let start = self.pos;
        let mut pieces = Vec::new();
        if let Some((_, end)) = self.bracketed.take().filter(|(from, _)| *from == start) {
            self.bracketed_pieces(end, &mut pieces)?;
        }
        self.word_pieces(place, &mut pieces)?;
        if self.pos == start {
            return Err(Fault::Syntax);
        }
        Ok(Word {
            pieces,
            key: key_of(self.since(start)),
        })
    }

    /// The part of a word up to `end`, in which blanks and operators are ordinary.
    fn bracketed_pieces(&mut self, end: usize, out: &mut Vec<Piece>) -> Result<(), Fault> {
        while let Some(byte) = self.cur() {
            if self.pos >= end {
                break;
            }
            match byte {
                _ if is_break(byte) => self.literal_byte(out),
                _ => self.unquoted(byte, out)?,
            }
        }
        Ok(())
    }

    fn word_pieces(&mut self, place: Place, out: &mut Vec<Piece>) -> Result<(), Fault> {
        while let Some(byte) = self.cur() {
            match byte {
                b'<' | b'>' if self.next() == Some(b'(') => self.process(out)?,
                b'(' if opens_group(place, out) => self.group(out)?,
                b'|' if place == Place::Regex => self.literal_byte(out),
                _ if is_break(byte) => return Ok(()),
                _ => self.unquoted(byte, out)?,
            }
        }
        Ok(())
    }

    /// One unquoted piece that is no break.
    fn unquoted(&mut self, byte: u8, out: &mut Vec<Piece>) -> Result<(), Fault> {
        match byte {
            b'\\' => self.escaped(out),
            b'\'' => self.single_quoted(out),
            b'"' => self.double_quoted(out),
            b'`' => self.backticks(Quote::Plain, out),
            b'$' => self.dollar(Quote::Plain, out),
            _ => {
                self.run(out);
                Ok(())
            }
        }
    }

    /// A run of ordinary characters.
    fn run(&mut self, out: &mut Vec<Piece>) {
        let start = self.pos;
        while self.raw(0).is_some_and(is_ordinary) {
            self.pos += 1;
        }
        push_text(out, self.since(start));
    }

    fn literal_byte(&mut self, out: &mut Vec<Piece>) {
        let start = self.pos;
        self.pos += 1;
        push_text(out, self.since(start));
    }

    /// `(…)` inside of a pattern or regular expression.
    fn group(&mut self, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.literal_byte(out);
        self.deeper(|parser| {
            while let Some(byte) = parser.cur() {
                match byte {
                    b')' => {
                        parser.literal_byte(out);
                        return Ok(());
                    }
                    b'(' => parser.group(out)?,
                    _ if is_break(byte) => parser.literal_byte(out),
                    _ => parser.unquoted(byte, out)?,
                }
            }
            Err(Fault::Syntax)
        })
    }

    /// `\c` outside of quotes.
    fn escaped(&mut self, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.pos += 1;
        let start = self.pos;
        self.skip_char();
        let text = self.since(start);
        out.push(Piece::Quoted(
            if text.is_empty() { "\\" } else { text }.to_owned(),
        ));
        Ok(())
    }

    /// Over one whole character.
    fn skip_char(&mut self) {
        if self.raw(0).is_some() {
            self.pos += 1;
        }
        while self.raw(0).is_some_and(|byte| byte & 0xc0 == 0x80) {
            self.pos += 1;
        }
    }

    fn single_quoted(&mut self, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.pos += 1;
        let start = self.pos;
        self.skip_to(b'\'')?;
        out.push(Piece::Quoted(self.since(start).to_owned()));
        self.pos += 1;
        Ok(())
    }

    /// To the byte, raw; a syntax error if the text ends first.
    fn skip_to(&mut self, byte: u8) -> Result<(), Fault> {
        let rest = self.bytes.get(self.pos..).unwrap_or(&[]);
        match rest.iter().position(|other| *other == byte) {
            Some(ahead) => {
                self.pos += ahead;
                Ok(())
            }
            None => Err(Fault::Syntax),
        }
    }

    fn double_quoted(&mut self, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.pos += 1;
        let before = out.len();
        self.deeper(|parser| parser.expanded(Until::Quote, out))?;
        self.pos += 1;
        if out.len() == before {
            out.push(Piece::Quoted(String::new()));
        }
        Ok(())
    }

    /// The body of a here-document.
    pub(super) fn document(&mut self) -> Result<Vec<Piece>, Fault> {
        let mut pieces = Vec::new();
        self.expanded(Until::End, &mut pieces)?;
        Ok(pieces)
    }

    /// Text in which only `$`, back-ticks and back-slashes act.
    fn expanded(&mut self, until: Until, out: &mut Vec<Piece>) -> Result<(), Fault> {
        let mut text = String::new();
        while let Some(byte) = self.cur() {
            match byte {
                b'"' if until == Until::Quote => {
                    push_quoted(out, &mut text);
                    return Ok(());
                }
                b'\\' => self.quoted_escape(until, &mut text),
                b'$' | b'`' => {
                    push_quoted(out, &mut text);
                    self.active(byte, out)?;
                }
                _ => self.plain_run(&mut text),
            }
        }
        push_quoted(out, &mut text);
        match until {
            Until::Quote => Err(Fault::Syntax),
            Until::End => Ok(()),
        }
    }

    fn active(&mut self, byte: u8, out: &mut Vec<Piece>) -> Result<(), Fault> {
        match byte {
            b'`' => self.backticks(Quote::Double, out),
            _ => self.dollar(Quote::Double, out),
        }
    }

    fn plain_run(&mut self, text: &mut String) {
        let start = self.pos;
        self.pos += 1;
        while self
            .raw(0)
            .is_some_and(|byte| !matches!(byte, b'"' | b'\\' | b'$' | b'`'))
        {
            self.pos += 1;
        }
        text.push_str(self.since(start));
    }

    fn quoted_escape(&mut self, until: Until, text: &mut String) {
        let start = self.pos;
        self.pos += 1;
        match self.raw(0) {
            Some(b'"') if until == Until::End => {}
            Some(b'$' | b'`' | b'"' | b'\\') => {
                let start = self.pos;
                self.pos += 1;
                text.push_str(self.since(start));
                return;
            }
            _ => {}
        }
        text.push_str(self.since(start));
    }

    /// `` `…` ``: the inside is read when bash runs it, after one layer of back-slashes is gone.
    fn backticks(&mut self, quote: Quote, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.pos += 1;
        let start = self.pos;
        loop {
            match self.raw(0) {
                None => return Err(Fault::Syntax),
                Some(b'`') => break,
                Some(b'\\') => {
                    self.pos += 1;
                    self.skip_char();
                }
                Some(_) => self.pos += 1,
            }
        }
        let inner = unescape_backticks(self.since(start), quote);
        self.pos += 1;
        let script = self.embedded(&inner)?;
        out.push(Piece::Command(script, quote));
        Ok(())
    }

    /// A text of its own that bash reads later; a syntax error in it is opaque, no rejection.
    pub(super) fn embedded(&mut self, text: &str) -> Result<super::ast::Script, Fault> {
        let base = self.documents.len();
        let parsed = self.deeper(|outer| {
            let depth = outer.depth;
            let mut parser = Parser::new(text, depth, outer.budget)?;
            parser.documents = std::mem::take(&mut outer.documents);
            let parsed = parser.finish();
            Ok(parsed)
        })?;
        self.documents = parsed.documents;
        self.notes.extend(parsed.notes);
        debug_assert!(self.documents.len() >= base, "documents are only added");
        match parsed.fault {
            None => {}
            Some(Fault::Syntax) => self.note(OpaqueKind::Rejected, text),
            Some(fault @ (Fault::Depth | Fault::Budget)) => return Err(fault),
        }
        Ok(parsed.script)
    }

    /// Everything that starts with `$`.
    fn dollar(&mut self, quote: Quote, out: &mut Vec<Piece>) -> Result<(), Fault> {
        match (self.next(), quote) {
            (Some(b'('), _) => self.dollar_paren(quote, out),
            (Some(b'{'), _) => self.braced(quote, out),
            (Some(b'['), _) => self.bracket_arithmetic(out),
            (Some(b'\''), Quote::Plain) => self.ansi_quoted(out),
            (Some(b'"'), Quote::Plain) => {
                self.eat("$");
                self.note(OpaqueKind::Locale, "$\"");
                self.double_quoted(out)
            }
            (Some(byte), _) if is_name_start(byte) => {
                self.eat("$");
                let name = self.name();
                out.push(parameter(name, quote));
                Ok(())
            }
            (Some(byte @ (b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')), _) => {
                self.eat("$");
                self.pos += 1;
                out.push(parameter(char::from(byte).to_string(), quote));
                Ok(())
            }
            _ => {
                self.eat("$");
                push_literal(out, "$", quote);
                Ok(())
            }
        }
    }

    /// A variable's name at the place, line continuations left out.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(byte) = self.cur() {
            if !is_name_byte(byte) {
                break;
            }
            name.push(char::from(byte));
            self.pos += 1;
        }
        name
    }

    fn dollar_paren(&mut self, quote: Quote, out: &mut Vec<Piece>) -> Result<(), Fault> {
        let start = self.pos;
        self.eat("$(");
        if self.cur() == Some(b'(') {
            self.pos += 1;
            if let Some(pieces) = self.arithmetic_or_back(start)? {
                out.push(Piece::Arithmetic(pieces));
                return Ok(());
            }
            self.eat("$(");
        }
        let script = self.parenthesised()?;
        out.push(Piece::Command(script, quote));
        Ok(())
    }

    /// After `((`: arithmetic up to `))`, or none and back to `start`, as bash does.
    pub(super) fn arithmetic_or_back(&mut self, start: usize) -> Result<Option<Vec<Piece>>, Fault> {
        let inside = self.pos;
        if self.no_arithmetic.contains(&inside) {
            self.pos = start;
            return Ok(None);
        }
        let (notes, documents) = (self.notes.len(), self.documents.len());
        let found = self.deeper(|parser| parser.arithmetic((b'(', b')'), Quotes::Ordinary));
        let closed = match found {
            Ok(pieces) if self.eat(")") => return Ok(Some(pieces)),
            Ok(_) | Err(Fault::Syntax) => self.pos,
            Err(fault) => return Err(fault),
        };
        self.budget
            .spend(closed.saturating_sub(inside).saturating_add(ATTEMPT_STEPS))?;
        self.no_arithmetic.insert(inside);
        self.notes.truncate(notes);
        self.documents.truncate(documents);
        self.pos = start;
        Ok(None)
    }

    /// Arithmetic up to the closing byte, which is consumed. Read as in double quotes: that is
    /// how bash expands it.
    fn arithmetic(&mut self, (open, close): (u8, u8), quotes: Quotes) -> Result<Vec<Piece>, Fault> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut depth = 0_u32;
        while let Some(byte) = self.cur() {
            match byte {
                b'$' | b'`' => {
                    push_quoted(&mut pieces, &mut text);
                    self.active(byte, &mut pieces)?;
                    continue;
                }
                b'\\' => {
                    self.quoted_escape(Until::Quote, &mut text);
                    continue;
                }
                b'\'' | b'"' if quotes == Quotes::Enclose => {
                    push_quoted(&mut pieces, &mut text);
                    self.enclosed(byte, &mut pieces)?;
                    continue;
                }
                b'\'' | b'"' => self.note(OpaqueKind::Quoting, "quotes in arithmetic"),
                _ if byte == open => depth += 1,
                _ if byte == close && depth == 0 => {
                    self.pos += 1;
                    push_quoted(&mut pieces, &mut text);
                    return Ok(pieces);
                }
                _ if byte == close => depth -= 1,
                _ => {}
            }
            let start = self.pos;
            self.skip_char();
            text.push_str(self.since(start));
        }
        Err(Fault::Syntax)
    }

    /// A quotation in a subscript. It hides a bracket, but no substitution: bash expands the
    /// subscript of an indexed array once more.
    fn enclosed(&mut self, quote: u8, out: &mut Vec<Piece>) -> Result<(), Fault> {
        if quote == b'"' {
            return self.double_quoted(out);
        }
        self.pos += 1;
        let start = self.pos;
        self.skip_to(b'\'')?;
        let inner = self.since(start);
        self.pos += 1;
        out.extend(self.expanded_body(inner)?);
        Ok(())
    }

    fn bracket_arithmetic(&mut self, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.eat("$[");
        let brackets = (b'[', b']');
        let pieces = self.deeper(|parser| parser.arithmetic(brackets, Quotes::Ordinary))?;
        out.push(Piece::Arithmetic(pieces));
        Ok(())
    }

    fn ansi_quoted(&mut self, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.eat("$'");
        let start = self.pos;
        loop {
            match self.raw(0) {
                None => return Err(Fault::Syntax),
                Some(b'\'') => break,
                Some(b'\\') => self.pos += 2,
                Some(_) => self.pos += 1,
            }
        }
        let source = self.since(start);
        self.pos += 1;
        match ansi_c(source) {
            Some(text) => out.push(Piece::Quoted(text)),
            None => out.push(Piece::Odd(source.to_owned(), OpaqueKind::Quoting)),
        }
        Ok(())
    }

    /// `<(…)` or `>(…)`.
    fn process(&mut self, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.pos += 1;
        self.eat("(");
        let script = self.parenthesised()?;
        out.push(Piece::Process(script));
        Ok(())
    }

    /// A list up to `)`, which is consumed; here-documents do not cross its ends.
    pub(super) fn parenthesised(&mut self) -> Result<super::ast::Script, Fault> {
        let outer = std::mem::take(&mut self.pending);
        if !outer.is_empty() {
            self.note(OpaqueKind::HereDocument, "substitution before its body");
        }
        let script = self.deeper(|parser| parser.list(super::parse::Stop::Paren))?;
        self.expect(")")?;
        if !self.pending.is_empty() {
            self.note(
                OpaqueKind::HereDocument,
                "no body inside of the substitution",
            );
        }
        self.pending = outer;
        Ok(script)
    }

    /// `${…}`.
    fn braced(&mut self, quote: Quote, out: &mut Vec<Piece>) -> Result<(), Fault> {
        self.eat("${");
        let start = self.pos;
        if matches!(self.cur(), Some(b' ' | b'\t' | b'\n' | b'|' | b'(')) {
            self.note(OpaqueKind::Quoting, "${ …}");
        }
        let mut operation = Operation::Read;
        if self.cur() == Some(b'!') && self.next() != Some(b'}') {
            self.pos += 1;
            operation = Operation::Indirect;
        }
        let name = self.parameter_name();
        let rest = self.pos;
        let mut nested = Vec::new();
        self.deeper(|parser| parser.braced_rest(quote, &mut nested))?;
        let tail = self.between(rest, self.pos.saturating_sub(1));
        if operation == Operation::Read {
            operation = operation_of(tail);
        }
        if name.is_empty() {
            self.note(OpaqueKind::Quoting, self.since(start));
        }
        out.push(Piece::Parameter(Parameter {
            name,
            quote,
            operation,
            nested,
        }));
        Ok(())
    }

    /// The name after `${`, with the `#` of a length.
    fn parameter_name(&mut self) -> String {
        if self.cur() == Some(b'#') && self.next() != Some(b'}') {
            self.pos += 1;
        }
        let name = self.name();
        if !name.is_empty() {
            return name;
        }
        match self.cur() {
            Some(byte @ (b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')) => {
                self.pos += 1;
                char::from(byte).to_string()
            }
            _ => name,
        }
    }

    /// Up to the `}` that closes `${`, which is consumed.
    fn braced_rest(&mut self, quote: Quote, out: &mut Vec<Piece>) -> Result<(), Fault> {
        let patterns = matches!(self.cur(), Some(b'#' | b'%' | b'/' | b'^' | b','));
        while let Some(byte) = self.cur() {
            match byte {
                b'}' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\'' if quote == Quote::Double && !patterns => {
                    self.note(OpaqueKind::Quoting, "quote inside of ${…}");
                    self.literal_byte(out);
                }
                b'"' if quote == Quote::Double => self.double_quoted(out)?,
                b'<' | b'>' if quote == Quote::Plain && self.next() == Some(b'(') => {
                    self.process(out)?;
                }
                _ if is_break(byte) => self.literal_byte(out),
                _ => self.braced_piece(byte, quote, out)?,
            }
        }
        Err(Fault::Syntax)
    }

    fn braced_piece(&mut self, byte: u8, quote: Quote, out: &mut Vec<Piece>) -> Result<(), Fault> {
        match byte {
            b'$' => self.dollar(quote, out),
            b'`' => self.backticks(quote, out),
            b'\\' | b'\'' | b'"' => self.unquoted(byte, out),
            _ => {
                let start = self.pos;
                self.skip_char();
                push_text(out, self.since(start));
                Ok(())
            }
        }
    }

    /// `name=`, `name+=` or `name[…]=` at the place, with its value; none if there is no such
    /// thing.
    pub(super) fn assignment(&mut self) -> Result<Option<AssignmentWord>, Fault> {
        self.cur();
        let start = self.pos;
        if !self.raw(0).is_some_and(is_name_start) {
            return Ok(None);
        }
        let (notes, documents) = (self.notes.len(), self.documents.len());
        let name = self.name();
        let subscript = self.subscript()?;
        if !(self.eat("+=") || self.eat("=")) {
            self.budget.spend(self.pos - start)?;
            self.notes.truncate(notes);
            self.documents.truncate(documents);
            if subscript.is_some() && self.since(start).bytes().any(is_break) {
                // Bash takes `a[b c]` for one word here, so that a `<<` in it is no here-document.
                self.note(OpaqueKind::Quoting, self.since(start));
                self.bracketed = Some((start, self.pos));
            }
            self.pos = start;
            return Ok(None);
        }
        let value = self.assigned_value()?;
        Ok(Some(AssignmentWord {
            name,
            subscript,
            value,
            key: key_of(self.since(start)),
        }))
    }

    fn assigned_value(&mut self) -> Result<AssignedValue, Fault> {
        if self.cur() == Some(b'(') {
            self.pos += 1;
            return self.deeper(Self::list_value).map(AssignedValue::List);
        }
        if self.at_break() && !self.at("<(") && !self.at(">(") {
            return Ok(AssignedValue::Word(Word::default()));
        }
        self.word(Place::Plain).map(AssignedValue::Word)
    }

    /// The words of `name=(…)`.
    fn list_value(&mut self) -> Result<Vec<Word>, Fault> {
        let mut words = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.eat(")") {
                return Ok(words);
            }
            words.push(self.element()?);
        }
    }

    /// `value` or `[subscript]=value`.
    fn element(&mut self) -> Result<Word, Fault> {
        if self.cur() != Some(b'[') {
            return self.word(Place::Plain);
        }
        let start = self.pos;
        let subscript = self.subscript()?;
        if !self.eat("+=") && !self.eat("=") {
            self.pos = start;
            return self.word(Place::Plain);
        }
        let mut pieces = vec![Piece::Arithmetic(subscript.unwrap_or_default())];
        if !self.at_break() {
            self.word_pieces(Place::Plain, &mut pieces)?;
        }
        Ok(Word {
            pieces,
            key: key_of(self.since(start)),
        })
    }

    /// `[…]` after a name; blanks may stand in it.
    pub(super) fn subscript(&mut self) -> Result<Option<Vec<Piece>>, Fault> {
        if self.cur() != Some(b'[') {
            return Ok(None);
        }
        self.pos += 1;
        let brackets = (b'[', b']');
        self.deeper(|parser| parser.arithmetic(brackets, Quotes::Enclose))
            .map(Some)
    }
}

/// Whether `(` at this place belongs to the word.
fn opens_group(place: Place, before: &[Piece]) -> bool {
    match place {
        Place::Plain => false,
        Place::Regex => true,
        Place::Pattern => match before.last() {
            Some(Piece::Text(text)) => text.ends_with(['?', '*', '+', '@', '!']),
            _ => false,
        },
    }
}

fn is_ordinary(byte: u8) -> bool {
    !is_break(byte) && !matches!(byte, b'\\' | b'\'' | b'"' | b'`' | b'$')
}

fn parameter(name: String, quote: Quote) -> Piece {
    Piece::Parameter(Parameter {
        name,
        quote,
        operation: Operation::Read,
        nested: Vec::new(),
    })
}

/// What the text after the name in `${name…}` asks for.
fn operation_of(tail: &str) -> Operation {
    let after_subscript = match tail.strip_prefix("[@]").or(tail.strip_prefix("[*]")) {
        Some(rest) => rest,
        None if tail.starts_with('[') => return evaluated_subscript(tail),
        None => tail,
    };
    let mut chars = after_subscript.chars();
    match (chars.next(), chars.next()) {
        (Some('='), _) | (Some(':'), Some('=')) => Operation::Assign,
        (Some(':'), Some('-' | '+' | '?')) => Operation::Read,
        (Some(':'), _) => evaluated(after_subscript),
        (Some('@'), Some('P' | 'A' | 'K' | 'k')) => Operation::Indirect,
        _ => Operation::Read,
    }
}

/// Offsets of digits alone evaluate nothing.
fn evaluated(text: &str) -> Operation {
    let harmless = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b' ' | b'-'));
    if harmless {
        Operation::Read
    } else {
        Operation::Evaluate
    }
}

fn evaluated_subscript(tail: &str) -> Operation {
    match tail.trim_start_matches('[').split_once(']') {
        Some((index, "")) if index.bytes().all(|byte| byte.is_ascii_digit()) => Operation::Read,
        _ => Operation::Evaluate,
    }
}

fn push_text(out: &mut Vec<Piece>, text: &str) {
    match out.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => out.push(Piece::Text(text.to_owned())),
    }
}

fn push_literal(out: &mut Vec<Piece>, text: &str, quote: Quote) {
    match quote {
        Quote::Plain => push_text(out, text),
        Quote::Double => out.push(Piece::Quoted(text.to_owned())),
    }
}

fn push_quoted(out: &mut Vec<Piece>, text: &mut String) {
    if !text.is_empty() {
        out.push(Piece::Quoted(std::mem::take(text)));
    }
}
