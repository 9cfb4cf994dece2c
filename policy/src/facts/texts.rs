//! Facts of plain texts: hosts, paths, secrets, look-alikes, encodings.
//!
//! Readers that give up say so, and then there is an atom for that too: nothing is left out in
//! silence.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Facts, Kind, Needs, object};
use crate::call::ToolCall;
use crate::texts::encodings::encodings;
use crate::texts::hosts::{Host, find_hosts, read_host};
use crate::texts::paths::{Path, normal};
use crate::texts::secrets::find_secrets;
use crate::texts::unicode::unicode;

/// The texts of one call that are searched, so that ten thousand short ones end as well.
const MAX_TEXTS: usize = 1_024;

/// Hosts of one call that are listed: more than any command names, and what one text lists four
/// times.
const MAX_HOSTS: usize = 1_024;

/// The bytes of decoded text that a fact shows.
const MAX_DECODED_CHARS: usize = 4_096;

/// What stands for an atom where a reader gave up.
const UNFINISHED: &str = "unfinished";

/// An argument that is a path.
pub(super) fn read_path(facts: &mut Facts, argument: &str, text: &str) {
    let path = normal(text, None);
    facts.push(
        Kind::Path,
        json!({"value": value(&path), "disguise": disguise(&path), "argument": argument}),
    );
}

/// Null when only the run time knows where the path leads.
pub(super) fn value(path: &Path) -> Value {
    if path.known {
        path.value.as_str().into()
    } else {
        Value::Null
    }
}

fn disguise(path: &Path) -> Value {
    path.disguise.iter().map(|d| d.as_str()).collect()
}

/// An argument that is a URL or a host.
pub(super) fn read_url(facts: &mut Facts, argument: &str, text: &str) {
    match read_host(text) {
        Some(host) => Hosts::of(facts).add(host),
        None => facts.push(
            Kind::Opaque,
            json!({"kind": "host", "about": format!("argument {argument} names no host")}),
        ),
    }
}

/// Collects the hosts of one call, each once.
pub(super) struct Hosts<'f> {
    facts: &'f mut Facts,
    seen: HashSet<Host>,
    unknown: bool,
    full: bool,
}

impl<'f> Hosts<'f> {
    pub(super) fn of(facts: &'f mut Facts) -> Self {
        Self {
            facts,
            seen: HashSet::new(),
            unknown: false,
            full: false,
        }
    }

    /// A word that a program takes for a host.
    pub(super) fn read_target(&mut self, text: &str) {
        match read_host(text) {
            Some(host) => self.add(host),
            None => self.read_word(text),
        }
    }

    /// A word that may name hosts.
    pub(super) fn read_word(&mut self, text: &str) {
        let hosts = find_hosts(text);
        hosts.found.into_iter().for_each(|host| self.add(host));
        if !hosts.complete {
            self.more();
        }
    }

    /// A host that nobody knows yet.
    pub(super) fn unknown(&mut self) {
        if !std::mem::replace(&mut self.unknown, true) {
            let atom = json!({"name": null, "disguise": ["unknown"]});
            self.facts.push(Kind::Host, atom);
        }
    }

    fn add(&mut self, host: Host) {
        if self.seen.contains(&host) {
            return;
        }
        if self.seen.len() >= MAX_HOSTS {
            return self.more();
        }
        self.facts.push(Kind::Host, host_atom(&host));
        self.seen.insert(host);
    }

    /// There are hosts that are not listed.
    fn more(&mut self) {
        if !std::mem::replace(&mut self.full, true) {
            self.facts.push(
                Kind::Opaque,
                json!({"kind": "hosts", "about": "more hosts than are read"}),
            );
        }
    }
}

fn host_atom(host: &Host) -> Value {
    object([
        ("name", Some(host.name.as_str().into())),
        ("address", host.address.map(|a| a.to_string().into())),
        (
            "reach",
            host.address_kind().map(|kind| kind.as_str().into()),
        ),
        ("port", host.port.map(Value::from)),
        ("scheme", host.scheme.as_deref().map(Value::from)),
        (
            "disguise",
            Some(host.disguise.iter().map(|d| d.as_str()).collect()),
        ),
    ])
}

/// Every text of the arguments, for what rules ask for.
pub(super) fn read_all(facts: &mut Facts, call: &ToolCall, needs: Needs) {
    let mut texts = Vec::new();
    collect("arguments", call.arguments(), &mut texts);
    let more = texts.len() > MAX_TEXTS;
    for (place, text) in texts.into_iter().take(MAX_TEXTS) {
        read_text(facts, &place, text, needs);
    }
    if more {
        for kind in [Kind::Secret, Kind::Unicode, Kind::Encoding] {
            facts.push(kind, unfinished("arguments"));
        }
    }
}

fn unfinished(place: &str) -> Value {
    json!({"kind": UNFINISHED, "where": place})
}

/// As deep as a call can be, which is bounded.
fn collect<'a>(place: &str, value: &'a Value, texts: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => texts.push((place.to_owned(), text)),
        Value::Array(items) => items.iter().for_each(|item| collect(place, item, texts)),
        Value::Object(map) => {
            for (key, inner) in map {
                collect(&format!("{place}.{key}"), inner, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn read_text(facts: &mut Facts, place: &str, text: &str, needs: Needs) {
    if needs.unicode {
        add_unicode(facts, place, text);
    }
    if needs.secrets {
        add_secrets(facts, place, text);
    }
    if needs.encodings {
        add_encodings(facts, place, text, needs);
    }
}

fn add_unicode(facts: &mut Facts, place: &str, text: &str) {
    for kind in unicode(text).kinds() {
        facts.push(
            Kind::Unicode,
            json!({"kind": kind.as_str(), "where": place}),
        );
    }
}

fn add_secrets(facts: &mut Facts, place: &str, text: &str) {
    let secrets = find_secrets(text);
    for secret in &secrets.found {
        facts.push(Kind::Secret, json!({"kind": secret.kind, "where": place}));
    }
    if !secrets.complete {
        facts.push(Kind::Secret, unfinished(place));
    }
}

/// What comes out of an encoding is searched for secrets as well.
fn add_encodings(facts: &mut Facts, place: &str, text: &str, needs: Needs) {
    let layers = encodings(text);
    for layer in &layers.found {
        let decoded = layer
            .text
            .as_deref()
            .map(|text| text.chars().take(MAX_DECODED_CHARS).collect::<String>());
        let atom = object([
            ("kind", Some(layer.kind.as_str().into())),
            ("depth", Some(layer.depth.into())),
            ("where", Some(place.into())),
            ("text", decoded.map(Value::from)),
        ]);
        facts.push(Kind::Encoding, atom);
        if let Some(text) = layer.text.as_deref().filter(|_| needs.secrets) {
            add_secrets(facts, place, text);
        }
    }
    if !layers.complete {
        facts.push(Kind::Encoding, unfinished(place));
    }
}
