//! What sessions and principals have done: the state that rules and budgets ask for.
//!
//! Counting and deciding are one step under one lock, so that two calls at once cannot both be the
//! last one that a budget allows. The daemon writes what was counted to a file of its state
//! directory a moment after it changed, and reads it when it starts: the ledger has no turns and no
//! labels, and counting again what today's policy makes of yesterday's calls would be another
//! count. A daemon that is killed loses the last moment. What is idle for a day is forgotten; when
//! there is no room, a new session has no state, and then every rule and budget that asks for it
//! gets no answer, which never helps a call.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use policy::{
    CallId, Context, Decision, Inspection, MAX_HOSTS, Per, Policy, SessionState, ToolCall, Used,
    decide_inspected,
};

/// Sessions and principals that are kept, each some hundred bytes.
const MAX_ENTRIES: usize = 65_536;

/// What the file is; another form is another number.
const FORM: u32 = 1;

/// How long what is idle is kept.
const KEPT_US: u64 = 24 * 3600 * 1_000_000;

/// The state of all sessions and principals.
#[derive(Default)]
pub(crate) struct Book(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    sessions: HashMap<SessionKey, SessionPage>,
    principals: HashMap<String, Page>,
    /// Goes up with every change.
    changes: u64,
    /// The change that was written last.
    written: u64,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    form: u32,
    sessions: Vec<(SessionKey, SessionPage)>,
    principals: Vec<(String, Page)>,
}

/// Why what was counted before cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CountsError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not as it was written.
    #[error("{0}; move it away to count anew")]
    Malformed(String),
}

/// A session belongs to its principal: nobody else's calls are in it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionKey {
    principal: String,
    session: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionPage {
    state: SessionState,
    turn: Option<String>,
    /// Since the turn began.
    of_turn: BTreeMap<String, Used>,
    page: Page,
}

/// What was used of budgets, by their ids.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    used: BTreeMap<String, Used>,
    seen_us: u64,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whereabouts<'a> {
    /// The session that the caller names.
    pub session: Option<&'a str>,
    /// The turn of the model that the call belongs to; another one than before begins anew.
    pub turn: Option<&'a str>,
}

/// What a call used, known when it is over.
pub(crate) struct Spent {
    pub(crate) cpu_ms: u64,
    pub(crate) output_bytes: u64,
}

impl Book {
    /// Decides on a call in the state of its session, and enters it there.
    pub(crate) fn judge(
        &self,
        policy: &Policy,
        now_us: Option<u64>,
        turn: Option<&str>,
        call_id: CallId,
        inspection: Inspection,
    ) -> Decision {
        let mut pages = self.pages();
        pages.changes += 1;
        pages.begin(inspection.call(), turn, now_us.unwrap_or(0));
        let context = pages.context(policy, inspection.call(), now_us);
        let decision = decide_inspected(policy, &context, call_id, inspection);
        pages.enter(policy, &decision, now_us.unwrap_or(0));
        decision
    }

    /// The world of a call, without entering it.
    pub(crate) fn context(&self, policy: &Policy, call: &ToolCall, now_us: Option<u64>) -> Context {
        self.pages().context(policy, call, now_us)
    }

    /// Begins with what `file` says was counted; a file that is not there says nothing.
    ///
    /// # Errors
    /// When there is a file that cannot be read: to count anew would give every budget again.
    pub(crate) fn read(&self, file: &Path) -> Result<(), CountsError> {
        let bytes = match fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let malformed = |why: String| CountsError::Malformed(why);
        let written: Written =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if written.form != FORM {
            return Err(malformed(format!(
                "its form is {}, not {FORM}",
                written.form
            )));
        }
        let mut pages = self.pages();
        pages.sessions = written.sessions.into_iter().collect();
        pages.principals = written.principals.into_iter().collect();
        Ok(())
    }

    /// Writes to `file` what was counted, whole or not at all, when it has changed.
    ///
    /// # Errors
    /// When it cannot be written; it is tried again with the next change.
    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        let (written, change) = {
            let pages = self.pages();
            if pages.written == pages.changes {
                return Ok(());
            }
            let sessions = pages.sessions.iter();
            let principals = pages.principals.iter();
            let written = Written {
                form: FORM,
                sessions: sessions
                    .map(|(key, page)| (key.clone(), page.clone()))
                    .collect(),
                principals: principals
                    .map(|(who, page)| (who.clone(), page.clone()))
                    .collect(),
            };
            (written, pages.changes)
        };
        let unfinished = file.with_extension("new");
        let mut to = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        to.write_all(&serde_json::to_vec(&written)?)?;
        to.sync_data()?;
        fs::rename(&unfinished, file)?;
        self.pages().written = change;
        Ok(())
    }

    /// Enters what a call used.
    pub(crate) fn spend(&self, policy: &Policy, call: &ToolCall, spent: &Spent) {
        let mut pages = self.pages();
        pages.changes += 1;
        for budget in policy.budgets() {
            if let Some(used) = pages.used_mut(budget.per(), budget.id(), call) {
                used.cpu_ms = used.cpu_ms.saturating_add(spent.cpu_ms);
                used.output_bytes = used.output_bytes.saturating_add(spent.output_bytes);
            }
        }
    }

    /// A lock that somebody left in a panic guards counters that are still numbers.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Makes room for the call's session and principal, if there is any.
    fn begin(&mut self, call: &ToolCall, turn: Option<&str>, now_us: u64) {
        if self.sessions.len() + self.principals.len() >= MAX_ENTRIES {
            self.forget(now_us);
        }
        let room = self.sessions.len() + self.principals.len() < MAX_ENTRIES;
        if room && !self.principals.contains_key(call.principal()) {
            self.principals
                .insert(call.principal().to_owned(), Page::default());
        }
        let Some(key) = key(call) else { return };
        if room && !self.sessions.contains_key(&key) {
            let mut page = SessionPage::default();
            page.state.started_us = now_us;
            self.sessions.insert(key.clone(), page);
        }
        if let Some(page) = self.sessions.get_mut(&key)
            && turn.is_some()
            && page.turn.as_deref() != turn
        {
            page.turn = turn.map(str::to_owned);
            page.of_turn.clear();
            page.state.turn_calls = 0;
        }
    }

    fn forget(&mut self, now_us: u64) {
        let fresh = |page: &Page| now_us.saturating_sub(page.seen_us) < KEPT_US;
        self.sessions.retain(|_, session| fresh(&session.page));
        self.principals.retain(|_, page| fresh(page));
    }

    fn context(&self, policy: &Policy, call: &ToolCall, now_us: Option<u64>) -> Context {
        let page = key(call).and_then(|key| self.sessions.get(&key));
        let budgets = policy.budgets().iter().filter_map(|budget| {
            let used = self.used(budget.per(), budget.id(), call)?;
            Some((budget.id().to_owned(), used))
        });
        Context {
            now_us,
            session: page.map(|page| page.state.clone()),
            budgets: budgets.collect(),
        }
    }

    /// None when nobody counts for this call.
    fn used(&self, per: Per, id: &str, call: &ToolCall) -> Option<Used> {
        let page = || key(call).and_then(|key| self.sessions.get(&key));
        let used = match per {
            Per::Turn => &page()?.of_turn,
            Per::Session => &page()?.page.used,
            Per::Principal => &self.principals.get(call.principal())?.used,
        };
        Some(used.get(id).cloned().unwrap_or_default())
    }

    fn used_mut(&mut self, per: Per, id: &str, call: &ToolCall) -> Option<&mut Used> {
        let used = match per {
            Per::Turn => &mut self.sessions.get_mut(&key(call)?)?.of_turn,
            Per::Session => &mut self.sessions.get_mut(&key(call)?)?.page.used,
            Per::Principal => &mut self.principals.get_mut(call.principal())?.used,
        };
        Some(used.entry(id.to_owned()).or_default())
    }

    fn enter(&mut self, policy: &Policy, decision: &Decision, now_us: u64) {
        let call = decision.call();
        for budget in policy
            .budgets()
            .iter()
            .filter(|budget| budget.applies(call))
        {
            if let Some(used) = self.used_mut(budget.per(), budget.id(), call) {
                used.calls = used.calls.saturating_add(1);
                for host in decision.hosts() {
                    // One more than any budget allows is enough to be above it.
                    if used.hosts.len() as u64 <= MAX_HOSTS {
                        used.hosts.insert(host.to_owned());
                    }
                }
            }
        }
        if let Some(page) = self.principals.get_mut(call.principal()) {
            page.seen_us = now_us;
        }
        let Some(page) = key(call).and_then(|key| self.sessions.get_mut(&key)) else {
            return;
        };
        page.page.seen_us = now_us;
        page.state.calls = page.state.calls.saturating_add(1);
        page.state.turn_calls = page.state.turn_calls.saturating_add(1);
        for label in decision.taint() {
            let label = page.state.labels.entry(label.to_owned()).or_default();
            label.count = label.count.saturating_add(1);
            label.at_us = now_us;
        }
    }
}

fn key(call: &ToolCall) -> Option<SessionKey> {
    Some(SessionKey {
        principal: call.principal().to_owned(),
        session: call.session()?.to_owned(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::string_slice, reason = "tests")]
mod tests {
    use super::*;
    use policy::{Profiles, Verdict, shipped};
    use serde_json::json;

    const RULES: &str = r#"
version = 1
name = "t"

[[budget]]
id = "turn"
per = "turn"
most = { calls = 2 }
reason = "two calls a turn"

[[budget]]
id = "cpu"
per = "principal"
most = { cpu_ms = 100 }
effect = "hold"
reason = "a tenth of a second"

[[rule]]
id = "code"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code" }
reason = "contained"

[[rule]]
id = "marked"
effect = "hold"
match = { "arguments.mark" = true }
taint = ["marked"]
reason = "marked"

[[rule]]
id = "after"
effect = "deny"
match = { "session.label.marked.age_s" = { max = 60 } }
unless = { "arguments.mark" = true }
reason = "after a mark"
"#;

    fn policy() -> Policy {
        let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
        Policy::load("t.toml", RULES, &profiles).unwrap()
    }

    fn call(principal: &str, mark: bool) -> ToolCall {
        let arguments = json!({"language": "python", "code": "1", "mark": mark});
        ToolCall::new("execute_code", arguments, principal, Some("s")).unwrap()
    }

    fn verdict(book: &Book, policy: &Policy, now_s: u64, turn: &str, call: ToolCall) -> Verdict {
        let id = CallId::from_bytes([0; 16]);
        let now_us = Some(now_s * 1_000_000);
        book.judge(policy, now_us, Some(turn), id, policy.inspect(call))
            .verdict()
    }

    #[test]
    fn turns_sessions_and_principals_are_counted_apart() {
        let (book, policy) = (Book::default(), policy());
        let now = |turn: &str, who: &str| verdict(&book, &policy, 1, turn, call(who, false));
        assert_eq!(now("1", "ann"), Verdict::Allow);
        assert_eq!(now("1", "ann"), Verdict::Allow);
        assert_eq!(now("1", "ann"), Verdict::Deny);
        assert_eq!(now("2", "ann"), Verdict::Allow);
        assert_eq!(now("1", "bob"), Verdict::Allow);
        let spent = Spent {
            cpu_ms: 100,
            output_bytes: 0,
        };
        book.spend(&policy, &call("bob", false), &spent);
        assert_eq!(now("3", "bob"), Verdict::Hold);
        assert_eq!(now("3", "ann"), Verdict::Allow);
    }

    #[test]
    fn a_label_lasts_as_long_as_rules_say() {
        let (book, policy) = (Book::default(), policy());
        let at = |now_s, mark| verdict(&book, &policy, now_s, "1", call("ann", mark));
        assert_eq!(at(100, true), Verdict::Hold);
        assert_eq!(at(160, false), Verdict::Deny);
        let later = verdict(&book, &policy, 161, "2", call("ann", false));
        assert_eq!(later, Verdict::Allow);
        let other = verdict(&book, &policy, 101, "1", call("bob", false));
        assert_eq!(other, Verdict::Allow);
    }

    #[test]
    fn what_was_counted_is_read_back_and_nothing_else_is() {
        let (book, policy) = (Book::default(), policy());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("counts.json");
        book.read(&file).unwrap();
        let now = |book: &Book| verdict(book, &policy, 1, "1", call("ann", false));
        assert_eq!(now(&book), Verdict::Allow);
        let marked = verdict(&book, &policy, 100, "2", call("bob", true));
        assert_eq!(marked, Verdict::Hold);
        book.write(&file).unwrap();
        assert_eq!(now(&book), Verdict::Allow, "after the writing");

        let next = Book::default();
        next.read(&file).unwrap();
        assert_eq!(now(&next), Verdict::Allow, "the second of the turn");
        assert_eq!(now(&next), Verdict::Deny, "the third");
        let later = verdict(&next, &policy, 110, "3", call("bob", false));
        assert_eq!(later, Verdict::Deny, "the label is there");
        assert_eq!(
            now(&Book::default()),
            Verdict::Allow,
            "control: counted anew"
        );

        let text = fs::read_to_string(&file).unwrap();
        for broken in [
            "",
            "{}",
            &text[..text.len() - 2],
            &text.replace("\"form\":1", "\"form\":2"),
        ] {
            fs::write(&file, broken).unwrap();
            assert!(Book::default().read(&file).is_err(), "{broken}");
        }
    }

    #[test]
    fn without_a_session_a_turn_is_not_counted() {
        let (book, policy) = (Book::default(), policy());
        let arguments = json!({"language": "python", "code": "1"});
        for _ in 0..5 {
            let call = ToolCall::new("execute_code", arguments.clone(), "ann", None).unwrap();
            assert_eq!(verdict(&book, &policy, 1, "1", call), Verdict::Allow);
        }
    }
}
