//! `lazaret policy`: check a policy, explain a verdict.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use harness::config::{Written, read_text};
use policy::{Explanation, Part, Policy, ToolCall, Truth, Verdict, explain};

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
    /// Say what the policy makes of a call, rule by rule
    Explain {
        /// Policy file [default: the shipped `contain`]
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// File with {"tool":…,"arguments":…}; - for standard input
        call: PathBuf,
        #[command(flatten)]
        places: Places,
    },
}

pub(crate) fn policy(command: &PolicyCommand) -> Result<ExitCode, Failure> {
    match command {
        PolicyCommand::Check { file, places } => check(file, places),
        PolicyCommand::Explain {
            policy,
            json,
            call,
            places,
        } => {
            let policy = load(policy.clone(), places)?;
            let call = ToolCall::parse(&read_call(call)?)?;
            let explanation = explain(&policy, &call);
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

fn check(file: &Path, places: &Places) -> Result<ExitCode, Failure> {
    let config = places.config(Written::default())?;
    let profiles = config.load_profiles()?;
    let text = read_text(file)?;
    match Policy::load(&file.display().to_string(), &text, &profiles) {
        Ok(policy) => {
            for warning in policy.warnings() {
                show::line(&format!(
                    "{} {warning}",
                    show::tone(Tone::Faint, "warning:")
                ));
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
            eprintln!("{error}");
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
    let run = explanation
        .run
        .as_deref()
        .map(|run| format!(", runs in {run}"))
        .unwrap_or_default();
    show::line(&format!(
        "{}{run}: {}",
        show::tone(tone, verdict.as_str()),
        explanation.reason
    ));
    for step in &explanation.next_steps {
        show::line(&format!("  next: {step}"));
    }
    for rule in &explanation.rules {
        let effect = rule.effect.as_str();
        let matched = if rule.takes_effect {
            "takes effect"
        } else {
            "does not"
        };
        show::line(&format!("rule {} ({effect}) {matched}", rule.id));
        for one in &rule.conditions {
            let part = match one.part {
                Part::Match => "",
                Part::Unless => "unless ",
            };
            show::line(&format!(
                "  {} {part}{} {}",
                mark(one.truth),
                one.fact,
                one.condition
            ));
        }
    }
    if let Some(nearest) = &explanation.nearest {
        let facts: Vec<&str> = nearest
            .differs
            .iter()
            .map(|one| one.fact.as_str())
            .collect();
        show::line(&format!(
            "nearest allow: {}, which differs in {}",
            nearest.id,
            facts.join(", ")
        ));
    }
}

fn mark(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "+",
        Truth::False => "-",
        Truth::Unknown => "?",
    }
}
