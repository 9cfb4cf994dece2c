//! Cuts a stream of bytes into events (server-sent events, WHATWG) or lines of JSON.
//!
//! A byte at a time, so that where the network cuts makes no difference. A frame that
//! grows beyond [`MAX_FRAME_BYTES`] or is no UTF-8 is a failure.

use super::failure::{Failure, FailureKind};

/// Bytes of one frame: the largest known (a whole response at the end of a stream of
/// OpenAI's Responses) is as large as the answer.
const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) data: String,
}

/// Cuts.
#[derive(Debug)]
pub(super) struct Frames {
    /// Each line is a frame; else an empty line ends one.
    lines: bool,
    line: Vec<u8>,
    data: String,
    has_data: bool,
    /// The last byte was a carriage return.
    after_return: bool,
}

impl Frames {
    /// Server-sent events.
    pub(super) const fn events() -> Self {
        Self::new(false)
    }

    /// Lines of JSON.
    pub(super) const fn lines() -> Self {
        Self::new(true)
    }

    const fn new(lines: bool) -> Self {
        Self {
            lines,
            line: Vec::new(),
            data: String::new(),
            has_data: false,
            after_return: false,
        }
    }

    /// One more byte; a frame if it ends one.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Frame>, Failure> {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if after_return => Ok(None),
            b'\n' | b'\r' => self.end_line(),
            _ => {
                self.line.push(byte);
                if self.line.len() + self.data.len() > MAX_FRAME_BYTES {
                    let message = format!("an event of more than {MAX_FRAME_BYTES} bytes");
                    return Err(Failure::new(FailureKind::TooLarge, &message));
                }
                Ok(None)
            }
        }
    }

    /// No more bytes: the frame that nothing ended.
    pub(super) fn end(&mut self) -> Result<Option<Frame>, Failure> {
        if self.lines {
            return self.end_line();
        }
        // An event without its empty line counts: proxies are known to lose it.
        if !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.take())
    }

    fn end_line(&mut self) -> Result<Option<Frame>, Failure> {
        let line = String::from_utf8(std::mem::take(&mut self.line))
            .map_err(|_| Failure::new(FailureKind::Garbage, "it is no UTF-8"))?;
        if self.lines {
            let data = line.trim().to_owned();
            return Ok((!data.is_empty()).then_some(Frame { data }));
        }
        if line.is_empty() {
            return Ok(self.take());
        }
        if let Some(data) = line.strip_prefix("data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        Ok(None)
    }

    fn take(&mut self) -> Option<Frame> {
        std::mem::take(&mut self.has_data).then(|| Frame {
            data: std::mem::take(&mut self.data),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn all(mut frames: Frames, text: &[u8]) -> Vec<String> {
        let mut found: Vec<_> = text
            .iter()
            .filter_map(|&byte| frames.push(byte).unwrap())
            .collect();
        found.extend(frames.end().unwrap());
        found.into_iter().map(|frame| frame.data).collect()
    }

    #[test]
    fn events_end_at_empty_lines_whatever_the_ends_of_lines() {
        for text in [
            "event: x\ndata: {\"a\":\ndata:1}\n\n: ping\n\ndata: [DONE]\n\n",
            "event: x\r\ndata: {\"a\":\r\ndata:1}\r\n\r\n: ping\r\n\r\ndata: [DONE]",
            "event: x\rdata: {\"a\":\rdata:1}\r\r: ping\r\rdata: [DONE]\r\r",
        ] {
            assert_eq!(
                all(Frames::events(), text.as_bytes()),
                ["{\"a\":\n1}", "[DONE]"]
            );
        }
    }

    #[test]
    fn lines_are_frames_and_the_last_needs_no_end() {
        assert_eq!(all(Frames::lines(), b"{}\n\n [] \r\n1"), ["{}", "[]", "1"]);
    }

    #[test]
    fn a_frame_is_bounded() {
        let mut frames = Frames::lines();
        let failure = std::iter::repeat_n(b'x', MAX_FRAME_BYTES + 1)
            .find_map(|byte| frames.push(byte).err())
            .unwrap();
        assert_eq!(failure.kind, FailureKind::TooLarge);
    }
}
