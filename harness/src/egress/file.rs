//! What the configuration says of the way out: a file of its own, named by the key `egress`.
//!
//! ```toml
//! version = 1
//! name_servers = ["192.0.2.53:53"]     # those of the host, if none is named
//! trust = "/etc/lazaret/more.pem"      # beside what the host trusts
//! [budget]
//! requests = 1000
//! [[secret]]
//! name = "API_TOKEN"                   # the variable that holds the placeholder in the guest
//! file = "/etc/lazaret/api-token"      # or env = "NAME", a variable of the daemon
//! hosts = ["api.example.com"]
//! headers = ["authorization"]
//! ```
//!
//! Read once, at the start. Values of secrets are read here and shown nowhere. Fails with
//! [`EgressError`].

use std::env::VarError;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::egress::{Budget, NameServers, SecretError, SecretRule, SecretValue, Secrets, Trust};
use serde::Deserialize;

use crate::config::{ConfigError, read_text};

const VERSION: u32 = 1;

/// More than any key in use has; a file that is longer is another one.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Why the way out cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ConfigError),
    /// The file is not what it should be.
    #[error("`{path}`: {why}; docs/EGRESS.md lists the keys")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A secret's value is not there.
    #[error("the secret `{name}`: {why}")]
    Secret {
        /// Its name.
        name: String,
        /// What is wrong; never a value.
        why: String,
    },
    /// A rule about a secret that cannot be kept.
    #[error(transparent)]
    Rule(#[from] SecretError),
}

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    #[serde(default)]
    name_servers: Vec<SocketAddr>,
    trust: Option<PathBuf>,
    #[serde(default)]
    budget: Budget,
    #[serde(default, rename = "secret")]
    secrets: Vec<WrittenSecret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSecret {
    name: String,
    file: Option<PathBuf>,
    env: Option<String>,
    hosts: Vec<String>,
    headers: Vec<String>,
    #[serde(default)]
    in_clear: bool,
}

/// How doors are made.
#[derive(Debug, Clone)]
pub struct EgressSettings {
    names: NameServers,
    trust: Trust,
    budget: Budget,
    secrets: Vec<SecretRule>,
}

impl Default for EgressSettings {
    /// The host's name servers and roots, the usual budget, no secret.
    fn default() -> Self {
        Self {
            names: NameServers::System,
            trust: Trust::System,
            budget: Budget::default(),
            secrets: Vec::new(),
        }
    }
}

impl EgressSettings {
    /// Reads the file and everything that it names.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(path: &Path) -> Result<Self, EgressError> {
        let wrong = |why: String| EgressError::File {
            path: path.display().to_string(),
            why,
        };
        let text = read_text(path)?;
        let written: Written =
            toml::from_str(&text).map_err(|error| wrong(error.message().replace('\n', " ")))?;
        if written.version != VERSION {
            return Err(wrong(format!("is not of version {VERSION}")));
        }
        let secrets = written.secrets.into_iter().map(WrittenSecret::resolve);
        let settings = Self {
            names: match written.name_servers.is_empty() {
                true => NameServers::System,
                false => NameServers::These(written.name_servers),
            },
            trust: match written.trust {
                None => Trust::System,
                Some(file) => Trust::SystemAnd(read_text(&file)?),
            },
            budget: written.budget,
            secrets: secrets.collect::<Result<_, _>>()?,
        };
        // Said at the start, and not by the first call.
        settings.secrets()?;
        settings
            .trust
            .check()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(settings)
    }

    pub(super) fn names(&self) -> NameServers {
        self.names.clone()
    }

    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget
    }

    /// Whether guests must be told of roots that their image does not have.
    pub(super) fn trusts_more(&self) -> bool {
        match self.trust {
            Trust::System => false,
            Trust::SystemAnd(_) | Trust::Only(_) => true,
        }
    }

    /// The secrets with placeholders of their own.
    pub(super) fn secrets(&self) -> Result<Secrets, SecretError> {
        Secrets::new(self.secrets.clone())
    }
}

impl WrittenSecret {
    fn resolve(self) -> Result<SecretRule, EgressError> {
        let wrong = |why: String| EgressError::Secret {
            name: self.name.clone(),
            why,
        };
        let value = match (&self.file, &self.env) {
            (Some(file), None) => {
                read_value(file).map_err(|error| wrong(format!("`{}`: {error}", file.display())))?
            }
            (None, Some(name)) => variable(name).map_err(wrong)?,
            (None, None) | (Some(_), Some(_)) => {
                return Err(wrong("name either `file` or `env`".to_owned()));
            }
        };
        Ok(SecretRule {
            value: SecretValue::new(value),
            name: self.name,
            hosts: self.hosts,
            headers: self.headers,
            in_clear: self.in_clear,
        })
    }
}

/// One value; the end of its line is none of it.
fn read_value(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let opened = File::open(file)?;
    opened.take(MAX_SECRET_BYTES).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn variable(name: &str) -> Result<String, String> {
    match std::env::var(name) {
        Ok(value) => Ok(value),
        Err(VarError::NotPresent) => Err(format!("the variable {name} is not set")),
        Err(VarError::NotUnicode(_)) => Err(format!("the variable {name} is not UTF-8")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EgressSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "a-token-of-the-tests\n").unwrap();
        let file = folder.path().join("egress.toml");
        let text = text.replace("TOKEN", &token.display().to_string());
        std::fs::write(&file, text).unwrap();
        EgressSettings::read(&file).map_err(|error| error.to_string())
    }

    const SECRET: &str = "[[secret]]\nname = \"API\"\nhosts = [\"api.example.com\"]\nheaders = [\"authorization\"]\n";

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let good = read(&format!("version = 1\n{SECRET}file = \"TOKEN\"\n")).unwrap();
        assert_eq!(good.secrets().unwrap().placeholders().count(), 1);
        for (text, part) in [
            ("version = 2\n".to_owned(), "version 1"),
            ("version = 1\nmore = 1\n".to_owned(), "unknown field"),
            (format!("version = 1\n{SECRET}"), "`file` or `env`"),
            (
                format!("version = 1\n{SECRET}env = \"LAZARET_TESTS_NEVER_SET\"\n"),
                "is not set",
            ),
            (
                format!("version = 1\n{SECRET}file = \"/nowhere/token\"\n"),
                "/nowhere/token",
            ),
            (
                "version = 1\n[budget]\nrequest = 1\n".to_owned(),
                "unknown field",
            ),
        ] {
            let said = read(&text).unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn a_value_is_never_shown() {
        let settings = read(&format!("version = 1\n{SECRET}file = \"TOKEN\"\n")).unwrap();
        assert!(!format!("{settings:?}").contains("a-token"));
    }

    #[test]
    fn a_budget_need_not_be_whole() {
        let settings = read("version = 1\n[budget]\nrequests = 3\n").unwrap();
        assert_eq!(settings.budget().requests, 3);
        assert_eq!(settings.budget().hosts, Budget::default().hosts);
    }
}
