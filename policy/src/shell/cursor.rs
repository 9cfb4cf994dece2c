//! The place of our reader in a text, and the state that all of its parts share.
//!
//! Looks at bytes: everything that has a meaning in bash is ASCII. Line continuations vanish here,
//! as they do in bash, so that no other part has to think of them.

use std::collections::BTreeSet;

use super::ast::{HereBody, Script};
use super::budget::{Budget, Exhausted, MAX_DEPTH};
use super::facts::OpaqueKind;

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Bash reports a syntax error here.
    Syntax,
    /// Nesting beyond [`MAX_DEPTH`].
    Depth,
    /// No steps left.
    Budget,
}

impl From<Exhausted> for Fault {
    fn from(_: Exhausted) -> Self {
        Self::Budget
    }
}

/// What the reader noticed on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) kind: OpaqueKind,
    pub(super) about: String,
}

/// A here-document whose body has not been reached.
#[derive(Debug)]
pub(super) struct PendingDocument {
    pub(super) index: usize,
    pub(super) delimiter: String,
    pub(super) style: HereStyle,
}

/// How a here-document's body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HereStyle {
    pub(super) tabs: Tabs,
    pub(super) body: BodyKind,
}

/// `<<-` strips leading tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tabs {
    Keep,
    Strip,
}

/// A quoted delimiter makes the body literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyKind {
    Expanded,
    Literal,
}

/// What one text yields.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) script: Script,
    pub(super) documents: Vec<HereBody>,
    pub(super) notes: Vec<Note>,
    pub(super) fault: Option<Fault>,
}

/// Our reader.
pub(super) struct Parser<'t, 'b> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    pub(super) pos: usize,
    pub(super) depth: u32,
    pub(super) budget: &'b mut Budget,
    pub(super) pending: Vec<PendingDocument>,
    pub(super) documents: Vec<HereBody>,
    pub(super) notes: Vec<Note>,
    /// A word `name[…]` that starts at the first place goes on to the second, over blanks.
    pub(super) bracketed: Option<(usize, usize)>,
    /// Places after `((` at which no arithmetic stands; without them, nested attempts would
    /// double with each level.
    pub(super) no_arithmetic: BTreeSet<usize>,
}

impl<'t, 'b> Parser<'t, 'b> {
    /// Pays for one pass over the text.
    pub(super) fn new(text: &'t str, depth: u32, budget: &'b mut Budget) -> Result<Self, Fault> {
        budget.spend(text.len() + 1)?;
        Ok(Self {
            text,
            bytes: text.as_bytes(),
            pos: 0,
            depth,
            budget,
            pending: Vec::new(),
            documents: Vec::new(),
            notes: Vec::new(),
            bracketed: None,
            no_arithmetic: BTreeSet::new(),
        })
    }

    pub(super) fn note(&mut self, kind: OpaqueKind, about: &str) {
        self.notes.push(Note {
            kind,
            about: about.chars().take(super::budget::MAX_ABOUT_CHARS).collect(),
        });
    }

    /// Runs `inner` one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::Depth);
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// The byte `ahead` of the place, line continuations included.
    pub(super) fn raw(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.pos + ahead).copied()
    }

    /// The next byte, after line continuations.
    pub(super) fn cur(&mut self) -> Option<u8> {
        loop {
            match self.raw(0) {
                Some(b'\\') if self.raw(1) == Some(b'\n') => self.pos += 2,
                other => return other,
            }
        }
    }

    /// Where the byte after the next one stands, and which it is.
    fn second(&self) -> (usize, Option<u8>) {
        let mut at = self.pos + 1;
        while self.bytes.get(at) == Some(&b'\\') && self.bytes.get(at + 1) == Some(&b'\n') {
            at += 2;
        }
        (at, self.bytes.get(at).copied())
    }

    /// The byte after the next one, without moving.
    pub(super) fn next(&mut self) -> Option<u8> {
        self.cur();
        self.second().1
    }

    /// Moves over `text` if it comes next; ASCII only.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let start = self.pos;
        for wanted in text.bytes() {
            if self.cur() != Some(wanted) {
                self.pos = start;
                return false;
            }
            self.pos += 1;
        }
        true
    }

    /// Whether `text` comes next.
    pub(super) fn at(&mut self, text: &str) -> bool {
        let start = self.pos;
        let found = self.eat(text);
        self.pos = start;
        found
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<(), Fault> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(Fault::Syntax)
        }
    }

    /// The source text from `start` up to the place.
    pub(super) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.pos).unwrap_or("")
    }

    /// The source text of a range.
    pub(super) fn between(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end).unwrap_or("")
    }

    /// Spaces, tabs and a comment.
    pub(super) fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.cur() {
            self.pos += 1;
        }
        if self.cur() == Some(b'#') {
            self.skip_line();
        }
    }

    /// Up to the newline; line continuations do not count in a comment.
    fn skip_line(&mut self) {
        while self.raw(0).is_some_and(|byte| byte != b'\n') {
            self.pos += 1;
        }
    }

    /// Blanks, comments and newlines; the bodies of here-documents are read at newlines.
    pub(super) fn skip_newlines(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_blanks();
            if self.cur() != Some(b'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }

    /// The newline at the place, with the here-documents that start behind it.
    pub(super) fn newline(&mut self) -> Result<(), Fault> {
        self.pos += 1;
        if self.pending.is_empty() {
            return Ok(());
        }
        self.read_documents()
    }

    /// Whether a word ends here.
    pub(super) fn at_break(&mut self) -> bool {
        self.cur().is_none_or(is_break)
    }
}

/// Bytes that end an unquoted word.
pub(super) fn is_break(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
    )
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the text is a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(is_name_start) && text.bytes().all(is_name_byte)
}

/// See [`super::ast::Word::key`]: FNV-1a over everything but blanks and line continuations.
pub(super) fn key_of(source: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut bytes = source.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let continued = byte == b'\\' && bytes.peek() == Some(&b'\n');
        if continued || byte.is_ascii_whitespace() {
            continue;
        }
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}
