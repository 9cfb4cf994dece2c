//! TLS on both sides: what servers are trusted, and certificates for hosts that are looked into.
//!
//! The authority belongs to one installation: its key is made here, kept in a file that only its
//! owner reads, and never leaves this process. It signs for the hosts of tunnels that a profile
//! wants inspected; guests of such a profile trust its certificate. Towards servers the roots of the
//! host hold, or those that the configuration names. Fails with [`TlsError`].

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

use crate::host::Host;
use crate::limits::MAX_CERTIFICATES;

/// The protocol inside of TLS, on both sides: the one that is parsed strictly.
const HTTP_1_1: &[u8] = b"http/1.1";

const KEY_FILE: &str = "egress-authority.key";
const CERTIFICATE_FILE: &str = "egress-authority.pem";
const LOCK_FILE: &str = "egress-authority.lock";

/// What goes wrong with keys and certificates before anything runs.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file of the authority that cannot be used.
    #[error("`{}`: {source}; remove both files of the authority to have new ones made", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate that cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A configuration that rustls refuses.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    /// A host without roots.
    #[error("the host trusts no certificate authority; install its package of certificates")]
    NoRoots,
    /// Certificates that cannot be read.
    #[error("the trusted certificates cannot be read: {0}")]
    Roots(String),
}

/// Which servers are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those that the host trusts.
    #[default]
    System,
    /// Those that the host trusts, and those of these certificates in PEM.
    SystemAnd(String),
    /// Those of these certificates in PEM alone.
    Only(String),
}

impl Trust {
    /// Whether all of it can be read, and each text holds a certificate.
    ///
    /// # Errors
    /// [`TlsError`] otherwise.
    pub fn check(&self) -> Result<(), TlsError> {
        client_config(self).map(drop)
    }

    /// The certificates in PEM, for a guest that is to believe the same servers.
    ///
    /// # Errors
    /// [`TlsError`] when the host trusts none.
    pub fn to_pem(&self) -> Result<String, TlsError> {
        match self {
            Self::System => system_pem(),
            Self::SystemAnd(more) => Ok(system_pem()? + more),
            Self::Only(pem) => Ok(pem.clone()),
        }
    }
}

/// The certificate authority of an installation.
pub struct Authority {
    key: KeyPair,
    certificate_pem: String,
    /// One key for all hosts: what it protects is the way from a guest to us.
    leaf_key: KeyPair,
    configs: Mutex<HashMap<Host, Arc<ServerConfig>>>,
}

impl Authority {
    /// The authority whose files are in `directory`; made when there are none.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read or made.
    pub fn open(directory: &Path) -> Result<Self, TlsError> {
        let key_file = directory.join(KEY_FILE);
        let certificate_file = directory.join(CERTIFICATE_FILE);
        // Two processes on one directory make one authority; the lock goes with the file.
        let _alone = lock(&directory.join(LOCK_FILE))?;
        let key_pem = match fs::read_to_string(&key_file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => {
                let path = key_file;
                return Err(TlsError::File { path, source });
            }
        };
        if let Some(key_pem) = key_pem {
            let certificate_pem = fs::read_to_string(&certificate_file).map_err(|source| {
                let path = certificate_file;
                TlsError::File { path, source }
            })?;
            return Self::with(KeyPair::from_pem(&key_pem)?, certificate_pem);
        }
        let authority = Self::make()?;
        write(&certificate_file, 0o644, &authority.certificate_pem)?;
        write(&key_file, 0o600, &authority.key.serialize_pem())?;
        Ok(authority)
    }

    /// A new authority that is kept nowhere.
    ///
    /// # Errors
    /// [`TlsError`] when there is no randomness.
    pub fn make() -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let certificate = params()?.self_signed(&key)?;
        Self::with(key, certificate.pem())
    }

    fn with(key: KeyPair, certificate_pem: String) -> Result<Self, TlsError> {
        Ok(Self {
            key,
            certificate_pem,
            leaf_key: KeyPair::generate()?,
            configs: Mutex::default(),
        })
    }

    /// What guests of an inspected profile trust, in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// How to be this host, towards a guest.
    pub(crate) fn server_config(&self, host: &Host) -> Result<Arc<ServerConfig>, TlsError> {
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(host) {
            return Ok(Arc::clone(config));
        }
        if configs.len() >= MAX_CERTIFICATES {
            configs.clear();
        }
        let config = Arc::new(self.make_config(host)?);
        configs.insert(host.clone(), Arc::clone(&config));
        Ok(config)
    }

    fn make_config(&self, host: &Host) -> Result<ServerConfig, TlsError> {
        let mut leaf = CertificateParams::default();
        leaf.not_before = date_time_ymd(2020, 1, 1);
        leaf.not_after = date_time_ymd(2049, 12, 31);
        leaf.subject_alt_names = vec![match host {
            Host::Name(name) => SanType::DnsName(name.as_str().try_into()?),
            Host::Address(address) => SanType::IpAddress(*address),
        }];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(params()?, &self.key);
        let certificate = leaf.signed_by(&self.leaf_key, &issuer)?;
        let key = PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key))?;
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(config)
    }
}

/// The same each time, so that the certificate that guests trust stays the issuer.
fn params() -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params.distinguished_name.push(
        DnType::CommonName,
        "Lazaret egress authority of this installation",
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Held until the file is closed.
fn lock(path: &Path) -> Result<File, TlsError> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let locked = options
        .open(path)
        .and_then(|file| file.lock().map(|()| file));
    locked.map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

/// Whole or not at all: under another name first. The key is written last, so a certificate without
/// one is of a process that was stopped, and is made anew.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), TlsError> {
    let unfinished = path.with_extension("new");
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(mode);
    let written = options
        .open(&unfinished)
        .and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// How servers are spoken to.
pub(crate) fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => add_system(&mut roots)?,
        Trust::SystemAnd(pem) => {
            add_system(&mut roots)?;
            add_pem(&mut roots, pem)?;
        }
        Trust::Only(pem) => add_pem(&mut roots, pem)?,
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

/// Single roots that rustls does not read are left out, as everywhere.
fn add_system(roots: &mut RootCertStore) -> Result<(), TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(TlsError::NoRoots);
    }
    Ok(())
}

/// Those that the host trusts, each as RFC 7468 has it.
fn system_pem() -> Result<String, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(found.certs.iter().map(|one| pem(one)).collect())
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    const LINE_CHARS: usize = 64;
    let encoded = BASE64_STANDARD.encode(certificate);
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for (at, character) in encoded.char_indices() {
        text.push(character);
        if (at + 1) % LINE_CHARS == 0 {
            text.push('\n');
        }
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

fn add_pem(roots: &mut RootCertStore, pem: &str) -> Result<(), TlsError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| TlsError::Roots(error.to_string()))?;
        roots.add(certificate)?;
    }
    match roots.len() > before {
        true => Ok(()),
        false => Err(TlsError::Roots("there is none in PEM".to_owned())),
    }
}

/// The name that a server's certificate must bear.
pub(crate) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
        Host::Address(address) => Some(ServerName::from(*address)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn an_authority_stays_the_same_and_its_key_is_its_owners() {
        let directory = tempfile::tempdir().unwrap();
        let first = Authority::open(directory.path()).unwrap();
        let second = Authority::open(directory.path()).unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        let key = fs::metadata(directory.path().join(KEY_FILE)).unwrap();
        assert_eq!(key.mode() & 0o777, 0o600);
    }

    #[test]
    fn half_an_authority_is_none() {
        let directory = tempfile::tempdir().unwrap();
        Authority::open(directory.path()).unwrap();
        fs::remove_file(directory.path().join(CERTIFICATE_FILE)).unwrap();
        assert!(matches!(
            Authority::open(directory.path()),
            Err(TlsError::File { .. })
        ));
    }

    #[test]
    fn one_that_was_never_finished_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let before = Authority::open(directory.path()).unwrap();
        fs::remove_file(directory.path().join(KEY_FILE)).unwrap();
        let after = Authority::open(directory.path()).unwrap();
        assert_ne!(before.certificate_pem(), after.certificate_pem());
        let again = Authority::open(directory.path()).unwrap();
        assert_eq!(after.certificate_pem(), again.certificate_pem());
    }

    #[test]
    fn who_is_trusted_is_named() {
        let good = Authority::make().unwrap().certificate_pem().to_owned();
        assert!(Trust::Only(good).check().is_ok());
        assert!(Trust::Only("no certificate".to_owned()).check().is_err());
    }

    #[test]
    fn certificates_are_kept_and_bounded() {
        let authority = Authority::make().unwrap();
        let host = |n: usize| format!("host-{n}.test").parse::<Host>().unwrap();
        let first = authority.server_config(&host(0)).unwrap();
        assert!(Arc::ptr_eq(
            &first,
            &authority.server_config(&host(0)).unwrap()
        ));
        for n in 1..=MAX_CERTIFICATES {
            authority.server_config(&host(n)).unwrap();
        }
        let kept = authority.configs.lock().unwrap().len();
        assert!(kept <= MAX_CERTIFICATES);
    }

    #[test]
    fn a_certificate_is_written_as_it_is_read() {
        let text = Authority::make().unwrap().certificate_pem().to_owned();
        let read = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        let again = CertificateDer::from_pem_slice(pem(&read).as_bytes()).unwrap();
        assert_eq!(read, again);
        assert!(pem(&read).lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn roots_that_are_none_are_refused() {
        let broken = "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n";
        assert!(client_config(&Trust::Only(broken.to_owned())).is_err());
    }
}
