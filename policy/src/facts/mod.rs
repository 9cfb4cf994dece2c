//! From a call to facts: the one pass over a call before rules are held against it.
//!
//! ```text
//!  ToolCall ──► its tool's roles ──┬─ shell text ──► command, redirect, assignment, opaque, snippet
//!                                  ├─ code       ──► code.imports, code.calls, …
//!                                  ├─ path, url  ──► path, host
//!                                  └─ every text ──► secret, unicode, encoding
//! ```
//!
//! An **atom** is one thing that a call would do: one program, one file, one host. A fact that is
//! not known before run time is null, which makes every question about it unknown; a list that may
//! be longer at run time ends with null. Extraction is total and takes steps in proportion to the
//! length of the call. It judges nothing.

mod kind;
mod program;
mod shell;
mod targets;
mod texts;

use serde_json::{Map, Value, json};

use crate::call::ToolCall;
use crate::tool::{Role, Tools};

pub use kind::Kind;
pub(crate) use kind::{Field, FieldType, Kinds};

/// What is known of a call before it runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    atoms: [Vec<Value>; Kind::ALL.len()],
    readings: [Option<Value>; Reading::ALL.len()],
}

/// A group of facts about a call as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reading {
    /// Of the shell text.
    Shell,
    /// Of the code.
    Code,
    /// Of all arguments.
    Input,
}

impl Reading {
    pub(crate) const ALL: [Self; 3] = [Self::Shell, Self::Code, Self::Input];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Code => "code",
            Self::Input => "input",
        }
    }

    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Self::Shell => SHELL,
            Self::Code => CODE,
            Self::Input => INPUT,
        }
    }
}

const fn field(name: &'static str, kind: FieldType) -> Field {
    Field {
        name,
        kind,
        always: false,
    }
}

const SHELL: &[Field] = &[
    field("syntax", FieldType::Text),
    field("commands", FieldType::Number),
];
const CODE: &[Field] = &[
    field("syntax", FieldType::Text),
    field("imports", FieldType::Array),
    field("calls", FieldType::Array),
    field("dynamic", FieldType::Array),
    field("paths", FieldType::Array),
    field("hosts", FieldType::Array),
    field("commands", FieldType::Array),
];
const INPUT: &[Field] = &[
    field("chars", FieldType::Number),
    field("bytes", FieldType::Number),
];

/// Which facts somebody asks for. What stands for authority is always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    pub(crate) code: bool,
    pub(crate) input: bool,
    pub(crate) secrets: bool,
    pub(crate) unicode: bool,
    pub(crate) encodings: bool,
}

impl Needs {
    pub(crate) const ALL: Self = Self {
        code: true,
        input: true,
        secrets: true,
        unicode: true,
        encodings: true,
    };
}

impl Facts {
    /// Reads a call.
    pub(crate) fn of(call: &ToolCall, tools: &Tools, needs: Needs) -> Self {
        let mut facts = Self::default();
        if let Some(tool) = tools.get(call.tool()) {
            for (argument, role) in tool.roles() {
                let value = call.arguments().get(argument);
                value
                    .into_iter()
                    .for_each(|value| facts.read(argument, role, value, call, needs));
            }
        }
        if needs.input {
            facts.set(Reading::Input, input(call));
        }
        if needs.secrets || needs.unicode || needs.encodings {
            texts::read_all(&mut facts, call, needs);
        }
        facts
    }

    /// Facts of a call that nobody has written, for asking rules about it.
    pub(crate) fn made_of(
        atoms: impl IntoIterator<Item = (Kind, Value)>,
        readings: impl IntoIterator<Item = (Reading, Value)>,
    ) -> Self {
        let mut facts = Self::default();
        for (kind, atom) in atoms {
            facts.push(kind, atom);
        }
        for (reading, group) in readings {
            facts.set(reading, group);
        }
        facts
    }

    /// The atoms of one kind.
    #[must_use]
    pub fn atoms(&self, kind: Kind) -> &[Value] {
        self.atoms.get(kind.index()).map_or(&[], Vec::as_slice)
    }

    /// A fact about the call as a whole.
    pub(crate) fn reading(&self, reading: Reading, field: &str) -> Option<&Value> {
        let group = self.readings.get(reading as usize)?.as_ref()?;
        group.get(field)
    }

    /// Every atom that an allow must cover.
    pub(crate) fn to_cover(&self) -> impl Iterator<Item = (Kind, &Value)> {
        let covered = Kind::ALL.into_iter().filter(|kind| kind.is_covered());
        covered.flat_map(|kind| {
            let atoms = self
                .atoms(kind)
                .iter()
                .filter(move |atom| gives_authority(kind, atom));
            atoms.map(move |atom| (kind, atom))
        })
    }

    /// All facts: `{"command": […], …, "shell": {…}}`; what the call has none of is left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let atoms = Kind::ALL.into_iter().filter_map(|kind| {
            let atoms = self.atoms(kind);
            (!atoms.is_empty()).then(|| (kind.as_str().to_owned(), json!(atoms)))
        });
        let readings = Reading::ALL.into_iter().filter_map(|reading| {
            let group = self.readings.get(reading as usize)?.clone()?;
            Some((reading.as_str().to_owned(), group))
        });
        Value::Object(atoms.chain(readings).collect())
    }

    fn read(&mut self, argument: &str, role: Role, value: &Value, call: &ToolCall, needs: Needs) {
        let Value::String(text) = value else {
            return self.unreadable(argument);
        };
        match role {
            Role::Shell => shell::read(self, text),
            Role::Code if needs.code => {
                let language = call.arguments().get("language").and_then(Value::as_str);
                program::read(language, text)
                    .into_iter()
                    .for_each(|group| self.set(Reading::Code, group));
            }
            Role::Code => {}
            Role::Path => texts::read_path(self, argument, text),
            Role::Url => texts::read_url(self, argument, text),
        }
    }

    /// An argument with a role that is no text: nothing is known of what it would do.
    fn unreadable(&mut self, argument: &str) {
        self.push(
            Kind::Opaque,
            json!({"kind": "type", "about": format!("argument {argument} is no text")}),
        );
    }

    fn push(&mut self, kind: Kind, atom: Value) {
        if let Some(atoms) = self.atoms.get_mut(kind.index()) {
            atoms.push(atom);
        }
    }

    fn set(&mut self, reading: Reading, group: Value) {
        if let Some(place) = self.readings.get_mut(reading as usize) {
            *place = Some(group);
        }
    }
}

/// A variable that no program takes its code or name from does nothing by itself. A name that the
/// text defines as a function is covered like any other: whether the definition was reached before
/// the call, or in this shell at all, only the run time knows.
fn gives_authority(kind: Kind, atom: &Value) -> bool {
    let is = |field: &str, text: &str| atom.get(field).and_then(Value::as_str) == Some(text);
    match kind {
        Kind::Assignment => is("influence", "code"),
        Kind::Command
        | Kind::Redirect
        | Kind::Opaque
        | Kind::Host
        | Kind::Path
        | Kind::Snippet
        | Kind::Secret
        | Kind::Unicode
        | Kind::Encoding => true,
    }
}

/// An atom in few words, for a message.
pub(crate) fn words(kind: Kind, atom: &Value) -> String {
    let text = |field: &str| atom.get(field).and_then(Value::as_str).unwrap_or("?");
    match kind {
        Kind::Command => command_words(atom),
        Kind::Redirect => format!("{} of {}", text("mode"), text("target")),
        Kind::Assignment | Kind::Host => text("name").to_owned(),
        Kind::Opaque => format!("{}: {}", text("kind"), text("about")),
        Kind::Path => text("value").to_owned(),
        Kind::Snippet => text("language").to_owned(),
        Kind::Secret | Kind::Unicode | Kind::Encoding => text("kind").to_owned(),
    }
}

fn command_words(atom: &Value) -> String {
    let name = atom.get("name").and_then(Value::as_str).unwrap_or("?");
    let arguments = atom.get("arguments").and_then(Value::as_array);
    let words = arguments
        .into_iter()
        .flatten()
        .map(|word| word.as_str().unwrap_or("?"));
    [name]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn input(call: &ToolCall) -> Value {
    json!({
        "chars": chars(call.arguments()),
        "bytes": call.canonical_arguments().len(),
    })
}

/// The characters of all texts, keys left out. As deep as a call can be, which is bounded.
fn chars(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(chars).sum(),
        Value::Object(map) => map.values().map(chars).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// An object of the entries that are there.
fn object<const N: usize>(entries: [(&'static str, Option<Value>); N]) -> Value {
    let there = entries
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(there.collect::<Map<String, Value>>())
}
