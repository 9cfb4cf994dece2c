//! The table of detectors: read once, searched for keywords in one pass, each regular expression
//! compiled when it is first needed.
//!
//! A table that cannot be read, or an expression that cannot be compiled, makes every search
//! incomplete; tests hold that both are fine for the data that is shipped.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use serde::Deserialize;

use super::own::OWN;

const GITLEAKS: &str = include_str!("../../../data/gitleaks-8.30.1.json");

/// How many hits of keywords are kept for one text, if it is not longer than this many bytes; a
/// text with more is not searched to its end.
const MAX_HITS: usize = 65_536;

/// How large one compiled expression may be: the largest of the rules needs a tenth of it.
const MAX_COMPILED_BYTES: usize = 8 * 1024 * 1024;

/// The file of data, as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "licence")]
    _licence: String,
    /// What no rule's secret matches: placeholders.
    not: Vec<String>,
    rules: Vec<FileRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    id: String,
    regex: String,
    keywords: Vec<String>,
    #[serde(default)]
    group: usize,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    not: Vec<String>,
}

/// One rule.
pub(super) struct Detector {
    kind: String,
    source: String,
    /// The group that is the secret; 0 for the first that matched.
    group: usize,
    /// The secret has more bits of entropy a byte than this.
    entropy: f64,
    not: Vec<String>,
    /// The secret must have letters and digits.
    mixed: bool,
    regex: OnceLock<Option<Regex>>,
    exceptions: OnceLock<Option<RegexSet>>,
}

/// A keyword's place.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A rule with the places of its keywords.
pub(super) type Hits = (&'static Detector, Vec<Hit>);

/// A match, and the secret in it.
pub(super) struct Found {
    pub(super) whole: Range<usize>,
    pub(super) secret: Range<usize>,
}

/// Every rule, with the search for their keywords.
pub(super) struct Rules {
    detectors: Vec<Detector>,
    /// None if the table could not be read.
    keywords: Option<AhoCorasick>,
    /// For each keyword the rules that have it.
    rules_of: Vec<Vec<usize>>,
    placeholders: Option<RegexSet>,
}

static RULES: LazyLock<Rules> = LazyLock::new(Rules::read);

impl Rules {
    pub(super) fn get() -> &'static Self {
        &RULES
    }

    fn read() -> Self {
        let file: Option<File> = serde_json::from_str(GITLEAKS).ok();
        let whole = file.is_some();
        let (not, theirs) = file.map(|file| (file.not, file.rules)).unwrap_or_default();
        let mut by_keyword: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut detectors = Vec::new();
        let ours = OWN.iter().map(own_rule);
        // Ours are the general ones: of two rules for one place the first gives the name.
        for (keywords, detector) in theirs.into_iter().map(their_rule).chain(ours) {
            for keyword in keywords {
                by_keyword.entry(keyword).or_default().push(detectors.len());
            }
            detectors.push(detector);
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(by_keyword.keys());
        Self {
            detectors,
            keywords: keywords.ok().filter(|_| whole),
            rules_of: by_keyword.into_values().collect(),
            placeholders: set(&not),
        }
    }

    /// The table was read and can be searched.
    pub(super) fn is_whole(&self) -> bool {
        self.keywords.is_some() && self.placeholders.is_some()
    }

    /// The rules whose keywords are in the text, with their places.
    /// False if there are more.
    pub(super) fn hits(&'static self, text: &str) -> (Vec<Hits>, bool) {
        let Some(keywords) = &self.keywords else {
            return (Vec::new(), false);
        };
        let mut hits: BTreeMap<usize, Vec<Hit>> = BTreeMap::new();
        let limit = MAX_HITS.max(text.len());
        let mut all = keywords.find_overlapping_iter(text);
        for found in all.by_ref().take(limit) {
            let hit = Hit {
                start: found.start(),
                end: found.end(),
            };
            for rule in self
                .rules_of
                .get(found.pattern().as_usize())
                .into_iter()
                .flatten()
            {
                hits.entry(*rule).or_default().push(hit);
            }
        }
        let of_rule = |(rule, hits)| Some((self.detectors.get(rule)?, hits));
        (
            hits.into_iter().filter_map(of_rule).collect(),
            all.next().is_none(),
        )
    }

    pub(super) fn compile_all(&'static self) {
        for detector in &self.detectors {
            detector.regex();
        }
    }

    #[cfg(test)]
    pub(super) fn detectors(&'static self) -> &'static [Detector] {
        &self.detectors
    }
}

fn own_rule(own: &super::own::Own) -> (Vec<String>, Detector) {
    let keywords = own.keywords.iter().map(|k| (*k).to_owned()).collect();
    let rule = FileRule {
        id: own.kind.to_owned(),
        regex: own.regex.to_owned(),
        keywords,
        group: 0,
        entropy: own.entropy,
        not: own.not.iter().map(|n| (*n).to_owned()).collect(),
    };
    let (keywords, mut detector) = their_rule(rule);
    detector.mixed = own.mixed;
    (keywords, detector)
}

fn their_rule(rule: FileRule) -> (Vec<String>, Detector) {
    let detector = Detector {
        kind: rule.id,
        source: rule.regex,
        group: rule.group,
        entropy: rule.entropy,
        not: rule.not,
        mixed: false,
        regex: OnceLock::new(),
        exceptions: OnceLock::new(),
    };
    (rule.keywords, detector)
}

fn set(expressions: &[String]) -> Option<RegexSet> {
    RegexSetBuilder::new(expressions)
        .unicode(false)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .ok()
}

impl Detector {
    pub(super) fn kind(&'static self) -> &'static str {
        &self.kind
    }

    /// The rule's expression, compiled when first asked for; none if it cannot be.
    pub(super) fn regex(&self) -> Option<&Regex> {
        let compile = || {
            RegexBuilder::new(&self.source)
                .unicode(false)
                .size_limit(MAX_COMPILED_BYTES)
                .build()
                .ok()
        };
        self.regex.get_or_init(compile).as_ref()
    }

    /// The next match at or behind `at`.
    pub(super) fn find_at(&self, regex: &Regex, text: &[u8], at: usize) -> Option<Found> {
        if at > text.len() {
            return None;
        }
        // Cheap where nothing matches, which is nearly always.
        let start = regex.find_at(text, at)?.start();
        let captures = regex.captures_at(text, start)?;
        let whole = captures.get(0)?.range();
        let group = match self.group {
            0 => captures
                .iter()
                .skip(1)
                .flatten()
                .find(|group| !group.is_empty()),
            group => captures.get(group),
        };
        let secret = group.map_or_else(|| whole.clone(), |group| group.range());
        Some(Found { whole, secret })
    }

    /// What matched is no placeholder and as random as the rule asks for.
    pub(super) fn is_secret(&self, secret: &[u8]) -> bool {
        let exceptions = self.exceptions.get_or_init(|| set(&self.not));
        let excepted = |set: &Option<RegexSet>| set.as_ref().is_some_and(|s| s.is_match(secret));
        !excepted(exceptions)
            && !excepted(&RULES.placeholders)
            && (self.entropy <= 0.0 || entropy(secret) > self.entropy)
            && (!self.mixed || is_mixed(secret))
    }
}

/// Letters and digits, as passwords have and words have not.
fn is_mixed(secret: &[u8]) -> bool {
    let letters = secret.iter().any(u8::is_ascii_alphabetic);
    letters && secret.iter().any(u8::is_ascii_digit)
}

/// Shannon's entropy of the bytes, in bits a byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = bytes.len() as f64;
    let bits = counts.iter().filter(|count| **count > 0).map(|count| {
        let share = *count as f64 / length;
        -share * share.log2()
    });
    bits.sum()
}
