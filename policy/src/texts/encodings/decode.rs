//! Undoes one encoding, and says whether what comes out is worth a layer: readable text, or bytes
//! of a known format.

use std::io::Read;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::EncodingKind;
use super::runs::Run;
use crate::texts::percent;

/// Below this many bytes only ASCII counts as readable: the shorter, the likelier by chance.
const MIN_OTHER_SCRIPTS: usize = 24;

/// The shortest part of a path that may be base64.
const MIN_PART: usize = 16;

/// How many parts of a run are tried.
const MAX_PARTS: usize = 16;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The bytes that a run stands for, if it is surely encoded.
pub(super) fn run(run: &Run<'_>, limit: usize) -> Option<(EncodingKind, Vec<u8>)> {
    if run.text.len() > limit {
        return None;
    }
    let bytes = match run.kind {
        EncodingKind::Base64 => base64(run.text),
        EncodingKind::Hex => Some(hex(run.text.as_bytes())).filter(|b| is_meant(b)),
        EncodingKind::HexEscape => Some(escapes(run.text.as_bytes())).filter(|b| is_meant(b)),
        EncodingKind::Percent => {
            Some(percent::decode(run.text.as_bytes())).filter(|b| readable(b).is_some())
        }
        EncodingKind::Gzip | EncodingKind::Zlib => None,
    };
    bytes.map(|bytes| (run.kind, bytes))
}

/// A run of base64, or the part of it between slashes that is.
fn base64(text: &str) -> Option<Vec<u8>> {
    let kept: Vec<u8> = text
        .bytes()
        .filter(|b| !matches!(b, b'\r' | b'\n'))
        .collect();
    if let Some(bytes) = whole_base64(&kept) {
        return Some(bytes);
    }
    let parts = kept
        .split(|b| *b == b'/')
        .filter(|part| part.len() >= MIN_PART);
    let whole = |part: &&[u8]| part.len() < kept.len();
    parts.take(MAX_PARTS).filter(whole).find_map(whole_base64)
}

fn whole_base64(text: &[u8]) -> Option<Vec<u8>> {
    let url = text.iter().any(|b| matches!(b, b'-' | b'_'));
    let engine = if url { URL } else { STANDARD };
    let bytes = engine.decode(text).ok()?;
    is_meant(&bytes).then_some(bytes)
}

fn hex(digits: &[u8]) -> Vec<u8> {
    let pairs = digits.chunks_exact(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => percent::hex_pair(*high, *low),
        _ => None,
    };
    pairs.filter_map(byte).collect()
}

fn escapes(text: &[u8]) -> Vec<u8> {
    let digits = |row: &[u8]| match row {
        [b'x' | b'X', high, low] => percent::hex_pair(*high, *low),
        _ => None,
    };
    text.windows(3).filter_map(digits).collect()
}

/// The bytes say by themselves that somebody encoded them.
fn is_meant(bytes: &[u8]) -> bool {
    is_known_format(bytes) || readable(bytes).is_some_and(|text| has_words(&text))
}

/// Text of letters, not of digits and signs only.
fn has_words(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    letters * 4 >= text.chars().count()
}

/// The text of these bytes, in UTF-8 or UTF-16, if people could read it.
pub(super) fn readable(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let text = match wide(bytes) {
        Some(text) => text,
        None => String::from_utf8(bytes.to_vec()).ok()?,
    };
    let shown = |c: char| matches!(c, '\t' | '\n' | '\r' | '\x1b') || !c.is_control();
    let known = |c: char| c.is_ascii() || (bytes.len() >= MIN_OTHER_SCRIPTS && c.is_alphanumeric());
    let allowed = text.chars().filter(|c| !known(*c)).count() * 16 <= text.len();
    let plain = bytes.len() >= MIN_OTHER_SCRIPTS || text.is_ascii();
    (plain && allowed && text.chars().all(shown)).then_some(text)
}

/// UTF-16 (little end first) of ASCII, as PowerShell encodes its commands.
fn wide(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(&[0xFF, 0xFE]).unwrap_or(bytes);
    let pairs = || bytes.chunks_exact(2);
    let ascii = |pair: &[u8]| matches!(pair, [1..=0x7F, 0]);
    let all = bytes.len() >= 4 && bytes.len().is_multiple_of(2) && pairs().all(ascii);
    let low = |pair: &[u8]| pair.first().copied().map(char::from);
    all.then(|| pairs().filter_map(low).collect())
}

/// Formats by their first bytes: programs, archives and compressed data.
fn is_known_format(bytes: &[u8]) -> bool {
    const KNOWN: [&[u8]; 10] = [
        b"\x7fELF",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"BZh9",
        b"\xfd7zXZ\x00",
        b"\x28\xb5\x2f\xfd",
        b"\x00asm",
        b"\x89PNG",
        b"\xca\xfe\xba\xbe",
        b"7z\xbc\xaf\x27\x1c",
    ];
    KNOWN.iter().any(|magic| bytes.starts_with(magic))
        || is_windows_program(bytes)
        || is_zlib(bytes)
}

/// `MZ` is short, so that the header's fixed zeros are looked at too.
fn is_windows_program(bytes: &[u8]) -> bool {
    bytes.len() > 64 && bytes.starts_with(b"MZ") && bytes.get(0x20..0x28) == Some(&[0; 8])
}

/// The two bytes of zlib are few: its first block must make sense too.
fn is_zlib(bytes: &[u8]) -> bool {
    const TRIED: usize = 64;
    has_zlib_header(bytes) && !unpack(EncodingKind::Zlib, bytes, TRIED).0.is_empty()
}

fn has_zlib_header(bytes: &[u8]) -> bool {
    matches!(bytes, [0x78, 0x01 | 0x5E | 0x9C | 0xDA, _, _, _, _, ..])
}

/// How the bytes are compressed, as their first ones say.
pub(super) fn packing(bytes: &[u8]) -> Option<EncodingKind> {
    if bytes.starts_with(b"\x1f\x8b\x08") {
        return Some(EncodingKind::Gzip);
    }
    has_zlib_header(bytes).then_some(EncodingKind::Zlib)
}

/// Decompresses at most `limit` bytes; false if there is more, or if the data is broken.
pub(super) fn unpack(packing: EncodingKind, bytes: &[u8], limit: usize) -> (Vec<u8>, bool) {
    match packing {
        EncodingKind::Gzip => read_up_to(MultiGzDecoder::new(bytes), limit),
        EncodingKind::Zlib => read_up_to(ZlibDecoder::new(bytes), limit),
        EncodingKind::Base64
        | EncodingKind::Hex
        | EncodingKind::HexEscape
        | EncodingKind::Percent => (Vec::new(), true),
    }
}

fn read_up_to(reader: impl Read, limit: usize) -> (Vec<u8>, bool) {
    let mut unpacked = Vec::new();
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    // What came out before the data broke is kept: a program may stop there too.
    let whole = reader.take(more).read_to_end(&mut unpacked).is_ok() && unpacked.len() <= limit;
    unpacked.truncate(limit);
    (unpacked, whole)
}
