//! Is an answer good enough, and how good?
//!
//! Validators say what is wrong, so that the model can be told; scorers say how good it
//! is, with the part that each has in it. Neither decides about tool calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::parse::{Schema, SchemaError, extract};

/// What is expected of an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerRule {
    /// Its JSON must fit this schema.
    pub schema: Option<Value>,
    /// Characters that it must have.
    pub least_chars: Option<usize>,
    /// Characters that it may have.
    pub most_chars: Option<usize>,
    /// Words that it must have.
    pub must_contain: Vec<String>,
    /// Words that it must not have.
    pub must_not_contain: Vec<String>,
    /// The least score, in thousandths.
    pub least_score_permille: Option<u32>,
    /// What counts how much for the score.
    pub weights: BTreeMap<Scorer, u32>,
}

/// One way to see how good an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scorer {
    /// It is not cut off: it ends with an end of a sentence, a bracket or a fence.
    Finished,
    /// It has something to say: full marks from 40 characters.
    Substance,
    /// It does not say the same line again and again.
    Variety,
    /// It does not refuse.
    Willing,
    /// Nothing is wrong with it.
    Valid,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What is wrong, for the model to read.
    pub faults: Vec<String>,
    /// How good it is, in thousandths; none if nothing counts.
    pub score_permille: Option<u32>,
    /// What each scorer said.
    pub parts: BTreeMap<Scorer, u32>,
}

/// A rule, ready to be used.
#[derive(Debug)]
pub struct Judge {
    rule: AnswerRule,
    schema: Option<Schema>,
}

impl Judge {
    /// Make a rule ready.
    ///
    /// # Errors
    /// When its schema cannot be used.
    pub fn new(rule: AnswerRule) -> Result<Self, SchemaError> {
        let schema = rule.schema.as_ref().map(Schema::new).transpose()?;
        Ok(Self { rule, schema })
    }

    /// Look at an answer.
    #[must_use]
    pub fn judge(&self, text: &str) -> Judgement {
        let mut faults = self.faults(text);
        let parts: BTreeMap<_, _> = self
            .rule
            .weights
            .keys()
            .map(|&scorer| (scorer, score(scorer, text, faults.is_empty())))
            .collect();
        let score_permille = self.total(&parts);
        if let (Some(least), Some(score)) = (self.rule.least_score_permille, score_permille)
            && score < least
        {
            faults.push(format!(
                "its quality is {score} of 1000, and must be {least}"
            ));
        }
        Judgement {
            faults,
            score_permille,
            parts,
        }
    }

    fn total(&self, parts: &BTreeMap<Scorer, u32>) -> Option<u32> {
        let pairs = || {
            self.rule
                .weights
                .iter()
                .filter_map(|(key, weight)| Some((weight, parts.get(key)?)))
        };
        let all: u64 = pairs().map(|(&weight, _)| u64::from(weight)).sum();
        let sum: u64 = pairs()
            .map(|(&weight, &part)| u64::from(weight) * u64::from(part))
            .sum();
        sum.checked_div(all)
            .and_then(|score| u32::try_from(score).ok())
    }

    fn faults(&self, text: &str) -> Vec<String> {
        let rule = &self.rule;
        let chars = text.chars().count();
        let short = rule.least_chars.filter(|&least| chars < least);
        let long = rule.most_chars.filter(|&most| chars > most);
        let lacking = rule
            .must_contain
            .iter()
            .filter(|word| !text.contains(*word));
        let having = rule
            .must_not_contain
            .iter()
            .filter(|word| text.contains(*word));
        let mut faults: Vec<String> = Vec::new();
        faults.extend(short.map(|least| format!("it has {chars} characters and needs {least}")));
        faults
            .extend(long.map(|most| format!("it has {chars} characters, and {most} are allowed")));
        faults.extend(lacking.map(|word| format!("`{word}` is missing")));
        faults.extend(having.map(|word| format!("`{word}` must not be in it")));
        faults.extend(self.schema_faults(text));
        faults
    }

    fn schema_faults(&self, text: &str) -> Vec<String> {
        let Some(schema) = &self.schema else {
            return Vec::new();
        };
        match extract(text) {
            Some(value) => schema.faults(&value),
            None => vec!["it must be JSON".to_owned()],
        }
    }
}

fn score(scorer: Scorer, text: &str, valid: bool) -> u32 {
    let yes = |good: bool| u32::from(good) * 1_000;
    match scorer {
        Scorer::Finished => yes(text
            .trim_end()
            .ends_with(['.', '!', '?', ')', ']', '}', '`', '"', ':'])),
        Scorer::Substance => permille(text.trim().chars().take(40).count(), 40),
        Scorer::Variety => variety(text),
        Scorer::Willing => yes(!refuses(text)),
        Scorer::Valid => yes(valid),
    }
}

fn permille(part: usize, all: usize) -> u32 {
    (part * 1_000)
        .checked_div(all)
        .and_then(|share| u32::try_from(share).ok())
        .unwrap_or(1_000)
}

fn variety(text: &str) -> u32 {
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let distinct: std::collections::BTreeSet<_> = lines.iter().collect();
    permille(distinct.len(), lines.len())
}

/// Only at the beginning: a refusal says so at once.
fn refuses(text: &str) -> bool {
    let start: String = text
        .trim_start()
        .chars()
        .take(60)
        .flat_map(char::to_lowercase)
        .collect();
    [
        "i can't",
        "i cannot",
        "i'm sorry, but",
        "i am unable",
        "as an ai",
    ]
    .iter()
    .any(|phrase| start.starts_with(phrase))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn faults_are_told_so_that_a_model_can_act() {
        let rule = AnswerRule {
            schema: Some(json!({"type": "object", "required": ["sum"]})),
            most_chars: Some(40),
            must_not_contain: vec!["TODO".to_owned()],
            ..AnswerRule::default()
        };
        let judge = Judge::new(rule).unwrap();
        assert!(judge.judge("```json\n{\"sum\": 1}\n```").faults.is_empty());
        let faults = judge.judge("TODO").faults;
        assert_eq!(faults, ["`TODO` must not be in it", "it must be JSON"]);
        assert!(judge.judge("{}").faults[0].contains("sum"));
    }

    #[test]
    fn a_score_says_of_what_it_is_made() {
        let rule = AnswerRule {
            weights: [(Scorer::Finished, 1), (Scorer::Willing, 3)].into(),
            least_score_permille: Some(800),
            ..AnswerRule::default()
        };
        let judge = Judge::new(rule).unwrap();
        let judged = judge.judge("It is 391");
        assert_eq!(judged.score_permille, Some(750));
        assert_eq!(judged.parts[&Scorer::Willing], 1_000);
        assert_eq!(
            judged.faults,
            ["its quality is 750 of 1000, and must be 800"]
        );
        assert_eq!(judge.judge("I can't do that.").score_permille, Some(250));
    }

    #[test]
    fn nothing_counts_by_itself() {
        let judged = Judge::new(AnswerRule::default()).unwrap().judge("");
        assert_eq!(judged, Judgement::default());
    }
}
