//! Answers that were given before, under the digest of everything that matters.
//!
//! The one that was not used for the longest time goes first, and none is older than its
//! time to live. Time is handed in. Cannot fail: what is not there is asked for again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;

/// The numbers of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheRule {
    /// Off, unless somebody wants it: an answer may depend on more than its prompt.
    pub enabled: bool,
    /// Answers of runs whose model may call tools: what a tool did is not done again by
    /// repeating the words about it.
    pub with_tools: bool,
    /// Answers in it.
    pub capacity: usize,
    /// How old one may be.
    pub ttl_ms: u64,
}

impl Default for CacheRule {
    fn default() -> Self {
        Self {
            enabled: false,
            with_tools: false,
            capacity: 1_000,
            ttl_ms: 3_600_000,
        }
    }
}

impl CacheRule {
    /// May an answer to a prompt with or without tools be kept?
    #[must_use]
    pub const fn applies(&self, has_tools: bool) -> bool {
        self.enabled && (self.with_tools || !has_tools)
    }
}

/// The key of an answer: of whom it is asked, and the request to the last byte.
#[must_use]
pub fn key(provider: &str, principal: &str, body: &Value) -> Digest {
    let body = crate::digest::canonical(body);
    let parts = [provider.as_bytes(), principal.as_bytes(), body.as_bytes()];
    Digest::of_parts("cache", parts)
}

/// Answers.
#[derive(Debug)]
pub struct Cache<V> {
    rule: CacheRule,
    kept: HashMap<Digest, Kept<V>>,
    /// When each was used last, oldest first.
    order: BTreeMap<u64, Digest>,
    uses: u64,
    hits: u64,
    misses: u64,
}

#[derive(Debug)]
struct Kept<V> {
    value: Arc<V>,
    until_ms: u64,
    used: u64,
}

impl<V> Cache<V> {
    /// An empty one.
    #[must_use]
    pub fn new(rule: CacheRule) -> Self {
        Self {
            rule,
            kept: HashMap::new(),
            order: BTreeMap::new(),
            uses: 0,
            hits: 0,
            misses: 0,
        }
    }

    /// The answer of `key`, if there is one that is not too old.
    pub fn get(&mut self, key: &Digest, now_ms: u64) -> Option<Arc<V>> {
        let found = self.kept.get_mut(key).filter(|kept| now_ms < kept.until_ms);
        let Some(kept) = found else {
            self.misses += 1;
            self.remove(key);
            return None;
        };
        self.uses += 1;
        self.order.remove(&kept.used);
        self.order.insert(self.uses, *key);
        kept.used = self.uses;
        self.hits += 1;
        Some(Arc::clone(&kept.value))
    }

    /// Keep an answer.
    pub fn put(&mut self, key: Digest, value: Arc<V>, now_ms: u64) {
        if self.rule.capacity == 0 {
            return;
        }
        self.remove(&key);
        while self.kept.len() >= self.rule.capacity {
            let Some((_, oldest)) = self.order.pop_first() else {
                return;
            };
            self.kept.remove(&oldest);
        }
        self.uses += 1;
        self.order.insert(self.uses, key);
        let until_ms = now_ms.saturating_add(self.rule.ttl_ms);
        self.kept.insert(
            key,
            Kept {
                value,
                until_ms,
                used: self.uses,
            },
        );
    }

    /// Forget an answer.
    pub fn remove(&mut self, key: &Digest) {
        if let Some(kept) = self.kept.remove(key) {
            self.order.remove(&kept.used);
        }
    }

    /// Answers in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How often it had an answer, and how often not.
    #[must_use]
    pub const fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn digest(number: u8) -> Digest {
        Digest::of_parts("test", [&[number][..]])
    }

    #[test]
    fn everything_that_matters_is_in_the_key() {
        let base = key("p", "ada", &json!({"a": 1, "b": 2}));
        assert_eq!(base, key("p", "ada", &json!({"b": 2, "a": 1})));
        assert_ne!(base, key("q", "ada", &json!({"a": 1, "b": 2})));
        assert_ne!(
            base,
            key("p", "eve", &json!({"a": 1, "b": 2})),
            "none sees another's"
        );
        assert_ne!(base, key("p", "ada", &json!({"a": 1, "b": 3})));
    }

    #[test]
    fn it_is_off_and_off_with_tools() {
        assert!(!CacheRule::default().applies(false));
        let on = CacheRule {
            enabled: true,
            ..CacheRule::default()
        };
        assert!(on.applies(false) && !on.applies(true));
    }

    proptest! {
        /// Against a list of what was used, the newest last.
        #[test]
        fn a_cache_is_its_model(
            acts in proptest::collection::vec((0_u8..12, any::<bool>(), 0_u64..40), 0..120),
        ) {
            let rule = CacheRule { capacity: 5, ttl_ms: 100, ..CacheRule::default() };
            let mut cache = Cache::new(rule);
            let mut model: Vec<(u8, u64)> = Vec::new();
            let mut now_ms = 0;
            for (number, put, later) in acts {
                now_ms += later;
                let place = model.iter().position(|&(each, _)| each == number);
                let old = place.map(|place| model.remove(place));
                if put {
                    if model.len() == 5 {
                        model.remove(0);
                    }
                    model.push((number, now_ms + 100));
                    cache.put(digest(number), Arc::new(number), now_ms);
                } else {
                    let live = old.filter(|&(_, until_ms)| now_ms < until_ms);
                    model.extend(live);
                    let got = cache.get(&digest(number), now_ms).map(|value| *value);
                    prop_assert_eq!(got, live.map(|(each, _)| each));
                }
                prop_assert_eq!(cache.len(), model.len());
                prop_assert_eq!(cache.order.len(), model.len());
            }
        }
    }
}
