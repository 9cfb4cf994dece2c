//! Tool calls in the text of models that have no other way to write them, and JSON in
//! the text of all.
//!
//! One scanner for each format reads a letter at a time, so that a stream and a whole
//! text give the same, and a call is told as soon as it is complete. What begins like a
//! call and is none becomes an error that the model can read. Nothing here decides
//! whether a call may run.

mod call;
mod format;
mod json;
mod python;
mod scan;
mod schema;
mod xml;

pub use format::CallFormat;
pub use json::{Completeness, StrictError, extract, strict};
pub use scan::{Found, Scanner, read};
pub use schema::{Schema, SchemaError, check_calls};
