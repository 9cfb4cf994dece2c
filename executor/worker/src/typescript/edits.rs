//! Changes to a text: what becomes blank, and what is written instead.
//!
//! Line breaks always stay, so a change never moves a line.

use oxc_span::Span;

/// What happens to one stretch of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// Blanks of the same width.
    Blank,
    /// Blanks that begin with a semicolon: a statement went, and the lines around it must not
    /// become one.
    Statement,
    /// This text, then the line breaks of the stretch.
    Text(String),
}

/// Changes in any order; none overlaps another.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<(Span, Change)>,
    /// Where statements end: a blank before that may need a semicolon.
    ends: Vec<u32>,
}

impl Edits {
    pub(super) fn blank(&mut self, span: Span) {
        self.list.push((span, Change::Blank));
    }

    pub(super) fn statement(&mut self, span: Span) {
        self.list.push((span, Change::Statement));
    }

    pub(super) fn replace(&mut self, span: Span, text: impl Into<String>) {
        self.list.push((span, Change::Text(text.into())));
    }

    pub(super) fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.replace(Span::new(at, at), text);
    }

    pub(super) fn end(&mut self, at: u32) {
        self.ends.push(at);
    }

    /// The text after all changes.
    pub(super) fn apply(mut self, text: &str) -> String {
        self.list.sort_by_key(|(span, _)| (span.start, span.end));
        self.ends.sort_unstable();
        let mut result = String::with_capacity(text.len() + 64);
        let mut done = 0;
        for (span, change) in &self.list {
            let (start, end) = (span.start as usize, span.end as usize);
            if start < done {
                continue;
            }
            result.push_str(text.get(done..start).unwrap_or_default());
            let stretch = text.get(start..end).unwrap_or_default();
            let closes = self.ends.binary_search(&span.end).is_ok() && goes_on(text, end);
            write(&mut result, stretch, change, closes);
            done = end;
        }
        result.push_str(text.get(done..).unwrap_or_default());
        result
    }
}

fn write(result: &mut String, stretch: &str, change: &Change, closes: bool) {
    match change {
        Change::Blank => blank(result, stretch),
        Change::Statement => {
            result.push(';');
            blank(result, stretch.get(1..).unwrap_or_default());
        }
        Change::Text(text) => {
            result.push_str(text);
            result.extend(stretch.chars().filter(|one| is_line_break(*one)));
        }
    }
    if closes && *change == Change::Blank && result.ends_with(' ') {
        result.pop();
        result.push(';');
    }
}

/// Positions are counted in UTF-16 units, so that is how many blanks a character becomes.
fn blank(result: &mut String, stretch: &str) {
    for character in stretch.chars() {
        if is_line_break(character) {
            result.push(character);
        } else {
            result.extend(std::iter::repeat_n(' ', character.len_utf16()));
        }
    }
}

fn is_line_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// Whether the next line would be read as part of the statement that ended at `end`.
fn goes_on(text: &str, end: usize) -> bool {
    let rest = text.get(end..).unwrap_or_default();
    let next = rest.trim_start();
    let gap = rest.len() - next.len();
    rest.get(..gap)
        .is_some_and(|gap| gap.contains(is_line_break))
        && next.starts_with(['(', '[', '`', '+', '-', '/', '*', ',', '.', '<'])
}
