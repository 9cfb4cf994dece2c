//! Options and subcommands, as a superset of what the program would see.
//!
//! `-rf` yields `-rf`, `-r` and `-f`, whether or not one of them takes a value: a rule against
//! `-f` must not miss it. Values are not taken for options after `--`.

use super::super::facts::{Argument, Flag};

/// Letters of one cluster that are looked at. Longer ones are no clusters.
const MAX_CLUSTER_CHARS: usize = 16;

/// Programs whose options are words after one dash, anywhere on the line.
const WORD_OPTIONS: &[&str] = &[
    "find", "java", "openssl", "ffmpeg", "convert", "magick", "xrandr",
];

/// Programs with subcommands, and their global options that take a value.
const SUBCOMMANDS: &[(&str, &[&str])] = &[
    ("apk", &["--root", "-p", "--repository", "-X"]),
    ("apt", &["-o", "-c", "-t"]),
    ("apt-get", &["-o", "-c", "-t"]),
    (
        "aws",
        &[
            "--profile",
            "--region",
            "--endpoint-url",
            "--output",
            "--query",
            "--color",
        ],
    ),
    ("az", &["--subscription", "--output", "-o", "--query"]),
    ("brew", &[]),
    ("bun", &["--cwd", "-c", "--config"]),
    ("cargo", &["--config", "-Z", "-C", "--color"]),
    ("conda", &[]),
    (
        "dnf",
        &[
            "-c",
            "--config",
            "--installroot",
            "--enablerepo",
            "--disablerepo",
        ],
    ),
    (
        "docker",
        &[
            "-H",
            "--host",
            "--config",
            "-c",
            "--context",
            "-l",
            "--log-level",
        ],
    ),
    ("docker-compose", &["-f", "--file", "-p", "--project-name"]),
    ("gcloud", &["--project", "--account", "--configuration"]),
    ("gem", &[]),
    ("gh", &["-R", "--repo"]),
    ("git", super::git::GLOBAL_VALUES),
    ("go", &["-C"]),
    (
        "helm",
        &["-n", "--namespace", "--kube-context", "--kubeconfig"],
    ),
    (
        "ip",
        &["-n", "-netns", "-f", "-family", "-l", "-rc", "-b", "-batch"],
    ),
    (
        "kubectl",
        &[
            "-n",
            "--namespace",
            "--context",
            "--kubeconfig",
            "--cluster",
            "-s",
            "--server",
        ],
    ),
    ("npm", &["--prefix", "-C", "-w", "--workspace"]),
    ("openssl", &[]),
    ("pacman", &[]),
    ("pip", &["--proxy", "--log", "--python", "--cache-dir"]),
    ("pip3", &["--proxy", "--log", "--python", "--cache-dir"]),
    ("pnpm", &["-C", "--dir", "-F", "--filter"]),
    (
        "podman",
        &[
            "-c",
            "--connection",
            "--root",
            "--runroot",
            "--url",
            "--log-level",
        ],
    ),
    ("rustup", &[]),
    ("snap", &[]),
    (
        "svn",
        &[
            "--username",
            "--password",
            "--config-dir",
            "--config-option",
        ],
    ),
    (
        "systemctl",
        &[
            "-H",
            "--host",
            "-M",
            "--machine",
            "-t",
            "--type",
            "--root",
            "-p",
            "-o",
            "-n",
        ],
    ),
    ("terraform", &[]),
    (
        "uv",
        &["--directory", "--project", "--config-file", "--cache-dir"],
    ),
    ("yarn", &["--cwd"]),
    ("yum", &["-c", "--installroot"]),
    ("zypper", &["-R", "--root"]),
];

/// How a program reads `-abc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// One option.
    Words,
    /// Three options, or one with a value.
    Clusters,
}

/// Every option that the program may see.
pub(super) fn flags(base: &str, arguments: &[Argument]) -> Vec<Flag> {
    let style = match WORD_OPTIONS.contains(&base) {
        true => Style::Words,
        false => Style::Clusters,
    };
    let mut flags = Vec::new();
    for argument in arguments {
        let text = argument.text.as_str();
        if text == "--" && style == Style::Clusters {
            break;
        }
        if text.len() > 1 && text.starts_with('-') {
            add(&mut flags, text, style);
        } else if text.starts_with('+') && text.len() > 1 {
            flags.push(flag(text, None));
        }
    }
    flags
}

fn add(flags: &mut Vec<Flag>, text: &str, style: Style) {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    flags.push(flag(name, value));
    if style == Style::Words || name.starts_with("--") {
        return;
    }
    let letters = name.strip_prefix('-').unwrap_or(name);
    if letters.chars().nth(1).is_none() || letters.chars().nth(MAX_CLUSTER_CHARS).is_some() {
        let first: String = name.chars().take(2).collect();
        if first != name {
            flags.push(flag(&first, None));
        }
        return;
    }
    for letter in letters.chars() {
        flags.push(flag(&format!("-{letter}"), None));
    }
}

fn flag(name: &str, value: Option<&str>) -> Flag {
    Flag {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    }
}

/// The first operand of a program that has subcommands.
pub(super) fn subcommand(base: &str, arguments: &[Argument]) -> Option<String> {
    let (_, values) = SUBCOMMANDS.iter().find(|(name, _)| *name == base)?;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.text.as_str();
        if values.contains(&text) {
            arguments.next();
        } else if !text.starts_with(['-', '+']) {
            return Some(text.to_owned());
        }
    }
    None
}
