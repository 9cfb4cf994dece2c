//! Keeps the parsers from harm: they recurse, and a text can be nested without end.
//!
//! Two lines of defence. [`is_too_deep`] reads brackets, blocks and prefixes roughly and refuses
//! what nobody writes; it can be misled about where a string ends. [`guarded`] does not look at
//! what the text means: a level of recursion takes at least one token, so it gives the parser a
//! stack in proportion to the number of tokens that the text can have under any reading, and
//! turns a panic of the parser into a reason.

use super::budget::{MAX_DEPTH, MAX_TOKENS, MAX_UNCERTAIN_OPENERS};
use super::facts::Reason;

/// Stack that a parser uses without any nesting.
const BASE_STACK_BYTES: usize = 256 * 1024;

/// Runs `work` with enough stack for one level of recursion a token.
pub(super) fn guarded<T>(
    text: &str,
    frame_bytes: usize,
    work: impl FnOnce() -> T,
) -> Result<T, Reason> {
    let needed = tokens(text)
        .saturating_mul(frame_bytes)
        .saturating_add(BASE_STACK_BYTES);
    let work = std::panic::AssertUnwindSafe(work);
    std::panic::catch_unwind(|| stacker::maybe_grow(needed, needed, work))
        .map_err(|_| Reason::GaveUp)
}

/// Whether a parser would take too long: its time goes with the tokens.
pub(super) fn has_many_tokens(text: &str) -> bool {
    tokens(text) > MAX_TOKENS
}

/// An upper bound on tokens: every mark is one, and every run of other characters.
fn tokens(text: &str) -> usize {
    let (mut count, mut in_word) = (1_usize, false);
    for byte in text.bytes() {
        let word = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        let blank = matches!(byte, b' ' | b'\t');
        // The end of a word and the start of a block may each be a token of its own.
        count += usize::from((word && !in_word) || (!word && !blank));
        in_word = word;
    }
    count
}

/// Which language's strings and comments are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    JavaScript,
}

/// Words after which an expression or a statement starts anew, one level deeper.
const PREFIXES: &[&str] = &[
    "await", "delete", "do", "else", "elif", "extends", "for", "if", "in", "infer", "keyof",
    "lambda", "label", "new", "not", "readonly", "throw", "typeof", "unique", "void", "while",
    "with", "yield",
];

/// Whether brackets, blocks, prefixes and chains are nested beyond [`MAX_DEPTH`].
pub(super) fn is_too_deep(text: &str, language: Language) -> bool {
    if language == Language::JavaScript && is_uncertain(text) {
        let opens = |byte: &u8| matches!(byte, b'(' | b'[' | b'{' | b'?');
        let openers = text.bytes().filter(opens).count();
        if openers > MAX_UNCERTAIN_OPENERS {
            return true;
        }
    }
    Scan {
        bytes: text.as_bytes(),
        text,
        at: 0,
        language,
        levels: Vec::new(),
        here: 0,
        outer: 0,
        indents: Vec::new(),
        operand: false,
    }
    .goes_too_deep()
}

/// Whether the scan may be wrong about where a string or a comment of JavaScript ends: regular
/// expressions, elements of JSX, values in templates, and line ends that are not `\n`.
fn is_uncertain(text: &str) -> bool {
    let slashes = text.as_bytes().windows(3).any(|three| {
        matches!(three, [before, b'/', after]
            if !matches!(before, b'/' | b'*') && !matches!(after, b'/' | b'*'))
    });
    let comment = text.starts_with("//") || text.starts_with("/*");
    let starts_with_slash = text.starts_with('/') && !comment;
    let line_ends = text.contains(['\u{2028}', '\u{2029}'])
        || text.bytes().filter(|byte| *byte == b'\r').count() != text.matches("\r\n").count();
    slashes || line_ends || text.contains("${") || starts_with_slash
}

struct Scan<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
    language: Language,
    /// What each open bracket had in front of it.
    levels: Vec<usize>,
    /// Prefixes since the last separator inside of the innermost bracket.
    here: usize,
    /// The sum of `levels`.
    outer: usize,
    /// Python's blocks: their columns.
    indents: Vec<usize>,
    /// Whether an operand has just ended, so that `/` divides.
    operand: bool,
}

impl Scan<'_> {
    fn goes_too_deep(mut self) -> bool {
        if self.language == Language::Python {
            self.indent();
        }
        while let Some(byte) = self.peek(0) {
            self.token(byte);
            if self.outer + self.levels.len() + self.here + self.indents.len() > MAX_DEPTH {
                return true;
            }
        }
        false
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn token(&mut self, byte: u8) {
        match byte {
            b'(' | b'[' | b'{' => self.open(),
            b')' | b']' | b'}' => self.close(),
            b'\n' => self.line(),
            b',' | b';' => {
                self.here = 0;
                self.skip(1);
            }
            b'\'' | b'"' => self.string(byte),
            b'`' if self.language == Language::JavaScript => self.string(byte),
            b'#' if self.language == Language::Python => self.skip_line(),
            b'/' if self.language == Language::JavaScript => self.slash(),
            b' ' | b'\t' | b'\r' => self.at += 1,
            _ if byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii() => self.word(),
            b'0'..=b'9' => {
                self.at += 1;
                self.operand = true;
            }
            // Unary operators in a row, powers, conditions, arrows, chains of assignments.
            b'-' | b'+' | b'~' | b'!' | b'?' | b'=' | b'*' | b':' | b'<' => {
                self.here += usize::from(!self.operand || matches!(byte, b'?' | b'*' | b'='));
                self.skip(1);
            }
            _ => self.skip(1),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        self.operand = false;
    }

    fn open(&mut self) {
        self.levels.push(self.here);
        self.outer += self.here;
        self.here = 0;
        self.skip(1);
    }

    fn close(&mut self) {
        self.here = self.levels.pop().unwrap_or(0);
        self.outer -= self.here;
        let block = self.peek(0) == Some(b'}');
        self.at += 1;
        self.operand = !block;
        if block {
            self.here = 0;
        }
    }

    /// A statement ends with the line: always in Python, after an operand in JavaScript.
    fn line(&mut self) {
        let ends = self.operand;
        self.skip(1);
        match self.language {
            Language::Python if self.levels.is_empty() => {
                self.here = 0;
                self.indent();
            }
            Language::JavaScript if ends => self.here = 0,
            Language::Python | Language::JavaScript => {}
        }
    }

    /// The column of a line of Python; blank lines and comments have none.
    fn indent(&mut self) {
        let start = self.at;
        while matches!(self.peek(0), Some(b' ' | b'\t' | b'\x0c')) {
            self.at += 1;
        }
        if matches!(self.peek(0), None | Some(b'\n' | b'\r' | b'#')) {
            return;
        }
        let column = self.at - start;
        while self.indents.last().is_some_and(|last| *last >= column) {
            self.indents.pop();
        }
        if column > 0 {
            self.indents.push(column);
        }
    }

    fn word(&mut self) {
        let start = self.at;
        while self
            .peek(0)
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || !b.is_ascii())
        {
            self.at += 1;
        }
        let word = self.text.get(start..self.at).unwrap_or("");
        let prefix = PREFIXES.contains(&word);
        self.here += usize::from(prefix);
        self.operand = !prefix && !matches!(word, "return" | "case" | "of" | "instanceof");
    }

    /// A string; those of one quote end with the line, so that a mistake does not go far.
    fn string(&mut self, quote: u8) {
        let triple = self.language == Language::Python
            && self.peek(1) == Some(quote)
            && self.peek(2) == Some(quote);
        self.at += if triple { 3 } else { 1 };
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => self.at += 1,
                b'\n' if !triple && quote != b'`' => break,
                _ if byte != quote => {}
                _ if !triple => {
                    self.at += 1;
                    break;
                }
                _ if self.peek(1) == Some(quote) && self.peek(2) == Some(quote) => {
                    self.at += 3;
                    break;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.operand = true;
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    /// A comment, a regular expression or a division.
    fn slash(&mut self) {
        match self.peek(1) {
            Some(b'/') => self.skip_line(),
            Some(b'*') => {
                let rest = self.text.get(self.at + 2..).unwrap_or("");
                self.at += rest.find("*/").map_or(rest.len() + 2, |end| end + 4);
            }
            _ if self.operand => self.skip(1),
            _ => self.regex(),
        }
    }

    fn regex(&mut self) {
        self.at += 1;
        let mut class = false;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => break,
                b'\\' => self.at += 1,
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => {
                    self.at += 1;
                    break;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.operand = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(text: &str) -> (bool, bool) {
        (
            is_too_deep(text, Language::Python),
            is_too_deep(text, Language::JavaScript),
        )
    }

    #[test]
    fn refuses_nesting() {
        for unit in [
            "(", "[", "{", "- ", "~", "not ", "a(", "!", "new ", "a?", "lambda: ",
        ] {
            assert_eq!(deep(&unit.repeat(500)), (true, true), "{unit}");
        }
        let blocks: String = (0..300).map(|n| " ".repeat(n) + "if x:\n").collect();
        assert!(is_too_deep(&blocks, Language::Python));
    }

    #[test]
    fn lets_long_texts_pass() {
        for unit in [
            "f(x)\n",
            "a = [1, 2]\n",
            "x = -1\n",
            "if x: pass\n",
            "'(((' + '['\n",
        ] {
            assert!(
                !is_too_deep(&unit.repeat(3_000), Language::Python),
                "{unit}"
            );
        }
        let regular = "x.replace(/[(\"]/g, '')\n;".repeat(200);
        assert!(!is_too_deep(&regular, Language::JavaScript));
        for unit in [
            "f(x);\n",
            "let a = {b: -1};\n",
            "// (((\n",
            "/* ((( */",
            "if (a) { b } else { c }\n",
        ] {
            let text = unit.repeat(3_000);
            assert!(!is_too_deep(&text, Language::JavaScript), "{unit}");
        }
    }

    #[test]
    fn counts_every_token() {
        assert!(tokens("a.b(c)") >= 6);
        assert!(tokens("((((") >= 4);
        assert!(tokens("") >= 1);
    }
}
