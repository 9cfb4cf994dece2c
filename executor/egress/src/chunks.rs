//! Where a chunked body ends, byte by byte.
//!
//! Accepts chunks as clients write them and nothing else: a size of one to eight hexadecimal digits,
//! no extension, CRLF exactly, no trailers. It changes nothing; it only counts. Fails with
//! [`NotAChunk`].

/// Bytes that are no chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAChunk;

/// Four gigabytes a chunk; a client that has more writes another one.
const MAX_SIZE_DIGITS: u8 = 8;

/// The place in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In a size, with what was read of it.
    Size { digits: u8, value: u64 },
    /// Before the LF that ends the line of a size.
    SizeEnd { value: u64 },
    /// In data, with so many bytes to come.
    Data { left: u64 },
    /// Before the CR after the data.
    DataCr,
    /// Before the LF after the data.
    DataLf,
    /// Before the CR of the empty line after the last chunk.
    LastCr,
    /// Before its LF.
    LastLf,
    /// Behind the body.
    Done,
}

impl Chunks {
    pub(crate) const START: Self = Self::Size {
        digits: 0,
        value: 0,
    };

    /// How many of these bytes belong to the body.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<usize, NotAChunk> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let step = match self {
                Self::Done => break,
                Self::Data { left } => {
                    let step = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left = left.saturating_sub(u64::try_from(step).unwrap_or(u64::MAX));
                    if *left == 0 {
                        *self = Self::DataCr;
                    }
                    step
                }
                Self::Size { .. }
                | Self::SizeEnd { .. }
                | Self::DataCr
                | Self::DataLf
                | Self::LastCr
                | Self::LastLf => {
                    *self = self.after(rest.first().copied().unwrap_or(0))?;
                    1
                }
            };
            taken += step;
        }
        Ok(taken)
    }

    fn after(self, byte: u8) -> Result<Self, NotAChunk> {
        match (self, byte) {
            (Self::Size { digits, value }, b'\r') if digits > 0 => Ok(Self::SizeEnd { value }),
            (Self::Size { digits, value }, _) if digits < MAX_SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(NotAChunk)?;
                Ok(Self::Size {
                    digits: digits + 1,
                    value: value << 4 | u64::from(digit),
                })
            }
            (Self::SizeEnd { value: 0 }, b'\n') => Ok(Self::LastCr),
            (Self::SizeEnd { value }, b'\n') => Ok(Self::Data { left: value }),
            (Self::DataCr, b'\r') => Ok(Self::DataLf),
            (Self::DataLf, b'\n') => Ok(Self::START),
            (Self::LastCr, b'\r') => Ok(Self::LastLf),
            (Self::LastLf, b'\n') => Ok(Self::Done),
            (
                Self::Size { .. }
                | Self::SizeEnd { .. }
                | Self::Data { .. }
                | Self::DataCr
                | Self::DataLf
                | Self::LastCr
                | Self::LastLf
                | Self::Done,
                _,
            ) => Err(NotAChunk),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_the_bytes_come() {
        let body = b"5\r\nhello\r\n0A\r\n0123456789\r\n0\r\n\r\n";
        let all = [body.as_slice(), b"GET / HTTP/1.1\r\n"].concat();
        for step in 1..all.len() {
            let mut chunks = Chunks::START;
            let mut taken = 0;
            for piece in all.chunks(step) {
                let of_piece = chunks.take(piece).unwrap();
                taken += of_piece;
                if of_piece < piece.len() {
                    break;
                }
            }
            assert_eq!(taken, body.len(), "{step}");
            assert_eq!(chunks, Chunks::Done);
        }
    }

    #[test]
    fn what_servers_read_differently_is_no_chunk() {
        for body in [
            "\r\n",
            "g\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5;x=y\r\nhello\r\n",
            "5\nhello\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n",
            "0x5\r\nhello\r\n",
            "-5\r\n",
            "000000005\r\nhello\r\n",
            "0\r\nX: y\r\n\r\n",
            "0\n\n",
        ] {
            let mut chunks = Chunks::START;
            assert_eq!(chunks.take(body.as_bytes()), Err(NotAChunk), "{body:?}");
        }
        let mut chunks = Chunks::START;
        assert_eq!(chunks.take(&b"0\r\n\r\nrest"[..]).unwrap(), 5);
    }
}
