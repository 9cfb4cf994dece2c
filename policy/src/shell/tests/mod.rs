//! Tests of the shell reading: known bypasses by name, limits, and the corpora against bash.

mod bypasses;
mod corpora;
mod limits;
mod readings;
