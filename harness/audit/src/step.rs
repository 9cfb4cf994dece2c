//! The steps of writing, for who wants to be told of them: a test that kills
//! the writer at each, to show that none loses what was acknowledged.
//!
//! A tap is called on the thread of whoever writes. It changes nothing, and
//! nothing of the ledger depends on it.

/// A step; each lies right after what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The transaction has begun.
    Began,
    /// Its records are in it.
    Added,
    /// The tables follow and the tree is signed, where that was due.
    Signed,
    /// It is durable.
    Committed,
    /// The mark is set.
    Marked,
    /// Whoever waited has an answer.
    Answered,
    /// An erasure is durable, and the write-ahead log still has the old pages.
    Erased,
}

/// Every step, in their order.
pub const STEPS: [Step; 7] = [
    Step::Began,
    Step::Added,
    Step::Signed,
    Step::Committed,
    Step::Marked,
    Step::Answered,
    Step::Erased,
];

/// What is told of each step.
pub type Tap = Box<dyn Fn(Step) + Send>;
