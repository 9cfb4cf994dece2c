//! One way to write a policy file: `lazaret policy fmt`.
//!
//! Keys in one order, one blank line between tables, one space around `=`. Comments stay with what
//! they stand before or behind; rules, tests and the facts of a `match` keep the author's order;
//! text keeps its quotes, and whatever runs over several lines its lines. The result is read again
//! and held against the original, so that a mistake here is an error and never another policy.
//! Fails for what is no TOML; whether it is a policy is not asked.

use std::fmt::Write as _;

use thiserror::Error;
use toml_edit::{Array, Decor, DocumentMut, InlineTable, Item, Key, RawString, Table, Value};

use crate::include::MAX_POLICY_BYTES;
use crate::text::line_of;

/// The order of keys in the file, in a rule, and so on. Others follow in the order in
/// which they stand.
const FILE_KEYS: &[&str] = &[
    "version", "name", "doc", "include", "lists", "tool", "budget", "rule",
];
const RULE_KEYS: &[&str] = &[
    "id",
    "effect",
    "mode",
    "run",
    "match",
    "unless",
    "when",
    "obligations",
    "taint",
    "reason",
    "owner",
    "tags",
    "expires",
    "test",
];
const TOOL_KEYS: &[&str] = &["name", "doc", "roles", "schema"];
const BUDGET_KEYS: &[&str] = &["id", "per", "most", "effect", "reason", "owner"];
const TEST_KEYS: &[&str] = &["call", "matches", "verdict", "now", "state"];
const CALL_KEYS: &[&str] = &["tool", "principal", "session", "arguments"];

/// Why a text cannot be formatted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// More text than a policy can have.
    #[error("a policy has at most {MAX_POLICY_BYTES} bytes; split it")]
    TooLong,
    /// Not TOML.
    #[error("line {line}: {why}; correct it first")]
    Toml {
        /// The line, from 1.
        line: usize,
        /// The reader's word on it.
        why: String,
    },
    /// The result would say something else, which is a mistake of this program.
    #[error("formatting would change what the file says; leave it as it is and report this")]
    Changed,
}

/// A policy file, written in the one way. What it says does not change, and formatting it again
/// changes nothing.
///
/// # Errors
/// [`FormatError`] when the text is no TOML.
///
/// ```
/// let text = "name='house' # ours\nversion   = 1\n";
/// let formatted = policy::fmt(text);
/// assert_eq!(formatted.as_deref(), Ok("version = 1\nname = 'house' # ours\n"));
/// ```
pub fn fmt(text: &str) -> Result<String, FormatError> {
    if text.len() > MAX_POLICY_BYTES {
        return Err(FormatError::TooLong);
    }
    let document: DocumentMut = text.parse().map_err(|error| broken(text, &error))?;
    let mut writer = Writer::default();
    writer.table(&[], document.as_table());
    writer.trailing(document.trailing());
    let formatted = writer.out;
    match is_same(text, &formatted) {
        true => Ok(formatted),
        false => Err(FormatError::Changed),
    }
}

fn broken(text: &str, error: &toml_edit::TomlError) -> FormatError {
    FormatError::Toml {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        why: error.message().replace('\n', ", "),
    }
}

fn is_same(before: &str, after: &str) -> bool {
    match (before.parse::<toml::Table>(), after.parse::<toml::Table>()) {
        (Ok(before), Ok(after)) => before == after,
        (Ok(_) | Err(_), _) => false,
    }
}

/// Where a key stands in its table's order; what is not listed comes last.
fn rank(path: &[&str], key: &str) -> usize {
    let order = match path {
        [] => FILE_KEYS,
        ["rule"] => RULE_KEYS,
        ["tool"] => TOOL_KEYS,
        ["budget"] => BUDGET_KEYS,
        ["rule", "test"] => TEST_KEYS,
        ["rule", "test", "call"] => CALL_KEYS,
        _ => return 0,
    };
    let at = order.iter().position(|known| *known == key);
    at.unwrap_or(order.len())
}

/// What is written so far.
#[derive(Default)]
struct Writer {
    out: String,
}

impl Writer {
    /// A table's values, then its tables. Depth is bounded by the reader.
    fn table(&mut self, path: &[&str], table: &Table) {
        self.values(path, table);
        let mut inner: Vec<(&str, &Item)> = table.iter().collect();
        inner.sort_by_key(|(key, _)| rank(path, key));
        for (key, item) in inner {
            let below: Vec<&str> = path.iter().copied().chain([key]).collect();
            match item {
                Item::Table(inner) if !inner.is_dotted() => self.headed(&below, inner, "[", "]"),
                Item::ArrayOfTables(tables) => tables
                    .iter()
                    .for_each(|inner| self.headed(&below, inner, "[[", "]]")),
                Item::Table(_) | Item::Value(_) | Item::None => {}
            }
        }
    }

    fn headed(&mut self, path: &[&str], table: &Table, open: &str, close: &str) {
        if !table.is_implicit() {
            self.blank_line();
            self.comments(table.decor().prefix());
            let name: Vec<String> = path
                .iter()
                .map(|key| Key::new(*key).display_repr().into_owned())
                .collect();
            let after = comment_behind(table.decor().suffix());
            let _cannot_fail = writeln!(self.out, "{open}{}{close}{after}", name.join("."));
        }
        self.table(path, table);
    }

    fn values(&mut self, path: &[&str], table: &Table) {
        let mut values = table.get_values();
        values.sort_by_key(|(keys, _)| keys.first().map_or(0, |key| rank(path, key.get())));
        for (keys, value) in values {
            self.comments(keys.last().and_then(|key| key.leaf_decor().prefix()));
            let after = comment_behind(value.decor().suffix());
            let below: Vec<&str> = path
                .iter()
                .copied()
                .chain(keys.iter().map(|key| key.get()))
                .collect();
            let value = written(&below, value);
            let _cannot_fail = writeln!(self.out, "{} = {value}{after}", dotted(&keys));
        }
    }

    /// Comments before something; one blank line stays where there were some.
    fn comments(&mut self, before: Option<&RawString>) {
        let text = before.and_then(RawString::as_str).unwrap_or_default();
        // What comes after the last line end is the margin of what the comments stand before.
        let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        self.comment_lines(lines, true);
    }

    fn trailing(&mut self, after: &RawString) {
        let text = after.as_str().unwrap_or_default();
        if text.contains('#') {
            self.blank_line();
        }
        self.comment_lines(text.trim_end(), false);
    }

    fn comment_lines(&mut self, lines: &str, keep_last_blank: bool) {
        let mut blank = false;
        let mut any = false;
        for line in lines.split('\n').map(str::trim) {
            match line.is_empty() {
                true => blank = true,
                false => {
                    if blank && any {
                        self.out.push('\n');
                    }
                    (blank, any) = (false, true);
                    self.out.push_str(line);
                    self.out.push('\n');
                }
            }
        }
        if blank && any && keep_last_blank {
            self.out.push('\n');
        }
    }

    fn blank_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }
}

/// ` # …`, or nothing.
fn comment_behind(after: Option<&RawString>) -> String {
    let text = after.and_then(RawString::as_str).unwrap_or_default().trim();
    match text.is_empty() {
        true => String::new(),
        false => format!(" {text}"),
    }
}

fn dotted(keys: &[&Key]) -> String {
    let names: Vec<_> = keys.iter().map(|key| key.display_repr()).collect();
    names.join(".")
}

/// A value as it stands in the file, without the space around it. What runs over several lines can
/// hold comments, and stays.
fn written(path: &[&str], value: &Value) -> String {
    let mut bare = value.clone();
    *bare.decor_mut() = Decor::new("", "");
    let text = bare.to_string();
    match value {
        _ if text.contains('\n') => text,
        Value::Array(array) => written_array(path, array),
        Value::InlineTable(table) => written_table(path, table),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => text,
    }
}

fn written_array(path: &[&str], array: &Array) -> String {
    let items: Vec<String> = array.iter().map(|item| written(path, item)).collect();
    format!("[{}]", items.join(", "))
}

fn written_table(path: &[&str], table: &InlineTable) -> String {
    let mut values = table.get_values();
    values.sort_by_key(|(keys, _)| keys.first().map_or(0, |key| rank(path, key.get())));
    let entries: Vec<String> = values
        .into_iter()
        .map(|(keys, value)| {
            let below: Vec<&str> = path
                .iter()
                .copied()
                .chain(keys.iter().map(|key| key.get()))
                .collect();
            format!("{} = {}", dotted(&keys), written(&below, value))
        })
        .collect();
    match entries.is_empty() {
        true => "{}".to_owned(),
        false => format!("{{ {} }}", entries.join(", ")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Formats, and shows that doing so again changes nothing.
    fn formatted(text: &str) -> String {
        let once = fmt(text).unwrap();
        assert_eq!(fmt(&once).as_ref(), Ok(&once), "again");
        once
    }

    #[test]
    fn keys_come_in_one_order_and_comments_stay() {
        let text = "\
# The house's rules.


# Version of the format.
version=1
   name = \"house\"   # ours

[[rule]] # first
reason = \"r\"
# why this one
match = {tool=\"a\",\"arguments.x\"=[ 1,2 ]}
id = \"one\"
effect = \"deny\"
[[rule.test]]
verdict = \"deny\"
call = {arguments={},tool=\"a\"}



# before the list
[lists]
b = [
  \"x\", # an x
  \"y\",
]
a = [\"z\"]
# the end
";
        let expected = "\
# The house's rules.

# Version of the format.
version = 1
name = \"house\" # ours

# before the list
[lists]
b = [
  \"x\", # an x
  \"y\",
]
a = [\"z\"]

[[rule]] # first
id = \"one\"
effect = \"deny\"
# why this one
match = { tool = \"a\", \"arguments.x\" = [1, 2] }
reason = \"r\"

[[rule.test]]
call = { tool = \"a\", arguments = {} }
verdict = \"deny\"

# the end
";
        assert_eq!(formatted(text), expected);
    }

    #[test]
    fn tables_with_headers_and_dotted_keys_stay_what_they_are() {
        let text = "\
version = 1
[[rule]]
id = \"a\"
  [rule.obligations.limits]
  wall_ms = 1
  [rule.match] # facts
  tool = \"t\"
[[rule]]
match.tool = 't' # one
match.\"arguments.x\" = 2
id = '''b'''
";
        let expected = "\
version = 1

[[rule]]
id = \"a\"

[rule.match] # facts
tool = \"t\"

[rule.obligations.limits]
wall_ms = 1

[[rule]]
id = '''b'''
match.tool = 't' # one
match.\"arguments.x\" = 2
";
        assert_eq!(formatted(text), expected);
    }

    #[test]
    fn lines_and_comments_of_long_values_stay() {
        for text in [
            "a = [\n  # first\n  1, # one\n\n  2\n  # last\n]\n",
            "a = \"\"\"\nx  # no comment\n  y\\\n  z\"\"\"\n",
            "a = '''\r\nx'''\n",
        ] {
            assert_eq!(formatted(text), text);
        }
    }

    #[test]
    fn what_is_no_toml_is_named_with_its_line() {
        let error = fmt("version = 1\nname = \n").unwrap_err();
        assert!(
            matches!(error, FormatError::Toml { line: 2, .. }),
            "{error}"
        );
        assert_eq!(formatted(""), "");
        assert_eq!(
            formatted("\n\n# only\r\n# comments"),
            "# only\n# comments\n"
        );
        assert_eq!(
            fmt(&" ".repeat(MAX_POLICY_BYTES + 1)),
            Err(FormatError::TooLong)
        );
    }
}
