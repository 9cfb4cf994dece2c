//! Tests of the shell reading.
