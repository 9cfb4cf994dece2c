//! Texts from elsewhere, of which the most relevant are shown.
//!
//! Relevance is the share of the question's words that a text has, rare words counting
//! more (inverse document frequency); among equals the newer comes first.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens;

/// Characters of a word that are compared; longer ones are data.
const MAX_WORD_CHARS: usize = 40;

/// A text that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Where it is from.
    pub source: String,
    /// The text.
    pub text: String,
    /// A larger number is newer.
    pub age_rank: u64,
}

/// Numbers of the snippets to show for `question`, the most relevant first, as many as
/// have `budget_tokens` together. Those without a word in common are not shown.
#[must_use]
pub fn rank(question: &str, snippets: &[Snippet], budget_tokens: usize) -> Vec<usize> {
    let asked = words(question);
    let sets: Vec<_> = snippets
        .iter()
        .map(|snippet| words(&snippet.text))
        .collect();
    let weights = weights(&asked, &sets);
    let mut order: Vec<(u64, u64, usize)> = snippets
        .iter()
        .zip(&sets)
        .enumerate()
        .map(|(index, (snippet, set))| (relevance(&weights, set), snippet.age_rank, index))
        .filter(|&(relevance, ..)| relevance > 0)
        .collect();
    order.sort_by_key(|&(relevance, age, index)| (std::cmp::Reverse((relevance, age)), index));
    let mut left = budget_tokens;
    order
        .into_iter()
        .map(|(.., index)| index)
        .filter(|&index| {
            let cost = snippets
                .get(index)
                .map_or(usize::MAX, |snippet| tokens(&snippet.text));
            let fits = cost <= left;
            left -= if fits { cost } else { 0 };
            fits
        })
        .collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 1)
        .map(|word| {
            word.chars()
                .take(MAX_WORD_CHARS)
                .flat_map(char::to_lowercase)
                .collect()
        })
        .collect()
}

/// A word that all texts have says nothing; one that one text has says the most.
fn weights<'a>(asked: &'a BTreeSet<String>, sets: &[BTreeSet<String>]) -> BTreeMap<&'a str, u64> {
    let all = sets.len() as u64;
    let weigh = |word: &String| {
        let having = sets.iter().filter(|set| set.contains(word)).count() as u64;
        ((all + 1) * 1_000) / (having + 1)
    };
    asked
        .iter()
        .map(|word| (word.as_str(), weigh(word)))
        .collect()
}

fn relevance(weights: &BTreeMap<&str, u64>, set: &BTreeSet<String>) -> u64 {
    weights
        .iter()
        .filter(|&(word, _)| set.contains(*word))
        .map(|(_, weight)| weight)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(text: &str, age_rank: u64) -> Snippet {
        Snippet {
            source: String::new(),
            text: text.to_owned(),
            age_rank,
        }
    }

    #[test]
    fn rare_words_count_more_and_the_budget_holds() {
        let all = [
            snippet("the build of the parser", 1),
            snippet("the ledger is sealed", 2),
            snippet("the ledger and the parser of the policy", 3),
            snippet("nothing in common", 4),
        ];
        assert_eq!(rank("Why is the ledger sealed?", &all, 1_000), [1, 2, 0]);
        assert_eq!(rank("Why is the ledger sealed?", &all, 6), [1]);
        assert!(rank("", &all, 1_000).is_empty());
    }
}
