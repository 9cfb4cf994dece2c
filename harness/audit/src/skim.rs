//! Reading a record fast: for who reads millions.
//!
//! [`crate::encoding::decode`] builds everything that a record says, writes it
//! again and compares. Most records of a ledger are whole decisions and
//! outcomes, whose canonical bytes have one possible order: these are read here
//! in one pass, without memory of their own, and hashed piece by piece. What
//! is accepted here is what `decode` accepts, with the same leaf; whatever looks
//! unusual is `None`, and then it is `decode` that says what it is. A test holds
//! both against each other, and so does a fuzz target.

use sha2::{Digest as _, Sha256};

use crate::commit::{self, Salt};
use crate::encoding::{Decoded, Place, RECORD_VERSION};
use crate::prepare::Call;
use crate::tree::Hash;
use crate::wire::{BodyRef, Digest, Named, Verdict, unhex};

/// Nesting of free-form JSON that is followed; what is written has at most so much.
const MAX_DEPTH: usize = crate::entry::MAX_JSON_DEPTH;

/// Fields of a record, at most.
const MAX_FIELDS: usize = 16;

const _: () = assert!(RECORD_VERSION == 3, "this reads records of format 3 alone");

/// What a verifier needs of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skimmed {
    pub(crate) place: Place,
    pub(crate) leaf: Hash,
    pub(crate) call: Call,
    pub(crate) bodies: Vec<Named>,
}

/// Reads a whole decision or outcome; anything else is `None`.
pub(crate) fn skim(record: &[u8]) -> Option<Skimmed> {
    let text = str::from_utf8(record).ok()?;
    let mut cursor = Cursor(text);
    cursor.literal("{\"data\":{")?;
    // The first field of each.
    let (kind, fields, call, bodies) = match cursor.0.starts_with("\"arguments\"") {
        true => {
            let (fields, call, bodies) = decision(&mut cursor)?;
            ("decision", fields, call, bodies)
        }
        false => {
            let (fields, call, bodies) = outcome(&mut cursor)?;
            ("outcome", fields, call, bodies)
        }
    };
    cursor.literal("},\"instance\":\"")?;
    let (instance, id) = cursor.id()?;
    cursor.literal("\",\"kind\":\"")?;
    cursor.literal(kind)?;
    cursor.literal("\",\"salt\":\"")?;
    let salt: Salt = unhex(cursor.take(32)?)?;
    cursor.literal("\",\"seq\":")?;
    let (seq, seq_text) = cursor.number()?;
    cursor.literal(",\"time_us\":")?;
    let (time_us, time_text) = cursor.number()?;
    cursor.literal(",\"v\":3}")?;
    if !cursor.0.is_empty() {
        return None;
    }
    let mut leaf = Sha256::new();
    leaf.update([0]);
    leaf.update(b"{\"fields\":\"");
    leaf.update(Digest(fields.commitment(&salt)).hex());
    for part in ["\",\"instance\":\"", instance, "\",\"kind\":\"", kind] {
        leaf.update(part);
    }
    for part in ["\",\"seq\":", seq_text, ",\"time_us\":", time_text] {
        leaf.update(part);
    }
    leaf.update(b",\"v\":3}");
    Some(Skimmed {
        place: Place {
            seq,
            time_us,
            instance: id,
        },
        leaf: leaf.finalize().into(),
        call,
        bodies,
    })
}

/// Whether both ways of reading say the same of these bytes.
pub(crate) fn agrees(record: &[u8], decoded: Option<&Decoded>) -> bool {
    match (skim(record), decoded) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(skimmed), Some(decoded)) => {
            skimmed.place == decoded.place
                && skimmed.leaf == decoded.leaf()
                && skimmed.call == Call::of(&decoded.data)
                && skimmed.bodies == decoded.data.bodies()
                && decoded.data.erased().is_empty()
        }
    }
}

type Read<'a> = (Fields<'a>, Call, Vec<Named>);

fn decision<'a>(cursor: &mut Cursor<'a>) -> Option<Read<'a>> {
    let mut fields = Fields::default();
    let arguments = fields.next(cursor, "arguments", Cursor::body)?;
    let call_id = fields.next(cursor, "call_id", Cursor::quoted_id)?;
    fields.next(cursor, "limits", Cursor::json)?;
    fields.next(cursor, "policy_digest", Cursor::quoted_digest)?;
    fields.next(cursor, "policy_generation", Cursor::number)?;
    fields.next(cursor, "principal", Cursor::string)?;
    fields.next(cursor, "profile", Cursor::string_or_null)?;
    fields.next(cursor, "reason", Cursor::string)?;
    fields.next(cursor, "rules", Cursor::strings)?;
    fields.next(cursor, "runtime", Cursor::string_or_null)?;
    fields.next(cursor, "session", Cursor::string_or_null)?;
    fields.next(cursor, "tool", Cursor::string)?;
    let verdict = fields.next(cursor, "verdict", Cursor::verdict)?;
    let bodies = vec![Named {
        name: "arguments".to_owned(),
        slot: 0,
        body: arguments,
    }];
    Some((fields, Call::Decided(call_id, verdict), bodies))
}

/// One that was interrupted, or can be repeated, is rare.
fn outcome<'a>(cursor: &mut Cursor<'a>) -> Option<Read<'a>> {
    let mut fields = Fields::default();
    let call_id = fields.next(cursor, "call_id", Cursor::quoted_id)?;
    let (decision_seq, _) = fields.next(cursor, "decision_seq", Cursor::number)?;
    fields.next(cursor, "detail", Cursor::string_or_null)?;
    fields.next(cursor, "ending", Cursor::string)?;
    fields.next(cursor, "exit_code", Cursor::exit_code)?;
    let files = fields.next(cursor, "files", Cursor::files)?;
    fields.next(cursor, "receipt", Cursor::json)?;
    let stderr = fields.next(cursor, "stderr", Cursor::stream)?;
    let stdout = fields.next(cursor, "stdout", Cursor::stream)?;
    fields.next(cursor, "usage", Cursor::json)?;
    let named = |name: &str, slot, body| {
        let name = name.to_owned();
        Named { name, slot, body }
    };
    let mut bodies = vec![named("stdout", 0, stdout), named("stderr", 1, stderr)];
    let files = (0_u64..).zip(files);
    bodies.extend(files.map(|(at, body)| named(&format!("files/{at}"), at + 2, body)));
    let call = Call::Ended {
        call_id,
        decision_seq,
    };
    Some((fields, call, bodies))
}

/// The fields of a record's data: names, and values as they stand there.
#[derive(Default)]
struct Fields<'a> {
    pairs: [(&'static str, &'a str); MAX_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Reads the field that must come next.
    fn next<T>(
        &mut self,
        cursor: &mut Cursor<'a>,
        name: &'static str,
        value: impl FnOnce(&mut Cursor<'a>) -> Option<T>,
    ) -> Option<T> {
        if self.count > 0 {
            cursor.literal(",")?;
        }
        cursor.literal("\"")?;
        cursor.literal(name)?;
        cursor.literal("\":")?;
        let from = cursor.0;
        let read = value(cursor)?;
        let text = from.get(..from.len() - cursor.0.len())?;
        *self.pairs.get_mut(self.count)? = (name, text);
        self.count += 1;
        Some(read)
    }

    fn commitment(&self, salt: &Salt) -> [u8; 32] {
        let mut commitments = [("", [0; 32]); MAX_FIELDS];
        let pairs = self.pairs.iter().take(self.count);
        for (place, (name, value)) in commitments.iter_mut().zip(pairs) {
            let salt = commit::field_salt(salt, name);
            *place = (*name, commit::commitment(&salt, name, value));
        }
        let commitments = commitments.iter().take(self.count);
        commit::fields(commitments.map(|(name, hash)| (*name, hash)))
    }
}

/// What is left to read. Every method takes what it names, or is `None`.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// So many bytes, which end between two letters.
    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn peek(&self) -> Option<u8> {
        self.0.as_bytes().first().copied()
    }

    /// The digits of a number without sign or leading zero.
    fn digits(&mut self) -> Option<&'a str> {
        let bytes = self.0.as_bytes();
        let count = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let digits = self.take(count)?;
        let is_plain = !digits.is_empty() && (digits.len() == 1 || !digits.starts_with('0'));
        is_plain.then_some(digits)
    }

    fn number(&mut self) -> Option<(u64, &'a str)> {
        let digits = self.digits()?;
        Some((digits.parse().ok()?, digits))
    }

    /// A number below zero; without its sign it would be another one.
    fn negative<N: std::str::FromStr>(&mut self) -> Option<N> {
        let from = self.0;
        self.literal("-")?;
        let digits = self.digits().filter(|digits| *digits != "0")?;
        from.get(..=digits.len())?.parse().ok()
    }

    fn exit_code(&mut self) -> Option<()> {
        match self.peek()? {
            b'n' => self.literal("null"),
            b'-' => self.negative::<i32>().map(drop),
            _ => i32::try_from(self.number()?.0).ok().map(drop),
        }
    }

    /// A hyphenated lower-case UUID.
    fn id(&mut self) -> Option<(&'a str, [u8; 16])> {
        let text = self.take(36)?;
        let mut digits = [0; 32];
        let mut places = digits.iter_mut();
        for (at, byte) in text.bytes().enumerate() {
            match at {
                8 | 13 | 18 | 23 if byte == b'-' => {}
                8 | 13 | 18 | 23 => return None,
                _ => *places.next()? = byte,
            }
        }
        Some((text, unhex(str::from_utf8(&digits).ok()?)?))
    }

    fn quoted_id(&mut self) -> Option<[u8; 16]> {
        self.literal("\"")?;
        let (_, id) = self.id()?;
        self.literal("\"")?;
        Some(id)
    }

    fn quoted_digest(&mut self) -> Option<Digest> {
        self.literal("\"")?;
        let digest = unhex(self.take(64)?)?;
        self.literal("\"")?;
        Some(Digest(digest))
    }

    /// A string in its shortest form, with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.literal("\"")?;
        let bytes = self.0.as_bytes();
        let mut at = 0;
        loop {
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => at += escape(bytes.get(at + 1..)?)? + 1,
                0..0x20 => return None,
                _ => at += 1,
            }
        }
        let text = self.take(at)?;
        self.literal("\"")?;
        Some(text)
    }

    fn string_or_null(&mut self) -> Option<()> {
        match self.peek()? {
            b'n' => self.literal("null"),
            _ => self.string().map(drop),
        }
    }

    /// `[…]` of what `item` reads.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.literal("[")?;
        if self.peek()? == b']' {
            return self.literal("]");
        }
        loop {
            item(self)?;
            match self.take(1)? {
                "," => {}
                "]" => return Some(()),
                _ => return None,
            }
        }
    }

    fn strings(&mut self) -> Option<()> {
        self.list(|cursor| cursor.string().map(drop))
    }

    fn verdict(&mut self) -> Option<Verdict> {
        match self.string()? {
            "allow" => Some(Verdict::Allow),
            "hold" => Some(Verdict::Hold),
            "deny" => Some(Verdict::Deny),
            _ => None,
        }
    }

    /// `{"bytes":N,"digest":"HEX"` and what comes then.
    fn body_then(&mut self, then: impl FnOnce(&mut Self) -> Option<()>) -> Option<BodyRef> {
        self.literal("{\"bytes\":")?;
        let (bytes, _) = self.number()?;
        self.literal(",\"digest\":")?;
        let digest = self.quoted_digest()?;
        then(self)?;
        self.literal("}")?;
        Some(BodyRef { bytes, digest })
    }

    fn body(&mut self) -> Option<BodyRef> {
        self.body_then(|_| Some(()))
    }

    fn stream(&mut self) -> Option<BodyRef> {
        self.body_then(|cursor| {
            cursor.literal(",\"truncated\":")?;
            cursor.truth()
        })
    }

    fn files(&mut self) -> Option<Vec<BodyRef>> {
        let mut files = Vec::new();
        self.list(|cursor| {
            files.push(cursor.body_then(|cursor| {
                cursor.literal(",\"path\":")?;
                cursor.string().map(drop)
            })?);
            Some(())
        })?;
        Some(files)
    }

    fn truth(&mut self) -> Option<()> {
        match self.peek()? {
            b't' => self.literal("true"),
            _ => self.literal("false"),
        }
    }

    /// Any value without floats, objects with their keys in ascending order.
    fn json(&mut self) -> Option<()> {
        self.value(MAX_DEPTH)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let inner = depth.checked_sub(1)?;
        match self.peek()? {
            b'n' => self.literal("null"),
            b't' | b'f' => self.truth(),
            b'"' => self.string().map(drop),
            b'-' => self.negative::<i64>().map(drop),
            b'[' => self.list(|cursor| cursor.value(inner)),
            b'{' => self.object(inner),
            _ => self.number().map(drop),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.literal("{")?;
        if self.peek()? == b'}' {
            return self.literal("}");
        }
        let mut last: Option<&str> = None;
        loop {
            // Keys are compared as they are meant; one with an escape is left to the slow reader.
            let key = self.string().filter(|key| !key.contains('\\'))?;
            if last.is_some_and(|last| last >= key) {
                return None;
            }
            last = Some(key);
            self.literal(":")?;
            self.value(depth)?;
            match self.take(1)? {
                "," => {}
                "}" => return Some(()),
                _ => return None,
            }
        }
    }
}

/// How many bytes follow the backslash of the shortest escape of a letter.
fn escape(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(1),
        [b'u', b'0', b'0', high, low, ..] => {
            let digits: [u8; 1] = unhex(str::from_utf8(&[*high, *low]).ok()?)?;
            let is_needed = digits < [0x20] && !matches!(digits, [8 | 9 | 10 | 12 | 13]);
            is_needed.then_some(5)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "skim_tests.rs"]
mod tests;
