//! The variables by which programs find a proxy, and whom they trust behind it.

use std::ffi::OsString;
use std::path::Path;

/// Roots and the authority of the installation, where TLS is looked into.
const AUTHORITIES: &str = "authorities.pem";

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

/// All of them; those of certificates only where the daemon has put some.
pub(crate) fn variables(port: u16, directory: &Path) -> Vec<(&'static str, OsString)> {
    let proxy = OsString::from(format!("http://127.0.0.1:{port}"));
    let mut all: Vec<_> = PROXY.map(|name| (name, proxy.clone())).into();
    all.extend(WITHOUT.map(|name| (name, OWN.into())));
    // Node reads the others since then, if it is told to.
    all.push(("NODE_USE_ENV_PROXY", "1".into()));
    let authorities = directory.join(AUTHORITIES);
    if authorities.is_file() {
        all.extend(CERTIFICATES.map(|name| (name, authorities.clone().into())));
    }
    all
}
