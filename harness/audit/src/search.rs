//! Searching the ledger: which records answer to what is asked.
//!
//! A search reads records in order and keeps no index of their contents: an
//! index would be a second copy of what may have to be erased. It is a page at
//! a time, and says where the next one begins.

use crate::reader::{MAX_TAIL, ReadError, Reader, Record};
use crate::wire::{Data, Decision, Outcome, Verdict};

/// Records that one page looks at: about half a second.
const MAX_LOOKED_AT: u64 = 50_000;

/// Records that are read at once.
const STEP: usize = 500;

const _: () = assert!(STEP <= MAX_TAIL);

/// What is searched for. What is not set is not asked.
///
/// A decision and its outcome answer for their call: who asks for a principal finds the outcomes of
/// that principal's calls too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Written at or after, in microseconds since 1970.
    pub since_us: Option<u64>,
    /// Written before.
    pub until_us: Option<u64>,
    /// For whom the call was made.
    pub principal: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The tool.
    pub tool: Option<String>,
    /// What was decided.
    pub verdict: Option<Verdict>,
    /// A rule that matched.
    pub rule: Option<String>,
    /// How the call ended.
    pub ending: Option<String>,
    /// A text in the record or in one of its bodies.
    pub text: Option<String>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The records, oldest first.
    pub records: Vec<Record>,
    /// After which record to go on; `None` at the end of the ledger.
    pub next: Option<u64>,
}

impl Reader {
    /// Searches from the record after `after`, for at most `count` records.
    ///
    /// # Errors
    /// When the database cannot be read or a record is damaged.
    pub fn search(&self, query: &Query, after: u64, count: usize) -> Result<Page, ReadError> {
        let mut records = Vec::new();
        let mut at = after;
        while at.saturating_sub(after) < MAX_LOOKED_AT {
            let step = self.after(at, STEP)?;
            if step.is_empty() {
                let next = None;
                return Ok(Page { records, next });
            }
            for record in step {
                at = record.seq();
                if self.answers(query, &record)? {
                    records.push(record);
                }
                if records.len() >= count {
                    let next = Some(at);
                    return Ok(Page { records, next });
                }
            }
        }
        let next = Some(at);
        Ok(Page { records, next })
    }

    fn answers(&self, query: &Query, record: &Record) -> Result<bool, ReadError> {
        let time = record.time_us();
        let in_time = query.since_us.is_none_or(|since| since <= time)
            && query.until_us.is_none_or(|until| time < until);
        if !in_time || !self.call_answers(query, record)? {
            return Ok(false);
        }
        match &query.text {
            None => Ok(true),
            Some(text) => self.holds_text(record, text),
        }
    }

    fn call_answers(&self, query: &Query, record: &Record) -> Result<bool, ReadError> {
        match record.data() {
            Data::Decision(decision) => {
                Ok(query.is_decision(decision) && self.ends_so(query, record)?)
            }
            Data::Outcome(outcome) => {
                if !query.is_outcome(outcome) || !query.asks_of_decision() {
                    return Ok(query.is_outcome(outcome));
                }
                let decision = self.get(outcome.decision_seq)?;
                Ok(decision.is_some_and(|record| match record.data() {
                    Data::Decision(decision) => query.is_decision(decision),
                    Data::Start(_)
                    | Data::Stop(_)
                    | Data::Outcome(_)
                    | Data::Note(_)
                    | Data::Erasure(_) => false,
                }))
            }
            Data::Start(_) | Data::Stop(_) | Data::Note(_) | Data::Erasure(_) => {
                Ok(!query.asks_of_decision() && query.ending.is_none())
            }
        }
    }

    /// Whether the call of a decision ended as it is asked.
    fn ends_so(&self, query: &Query, record: &Record) -> Result<bool, ReadError> {
        let (Some(_), Some(call_id)) = (&query.ending, record.call_id()) else {
            return Ok(true);
        };
        let records = self.by_call(&call_id)?;
        Ok(records.iter().any(|record| match record.data() {
            Data::Outcome(outcome) => query.is_outcome(outcome),
            Data::Start(_)
            | Data::Stop(_)
            | Data::Decision(_)
            | Data::Note(_)
            | Data::Erasure(_) => false,
        }))
    }

    fn holds_text(&self, record: &Record, text: &str) -> Result<bool, ReadError> {
        if record.json().contains(text) {
            return Ok(true);
        }
        for named in record.data().bodies() {
            let bytes = self.body(record.seq(), &named)?.unwrap_or_default();
            if String::from_utf8_lossy(&bytes).contains(text) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Query {
    fn asks_of_decision(&self) -> bool {
        self.principal.is_some()
            || self.session.is_some()
            || self.tool.is_some()
            || self.verdict.is_some()
            || self.rule.is_some()
    }

    /// What was erased answers to nothing.
    fn is_decision(&self, decision: &Decision) -> bool {
        let session = decision.session.kept().and_then(Option::as_ref);
        is(&self.principal, decision.principal.kept())
            && is(&self.session, session)
            && is(&self.tool, Some(&decision.tool))
            && self
                .verdict
                .is_none_or(|verdict| verdict == decision.verdict)
            && (self.rule.as_ref()).is_none_or(|rule| decision.rules.contains(rule))
    }

    fn is_outcome(&self, outcome: &Outcome) -> bool {
        is(&self.ending, Some(&outcome.ending))
    }
}

fn is(asked: &Option<String>, found: Option<&String>) -> bool {
    asked.is_none() || asked.as_ref() == found
}
