//! The head of a request, byte by byte, before any library sees it.
//!
//! ```text
//!  METHOD SP target SP HTTP/1.1 CRLF  (name ":" value CRLF)*  CRLF
//! ```
//!
//! What is not exactly of this form is refused, above all what two programs are known to read in
//! two ways: a bare line feed, a folded line, white space around a name, a length beside a transfer
//! coding, two hosts, NUL. What passes here has one reading, so that what HTTP libraries and servers
//! make of it is what was judged. Fails with a [`Refusal`] of the reason `malformed` or `too-large`.

use crate::limits::{MAX_HEADERS, MAX_TARGET_BYTES};
use crate::refusal::{Reason, Refusal};

/// The longest method that is registered has 17 letters.
pub(crate) const MAX_METHOD_BYTES: usize = 20;

/// The method that opens a tunnel.
pub(crate) const TUNNEL: &str = "CONNECT";

/// Decimal digits of a length that a `u64` holds.
const MAX_LENGTH_DIGITS: usize = 18;

/// What is known of a request from its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    /// The one `Host` header.
    pub(crate) host: String,
    /// The protocol that the client wants to change to.
    pub(crate) upgrade: Option<String>,
    pub(crate) framing: Framing,
}

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A length, 0 when there is no body.
    Length(u64),
    /// Chunks.
    Chunked,
}

impl Head {
    /// Whether the bytes after the head are no further request.
    pub(crate) fn leaves_http(&self) -> bool {
        self.method == TUNNEL || self.upgrade.is_some()
    }

    /// Reads a head, with the empty line that ends it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if let Some(fault) = bytes.iter().copied().find_map(forbidden) {
            return Err(malformed(fault));
        }
        let text = bytes
            .strip_suffix(b"\r\n\r\n")
            .ok_or_else(|| malformed("a head ends in an empty line"))?;
        let mut lines = Lines(Some(text));
        let (method, target) = request_line(lines.next().unwrap_or_default())?;
        let mut headers = Headers::default();
        for (index, line) in lines.enumerate() {
            if index >= MAX_HEADERS {
                let detail = format!("a request has at most {MAX_HEADERS} headers");
                return Err(Refusal::new(Reason::TooLarge, detail));
            }
            headers.add(line)?;
        }
        headers.finish(method, target)
    }
}

/// A byte that stands nowhere in a head. Line ends are looked at where lines are split.
pub(crate) fn forbidden(byte: u8) -> Option<&'static str> {
    match byte {
        0 => Some("a request has no NUL in it"),
        b'\t' | b'\r' | b'\n' => None,
        1..=31 | 127 => Some("a request has no control characters in it"),
        32..=126 | 128.. => None,
    }
}

/// The parts between CRLF.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => {
                self.0 = rest.get(end + 2..);
                rest.get(..end)
            }
            None => self.0.take(),
        }
    }
}

fn request_line(line: &[u8]) -> Result<(String, String), Refusal> {
    let wrong = || malformed("a request begins with `METHOD target HTTP/1.1`");
    let text = std::str::from_utf8(line).map_err(|_| wrong())?;
    let mut parts = text.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    // The TLS clients of older Pythons open tunnels so, and without a `Host`.
    let old = version == "HTTP/1.0" && method == TUNNEL;
    if version != "HTTP/1.1" && !old {
        return Err(malformed("the proxy speaks HTTP/1.1 alone"));
    }
    let is_method = (1..=MAX_METHOD_BYTES).contains(&method.len())
        && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if !is_method {
        return Err(malformed("a method is written in capitals"));
    }
    check_target(target)?;
    Ok((method.to_owned(), target.to_owned()))
}

fn check_target(target: &str) -> Result<(), Refusal> {
    if target.len() > MAX_TARGET_BYTES {
        let detail = format!("a URL has at most {MAX_TARGET_BYTES} bytes");
        return Err(Refusal::new(Reason::TooLarge, detail));
    }
    let plain = target.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if plain && !target.is_empty() {
        Ok(())
    } else {
        Err(malformed(
            "a URL is written in visible ASCII, without a fragment",
        ))
    }
}

/// The headers that say where a message goes and where it ends.
#[derive(Default)]
struct Headers {
    host: Option<String>,
    length: Option<u64>,
    chunked: bool,
    upgrade: Option<String>,
}

impl Headers {
    fn add(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let (name, value) = split(line)?;
        match name.as_str() {
            "host" => once(&mut self.host, text(value)?),
            "content-length" => once(&mut self.length, length(value)?),
            "transfer-encoding" => self.add_coding(value),
            "upgrade" => once(&mut self.upgrade, text(value)?.to_ascii_lowercase()),
            "expect" if !value.eq_ignore_ascii_case(b"100-continue") => {
                Err(malformed("nothing but `100-continue` can be expected"))
            }
            // Servers behind CGI read these as the headers that they imitate.
            "content_length" | "transfer_encoding" => Err(malformed(
                "a header imitates the one that says where a body ends",
            )),
            _ => Ok(()),
        }
    }

    fn add_coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(malformed("a transfer coding is `chunked`, once"));
        }
        self.chunked = true;
        Ok(())
    }

    fn finish(self, method: String, target: String) -> Result<Head, Refusal> {
        let framing = match (self.chunked, self.length) {
            (true, Some(_)) => {
                return Err(malformed(
                    "a body has a length or a transfer coding, not both",
                ));
            }
            (true, None) => Framing::Chunked,
            (false, length) => Framing::Length(length.unwrap_or(0)),
        };
        let head = Head {
            host: match self.host {
                Some(host) => host,
                None if method == TUNNEL => target.clone(),
                None => return Err(malformed("a request has one `Host`")),
            },
            upgrade: self.upgrade,
            framing,
            method,
            target,
        };
        if head.leaves_http() && head.framing != Framing::Length(0) {
            return Err(malformed("a request that leaves HTTP has no body"));
        }
        Ok(head)
    }
}

fn split(line: &[u8]) -> Result<(String, &[u8]), Refusal> {
    if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
        return Err(malformed("a header stands on one line"));
    }
    let wrong = || malformed("a header is `Name: value`, without a space before the colon");
    let colon = line.iter().position(|b| *b == b':').ok_or_else(wrong)?;
    let (name, value) = line.split_at_checked(colon).ok_or_else(wrong)?;
    if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
        return Err(wrong());
    }
    let name = std::str::from_utf8(name).map_err(|_| wrong())?;
    let value = value.get(1..).unwrap_or_default();
    if value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        return Err(malformed("a line ends in CRLF, and neither stands alone"));
    }
    Ok((name.to_ascii_lowercase(), value.trim_ascii()))
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Refusal> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed(
            "`Host`, `Content-Length` and `Upgrade` are there once",
        )),
    }
}

fn length(value: &[u8]) -> Result<u64, Refusal> {
    let wrong = || malformed("a length is a decimal number");
    let digits =
        (1..=MAX_LENGTH_DIGITS).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).map_err(|_| wrong())?;
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(wrong)
}

fn text(value: &[u8]) -> Result<String, Refusal> {
    let plain = value.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(value) {
        Ok(text) if plain && !text.is_empty() => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(malformed("a host is written in visible ASCII")),
    }
}

pub(crate) fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::Malformed, detail).or("send a request as RFC 9112 has it")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Head, Refusal> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn a_plain_head() {
        let head =
            parse("POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n").unwrap();
        assert_eq!(head.method, "POST");
        assert_eq!(head.host, "a.example");
        assert_eq!(head.framing, Framing::Length(5));
        let head = parse("PUT / HTTP/1.1\r\nhost:a\r\nTransfer-Encoding: Chunked\r\n\r\n").unwrap();
        assert_eq!(head.framing, Framing::Chunked);
        let old = parse("CONNECT a:443 HTTP/1.0\r\n\r\n").unwrap();
        assert_eq!(old.host, "a:443");
        assert!(
            parse("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
                .unwrap()
                .leaves_http()
        );
    }

    #[test]
    fn heads_with_two_readings_are_refused() {
        let with = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        for text in [
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_owned(),
            "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "get / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET /\u{fc} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n".to_owned(),
            "PRI * HTTP/2.0\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            with("Host: a\r\n"),
            with("Content-Length: 1\r\nContent-Length: 1\r\n"),
            with("Content-Length: +1\r\n"),
            with("Content-Length: 1, 1\r\n"),
            with("Content-Length: 0x1\r\n"),
            with("Content-Length: 99999999999999999999\r\n"),
            with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
            with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
            with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            with("Transfer-Encoding: gzip, chunked\r\n"),
            with("Transfer-Encoding: xchunked\r\n"),
            with("Transfer-Encoding: identity\r\n"),
            with("Transfer-Encoding : chunked\r\n"),
            with("Transfer_Encoding: chunked\r\n"),
            with("X: a\r\n b\r\n"),
            with("X: a\n\r\n"),
            with("X: a\nY: b\r\n"),
            with("X: a\rY: b\r\n"),
            with("X: a\0b\r\n"),
            with("X: a\x01b\r\n"),
            with("X y: a\r\n"),
            with(": a\r\n"),
            with("X\r\n"),
            with("Expect: the-unexpected\r\n"),
            with("Upgrade: h2c\r\nUpgrade: websocket\r\n"),
            with("Upgrade: websocket\r\nContent-Length: 1\r\n"),
        ] {
            assert!(parse(&text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn more_headers_than_a_request_has() {
        let lines = "X: y\r\n".repeat(MAX_HEADERS + 1);
        let refusal = parse(&format!("GET / HTTP/1.1\r\n{lines}\r\n")).unwrap_err();
        assert_eq!(refusal.reason, Reason::TooLarge);
    }
}
