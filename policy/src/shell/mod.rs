//! Shell texts, read as an attacker would: every program that bash would run, and every reason
//! why that cannot be known.
//!
//! ```text
//!  text ──► screen: NUL, CR, invisible, full-width
//!   │
//!   ├──► our reader ──► tree ──┬──► walk: programs, arguments, redirections, directories
//!   │    (cursor, word, parse) │      │
//!   └──► brush-parser ─────────┴─► compare lists of simple commands; other lists: opaque
//!                                     │
//!                  programs: sudo, env, xargs, find, sh -c, awk … seen through;
//!                  their code goes back to the start, one level deeper
//! ```
//!
//! [`analyse`] always answers. What it lists is a superset of what bash would run; where that
//! cannot be promised (run-time values, disagreement of the two readings, used-up budgets, syntax
//! errors) there is an [`Opaque`] fact with its reason. It runs nothing, expands nothing that
//! needs the world, and takes steps in proportion to the length of the text.

mod arithmetic;
mod ast;
mod budget;
mod cursor;
mod escape;
mod expand;
mod facts;
mod here;
mod names;
mod parse;
mod programs;
mod screen;
mod second;
mod test_command;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]
mod tests;
mod walk;
mod word;

pub use budget::MAX_TEXT_BYTES;
pub use facts::{
    Argument, Assignment, Certainty, Code, Command, CommandKind, Directory, Document, Effect,
    EffectKind, Flag, Influence, Language, Opaque, OpaqueKind, Origin, Redirect, RedirectMode,
    ShellFacts, Syntax,
};

use budget::Budget;
use second::SecondBudget;
use walk::Walker;

/// Reads a shell text.
///
/// ```
/// use policy::shell::analyse;
///
/// let facts = analyse("sudo env A=1 bash -c 'rm -rf /tmp/x'");
/// assert!(facts.runs("rm"));
/// ```
pub fn analyse(text: &str) -> ShellFacts {
    if text.len() > MAX_TEXT_BYTES {
        return too_long(text);
    }
    let mut budget = Budget::for_bytes(text.len());
    let second = SecondBudget::for_bytes(text.len());
    let mut walker = Walker::new(&mut budget, second);
    let read = screened(&mut walker, text);
    let mut facts = walker.facts;
    if read.is_err() {
        facts.syntax = Syntax::Unfinished;
    }
    facts.steps = budget.used();
    facts
}

fn screened(walker: &mut Walker<'_>, text: &str) -> walk::Walk {
    for (kind, example) in screen::screen(text) {
        walker.opaque(kind, &example, None)?;
    }
    if text.contains('\0') {
        // Bash drops NUL from a script; a command line ends there.
        return walker.read_all(&text.replace('\0', ""));
    }
    walker.read_all(text)
}

fn too_long(text: &str) -> ShellFacts {
    ShellFacts {
        syntax: Syntax::Unfinished,
        opaque: vec![Opaque {
            kind: OpaqueKind::TooLong,
            about: format!("{} bytes", text.len()),
            command: None,
        }],
        ..ShellFacts::default()
    }
}
