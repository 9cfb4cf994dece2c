//! A frozen module taken apart: the code without its data, and the data as pages.
//!
//! ```text
//! artefact = machine code ∥ padding ∥ pages of the memory ∥ trailer (24 bytes)
//! trailer  = offset of the pages: u64 ∥ length: u64 ∥ "LZIMAGE1"    (little-endian)
//! ```
//!
//! The engine would copy the data, or map it by its own means, at every instantiation;
//! as pages of the artefact they are mapped once, by [`crate::memory`]. An artefact
//! without pages has a length of zero. A module that cannot be taken apart is an error,
//! never a module with half of its data.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use wasmparser::{ConstExpr, DataKind, Operator, Parser, Payload};

use crate::memory::Image;

/// Last bytes of every artefact.
const MAGIC: [u8; 8] = *b"LZIMAGE1";

/// Offset, length, magic.
const TRAILER_BYTES: usize = 24;

/// Pages of the artefact are mapped, so they lie where pages can lie.
const PAGE_BYTES: usize = 4_096;

/// Largest memory that is frozen: an interpreter with a scientific library takes some
/// 150 MiB.
const MAX_IMAGE_BYTES: usize = 512 << 20;

/// A segment that is nowhere and empty: what an instance has left of every segment
/// that was put in its place.
const EMPTY_SEGMENT: [u8; 2] = [1, 0];

/// Length of a module's head: magic and version.
const HEAD_BYTES: usize = 8;

/// A module without its data, and its data.
#[derive(Debug)]
pub(crate) struct Apart {
    pub(crate) module: Vec<u8>,
    pub(crate) pages: Vec<u8>,
}

/// Take a frozen module apart.
///
/// # Errors
/// When it has data that is not simply a place in its one memory.
pub(crate) fn take_apart(module: &[u8]) -> Result<Apart, String> {
    let mut pages = Vec::new();
    let mut rest = module.get(..HEAD_BYTES).ok_or("no module")?.to_vec();
    let mut from = HEAD_BYTES;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| error.to_string())?;
        if let Payload::DataSection(segments) = &payload {
            for segment in segments.clone() {
                let segment = segment.map_err(|error| error.to_string())?;
                put(&mut pages, &segment.kind, segment.data)?;
            }
        }
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        // A section's head lies between the end of the one before and its content.
        match &payload {
            Payload::DataSection(segments) => rest.extend(emptied(id, segments.count())),
            _ => rest.extend_from_slice(module.get(from..range.end).ok_or("a section is cut off")?),
        }
        from = range.end;
    }
    Ok(Apart {
        module: rest,
        pages,
    })
}

/// A data section of as many segments, all of them empty: the code may name them.
fn emptied(id: u8, count: u32) -> Vec<u8> {
    let mut content = leb128(count);
    (0..count).for_each(|_| content.extend_from_slice(&EMPTY_SEGMENT));
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    [vec![id], leb128(length), content].concat()
}

/// An unsigned number as the binary format writes it (5.2.2).
fn leb128(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7F) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Put one segment into its place.
fn put(pages: &mut Vec<u8>, kind: &DataKind<'_>, data: &[u8]) -> Result<(), String> {
    let offset_expr = match kind {
        DataKind::Active {
            memory_index: 0,
            offset_expr,
        } => offset_expr,
        DataKind::Passive if data.is_empty() => return Ok(()),
        DataKind::Active { .. } => return Err("a data segment is of a second memory".into()),
        DataKind::Passive => return Err("a data segment has no place".into()),
    };
    let start = constant(offset_expr)?;
    let end = start.saturating_add(data.len());
    if end > MAX_IMAGE_BYTES {
        return Err(format!(
            "the frozen memory is larger than {MAX_IMAGE_BYTES} bytes"
        ));
    }
    if pages.len() < end {
        pages.resize(end.next_multiple_of(PAGE_BYTES), 0);
    }
    let place = pages
        .get_mut(start..end)
        .ok_or("a data segment is nowhere")?;
    place.copy_from_slice(data);
    Ok(())
}

fn constant(expression: &ConstExpr<'_>) -> Result<usize, String> {
    match expression.get_operators_reader().read() {
        Ok(Operator::I32Const { value }) => Ok(value.cast_unsigned() as usize),
        Ok(_) | Err(_) => Err("a data segment has no constant place".into()),
    }
}

/// The bytes of an artefact.
#[must_use]
pub(crate) fn artefact(mut code: Vec<u8>, pages: &[u8]) -> Vec<u8> {
    code.resize(code.len().next_multiple_of(PAGE_BYTES), 0);
    let offset = code.len() as u64;
    code.extend_from_slice(pages);
    code.extend_from_slice(&offset.to_le_bytes());
    code.extend_from_slice(&(pages.len() as u64).to_le_bytes());
    code.extend_from_slice(&MAGIC);
    code
}

/// The pages of the artefact behind `file`, if it has any.
///
/// # Errors
/// When the file is no artefact.
pub(crate) fn image(file: &File) -> io::Result<Option<Image>> {
    let length = file.metadata()?.len();
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the file is no artefact");
    let at = length.checked_sub(TRAILER_BYTES as u64).ok_or_else(wrong)?;
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact_at(&mut trailer, at)?;
    let (numbers, magic) = trailer.split_at(TRAILER_BYTES - MAGIC.len());
    let number = |from: usize| {
        let bytes = numbers
            .get(from..from + 8)
            .and_then(|eight| eight.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or_else(wrong)
    };
    let (offset, bytes) = (number(0)?, number(8)?);
    let fits = offset.checked_add(bytes).is_some_and(|end| end == at);
    let aligned =
        offset.is_multiple_of(PAGE_BYTES as u64) && bytes.is_multiple_of(PAGE_BYTES as u64);
    let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
    if magic != MAGIC || !fits || !aligned || bytes > MAX_IMAGE_BYTES {
        return Err(wrong());
    }
    Ok(match bytes {
        0 => None,
        _ => Some(Image {
            file: file.try_clone()?,
            offset,
            bytes,
        }),
    })
}
