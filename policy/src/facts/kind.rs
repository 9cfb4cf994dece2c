//! The kinds of atoms, and the fields by which rules name their parts.
//!
//! One table for reading, docs and messages. Cannot fail: a name that is not here is no fact.

use std::fmt;

/// What an atom is: one thing that a call would do or touch, or that stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A program that a shell text runs.
    Command,
    /// A file that a shell text opens by a redirection.
    Redirect,
    /// A variable that a shell text sets.
    Assignment,
    /// Something that is not known before run time, or was not understood.
    Opaque,
    /// A host or address that stands in the arguments.
    Host,
    /// A path in an argument that is one.
    Path,
    /// A piece of code in another language inside a shell text.
    Snippet,
    /// Something that looks like a key or password.
    Secret,
    /// Characters that are hidden or look like others.
    Unicode,
    /// Text inside an encoding, such as base64.
    Encoding,
}

/// The type of a field, for the checks at load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FieldType {
    Text,
    Number,
    Array,
}

/// A field of an atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldType,
    /// Whether every atom of its kind has it.
    pub(crate) always: bool,
}

const fn text(name: &'static str) -> Field {
    Field {
        name,
        kind: FieldType::Text,
        always: true,
    }
}

const fn maybe(name: &'static str, kind: FieldType) -> Field {
    Field {
        name,
        kind,
        always: false,
    }
}

const fn array(name: &'static str) -> Field {
    Field {
        name,
        kind: FieldType::Array,
        always: true,
    }
}

const COMMAND: &[Field] = &[
    text("name"),
    maybe("path", FieldType::Text),
    text("kind"),
    maybe("subcommand", FieldType::Text),
    array("flags"),
    array("arguments"),
    array("operands"),
    array("paths"),
    array("effects"),
    array("opaque"),
    text("origin"),
    array("directory"),
];
const REDIRECT: &[Field] = &[text("mode"), text("target")];
const ASSIGNMENT: &[Field] = &[
    text("name"),
    maybe("value", FieldType::Text),
    text("influence"),
];
const OPAQUE: &[Field] = &[text("kind"), text("about")];
const HOST: &[Field] = &[
    text("name"),
    maybe("address", FieldType::Text),
    maybe("reach", FieldType::Text),
    maybe("port", FieldType::Number),
    maybe("scheme", FieldType::Text),
    array("disguise"),
];
const PATH: &[Field] = &[text("value"), array("disguise"), text("argument")];
const SNIPPET: &[Field] = &[text("language"), text("text")];
const FOUND: &[Field] = &[text("kind"), text("where")];
const ENCODING: &[Field] = &[
    text("kind"),
    maybe("depth", FieldType::Number),
    text("where"),
    maybe("text", FieldType::Text),
];

impl Kind {
    /// Every kind, in the order in which facts are listed.
    pub const ALL: [Self; 10] = [
        Self::Command,
        Self::Redirect,
        Self::Assignment,
        Self::Opaque,
        Self::Host,
        Self::Path,
        Self::Snippet,
        Self::Secret,
        Self::Unicode,
        Self::Encoding,
    ];

    /// The first word of the facts of this kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Redirect => "redirect",
            Self::Assignment => "assignment",
            Self::Opaque => "opaque",
            Self::Host => "host",
            Self::Path => "path",
            Self::Snippet => "snippet",
            Self::Secret => "secret",
            Self::Unicode => "unicode",
            Self::Encoding => "encoding",
        }
    }

    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Self::Command => COMMAND,
            Self::Redirect => REDIRECT,
            Self::Assignment => ASSIGNMENT,
            Self::Opaque => OPAQUE,
            Self::Host => HOST,
            Self::Path => PATH,
            Self::Snippet => SNIPPET,
            Self::Secret | Self::Unicode => FOUND,
            Self::Encoding => ENCODING,
        }
    }

    /// Whether an allow must cover atoms of this kind. The others are there for rules that want to
    /// know of them, and give no authority.
    #[must_use]
    pub fn is_covered(self) -> bool {
        match self {
            Self::Command
            | Self::Redirect
            | Self::Assignment
            | Self::Opaque
            | Self::Host
            | Self::Path => true,
            Self::Snippet | Self::Secret | Self::Unicode | Self::Encoding => false,
        }
    }

    /// Where the kind stands in [`Self::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    pub(crate) fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind.index())
    }

    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind.index()) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        kinds.into_iter().fold(Self::default(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_where_their_index_says() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), index);
        }
        let kinds: Kinds = [Kind::Host, Kind::Command].into_iter().collect();
        assert_eq!(
            kinds.iter().collect::<Vec<_>>(),
            [Kind::Command, Kind::Host]
        );
        assert_eq!(kinds.len(), 2);
    }
}
