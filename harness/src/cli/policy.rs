//! `lazaret policy`: check a policy, explain a verdict; the larger tools have files of their own.

mod compare;
mod export;
mod fmt;
mod replay;
mod test;

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use harness::config::{Config, Written, load_policy_file, read_text};
use policy::{
    CallId, Context, Explanation, Policy, RuleHit, SessionState, ToolCall, Used, Verdict,
    decide_at, explain_at,
    shipped::{self, Shipped},
};
use serde_json::{Value, json};

use super::show::{self, Tone};
use super::{Failure, Places, STATUS_NO};

/// Check and explain policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Load a policy file and run the tests in its rules
    Check {
        /// Policy file
        file: PathBuf,
        #[command(flatten)]
        places: Places,
    },
    /// Decide many calls: one a line in (JSON), one decision a line out
    Decide {
        #[command(flatten)]
        chosen: Chosen,
        /// Read JSON Lines from standard input; the only form that there is
        #[arg(long, required = true)]
        jsonl: bool,
        #[command(flatten)]
        places: Places,
    },
    /// Print a shipped policy, to read or to begin one's own with
    Show {
        /// Its name; without one, the names of all
        name: Option<String>,
    },
    /// Run the tests in a policy's rules
    Test(test::TestArgs),
    /// Write policy files in the one way
    Fmt(fmt::FmtArgs),
    /// Say a policy in another engine's language
    Export(export::ExportArgs),
    /// Decide recorded calls with another policy, and say what would have changed
    Replay(replay::ReplayArgs),
    /// Find how two policies differ: a call for each kind of change, or a proof
    Diff(compare::DiffArgs),
    /// Ask whether a policy lets some call through: the call, or a proof
    Can(compare::CanArgs),
    /// Say what the policy makes of a call, rule by rule
    Explain {
        #[command(flatten)]
        chosen: Chosen,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// File with {"tool":…,"arguments":…}; - for standard input
        call: PathBuf,
        #[command(flatten)]
        places: Places,
    },
}

/// Which policy: a file, a shipped one, or the one that is configured.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Policy file [default: the shipped `contain`]
    #[arg(long, value_name = "FILE", conflicts_with = "pack")]
    policy: Option<PathBuf>,
    /// Shipped policy by its name
    #[arg(long, value_name = "NAME")]
    pack: Option<String>,
}

impl Chosen {
    fn load(&self, places: &Places) -> Result<Policy, Failure> {
        match &self.pack {
            Some(name) => shipped_policy(name, places),
            None => load(self.policy.clone(), places),
        }
    }
}

pub(crate) fn policy(command: &PolicyCommand) -> Result<ExitCode, Failure> {
    match command {
        PolicyCommand::Check { file, places } => check(file, places),
        PolicyCommand::Test(args) => test::test(args),
        PolicyCommand::Fmt(args) => Ok(fmt::format(args)),
        PolicyCommand::Export(args) => export::export(args),
        PolicyCommand::Replay(args) => Ok(replay::replay(args)),
        PolicyCommand::Diff(args) => compare::compare(args),
        PolicyCommand::Can(args) => compare::ask(args),
        PolicyCommand::Show { name } => pack_text(name.as_deref()),
        PolicyCommand::Decide {
            chosen,
            jsonl: _,
            places,
        } => decide_lines(&chosen.load(places)?),
        PolicyCommand::Explain {
            chosen,
            json,
            call,
            places,
        } => {
            let policy = chosen.load(places)?;
            let call = ToolCall::parse(&read_call(call)?)?;
            let explanation = explain_at(&policy, &first_of_all(&policy), &call);
            match json {
                true => show::line(&serde_json::to_string_pretty(&explanation)?),
                false => tell(&explanation),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn load(file: Option<PathBuf>, places: &Places) -> Result<Policy, Failure> {
    let config = places.config(Written {
        policy: file,
        ..Written::default()
    })?;
    let profiles = config.load_profiles()?;
    Ok(config.load_policy(&profiles)?)
}

fn shipped_policy(name: &str, places: &Places) -> Result<Policy, Failure> {
    let config: Config = places.config(Written::default())?;
    let pack = pack(name)?;
    Ok(Policy::load(
        pack.file,
        pack.text,
        &config.load_profiles()?,
    )?)
}

fn pack(name: &str) -> Result<&'static Shipped, Failure> {
    let file = format!("{name}.toml");
    let found = shipped::PACKS.iter().find(|pack| pack.file == file);
    Ok(found.ok_or_else(|| {
        format!(
            "there is no pack `{name}`; there are {}",
            pack_names().join(", ")
        )
    })?)
}

fn pack_names() -> Vec<&'static str> {
    let files = shipped::PACKS.iter();
    files
        .filter_map(|pack| pack.file.strip_suffix(".toml"))
        .collect()
}

fn pack_text(name: Option<&str>) -> Result<ExitCode, Failure> {
    match name {
        Some(name) => show::line(pack(name)?.text.trim_end()),
        None => pack_names().into_iter().for_each(show::line),
    }
    Ok(ExitCode::SUCCESS)
}

/// One decision a line. A line that is no call is a deny with its reason, and the
/// work goes on: bulk input has bad lines.
fn decide_lines(policy: &Policy) -> Result<ExitCode, Failure> {
    let mut lines = std::io::BufReader::new(std::io::stdin());
    loop {
        let mut line = Vec::new();
        let read = lines
            .by_ref()
            .take(MAX_CALL_BYTES)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        show::line(&decided(policy, &line).to_string());
    }
}

fn decided(policy: &Policy, line: &[u8]) -> Value {
    match ToolCall::parse(line) {
        Ok(call) => {
            let facts = policy.facts(&call).to_json();
            let id = CallId::from_bytes([0; 16]);
            let decision = decide_at(policy, &first_of_all(policy), id, call);
            json!({
                "verdict": decision.verdict(),
                "run": decision.grant().map(|grant| grant.profile().name()),
                "rules": decision.rules().iter().map(RuleHit::id).collect::<Vec<_>>(),
                "shadow": decision.shadow_rules().iter().map(RuleHit::id).collect::<Vec<_>>(),
                "reason": decision.reason(),
                "facts": facts,
            })
        }
        Err(error) => json!({
            "verdict": Verdict::Deny,
            "run": null,
            "rules": [],
            "shadow": [],
            "reason": error.to_string(),
            "facts": {},
        }),
    }
}

/// The world of a call that is the first of its session, now: nothing was used of any budget.
fn first_of_all(policy: &Policy) -> Context {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_us = since
        .ok()
        .and_then(|since| u64::try_from(since.as_micros()).ok());
    let unused = policy.budgets().iter();
    Context {
        now_us,
        session: Some(SessionState {
            started_us: now_us.unwrap_or(0),
            ..SessionState::default()
        }),
        budgets: unused
            .map(|budget| (budget.id().to_owned(), Used::default()))
            .collect(),
    }
}

fn check(file: &Path, places: &Places) -> Result<ExitCode, Failure> {
    let config = places.config(Written::default())?;
    let profiles = config.load_profiles()?;
    match load_policy_file(file, &profiles)? {
        Ok(policy) => {
            let expired = first_of_all(&policy).now_us.map(|now| policy.expired(now));
            for warning in policy.warnings().iter().chain(&expired.unwrap_or_default()) {
                show::line(warning.report().trim_end());
            }
            let rules = policy.rules().count();
            let good = show::tone(Tone::Good, "holds");
            show::line(&format!(
                "{}: {good}, {rules} rules, all their tests pass",
                file.display()
            ));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            for problem in error.problems() {
                eprintln!("{}", problem.report().trim_end());
            }
            eprintln!(
                "{}: refused, {} to correct",
                file.display(),
                error.problems().len()
            );
            Ok(ExitCode::from(STATUS_NO))
        }
    }
}

fn read_call(path: &Path) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return Ok(read_text(path)?.into_bytes());
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(MAX_CALL_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A call on standard input, as long as one over HTTP.
const MAX_CALL_BYTES: u64 = 32 << 20;

fn tell(explanation: &Explanation) {
    let verdict = explanation.verdict;
    let tone = match verdict {
        Verdict::Allow => Tone::Good,
        Verdict::Hold | Verdict::Deny => Tone::Bad,
    };
    let page = explanation.to_string();
    let rest = page.strip_prefix(verdict.as_str()).unwrap_or(&page);
    show::line(&format!(
        "{}{}",
        show::tone(tone, verdict.as_str()),
        rest.trim_end()
    ));
}
