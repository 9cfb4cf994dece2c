//! Options by which harmless-looking programs run, write, delete, load or reveal.
//!
//! One row for each option. A long option matches by any abbreviation, a short one also inside of
//! a cluster or with its value attached, so a row may match too much and never too little.

use super::super::facts::{Argument, EffectKind, OpaqueKind, Origin};
use super::super::walk::{Walk, Walker};
use super::{Subject, doubt, effect};

use EffectKind::{Connects, Deletes, Executes, Loads, ReadsEnvironment, Writes};

/// An option and what it does.
struct Row {
    programs: &'static [&'static str],
    option: &'static str,
    kind: EffectKind,
}

const fn row(programs: &'static [&'static str], option: &'static str, kind: EffectKind) -> Row {
    Row {
        programs,
        option,
        kind,
    }
}

const TAR: &[&str] = &["tar", "gtar", "bsdtar"];
const VI: &[&str] = &[
    "ex", "gvim", "nvim", "rview", "rvim", "vi", "view", "vim", "vimdiff",
];

const ROWS: &[Row] = &[
    row(&["sort"], "--compress-program", Executes),
    row(&["sort"], "--output", Writes),
    row(&["sort"], "-o", Writes),
    row(&["sort", "wc", "du"], "--files0-from", Loads),
    row(&["rg"], "--pre", Executes),
    row(&["rg"], "--hostname-bin", Executes),
    row(TAR, "--checkpoint-action", Executes),
    row(TAR, "--to-command", Executes),
    row(TAR, "--use-compress-program", Executes),
    row(TAR, "-I", Executes),
    row(TAR, "--info-script", Executes),
    row(TAR, "--new-volume-script", Executes),
    row(TAR, "-F", Executes),
    row(TAR, "--rsh-command", Executes),
    row(TAR, "--rmt-command", Executes),
    row(TAR, "--remove-files", Deletes),
    row(TAR, "--files-from", Loads),
    row(TAR, "-T", Loads),
    row(&["scp", "sftp", "ssh-copy-id"], "-o", Loads),
    row(&["scp", "sftp"], "-S", Executes),
    row(&["scp", "sftp"], "-F", Loads),
    row(&["rsync"], "--rsh", Executes),
    row(&["rsync"], "-e", Executes),
    row(&["rsync"], "--rsync-path", Executes),
    row(&["rsync"], "--delete", Deletes),
    row(&["man"], "--pager", Executes),
    row(&["man"], "-P", Executes),
    row(&["man"], "--html", Executes),
    row(&["man"], "-H", Executes),
    row(&["man"], "--preprocessor", Executes),
    row(&["man"], "--config-file", Loads),
    row(&["man"], "-C", Loads),
    row(VI, "-c", Executes),
    row(VI, "--cmd", Executes),
    row(VI, "-S", Loads),
    row(VI, "-u", Loads),
    row(VI, "-U", Loads),
    row(VI, "-s", Loads),
    row(VI, "--remote-expr", Executes),
    row(&["emacs", "emacsclient"], "--eval", Executes),
    row(&["emacs", "emacsclient"], "--execute", Executes),
    row(&["emacs"], "--load", Loads),
    row(&["emacs"], "-l", Loads),
    row(&["split"], "--filter", Executes),
    row(&["zip"], "-TT", Executes),
    row(&["zip"], "--unzip-command", Executes),
    row(&["wget"], "--use-askpass", Executes),
    row(&["wget"], "--output-document", Writes),
    row(&["wget"], "-O", Writes),
    row(&["wget"], "--output-file", Writes),
    row(&["wget"], "--execute", Loads),
    row(&["wget"], "-e", Loads),
    row(&["wget"], "--config", Loads),
    row(&["wget"], "--post-file", Loads),
    row(&["wget"], "--body-file", Loads),
    row(&["curl"], "--config", Loads),
    row(&["curl"], "-K", Loads),
    row(&["curl"], "--output", Writes),
    row(&["curl"], "-o", Writes),
    row(&["curl"], "-O", Writes),
    row(&["curl"], "--remote-name", Writes),
    row(&["curl"], "--output-dir", Writes),
    row(&["curl"], "--dump-header", Writes),
    row(&["curl"], "-D", Writes),
    row(&["curl"], "--cookie-jar", Writes),
    row(&["curl"], "--trace", Writes),
    row(&["curl"], "--upload-file", Loads),
    row(&["curl"], "-T", Loads),
    row(&["curl"], "--engine", Executes),
    row(&["nc", "ncat", "netcat"], "-e", Executes),
    row(&["nc", "ncat", "netcat"], "-c", Executes),
    row(&["ncat"], "--exec", Executes),
    row(&["ncat"], "--sh-exec", Executes),
    row(&["ncat"], "--lua-exec", Executes),
    row(&["tcpdump"], "-z", Executes),
    row(&["tcpdump", "tshark"], "-w", Writes),
    row(&["nmap"], "--script", Executes),
    row(&["apt", "apt-get", "aptitude", "dpkg"], "-o", Executes),
    row(&["apt", "apt-get"], "--option", Executes),
    row(&["dpkg"], "--pre-invoke", Executes),
    row(&["dpkg"], "--post-invoke", Executes),
    row(&["fzf"], "--preview", Executes),
    row(&["fzf"], "--bind", Executes),
    row(&["fzf", "sk"], "--execute", Executes),
    row(
        &["psql", "mysql", "mariadb", "sqlite3", "sqlite"],
        "-c",
        Executes,
    ),
    row(&["mysql", "mariadb"], "-e", Executes),
    row(&["mysql", "mariadb"], "--execute", Executes),
    row(&["mysql", "mariadb"], "--pager", Executes),
    row(&["sqlite3", "sqlite"], "-cmd", Executes),
    row(&["sqlite3", "sqlite"], "-init", Loads),
    row(&["psql"], "--command", Executes),
    row(&["psql"], "-f", Loads),
    row(&["socat"], "-lf", Writes),
    row(&["ctags"], "--options", Loads),
    row(&["less", "more", "most"], "-k", Loads),
    row(&["less"], "--lesskey-file", Loads),
    row(&["less"], "--lesskey-src", Loads),
    row(&["less"], "--log-file", Writes),
    row(&["less"], "-o", Writes),
    row(&["less"], "-O", Writes),
    row(&["less", "more"], "+", Executes),
    row(VI, "+", Executes),
    row(&["bat", "batcat", "delta"], "--pager", Executes),
    row(&["jq"], "-L", Loads),
    row(&["jq"], "--from-file", Loads),
    row(&["jq"], "-f", Loads),
    row(&["jq"], "--rawfile", Loads),
    row(&["jq"], "--slurpfile", Loads),
    row(&["go"], "-toolexec", Executes),
    row(&["go"], "-exec", Executes),
    row(&["cargo"], "--config", Executes),
    row(&["gcc", "g++", "cc", "c++", "clang"], "-wrapper", Executes),
    row(&["gcc", "g++", "cc", "c++", "clang"], "-fplugin", Loads),
    row(&["gcc", "g++", "cc", "c++", "clang"], "-B", Loads),
    row(&["ld", "gcc", "cc"], "-plugin", Loads),
    row(&["openssl"], "-engine", Loads),
    row(&["openssl"], "-provider", Loads),
    row(&["gpg", "gpg2"], "--exec-path", Loads),
    row(&["gpg", "gpg2"], "--photo-viewer", Executes),
    row(&["perf"], "-o", Writes),
    row(&["date"], "--file", Loads),
    row(&["date"], "-f", Loads),
    row(&["date"], "--set", Writes),
    row(&["date"], "-s", Writes),
    row(&["tree"], "-o", Writes),
    row(&["xxd"], "-r", Writes),
    row(&["uniq"], "--", Loads),
    row(&["patch"], "--output", Writes),
    row(&["patch"], "-e", Executes),
    row(&["diff", "grep", "egrep", "fgrep"], "--file", Loads),
    row(&["iconv"], "-o", Writes),
    row(&["file"], "--compile", Writes),
    row(&["file"], "--magic-file", Loads),
    row(&["base64", "base32"], "-o", Writes),
    row(&["ps"], "e", ReadsEnvironment),
    row(&["ps"], "-E", ReadsEnvironment),
    row(&["tail"], "--pid", Loads),
    row(&["ip"], "-batch", Loads),
    row(&["journalctl"], "--vacuum-size", Deletes),
    row(&["journalctl"], "--vacuum-time", Deletes),
    row(&["aria2c"], "--on-download-complete", Executes),
    row(&["aria2c"], "--dir", Writes),
    row(&["yt-dlp", "youtube-dl"], "--exec", Executes),
    row(&["hashcat", "john"], "--session", Writes),
    row(&["ansible", "ansible-playbook"], "-a", Executes),
    row(&["inotifywait", "fswatch"], "--outfile", Writes),
    row(&["pip", "pip3"], "--index-url", Connects),
    row(&["pip", "pip3"], "-i", Connects),
    row(&["npm", "pnpm", "yarn"], "--script-shell", Executes),
    row(&["mount"], "-o", Loads),
    row(&["chattr", "shred"], "-u", Deletes),
    row(&["rclone"], "--password-command", Executes),
    row(&["mail", "mailx", "mutt"], "-S", Executes),
    row(&["dig"], "-f", Loads),
    row(&["nsenter", "unshare"], "--root", Loads),
];

/// Adds the effects of options and of some operands.
pub(super) fn inspect(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    if subject
        .arguments
        .iter()
        .any(|a| a.text.starts_with(['-', '+']))
    {
        for row in ROWS
            .iter()
            .filter(|row| row.programs.contains(&subject.base))
        {
            for (at, argument) in subject.arguments.iter().enumerate() {
                if let Some(value) = matched(row.option, argument) {
                    apply(walker, subject, row, at, value)?;
                }
            }
        }
    }
    operands(walker, subject)
}

/// Whether the argument is the option; its attached value, which may be empty.
fn matched<'a>(option: &str, argument: &'a Argument) -> Option<&'a str> {
    let text = argument.text.as_str();
    if option == "+" {
        return text.strip_prefix('+').filter(|rest| !rest.is_empty());
    }
    if option.starts_with("--") {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let abbreviated = name.len() > 2 && name.starts_with("--") && option.starts_with(name);
        return abbreviated.then_some(value);
    }
    let letters = option.strip_prefix('-')?;
    let cluster = text
        .strip_prefix('-')
        .filter(|rest| !rest.starts_with('-'))?;
    if letters.len() > 1 {
        let rest = cluster.strip_prefix(letters)?;
        return Some(rest.strip_prefix('=').unwrap_or(rest));
    }
    // The letter may stand anywhere in a cluster; more words than clusters match.
    cluster.split_once(letters).map(|(_, rest)| rest)
}

fn apply(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    row: &Row,
    at: usize,
    attached: &str,
) -> Walk {
    let value = match attached.is_empty() {
        true => subject.text(at + 1).to_owned(),
        false => attached.to_owned(),
    };
    effect(walker, subject, row.kind, row.option, Some(&value));
    match row.kind {
        Executes => {
            doubt(walker, subject, OpaqueKind::Option, row.option)?;
            let code = code_of(subject.base, &value);
            walker.subshell(|inner| inner.read(&code, subject.inner(Origin::Evaluated)))
        }
        Loads if row.option == "-o" && matches!(subject.base, "scp" | "sftp" | "ssh-copy-id") => {
            super::wrappers::ssh_option(walker, subject, &value)
        }
        Loads => doubt(walker, subject, OpaqueKind::Option, row.option),
        Writes | Deletes | Connects | ReadsEnvironment => Ok(()),
    }
}

/// The shell code in the value of an option.
fn code_of(base: &str, value: &str) -> String {
    let stripped = value
        .strip_prefix("exec=")
        .or_else(|| {
            value
                .split_once('!')
                .map(|(_, code)| code)
                .filter(|_| VI.contains(&base))
        })
        .unwrap_or(value);
    stripped.to_owned()
}

/// Operands that do more than name data.
fn operands(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    match subject.base {
        "jq" | "yq" | "gojq" => {
            if subject
                .arguments
                .iter()
                .any(|a| mentions_environment(&a.text))
            {
                effect(walker, subject, ReadsEnvironment, "env", None);
            }
            Ok(())
        }
        "printenv" => {
            effect(walker, subject, ReadsEnvironment, "printenv", None);
            Ok(())
        }
        "export" | "declare" | "typeset" | "set" => {
            let listing = subject
                .arguments
                .iter()
                .all(|a| a.text.starts_with("-p") || a.text == "-x");
            if listing {
                effect(walker, subject, ReadsEnvironment, subject.base, None);
            }
            Ok(())
        }
        "socat" => socat(walker, subject),
        "dd" => {
            for argument in &subject.arguments {
                if let Some(file) = argument.text.strip_prefix("of=") {
                    effect(walker, subject, Writes, "of=", Some(file));
                }
            }
            Ok(())
        }
        "rm" | "rmdir" | "unlink" | "shred" => {
            effect(walker, subject, Deletes, subject.base, None);
            Ok(())
        }
        "tee" | "truncate" | "install" | "cp" | "mv" | "ln" | "touch" | "mkdir" | "mkfifo"
        | "mknod" => {
            effect(walker, subject, Writes, subject.base, None);
            Ok(())
        }
        "less" | "more" | "most" | "man" | "pg" => {
            // From a pager anything can be started by whoever holds the keyboard.
            effect(walker, subject, Executes, "pager", None);
            Ok(())
        }
        base if VI.contains(&base) => {
            effect(walker, subject, Executes, "editor", None);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn mentions_environment(text: &str) -> bool {
    text.contains("$ENV")
        || text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .any(|word| word == "env")
}

/// Addresses of socat that are commands or hosts.
fn socat(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    for argument in &subject.arguments {
        let (kind, value) = argument
            .text
            .split_once(':')
            .unwrap_or((&argument.text, ""));
        match kind.to_ascii_uppercase().as_str() {
            "EXEC" | "SYSTEM" | "SHELL" => {
                effect(walker, subject, Executes, kind, Some(value));
                doubt(walker, subject, OpaqueKind::Option, kind)?;
                walker.read(value, subject.inner(Origin::Evaluated))?;
            }
            _ if !value.is_empty() => effect(walker, subject, Connects, kind, Some(value)),
            _ => {}
        }
    }
    Ok(())
}
