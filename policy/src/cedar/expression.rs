//! Boolean expressions of Cedar, put together without repeating what is known.
//!
//! Constants fold, so that a condition that says nothing leaves nothing behind. Cannot fail.

use std::fmt;

/// An expression that has a value for every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    True,
    False,
    /// A comparison, as Cedar writes it.
    Test(String),
    Not(Box<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
}

impl Expr {
    pub(super) fn test(text: impl Into<String>) -> Self {
        Self::Test(text.into())
    }

    pub(super) fn negate(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    pub(super) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Self::True => {}
                Self::False => return Self::False,
                Self::All(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        one_or(all, Self::True, Self::All)
    }

    pub(super) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Vec::new();
        for part in parts {
            match part {
                Self::False => {}
                Self::True => return Self::True,
                Self::Any(inner) => any.extend(inner),
                other => any.push(other),
            }
        }
        one_or(any, Self::False, Self::Any)
    }

    pub(super) fn when(condition: Self, then: Self, otherwise: Self) -> Self {
        match (condition, then, otherwise) {
            (Self::True, then, _) => then,
            (Self::False, _, otherwise) => otherwise,
            (condition, Self::True, otherwise) => Self::any([condition, otherwise]),
            (condition, then, Self::False) => Self::all([condition, then]),
            (condition, then, otherwise) => {
                Self::If(Box::new(condition), Box::new(then), Box::new(otherwise))
            }
        }
    }

    /// With each part of the whole on a line of its own.
    pub(super) fn lines(&self) -> String {
        match self {
            Self::All(parts) => joined(parts, " &&\n  "),
            Self::Any(parts) => joined(parts, " ||\n  "),
            other => other.to_string(),
        }
    }
}

fn one_or(mut parts: Vec<Expr>, none: Expr, several: fn(Vec<Expr>) -> Expr) -> Expr {
    match (parts.len(), parts.pop()) {
        (0, _) | (_, None) => none,
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            several(parts)
        }
    }
}

fn joined(parts: &[Expr], between: &str) -> String {
    let parts: Vec<String> = parts.iter().map(part).collect();
    parts.join(between)
}

/// As it stands inside of another.
fn part(expr: &Expr) -> String {
    match expr {
        Expr::True | Expr::False | Expr::Test(_) | Expr::Not(_) => expr.to_string(),
        Expr::All(_) | Expr::Any(_) | Expr::If(..) => format!("({expr})"),
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => f.write_str("true"),
            Self::False => f.write_str("false"),
            Self::Test(text) => f.write_str(text),
            Self::Not(inner) => write!(f, "!({inner})"),
            Self::All(parts) => f.write_str(&joined(parts, " && ")),
            Self::Any(parts) => f.write_str(&joined(parts, " || ")),
            Self::If(condition, then, otherwise) => write!(
                f,
                "if {} then {} else {}",
                part(condition),
                part(then),
                part(otherwise)
            ),
        }
    }
}

/// A text as Cedar writes it, in double quotes.
pub(super) fn literal(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// The same for a pattern of `like`, in which `*` stands for anything: `parts` with that between.
pub(super) fn pattern(parts: &[&str]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| escaped(part).replace('*', "\\*"))
        .collect();
    format!("\"{}\"", parts.join("*"))
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// What a reader of the export would not see, or see elsewhere.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Several texts or numbers, each as Cedar writes it, in brackets.
pub(super) fn set(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}
