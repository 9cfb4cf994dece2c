//! `lazaret doctor`: every layer, there or not, and what to do; whether a call
//! would run here.

use std::process::ExitCode;

use clap::Args;
use executor::{LayerPresence, LayerState};
use harness::config::{Config, Written};
use policy::{Backend, Profile};
use serde_json::{Value, json};

use super::show::{self, Tone};
use super::{Failure, Places, STATUS_NO};

/// Show every layer of confinement.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

/// One thing that was looked at.
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) holds: bool,
    /// Whether Lazaret does less than it should while this does not hold.
    pub(super) counts: bool,
    pub(super) said: String,
}

pub(crate) fn doctor(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let config = args.places.config(Written::default())?;
    let layers = executor::host_layers();
    let mut findings: Vec<Finding> = layers.iter().map(layer).collect();
    findings.push(worker(&config));
    findings.extend(runtimes(&config)?);
    let (wasm, containers): (Vec<Profile>, Vec<Profile>) = config
        .load_profiles()?
        .iter()
        .cloned()
        .partition(|profile| profile.backend() == Backend::Wasm);
    findings.extend(wasm.iter().map(|profile| enforceable(profile, &layers)));
    findings.extend(super::doctor_containers::look(&config, &containers)?);
    match args.json {
        true => show::line(&serde_json::to_string_pretty(&as_json(&findings))?),
        false => findings.iter().for_each(tell),
    }
    let all = findings
        .iter()
        .all(|finding| finding.holds || !finding.counts);
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(STATUS_NO)
    })
}

fn layer(state: &LayerState) -> Finding {
    let (holds, said) = match &state.state {
        LayerPresence::Present(detail) => (true, detail.clone()),
        LayerPresence::Absent(reason) => (false, format!("{reason}; {}", state.remedy)),
    };
    Finding {
        what: format!("layer {}", state.layer),
        holds,
        counts: true,
        said,
    }
}

fn worker(config: &Config) -> Finding {
    let path = config.worker.display();
    let holds = config.worker.is_file();
    let said = match holds {
        true => path.to_string(),
        false => format!("`{path}` is not there; install lazaret-worker beside lazaret"),
    };
    Finding {
        what: "lazaret-worker".into(),
        holds,
        counts: true,
        said,
    }
}

fn runtimes(config: &Config) -> Result<Vec<Finding>, Failure> {
    let store = config.runtime_store();
    let found = store.list()?.into_iter().map(|(manifest, _)| {
        let (holds, said) = match store.verify(&manifest.name) {
            Ok(lock) => (true, format!("{} on {}", manifest.doc, lock.engine)),
            Err(error) => (false, error.to_string()),
        };
        Finding {
            what: format!("runtime {}", manifest.name),
            holds,
            counts: true,
            said,
        }
    });
    Ok(found.collect())
}

/// Whether this host has every layer that the profile asks for.
fn enforceable(profile: &Profile, layers: &[LayerState]) -> Finding {
    let what = format!("profile {}", profile.name());
    let wanted = match executor::plan_for_host(profile) {
        Ok(layers) => layers,
        Err(error) => {
            return Finding {
                what,
                holds: false,
                counts: true,
                said: error,
            };
        }
    };
    let missing: Vec<&str> = layers
        .iter()
        .filter(|state| {
            wanted.contains(&state.layer) && matches!(state.state, LayerPresence::Absent(_))
        })
        .map(|state| state.layer.name())
        .collect();
    match missing.is_empty() {
        true => Finding {
            what,
            holds: true,
            counts: true,
            said: "this host has every layer that it asks for".into(),
        },
        false => {
            let said = format!("does not run here: it asks for {}", missing.join(", "));
            Finding {
                what,
                holds: false,
                counts: true,
                said,
            }
        }
    }
}

fn tell(finding: &Finding) {
    let mark = match (finding.holds, finding.counts) {
        (true, _) => show::tone(Tone::Good, "yes"),
        (false, true) => show::tone(Tone::Bad, "NO "),
        (false, false) => "-- ".to_owned(),
    };
    show::line(&format!("{mark} {:<26} {}", finding.what, finding.said));
}

fn as_json(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| json!({ "what": finding.what, "holds": finding.holds, "counts": finding.counts, "said": finding.said });
    findings.iter().map(one).collect()
}
