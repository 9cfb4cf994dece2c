//! What programs aim at, read off their string literals.
//!
//! A canary in a place that nobody attacks proves nothing, so the places are
//! taken from the programs themselves. Strings inside strings count too: code
//! that is built at run time is an old trick. What is found here is only where
//! to plant and to listen; whether something was hit is measured, never
//! guessed from the text. A place that is not found is still covered on the
//! sandboxed side, where the whole file system is compared.

use std::collections::BTreeSet;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// Everything that a set of programs aims at.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aims {
    /// Absolute paths of files.
    pub files: BTreeSet<String>,
    /// Absolute paths of folders, written with a slash at the end.
    pub folders: BTreeSet<String>,
    /// Names of hosts in addresses.
    pub hosts: BTreeSet<String>,
    /// Ports of the loopback.
    pub ports: BTreeSet<u16>,
    /// Names of programs that are looked for in the process table.
    pub processes: BTreeSet<String>,
}

impl Aims {
    /// Reads the aims of all programs.
    ///
    /// # Panics
    /// Never: the patterns are constant.
    #[must_use]
    pub fn of<'a>(programs: impl IntoIterator<Item = &'a str>) -> Self {
        let patterns = Patterns::new();
        let mut aims = Self::default();
        for program in programs {
            aims.read(&patterns, program);
        }
        // The same place written with and without its slash.
        aims.files.retain(|file| !aims.folders.contains(file));
        aims
    }

    fn read(&mut self, patterns: &Patterns, program: &str) {
        for literal in literals(program) {
            for found in patterns.path.captures_iter(&literal) {
                let path = found[1].to_owned();
                // A detour to a place that has its own canary.
                if path.starts_with("/proc/self/") {
                    continue;
                }
                match path.strip_suffix('/') {
                    Some(folder) => self.folders.insert(folder.to_owned()),
                    None => self.files.insert(path),
                };
            }
            for found in patterns.address.captures_iter(&literal) {
                self.hosts.insert(found[2].to_owned());
                let default = if &found[1] == "https" { 443 } else { 80 };
                let port = found.get(3).and_then(|port| port.as_str().parse().ok());
                self.ports.insert(port.unwrap_or(default));
            }
        }
        if program.contains("socket") {
            let numbers = patterns.number.find_iter(program);
            self.ports
                .extend(numbers.filter_map(|number| number.as_str().parse::<u16>().ok()));
        }
        let names = patterns.process.captures_iter(program);
        self.processes.extend(names.map(|name| name[1].to_owned()));
    }
}

struct Patterns {
    path: Regex,
    address: Regex,
    number: Regex,
    process: Regex,
}

impl Patterns {
    fn new() -> Self {
        let compile = |pattern: &str| Regex::new(pattern).expect("a constant pattern");
        Self {
            // Not the slashes of an address or of a closing tag.
            path: compile(r#"(?:^|[\s'"(=])(/[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*/?)"#),
            address: compile(r"(https?)://([A-Za-z0-9.-]+)(?::([0-9]+))?"),
            number: compile(r"\b[0-9]{4,5}\b"),
            process: compile(r#""([\w.-]+)" in cmdline"#),
        }
    }
}

/// The string literals of a Python program, with their escapes left as they are.
///
/// Knows one-line and triple quotes, prefixes and comments; what it does not
/// know (nested f-string expressions) only makes a literal longer.
fn literals(program: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = program;
    while let Some(at) = rest.find(['\'', '"', '#']) {
        let (_, from) = rest.split_at(at);
        if from.starts_with('#') {
            rest = from.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let (literal, after) = literal(from);
        found.push(literal);
        rest = after;
    }
    found
}

/// Splits a text that starts with a quote into the literal and what follows.
fn literal(text: &str) -> (String, &str) {
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| text.starts_with(quote))
        .unwrap_or("\"");
    let body = text.strip_prefix(quote).unwrap_or(text);
    let mut escaped = false;
    for (at, letter) in body.char_indices() {
        let (inside, rest) = body.split_at(at);
        if let Some(after) = rest.strip_prefix(quote).filter(|_| !escaped) {
            return (inside.to_owned(), after);
        }
        escaped = letter == '\\' && !escaped;
    }
    (body.to_owned(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_strings_and_in_strings_of_strings() {
        let aims = Aims::of([
            "# '/not/this'\nopen('/etc/shadow')\n",
            "x = \"__import__('os').system('ls -a /var/log/')\"",
            "y = '<b>Text</b>' 'https://a.example/x.py' \"open('/boot/file', 'w')\"",
        ]);
        let files: Vec<_> = aims.files.iter().map(String::as_str).collect();
        assert_eq!(files, ["/boot/file", "/etc/shadow"]);
        assert_eq!(
            aims.folders.iter().next().map(String::as_str),
            Some("/var/log")
        );
        assert!(aims.hosts.contains("a.example") && aims.ports.contains(&443));
    }

    #[test]
    fn quotes_that_are_escaped_do_not_end_a_literal() {
        assert_eq!(literals(r"f('a\'b') + 'c'"), [r"a\'b", "c"]);
        assert_eq!(literals("'''a\n'b''' 'c'"), ["a\n'b", "c"]);
    }
}
