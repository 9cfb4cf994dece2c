//! From words to arguments: quote removal and brace expansion, and how much stays unknown.
//!
//! Runs no expansion that needs the world. What it cannot tell it says in the certainty.

use super::ast::{Operation, Parameter, Piece, Quote, Word};
use super::budget::{Budget, Exhausted, MAX_BRACE_WORDS};
use super::facts::{Argument, Certainty};

/// Steps for each word that braces make, besides those for its characters.
const BRACE_WORD_STEPS: usize = 32;
/// Characters of an unknown part that are shown.
const MAX_SHOWN_NAME_CHARS: usize = 32;

/// What a word became.
#[derive(Debug)]
pub(super) struct Expanded {
    pub(super) arguments: Vec<Argument>,
    /// A brace expansion was not followed.
    pub(super) gave_up: bool,
}

/// The arguments that a word becomes.
pub(super) fn arguments(word: &Word, budget: &mut Budget) -> Result<Expanded, Exhausted> {
    budget.spend(word.pieces.len())?;
    if !may_have_braces(&word.pieces) {
        return Ok(Expanded {
            arguments: vec![value(&word.pieces)],
            gave_up: false,
        });
    }
    let cells = cells_of(&word.pieces);
    let mut braces = Braces {
        budget,
        words: Vec::new(),
        overflow: false,
    };
    braces.expand(cells)?;
    if braces.overflow {
        let mut argument = value(&word.pieces);
        argument.certainty = Certainty::Words;
        argument.known_prefix_bytes = 0;
        return Ok(Expanded {
            arguments: vec![argument],
            gave_up: true,
        });
    }
    let words = braces.words;
    Ok(Expanded {
        arguments: words
            .iter()
            .filter(|cells| !cells.is_empty())
            .map(|cells| from_cells(cells, &word.pieces))
            .collect(),
        gave_up: false,
    })
}

/// The value of pieces as one word: no brace expansion, as in an assignment.
pub(super) fn value(pieces: &[Piece]) -> Argument {
    let mut argument = Argument {
        text: String::new(),
        certainty: Certainty::Literal,
        known_prefix_bytes: 0,
    };
    let mut class = false;
    for piece in pieces {
        if let Piece::Text(text) = piece {
            // A class may have quoted parts: `["a"b]`.
            if class && text.contains(']') {
                raise(&mut argument, Certainty::Glob);
                argument.known_prefix_bytes = 0;
            }
            class |= text.contains('[');
        }
        add_piece(&mut argument, piece);
    }
    finish(argument)
}

fn finish(mut argument: Argument) -> Argument {
    if argument.certainty == Certainty::Literal {
        argument.known_prefix_bytes = argument.text.len();
    }
    argument
}

fn add_piece(argument: &mut Argument, piece: &Piece) {
    match piece {
        Piece::Text(text) => {
            if has_glob(text) {
                raise(argument, Certainty::Glob);
            }
            argument.text.push_str(text);
        }
        Piece::Quoted(text) => argument.text.push_str(text),
        unknown => {
            raise(argument, certainty_of(unknown));
            show(unknown, &mut argument.text);
        }
    }
}

/// The unknown part starts where the text ends now, unless another one came before.
fn raise(argument: &mut Argument, certainty: Certainty) {
    if argument.certainty == Certainty::Literal {
        argument.known_prefix_bytes = argument.text.len();
    }
    argument.certainty = argument.certainty.max(certainty);
}

fn certainty_of(piece: &Piece) -> Certainty {
    match piece {
        Piece::Text(_) | Piece::Quoted(_) => Certainty::Literal,
        Piece::Parameter(parameter) => parameter_certainty(parameter),
        Piece::Command(_, Quote::Plain) => Certainty::Words,
        Piece::Command(_, Quote::Double)
        | Piece::Arithmetic(_)
        | Piece::Process(_)
        | Piece::Odd(..) => Certainty::OneWord,
    }
}

fn parameter_certainty(parameter: &Parameter) -> Certainty {
    let single = parameter.quote == Quote::Double && parameter.name != "@";
    match parameter.operation {
        Operation::Read | Operation::Assign if single && parameter.nested.is_empty() => {
            Certainty::OneWord
        }
        // `"${a[@]}"` and `"${x:-$@}"` are any number of words.
        _ => match single && !parameter.nested.iter().any(mentions_all) {
            true => Certainty::OneWord,
            false => Certainty::Words,
        },
    }
}

fn mentions_all(piece: &Piece) -> bool {
    match piece {
        Piece::Text(text) | Piece::Quoted(text) => text.contains('@'),
        Piece::Parameter(inner) => parameter_certainty(inner) == Certainty::Words,
        Piece::Command(..) | Piece::Arithmetic(_) | Piece::Process(_) | Piece::Odd(..) => false,
    }
}

fn show(piece: &Piece, text: &mut String) {
    match piece {
        Piece::Parameter(parameter) => {
            text.push('$');
            text.extend(parameter.name.chars().take(MAX_SHOWN_NAME_CHARS));
        }
        Piece::Command(..) => text.push_str("$(…)"),
        Piece::Arithmetic(_) => text.push_str("$((…))"),
        Piece::Process(_) => text.push_str("<(…)"),
        Piece::Odd(source, _) | Piece::Text(source) | Piece::Quoted(source) => {
            text.push_str(source);
        }
    }
}

/// Whether unquoted text is a pattern.
fn has_glob(text: &str) -> bool {
    text.contains(['*', '?'])
        || text
            .split_once('[')
            .is_some_and(|(_, rest)| rest.contains(']'))
}

fn may_have_braces(pieces: &[Piece]) -> bool {
    let mut open = false;
    for piece in pieces {
        if let Piece::Text(text) = piece {
            open |= text.contains('{');
            if open && text.contains('}') {
                return pieces.len() > 1 || text.contains([',', '.']);
            }
        }
    }
    false
}

/// One character or one unknown piece of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Unquoted.
    Active(char),
    Quoted(char),
    /// An empty quotation, which keeps a word alive.
    Empty,
    /// The piece of this index.
    Unknown(usize),
}

fn cells_of(pieces: &[Piece]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => cells.extend(text.chars().map(Cell::Active)),
            Piece::Quoted(text) if text.is_empty() => cells.push(Cell::Empty),
            Piece::Quoted(text) => cells.extend(text.chars().map(Cell::Quoted)),
            _ => cells.push(Cell::Unknown(index)),
        }
    }
    cells
}

fn from_cells(cells: &[Cell], pieces: &[Piece]) -> Argument {
    let mut argument = Argument {
        text: String::new(),
        certainty: Certainty::Literal,
        known_prefix_bytes: 0,
    };
    for cell in cells {
        match cell {
            Cell::Active(c) => {
                if matches!(c, '*' | '?' | '[') {
                    raise(&mut argument, Certainty::Glob);
                }
                argument.text.push(*c);
            }
            Cell::Quoted(c) => argument.text.push(*c),
            Cell::Empty => {}
            Cell::Unknown(index) => {
                if let Some(piece) = pieces.get(*index) {
                    add_piece(&mut argument, piece);
                }
            }
        }
    }
    finish(argument)
}

/// One brace expansion under way; a work list instead of recursion.
struct Braces<'b> {
    budget: &'b mut Budget,
    words: Vec<Vec<Cell>>,
    overflow: bool,
}

impl Braces<'_> {
    /// Each item is a word and the place from which braces are still to be looked for.
    fn expand(&mut self, cells: Vec<Cell>) -> Result<(), Exhausted> {
        let mut work = vec![(cells, 0_usize)];
        while let Some((cells, from)) = work.pop() {
            self.budget
                .spend(cells.len().saturating_add(BRACE_WORD_STEPS))?;
            if work.len() + self.words.len() > MAX_BRACE_WORDS {
                self.overflow = true;
                return Ok(());
            }
            let open = cells
                .iter()
                .skip(from)
                .position(|c| *c == Cell::Active('{'));
            let Some(open) = open.map(|ahead| ahead + from) else {
                self.words.push(cells);
                continue;
            };
            match alternatives(&cells, open) {
                Some(found) => {
                    for alternative in found.choices.into_iter().rev() {
                        self.budget.spend(cells.len())?;
                        work.push((replaced(&cells, open, found.end, &alternative), open));
                    }
                }
                None => work.push((cells, open + 1)),
            }
        }
        Ok(())
    }
}

/// What the braces at a place stand for.
struct Alternatives {
    choices: Vec<Vec<Cell>>,
    /// After the closing brace.
    end: usize,
}

fn alternatives(cells: &[Cell], open: usize) -> Option<Alternatives> {
    let mut depth = 0_u32;
    let mut choices = vec![Vec::new()];
    for (index, cell) in cells.iter().enumerate().skip(open + 1) {
        match cell {
            Cell::Active('{') => depth += 1,
            Cell::Active('}') if depth == 0 => {
                return close(choices, index + 1);
            }
            Cell::Active('}') => depth -= 1,
            Cell::Active(',') if depth == 0 => {
                choices.push(Vec::new());
                continue;
            }
            _ => {}
        }
        choices.last_mut()?.push(*cell);
    }
    None
}

fn close(choices: Vec<Vec<Cell>>, end: usize) -> Option<Alternatives> {
    if choices.len() > 1 {
        return Some(Alternatives { choices, end });
    }
    let choices = sequence(choices.first()?)?;
    Some(Alternatives { choices, end })
}

/// `1..5` and `a..e`, with an optional step.
fn sequence(cells: &[Cell]) -> Option<Vec<Vec<Cell>>> {
    let text: Option<String> = cells
        .iter()
        .map(|cell| match cell {
            Cell::Active(c) => Some(*c),
            Cell::Quoted(_) | Cell::Empty | Cell::Unknown(_) => None,
        })
        .collect();
    let text = text?;
    let mut parts = text.split("..");
    let (first, last, step) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let step: i64 = match step {
        Some(step) => step.parse().ok()?,
        None => 1,
    };
    match (first.parse::<i64>(), last.parse::<i64>()) {
        (Ok(from), Ok(to)) => {
            let width = match padded(first) || padded(last) {
                true => first.len().max(last.len()),
                false => 0,
            };
            Some(
                range(from, to, step)?
                    .map(|n| cells_of_text(&format!("{n:0width$}")))
                    .collect(),
            )
        }
        _ => {
            let (from, to) = (letter(first)?, letter(last)?);
            let letters = range(from, to, step)?;
            Some(letters.filter_map(letter_cell).collect())
        }
    }
}

fn padded(number: &str) -> bool {
    let digits = number.trim_start_matches(['-', '+']);
    digits.len() > 1 && digits.starts_with('0')
}

fn letter(text: &str) -> Option<i64> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii_alphabetic() => Some(i64::from(u32::from(c))),
        _ => None,
    }
}

/// Between `Z` and `a` there are characters that act in the shell; they come out active.
fn letter_cell(code: i64) -> Option<Vec<Cell>> {
    let c = char::from_u32(u32::try_from(code).ok()?)?;
    Some(vec![Cell::Active(c)])
}

fn cells_of_text(text: &str) -> Vec<Cell> {
    text.chars().map(Cell::Active).collect()
}

/// One more than the limit is made, so that the limit is seen to be hit.
fn range(from: i64, to: i64, step: i64) -> Option<impl Iterator<Item = i64>> {
    let size = step.checked_abs()?.max(1);
    let signed = if from <= to {
        size
    } else {
        size.checked_neg()?
    };
    let count = to.checked_sub(from)?.checked_div(signed)?;
    let count = usize::try_from(count).ok()?.min(MAX_BRACE_WORDS + 1);
    Some(std::iter::successors(Some(from), move |n| n.checked_add(signed)).take(count + 1))
}

fn replaced(cells: &[Cell], open: usize, end: usize, middle: &[Cell]) -> Vec<Cell> {
    cells
        .iter()
        .take(open)
        .chain(middle)
        .chain(cells.iter().skip(end))
        .copied()
        .collect()
}
