//! The agent loop without I/O.
//!
//! ```text
//!  what happened ──Event──► machine ──Effect──► what is to be done
//!                              │
//!                              └──Entry──► transcript ──► validate, show, rebuild a prompt
//!
//!  prompt ──► wire::body ──► (HTTP, not here) ──► wire::Decoder ──Delta──► Gathered ──► Answer
//! ```
//!
//! [`machine`] is the loop as a fold of events. [`wire`] speaks the formats of models,
//! [`parse`] reads tool calls out of text, [`context`] chooses what of a long
//! conversation is shown, [`prompt`] writes templates, [`guard`] looks at what goes in
//! and out, [`score`] judges answers, [`cache`] remembers them, [`resilience`] knows when
//! to try again, [`transcript`] is what is kept of it all, and [`validate`] holds it
//! against what was expected.
//!
//! This crate opens no file and no connection, reads no clock, starts no thread, holds no
//! unsafe code and knows no other crate of the project. Time and chance are handed in.
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::string_slice,
        reason = "a test fails by panicking"
    )
)]

pub mod cache;
pub mod context;
pub mod digest;
pub mod guard;
pub mod machine;
pub mod message;
pub mod parse;
pub mod prompt;
pub mod resilience;
pub mod score;
pub mod transcript;
pub mod validate;
pub mod wire;
