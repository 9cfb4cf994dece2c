//! Reads JSON strictly and writes it in one form only.
//!
//! What is judged must be what runs, so a text that two readers could understand differently is
//! refused before anything looks at it: duplicate keys, lone surrogates, invalid UTF-8, numbers
//! that change when they are written again, bytes after the value, nesting over [`MAX_DEPTH`].
//! The reader is our own because the usual ones keep the last of two keys and turn a long integer
//! into the nearest float before anybody can see it; a property test holds it against serde_json.
//!
//! Never panics, never recurses deeper than [`MAX_DEPTH`]. Fails with the place: line, column and
//! the path of keys.

use std::fmt;

use serde_json::{Map, Number};
use thiserror::Error;

pub use serde_json::Value;

use crate::text::quote;

/// Nesting that no honest tool call comes near; it bounds the recursion of every reader behind
/// this one.
pub const MAX_DEPTH: usize = 64;

/// More than any profile lets into a call (16 MiB of files in base64 beside code and input); the
/// gateway refuses larger bodies before they are read.
pub const MAX_BYTES: usize = 64 << 20;

/// A value takes up to 16 times its text in memory (`1,` is two bytes), so the count is bounded as
/// well as the bytes.
pub const MAX_VALUES: usize = 1_000_000;

/// Reads exactly one JSON value.
///
/// # Errors
/// [`JsonError`] for anything that RFC 8259 does not allow, and for what it allows but readers
/// disagree on (see the module's head).
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.len() > MAX_BYTES {
        return Err(JsonError::new(b"", Stop::at(0, JsonFault::TooLong)));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| JsonError::new(bytes, Stop::at(e.valid_up_to(), JsonFault::NotUtf8)))?;
    Reader::new(text)
        .whole()
        .map_err(|stop| JsonError::new(bytes, stop))
}

/// Writes a value in its canonical form: keys sorted by their UTF-8 bytes, no white space, only
/// the escapes that JSON demands, the shortest digits that read back as the same number.
///
/// `parse(&canonical(v)) == v` for every value that [`parse`] gives. Recurses as deep as the
/// value; values that do not come from [`parse`] pass through [`check`] first.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value);
    out
}

/// Holds a value that was not read by [`parse`] against the same bounds on depth and count.
///
/// # Errors
/// [`JsonFault::TooDeep`] or [`JsonFault::TooManyValues`].
pub fn check(value: &Value) -> Result<(), JsonFault> {
    count_values(value, MAX_DEPTH, &mut 0)
}

/// Why a text is not taken, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{fault} (line {line}, column {column}{})", Within(path))]
pub struct JsonError {
    fault: JsonFault,
    line: usize,
    column: usize,
    path: String,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// Over [`MAX_BYTES`].
    #[error("the text has more than {MAX_BYTES} bytes; send less")]
    TooLong,
    /// Bytes that are not UTF-8.
    #[error("the text is not UTF-8; encode it as UTF-8")]
    NotUtf8,
    /// The text ends inside the value.
    #[error("the text ends too early; complete the value")]
    Ended,
    /// A character that cannot stand here.
    #[error("found `{}` where {wanted} belongs", found.escape_debug())]
    Unexpected {
        /// The character that stands there.
        found: char,
        /// What could stand there.
        wanted: &'static str,
    },
    /// Something follows the value.
    #[error("something follows the value; send one value only")]
    Trailing,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels; flatten the value")]
    TooDeep,
    /// More values than [`MAX_VALUES`].
    #[error("holds more than {MAX_VALUES} values; send less")]
    TooManyValues,
    /// The same key twice in one object.
    #[error("the key stands twice in its object; keep one")]
    DuplicateKey,
    /// Half of a surrogate pair.
    #[error(
        "`\\u` escape with half of a surrogate pair; write both halves or the character itself"
    )]
    LoneSurrogate,
    /// An escape that JSON does not have.
    #[error("unknown escape in a string; JSON has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX")]
    BadEscape,
    /// A raw control character in a string.
    #[error("control character in a string; write it as an escape")]
    ControlCharacter,
    /// Not a number by JSON's grammar: leading zeros, a bare point, and so on.
    #[error(
        "{} is not a JSON number; write it without leading zeros or a bare point",
        quote(text)
    )]
    BadNumber {
        /// The text that was read as a number.
        text: String,
    },
    /// An integer outside i64 and u64, or a float that is infinite.
    #[error("{} is out of range; write it as a string", quote(text))]
    NumberOutOfRange {
        /// The number's text.
        text: String,
    },
    /// A number that changes when it is written again.
    #[error(
        "{} would become `{nearest}`; write that, or send it as a string",
        quote(text)
    )]
    NumberNotExact {
        /// The number's text.
        text: String,
        /// What it would turn into.
        nearest: String,
    },
}

impl JsonError {
    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &JsonFault {
        &self.fault
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The keys on the way, as in `arguments.files[2].path`; empty at the top.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    fn new(bytes: &[u8], stop: Stop) -> Self {
        let before = bytes.get(..stop.offset).unwrap_or(bytes);
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |newline| newline.saturating_add(1));
        let line_bytes = before.get(line_start..).unwrap_or_default();
        Self {
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            column: String::from_utf8_lossy(line_bytes).chars().count() + 1,
            path: path_text(&stop.path),
            fault: stop.fault,
        }
    }
}

/// The path's part of a message, nothing at the top.
struct Within<'a>(&'a str);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ", at {}", quote(self.0))
        }
    }
}

// ---- reading ------------------------------------------------------------------------------------

/// One step of a path, gathered from the inside out while an error travels up.
#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// An error on its way up: the path grows at each level, so that a good text pays nothing for it.
struct Stop {
    offset: usize,
    fault: JsonFault,
    path: Vec<Step>,
}

impl Stop {
    fn at(offset: usize, fault: JsonFault) -> Self {
        Self {
            offset,
            fault,
            path: Vec::new(),
        }
    }

    fn within(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

/// Steps stand from the inside out.
fn path_text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps.iter().rev() {
        match step {
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// A position in the text and the budget that is left.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            values: 0,
        }
    }

    fn whole(mut self) -> Result<Value, Stop> {
        let value = self.value(MAX_DEPTH)?;
        self.skip_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.stop(JsonFault::Trailing)),
        }
    }

    /// `depth_left` is how many more levels of arrays and objects may open.
    fn value(&mut self, depth_left: usize) -> Result<Value, Stop> {
        self.skip_space();
        self.values = self.values.saturating_add(1);
        if self.values > MAX_VALUES {
            return Err(self.stop(JsonFault::TooManyValues));
        }
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth_left)?),
            Some(b'[') => self.array(self.deeper(depth_left)?),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn deeper(&self, depth_left: usize) -> Result<usize, Stop> {
        depth_left
            .checked_sub(1)
            .ok_or_else(|| self.stop(JsonFault::TooDeep))
    }

    fn object(&mut self, depth_left: usize) -> Result<Value, Stop> {
        self.at += 1;
        let mut map = Map::new();
        if self.closes(b'}') {
            return Ok(Value::Object(map));
        }
        loop {
            self.skip_space();
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in quotes"));
            }
            let key = self.string()?;
            self.expect(b':', "`:` after the key")
                .map_err(|stop| stop.within(Step::Key(key.clone())))?;
            if map.contains_key(&key) {
                return Err(Stop::at(key_at, JsonFault::DuplicateKey).within(Step::Key(key)));
            }
            match self.value(depth_left) {
                Ok(value) => map.insert(key, value),
                Err(stop) => return Err(stop.within(Step::Key(key))),
            };
            if self.closes(b'}') {
                return Ok(Value::Object(map));
            }
            self.expect(b',', "`,` or `}`")?;
        }
    }

    fn array(&mut self, depth_left: usize) -> Result<Value, Stop> {
        self.at += 1;
        let mut items = Vec::new();
        if self.closes(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            let item = self
                .value(depth_left)
                .map_err(|stop| stop.within(Step::Index(items.len())))?;
            items.push(item);
            if self.closes(b']') {
                return Ok(Value::Array(items));
            }
            self.expect(b',', "`,` or `]`")?;
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, Stop> {
        if self.rest().starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.unexpected("a value"))
        }
    }

    fn string(&mut self) -> Result<String, Stop> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let plain = self
                .rest()
                .bytes()
                .position(|b| b == b'"' || b == b'\\' || b < 0x20)
                .unwrap_or(self.rest().len());
            out.push_str(self.rest().get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.stop(JsonFault::ControlCharacter)),
                None => return Err(self.stop(JsonFault::Ended)),
            }
        }
    }

    /// At a backslash.
    fn escape(&mut self) -> Result<char, Stop> {
        let start = self.at;
        self.at += 1;
        let short = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            Some(_) => return Err(Stop::at(start, JsonFault::BadEscape)),
            None => return Err(self.stop(JsonFault::Ended)),
        };
        self.at += 1;
        Ok(short)
    }

    /// At the `u`; `start` is the backslash before it.
    fn unicode_escape(&mut self, start: usize) -> Result<char, Stop> {
        let first = self.four_hex(start)?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let lone = || Stop::at(start, JsonFault::LoneSurrogate);
        if !(0xD800..0xDC00).contains(&first) || !self.rest().starts_with("\\u") {
            return Err(lone());
        }
        self.at += 1;
        let second = self.four_hex(start)?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(lone());
        }
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        char::from_u32(code).ok_or_else(lone)
    }

    /// At the `u`.
    fn four_hex(&mut self, start: usize) -> Result<u32, Stop> {
        let bad = || Stop::at(start, JsonFault::BadEscape);
        let digits = self.rest().get(1..5).ok_or_else(bad)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        self.at += 5;
        u32::from_str_radix(digits, 16).map_err(|_| bad())
    }

    fn number(&mut self) -> Result<Number, Stop> {
        let start = self.at;
        let length = self
            .rest()
            .bytes()
            .position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(self.rest().len());
        let text = self.rest().get(..length).unwrap_or_default();
        self.at += length;
        read_number(text).map_err(|fault| Stop::at(start, fault))
    }

    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(bracket);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, wanted: &'static str) -> Result<(), Stop> {
        self.skip_space();
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.unexpected(wanted))
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self, wanted: &'static str) -> Stop {
        match self.rest().chars().next() {
            Some(found) => self.stop(JsonFault::Unexpected { found, wanted }),
            None => self.stop(JsonFault::Ended),
        }
    }

    fn stop(&self, fault: JsonFault) -> Stop {
        Stop::at(self.at, fault)
    }
}

// ---- numbers ------------------------------------------------------------------------------------

/// The sign, digits and exponent of a number's text, by JSON's grammar.
struct NumberParts<'a> {
    negative: bool,
    integer: &'a str,
    fraction: &'a str,
    exponent: &'a str,
    is_integer: bool,
}

impl<'a> NumberParts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text),
        };
        let (mantissa, exponent) = match body.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (body, None),
        };
        let (integer, fraction) = match mantissa.split_once('.') {
            Some((integer, fraction)) => (integer, Some(fraction)),
            None => (mantissa, None),
        };
        let unsigned = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
        let leading_zero = integer.len() > 1 && integer.starts_with('0');
        let well_formed = is_digits(integer)
            && !leading_zero
            && fraction.is_none_or(is_digits)
            && unsigned.is_none_or(is_digits);
        well_formed.then_some(Self {
            negative,
            integer,
            fraction: fraction.unwrap_or_default(),
            exponent: exponent.unwrap_or_default(),
            is_integer: fraction.is_none() && exponent.is_none(),
        })
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn read_number(text: &str) -> Result<Number, JsonFault> {
    let parts = NumberParts::split(text).ok_or_else(|| JsonFault::BadNumber {
        text: text.to_owned(),
    })?;
    if parts.is_integer {
        read_integer(text, &parts)
    } else {
        read_float(text, &parts)
    }
}

fn read_integer(text: &str, parts: &NumberParts<'_>) -> Result<Number, JsonFault> {
    if parts.negative && parts.integer == "0" {
        // Readers disagree whether this is the integer 0 or the float -0.0.
        return Err(JsonFault::NumberNotExact {
            text: text.to_owned(),
            nearest: "0".to_owned(),
        });
    }
    let signed = text.parse::<i64>().map(Number::from);
    signed
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .map_err(|_| JsonFault::NumberOutOfRange {
            text: text.to_owned(),
        })
}

fn read_float(text: &str, parts: &NumberParts<'_>) -> Result<Number, JsonFault> {
    let out_of_range = || JsonFault::NumberOutOfRange {
        text: text.to_owned(),
    };
    let float: f64 = text.parse().map_err(|_| out_of_range())?;
    let number = Number::from_f64(float).ok_or_else(out_of_range)?;
    let written = float_text(float);
    let same = NumberParts::split(&written)
        .is_some_and(|again| Decimal::of(parts).is_some_and(|d| Decimal::of(&again) == Some(d)));
    if same {
        Ok(number)
    } else {
        Err(JsonFault::NumberNotExact {
            text: text.to_owned(),
            nearest: written,
        })
    }
}

/// A decimal number in its only form: `0.digits * 10^exponent`, without zeros at either end.
#[derive(PartialEq, Eq)]
struct Decimal {
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// None when the exponent is beyond any float.
    fn of(parts: &NumberParts<'_>) -> Option<Self> {
        let all = format!("{}{}", parts.integer, parts.fraction);
        let without_front = all.trim_start_matches('0');
        let digits = without_front.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self {
                digits: String::new(),
                exponent: 0,
            });
        }
        let written: i64 = match parts.exponent {
            "" => 0,
            exponent => exponent.parse().ok()?,
        };
        let front_zeros = i64::try_from(all.len() - without_front.len()).ok()?;
        let integer_digits = i64::try_from(parts.integer.len()).ok()?;
        Some(Self {
            digits: digits.to_owned(),
            exponent: written
                .checked_add(integer_digits)?
                .checked_sub(front_zeros)?,
        })
    }
}

/// The shortest text that reads back as this float, always with a point or an exponent.
fn float_text(float: f64) -> String {
    format!("{float:?}")
}

// ---- writing ------------------------------------------------------------------------------------

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number_text(number).as_bytes()),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => write_array(out, items),
        Value::Object(map) => write_object(out, map),
    }
}

fn write_array(out: &mut Vec<u8>, items: &[Value]) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_value(out, item);
    }
    out.push(b']');
}

/// Sorts by itself: another crate in the build may have switched on serde_json's insertion order.
fn write_object(out: &mut Vec<u8>, map: &Map<String, Value>) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    out.push(b'{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        write_value(out, value);
    }
    out.push(b'}');
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x00..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn number_text(number: &Number) -> String {
    if number.is_f64() {
        number
            .as_f64()
            .map_or_else(|| number.to_string(), float_text)
    } else {
        number.to_string()
    }
}

fn count_values(value: &Value, depth_left: usize, count: &mut usize) -> Result<(), JsonFault> {
    *count = count.saturating_add(1);
    if *count > MAX_VALUES {
        return Err(JsonFault::TooManyValues);
    }
    let deeper = || depth_left.checked_sub(1).ok_or(JsonFault::TooDeep);
    match value {
        Value::Array(items) => {
            let left = deeper()?;
            items.iter().try_for_each(|v| count_values(v, left, count))
        }
        Value::Object(map) => {
            let left = deeper()?;
            map.values().try_for_each(|v| count_values(v, left, count))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn fault(text: &str) -> JsonFault {
        parse(text.as_bytes()).unwrap_err().fault
    }

    fn again(text: &str) -> String {
        String::from_utf8(canonical(&parse(text.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn sorts_keys_and_drops_space() {
        assert_eq!(
            again(" {\"b\": [1, 2 ,{}] ,\n\"a\":null, \"é\":true,\"Z\":false}"),
            r#"{"Z":false,"a":null,"b":[1,2,{}],"é":true}"#
        );
    }

    /// Digests in ledgers rest on these bytes: a change here is a new format.
    #[test]
    fn canonical_form_is_pinned() {
        assert_eq!(
            again(
                r#"["\u0000\u001f\b\f\n\r\t\"\\\/\u007f\u2028\ud83d\ude00", 1.0, 1e2, -0.0, 1e16, 1e-5, 1E300, -7, 18446744073709551615]"#
            ),
            "[\"\\u0000\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\u{7f}\u{2028}😀\",1.0,100.0,-0.0,1e16,1e-5,1e300,-7,18446744073709551615]"
        );
    }

    #[test]
    fn numbers_that_survive() {
        for text in [
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "0.1",
            "0.10",
            "1.5e300",
            "5e-324",
            "0.30000000000000004",
            "1.7976931348623157e308",
            "0e999999999999999999999",
            "0.0",
            "100e-2",
            "123456789.125",
            "2.2250738585072014e-308",
        ] {
            assert!(parse(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range() {
        for text in [
            "1e400",
            "-1e400",
            "12345678901234567890123",
            "18446744073709551616",
            "-9223372036854775809",
        ] {
            assert!(
                matches!(fault(text), JsonFault::NumberOutOfRange { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_that_would_change() {
        for text in [
            "-0",
            "1e-400",
            "0.1000000000000000055",
            "9007199254740993.0",
            "2.5e-324",
            "1e-99999999999999999999",
            "0.10000000000000001",
            "1.7976931348623158e308",
        ] {
            assert!(
                matches!(fault(text), JsonFault::NumberNotExact { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn number_grammar() {
        for text in [
            "01", "1.", "-", "1e", "1e+", "1.e1", "--1", "1-1", "00.1", "1.2.3", "1e1e1",
        ] {
            assert!(matches!(fault(text), JsonFault::BadNumber { .. }), "{text}");
        }
        for text in ["+1", ".5", "NaN", "Infinity"] {
            assert!(
                matches!(fault(text), JsonFault::Unexpected { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn duplicate_key_is_named_with_its_path() {
        let error = parse(br#"{"arguments":{"files":[{"a":1},{"path":"x","p\u0061th":"y"}]}}"#)
            .unwrap_err();
        assert_eq!(error.fault(), &JsonFault::DuplicateKey);
        assert_eq!(error.path(), "arguments.files[1].path");
        assert_eq!(
            error.to_string(),
            "the key stands twice in its object; keep one (line 1, column 44, at `arguments.files[1].path`)"
        );
    }

    #[test]
    fn surrogates() {
        for text in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\ud800""#,
            r#""\ud83dx""#,
            r#""\ud83d\n""#,
        ] {
            assert_eq!(fault(text), JsonFault::LoneSurrogate, "{text}");
        }
        assert_eq!(fault(r#""\ud83d\u00""#), JsonFault::BadEscape);
        assert_eq!(fault(r#""\u+123""#), JsonFault::BadEscape);
    }

    #[test]
    fn not_utf8() {
        let error = parse(b"{\"a\":\n\"\xff\"}").unwrap_err();
        assert_eq!(error.fault(), &JsonFault::NotUtf8);
        assert_eq!((error.line(), error.column()), (2, 2));
    }

    #[test]
    fn broken_texts() {
        for text in ["", " ", "{", "[", "\"a", "{\"a\"", "{\"a\":", "[1,", "\"\\"] {
            assert_eq!(fault(text), JsonFault::Ended, "{text}");
        }
        for text in [
            "]",
            "{a:1}",
            "[1 2]",
            "{\"a\" 1}",
            "[1,]",
            "{\"a\":1,}",
            "tru",
            "\u{feff}1",
            "'a'",
            "\u{a0}1",
        ] {
            assert!(
                matches!(fault(text), JsonFault::Unexpected { .. }),
                "{text}"
            );
        }
        assert_eq!(fault("1 2"), JsonFault::Trailing);
        assert_eq!(fault("{}\0"), JsonFault::Trailing);
        assert_eq!(fault("\"a\nb\""), JsonFault::ControlCharacter);
        assert_eq!(fault(r#""\x""#), JsonFault::BadEscape);
    }

    #[test]
    fn depth_ends_in_an_error() {
        assert_eq!(MAX_DEPTH, 64, "as promised in docs/POLICY.md");
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(fault(&nested(MAX_DEPTH + 1)), JsonFault::TooDeep);
        assert_eq!(fault(&"[".repeat(1_000_000)), JsonFault::TooDeep);
        assert_eq!(fault(&"{\"a\":".repeat(1_000_000)), JsonFault::TooDeep);
    }

    #[test]
    fn count_ends_in_an_error() {
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(fault(&many), JsonFault::TooManyValues);
    }

    #[test]
    fn check_holds_foreign_values_to_the_same_bounds() {
        let mut value = Value::Null;
        for _ in 0..MAX_DEPTH {
            value = Value::Array(vec![value]);
        }
        assert_eq!(check(&value), Ok(()));
        assert_eq!(check(&Value::Array(vec![value])), Err(JsonFault::TooDeep));
    }
}
