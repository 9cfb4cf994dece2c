//! The first words of a TLS client: whom it asks for, read before anything is relayed.
//!
//! Reads the records of a `ClientHello` (RFC 8446, 4.1.2; RFC 6066, 3) and nothing after it. Only
//! the server name and the presence of an encrypted hello are looked at. Whatever is not exactly as
//! the standard has it is refused, names that are there twice above all. Fails with [`Reason`].

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use crate::head::MAX_METHOD_BYTES;
use crate::limits::{Limits, MAX_HELLO_BYTES};
use crate::refusal::{Reason, Refusal};

/// Content type of a handshake record.
const HANDSHAKE: u8 = 22;
/// Type of the message.
const CLIENT_HELLO: u8 = 1;
/// Extensions.
const SERVER_NAME: u16 = 0;
const ENCRYPTED_HELLO: u16 = 0xfe0d;
/// The drafts of the same, under the numbers that were deployed.
const ENCRYPTED_NAME: u16 = 0xffce;
/// The longest record.
const MAX_RECORD_BYTES: usize = 1 << 14;

/// What a tunnel begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A TLS client that asks for this name, if any.
    Tls(Hello),
    /// A method in capitals: a request in clear.
    Http,
    /// Something else.
    Other,
}

/// What is known of a TLS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) server_name: Option<String>,
    pub(crate) encrypted: bool,
}

/// Reads from `stream` into `read` until it is known what is spoken. What was read is to be
/// relayed.
pub(crate) async fn open<S: AsyncRead + Unpin>(
    stream: &mut S,
    read: &mut BytesMut,
    limits: &Limits,
) -> Result<Opening, Refusal> {
    let slow = || {
        Refusal::new(
            Reason::Slow,
            "nothing was said in the tunnel within the limit",
        )
    };
    let opening = async {
        loop {
            match look(read)? {
                Some(opening) => return Ok(opening),
                None if read.len() > MAX_HELLO_BYTES => return Err(wrong("it has no end")),
                None => {}
            }
            match stream.read_buf(read).await {
                Ok(0) | Err(_) => return Err(wrong("the connection ended in it")),
                Ok(_) => {}
            }
        }
    };
    timeout(limits.head, opening).await.map_err(|_| slow())?
}

/// None while more bytes are needed.
fn look(read: &[u8]) -> Result<Option<Opening>, Refusal> {
    match read {
        [] => Ok(None),
        [HANDSHAKE, ..] => Ok(hello(read)?.map(Opening::Tls)),
        [..] => Ok(method(read)),
    }
}

/// Whether it begins with a method and a space.
fn method(read: &[u8]) -> Option<Opening> {
    let letters = read
        .iter()
        .take_while(|b| b.is_ascii_uppercase() || **b == b'-');
    let length = letters.count();
    match read.get(length) {
        None if length <= MAX_METHOD_BYTES => None,
        Some(b' ') if length > 0 => Some(Opening::Http),
        None | Some(_) => Some(Opening::Other),
    }
}

fn wrong(what: &str) -> Refusal {
    Refusal::new(
        Reason::NotTls,
        format!("the hello of a TLS client cannot be read: {what}"),
    )
}

fn hello(read: &[u8]) -> Result<Option<Hello>, Refusal> {
    let Some(message) = message(read)? else {
        return Ok(None);
    };
    parse(&message)
        .map(Some)
        .ok_or_else(|| wrong("it is not as RFC 8446 has it"))
}

/// The message of the first records, put together.
fn message(read: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    let mut rest = Cursor(read);
    let mut message = Vec::new();
    while let Some(record) = rest.record()? {
        message.extend_from_slice(record);
        if message.len() > MAX_HELLO_BYTES {
            return Err(wrong("it is too long"));
        }
        let mut inner = Cursor(&message);
        let (Some(kind), Some(length)) = (inner.u8(), inner.u24()) else {
            continue;
        };
        if kind != CLIENT_HELLO || length > MAX_HELLO_BYTES {
            return Err(wrong("it is no hello"));
        }
        match inner.0.len() {
            have if have == length => return Ok(Some(inner.0.to_vec())),
            have if have > length => return Err(wrong("something follows it")),
            _ => {}
        }
    }
    Ok(None)
}

fn parse(message: &[u8]) -> Option<Hello> {
    let mut rest = Cursor(message);
    let legacy_version = rest.u16()?;
    if legacy_version >> 8 != 3 {
        return None;
    }
    rest.take(32)?; // random
    rest.short()?; // session id
    rest.long()?; // cipher suites
    rest.short()?; // compression
    let mut hello = Hello {
        server_name: None,
        encrypted: false,
    };
    if rest.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = Cursor(rest.long()?);
    if !rest.0.is_empty() {
        return None;
    }
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let body = extensions.long()?;
        match kind {
            SERVER_NAME if hello.server_name.is_some() => return None,
            SERVER_NAME => hello.server_name = Some(server_name(body)?),
            ENCRYPTED_HELLO | ENCRYPTED_NAME => hello.encrypted = true,
            _ => {}
        }
    }
    Some(hello)
}

/// A list of exactly one host name.
fn server_name(body: &[u8]) -> Option<String> {
    let mut rest = Cursor(body);
    let mut list = Cursor(rest.long()?);
    let kind = list.u8()?;
    let name = list.long()?;
    let whole = rest.0.is_empty() && list.0.is_empty() && kind == 0;
    let plain = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    let name = std::str::from_utf8(name).ok()?;
    (whole && plain).then(|| name.to_ascii_lowercase())
}

/// Bytes that are read from the front, each step checked.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from(self.u8()?) << 8 | u16::from(self.u8()?))
    }

    fn u24(&mut self) -> Option<usize> {
        Some(usize::from(self.u8()?) << 16 | usize::from(self.u16()?))
    }

    /// A vector with a length of one byte.
    fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(length.into())
    }

    /// A vector with a length of two bytes.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    /// The next whole record of a handshake; none while it is not there.
    fn record(&mut self) -> Result<Option<&'a [u8]>, Refusal> {
        let mut ahead = Cursor(self.0);
        let (Some(kind), Some(version), Some(length)) = (ahead.u8(), ahead.u16(), ahead.u16())
        else {
            return Ok(None);
        };
        let length = usize::from(length);
        if kind != HANDSHAKE || version >> 8 != 3 || !(1..=MAX_RECORD_BYTES).contains(&length) {
            return Err(wrong("its records are not as RFC 8446 has them"));
        }
        let record = ahead.take(length);
        if record.is_some() {
            self.0 = ahead.0;
        }
        Ok(record)
    }
}

/// A fatal alert `access_denied`, for a client that waits for the server's words.
pub(crate) const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn vector(length_bytes: usize, body: &[u8]) -> Vec<u8> {
        let length = body.len().to_be_bytes();
        [&length[length.len() - length_bytes..], body].concat()
    }

    fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes(), vector(2, body).as_slice()].concat()
    }

    fn name(text: &str) -> Vec<u8> {
        let entry = [&[0], vector(2, text.as_bytes()).as_slice()].concat();
        extension(SERVER_NAME, &vector(2, &entry))
    }

    fn hello_of(extensions: &[Vec<u8>]) -> Vec<u8> {
        let body = [
            &[3, 3],
            [7_u8; 32].as_slice(),
            &vector(1, &[]),
            &vector(2, &[0x13, 1]),
            &vector(1, &[0]),
            &vector(2, &extensions.concat()),
        ]
        .concat();
        [&[CLIENT_HELLO], vector(3, &body).as_slice()].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |piece: &[u8]| [&[HANDSHAKE, 3, 1], vector(2, piece).as_slice()].concat();
        message.chunks(size).flat_map(record).collect()
    }

    #[test]
    fn the_name_is_read_from_whatever_pieces() {
        let message = hello_of(&[extension(43, &[2, 3, 4]), name("A.example")]);
        for size in [1, 7, message.len()] {
            let bytes = records(&message, size);
            for end in 1..bytes.len() {
                assert_eq!(look(&bytes[..end]).unwrap(), None, "{size} {end}");
            }
            let Some(Opening::Tls(hello)) = look(&bytes).unwrap() else {
                unreachable!("a hello is TLS");
            };
            assert_eq!(hello.server_name.as_deref(), Some("a.example"));
            assert!(!hello.encrypted);
        }
    }

    #[test]
    fn an_encrypted_hello_is_seen() {
        let message = hello_of(&[name("front.example"), extension(ENCRYPTED_HELLO, &[0])]);
        let Some(Opening::Tls(hello)) = look(&records(&message, 4096)).unwrap() else {
            unreachable!("a hello is TLS");
        };
        assert!(hello.encrypted);
    }

    #[test]
    fn what_two_servers_read_differently_is_refused() {
        let two_entries = {
            let entry = |text: &str| [&[0], vector(2, text.as_bytes()).as_slice()].concat();
            extension(
                0,
                &vector(2, &[entry("a.example"), entry("b.example")].concat()),
            )
        };
        let mut longer = hello_of(&[name("a.example")]);
        longer.push(0);
        for message in [
            hello_of(&[name("a.example"), name("b.example")]),
            hello_of(&[two_entries]),
            hello_of(&[name("")]),
            hello_of(&[name("a\0b.example")]),
            hello_of(&[extension(0, &[])]),
            longer,
            [&[2, 0, 0, 1], [0].as_slice()].concat(),
        ] {
            assert!(look(&records(&message, 4096)).is_err());
        }
        assert!(look(&[22, 2, 0, 0, 1, 1]).is_err());
        assert!(look(&[22, 3, 1, 0, 0]).is_err());
        assert!(look(&[22, 3, 1, 0xff, 0xff]).is_err());
    }

    #[test]
    fn other_openings() {
        assert_eq!(look(b"GET / HTTP/1.1").unwrap(), Some(Opening::Http));
        assert_eq!(look(b"PROP").unwrap(), None);
        assert_eq!(look(b"SSH-2.0").unwrap(), Some(Opening::Other));
        assert_eq!(look(&[0x80, 0x2e, 1]).unwrap(), Some(Opening::Other));
        assert_eq!(look(b"").unwrap(), None);
    }

    #[tokio::test]
    async fn a_slow_client_is_not_waited_for() {
        let limits = Limits {
            head: std::time::Duration::from_millis(20),
            ..Limits::default()
        };
        let (mut near, _far) = tokio::io::duplex(64);
        let refusal = open(&mut near, &mut BytesMut::new(), &limits)
            .await
            .unwrap_err();
        assert_eq!(refusal.reason, Reason::Slow);
    }
}
