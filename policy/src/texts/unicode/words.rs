//! Words: which scripts their letters are from, and whether they can be taken for ASCII.
//!
//! A word of one script that could be taken for ASCII (`сор` is a Russian word) is a finding only
//! if the text has no other letter of that script which could not: else it is ordinary text.

use std::iter::once;
use std::sync::LazyLock;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, is_nfkc_quick};
use unicode_script::{Script, UnicodeScript};
use unicode_security::mixed_script::AugmentedScriptSet;

use super::{MAX_LISTED, UnicodeFindings, UnicodeKind, ascii_reading, is_full_width, nfkc};

/// ASCII characters that a shell, a path or a URL takes for syntax.
const SYNTAX: &str = "/\\.:;|&$<>(){}[]=@#%*?!~";

/// The last of the letters that European languages write; below it a likeness (`æ` and `ae`,
/// `ı` and `i`) is spelling.
const LAST_EUROPEAN: char = '\u{17E}';

/// Finds mixed and imitating words.
pub(super) fn find(text: &str, findings: &mut UnicodeFindings) {
    let mut alike = Alike::default();
    let mut word = String::new();
    let mut start = 0;
    for (at, this) in text.chars().chain(once(' ')).enumerate() {
        if this.is_alphanumeric() || is_combining_mark(this) {
            if word.is_empty() {
                start = at;
            }
            word.push(this);
        } else if !word.is_empty() {
            judge(&word, start, &mut alike, findings);
            word.clear();
        }
    }
    alike.report(findings);
}

fn judge(word: &str, at: usize, alike: &mut Alike, findings: &mut UnicodeFindings) {
    // What NFKC makes ASCII of was found character by character.
    if word.is_ascii() || word.chars().any(is_full_width) || nfkc(word).is_ascii() {
        return;
    }
    if mixed_script(word) {
        findings.add(UnicodeKind::MixedScript, at, word);
        return;
    }
    let Some(script) = script_of(word) else {
        return;
    };
    if alike.is_ordinary(script) {
        return;
    }
    if reads_as_ascii(word) {
        alike.suspect(script, at, word);
    } else {
        alike.acquit(script);
    }
}

/// The script of the word's first letter that has one and is not ASCII.
fn script_of(word: &str) -> Option<Script> {
    let letters = word.chars().filter(|c| !c.is_ascii());
    letters
        .map(|c| c.script())
        .find(|script| !matches!(script, Script::Common | Script::Inherited))
}

/// Words that can be taken for ASCII, by script, until the whole text is read.
#[derive(Default)]
struct Alike {
    scripts: Vec<Suspects>,
}

struct Suspects {
    script: Script,
    /// The text has letters of this script that look like no ASCII.
    ordinary: bool,
    words: Vec<(usize, String)>,
    unlisted: usize,
}

impl Alike {
    fn of(&mut self, script: Script) -> Option<&mut Suspects> {
        let known = self.scripts.iter().position(|s| s.script == script);
        let index = known.unwrap_or(self.scripts.len());
        if known.is_none() {
            self.scripts.push(Suspects {
                script,
                ordinary: false,
                words: Vec::new(),
                unlisted: 0,
            });
        }
        self.scripts.get_mut(index)
    }

    fn is_ordinary(&self, script: Script) -> bool {
        self.scripts
            .iter()
            .any(|s| s.script == script && s.ordinary)
    }

    fn suspect(&mut self, script: Script, at: usize, word: &str) {
        let Some(suspects) = self.of(script) else {
            return;
        };
        if suspects.words.len() < MAX_LISTED {
            suspects.words.push((at, word.to_owned()));
        } else {
            suspects.unlisted += 1;
        }
    }

    fn acquit(&mut self, script: Script) {
        // Latin words are no excuse: each text has them.
        if let Some(suspects) = self.of(script).filter(|s| s.script != Script::Latin) {
            suspects.ordinary = true;
        }
    }

    fn report(self, findings: &mut UnicodeFindings) {
        for suspects in self.scripts.into_iter().filter(|s| !s.ordinary) {
            for (at, word) in &suspects.words {
                findings.add(UnicodeKind::Confusable, *at, word);
            }
            if let Some(count) = findings.counts.get_mut(UnicodeKind::Confusable as usize) {
                *count += suspects.unlisted;
            }
        }
    }
}

/// A letter or sign of Chinese, Japanese or Korean writing.
pub(super) fn is_cjk(c: char) -> bool {
    use Script::*;
    match c {
        ..='\u{10FF}' => false,
        '\u{3001}'..='\u{303F}' | '\u{30FC}' | '\u{4E00}'..='\u{9FFF}' => true,
        _ => matches!(c.script(), Han | Hiragana | Katakana | Hangul | Bopomofo),
    }
}

/// Letters that lie together and belong to one script: most words need no closer look.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Latin,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
}

fn block(c: char) -> Option<Block> {
    match c {
        'a'..='z'
        | 'A'..='Z'
        | '\u{C0}'..='\u{D6}'
        | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{24F}' => Some(Block::Latin),
        '\u{391}'..='\u{3A1}' | '\u{3A3}'..='\u{3CE}' => Some(Block::Greek),
        '\u{400}'..='\u{482}' | '\u{48A}'..='\u{52F}' => Some(Block::Cyrillic),
        '\u{5D0}'..='\u{5EA}' => Some(Block::Hebrew),
        '\u{620}'..='\u{63F}' | '\u{641}'..='\u{64A}' => Some(Block::Arabic),
        _ => None,
    }
}

fn is_of_one_block(word: &str) -> bool {
    let mut blocks = word.chars().map(block);
    let first = blocks.next().flatten();
    first.is_some() && blocks.all(|block| block == first)
}

/// Two letters are of alphabets that no script shares, which the tables need not be asked about.
/// Greek is left to them: some of its letters stand beside Latin ones.
fn is_of_strange_blocks(word: &str) -> bool {
    let mut blocks = word.chars().filter_map(block);
    let first = blocks.next();
    word.chars().all(|c| block(c) != Some(Block::Greek)) && blocks.any(|block| Some(block) != first)
}

/// The word's letters are from scripts that are not written together. Chinese, Japanese and Korean
/// stand beside anything, since they put no spaces; Greek letters that look like no ASCII stand
/// beside Latin ones (`Δx`, `μm`).
pub(in super::super) fn mixed_script(word: &str) -> bool {
    if word.is_ascii() || is_of_one_block(word) {
        return false;
    }
    if is_of_strange_blocks(word) {
        return true;
    }
    mixed_by_tables(word)
}

fn mixed_by_tables(word: &str) -> bool {
    let mut resolved = AugmentedScriptSet::default();
    let letters = word
        .chars()
        .filter(|c| !is_cjk(*c) && !is_symbol_letter(*c));
    for letter in letters {
        resolved.intersect_with(letter.into());
    }
    resolved.is_empty()
}

/// A Greek letter that stands for a quantity and imitates nothing.
fn is_symbol_letter(c: char) -> bool {
    c.script() == Script::Greek && !looks_like_ascii(c)
}

/// The word is not ASCII, and a reader may take it for ASCII.
pub(in super::super) fn reads_as_ascii(word: &str) -> bool {
    let imitates = |c: char| c > LAST_EUROPEAN && !is_cjk(c);
    let alone = |c: char| !c.is_ascii() && is_nfkc_quick(once(c)) == IsNormalized::Yes;
    if word.chars().any(|c| alone(c) && !looks_like_ascii(c)) {
        return false;
    }
    word.chars().all(|c| c.is_ascii() || imitates(c))
        && !word.is_ascii()
        && ascii_reading(word).is_ascii()
}

/// What a character that is not ASCII looks like, if that is ASCII.
pub(super) fn ascii_prototype(c: char) -> Option<String> {
    let prototype = || unicode_security::skeleton(c.encode_utf8(&mut [0; 4])).collect();
    looks_like_ascii(c).then(prototype)
}

fn looks_like_ascii(c: char) -> bool {
    if c <= LAST_EUROPEAN {
        return false;
    }
    let near = usize::try_from(u32::from(c)).unwrap_or(usize::MAX);
    match NEAR_LIKENESSES.get(near) {
        Some(alike) => *alike,
        None => prototype_is_ascii(c),
    }
}

/// The answers for two-byte characters, which are most letters of alphabets: an index in place of a
/// search in the tables for each letter.
static NEAR_LIKENESSES: LazyLock<Vec<bool>> =
    LazyLock::new(|| ('\0'..'\u{800}').map(prototype_is_ascii).collect());

fn prototype_is_ascii(c: char) -> bool {
    let mut buffer = [0; 4];
    let mut prototype = unicode_security::skeleton(c.encode_utf8(&mut buffer)).peekable();
    prototype.peek().is_some() && prototype.all(|c| c.is_ascii())
}

/// A sign, common to all scripts, that looks like syntax.
pub(super) fn imitates_syntax(c: char) -> bool {
    if c.is_alphanumeric() || c.script() != Script::Common {
        return false;
    }
    let prototype = ascii_prototype(c);
    prototype.is_some_and(|p| p.len() == 1 && SYNTAX.contains(&p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_without_the_tables_is_what_they_tell() {
        let letters: Vec<char> = ('\0'..'\u{650}').filter(|c| block(*c).is_some()).collect();
        for one in letters.iter().step_by(3) {
            for other in &letters {
                let word: String = [*one, *other].iter().collect();
                assert!(
                    !is_of_strange_blocks(&word) || mixed_by_tables(&word),
                    "{word}"
                );
            }
        }
        assert!(is_of_strange_blocks("аa"), "Cyrillic and Latin");
        assert!(!is_of_strange_blocks("Δx"), "left to the tables");
    }
}
