//! The appliance as a whole, attacked from outside.
//!
//! What the tests share: the daemon as a fixture ([`daemon`]), the command line
//! ([`command`]), the corpora ([`corpus`]), what can be read about a process
//! from outside ([`process`]) and the arena, a throwaway copy of this host full
//! of canaries in which hostile programs run ([`arena`], [`redcode`]).
//!
//! Nothing here looks inside a part of Lazaret: only its programs, its HTTP
//! interface, its files and `/proc` are used. A helper that cannot do its work
//! panics with one line saying what to do, so that a test stops where it broke
//! and never passes for want of a part.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test library: a failed step must stop the test and say why"
)]

pub mod arena;
pub mod clients;
pub mod command;
pub mod compiler;
pub mod containers;
pub mod corpus;
pub mod daemon;
pub mod files;
pub mod ledger;
pub mod process;
pub mod redcode;

mod digest;

pub use digest::sha256_hex;
