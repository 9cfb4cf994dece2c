//! The way out of a container, as the container backend sees it: a directory that is mounted, and
//! variables by which programs find what is in it.
//!
//! Who opens doors, and what may go out through one, is no business of this crate: the daemon hands
//! in [`Doors`]. A door is opened before its container is made, shut until a call takes the container,
//! and closed with it. Without [`Doors`] a profile that has a way out is not run.

use std::fmt;
use std::path::Path;
use std::pin::Pin;

use container_init::{EGRESS, EGRESS_AUTHORITIES, PROXY_PORT};
use policy::{Inspect, Permit, Profile};

/// What a profile asks of its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorPlan {
    /// The profile: requests are judged as those of its containers.
    pub profile: String,
    /// Which TLS is looked into.
    pub inspect: Inspect,
}

/// Opens doors.
pub trait Doors: fmt::Debug + Send + Sync {
    /// A door that nothing goes through yet.
    ///
    /// # Errors
    /// Why there is none, in one line.
    fn open(&self, plan: &DoorPlan) -> Result<Box<dyn Door>, String>;
}

/// The way out of one container.
pub trait Door: fmt::Debug + Send + Sync {
    /// The directory on the host with the socket and the certificates, for nobody else's files.
    fn directory(&self) -> &Path;

    /// From now on requests are those of this permit's call. Gives the variables of the guest that
    /// it opens nothing with: placeholders.
    fn begin(&self, permit: &Permit) -> Vec<(String, String)>;

    /// Ends all connections. Done when the last record of a request is written.
    fn close(self: Box<Self>) -> Closing;
}

/// What [`Door::close`] gives.
pub type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

impl DoorPlan {
    /// Nothing where the profile has no way out.
    pub(crate) fn of(profile: &Profile) -> Option<Self> {
        let proxy = profile.layers().egress_proxy.as_ref()?;
        Some(Self {
            profile: profile.name().to_owned(),
            inspect: proxy.inspect,
        })
    }
}

/// Read by curl, git, Python, Node, Go, wget and package managers; some read the one case, some
/// the other.
const PROXY: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// The container itself is not behind the proxy.
const WITHOUT: [&str; 2] = ["NO_PROXY", "no_proxy"];
const OWN: &str = "localhost,127.0.0.1,::1";

/// Node reads the others since 22.21, if it is told to.
const NODE: (&str, &str) = ("NODE_USE_ENV_PROXY", "1");

/// OpenSSL and Go, Python's requests and pip, curl, git, Node, cargo.
const CERTIFICATES: [&str; 7] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
];

/// The variables by which programs find the proxy, and whom they trust behind it; those of
/// certificates only where the daemon has put some into the directory.
pub(crate) fn variables(directory: &Path) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    let mut all: Vec<_> = PROXY.map(|name| pair(name, &proxy)).into();
    all.extend(WITHOUT.map(|name| pair(name, OWN)));
    all.push(pair(NODE.0, NODE.1));
    if directory.join(EGRESS_AUTHORITIES).is_file() {
        let inside = format!("{EGRESS}/{EGRESS_AUTHORITIES}");
        all.extend(CERTIFICATES.map(|name| pair(name, &inside)));
    }
    all
}
