//! The texts that a policy is made of, and places in them.
//!
//! A place can show itself as rustc does: file, line, column, the line's text, and a caret under
//! what is meant. Nothing of the text reaches a terminal unescaped. Cannot fail: a place outside
//! of its text is its end.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// The characters of a line that a message shows; what is meant stands among them.
const MAX_SHOWN_CHARS: usize = 120;

/// The text of one file.
#[derive(PartialEq, Eq)]
pub(crate) struct Source {
    name: String,
    text: String,
    /// The offset of every line's end: a large file has thousands of places, found by bisection.
    ends: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: &str, text: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            ends: text.match_indices('\n').map(|(end, _)| end).collect(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }
}

/// Where something stands in a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Place {
    pub(crate) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        Self {
            source: Arc::clone(source),
            span,
        }
    }

    /// The file's name, as given.
    #[must_use]
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.source
            .ends
            .partition_point(|end| *end < self.span.start)
            + 1
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        let before = self.line_start()..self.span.start;
        self.source.slice(&before).chars().count() + 1
    }

    /// The bytes of the file that are meant.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn line_start(&self) -> usize {
        let line_before = self.line().checked_sub(2);
        let end = line_before.and_then(|line| self.source.ends.get(line));
        end.map_or(0, |end| end + 1)
    }

    fn line_end(&self) -> usize {
        let end = self.source.ends.get(self.line() - 1);
        end.copied().unwrap_or(self.source.text.len())
    }

    /// The line's text as far as it is shown, and the caret's distance and width in it.
    fn shown(&self) -> (String, usize, usize) {
        let line = self.source.slice(&(self.line_start()..self.line_end()));
        let column = self.column() - 1;
        let skipped = column.saturating_sub(MAX_SHOWN_CHARS / 2);
        let meant = self.span.start..self.span.end.min(self.line_end());
        let mut text = String::new();
        let (mut caret, mut width) = (0, 0);
        for (at, c) in line.chars().enumerate().skip(skipped).take(MAX_SHOWN_CHARS) {
            let columns = push_shown(&mut text, c);
            if at < column {
                caret += columns;
            } else if at < column + self.source.slice(&meant).chars().count() {
                width += columns;
            }
        }
        (text.trim_end().to_owned(), caret, width.max(1))
    }
}

/// How many columns a character takes when nothing of it can move the cursor.
fn push_shown(text: &mut String, c: char) -> usize {
    let before = text.chars().count();
    match c {
        '\t' => text.push(' '),
        '"' | '\'' | '\\' => text.push(c),
        other => text.extend(other.escape_debug()),
    }
    text.chars().count() - before
}

/// `FILE:LINE:COLUMN`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line(), self.column())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// A message with the line that it is about:
///
/// ```text
/// error: there is no profile `host`
///   --> team.toml:7:7
///    |
///  7 | run = "host"
///    |       ^^^^^^
/// ```
pub(crate) fn render(level: &str, message: &str, place: &Place) -> String {
    let (text, caret, width) = place.shown();
    let number = place.line().to_string();
    let margin = " ".repeat(number.len());
    let mut out = String::new();
    let _cannot_fail = write!(
        out,
        "{level}: {message}\n {margin}--> {place}\n {margin} |\n {number} | {text}\n {margin} | {}{}\n",
        " ".repeat(caret),
        "^".repeat(width)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> Place {
        Place::new(&Source::new("f.toml", text), span)
    }

    #[test]
    fn counts_lines_and_characters() {
        let text = "a\nbé = \"x\"\n\nc";
        let at = |start| place(text, start..start + 1).to_string();
        assert_eq!(at(0), "f.toml:1:1");
        assert_eq!(at(1), "f.toml:1:2");
        assert_eq!(at(2), "f.toml:2:1");
        assert_eq!(at(8), "f.toml:2:6");
        assert_eq!(at(12), "f.toml:3:1");
        assert_eq!(at(13), "f.toml:4:1");
        assert_eq!(at(99), "f.toml:4:1");
    }

    #[test]
    fn puts_the_caret_under_what_is_meant() {
        let text = "version = 1\nrun = \"host\" # x\n";
        assert_eq!(
            render("error", "no", &place(text, 18..24)),
            "error: no\n  --> f.toml:2:7\n   |\n 2 | run = \"host\" # x\n   |       ^^^^^^\n"
        );
    }

    #[test]
    fn shows_long_lines_in_part_and_hides_what_would_move_the_cursor() {
        let text = format!(
            "{}\u{202e}\u{1b}[2Jx = 1{}",
            "é".repeat(200),
            "z".repeat(500)
        );
        let shown = render("error", "no", &place(&text, 407..408));
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
            "{shown}"
        );
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines.iter().all(|line| line.chars().count() < 200),
            "{shown}"
        );
        let caret = lines
            .last()
            .and_then(|line| line.chars().position(|c| c == '^'));
        let meant = lines
            .get(3)
            .and_then(|line| line.chars().nth(caret.unwrap_or(0)));
        assert_eq!(meant, Some('x'), "{shown}");
    }

    #[test]
    fn a_place_over_several_lines_ends_with_its_first() {
        let shown = render("error", "no", &place("match = {\n  a = 1 }\n", 8..20));
        assert!(
            shown.ends_with("1 | match = {\n   |         ^\n"),
            "{shown}"
        );
    }
}
