//! `lazaret policy replay`: what another policy would have made of recorded calls.
//!
//! Reads a ledger and never writes it. A call is decided at its recorded time. What the ledger does
//! not hold is said: arguments that are gone, and the state that a session had then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::{Data, Decision as Recorded, Reader, Record};
use clap::Args;
use harness::config::{Written, load_policy_file};
use policy::{
    CallId, Context, Decision, Policy, Profiles, REQUEST_TOOL, ToolCall, Used, Verdict, decide_at,
};
use serde_json::{Value, json};

use super::super::{Failure, Places, STATUS_NO, show, units};

/// It cannot be said whether anything would change.
const STATUS_UNKNOWN: u8 = 2;

/// Policies of a directory that are read to find the owners of rules; more is the wrong directory.
const MAX_POLICIES: usize = 1_000;

/// What rules may ask of a request and its record does not hold.
const UNRECORDED: [&str; 2] = ["arguments.query", "arguments.addresses"];

/// Why a policy refuses a request, as its record says it.
const BY_POLICY: [&str; 2] = ["denied", "held"];

/// What stands where no rule decided, or nobody owns it.
const NOBODY: &str = "-";

/// Decide recorded calls with another policy.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The policy file that would have decided
    new: PathBuf,
    /// The ledger [default: that of the state directory]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Only calls since then: 2026-11-01, 2026-11-01T08:00:00Z, or 12h and 30d back from now
    #[arg(long, value_name = "TIME", value_parser = units::since)]
    since: Option<u64>,
    /// Directory of the policies that decided then, for the owners of their rules
    #[arg(long, value_name = "DIR")]
    policy_dir: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

/// Whatever keeps it from being said is status 2, so that a gate never takes it for a yes.
pub(crate) fn replay(args: &ReplayArgs) -> ExitCode {
    match run(args) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("lazaret: {error}");
            ExitCode::from(STATUS_UNKNOWN)
        }
    }
}

fn run(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let config = args.places.config(Written::default())?;
    let profiles = config.load_profiles()?;
    let new = load_policy_file(&args.new, &profiles)??;
    let owners = Owners::read(&args.policy_dir, &profiles)?;
    let ledger = args.ledger.clone().unwrap_or_else(|| config.ledger_path());
    let reader = Reader::open(&ledger)?;
    let mut replay = Replay::new(&new, &owners);
    let count = reader.count()?;
    let bar = show::bar(usize::try_from(count).unwrap_or(usize::MAX), "records");
    for seq in 1..=count {
        bar.set_position(seq);
        if let Some(record) = reader.get(seq)? {
            replay.record(&reader, &record, args.since)?;
        }
    }
    bar.finish_and_clear();
    match args.json {
        true => show::line(&serde_json::to_string_pretty(&replay.document())?),
        false => replay.tell(&args.new),
    }
    Ok(replay.status())
}

/// The owners of the rules of earlier policies, by digest.
struct Owners(BTreeMap<[u8; 32], BTreeMap<String, String>>);

impl Owners {
    fn read(dirs: &[PathBuf], profiles: &Profiles) -> Result<Self, Failure> {
        let mut owners = BTreeMap::new();
        for dir in dirs {
            let named = |error: std::io::Error| format!("`{}`: {error}", dir.display());
            for entry in std::fs::read_dir(dir).map_err(named)? {
                let path = entry.map_err(named)?.path();
                if owners.len() >= MAX_POLICIES {
                    return Err(format!(
                        "`{}` holds over {MAX_POLICIES} policies; name a smaller directory",
                        dir.display()
                    )
                    .into());
                }
                // Files that are no policy today are no policy that decided.
                let toml = path.extension().is_some_and(|kind| kind == "toml");
                if toml && let Ok(Ok(policy)) = load_policy_file(&path, profiles) {
                    owners.insert(policy.digest(), owners_of(&policy));
                }
            }
        }
        Ok(Self(owners))
    }

    fn of(&self, digest: &[u8; 32], rule: &str) -> Option<&str> {
        self.0.get(digest)?.get(rule).map(String::as_str)
    }
}

fn owners_of(policy: &Policy) -> BTreeMap<String, String> {
    let owned = policy
        .rules()
        .filter_map(|rule| Some((rule.id().to_owned(), rule.owner()?.to_owned())));
    owned.collect()
}

/// What is different, by what decided before and what would decide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    before: Side,
    after: Side,
}

/// A verdict, where the call ran, and the rule that said so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    verdict: Verdict,
    run: Option<String>,
    rule: Option<String>,
    owner: Option<String>,
}

/// The calls of one change.
struct Group {
    calls: u64,
    first_seq: u64,
    first_call: String,
    reason: String,
}

struct Replay<'a> {
    new: &'a Policy,
    owners: &'a Owners,
    /// Rules that ask for what a session had done, which is not recorded.
    stateful: BTreeSet<String>,
    /// Rules that ask for what records of requests do not hold.
    unrecorded: BTreeSet<String>,
    decided: u64,
    not_decided: u64,
    /// Requests that the proxy refused, whatever a policy says.
    not_a_policys: u64,
    unsure: u64,
    groups: BTreeMap<Change, Group>,
}

impl<'a> Replay<'a> {
    fn new(new: &'a Policy, owners: &'a Owners) -> Self {
        let asking = |wanted: &dyn Fn(&str) -> bool| {
            let asks = |rule: &&policy::Rule| rule.facts().iter().any(|fact| wanted(fact));
            let rules = new.rules().filter(asks);
            rules.map(|rule| rule.id().to_owned()).collect()
        };
        Self {
            new,
            owners,
            stateful: asking(&|fact| fact.starts_with("session.")),
            unrecorded: asking(&|fact| UNRECORDED.iter().any(|one| fact.starts_with(one))),
            decided: 0,
            not_decided: 0,
            not_a_policys: 0,
            unsure: 0,
            groups: BTreeMap::new(),
        }
    }

    fn record(
        &mut self,
        reader: &Reader,
        record: &Record,
        since: Option<u64>,
    ) -> Result<(), Failure> {
        let Data::Decision(recorded) = record.data() else {
            return Ok(());
        };
        if since.is_some_and(|since| record.time_us() < since) {
            return Ok(());
        }
        let Some(call) = call(reader, record.seq(), recorded)? else {
            self.not_decided += 1;
            return Ok(());
        };
        if is_refused_by_no_policy(&call) {
            self.not_a_policys += 1;
            return Ok(());
        }
        self.decided += 1;
        self.unsure += u64::from(self.is_unsure(&call));
        let unused = self.new.budgets().iter();
        let context = Context {
            now_us: Some(record.time_us()),
            budgets: unused
                .map(|budget| (budget.id().to_owned(), Used::default()))
                .collect(),
            ..Context::default()
        };
        let id = CallId::from_bytes(recorded.call_id.0);
        let decision = decide_at(self.new, &context, id, call);
        self.compare(record.seq(), recorded, &decision);
        Ok(())
    }

    fn compare(&mut self, seq: u64, recorded: &Recorded, decision: &Decision) {
        let before = self.before(recorded);
        let after = self.after(decision);
        if (before.verdict, &before.run) == (after.verdict, &after.run) {
            return;
        }
        let group = self.groups.entry(Change { before, after });
        let group = group.or_insert_with(|| Group {
            calls: 0,
            first_seq: seq,
            first_call: decision.call_id().to_string(),
            reason: decision.reason().to_owned(),
        });
        group.calls += 1;
    }

    fn before(&self, recorded: &Recorded) -> Side {
        let rule = recorded.rules.first().cloned();
        let owner = rule
            .as_deref()
            .and_then(|rule| self.owners.of(&recorded.policy_digest.0, rule));
        Side {
            verdict: match recorded.verdict {
                audit::Verdict::Allow => Verdict::Allow,
                audit::Verdict::Hold => Verdict::Hold,
                audit::Verdict::Deny => Verdict::Deny,
            },
            run: recorded.profile.clone(),
            owner: owner.map(str::to_owned),
            rule,
        }
    }

    fn after(&self, decision: &Decision) -> Side {
        let verdict = decision.verdict();
        // A deny for want of an allow is no rule's.
        let deciding = decision
            .rules()
            .first()
            .filter(|rule| rule.effect() == verdict);
        let rule = deciding.map(|rule| rule.id().to_owned());
        let owner = deciding.and_then(|rule| rule.owner().map(str::to_owned));
        let run = decision
            .grant()
            .map(|grant| grant.profile().name().to_owned());
        Side {
            verdict,
            run,
            rule,
            owner,
        }
    }

    fn changed(&self) -> u64 {
        self.groups.values().map(|group| group.calls).sum()
    }

    /// Whether something is asked of the call that the ledger does not hold.
    fn is_unsure(&self, call: &ToolCall) -> bool {
        let by_rule = !self.stateful.is_empty() && call.session().is_some();
        let by_request = !self.unrecorded.is_empty() && call.tool() == REQUEST_TOOL;
        by_rule || by_request || self.new.budgets().iter().any(|budget| budget.applies(call))
    }

    fn status(&self) -> ExitCode {
        match (self.changed(), self.not_decided + self.unsure) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(STATUS_UNKNOWN),
            (_, _) => ExitCode::from(STATUS_NO),
        }
    }
}

/// The call as it was recorded; none when something of it was erased, or is no call for this program.
fn call(reader: &Reader, seq: u64, recorded: &Recorded) -> Result<Option<ToolCall>, Failure> {
    let (Some(principal), Some(session)) = (recorded.principal.kept(), recorded.session.kept())
    else {
        return Ok(None);
    };
    // A decision has one body, its arguments, unless they were erased.
    let bodies = Data::Decision(recorded.clone()).bodies();
    let Some(arguments) = bodies.first() else {
        return Ok(None);
    };
    let Some(body) = reader.body(seq, arguments)? else {
        return Ok(None);
    };
    let Ok(arguments) = policy::json::parse(&body) else {
        return Ok(None);
    };
    Ok(ToolCall::new(&recorded.tool, arguments, principal, session.as_deref()).ok())
}

/// Malformed, unreachable, beyond a budget: the proxy says so in the arguments.
fn is_refused_by_no_policy(call: &ToolCall) -> bool {
    let reason = call.arguments().get("reason").and_then(Value::as_str);
    call.tool() == REQUEST_TOOL && reason.is_some_and(|reason| !BY_POLICY.contains(&reason))
}

// ---- telling ------------------------------------------------------------------------------------

impl Side {
    fn shown(&self) -> String {
        match &self.run {
            Some(run) => format!("{} in {run}", self.verdict),
            None => self.verdict.to_string(),
        }
    }
}

fn or_nobody(name: Option<&String>) -> String {
    name.map_or_else(|| NOBODY.to_owned(), Clone::clone)
}

impl Replay<'_> {
    fn tell(&self, new: &Path) {
        if !self.groups.is_empty() {
            self.tell_rules();
            show::line("");
            self.tell_owners();
            show::line("");
        }
        if self.unsure > 0 {
            show::line(&format!(
                "{} calls are asked for what is not recorded: {}; they were decided as if the state of their session were unknown, and no budget used",
                self.unsure,
                self.asking().join(", ")
            ));
        }
        if self.not_decided > 0 {
            show::line(&format!(
                "{} calls were not decided: their arguments are gone or cannot be read",
                self.not_decided
            ));
        }
        if self.not_a_policys > 0 {
            show::line(&format!(
                "{} requests were refused by the egress proxy itself and left out",
                self.not_a_policys
            ));
        }
        show::line(&format!(
            "{}: {} of {} recorded calls would have been decided otherwise",
            new.display(),
            self.changed(),
            self.decided
        ));
    }

    /// The rules and budgets that ask for what earlier calls did.
    fn asking(&self) -> Vec<&str> {
        let rules = self.stateful.union(&self.unrecorded).map(String::as_str);
        let budgets = self.new.budgets().iter().map(|budget| budget.id());
        rules.chain(budgets).collect()
    }

    fn tell_rules(&self) {
        let rows = self.groups.iter().map(|(change, group)| {
            vec![
                format!("{} -> {}", change.before.shown(), change.after.shown()),
                group.calls.to_string(),
                or_nobody(change.before.rule.as_ref()),
                or_nobody(change.after.rule.as_ref()),
                format!("record {}", group.first_seq),
            ]
        });
        show::table(
            &["verdict", "calls", "rule then", "rule now", "first"],
            &rows.collect::<Vec<_>>(),
        );
    }

    fn tell_owners(&self) {
        let rows = self.by_owner().into_iter().map(|(owner, calls)| {
            vec![
                owner,
                calls.stricter.to_string(),
                calls.looser.to_string(),
                calls.elsewhere.to_string(),
            ]
        });
        show::table(
            &["owner", "stricter", "looser", "elsewhere"],
            &rows.collect::<Vec<_>>(),
        );
    }

    /// By the owner of the rule that would decide; where no rule would, of the one that did.
    fn by_owner(&self) -> BTreeMap<String, Calls> {
        let mut owners: BTreeMap<String, Calls> = BTreeMap::new();
        for (change, group) in &self.groups {
            let owner = match &change.after.rule {
                Some(_) => &change.after.owner,
                None => &change.before.owner,
            };
            let calls = owners.entry(or_nobody(owner.as_ref())).or_default();
            match change.after.verdict.cmp(&change.before.verdict) {
                std::cmp::Ordering::Greater => calls.stricter += group.calls,
                std::cmp::Ordering::Less => calls.looser += group.calls,
                std::cmp::Ordering::Equal => calls.elsewhere += group.calls,
            }
        }
        owners
    }

    fn document(&self) -> Value {
        let side = |side: &Side| json!({ "verdict": side.verdict, "run": side.run, "rule": side.rule, "owner": side.owner });
        let changes = self.groups.iter().map(|(change, group)| {
            json!({
                "before": side(&change.before),
                "after": side(&change.after),
                "reason": group.reason,
                "calls": group.calls,
                "first": { "record": group.first_seq, "call_id": group.first_call },
            })
        });
        let owners = self.by_owner().into_iter().map(|(owner, calls)| {
            let counts = json!({ "stricter": calls.stricter, "looser": calls.looser, "elsewhere": calls.elsewhere });
            (owner, counts)
        });
        json!({
            "decided": self.decided,
            "changed": self.changed(),
            "not_decided": self.not_decided,
            "refused_by_the_proxy": self.not_a_policys,
            "not_recorded": { "calls": self.unsure, "asked_by": self.asking() },
            "changes": changes.collect::<Vec<_>>(),
            "owners": owners.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// Changed calls: held or denied more, less, or run in another profile.
#[derive(Default)]
struct Calls {
    stricter: u64,
    looser: u64,
    elsewhere: u64,
}
