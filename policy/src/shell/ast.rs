//! The tree that our reading of a shell text makes.
//!
//! Words keep the difference between quoted and unquoted text, because globs, braces and tildes
//! act only where they are unquoted. Depth is bounded by the parser, so walking and dropping the
//! tree cannot use up the stack.

use super::facts::OpaqueKind;

/// A list of commands: a whole text, a branch, the inside of a substitution.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) entries: Vec<AndOr>,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug)]
pub(super) struct AndOr {
    pub(super) first: Pipeline,
    pub(super) rest: Vec<(Joint, Pipeline)>,
    pub(super) end: End,
}

/// How a pipeline depends on the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    And,
    Or,
}

/// What follows an and-or list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Sequence,
    Background,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) members: Vec<Member>,
    /// Whether `!` turns its status round.
    pub(super) negated: bool,
}

/// One member of a pipeline, with its redirections.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) body: Body,
    pub(super) redirects: Vec<Redirection>,
}

#[derive(Debug)]
pub(super) enum Body {
    Simple(Simple),
    Subshell(Script),
    Group(Script),
    /// Conditions and branches, in order.
    If(Vec<Script>),
    /// `while` and `until`.
    Loop(Script, Script),
    /// `for` and `select`; no words for the positional parameters.
    For(String, Option<Vec<Word>>, Script),
    ArithmeticFor(Vec<Piece>, Script),
    Case(Word, Vec<(Vec<Word>, Script)>),
    Arithmetic(Vec<Piece>),
    Test(Vec<TestTerm>),
    Function(String, Box<Member>),
    Coprocess(Option<String>, Box<Member>),
    /// A pipeline without a command: `time` or `!` alone.
    Nothing,
}

/// One test inside of `[[ … ]]`.
#[derive(Debug)]
pub(super) struct TestTerm {
    pub(super) operator: Option<String>,
    pub(super) words: Vec<Word>,
}

#[derive(Debug, Default)]
pub(super) struct Simple {
    pub(super) assignments: Vec<AssignmentWord>,
    pub(super) words: Vec<Word>,
    /// Assignments with a list, among the arguments: `declare a=(1 2)`.
    pub(super) lists: Vec<AssignmentWord>,
}

#[derive(Debug)]
pub(super) struct AssignmentWord {
    pub(super) name: String,
    pub(super) subscript: Option<Vec<Piece>>,
    pub(super) value: AssignedValue,
    /// See [`Word::key`].
    pub(super) key: u64,
}

#[derive(Debug)]
pub(super) enum AssignedValue {
    Word(Word),
    List(Vec<Word>),
}

#[derive(Debug)]
pub(super) struct Redirection {
    pub(super) operator: Operator,
    /// The variable of `{name}>file`.
    pub(super) variable: Option<String>,
    /// The file, the here-string, or the here-document's delimiter.
    pub(super) target: Word,
    /// The here-document's body, as an index into the parser's list.
    pub(super) document: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Read,
    Write,
    Append,
    ReadWrite,
    DuplicateIn,
    DuplicateOut,
    Both,
    BothAppend,
    HereString,
    HereDocument,
}

/// A here-document's body.
#[derive(Debug, Default)]
pub(super) struct HereBody {
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug, Default)]
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
    /// A digest of the source text without blanks and line continuations: what the two readings
    /// are compared by.
    pub(super) key: u64,
}

#[derive(Debug)]
pub(super) enum Piece {
    /// Unquoted text: globs, braces and tildes act.
    Text(String),
    /// Quoted text: every character stands for itself.
    Quoted(String),
    Parameter(Parameter),
    /// `$(…)` or back-ticks.
    Command(Script, Quote),
    /// `$((…))` or `$[…]`.
    Arithmetic(Vec<Piece>),
    /// `<(…)` or `>(…)`.
    Process(Script),
    /// Text whose meaning is not known; the text as typed.
    Odd(String, OpaqueKind),
}

/// Whether a piece stands inside of double quotes, where it stays one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    Plain,
    Double,
}

/// `$x` or `${…}`.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) quote: Quote,
    /// What stands in the braces after the name.
    pub(super) operation: Operation,
    pub(super) nested: Vec<Piece>,
}

/// What `${…}` does besides reading a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// A value or a changed value.
    Read,
    /// `${x:=…}`
    Assign,
    /// A subscript or offset: arithmetic.
    Evaluate,
    /// `${!x}`, `${x@P}`.
    Indirect,
}
