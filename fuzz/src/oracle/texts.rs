//! The readers of plain texts.

use policy::texts::encodings::encodings;
use policy::texts::hosts::{find_hosts, read_host};
use policy::texts::paths::normal;
use policy::texts::secrets::{find_secrets, redact};
use policy::texts::unicode::{nfkc, skeleton, unicode};

/// Every reader ends; what is normal, canonical or redacted stays so.
pub fn hold(text: &str) {
    let path = normal(text, None);
    let again = normal(&path.value, None);
    assert_eq!(again.value, path.value);
    for host in find_hosts(text).found.iter().chain(read_host(text).iter()) {
        assert!(
            host.name.chars().all(|c| !c.is_ascii_uppercase()),
            "{host:?}"
        );
    }
    assert_eq!(nfkc(&nfkc(text)), nfkc(text));
    assert_eq!(skeleton(&skeleton(text)), skeleton(text));
    let findings = unicode(text);
    assert_eq!(findings.is_empty(), findings.found.is_empty());
    for layer in encodings(text).found {
        assert!(
            (1..=3).contains(&layer.depth) && layer.at <= text.len(),
            "{layer:?}"
        );
    }
    let secrets = find_secrets(text);
    let redacted = redact(text, &secrets);
    for secret in &secrets.found {
        let found = text
            .get(secret.start..secret.end)
            .expect("a secret is a part of its text");
        // The same characters elsewhere in the text need not be a secret there.
        let alone = found.len() >= 16 && text.matches(found).count() == 1;
        assert!(!alone || !redacted.contains(found), "{secret:?}");
    }
}
