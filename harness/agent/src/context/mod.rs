//! What of a long conversation a model is shown.
//!
//! System messages always stay, and so does the last thing that was said. A call and
//! its results stay or go together: providers refuse one without the other. Nothing is
//! changed, only left out, and the same conversation gives the same choice.

mod payload;
mod snippet;

pub use payload::{MemoryPayloads, PayloadError, Payloads};
pub use snippet::{Snippet, rank};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::{Message, Role};

/// Bytes of a token: what English and code come to with common vocabularies.
const BYTES_PER_TOKEN: usize = 4;

/// Tokens that each message costs beside its text.
const MESSAGE_TOKENS: usize = 4;

/// Tokens of a text, estimated from its length.
#[must_use]
pub const fn tokens(text: &str) -> usize {
    text.len().div_ceil(BYTES_PER_TOKEN)
}

/// Tokens of a message, estimated.
#[must_use]
pub fn message_tokens(message: &Message) -> usize {
    let calls: usize = message
        .tool_calls
        .iter()
        .map(|call| tokens(&call.name) + tokens(&call.arguments))
        .sum();
    MESSAGE_TOKENS + tokens(&message.content) + calls
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextRule {
    /// How messages are chosen.
    pub strategy: ContextStrategy,
    /// Tokens that all of them together may have, estimated.
    ///
    /// The default is eight times the 4,000 of plain conversations: one result of a
    /// tool alone may have 2,500.
    pub budget_tokens: usize,
    /// Messages that the sliding window holds.
    pub window: usize,
}

impl Default for ContextRule {
    fn default() -> Self {
        Self {
            strategy: ContextStrategy::default(),
            budget_tokens: 32_000,
            window: 20,
        }
    }
}

/// How messages are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextStrategy {
    /// Those that matter most, by a simple score; among equals the newer.
    #[default]
    Importance,
    /// The newest.
    Recent,
    /// The newest few, whatever their length, as long as they fit.
    SlidingWindow,
    /// The newest; the model shortens those before.
    Summary,
}

/// Which messages stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    keep: Vec<bool>,
    to_summarise: Option<usize>,
}

impl Selection {
    /// The messages that stay. Only pointers are copied.
    #[must_use]
    pub fn kept(&self, messages: &[Arc<Message>]) -> Vec<Arc<Message>> {
        messages
            .iter()
            .zip(&self.keep)
            .filter(|&(_, &keep)| keep)
            .map(|(message, _)| Arc::clone(message))
            .collect()
    }

    /// Numbers of those that do not.
    pub fn dropped(&self) -> impl Iterator<Item = usize> {
        self.keep
            .iter()
            .enumerate()
            .filter(|&(_, &keep)| !keep)
            .map(|(index, _)| index)
    }

    /// How many messages, from the first, the model should shorten before.
    #[must_use]
    pub const fn to_summarise(&self) -> Option<usize> {
        self.to_summarise
    }
}

/// Messages that stay or go together.
struct Unit {
    from: usize,
    until: usize,
    tokens: usize,
    score_permille: u32,
    always: bool,
}

/// Choose.
#[must_use]
pub fn select(rule: &ContextRule, messages: &[Arc<Message>]) -> Selection {
    let total: usize = messages.iter().map(|message| message_tokens(message)).sum();
    let windowed = rule.strategy == ContextStrategy::SlidingWindow && messages.len() > rule.window;
    if total <= rule.budget_tokens && !windowed {
        return Selection {
            keep: vec![true; messages.len()],
            to_summarise: None,
        };
    }
    let units = units(messages);
    let mut left = rule.budget_tokens;
    let mut keep = vec![false; messages.len()];
    for unit in units.iter().filter(|unit| unit.always) {
        left = left.saturating_sub(unit.tokens);
        stay(&mut keep, unit);
    }
    match rule.strategy {
        ContextStrategy::Importance => keep_important(&units, left, &mut keep),
        ContextStrategy::Recent => keep_recent(&units, left, usize::MAX, &mut keep),
        ContextStrategy::SlidingWindow => keep_recent(&units, left, rule.window, &mut keep),
        // Half of it, so that not each message makes a summary necessary.
        ContextStrategy::Summary => keep_recent(&units, left / 2, usize::MAX, &mut keep),
    }
    let to_summarise =
        (rule.strategy == ContextStrategy::Summary).then(|| dropped_prefix(&units, &keep));
    Selection {
        keep,
        to_summarise: to_summarise.flatten(),
    }
}

fn stay(keep: &mut [bool], unit: &Unit) {
    for place in keep.iter_mut().take(unit.until).skip(unit.from) {
        *place = true;
    }
}

/// A call with its results is one unit, everything else is one each.
fn units(messages: &[Arc<Message>]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let score = score_permille(message);
        match units.last_mut() {
            Some(unit) if message.role == Role::Tool => {
                unit.until = index + 1;
                unit.tokens += message_tokens(message);
                unit.score_permille = unit.score_permille.max(score);
            }
            Some(_) | None => units.push(Unit {
                from: index,
                until: index + 1,
                tokens: message_tokens(message),
                score_permille: score,
                always: message.role == Role::System,
            }),
        }
    }
    if let Some(last) = units.last_mut() {
        last.always = true;
    }
    units
}

/// How much a message matters, in thousandths: a system message 1000; any other 500,
/// and more for calls (300), for length (100 above 500 characters) and for a question
/// (100).
#[must_use]
pub fn score_permille(message: &Message) -> u32 {
    if message.role == Role::System {
        return 1_000;
    }
    let calls = u32::from(!message.tool_calls.is_empty()) * 300;
    // Bytes first: a text of few bytes has no more characters.
    let long = message.content.len() > 500 && message.content.chars().count() > 500;
    let question = message.content.trim_end().ends_with('?');
    500 + calls + u32::from(long) * 100 + u32::from(question) * 100
}

fn keep_important(units: &[Unit], mut left: usize, keep: &mut [bool]) {
    let mut order: Vec<&Unit> = units.iter().filter(|unit| !unit.always).collect();
    order.sort_by_key(|unit| std::cmp::Reverse((unit.score_permille, unit.from)));
    for unit in order {
        if unit.tokens <= left {
            left -= unit.tokens;
            stay(keep, unit);
        }
    }
}

/// The newest without a gap.
fn keep_recent(units: &[Unit], mut left: usize, most: usize, keep: &mut [bool]) {
    let mut messages = 0;
    for unit in units.iter().rev() {
        messages += unit.until - unit.from;
        if unit.always {
            continue;
        }
        if unit.tokens > left || messages > most {
            return;
        }
        left -= unit.tokens;
        stay(keep, unit);
    }
}

/// Messages before the first that is kept for being new. None if nothing is lost.
fn dropped_prefix(units: &[Unit], keep: &[bool]) -> Option<usize> {
    let lost = units
        .iter()
        .rev()
        .find(|unit| keep.get(unit.from) == Some(&false))?;
    Some(lost.until)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::message::ProposedCall;
    use proptest::prelude::*;

    fn call() -> ProposedCall {
        ProposedCall {
            id: "1".to_owned(),
            name: "run".to_owned(),
            arguments: "{}".to_owned(),
            fault: None,
        }
    }

    fn message() -> impl Strategy<Value = Vec<Message>> {
        prop_oneof![
            "[a-z ?]{0,80}".prop_map(|text| vec![Message::user(&text)]),
            "[a-z]{0,9}".prop_map(|text| vec![Message::text(Role::System, &text)]),
            ("[a-z]{0,40}", 1_usize..4).prop_map(|(text, results)| {
                let mut all = vec![Message::assistant(&text, vec![call(); results])];
                all.extend((0..results).map(|_| Message::tool(&call(), &text, false)));
                all
            }),
        ]
    }

    fn conversation() -> impl Strategy<Value = Vec<Arc<Message>>> {
        proptest::collection::vec(message(), 1..20)
            .prop_map(|all| all.into_iter().flatten().map(Arc::new).collect())
    }

    const STRATEGIES: [ContextStrategy; 4] = [
        ContextStrategy::Importance,
        ContextStrategy::Recent,
        ContextStrategy::SlidingWindow,
        ContextStrategy::Summary,
    ];

    proptest! {
        #[test]
        fn what_must_stay_stays_and_pairs_are_not_torn(
            messages in conversation(),
            budget_tokens in 0_usize..400,
            window in 1_usize..12,
        ) {
            for strategy in STRATEGIES {
                let selection = select(&ContextRule { strategy, budget_tokens, window }, &messages);
                let keep = &selection.keep;
                prop_assert_eq!(keep.len(), messages.len());
                prop_assert_eq!(keep.last(), Some(&true));
                for (index, message) in messages.iter().enumerate() {
                    prop_assert!(message.role != Role::System || keep[index]);
                    prop_assert!(message.role != Role::Tool || keep[index] == keep[index - 1]);
                }
                if let Some(until) = selection.to_summarise() {
                    prop_assert!(keep[until..].iter().all(|&kept| kept));
                    prop_assert!(until < messages.len());
                }
            }
        }

        #[test]
        fn the_budget_holds_for_all_that_need_not_stay(
            messages in conversation(), budget_tokens in 0_usize..400,
        ) {
            let rule = ContextRule { strategy: ContextStrategy::Importance, budget_tokens, window: 20 };
            let kept = select(&rule, &messages).kept(&messages);
            let all: usize = kept.iter().map(|message| message_tokens(message)).sum();
            let must: usize = units(&messages).iter().filter(|unit| unit.always).map(|unit| unit.tokens).sum();
            prop_assert!(all <= budget_tokens.max(must));
        }
    }

    #[test]
    fn scores_are_those_that_were_asked_for() {
        let score = |message: &Message| score_permille(message);
        assert_eq!(score(&Message::text(Role::System, "x")), 1_000);
        assert_eq!(score(&Message::user("why?")), 600);
        assert_eq!(score(&Message::user(&"x".repeat(501))), 600);
        assert_eq!(score(&Message::user(&"é".repeat(500))), 500);
        assert_eq!(score(&Message::assistant("", vec![call()])), 800);
    }

    #[test]
    fn the_window_keeps_the_newest() {
        let messages: Vec<_> = (0..30)
            .map(|n| Arc::new(Message::user(&n.to_string())))
            .collect();
        let rule = ContextRule {
            strategy: ContextStrategy::SlidingWindow,
            ..ContextRule::default()
        };
        let selection = select(&rule, &messages);
        assert_eq!(
            selection.dropped().collect::<Vec<_>>(),
            (0..10).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_summary_stands_for_the_oldest() {
        let messages: Vec<_> = (0..8)
            .map(|_| Arc::new(Message::user(&"x".repeat(400))))
            .collect();
        let rule = ContextRule {
            strategy: ContextStrategy::Summary,
            budget_tokens: 500,
            window: 20,
        };
        assert_eq!(select(&rule, &messages).to_summarise().unwrap(), 6);
    }
}
