//! `lazaret doctor`, the containers: Docker, its OCI runtimes, control groups, images, profiles.
//!
//! Counts as a fault only where the configuration says that containers are required.

use executor::container::{Containers, ImageState};
use harness::config::{Config, UseContainers};
use policy::Profile;

use super::Failure;
use super::doctor::Finding;

/// Everything that is there to say.
pub(super) fn look(config: &Config, profiles: &[Profile]) -> Result<Vec<Finding>, Failure> {
    let counts = config.containers == UseContainers::Required;
    let finding = |what: String, found: Result<String, String>| {
        let holds = found.is_ok();
        let said = found.unwrap_or_else(|said| said);
        Finding {
            what,
            holds,
            counts,
            said,
        }
    };
    let Some(containers) = config.open_containers(String::new(), None) else {
        let said = "switched off in the configuration".to_owned();
        return Ok(vec![finding("containers".into(), Err(said))]);
    };
    let mut findings = vec![
        finding("lazaret-init".into(), init(config)),
        finding("egress".into(), egress(config)),
    ];
    let found = super::tokio()?.block_on(ask(config, &containers, profiles))?;
    findings.extend(found.into_iter().map(|(what, found)| finding(what, found)));
    Ok(findings)
}

type Said = (String, Result<String, String>);

async fn ask(
    config: &Config,
    containers: &Containers,
    profiles: &[Profile],
) -> Result<Vec<Said>, Failure> {
    let about = containers.about().await;
    let docker = about.as_ref().map(|about| {
        let cgroups = &about.cgroup_version;
        let socket = containers.socket().display();
        format!("{} at {socket}, control groups v{cgroups}", about.version)
    });
    let mut said = vec![("docker".to_owned(), docker.map_err(ToString::to_string))];
    for (name, line) in about.iter().flat_map(|about| &about.oci_runtimes) {
        if ["runc", "runsc"].contains(&name.as_str()) {
            said.push((format!("docker {name}"), Ok(line.clone())));
        }
    }
    for (manifest, state) in config.image_store().list()? {
        let name = &manifest.name;
        let found = match state {
            ImageState::Missing => Err(format!("not built; run `lazaret runtime build {name}`")),
            ImageState::Stale(_) | ImageState::Built(_) => containers
                .check_image(name)
                .await
                .map(|()| manifest.doc.clone())
                .map_err(|error| error.to_string()),
        };
        said.push((format!("image {name}"), found));
    }
    for profile in profiles {
        let found = containers.check(profile).await;
        let found = found
            .map(|()| "docker has what it asks for".to_owned())
            .map_err(|error| error.to_string());
        said.push((format!("profile {}", profile.name()), found));
    }
    Ok(said)
}

fn egress(config: &Config) -> Result<String, String> {
    let settings = config.egress_settings();
    settings.map_err(|error| error.to_string())?;
    Ok(match &config.egress {
        None => "the host's name servers and roots, and no secret".to_owned(),
        Some(file) => format!("as `{}` says", file.display()),
    })
}

fn init(config: &Config) -> Result<String, String> {
    let store = config.image_store();
    let path = store.init().display();
    match store.init_sha256() {
        Some(digest) => Ok(format!("{path}, sha256 {digest}")),
        None => Err(format!(
            "`{path}` is not there; install lazaret-init beside lazaret"
        )),
    }
}
