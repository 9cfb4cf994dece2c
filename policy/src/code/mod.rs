//! Facts about programs in Python, JavaScript and TypeScript.
//!
//! ```text
//!  text ─► guard: length, nesting, stack ─► parser (ruff's, oxc's) ─► tree
//!                                                                     │
//!            names: what each may stand for  ◄── bindings ────────────┤
//!                        │                                            │
//!                        └─► calls, imports, texts, commands  ◄── walk┘
//! ```
//!
//! Facts are for judging and for the record; containment does not rest on them. What is not known
//! before the program runs is a [`Dynamic`] fact, a syntax error or a reading that did not end
//! shows in [`Syntax`], a list that is full in [`CodeFacts::complete`]. Nothing is executed. The
//! number of steps depends on the length of the text alone; no text overflows the stack.

mod budget;
mod collect;
mod facts;
mod guard;
mod javascript;
mod literal;
mod python;
mod tables;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests;
mod value;

pub use budget::MAX_TEXT_BYTES;
pub use facts::{Call, CodeFacts, Counts, Dynamic, DynamicKind, Reason, Syntax};

use guard::Language;

/// Reads a program in Python.
///
/// ```
/// use policy::code::python;
///
/// let facts = python("import os as o\no.system('rm -rf /tmp/x')");
/// assert!(facts.mentions("os.system"));
/// assert_eq!(facts.shell, ["rm -rf /tmp/x"]);
/// ```
pub fn python(text: &str) -> CodeFacts {
    read(text, Language::Python)
}

/// Reads a program in JavaScript or TypeScript.
///
/// ```
/// use policy::code::javascript;
///
/// let facts = javascript("require('node:child_process').exec('id')");
/// assert!(facts.mentions("child_process.exec"));
/// ```
pub fn javascript(text: &str) -> CodeFacts {
    read(text, Language::JavaScript)
}

fn read(text: &str, language: Language) -> CodeFacts {
    if text.len() > MAX_TEXT_BYTES {
        return unfinished(Reason::TooLong);
    }
    if guard::has_many_tokens(text) {
        return unfinished(Reason::Budget);
    }
    if guard::is_too_deep(text, language) {
        return unfinished(Reason::TooDeep);
    }
    let facts = match language {
        Language::Python => guard::guarded(text, python::FRAME_BYTES, || python::read(text)),
        Language::JavaScript => {
            guard::guarded(text, javascript::FRAME_BYTES, || javascript::read(text))
        }
    };
    facts.unwrap_or_else(unfinished)
}

fn unfinished(reason: Reason) -> CodeFacts {
    CodeFacts {
        syntax: Syntax::Unfinished(reason),
        ..CodeFacts::default()
    }
}
