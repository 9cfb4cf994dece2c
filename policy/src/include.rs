//! Gathers the files of a policy: the first one, and what it includes.
//!
//! Reads nothing itself: texts come from the caller, by names that cannot lead out of the
//! directory that the caller looks in. Each file counts once, however often it is included, so
//! that files may include each other. Bounded in files and in bytes.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::fault::{Fault, Problem};
use crate::file::{PolicyFile, VERSION, read_document};
use crate::source::{Place, Source};

/// Twenty thousand rules of usual size, in all files together; more is a mistake in whatever
/// writes them.
pub const MAX_POLICY_BYTES: usize = 16 << 20;

/// A file for each team of a large house; more is a mistake in whatever writes them.
pub const MAX_FILES: usize = 64;

/// Gives the text of an included file, or says why there is none.
pub type Texts<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// One file of a policy.
pub(crate) struct Part {
    pub(crate) source: Arc<Source>,
    pub(crate) file: PolicyFile,
}

/// A file that is still to be read.
struct Wanted {
    source: Arc<Source>,
}

pub(crate) fn gather(
    file: &str,
    text: &str,
    texts: &mut Texts<'_>,
) -> Result<Vec<Part>, Vec<Problem>> {
    let mut parts = Vec::new();
    let mut seen = BTreeSet::from([file.to_owned()]);
    let mut waiting = VecDeque::from([Wanted {
        source: Source::new(file, text),
    }]);
    let mut bytes = 0_usize;
    while let Some(Wanted { source }) = waiting.pop_front() {
        bytes = bytes.saturating_add(source.text().len());
        if bytes > MAX_POLICY_BYTES {
            return Err(vec![at_start(&source, Fault::TooLong)]);
        }
        let part = read(source)?;
        for name in &part.file.include {
            let fail = |fault| vec![at(&part.source, name.span(), fault)];
            let name = name.get_ref();
            if !seen.insert(name.clone()) {
                continue;
            }
            if seen.len() > MAX_FILES {
                return Err(fail(Fault::TooManyFiles));
            }
            let text = fetch(name, texts).map_err(fail)?;
            waiting.push_back(Wanted {
                source: Source::new(name, &text),
            });
        }
        parts.push(part);
    }
    Ok(parts)
}

fn read(source: Arc<Source>) -> Result<Part, Vec<Problem>> {
    match read_document(source.text(), VERSION) {
        Ok(file) => Ok(Part { source, file }),
        Err(fault) => {
            let span = fault.span();
            Err(vec![at(&source, span, fault.into())])
        }
    }
}

fn fetch(name: &str, texts: &mut Texts<'_>) -> Result<String, Fault> {
    if !is_below(name) {
        return Err(Fault::IncludeName(name.to_owned()));
    }
    texts(name).map_err(|why| Fault::IncludeMissing {
        name: name.to_owned(),
        why,
    })
}

/// A path of plain words: nothing absolute, no way up, no drive, no control characters.
fn is_below(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.split('/')
        .all(|word| !word.is_empty() && word.chars().all(plain) && !word.chars().all(|c| c == '.'))
}

fn at_start(source: &Arc<Source>, fault: Fault) -> Problem {
    at(source, 0..0, fault)
}

fn at(source: &Arc<Source>, span: std::ops::Range<usize>, fault: Fault) -> Problem {
    Problem {
        place: Place::new(source, span),
        rule: None,
        test: None,
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_are_names() {
        for name in ["a.toml", "teams/a-b_c.toml", "a/b/c", ".hidden"] {
            assert!(is_below(name), "{name}");
        }
        for name in [
            "", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/.", "a\\b", "c:a", "a b", "a\n",
            "~/a", "...",
        ] {
            assert!(!is_below(name), "{name}");
        }
    }
}
