//! How far a run may go. Each limit has a default and the reason for it; a
//! configuration changes any of them. Cannot fail.

use serde::{Deserialize, Serialize};

/// The limits of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Runs inside of runs. Three: an agent, its helper, and that one's helper; deeper
    /// trees hide from whoever pays for them what they do.
    pub nested_runs: u32,
    /// Calls of the model in a run that end in tool calls or an answer. Attempts that
    /// failed are not counted.
    pub iterations: u32,
    /// Tool calls that one message of the model may propose. Those above get an error.
    pub calls_per_turn: usize,
    /// Tools that run at the same time.
    pub calls_at_once: usize,
    /// Time for one tool.
    pub tool_wall_ms: u64,
    /// Characters of a tool's output that the model is shown; beginning and end are kept.
    pub output_chars: usize,
    /// Answers in a row with nothing but calls that cannot be read.
    pub malformed_in_row: u32,
    /// Answers that a validator turned down, of one model, before the next is asked.
    pub rejected_answers: u32,
    /// Messages that may wait to be said. More are dropped by whoever pushes them.
    pub pushed_messages: usize,
    /// How failed calls of the model are tried again.
    pub retry: Retry,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nested_runs: 3,
            iterations: 10,
            calls_per_turn: 10,
            calls_at_once: 5,
            tool_wall_ms: 30_000,
            output_chars: 10_000,
            malformed_in_row: 3,
            rejected_answers: 2,
            pushed_messages: 16,
            retry: Retry::default(),
        }
    }
}

/// How failed calls of the model are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Attempts after the first.
    pub retries: u32,
    /// Wait before the first of them; it doubles, four times at most.
    pub base_ms: u64,
    /// The longest wait. A provider that asks for more is given up.
    pub most_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: 2,
            base_ms: 1_000,
            most_ms: 60_000,
        }
    }
}

/// `text` in at most `most` characters: its beginning and its end, and in between how
/// many characters are missing. Clipping twice is clipping once.
///
/// The note stands in the place of text, so a `most` below the note's own length keeps
/// the beginning only.
#[must_use]
pub fn clip(text: &str, most: usize) -> String {
    /// The note at its longest: 20 digits.
    const NOTE_CHARS: usize = 64;
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let Some(kept) = most.checked_sub(NOTE_CHARS) else {
        return text.chars().take(most).collect();
    };
    let head = kept.div_ceil(2);
    let tail = kept - head;
    let missing = length - kept;
    let first: String = text.chars().take(head).collect();
    let last: String = text.chars().skip(length - tail).collect();
    format!("{first}\n[… {missing} characters left out …]\n{last}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_defaults_are_those_that_were_asked_for() {
        let limits = Limits::default();
        assert_eq!((limits.nested_runs, limits.iterations), (3, 10));
        assert_eq!((limits.calls_per_turn, limits.calls_at_once), (10, 5));
        assert_eq!((limits.tool_wall_ms, limits.output_chars), (30_000, 10_000));
    }

    #[test]
    fn a_clipped_text_begins_and_ends_as_before() {
        let text: String = ('a'..='z').cycle().take(20_000).collect();
        let short = clip(&text, 10_000);
        assert!(short.chars().count() <= 10_000);
        assert!(text.starts_with(&short[..4_900]) && text.ends_with(&short[5_100..]));
        assert!(short.contains("10064 characters left out"));
    }

    proptest! {
        #[test]
        fn clipping_holds_its_bound_and_is_done_once(text in ".{0,400}", most in 0_usize..300) {
            let once = clip(&text, most);
            prop_assert!(once.chars().count() <= most);
            prop_assert_eq!(clip(&once, most), once);
        }
    }
}
