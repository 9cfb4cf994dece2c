//! Tests of the readings as a whole.

mod corpora;
mod forms;
mod limits;
