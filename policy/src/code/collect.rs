//! Collects facts: each entry once, every list with its limit.
//!
//! A list that is full makes the facts incomplete, which they say.

use std::collections::HashSet;

use super::budget::{Budget, MAX_ABOUT_CHARS, MAX_ARGUMENT_BYTES, MAX_ENTRIES, MAX_LITERAL_BYTES};
use super::facts::{Call, CodeFacts, Dynamic, DynamicKind};
use super::literal;

/// Facts in the making.
pub(super) struct Collector {
    pub(super) facts: CodeFacts,
    pub(super) budget: Budget,
    seen: HashSet<(List, String)>,
}

/// The lists in which every entry stands once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum List {
    Import,
    Mention,
    Call,
    Dynamic(DynamicKind),
    Path,
    Host,
    Shell,
}

impl Collector {
    pub(super) fn for_bytes(bytes: usize) -> Self {
        Self {
            facts: CodeFacts {
                complete: true,
                ..CodeFacts::default()
            },
            budget: Budget::for_bytes(bytes),
            seen: HashSet::new(),
        }
    }

    /// Whether the entry is new and there is room for it.
    fn admit(&mut self, list: List, key: &str, length: usize) -> bool {
        if !self.seen.insert((list, key.to_owned())) {
            return false;
        }
        if length >= MAX_ENTRIES {
            self.facts.complete = false;
            return false;
        }
        true
    }

    pub(super) fn import(&mut self, name: &str) {
        if self.admit(List::Import, name, self.facts.imports.len()) {
            self.facts.imports.push(name.to_owned());
        }
    }

    pub(super) fn dynamic(&mut self, kind: DynamicKind, about: &str) {
        let about: String = about.chars().take(MAX_ABOUT_CHARS).collect();
        if self.admit(List::Dynamic(kind), &about, self.facts.dynamic.len()) {
            self.facts.dynamic.push(Dynamic { kind, about });
        }
    }

    /// A name that is used as a value.
    pub(super) fn mention(&mut self, name: &str) {
        let name = known(name);
        if self.admit(List::Mention, name, self.facts.calls.len()) {
            self.facts.calls.push(Call {
                name: name.to_owned(),
                called: false,
                arguments: Vec::new(),
                arguments_complete: false,
            });
        }
    }

    /// A call; the same call with the same arguments stands once.
    pub(super) fn call(&mut self, name: &str, arguments: &[Option<String>], complete: bool) {
        let name = known(name);
        self.facts.counts.calls += 1;
        let shown: Vec<Option<String>> = arguments
            .iter()
            .map(|text| text.clone().filter(|text| text.len() <= MAX_ARGUMENT_BYTES))
            .collect();
        let key = format!("{name}{shown:?}{complete}");
        if self.admit(List::Call, &key, self.facts.calls.len()) {
            let cut = shown.len() == arguments.len() && shown.iter().eq(arguments.iter());
            self.facts.calls.push(Call {
                name: name.to_owned(),
                called: true,
                arguments: shown,
                arguments_complete: complete && cut,
            });
        }
    }

    pub(super) fn shell(&mut self, text: &str) {
        if text.len() > MAX_LITERAL_BYTES {
            return self.dynamic(DynamicKind::Command, text);
        }
        if self.admit(List::Shell, text, self.facts.shell.len()) {
            self.facts.shell.push(text.to_owned());
        }
    }

    /// A program and its arguments, as one shell text that means the same.
    pub(super) fn argv(&mut self, words: &[String]) {
        let quoted: Vec<String> = words.iter().map(|word| literal::quoted(word)).collect();
        self.shell(&quoted.join(" "));
    }

    /// A literal text of the program.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(host) = literal::host(text)
            && self.admit(List::Host, host, self.facts.hosts.len())
        {
            self.facts.hosts.push(host.to_owned());
        }
        if let Some(path) = literal::path(text)
            && self.admit(List::Path, path, self.facts.paths.len())
        {
            self.facts.paths.push(path.to_owned());
        }
    }
}

/// A parser that goes on after an error leaves names empty: these are not known.
fn known(name: &str) -> &str {
    if name.is_empty() { "?" } else { name }
}
