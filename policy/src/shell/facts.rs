//! What a reading of a shell text yields: programs, redirections, assignments, and what cannot be
//! known before the text runs.
//!
//! Facts are a superset: everything that bash might run is listed, though not everything listed
//! need run (a branch not taken is listed too). Where that cannot be promised there is an
//! [`Opaque`] with its reason. Plain data; cannot fail.

use std::fmt;

/// Everything that is known about a shell text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShellFacts {
    /// Whether bash would accept the whole text.
    pub syntax: Syntax,
    /// Every simple command, however deep, in the order of reading; what a wrapper runs stands
    /// after its wrapper.
    pub commands: Vec<Command>,
    /// Every file redirection.
    pub redirects: Vec<Redirect>,
    /// Every assignment to a variable, also those by `export`, `env`, `read` and arithmetic.
    pub assignments: Vec<Assignment>,
    /// Pipelines of two and more members, as indices into `commands`; a member that is no simple
    /// command counts with all commands in it.
    pub pipelines: Vec<Vec<usize>>,
    /// Names of the functions that the text defines.
    pub functions: Vec<String>,
    /// Here-documents and here-strings.
    pub documents: Vec<Document>,
    /// Programs in other languages that stand in an argument.
    pub code: Vec<Code>,
    /// What is not known until run time, and what was not understood.
    pub opaque: Vec<Opaque>,
    /// Steps that the analysis took; its limit depends on the length of the text alone.
    pub steps: u64,
}

impl ShellFacts {
    /// Whether anything about this text stays unknown until it runs.
    pub fn is_opaque(&self) -> bool {
        !self.opaque.is_empty()
    }

    /// Whether there is an opaque part of this kind.
    pub fn has_opaque(&self, kind: OpaqueKind) -> bool {
        self.opaque.iter().any(|opaque| opaque.kind == kind)
    }

    /// The commands of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Command> {
        self.commands.iter().filter(move |c| c.name == name)
    }

    /// Whether a command of this name would run.
    pub fn runs(&self, name: &str) -> bool {
        self.commands.iter().any(|command| command.name == name)
    }
}

/// Whether bash would accept the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Syntax {
    /// The whole text parses.
    #[default]
    Accepted,
    /// Bash stops at a syntax error; what stands before it still runs.
    Rejected,
    /// The analysis ended before the text did.
    Unfinished,
}

/// One simple command that would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program: the last part of its path if it stands in a system directory, otherwise as
    /// typed. With unknown parts (see `Opaque`) the text that was typed.
    pub name: String,
    /// The path as typed, if the name was a path.
    pub path: Option<String>,
    /// What kind of thing the name stands for.
    pub kind: CommandKind,
    /// `push` in `git -C dir push`, for programs that have subcommands.
    pub subcommand: Option<String>,
    /// Options: a superset of what the program would see.
    pub flags: Vec<Flag>,
    /// Everything after the name, options included.
    pub arguments: Vec<Argument>,
    /// What it does beyond its name, where an option or an operand says so.
    pub effects: Vec<Effect>,
    /// How the command comes to run.
    pub origin: Origin,
    /// The command that runs it, as an index into `commands`.
    pub parent: Option<usize>,
    /// Where it runs.
    pub directory: Directory,
}

impl Command {
    /// Whether the option may be among the flags, as typed, inside a cluster or abbreviated.
    pub fn has_flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag.may_be(name))
    }

    /// The arguments that are not options.
    pub fn operands(&self) -> impl Iterator<Item = &Argument> {
        self.arguments
            .iter()
            .filter(|argument| !argument.text.starts_with('-') || argument.text == "-")
    }

    /// Whether the command has an effect of this kind.
    pub fn has_effect(&self, kind: EffectKind) -> bool {
        self.effects.iter().any(|effect| effect.kind == kind)
    }
}

/// What a command's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandKind {
    /// A program found through `PATH` or by its path.
    Program,
    /// A command built into bash.
    Builtin,
    /// A function that the text defines.
    Function,
    /// Not known until run time.
    Unknown,
}

/// One option as the program may see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flag {
    /// With its dashes: `-r`, `--recursive`, `-exec`.
    pub name: String,
    /// The value after `=`.
    pub value: Option<String>,
}

impl Flag {
    /// Whether this is the option or, with two dashes, an abbreviation of it.
    pub fn may_be(&self, name: &str) -> bool {
        self.name == name
            || (self.name.len() > 2 && self.name.starts_with("--") && name.starts_with(&self.name))
    }
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The value after quote removal; unknown parts as they were typed, shortened.
    pub text: String,
    /// How much of it is known.
    pub certainty: Certainty,
    /// The bytes of `text` up to the first unknown part.
    pub known_prefix_bytes: usize,
}

impl Argument {
    /// A text that is as certain as what it was taken from: known as a whole, or not at all.
    pub(super) fn as_certain(text: String, certainty: Certainty) -> Self {
        let known = certainty == Certainty::Literal;
        Self {
            known_prefix_bytes: if known { text.len() } else { 0 },
            certainty,
            text,
        }
    }

    /// Whether exactly this text reaches the program, as one argument.
    pub fn is_literal(&self) -> bool {
        self.certainty == Certainty::Literal
    }
}

/// How much of an argument is known before run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// All of it.
    Literal,
    /// A pattern: it becomes names of files, which may look like options.
    Glob,
    /// Names of files that `find` finds, or lines of input: any number of words.
    Input,
    /// One word whose value is not known.
    OneWord,
    /// Any number of words of any value.
    Words,
}

/// What a command does that its name alone does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What is done.
    pub kind: EffectKind,
    /// The option or operand that says so.
    pub cause: String,
    /// The program, file or address concerned, where it was given.
    pub target: Option<String>,
}

/// Kinds of effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectKind {
    /// Runs another program or a piece of code.
    Executes,
    /// Writes a file.
    Writes,
    /// Deletes files.
    Deletes,
    /// Loads configuration or code from a file.
    Loads,
    /// Shows environment variables.
    ReadsEnvironment,
    /// Speaks to another host.
    Connects,
}

/// How a command comes to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It stands in the text.
    Text,
    /// In `$(…)` or back-ticks.
    Substitution,
    /// In `<(…)` or `>(…)`.
    ProcessSubstitution,
    /// In the body of a function.
    Function,
    /// As the operand of a program that runs other programs.
    Wrapper,
    /// In text that a shell, `eval` or an option reads as shell code.
    Evaluated,
    /// In a handler: `trap`, `PROMPT_COMMAND`, an alias.
    Deferred,
    /// In code of another language, as in awk's `system`.
    Code,
    /// On another host or in a container.
    Remote,
}

/// Where a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directory {
    /// In one of these; the empty path is the directory in which the text starts.
    OneOf(Vec<String>),
    /// Not known until run time.
    Unknown,
}

/// A file redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// How the file is opened.
    pub mode: RedirectMode,
    /// The file.
    pub target: Argument,
    /// Where a relative target is resolved.
    pub directory: Directory,
}

/// How a redirection opens its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedirectMode {
    /// `<`
    Read,
    /// `>`, `>|`, `&>`
    Write,
    /// `>>`, `&>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `>&N`, `<&N`, `>&-`: no file.
    Duplicate,
}

/// An assignment to a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value, none if it is not in the text.
    pub value: Option<Argument>,
    /// Whether later programs take their name, code or configuration from it.
    pub influence: Influence,
}

/// What an environment variable steers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Influence {
    /// Nothing that is known to run code.
    Data,
    /// Which code programs find or load.
    Code,
}

/// A here-document or here-string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its text; unknown parts as typed.
    pub text: String,
    /// How much of it is known.
    pub certainty: Certainty,
}

/// A program in another language, given as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The language.
    pub language: Language,
    /// The code; unknown parts as typed.
    pub text: String,
    /// How much of it is known.
    pub certainty: Certainty,
    /// The command that runs it, as an index into `commands`.
    pub command: usize,
}

/// Languages of one-liners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// awk: read here for `system`, pipes and files.
    Awk,
    /// sed: read here for `e` and `w`.
    Sed,
    /// Python.
    Python,
    /// JavaScript.
    JavaScript,
    /// Perl.
    Perl,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Any other.
    Other,
}

/// Something that is not known until run time, or was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// Why.
    pub kind: OpaqueKind,
    /// What it is about, from the text, shortened.
    pub about: String,
    /// The command concerned, as an index into `commands`.
    pub command: Option<usize>,
}

macro_rules! opaque_kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// Why something is opaque.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum OpaqueKind { $($(#[doc = $doc])+ $name,)+ }

        impl OpaqueKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name by which rules know the kind.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

opaque_kinds! {
    /// The text is longer than the analysis reads.
    TooLong = "too-long",
    /// The step budget was used up.
    Budget = "budget",
    /// Deeper nesting than the analysis follows.
    Depth = "depth",
    /// Bash would stop at a syntax error.
    Rejected = "rejected",
    /// The second reading could not be made.
    Unconfirmed = "unconfirmed",
    /// The two readings list other commands.
    Disagreement = "disagreement",
    /// The name of a program is not known.
    Name = "name",
    /// A program is named by a path outside of the system directories.
    LocalProgram = "local-program",
    /// An argument is not known.
    Argument = "argument",
    /// Names of found files or lines of input become arguments, as with `xargs`.
    Input = "input",
    /// An argument is a pattern for names of files.
    Glob = "glob",
    /// A brace expansion that was not followed.
    Braces = "braces",
    /// The target of a redirection is not known.
    Target = "target",
    /// Code made at run time: `eval`, `sh -c "$x"`.
    Eval = "eval",
    /// Code in a file: `source`, `bash file`.
    Script = "script",
    /// Code from standard input: `… | sh`.
    Stdin = "stdin",
    /// Names of files or lines of input are put into code: `find -exec sh -c '… {} …'`.
    Injected = "injected",
    /// Code of another language that was not read.
    Code = "code",
    /// An option or operand runs or loads code that is not in the text.
    Option = "option",
    /// An option of a wrapper is not understood, so neither is what it runs.
    Wrapper = "wrapper",
    /// Arithmetic reads a variable, whose value bash evaluates again.
    Arithmetic = "arithmetic",
    /// A subscript in a name that bash evaluates.
    Subscript = "subscript",
    /// `${!x}` and `${x@P}`: a value is taken for a name or for a prompt.
    Indirect = "indirect",
    /// An assignment changes which code later commands run.
    Environment = "environment",
    /// Aliases may change how everything after them reads.
    Alias = "alias",
    /// A shell option, loaded builtin or hashed path changes what follows.
    ShellState = "shell-state",
    /// `$"…"`: translated at run time.
    Locale = "locale",
    /// An odd form of quoting that shells read differently.
    Quoting = "quoting",
    /// A here-document without its end, or in an odd place.
    HereDocument = "here-document",
    /// A NUL byte: some readers stop here.
    Nul = "nul",
    /// A carriage return: bash takes it for part of a word.
    CarriageReturn = "carriage-return",
    /// A control character.
    Control = "control",
    /// An invisible or bidirectional character.
    Hidden = "hidden",
    /// A character that looks like another one, or a blank that bash does not take for one.
    Lookalike = "lookalike",
}

impl fmt::Display for OpaqueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
