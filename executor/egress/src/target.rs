//! The path of a request in one form: judged as it is sent, sent as it was judged.
//!
//! Percent-encoded letters, digits, `-`, `.`, `_` and `~` are written plainly, as RFC 3986
//! (6.2.2) has it, and the hexadecimal digits of what stays encoded in capitals. A path with a
//! segment `.` or `..`, in whatever encoding, is refused, because servers differ in what they make
//! of it; so is a backslash. Fails with [`NotAPath`].

use thiserror::Error;

/// A path and query in one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Begins with `/`.
    pub(crate) path: String,
    /// Without the `?`.
    pub(crate) query: Option<String>,
}

/// A target that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NotAPath {
    /// Not beginning with `/`.
    #[error("a path begins with `/`")]
    Relative,
    /// A character that does not stand in a URL.
    #[error("a URL is written in the characters of RFC 3986, others percent-encoded")]
    Characters,
    /// `%` without two hexadecimal digits.
    #[error("`%` stands before two hexadecimal digits")]
    Percent,
    /// `.` or `..` as a segment.
    #[error("a path has no segments `.` or `..`, encoded or not")]
    DotSegment,
}

impl Target {
    /// Reads `/path?query`.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAPath> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        if !path.starts_with('/') {
            return Err(NotAPath::Relative);
        }
        let path = normal(path, Part::Path)?;
        if segments(&path).any(|segment| matches!(segment, "." | "..")) {
            return Err(NotAPath::DotSegment);
        }
        Ok(Self {
            path,
            query: query.map(|query| normal(query, Part::Query)).transpose()?,
        })
    }

    /// As a request line has it.
    pub(crate) fn to_origin_form(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// What some server takes for segments: also between encoded slashes and backslashes, and before
/// parameters.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .flat_map(|part| part.split("%2F"))
        .flat_map(|part| part.split("%5C"))
        .map(|part| part.split(';').next().unwrap_or(part))
}

/// Line ends stand in forms that are sent as a query, and nowhere in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Query,
}

fn normal(text: &str, part: Part) -> Result<String, NotAPath> {
    let mut out = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = bytes.next().and_then(hex).ok_or(NotAPath::Percent)?;
            let low = bytes.next().and_then(hex).ok_or(NotAPath::Percent)?;
            push_decoded(&mut out, high << 4 | low, part)?;
        } else if is_url(byte) {
            out.push(char::from(byte));
        } else {
            return Err(NotAPath::Characters);
        }
    }
    Ok(out)
}

fn push_decoded(out: &mut String, byte: u8, part: Part) -> Result<(), NotAPath> {
    match byte {
        0 => return Err(NotAPath::Characters),
        b'\r' | b'\n' if part == Part::Path => return Err(NotAPath::Characters),
        _ if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
            out.push(char::from(byte));
        }
        _ => out.push_str(&format!("%{byte:02X}")),
    }
    Ok(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Visible ASCII without what RFC 3986 leaves out. `[`, `]`, `{`, `}`, `|` and `^` are sent by
/// browsers and read by all servers alike.
fn is_url(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'`' | b'#')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_each_path() {
        for (text, wanted) in [
            ("/", "/"),
            ("/a?b=c", "/a?b=c"),
            ("/%61dmin", "/admin"),
            ("/@scope%2fname", "/@scope%2Fname"),
            ("/a%252e", "/a%252e"),
            ("/a?x=%41%20", "/a?x=A%20"),
            ("/a?x=%0d%0A", "/a?x=%0D%0A"),
            ("/..a/.b", "/..a/.b"),
            ("/a?../..", "/a?../.."),
        ] {
            assert_eq!(
                Target::parse(text).unwrap().to_origin_form(),
                wanted,
                "{text}"
            );
        }
    }

    #[test]
    fn paths_that_servers_read_differently() {
        for (text, wanted) in [
            ("", NotAPath::Relative),
            ("a", NotAPath::Relative),
            ("*", NotAPath::Relative),
            ("/a/../b", NotAPath::DotSegment),
            ("/a/%2e%2E/b", NotAPath::DotSegment),
            ("/a/.%2e", NotAPath::DotSegment),
            ("/a%2f..%2fb", NotAPath::DotSegment),
            ("/a%5c..%5cb", NotAPath::DotSegment),
            ("/a/..;x/b", NotAPath::DotSegment),
            ("/./a", NotAPath::DotSegment),
            ("/a\\..\\b", NotAPath::Characters),
            ("/a%00", NotAPath::Characters),
            ("/a?%00", NotAPath::Characters),
            ("/a%0d%0aX:", NotAPath::Characters),
            ("/a b", NotAPath::Characters),
            ("/ü", NotAPath::Characters),
            ("/a#b", NotAPath::Characters),
            ("/%", NotAPath::Percent),
            ("/%zz", NotAPath::Percent),
            ("/%+1", NotAPath::Percent),
        ] {
            assert_eq!(Target::parse(text), Err(wanted), "{text}");
        }
    }
}
