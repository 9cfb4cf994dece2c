//! Secrets at the edge: the guest holds a placeholder, the server gets the secret.
//!
//! ```text
//!  guest                    proxy                                server
//!  Authorization: Bearer    host ∧ pinned address ∧ TLS name     Authorization: Bearer
//!    lazaret_secret_…   ──►   agree with the rule            ──►   sk-…
//!  "key": "lazaret_secret_…" ◄── scrubbed ◄───────────────────── "key": "sk-…"
//! ```
//!
//! A placeholder is random and worth nothing elsewhere. It is replaced in the headers that the
//! rule names, inside of `Basic` credentials too, and only on a connection whose host, address and
//! certificate agree. Seen anywhere else, the request is refused. What comes back is searched for
//! the secret. Values are never shown, recorded or logged. Fails with [`SecretError`] or [`Refusal`].

use std::fmt;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::host::{Authority, Host};
use crate::judge::Scheme;
use crate::refusal::{Reason, Refusal};
use crate::scrub::{Detector, Scrubber, variants};
use crate::target::Target;

/// Shorter ones would be found by chance in what servers answer.
const MIN_VALUE_BYTES: usize = 8;
/// The longest keys in use are tokens of some kilobytes.
const MAX_VALUE_BYTES: usize = 8 << 10;
const MAX_NAME_BYTES: usize = 64;
/// Of a placeholder, so that nobody guesses one.
const RANDOM_BYTES: usize = 16;
/// What every placeholder begins with.
const PREFIX: &str = "lazaret_secret_";

/// A value that nobody is shown.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes the value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// Where one secret belongs.
#[derive(Debug, Clone)]
pub struct SecretRule {
    /// Letters, digits and underscores; stands in the placeholder and in records.
    pub name: String,
    /// The secret itself.
    pub value: SecretValue,
    /// Hosts, each with its port if that is not 443, or 80 in clear.
    pub hosts: Vec<String>,
    /// Names of the headers in which it is put in.
    pub headers: Vec<String>,
    /// Also put in where the connection is not encrypted. For servers of one's own network.
    pub in_clear: bool,
}

/// A rule about a secret that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecretError {
    /// A name that cannot stand in a placeholder.
    #[error(
        "`{0}` is not a name for a secret; use 1 to {MAX_NAME_BYTES} letters, digits and underscores"
    )]
    Name(String),
    /// Two of one name.
    #[error("the secret `{0}` is there twice; remove one")]
    Twice(String),
    /// A value that cannot stand in a header, or is found by chance.
    #[error(
        "the value of the secret `{0}` must have {MIN_VALUE_BYTES} to {MAX_VALUE_BYTES} visible ASCII characters"
    )]
    Value(String),
    /// A host that is none.
    #[error("the secret `{name}` names `{host}`, which is no host; write `host` or `host:port`")]
    Host {
        /// The secret.
        name: String,
        /// What was written.
        host: String,
    },
    /// A header that is none.
    #[error("the secret `{name}` names the header `{header}`, which is none")]
    Header {
        /// The secret.
        name: String,
        /// What was written.
        header: String,
    },
    /// A rule that can never take effect.
    #[error("the secret `{0}` names no host or no header; add one")]
    Nowhere(String),
    /// No randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// Patterns that cannot be searched for.
    #[error("the secrets cannot be searched for: {0}")]
    Search(String),
}

/// The secrets of one session.
#[derive(Default)]
pub struct Secrets {
    entries: Vec<Entry>,
    /// Finds the placeholders, in whatever case.
    finder: Option<AhoCorasick>,
}

struct Entry {
    name: String,
    placeholder: String,
    value: SecretValue,
    hosts: Vec<Authority>,
    headers: Vec<HeaderName>,
    in_clear: bool,
}

/// A connection as it really is.
#[derive(Debug)]
pub(crate) struct Connected<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) scheme: Scheme,
    /// The host that the certificate was checked for.
    pub(crate) tls_host: Option<&'a Host>,
    /// The address is one of those that were looked up and checked for this host.
    pub(crate) is_pinned: bool,
}

/// The secrets whose placeholders a request holds in the right places.
#[derive(Debug, Default)]
pub(crate) struct Wanted(Vec<usize>);

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Secrets {
    /// Makes a placeholder for each secret, new for each session.
    ///
    /// # Errors
    /// [`SecretError`] for a rule that cannot be kept.
    pub fn new(rules: Vec<SecretRule>) -> Result<Self, SecretError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(rules.len());
        for rule in rules {
            if entries.iter().any(|entry| entry.name == rule.name) {
                return Err(SecretError::Twice(rule.name));
            }
            entries.push(Entry::new(rule)?);
        }
        let finder = (!entries.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .ascii_case_insensitive(true)
                    .build(entries.iter().map(|entry| entry.placeholder.as_str()))
            })
            .transpose()
            .map_err(|error| SecretError::Search(error.to_string()))?;
        Ok(Self { entries, finder })
    }

    /// Names and placeholders, for the environment of the guest.
    pub fn placeholders(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.entries.iter();
        pairs.map(|entry| (entry.name.as_str(), entry.placeholder.as_str()))
    }

    /// Whether a secret belongs to this host, so that its TLS must be looked into.
    pub(crate) fn belong_to(&self, authority: &Authority) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.hosts.contains(authority))
    }

    /// The names of some of them, for a record.
    pub(crate) fn names(&self, wanted: &Wanted) -> Vec<String> {
        let entries = wanted.0.iter().filter_map(|index| self.entries.get(*index));
        entries.map(|entry| entry.name.clone()).collect()
    }

    /// Looks for placeholders in a request before it goes anywhere.
    pub(crate) fn look(
        &self,
        authority: &Authority,
        target: &Target,
        headers: &HeaderMap,
    ) -> Result<Wanted, Refusal> {
        let mut wanted = Wanted::default();
        if self.finder.is_none() {
            return Ok(wanted);
        }
        let url = target.to_origin_form();
        if let Some(entry) = self.find(url.as_bytes()).first() {
            return Err(self.misplaced(*entry, "the URL"));
        }
        for (name, value) in headers {
            for index in self.find_in_header(name, value) {
                self.check(index, name, authority)?;
                if !wanted.0.contains(&index) {
                    wanted.0.push(index);
                }
            }
        }
        Ok(wanted)
    }

    fn check(
        &self,
        index: usize,
        header: &HeaderName,
        authority: &Authority,
    ) -> Result<(), Refusal> {
        let entry = self.entries.get(index);
        match entry {
            Some(entry) if !entry.hosts.contains(authority) => {
                Err(self.misplaced(index, &format!("a request to {authority}")))
            }
            Some(entry) if !entry.headers.contains(header) => {
                Err(self.misplaced(index, &format!("the header `{header}`")))
            }
            Some(_) => Ok(()),
            None => Err(self.misplaced(index, "a request")),
        }
    }

    fn misplaced(&self, index: usize, place: &str) -> Refusal {
        let name = self.entries.get(index).map_or("", |entry| &entry.name);
        Refusal::new(
            Reason::Secret,
            format!(
                "the placeholder of the secret `{name}` stands in {place}, where it does not belong"
            ),
        )
        .or(format!(
            "send it to the hosts and in the headers of the secret `{name}` only"
        ))
    }

    fn find(&self, bytes: &[u8]) -> Vec<usize> {
        let Some(finder) = &self.finder else {
            return Vec::new();
        };
        let found = finder.find_iter(bytes);
        found.map(|found| found.pattern().as_usize()).collect()
    }

    fn find_in_header(&self, name: &HeaderName, value: &HeaderValue) -> Vec<usize> {
        let mut found = self.find(value.as_bytes());
        found.extend(self.find(name.as_str().as_bytes()));
        if let Some(credentials) = basic(value) {
            found.extend(self.find(&credentials));
        }
        found
    }

    /// Puts the secrets in, if the connection is the one that they are for.
    pub(crate) fn put_in(
        &self,
        wanted: &Wanted,
        headers: &mut HeaderMap,
        to: &Connected<'_>,
    ) -> Result<(), Refusal> {
        for index in &wanted.0 {
            let Some(entry) = self.entries.get(*index) else {
                return Err(self.misplaced(*index, "a request"));
            };
            entry.agrees(to)?;
            for header in &entry.headers {
                entry.replace(header, headers)?;
            }
        }
        Ok(())
    }

    /// What takes these secrets out of an answer.
    pub(crate) fn scrubber(&self, wanted: &Wanted) -> Result<Scrubber, Refusal> {
        let entries = wanted.0.iter().filter_map(|index| self.entries.get(*index));
        let mut pairs = Vec::new();
        for entry in entries {
            let variants = variants(entry.value.0.as_bytes());
            pairs.extend(variants.into_iter().map(|v| (v, entry.placeholder.clone())));
        }
        Scrubber::new(pairs).ok_or_else(|| {
            Refusal::new(Reason::Secret, "the answer cannot be searched for secrets")
        })
    }

    /// What finds a placeholder in a body.
    pub(crate) fn detector(&self) -> Option<Detector> {
        let longest = self
            .entries
            .iter()
            .map(|entry| entry.placeholder.len())
            .max();
        Some(Detector::new(self.finder.clone()?, longest?))
    }
}

impl Entry {
    fn new(rule: SecretRule) -> Result<Self, SecretError> {
        let name = rule.name;
        let named = (1..=MAX_NAME_BYTES).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !named {
            return Err(SecretError::Name(name));
        }
        let value = &rule.value.0;
        let fits = (MIN_VALUE_BYTES..=MAX_VALUE_BYTES).contains(&value.len());
        if !fits || !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SecretError::Value(name));
        }
        if rule.hosts.is_empty() || rule.headers.is_empty() {
            return Err(SecretError::Nowhere(name));
        }
        let usual = if rule.in_clear { 80 } else { 443 };
        let hosts = rule.hosts.into_iter().map(|host| {
            Authority::parse(&host, Some(usual)).map_err(|_| SecretError::Host {
                name: name.clone(),
                host,
            })
        });
        let hosts = hosts.collect::<Result<_, _>>()?;
        let headers = rule.headers.into_iter().map(|header| {
            header.parse().map_err(|_| SecretError::Header {
                name: name.clone(),
                header,
            })
        });
        Ok(Self {
            hosts,
            headers: headers.collect::<Result<_, _>>()?,
            placeholder: placeholder(&name)?,
            value: rule.value,
            in_clear: rule.in_clear,
            name,
        })
    }

    /// Host, pinned address and TLS name, all three.
    fn agrees(&self, to: &Connected<'_>) -> Result<(), Refusal> {
        let encrypted = match to.scheme {
            Scheme::Https => to.tls_host == Some(&to.authority.host),
            Scheme::Http => self.in_clear,
        };
        if self.hosts.contains(to.authority) && to.is_pinned && encrypted {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::Secret,
            format!(
                "the secret `{}` is not put into this connection: host, address and TLS name do not all agree with its rule",
                self.name
            ),
        ))
    }

    fn replace(&self, header: &HeaderName, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let wrong = || Refusal::new(Reason::Secret, "a header with a secret cannot be written");
        let values: Vec<HeaderValue> = headers.get_all(header).iter().cloned().collect();
        headers.remove(header);
        for value in values {
            let mut replaced = match self.replaced(&value) {
                Some(text) => HeaderValue::from_str(&text).map_err(|_| wrong())?,
                None => value,
            };
            replaced.set_sensitive(true);
            headers.append(header.clone(), replaced);
        }
        Ok(())
    }

    /// The value with the secret in it; none when the placeholder is not there.
    fn replaced(&self, value: &HeaderValue) -> Option<Zeroizing<String>> {
        let text = value.to_str().ok()?;
        if text.contains(&self.placeholder) {
            return Some(Zeroizing::new(
                text.replace(&self.placeholder, &self.value.0),
            ));
        }
        let credentials = Zeroizing::new(String::from_utf8(basic(value)?).ok()?);
        if !credentials.contains(&self.placeholder) {
            return None;
        }
        let credentials = Zeroizing::new(credentials.replace(&self.placeholder, &self.value.0));
        let encoded = BASE64_STANDARD.encode(credentials.as_bytes());
        Some(Zeroizing::new(format!("Basic {encoded}")))
    }
}

/// What stands in `Basic` credentials (RFC 7617).
fn basic(value: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    BASE64_STANDARD.decode(encoded.trim()).ok()
}

fn placeholder(name: &str) -> Result<String, SecretError> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|_| SecretError::Random)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{name}_{hex}"))
}
