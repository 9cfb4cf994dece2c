//! Texts inside of texts: base64, hexadecimal, percent-encoding, and what is compressed in them.
//!
//! What is found is handed out as decoded text, so that the caller gives it to the other readers.
//! A run of letters counts as encoded only if it is long enough, varied enough, and decodes to
//! readable text or to a format that is known by its first bytes: ordinary words and paths do not.
//!
//! Bounded three ways: layers within layers, decoded bytes in all, and number of layers. Where a
//! bound is reached, [`Layers::complete`] is false. What decompression would make of a bomb is
//! never held: reading stops at the budget.

mod decode;
mod runs;

use runs::{Run, runs};

/// How deep encodings are followed.
pub const MAX_DEPTH: u8 = 3;

/// How many bytes are decoded in all, beyond the length of the text itself: room for what a script
/// of usual size unpacks to, small enough that the readers behind stay within their time.
pub const MAX_DECODED_BYTES: usize = 256 * 1024;

/// How many layers are listed.
pub const MAX_LAYERS: usize = 64;

/// How a text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EncodingKind {
    /// Base64, of the usual or the URL alphabet.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// `\x41` or `0x41, 0x42`.
    HexEscape,
    /// `%41`.
    Percent,
    /// gzip.
    Gzip,
    /// zlib.
    Zlib,
}

impl EncodingKind {
    /// The name in facts and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::HexEscape => "hex-escape",
            Self::Percent => "percent",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
        }
    }
}

/// One encoding that was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// How it was encoded.
    pub kind: EncodingKind,
    /// 1 for what stands in the text itself.
    pub depth: u8,
    /// The byte of the text itself at which the outermost of these layers begins.
    pub at: usize,
    /// What came out, if it is readable text.
    pub text: Option<String>,
    /// How many bytes came out.
    pub bytes: usize,
}

/// The encodings of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    /// Outer layers before inner ones.
    pub found: Vec<Layer>,
    /// Everything was decoded. If not, more may be inside.
    pub complete: bool,
}

/// Finds and undoes the encodings in `text`.
pub fn encodings(text: &str) -> Layers {
    let mut search = Search {
        found: Vec::new(),
        left: MAX_DECODED_BYTES.saturating_add(text.len()),
        complete: true,
    };
    search.read_text(text, 1, None);
    // The list grows while it is read: what was decoded is searched in its turn.
    let mut next = 0;
    while let Some(layer) = search.found.get(next) {
        if let Some(inner) = layer.text.clone() {
            let (depth, at) = (layer.depth, layer.at);
            search.read_text(&inner, depth.saturating_add(1), Some(at));
        }
        next += 1;
    }
    Layers {
        found: search.found,
        complete: search.complete,
    }
}

struct Search {
    found: Vec<Layer>,
    /// Decoded bytes that are still allowed.
    left: usize,
    complete: bool,
}

impl Search {
    fn read_text(&mut self, text: &str, depth: u8, outer: Option<usize>) {
        for run in runs(text) {
            if depth <= MAX_DEPTH && self.found.len() < MAX_LAYERS {
                self.read_run(&run, depth, outer.unwrap_or(run.at));
            } else if decode::run(&run, MAX_DECODED_BYTES).is_some() {
                self.complete = false;
                return;
            }
        }
    }

    fn read_run(&mut self, run: &Run<'_>, depth: u8, at: usize) {
        if run.text.len() > self.left {
            self.complete = false;
            return;
        }
        if let Some((kind, bytes)) = decode::run(run, self.left) {
            self.add(kind, bytes, depth, at);
        }
    }

    /// Lists what was decoded; bytes that are compressed text are followed at once.
    fn add(&mut self, kind: EncodingKind, bytes: Vec<u8>, depth: u8, at: usize) {
        self.left = self.left.saturating_sub(bytes.len());
        let text = decode::readable(&bytes);
        let packed = text.is_none().then(|| decode::packing(&bytes)).flatten();
        self.found.push(Layer {
            kind,
            depth,
            at,
            text,
            bytes: bytes.len(),
        });
        let Some(packing) = packed else { return };
        if depth >= MAX_DEPTH || self.found.len() >= MAX_LAYERS {
            self.complete = false;
            return;
        }
        let (inner, whole) = decode::unpack(packing, &bytes, self.left);
        self.complete &= whole;
        if !inner.is_empty() {
            // At most `MAX_DEPTH` calls deep: the depth grows with each.
            self.add(packing, inner, depth + 1, at);
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]
mod tests;
