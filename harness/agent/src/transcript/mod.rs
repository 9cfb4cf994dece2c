//! What is kept of a run: lines of JSON from which each prompt can be built again.
//!
//! ```text
//!  system_prompt, tool_schemas   once each change, with their digests
//!  message                       each, as it is committed
//!  provider_call_request         without messages: which, and which are left out
//!  provider_call_response, interpreted_response, provider_call_failed
//!  summary, ended
//! ```
//!
//! The prompt of a call is everything before its request, without what it says to have
//! left out; its digest stands in the request, so that a changed line is noticed.

mod entry;
mod rebuild;

pub use entry::{Attempt, Entry, Line, LineError, Request};
pub use rebuild::{RebuildError, Rebuilt, rebuild};
