//! Tables and colour: colour on a terminal only, and not with `NO_COLOR`.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

/// How a word is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    /// It holds.
    Good,
    /// It does not.
    Bad,
}

/// A word in its tone, for standard output.
pub(crate) fn tone(tone: Tone, word: &str) -> String {
    if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        return word.to_owned();
    }
    let style = match tone {
        Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
        Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())),
    };
    format!("{style}{word}{style:#}")
}

/// Print a line; a reader that went away ends the program quietly, as `head` wants.
/// Any other failure must not look like success.
pub(crate) fn line(text: &str) {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("lazaret: standard output: {error}");
            std::process::exit(i32::from(super::STATUS_FAILED));
        }
    }
}

/// Microseconds since 1970 as UTC.
pub(crate) fn time(micros: u64) -> String {
    let stamp = i64::try_from(micros)
        .ok()
        .and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    stamp.map_or_else(
        || format!("{micros} us"),
        |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    )
}

/// Print rows in columns: figures to the right, words to the left.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let columns: Vec<(usize, bool)> = (0..head.len())
        .map(|column| {
            let width = all().filter_map(|row| row.get(column));
            let width = width.map(|cell| cell.chars().count()).max();
            let mut cells = rows.iter().filter_map(|row| row.get(column));
            (width.unwrap_or(0), cells.all(|cell| is_figure(cell)))
        })
        .collect();
    for row in all() {
        let cells = row.iter().zip(&columns);
        let cells: Vec<String> = cells
            .map(|(cell, &(width, figures))| match figures {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            })
            .collect();
        line(cells.join("  ").trim_end());
    }
}

fn is_figure(cell: &str) -> bool {
    cell.chars().all(|c| c.is_ascii_digit() || c == '/')
}

/// A bar of `count` steps on standard error; nothing without a terminal.
pub(crate) fn bar(count: usize, what: &str) -> ProgressBar {
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::new(count as u64),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
