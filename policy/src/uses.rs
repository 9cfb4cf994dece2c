//! Which facts a rule asks about: for tools that must know what they cannot answer.
//!
//! Names only; nothing is judged. Cannot fail.

use std::collections::BTreeSet;

use crate::rule::Rule;
use crate::when::{Operand, Test, When};

impl Rule {
    /// The names of the facts that the rule asks about, in `match`, `unless` and `when`.
    #[must_use]
    pub fn facts(&self) -> BTreeSet<String> {
        let clauses = self.matches.iter().chain(&self.unless);
        let mut facts: BTreeSet<String> = clauses.map(|clause| clause.fact.to_string()).collect();
        let tests = self.when.iter().flat_map(When::tests);
        facts.extend(tests.flat_map(facts_of));
        facts
    }
}

fn facts_of(test: &Test) -> Vec<String> {
    let of = |operand: &Operand| match operand {
        Operand::Fact(fact) => Some(fact.to_string()),
        Operand::Value(_) => None,
    };
    match test {
        Test::Exists(fact) => vec![fact.to_string()],
        Test::Compare(left, _, right) => of(left).into_iter().chain(of(right)).collect(),
        Test::In(operand, _) => of(operand).into_iter().collect(),
    }
}
