//! How often the readers find something in what models really write, where nothing is to be found.
//! Run it with `--nocapture` for the tables.

use std::collections::BTreeMap;

use super::{encodings, hosts, secrets, unicode};
use crate::corpora::cases;

/// The texts of a corpus, or none where it is not.
fn texts(file: &str) -> Option<Vec<String>> {
    let cases = cases(file)?;
    Some(cases.into_iter().map(|case| case.code).collect())
}

/// What was found how often, with the first few texts.
#[derive(Default)]
struct Table(BTreeMap<String, (usize, Vec<String>)>);

impl Table {
    fn add(&mut self, kind: &str, text: &str) {
        let row = self.0.entry(kind.to_owned()).or_default();
        row.0 += 1;
        if row.1.len() < 12 {
            row.1.push(text.chars().take(160).collect());
        }
    }

    fn show(&self, title: &str) -> usize {
        eprintln!("{title}");
        for (kind, (count, examples)) in &self.0 {
            eprintln!("  {count:>5}  {kind}");
            for example in examples {
                eprintln!("         {example:?}");
            }
        }
        self.0.values().map(|(count, _)| count).sum()
    }
}

fn count(file: &str, find: impl Fn(&str, &mut Table)) -> Option<usize> {
    let mut table = Table::default();
    for text in texts(file)? {
        find(&text, &mut table);
    }
    Some(table.show(file))
}

#[test]
fn ordinary_commands_and_programs_have_no_encodings() {
    let find = |text: &str, table: &mut Table| {
        for layer in encodings::encodings(text).found {
            let shown = layer.text.unwrap_or_default();
            table.add(layer.kind.as_str(), &format!("{shown} <- {text}"));
        }
    };
    for file in ["agent-commands", "humaneval"] {
        let Some(found) = count(file, find) else {
            return;
        };
        assert_eq!(found, 0, "{file}");
    }
}

#[test]
fn ordinary_commands_and_programs_have_no_secrets() {
    let find = |text: &str, table: &mut Table| {
        for secret in secrets::find_secrets(text).found {
            table.add(secret.kind, &text[secret.start..secret.end]);
        }
    };
    for file in ["agent-commands", "humaneval"] {
        let Some(found) = count(file, find) else {
            return;
        };
        assert_eq!(found, 0, "{file}");
    }
}

#[test]
fn ordinary_commands_and_programs_hide_nothing() {
    let find = |text: &str, table: &mut Table| {
        for finding in unicode::unicode(text).found {
            table.add(
                finding.kind.as_str(),
                &format!("{} <- {text}", finding.example),
            );
        }
    };
    for file in ["agent-commands", "humaneval"] {
        let Some(found) = count(file, find) else {
            return;
        };
        assert!(found <= 2, "{file}: {found}");
    }
}

#[test]
fn hosts_of_the_corpora() {
    let find = |text: &str, table: &mut Table| {
        let hosts = hosts::find_hosts(text);
        assert!(hosts.complete, "{text}");
        for host in hosts.found {
            table.add(&host.name, text);
        }
    };
    for file in ["agent-commands", "humaneval", "tldr-commands"] {
        if count(file, find).is_none() {
            return;
        }
    }
}
