//! What a reading of a program's source yields.
//!
//! Facts are for judging and for the record; containment does not rest on them. A name or a text
//! that cannot be known before the program runs is a [`Dynamic`] with its kind, never left out.
//! Plain data; cannot fail.

/// What is known about a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodeFacts {
    /// Whether the language would accept the text.
    pub syntax: Syntax,
    /// Modules that are named, dotted, each once; relative ones start with dots.
    pub imports: Vec<String>,
    /// Calls, and mentions of what could be called, with aliases resolved.
    pub calls: Vec<Call>,
    /// What is not known before the program runs, and what makes that possible.
    pub dynamic: Vec<Dynamic>,
    /// Literal texts that look like paths of files, each once.
    pub paths: Vec<String>,
    /// Literal texts that are addresses of the network or contain them, each once.
    pub hosts: Vec<String>,
    /// Commands that the program gives to a shell or starts, as shell texts.
    pub shell: Vec<String>,
    /// How much was read.
    pub counts: Counts,
    /// Whether everything that was found is in the lists. False if a list reached its limit or
    /// the reading did not end.
    pub complete: bool,
}

impl CodeFacts {
    /// Whether a call or a mention has this name.
    pub fn mentions(&self, name: &str) -> bool {
        self.calls.iter().any(|call| call.name == name)
    }

    /// Whether something dynamic of this kind was found.
    pub fn has_dynamic(&self, kind: DynamicKind) -> bool {
        self.dynamic.iter().any(|dynamic| dynamic.kind == kind)
    }

    /// Whether anything about the program stays unknown until it runs.
    pub fn is_dynamic(&self) -> bool {
        !self.dynamic.is_empty() || !self.complete || self.syntax != Syntax::Accepted
    }
}

/// Whether the language would accept the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Syntax {
    /// The whole text parses.
    #[default]
    Accepted,
    /// There is a syntax error; facts are of the parts that could be read.
    Rejected,
    /// The reading ended before the text did.
    Unfinished(Reason),
}

impl Syntax {
    /// The word that rules use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unfinished(_) => "unfinished",
        }
    }
}

/// Why a reading did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// More than [`super::MAX_TEXT_BYTES`].
    TooLong,
    /// Nested more deeply than people write.
    TooDeep,
    /// The steps that a text of this length has are used up.
    Budget,
    /// The parser failed, which is a fault of the parser.
    GaveUp,
}

impl Reason {
    /// The word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::TooDeep => "too-deep",
            Self::Budget => "budget",
            Self::GaveUp => "gave-up",
        }
    }
}

/// A call, or a mention of something that could be called later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Dotted and with aliases resolved: `os.system`, `socket.socket().connect`. A receiver that
    /// is not known is `?`.
    pub name: String,
    /// Whether it is called here; otherwise it is only mentioned, and may be called through a
    /// value.
    pub called: bool,
    /// The arguments by position, none for each that is not a literal text.
    pub arguments: Vec<Option<String>>,
    /// Whether `arguments` holds all of them.
    pub arguments_complete: bool,
}

/// Something that is decided while the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dynamic {
    /// What kind of thing.
    pub kind: DynamicKind,
    /// The name or the text that shows it.
    pub about: String,
}

/// Kinds of what is decided while a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DynamicKind {
    /// Text becomes code: `eval`, `exec`, `compile`, `Function(…)`.
    Code,
    /// A module whose name is computed, or one that loads others.
    Import,
    /// An attribute or a member whose name is computed.
    Member,
    /// The tables of names themselves: `globals()`, `__builtins__`, `sys.modules`.
    Namespace,
    /// Ways around names: classes, frames, prototypes, constructors.
    Introspection,
    /// Data that becomes objects or code: `pickle`, `marshal`.
    Deserialise,
    /// Native code: `ctypes`, `cffi`, `process.dlopen`.
    Native,
    /// A module that is handed on as a value: its members may be used under any name.
    ModuleValue,
    /// All names of a module are taken over.
    StarImport,
    /// A command that is computed.
    Command,
    /// A name that stands for more things than are followed.
    ManyMeanings,
}

impl DynamicKind {
    /// The word that rules and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Import => "import",
            Self::Member => "member",
            Self::Namespace => "namespace",
            Self::Introspection => "introspection",
            Self::Deserialise => "deserialise",
            Self::Native => "native",
            Self::ModuleValue => "module-value",
            Self::StarImport => "star-import",
            Self::Command => "command",
            Self::ManyMeanings => "many-meanings",
        }
    }
}

/// How much was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Nodes of the syntax tree.
    pub nodes: u64,
    /// Calls, before duplicates are dropped.
    pub calls: u64,
    /// Members that are chosen by a value, as in `table[key]`, of objects that are not known.
    pub computed_members: u64,
    /// Steps taken; their limit depends on the length of the text alone.
    pub steps: u64,
}
