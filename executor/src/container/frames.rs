//! Frames out of what Docker passes on of a container's output.
//!
//! Docker cuts the stream into pieces as it likes, and mixes in the standard error of the first
//! process; frames are put together again here, bounded by the longest that may be.

use bollard::container::LogOutput;
use container_init::{MAX_SAID_BYTES, Said, decode_frame, frame_length};
use futures_util::StreamExt as _;

use super::docker::Output;
use super::error::{ContainerError, said};

/// What is kept of the first process's standard error: one line, usually. The guest's own goes
/// through the frames.
const MAX_ERROR_BYTES: usize = 4 << 10;

/// The output of one container.
pub(crate) struct Frames {
    from: Output,
    held: Vec<u8>,
    errors: Vec<u8>,
}

impl Frames {
    pub(crate) fn new(from: Output) -> Self {
        Self {
            from,
            held: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The next frame; nothing when the container has no output any more.
    pub(crate) async fn next(&mut self) -> Result<Option<Said>, ContainerError> {
        loop {
            if let Some(said) = self.whole()? {
                return Ok(Some(said));
            }
            match self.from.next().await {
                None => return Ok(None),
                Some(Ok(LogOutput::StdOut { message })) => self.held.extend_from_slice(&message),
                Some(Ok(LogOutput::StdErr { message } | LogOutput::Console { message })) => {
                    let room = MAX_ERROR_BYTES.saturating_sub(self.errors.len());
                    self.errors.extend(message.iter().take(room));
                }
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => {
                    return Err(ContainerError::Step {
                        step: "reading from a container",
                        said: said(&error),
                    });
                }
            }
        }
    }

    /// What the first process complained of, in one line.
    pub(crate) fn complaint(&self) -> String {
        super::line(&String::from_utf8_lossy(&self.errors))
    }

    /// The frame at the front, if all of it is there.
    fn whole(&mut self) -> Result<Option<Said>, ContainerError> {
        let broken =
            |error: std::io::Error| ContainerError::Init(format!("sent no frame: {error}"));
        let Some((head, rest)) = self.held.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = frame_length(*head, MAX_SAID_BYTES).map_err(broken)?;
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let said = decode_frame(body).map_err(broken)?;
        self.held.drain(..length.saturating_add(4));
        Ok(Some(said))
    }
}
