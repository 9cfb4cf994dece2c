//! `git`: configuration that runs commands, transports that are commands, aliases.

use super::super::facts::{Argument, Certainty, EffectKind, OpaqueKind, Origin};
use super::super::walk::{Walk, Walker};
use super::{Subject, doubt, effect, shell_code};

/// Global options with a value in the next argument.
pub(super) const GLOBAL_VALUES: &[&str] = &[
    "-C",
    "-c",
    "--git-dir",
    "--work-tree",
    "--namespace",
    "--exec-path",
    "--super-prefix",
    "--config-env",
    "--attr-source",
];

/// Ends of configuration keys whose value is a command, a file with more configuration, or a
/// permission for one.
const RUNNING_KEYS: &[&str] = &[
    ".allow",
    ".clean",
    ".cmd",
    ".command",
    ".driver",
    ".fsmonitor",
    ".helper",
    ".path",
    ".process",
    ".program",
    ".proxycommand",
    ".receivepack",
    ".smudge",
    ".textconv",
    ".tool",
    ".update",
    ".uploadpack",
    ".vcs",
    "askpass",
    "core.alternaterefscommand",
    "core.attributesfile",
    "core.editor",
    "core.fsmonitor",
    "core.gitproxy",
    "core.hookspath",
    "core.pager",
    "core.sshcommand",
    "core.worktree",
    "credential.helper",
    "diff.external",
    "include.path",
    "sequence.editor",
    "sendemail.smtpserver",
    "uploadpack.packobjectshook",
];

/// Subcommand options whose value, attached or following, is a program or shell code.
const RUNNING_OPTIONS: &[&str] = &[
    "--exec",
    "--extcmd",
    "--filter-process",
    "--open-files-in-pager",
    "--receive-pack",
    "--to-cmd",
    "--cc-cmd",
    "--header-cmd",
    "--sendmail-cmd",
    "--upload-pack",
    "--index-filter",
    "--tree-filter",
    "--msg-filter",
    "--env-filter",
    "--commit-filter",
    "--parent-filter",
    "--tag-name-filter",
    "--smtp-server",
    "--template",
    "--gpg-sign",
    "--upload-archive",
];

pub(super) fn inspect(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let Some(at) = globals(walker, subject)? else {
        return Ok(());
    };
    let arguments = subject.rest(at + 1);
    let subcommand = subject.text(at).to_owned();
    transports(walker, subject, &arguments)?;
    running_options(walker, subject, &arguments)?;
    by_subcommand(walker, subject, &subcommand, &arguments)
}

/// Reads the global options; the place of the subcommand.
fn globals(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
) -> Result<Option<usize>, super::super::walk::Stopped> {
    let mut at = 0;
    while let Some(argument) = subject.arguments.get(at) {
        let text = argument.text.as_str();
        match text {
            "-c" | "--config-env" => setting(walker, subject, subject.text(at + 1))?,
            _ if text.starts_with("--config-env=") || text.starts_with("--exec-path=") => {
                doubt(walker, subject, OpaqueKind::Option, text)?;
            }
            _ if !text.starts_with('-') => return Ok(Some(at)),
            _ => {}
        }
        if !argument.is_literal() {
            doubt(walker, subject, OpaqueKind::Option, text)?;
        }
        at += if GLOBAL_VALUES.contains(&text) { 2 } else { 1 };
    }
    Ok(None)
}

/// `-c key=value`, `git config key value`, `clone --config`.
fn setting(walker: &mut Walker<'_>, subject: &Subject<'_>, setting: &str) -> Walk {
    let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
    let key = key.to_ascii_lowercase();
    let alias = key.starts_with("alias.");
    let runs = alias
        || key.starts_with("pager.")
        || key.starts_with("includeif.")
        || key.starts_with("url.")
        || RUNNING_KEYS.iter().any(|end| key.ends_with(end));
    if !runs {
        return Ok(());
    }
    effect(walker, subject, EffectKind::Executes, &key, Some(value));
    doubt(walker, subject, OpaqueKind::Option, &key)?;
    let code = value.strip_prefix('!').unwrap_or(value);
    let text = match alias && !value.starts_with('!') {
        true => format!("git {code}"),
        false => code.to_owned(),
    };
    walker.subshell(|inner| inner.read(&text, subject.inner(Origin::Evaluated)))
}

/// `ext::command` and helpers of other names are programs.
fn transports(walker: &mut Walker<'_>, subject: &Subject<'_>, arguments: &[Argument]) -> Walk {
    for argument in arguments {
        let text = argument.text.as_str();
        let address = text.split_once('=').map_or(text, |(_, value)| value);
        if let Some(command) = address.strip_prefix("ext::") {
            effect(
                walker,
                subject,
                EffectKind::Executes,
                "ext::",
                Some(command),
            );
            doubt(walker, subject, OpaqueKind::Option, text)?;
            walker.subshell(|inner| inner.read(command, subject.inner(Origin::Evaluated)))?;
        } else if address.contains("::") && !address.contains(' ') {
            effect(
                walker,
                subject,
                EffectKind::Executes,
                "transport",
                Some(address),
            );
            doubt(walker, subject, OpaqueKind::Option, text)?;
        } else if address.contains("://") {
            effect(
                walker,
                subject,
                EffectKind::Connects,
                address,
                Some(address),
            );
        }
    }
    Ok(())
}

fn running_options(walker: &mut Walker<'_>, subject: &Subject<'_>, arguments: &[Argument]) -> Walk {
    for (at, argument) in arguments.iter().enumerate() {
        let text = argument.text.as_str();
        let (name, attached) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        // Abbreviations of long options count.
        let running = name.len() > 3
            && name.starts_with("--")
            && RUNNING_OPTIONS
                .iter()
                .any(|option| option.starts_with(name));
        if !running {
            continue;
        }
        let value = attached.or_else(|| arguments.get(at + 1).map(|next| next.text.clone()));
        run_option(walker, subject, name, value.as_deref())?;
    }
    Ok(())
}

fn run_option(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    name: &str,
    value: Option<&str>,
) -> Walk {
    effect(walker, subject, EffectKind::Executes, name, value);
    doubt(walker, subject, OpaqueKind::Option, name)?;
    let code = value.unwrap_or("");
    walker.subshell(|inner| inner.read(code, subject.inner(Origin::Evaluated)))
}

fn by_subcommand(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    subcommand: &str,
    arguments: &[Argument],
) -> Walk {
    let words: Vec<&str> = arguments.iter().map(|a| a.text.as_str()).collect();
    let short = |option: &str| {
        let at = words.iter().position(|word| word.starts_with(option))?;
        let attached = words.get(at)?.get(option.len()..).filter(|v| !v.is_empty());
        attached.or_else(|| words.get(at + 1).copied())
    };
    match subcommand {
        "config" => config(walker, subject, &words),
        "clone" | "fetch" | "pull" | "ls-remote" | "fetch-pack" => match short("-u") {
            Some(program) if subcommand != "pull" => {
                run_option(walker, subject, "-u", Some(program))
            }
            _ => clone_settings(walker, subject, &words),
        },
        "grep" => optional(walker, subject, "-O", short("-O")),
        "rebase" | "difftool" => optional(walker, subject, "-x", short("-x")),
        "bisect" if words.first() == Some(&"run") => {
            let rest = arguments.iter().skip(1).cloned().collect();
            walker.command(rest, None, subject.inner(Origin::Wrapper))
        }
        "submodule" if words.contains(&"foreach") => {
            let after = words
                .iter()
                .position(|word| *word == "foreach")
                .unwrap_or(0);
            let code: Vec<Argument> = arguments
                .iter()
                .skip(after + 1)
                .filter(|argument| !argument.text.starts_with("--"))
                .cloned()
                .collect();
            shell_code(walker, subject, &super::joined(&code), Origin::Evaluated)
        }
        "clean" => {
            effect(walker, subject, EffectKind::Deletes, "clean", None);
            Ok(())
        }
        "filter-branch" | "hook" | "mergetool" | "instaweb" | "daemon" | "send-email" => {
            doubt(walker, subject, OpaqueKind::Option, subcommand)
        }
        _ if !is_plain(subcommand) || unknown_name(subject, subcommand) => {
            doubt(walker, subject, OpaqueKind::Option, subcommand)
        }
        _ => Ok(()),
    }
}

fn is_plain(subcommand: &str) -> bool {
    subcommand
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A subcommand that is not known before run time may be an alias.
fn unknown_name(subject: &Subject<'_>, subcommand: &str) -> bool {
    subject
        .arguments
        .iter()
        .any(|argument| argument.text == subcommand && argument.certainty != Certainty::Literal)
}

fn optional(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    name: &str,
    value: Option<&str>,
) -> Walk {
    match value {
        Some(value) => run_option(walker, subject, name, Some(value)),
        None => Ok(()),
    }
}

/// `git config [options] key value`.
fn config(walker: &mut Walker<'_>, subject: &Subject<'_>, words: &[&str]) -> Walk {
    let mut operands = words.iter().filter(|word| !word.starts_with('-'));
    let mut key = operands.next();
    if matches!(key, Some(&("set" | "get" | "unset" | "edit" | "list"))) {
        key = operands.next();
    }
    match (key, operands.next()) {
        (Some(key), Some(value)) => setting(walker, subject, &format!("{key}={value}")),
        _ => Ok(()),
    }
}

fn clone_settings(walker: &mut Walker<'_>, subject: &Subject<'_>, words: &[&str]) -> Walk {
    for (at, word) in words.iter().enumerate() {
        if matches!(*word, "-c" | "--config") {
            setting(walker, subject, words.get(at + 1).unwrap_or(&""))?;
        } else if let Some(value) = word.strip_prefix("--config=") {
            setting(walker, subject, value)?;
        }
    }
    Ok(())
}
