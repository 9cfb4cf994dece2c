//! One-liners in other languages. awk and sed are read for what leaves them; the code of the
//! others is handed on as a fact, and is opaque here.

use super::super::facts::{Argument, Certainty, EffectKind, Language, OpaqueKind, Origin};
use super::super::walk::{Walk, Walker};
use super::{Subject, doubt, effect, foreign_code};

/// An interpreter and its options with code in the next argument.
struct Interpreter {
    prefix: &'static str,
    language: Language,
    code: &'static [&'static str],
}

const INTERPRETERS: &[Interpreter] = &[
    interpreter_row("python", Language::Python, &["-c"]),
    interpreter_row("pypy", Language::Python, &["-c"]),
    interpreter_row("ipython", Language::Python, &["-c"]),
    interpreter_row("perl", Language::Perl, &["-e", "-E"]),
    interpreter_row("ruby", Language::Ruby, &["-e"]),
    interpreter_row(
        "nodejs",
        Language::JavaScript,
        &["-e", "-p", "--eval", "--print"],
    ),
    interpreter_row(
        "node",
        Language::JavaScript,
        &["-e", "-p", "--eval", "--print"],
    ),
    interpreter_row("deno", Language::JavaScript, &["eval"]),
    interpreter_row(
        "bun",
        Language::JavaScript,
        &["-e", "--eval", "-p", "--print"],
    ),
    interpreter_row("php", Language::Php, &["-r", "-B", "-R", "-E"]),
    interpreter_row("luajit", Language::Other, &["-e"]),
    interpreter_row("lua", Language::Other, &["-e"]),
    interpreter_row("Rscript", Language::Other, &["-e"]),
    interpreter_row("julia", Language::Other, &["-e", "-E"]),
    interpreter_row("ghc", Language::Other, &["-e"]),
    interpreter_row("elixir", Language::Other, &["-e"]),
    interpreter_row("erl", Language::Other, &["-eval"]),
    interpreter_row("groovy", Language::Other, &["-e"]),
    interpreter_row("scala", Language::Other, &["-e"]),
    interpreter_row("osascript", Language::Other, &["-e"]),
    interpreter_row("tclsh", Language::Other, &[]),
    interpreter_row("guile", Language::Other, &["-c"]),
];

const fn interpreter_row(
    prefix: &'static str,
    language: Language,
    code: &'static [&'static str],
) -> Interpreter {
    Interpreter {
        prefix,
        language,
        code,
    }
}

/// Matches `python3.11` by its beginning.
fn find(base: &str) -> Option<&'static Interpreter> {
    INTERPRETERS.iter().find(|interpreter| {
        base.strip_prefix(interpreter.prefix).is_some_and(|rest| {
            rest.bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b't'))
        })
    })
}

pub(super) fn interpreter(base: &str) -> Option<Language> {
    find(base).map(|interpreter| interpreter.language)
}

/// Records the code; without any it comes from a file or from standard input.
pub(super) fn interpreted(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let Some(interpreter) = find(subject.base) else {
        return Ok(());
    };
    let mut any = false;
    for (at, argument) in subject.arguments.iter().enumerate() {
        if let Some(code) = code_at(interpreter, subject, argument, at) {
            foreign_code(walker, subject, interpreter.language, &code);
            any = true;
        }
    }
    let informative = ["--version", "-V", "-v", "--help", "-h"];
    if !any
        && subject
            .arguments
            .iter()
            .any(|a| informative.contains(&a.text.as_str()))
    {
        return Ok(());
    }
    if any {
        return doubt(walker, subject, OpaqueKind::Code, subject.base);
    }
    match (
        &subject.input,
        subject.arguments.iter().find(|a| !a.text.starts_with('-')),
    ) {
        (_, Some(file)) => {
            effect(
                walker,
                subject,
                EffectKind::Executes,
                &file.text,
                Some(&file.text),
            );
            doubt(walker, subject, OpaqueKind::Script, &file.text)
        }
        (Some(document), None) => {
            let code = Argument::as_certain(document.text.clone(), document.certainty);
            foreign_code(walker, subject, interpreter.language, &code);
            doubt(walker, subject, OpaqueKind::Code, subject.base)
        }
        (None, None) => doubt(walker, subject, OpaqueKind::Stdin, subject.base),
    }
}

/// The code that this argument brings: `-c code`, `-ccode`, `-ne code`, `--eval=code`.
fn code_at(
    interpreter: &Interpreter,
    subject: &Subject<'_>,
    argument: &Argument,
    at: usize,
) -> Option<Argument> {
    let text = argument.text.as_str();
    let next = || subject.arguments.get(at + 1).cloned();
    let part = |code: &str| Argument::as_certain(code.to_owned(), argument.certainty);
    for option in interpreter.code {
        if text == *option {
            return next();
        }
        if let Some(value) = text
            .strip_prefix(option)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(part(value));
        }
        let letter = option.strip_prefix('-').filter(|letter| letter.len() == 1);
        let cluster = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        if let (Some(letter), Some(cluster)) = (letter, cluster)
            && let Some((_, code)) = cluster.split_once(letter)
        {
            return if code.is_empty() {
                next()
            } else {
                Some(part(code))
            };
        }
    }
    None
}

/// The program text of awk, or its file.
pub(super) fn awk(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let mut at = 0;
    while let Some(argument) = subject.arguments.get(at) {
        let text = argument.text.as_str();
        match text {
            "-f" | "--file" | "-i" | "--include" | "-l" | "--load" | "-E" | "--exec" => {
                return awk_file(walker, subject, text, subject.text(at + 1));
            }
            "-e" | "--source" => {
                if let Some(code) = subject.arguments.get(at + 1) {
                    awk_code(walker, subject, code)?;
                }
                at += 2;
            }
            "-v" | "-F" | "--assign" | "--field-separator" => at += 2,
            "--" => {
                at += 1;
                break;
            }
            _ if text.starts_with("-f") || text.starts_with("-i") || text.starts_with("-l") => {
                return awk_file(walker, subject, text, text);
            }
            _ if text.starts_with("--") && !known_awk_option(text) => {
                doubt(walker, subject, OpaqueKind::Option, text)?;
                at += 1;
            }
            _ if text.starts_with('-') && text.len() > 1 => at += 1,
            _ => break,
        }
    }
    match subject.arguments.get(at) {
        Some(code) => awk_code(walker, subject, code),
        None => Ok(()),
    }
}

fn known_awk_option(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or(text);
    matches!(
        name,
        "--posix"
            | "--re-interval"
            | "--field-separator"
            | "--assign"
            | "--traditional"
            | "--characters-as-bytes"
            | "--sandbox"
            | "--version"
            | "--csv"
    )
}

fn awk_file(walker: &mut Walker<'_>, subject: &Subject<'_>, option: &str, file: &str) -> Walk {
    effect(walker, subject, EffectKind::Loads, option, Some(file));
    doubt(walker, subject, OpaqueKind::Script, file)
}

/// Looks for what leaves an awk program: commands, pipes, files, libraries. Strings are found by
/// their quotes; a regular expression with a quote in it makes the reading opaque, not shorter.
fn awk_code(walker: &mut Walker<'_>, subject: &Subject<'_>, code: &Argument) -> Walk {
    foreign_code(walker, subject, Language::Awk, code);
    let text = code.text.as_str();
    if code.certainty > Certainty::Glob {
        doubt(walker, subject, OpaqueKind::Code, text)?;
    }
    if text.contains("ENVIRON") {
        effect(
            walker,
            subject,
            EffectKind::ReadsEnvironment,
            "ENVIRON",
            None,
        );
    }
    let strings = awk_strings(text);
    for literal in &strings.commands {
        effect(walker, subject, EffectKind::Executes, "awk", Some(literal));
        walker.read(literal, subject.inner(Origin::Code))?;
    }
    for file in &strings.files {
        effect(walker, subject, EffectKind::Writes, "awk", Some(file));
    }
    if strings.unclear {
        effect(walker, subject, EffectKind::Executes, "awk", None);
        doubt(walker, subject, OpaqueKind::Code, text)?;
    }
    Ok(())
}

/// What an awk program reaches.
#[derive(Default)]
struct Reach {
    commands: Vec<String>,
    files: Vec<String>,
    /// Something leaves the program, or may, whose name is not a plain string.
    unclear: bool,
}

fn awk_strings(text: &str) -> Reach {
    let mut reach = Reach::default();
    let outside = awk_tokens(text, &mut reach);
    let bare = outside.as_str();
    let calls = count(bare, "system") + count(bare, "getline") + pipes(bare);
    // `|&` is a pipe in both directions, `@` an indirect call or a library.
    reach.unclear |= calls > reach.commands.len() || bare.contains("|&") || bare.contains('@');
    reach.unclear |= writes(bare) > reach.files.len();
    reach
}

fn count(text: &str, word: &str) -> usize {
    text.matches(word).count()
}

/// `|` that is not part of `||`.
fn pipes(text: &str) -> usize {
    text.replace("||", "").matches('|').count()
}

/// `>` after a `print`: perhaps a comparison, but the difference is not worth a parser.
fn writes(text: &str) -> usize {
    let prints = text.split("print").skip(1);
    prints
        .map(|after| {
            let statement = after.split([';', '}', '\n']).next().unwrap_or("");
            let mut depth = 0_i32;
            let mut found = 0;
            for c in statement.chars() {
                match c {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    '>' if depth <= 0 => found += 1,
                    _ => {}
                }
            }
            usize::from(found > 0)
        })
        .sum()
}

/// The program without its strings, each replaced by `""`; strings that are commands or files
/// are put aside.
fn awk_tokens(text: &str, reach: &mut Reach) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '"' {
            bare.push(c);
            continue;
        }
        let Some(string) = awk_string(&mut chars) else {
            reach.unclear = true;
            break;
        };
        classify(&bare, chars.as_str(), string, reach);
        bare.push_str("\"\"");
    }
    bare
}

fn classify(before: &str, after: &str, string: String, reach: &mut Reach) {
    let before = before.trim_end();
    let after = after.trim_start();
    let alone = after.is_empty() || after.starts_with([')', ';', '}', '\n']);
    let call = before
        .strip_suffix('(')
        .map(str::trim_end)
        .unwrap_or(before);
    let called = call.ends_with("system") && after.starts_with(')');
    let piped = before.ends_with('|') && !before.ends_with("||") && alone;
    if called || piped {
        reach.commands.push(string);
    } else if after.starts_with('|') && !after.starts_with("||") {
        let getline = after
            .trim_start_matches(['|', '&', ' '])
            .starts_with("getline");
        // `"cmd" | getline` is a pipe and a `getline`.
        if getline {
            reach.commands.push(string.clone());
            reach.commands.push(string);
        } else {
            reach.unclear = true;
        }
    } else if before.ends_with('>') && alone {
        reach.files.push(string);
    }
}

fn awk_string(chars: &mut std::str::Chars<'_>) -> Option<String> {
    let mut string = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(string),
            '\\' => match chars.next()? {
                'n' => string.push('\n'),
                't' => string.push('\t'),
                other @ ('"' | '\\' | '/') => string.push(other),
                other => {
                    string.push('\\');
                    string.push(other);
                }
            },
            '\n' => return None,
            plain => string.push(plain),
        }
    }
}

/// The scripts and options of sed.
pub(super) fn sed(walker: &mut Walker<'_>, subject: &Subject<'_>) -> Walk {
    let mut scripts = Vec::new();
    let mut script_given = false;
    let mut at = 0;
    let mut operands = Vec::new();
    while let Some(argument) = subject.arguments.get(at) {
        let text = argument.text.as_str();
        at += 1;
        match sed_option(text) {
            SedOption::Operand => operands.push(argument.clone()),
            SedOption::Plain => {}
            SedOption::Script(attached) => {
                script_given = true;
                scripts.extend(attached.or_else(|| subject.arguments.get(at).cloned()));
                at += usize::from(matches!(sed_option(text), SedOption::Script(None)));
            }
            SedOption::File => {
                effect(
                    walker,
                    subject,
                    EffectKind::Loads,
                    text,
                    Some(subject.text(at)),
                );
                return doubt(walker, subject, OpaqueKind::Script, text);
            }
            SedOption::InPlace => effect(walker, subject, EffectKind::Writes, text, None),
            SedOption::Value => at += 1,
        }
    }
    if !script_given {
        scripts.extend(operands.first().cloned());
    }
    scripts
        .iter()
        .try_for_each(|script| sed_script(walker, subject, script))
}

/// What an argument of sed is.
enum SedOption {
    Operand,
    Plain,
    /// A script, attached or in the next argument.
    Script(Option<Argument>),
    File,
    InPlace,
    /// An option with a value in the next argument.
    Value,
}

fn sed_option(text: &str) -> SedOption {
    if let Some(long) = text.strip_prefix("--") {
        return sed_long(long);
    }
    let Some(cluster) = text.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
        return SedOption::Operand;
    };
    for (at, letter) in cluster.char_indices() {
        let attached = cluster.get(at + 1..).filter(|rest| !rest.is_empty());
        match letter {
            'e' => return SedOption::Script(attached.map(code_argument)),
            'f' => return SedOption::File,
            'i' | 'I' => return SedOption::InPlace,
            'l' if attached.is_none() => return SedOption::Value,
            _ => {}
        }
    }
    SedOption::Plain
}

fn sed_long(long: &str) -> SedOption {
    let (name, value) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (long, None),
    };
    if !name.is_empty() && "expression".starts_with(name) {
        return SedOption::Script(value.map(code_argument));
    }
    if name.len() > 1 && "file".starts_with(name) {
        return SedOption::File;
    }
    if !name.is_empty() && "in-place".starts_with(name) {
        return SedOption::InPlace;
    }
    SedOption::Plain
}

fn code_argument(text: &str) -> Argument {
    Argument {
        text: text.to_owned(),
        certainty: Certainty::Literal,
        known_prefix_bytes: text.len(),
    }
}

fn sed_script(walker: &mut Walker<'_>, subject: &Subject<'_>, script: &Argument) -> Walk {
    foreign_code(walker, subject, Language::Sed, script);
    let text = script.text.as_str();
    if script.certainty > Certainty::Glob {
        doubt(walker, subject, OpaqueKind::Code, text)?;
    }
    for command in sed_reach(text) {
        match command {
            SedReach::Execute(code) => {
                effect(walker, subject, EffectKind::Executes, "sed e", Some(&code));
                doubt(walker, subject, OpaqueKind::Code, text)?;
                walker.read(&code, subject.inner(Origin::Code))?;
            }
            SedReach::Write(file) => {
                effect(walker, subject, EffectKind::Writes, "sed w", Some(&file))
            }
            SedReach::Read(file) => {
                effect(walker, subject, EffectKind::Loads, "sed r", Some(&file))
            }
            SedReach::Unclear => doubt(walker, subject, OpaqueKind::Code, text)?,
        }
    }
    Ok(())
}

/// What leaves a sed script.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SedReach {
    Execute(String),
    Write(String),
    Read(String),
    /// The script was not understood.
    Unclear,
}

/// Reads a sed script command by command.
fn sed_reach(text: &str) -> Vec<SedReach> {
    let mut reader = SedReader {
        rest: text,
        found: Vec::new(),
    };
    while !reader.rest.is_empty() {
        if reader.command().is_none() {
            reader.found.push(SedReach::Unclear);
            break;
        }
    }
    reader.found
}

struct SedReader<'t> {
    rest: &'t str,
    found: Vec<SedReach>,
}

impl<'t> SedReader<'t> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    fn skip(&mut self, wanted: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(wanted);
    }

    /// The rest of the line.
    fn line(&mut self) -> &'t str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        line.trim_start()
    }

    /// One command with its addresses; none if it is not understood.
    fn command(&mut self) -> Option<()> {
        self.skip(|c| c.is_whitespace() || matches!(c, ';' | '{' | '}'));
        self.addresses()?;
        self.skip(|c| c.is_whitespace() || c == '!');
        let Some(command) = self.next() else {
            return Some(());
        };
        match command {
            '#' | ':' => {
                self.line();
                Some(())
            }
            's' => self.substitute(),
            'y' => {
                let delimiter = self.next()?;
                self.replacement(delimiter)?;
                self.replacement(delimiter)
            }
            'e' => {
                let code = self.line().to_owned();
                self.found.push(SedReach::Execute(code));
                Some(())
            }
            'w' | 'W' => {
                let file = self.line().to_owned();
                self.found.push(SedReach::Write(file));
                Some(())
            }
            'r' | 'R' => {
                let file = self.line().to_owned();
                self.found.push(SedReach::Read(file));
                Some(())
            }
            'a' | 'i' | 'c' => self.inserted(),
            '{' | '}' | ';' | '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P'
            | 'x' | 'z' | 'F' => Some(()),
            'b' | 't' | 'T' | 'v' => {
                self.skip(|c| !matches!(c, ';' | '\n' | '}'));
                Some(())
            }
            'l' | 'L' | 'q' | 'Q' => {
                self.skip(|c| c == ' ' || c.is_ascii_digit());
                Some(())
            }
            _ => None,
        }
    }

    /// Text lines; a back-slash at the end of a line goes on.
    fn inserted(&mut self) -> Option<()> {
        loop {
            let line = self.line();
            if !line.ends_with('\\') || self.rest.is_empty() {
                return Some(());
            }
        }
    }

    fn addresses(&mut self) -> Option<()> {
        loop {
            self.skip(|c| c == ' ' || c == '\t');
            match self.rest.chars().next() {
                Some('/') => {
                    self.next();
                    self.part('/')?;
                    self.skip(|c| matches!(c, 'I' | 'M'));
                }
                Some('\\') => {
                    self.next();
                    let delimiter = self.next()?;
                    self.part(delimiter)?;
                    self.skip(|c| matches!(c, 'I' | 'M'));
                }
                Some(c) if c.is_ascii_digit() || matches!(c, '$' | ',' | '~' | '+') => {
                    self.next();
                }
                _ => return Some(()),
            }
        }
    }

    /// Up to the delimiter, over escaped ones and over those in brackets, as GNU sed reads it.
    fn part(&mut self, delimiter: char) -> Option<()> {
        loop {
            match self.next()? {
                '\\' => {
                    self.next()?;
                }
                c if c == delimiter => return Some(()),
                '[' => self.class()?,
                _ => {}
            }
        }
    }

    /// After `[`: up to the `]` that ends the class.
    fn class(&mut self) -> Option<()> {
        let inside = self.rest.strip_prefix('^').unwrap_or(self.rest);
        // A bracket that comes first stands for itself.
        self.rest = inside.strip_prefix(']').unwrap_or(inside);
        loop {
            match self.next()? {
                ']' => return Some(()),
                '[' => {
                    if let Some(kind) = self.rest.chars().next().filter(|c| ":.=".contains(*c)) {
                        let (_, rest) = self.rest.split_once(&format!("{kind}]"))?;
                        self.rest = rest;
                    }
                }
                '\n' => return None,
                _ => {}
            }
        }
    }

    /// `s/…/…/flags`
    fn substitute(&mut self) -> Option<()> {
        let delimiter = self.next()?;
        if delimiter == '\\' || delimiter == '\n' {
            return None;
        }
        self.part(delimiter)?;
        self.replacement(delimiter)?;
        loop {
            match self.rest.chars().next() {
                Some('e') => {
                    self.next();
                    self.found.push(SedReach::Execute(String::new()));
                }
                Some('w') => {
                    self.next();
                    let file = self.line().to_owned();
                    self.found.push(SedReach::Write(file));
                    return Some(());
                }
                Some('g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') => {
                    self.next();
                }
                _ => return self.end(),
            }
        }
    }

    /// The replacement knows no classes.
    fn replacement(&mut self, delimiter: char) -> Option<()> {
        loop {
            match self.next()? {
                '\\' => {
                    self.next()?;
                }
                c if c == delimiter => return Some(()),
                _ => {}
            }
        }
    }

    fn end(&mut self) -> Option<()> {
        self.skip(|c| c == ' ' || c == '\t');
        match self.rest.chars().next() {
            None | Some(';' | '\n' | '}' | '#') => Some(()),
            Some(_) => None,
        }
    }
}
