//! `lazaret profile`: what programs run in, with the reason of every line.

use std::process::ExitCode;

use clap::Subcommand;
use harness::config::Written;
use policy::Profile;

use super::{Failure, Places, show};

/// Show sandbox profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the profiles
    List {
        #[command(flatten)]
        places: Places,
    },
    /// Show a profile: its limits and layers, each with its reason
    Show {
        /// Name of the profile
        name: String,
        #[command(flatten)]
        places: Places,
    },
}

pub(crate) fn profile(command: &ProfileCommand) -> Result<ExitCode, Failure> {
    match command {
        ProfileCommand::List { places } => {
            for profile in places.config(Written::default())?.load_profiles()?.iter() {
                show::line(&format!("{:<20} {}", profile.name(), profile.doc()));
            }
        }
        ProfileCommand::Show { name, places } => {
            let profiles = places.config(Written::default())?.load_profiles()?;
            let profile = profiles.get(name).ok_or_else(|| {
                format!("there is no profile `{name}`; `lazaret profile list` shows them")
            })?;
            tell(profile);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(profile: &Profile) {
    show::line(&format!("{}: {}", profile.name(), profile.doc()));
    show::line(&format!(
        "sha256 {}",
        executor::runtime::hex::hex(&profile.digest())
    ));
    show::line("languages");
    for (language, runtime) in profile.languages() {
        show::line(&format!("  {language:<18} runtime {runtime}"));
    }
    show::line("limits");
    for limit in profile.limit_reasons() {
        show::line(&format!(
            "  {:<18} {:<12} {}",
            limit.name, limit.max, limit.why
        ));
    }
    show::line("layers, each of which must be in force");
    for layer in profile.layers().required() {
        show::line(&format!(
            "  {:<18} {:<12} {}",
            layer.name, layer.detail, layer.why
        ));
    }
}
