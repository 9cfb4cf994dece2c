//! Programs whose operand is another program: `sudo`, `env`, `xargs`, `timeout`, `ssh` and the like.
//!
//! Each has a table row of its options, because whether `-x` takes a value decides which word is
//! the program. An option that is not in the row makes the command opaque.

mod table;

use self::table::{ENV, Inner, PARALLEL, WRAPPERS, Wrapper, XARGS};
use super::super::cursor::is_name;
use super::super::facts::{Argument, Certainty, EffectKind, OpaqueKind, Origin};
use super::super::walk::{Walk, Walker};
use super::{Subject, doubt, effect, joined, shell_code};

/// Follows a wrapper, if the command is one.
pub(super) fn inspect(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    match subject.base {
        "env" => env(walker, subject),
        "xargs" => xargs(walker, subject),
        "parallel" => parallel(walker, subject),
        "su" | "runuser" | "script" | "flock" => by_option(walker, subject),
        "docker" | "podman" | "nerdctl" | "kubectl" | "oc" => container(walker, subject),
        "npx" | "bunx" | "pnpx" | "uvx" | "pipx" => package_runner(walker, subject),
        "tmux" | "screen" | "expect" | "crontab" | "gdb" | "make" | "ed" | "ex" => {
            doubt_unless_bare(walker, subject)
        }
        base => match WRAPPERS
            .iter()
            .find(|wrapper| wrapper.names.contains(&base))
        {
            Some(wrapper) => wrapped(walker, subject, wrapper),
            None => Ok(()),
        },
    }
}

/// Where the program starts, and which options came before.
struct Start {
    at: usize,
    options: Vec<(String, Option<Argument>)>,
}

/// Reads the options of a wrapper.
fn start(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    wrapper: &Wrapper,
) -> Result<Start, super::super::walk::Stopped> {
    let mut options = Vec::new();
    let mut at = 0;
    while let Some(argument) = subject.arguments.get(at) {
        let text = argument.text.as_str();
        if !text.starts_with('-') || text == "-" {
            break;
        }
        at += 1;
        if text == "--" {
            break;
        }
        if !argument.is_literal() && argument.certainty == Certainty::Words {
            doubt(walker, subject, OpaqueKind::Wrapper, text)?;
        }
        let next = subject.arguments.get(at);
        let read = match text.starts_with("--") {
            true => long(wrapper, text, next),
            false => cluster(wrapper, text, next),
        };
        if read.unknown {
            doubt(walker, subject, OpaqueKind::Wrapper, text)?;
        }
        at += read.taken;
        options.extend(read.options);
    }
    Ok(Start { at, options })
}

/// What one argument of options says.
#[derive(Default)]
struct Options {
    options: Vec<(String, Option<Argument>)>,
    /// Further arguments that are values.
    taken: usize,
    unknown: bool,
}

fn long(wrapper: &Wrapper, text: &str, next: Option<&Argument>) -> Options {
    if let Some((name, value)) = text.split_once('=') {
        return Options {
            options: vec![(name.to_owned(), Some(literal(value)))],
            ..Options::default()
        };
    }
    let mut candidates = wrapper
        .long_values
        .iter()
        .filter(|option| option.starts_with(text));
    match candidates.next() {
        Some(name) => Options {
            options: vec![((*name).to_owned(), next.cloned())],
            taken: 1,
            // An abbreviation may mean an option without a value that is not in the table.
            unknown: *name != text,
        },
        None => Options {
            options: vec![(text.to_owned(), None)],
            ..Options::default()
        },
    }
}

fn cluster(wrapper: &Wrapper, text: &str, next: Option<&Argument>) -> Options {
    let mut read = Options::default();
    let mut letters = text.chars();
    letters.next();
    // `nice -10`, `chrt -1`
    if text.len() > 1 && letters.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        return read;
    }
    while let Some(letter) = letters.next() {
        let name = format!("-{letter}");
        if wrapper.values.contains(letter) {
            let attached = letters.as_str();
            let value = match attached.is_empty() {
                true => {
                    read.taken = 1;
                    next.cloned()
                }
                false => Some(literal(attached)),
            };
            read.options.push((name, value));
            return read;
        }
        read.unknown |= !wrapper.flags.contains(letter);
        read.options.push((name, None));
        // `xargs -i{}`: an optional value is always attached.
        if wrapper.names == XARGS.names && "eil".contains(letter) {
            return read;
        }
    }
    read
}

fn literal(text: &str) -> Argument {
    Argument {
        text: text.to_owned(),
        certainty: Certainty::Literal,
        known_prefix_bytes: text.len(),
    }
}

fn wrapped(walker: &mut Walker<'_>, subject: &Subject<'_>, wrapper: &Wrapper) -> Walk {
    let start = start(walker, subject, wrapper)?;
    option_effects(walker, subject, &start)?;
    let mut at = start.at;
    let skipped = subject.arguments.iter().skip(at).take(wrapper.operands);
    for operand in skipped {
        at += 1;
        if operand.certainty == Certainty::Words {
            doubt(walker, subject, OpaqueKind::Wrapper, &operand.text)?;
        }
        if wrapper.inner == Inner::Remote {
            effect(
                walker,
                subject,
                EffectKind::Connects,
                "host",
                Some(&operand.text),
            );
        }
    }
    // `command -v x` and `sudo -l` look and do not run; reading more is no harm.
    run_inner(walker, subject, wrapper.inner, at)
}

fn run_inner(walker: &mut Walker<'_>, subject: &Subject<'_>, inner: Inner, at: usize) -> Walk {
    let rest = subject.rest(at);
    if rest.is_empty() {
        return match (inner, subject.input.is_some()) {
            (Inner::Remote | Inner::ShellWords, _) => {
                doubt(walker, subject, OpaqueKind::Stdin, subject.base)
            }
            _ => Ok(()),
        };
    }
    match inner {
        Inner::Program => program(walker, subject, rest, Origin::Wrapper),
        Inner::Contained => program(walker, subject, rest, Origin::Remote),
        Inner::AfterAssignments => after_assignments(walker, subject, rest),
        Inner::ShellWords => shell_code(walker, subject, &joined(&rest), Origin::Evaluated),
        Inner::Remote => shell_code(walker, subject, &joined(&rest), Origin::Remote),
    }
}

fn program(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    words: Vec<Argument>,
    origin: Origin,
) -> Walk {
    let input = subject.input.clone();
    let context = subject.inner(origin);
    // `command cd x` and `builtin cd x` move this very shell.
    if matches!(subject.base, "command" | "builtin" | "exec") {
        return walker.command(words, input, context);
    }
    walker.subshell(|inner| inner.command(words, input, context))
}

fn after_assignments(walker: &mut Walker<'_>, subject: &Subject<'_>, words: Vec<Argument>) -> Walk {
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next_if(|word| word.text.contains('=')) {
        let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
        let value = Argument::as_certain(value.to_owned(), word.certainty);
        if !is_name(name) {
            doubt(walker, subject, OpaqueKind::Environment, name)?;
        }
        let context = subject.context.under(subject.index);
        walker.assign(name, Some(value), context)?;
    }
    program(walker, subject, words.collect(), Origin::Wrapper)
}

/// Options of wrappers that do more than choose.
fn option_effects(walker: &mut Walker<'_>, subject: &Subject<'_>, start: &Start) -> Walk {
    for (name, value) in &start.options {
        let value = value.as_ref().map_or("", |value| value.text.as_str());
        match (subject.base, name.as_str()) {
            ("ssh" | "slogin", "-o") => ssh_option(walker, subject, value)?,
            ("ssh" | "slogin", "-F" | "-I" | "-S" | "-E") | ("at", "-f") => {
                effect(walker, subject, EffectKind::Loads, name, Some(value));
                doubt(walker, subject, OpaqueKind::Option, name)?;
            }
            ("time" | "gtime" | "strace" | "ltrace", "-o" | "--output") => {
                effect(walker, subject, EffectKind::Writes, name, Some(value));
            }
            (
                "sudo",
                "-D" | "--chdir" | "-R" | "--chroot" | "-i" | "-s" | "-e" | "--edit" | "--login"
                | "--shell",
            ) => {
                doubt(walker, subject, OpaqueKind::Option, name)?;
            }
            (
                "hyperfine",
                "-p" | "-S" | "--prepare" | "--setup" | "--cleanup" | "--shell" | "-c",
            ) => {
                walker.read(value, subject.inner(Origin::Evaluated))?;
            }
            ("systemd-run", "-p" | "--property" | "-E" | "--setenv") => {
                doubt(walker, subject, OpaqueKind::Option, name)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// `-o ProxyCommand=…` and its like run commands here, not there.
pub(super) fn ssh_option(walker: &mut Walker<'_>, subject: &Subject<'_>, option: &str) -> Walk {
    let (key, value) = option.split_once(['=', ' ']).unwrap_or((option, ""));
    match key.trim().to_ascii_lowercase().as_str() {
        "proxycommand" | "localcommand" | "knownhostscommand" | "remotecommand" | "match" => {
            effect(walker, subject, EffectKind::Executes, key, Some(value));
            doubt(walker, subject, OpaqueKind::Option, key)?;
            walker.read(value.trim(), subject.inner(Origin::Evaluated))
        }
        "include"
        | "pkcs11provider"
        | "securitykeyprovider"
        | "xauthlocation"
        | "permitlocalcommand"
        | "proxyusefdpass"
        | "sendenv"
        | "setenv"
        | "proxyjump" => {
            effect(walker, subject, EffectKind::Loads, key, Some(value));
            doubt(walker, subject, OpaqueKind::Option, key)
        }
        _ => Ok(()),
    }
}

/// `env`: assignments, `-S` with a whole line, and without a program the environment itself.
fn env(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let start = start(walker, subject, &ENV)?;
    let mut rest = subject.rest(start.at);
    for (name, value) in &start.options {
        if matches!(name.as_str(), "-S" | "--split-string") {
            let line = value.as_ref().map_or("", |value| value.text.as_str());
            if line.contains(['\\', '$', '"', '\'']) {
                doubt(walker, subject, OpaqueKind::Wrapper, line)?;
            }
            let mut words: Vec<Argument> = line.split_ascii_whitespace().map(literal).collect();
            words.append(&mut rest);
            rest = words;
        }
        if matches!(name.as_str(), "-C" | "--chdir") {
            doubt(walker, subject, OpaqueKind::Wrapper, name)?;
        }
    }
    if rest.iter().all(|word| word.text.contains('=')) {
        effect(walker, subject, EffectKind::ReadsEnvironment, "env", None);
    }
    // After `-S` more options of `env` itself may follow.
    if rest
        .first()
        .is_some_and(|word| word.text.starts_with('-') && word.text.len() > 1)
    {
        doubt(walker, subject, OpaqueKind::Wrapper, "env options in -S")?;
    }
    after_assignments(walker, subject, rest)
}

/// The program gets arguments from standard input.
fn xargs(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let start = start(walker, subject, &XARGS)?;
    let mut words = subject.rest(start.at);
    if words.is_empty() {
        words.push(literal("echo"));
    }
    let marker = start
        .options
        .iter()
        .find_map(|(name, value)| match name.as_str() {
            "-I" => value.as_ref().map(|value| value.text.clone()),
            "-i" | "--replace" => Some(value.as_ref().map_or("{}".to_owned(), |v| v.text.clone())),
            _ => None,
        });
    fill_in(walker, subject, &mut words, marker.as_deref())?;
    program(walker, subject, words, Origin::Wrapper)
}

/// Puts the unknown input where the marker stands, or at the end.
fn fill_in(
    walker: &mut Walker<'_>,
    subject: &Subject<'_>,
    words: &mut Vec<Argument>,
    marker: Option<&str>,
) -> Walk {
    let Some(marker) = marker.filter(|marker| !marker.is_empty()) else {
        words.push(Argument {
            text: "…".to_owned(),
            certainty: Certainty::Input,
            known_prefix_bytes: 0,
        });
        return Ok(());
    };
    for (at, word) in words.iter_mut().enumerate() {
        let Some(found) = word.text.find(marker) else {
            continue;
        };
        word.certainty = word.certainty.max(Certainty::Input);
        word.known_prefix_bytes = word.known_prefix_bytes.min(found);
        if at == 0 || word.text.contains(char::is_whitespace) {
            doubt(walker, subject, OpaqueKind::Injected, &word.text)?;
        }
    }
    Ok(())
}

/// `parallel` gives its words to a shell, with lines of input in them.
fn parallel(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let start = start(walker, subject, &PARALLEL)?;
    let code: Vec<Argument> = subject
        .rest(start.at)
        .into_iter()
        .take_while(|word| !word.text.starts_with(":::"))
        .collect();
    doubt(walker, subject, OpaqueKind::Injected, "parallel")?;
    shell_code(walker, subject, &joined(&code), Origin::Evaluated)
}

/// `su -c code`, `runuser -u user -- program`, `script -c code`, `flock file program`.
fn by_option(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    for (at, argument) in subject.arguments.iter().enumerate() {
        let text = argument.text.as_str();
        let attached = text
            .strip_prefix("--command=")
            .or_else(|| text.strip_prefix("-c").filter(|rest| !rest.is_empty()));
        let code = match (attached, text) {
            (Some(code), _) => Some(literal(code)),
            (None, "-c" | "--command" | "--session-command" | "-qc" | "-lc" | "-qec") => {
                subject.arguments.get(at + 1).cloned()
            }
            _ => None,
        };
        if let Some(code) = code {
            return shell_code(walker, subject, &code, Origin::Evaluated);
        }
    }
    let separated = subject.arguments.iter().position(|a| a.text == "--");
    match (separated, subject.base) {
        (Some(at), _) => program(walker, subject, subject.rest(at + 1), Origin::Wrapper),
        (None, "flock") => {
            let operand = subject
                .arguments
                .iter()
                .position(|a| !a.text.starts_with('-'));
            doubt(walker, subject, OpaqueKind::Wrapper, "flock")?;
            let at = operand.map_or(usize::MAX, |at| at.saturating_add(1));
            program(walker, subject, subject.rest(at), Origin::Wrapper)
        }
        (None, _) => doubt(walker, subject, OpaqueKind::Stdin, subject.base),
    }
}

/// `docker run image program …`, `docker exec container program …`, `kubectl exec pod -- …`.
fn container(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let Some(verb) = subject
        .arguments
        .iter()
        .position(|a| matches!(a.text.as_str(), "run" | "exec" | "debug" | "create"))
    else {
        return Ok(());
    };
    let separator = subject
        .arguments
        .iter()
        .skip(verb)
        .position(|a| a.text == "--");
    if let Some(ahead) = separator {
        return run_inner(walker, subject, Inner::Contained, verb + ahead + 1);
    }
    // Options with values are many; what is the image and what the program stays a guess.
    doubt(walker, subject, OpaqueKind::Wrapper, subject.base)?;
    let operands: Vec<usize> = subject
        .arguments
        .iter()
        .enumerate()
        .skip(verb + 1)
        .filter(|(_, argument)| !argument.text.starts_with('-'))
        .map(|(at, _)| at)
        .collect();
    match operands.get(1) {
        Some(at) => run_inner(walker, subject, Inner::Contained, *at),
        None => Ok(()),
    }
}

/// Downloads and runs a package.
fn package_runner(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let about = joined(&subject.arguments).text;
    effect(
        walker,
        subject,
        EffectKind::Executes,
        subject.base,
        Some(&about),
    );
    doubt(walker, subject, OpaqueKind::Script, &about)
}

/// Programs that take commands in too many ways to follow.
fn doubt_unless_bare(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let about = joined(&subject.arguments).text;
    if matches!(about.as_str(), "--version" | "--help" | "-V" | "-l" | "ls") {
        return Ok(());
    }
    effect(walker, subject, EffectKind::Executes, subject.base, None);
    doubt(walker, subject, OpaqueKind::Script, subject.base)?;
    match &subject.input {
        Some(document) if matches!(subject.base, "crontab" | "ed" | "ex") => {
            doubt(walker, subject, OpaqueKind::Stdin, &document.text)
        }
        _ => Ok(()),
    }
}
