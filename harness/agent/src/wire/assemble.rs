//! Puts tool calls together from their pieces, and says of each when it is complete.
//!
//! Complete means that the outermost bracket of the arguments has closed: what is
//! judged then cannot change any more, because a piece after it is a failure.

use super::Delta;
use super::failure::{Failure, FailureKind};
use crate::parse::Completeness;

/// Calls of one answer. The loop runs ten; a model that writes more than this is broken.
const MAX_CALLS: usize = 128;

/// Bytes of all names and arguments together.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The calls of one answer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    bytes: usize,
}

#[derive(Debug)]
struct Call {
    /// What the provider counts it as.
    key: u64,
    id: String,
    name: String,
    arguments: String,
    scan: Completeness,
    complete: bool,
}

impl Calls {
    pub(super) const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.calls.len()
    }

    /// The number of the call that the provider counts as `key`.
    pub(super) fn find(&self, key: u64) -> Option<usize> {
        self.calls.iter().position(|call| call.key == key)
    }

    /// A call begins. A provider that gives no id gets one from its number.
    pub(super) fn open(
        &mut self,
        key: u64,
        id: Option<&str>,
        name: &str,
        out: &mut Vec<Delta>,
    ) -> Result<usize, Failure> {
        let index = self.calls.len();
        self.grow(name.len() + id.map_or(0, str::len))?;
        if index >= MAX_CALLS {
            let message = format!("more than {MAX_CALLS} tool calls");
            return Err(Failure::new(FailureKind::TooLarge, &message));
        }
        let id = id.map_or_else(|| format!("call_{index}"), str::to_owned);
        out.push(Delta::CallStarted {
            index,
            id: id.clone(),
            name: name.to_owned(),
        });
        self.calls.push(Call {
            key,
            id,
            name: name.to_owned(),
            arguments: String::new(),
            scan: Completeness::default(),
            complete: false,
        });
        Ok(index)
    }

    /// More arguments of a call.
    pub(super) fn arguments(
        &mut self,
        index: usize,
        text: &str,
        out: &mut Vec<Delta>,
    ) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.grow(text.len())?;
        let Some(call) = self.calls.get_mut(index) else {
            return Err(Failure::new(
                FailureKind::Garbage,
                "arguments of no tool call",
            ));
        };
        if call.complete {
            return match text.trim().is_empty() {
                true => Ok(()),
                false => Err(Failure::new(
                    FailureKind::Garbage,
                    "arguments that go on after their end",
                )),
            };
        }
        out.push(Delta::CallArguments {
            index,
            text: text.to_owned(),
        });
        call.arguments.push_str(text);
        call.scan.push(text);
        match call.scan.end() {
            None => Ok(()),
            Some(end)
                if call
                    .arguments
                    .get(end..)
                    .is_none_or(|rest| rest.trim().is_empty()) =>
            {
                complete(index, call, out);
                Ok(())
            }
            Some(_) => Err(Failure::new(
                FailureKind::Garbage,
                "arguments that go on after their end",
            )),
        }
    }

    /// Nothing more comes for this call.
    pub(super) fn close(&mut self, index: usize, out: &mut Vec<Delta>) {
        if let Some(call) = self.calls.get_mut(index)
            && !call.complete
        {
            complete(index, call, out);
        }
    }

    /// Nothing more comes at all.
    pub(super) fn complete_all(&mut self, out: &mut Vec<Delta>) {
        for index in 0..self.calls.len() {
            self.close(index, out);
        }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES {
            let message = format!("tool calls of more than {MAX_BYTES} bytes");
            return Err(Failure::new(FailureKind::TooLarge, &message));
        }
        Ok(())
    }
}

fn complete(index: usize, call: &mut Call, out: &mut Vec<Delta>) {
    call.complete = true;
    let arguments = match call.arguments.trim() {
        // A tool without arguments, as several providers write it.
        "" => "{}".to_owned(),
        text => text.to_owned(),
    };
    out.push(Delta::CallComplete {
        index,
        id: call.id.clone(),
        name: call.name.clone(),
        arguments,
    });
}
