//! Makes JavaScript of TypeScript without moving anything: types are overwritten with blanks, so
//! that every line and nearly every column of an error stays where the program has it.
//!
//! What types leave behind at run time is written in its place: an enum as an object, a parameter
//! property as an assignment. What would need more than that (a namespace with values, a
//! decorator, `import x = require()`) is refused with its place. Types are not checked.
//!
//! This looks at no file and runs nothing; it is called in the jailed worker, because a parser of
//! untrusted text is one of the things that break. A text that is too long or too nested is
//! refused before it is parsed.

mod edits;
mod enums;
mod erase;

use std::fmt;

use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;

/// Stack for one token: the costliest forms of nesting take 1.5 KB in the parser.
const FRAME_BYTES: usize = 4 * 1024;

/// Stack without any nesting.
const BASE_STACK_BYTES: usize = 256 * 1024;

/// The most tokens that a text may have: what fits, each nested in the one before, on a stack of
/// 64 MiB, which a worker has beside its guest. It is a program of about 80 KB.
const MAX_TOKENS: usize = 16 * 1024;

/// Why a text is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    message: String,
    /// Offset into the text, in bytes.
    at: usize,
}

impl Refused {
    fn new(message: impl Into<String>, at: u32) -> Self {
        Self {
            message: message.into(),
            at: at as usize,
        }
    }

    fn unsupported(what: &str, instead: &str, at: u32) -> Self {
        let message = format!("TypeScript {what} cannot be erased; {instead}");
        Self::new(message, at)
    }

    /// What a program sees on its standard error: the place, its line, a mark, the reason.
    pub(crate) fn report(&self, text: &str, filename: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let number = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text.get(start..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let mark = Indent(before.get(start..).unwrap_or_default());
        format!("{filename}:{number}\n{line}\n{mark}^\n\nSyntaxError: {self}\n")
    }
}

/// A text as blanks of the same width.
struct Indent<'a>(&'a str);

impl fmt::Display for Indent<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            to.write_str(if character == '\t' { "\t" } else { " " })?;
        }
        Ok(())
    }
}

/// The JavaScript that a TypeScript program is.
///
/// # Errors
/// When it is no TypeScript, has a part that cannot be erased, or is too long.
pub(crate) fn to_javascript(text: &str) -> Result<String, Refused> {
    let tokens = tokens(text);
    if tokens > MAX_TOKENS {
        let message = format!(
            "the program has up to {tokens} tokens; at most {MAX_TOKENS} are read as TypeScript, send it as JavaScript"
        );
        return Err(Refused::new(message, 0));
    }
    let stack = tokens * FRAME_BYTES + BASE_STACK_BYTES;
    let work = std::panic::AssertUnwindSafe(|| stacker::maybe_grow(stack, stack, || erased(text)));
    std::panic::catch_unwind(work)
        .unwrap_or_else(|_| Err(Refused::new("the parser gave up on this program", 0)))
}

fn erased(text: &str) -> Result<String, Refused> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::ts()).parse();
    if let Some(error) = parsed.diagnostics.iter().next() {
        let at = error
            .labels
            .first()
            .map_or(0, |label| label.offset() as usize);
        return Err(Refused {
            message: error.message.to_string(),
            at,
        });
    }
    if parsed.panicked {
        return Err(Refused::new("the parser gave up on this program", 0));
    }
    erase::edits(text, &parsed.program).map(|edits| edits.apply(text))
}

/// An upper bound on tokens: every mark is one, and every run of other characters.
fn tokens(text: &str) -> usize {
    let (mut count, mut in_word) = (1_usize, false);
    for byte in text.bytes() {
        let word = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        count += usize::from((word && !in_word) || (!word && !blank));
        in_word = word;
    }
    count
}

#[cfg(test)]
mod tests;
