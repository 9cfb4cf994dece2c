//! Runs every example of docs/POLICY.md and docs/COOKBOOK.md, so that they cannot say what is not so.
//!
//! The words after the fence say what a block is: `toml policy` loads, and the `json VERDICT`
//! blocks after it are calls judged by it; `toml refused` does not load, with the message of the
//! `text message` block after it; `toml profile NAME` loads as that profile, for the policies of
//! the whole page; `json refused` is no call.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use policy::{CallId, Kind, Policy, Profiles, ToolCall, decide, shipped};

const PAGE: &str = include_str!("../../docs/POLICY.md");
const COOKBOOK: &str = include_str!("../../docs/COOKBOOK.md");

struct Block {
    kind: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (index, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(kind) => {
                open = true;
                blocks.push(Block {
                    kind: kind.to_owned(),
                    text: String::new(),
                    line: index + 1,
                });
            }
            None if open => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    assert!(!open, "a fence is left open");
    blocks
}

fn profiles(blocks: &[Block]) -> Profiles {
    let of_page: Vec<(String, &str)> = blocks
        .iter()
        .filter_map(|block| {
            let name = block.kind.strip_prefix("toml profile ")?;
            Some((format!("{name}.toml"), block.text.as_str()))
        })
        .collect();
    let shipped = shipped::PROFILES.iter().map(|p| (p.file, p.text));
    Profiles::load(shipped.chain(of_page.iter().map(|(file, text)| (file.as_str(), *text))))
        .unwrap()
}

/// `broken.toml` for a policy that calls itself `broken`.
fn file_name(text: &str) -> String {
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("name = \""))
        .unwrap();
    format!("{}.toml", name.trim_end_matches('"'))
}

#[test]
fn every_example_does_what_the_page_says() {
    run(PAGE);
}

#[test]
fn every_recipe_does_what_the_cookbook_says() {
    assert_eq!(COOKBOOK.matches("\n## ").count(), 10);
    run(COOKBOOK);
}

fn run(page: &str) {
    let blocks = blocks(page);
    let profiles = profiles(&blocks);
    let mut policy = None;
    let mut refusal = None;
    let mut run = 0;
    for Block { kind, text, line } in &blocks {
        run += 1;
        match kind.split(' ').collect::<Vec<_>>().as_slice() {
            ["toml", "policy"] => {
                policy = Some(
                    Policy::load("page", text, &profiles)
                        .unwrap_or_else(|e| panic!("line {line}: {e}")),
                );
            }
            ["toml", "refused"] => {
                refusal = Some(Policy::load(&file_name(text), text, &profiles).unwrap_err())
            }
            ["text", "message"] => assert_eq!(
                refusal.take().unwrap().to_string(),
                text.trim_end(),
                "line {line}"
            ),
            ["toml", "profile", name] => assert!(profiles.get(name).is_some(), "line {line}"),
            ["json", "refused"] => {
                assert!(ToolCall::parse(text.as_bytes()).is_err(), "line {line}")
            }
            ["json", verdict] => {
                let call = ToolCall::parse(text.as_bytes()).unwrap();
                let decision = decide(policy.as_ref().unwrap(), CallId::from_bytes([0; 16]), call);
                assert_eq!(
                    decision.verdict().as_str(),
                    *verdict,
                    "line {line}: {}",
                    decision.reason()
                );
            }
            _ => panic!("line {line}: `{kind}` says not what the block is"),
        }
    }
    assert!(run >= 15, "the page lost its examples");
}

/// Every key and condition that the format has stands on the page.
#[test]
fn the_page_names_every_word() {
    let words = [
        "equals",
        "any_of",
        "prefix",
        "suffix",
        "contains",
        "glob",
        "regex",
        "min",
        "max",
        "exists",
        "any",
        "all",
        "list",
        "unless",
        "when",
        "mode",
        "shadow",
        "expires",
        "obligations",
        "include",
        "lists",
        "now",
        "state",
        "session.calls",
        "session.age_s",
        "session.turn_calls",
        "cidr",
        "taint",
        "redact",
        "roles",
        "schema",
        "most",
        "time.unix_s",
        "time.weekday",
        "starts_with",
        "ends_with",
        "owner",
        "tags",
        "wall_ms",
        "memory_bytes",
        "output_bytes",
        "file_bytes",
        "file_count",
        "stdin_bytes",
        "code_bytes",
    ];
    for word in words {
        assert!(PAGE.contains(word), "{word}");
    }
    for kind in Kind::ALL {
        assert!(PAGE.contains(&format!("| `{kind}` |")), "{kind}");
    }
    let offline = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    for layer in offline.get("wasm-offline").unwrap().layers().required() {
        assert!(
            PAGE.contains(&format!("`{}`", layer.name)),
            "{}",
            layer.name
        );
    }
}
