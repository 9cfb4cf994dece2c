//! What holds for every text: no reader panics, and a normal form is normal.

use proptest::prelude::*;

use super::hosts::Disguise;
use super::{encodings, hosts, paths, secrets, unicode};

/// Pieces of hosts and paths as attackers put them together, and arbitrary characters.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "http",
        "https",
        "ssh",
        "file",
        "ext",
        ":",
        "::",
        "/",
        "//",
        "\\",
        "@",
        ".",
        "..",
        "~",
        "%",
        "%2e",
        "%00",
        "[",
        "]",
        "#",
        "?",
        "127",
        "0x7f",
        "017",
        "1",
        "nip.io",
        "localhost",
        "evil",
        "com",
        "xn--",
        "-",
        "\0",
        "\t",
        "\n",
        " ",
        "proc",
        "self",
        "root",
        "cwd",
        "fd",
        "task",
        "dev",
        "tcp",
        "*",
        "\u{200B}",
        "\u{202E}",
        "ｅ",
        "а",
        "é",
        "\u{301}",
        "文",
        "。",
        "=",
        "YWJjZGVmZ2hpamts",
        "\\x41",
        "password",
        "AKIA",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "'",
        "\"",
        ";",
    ]);
    let piece = prop_oneof![
        4 => pieces.prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn readers_are_total(text in text()) {
        hosts::hosts(&text);
        hosts::read_host(&text);
        paths::normal(&text, Some(&text));
        paths::looks_like_path(&text);
        unicode::unicode(&text);
        unicode::differences(&text);
        encodings::encodings(&text);
        let secrets = secrets::find_secrets(&text);
        for secret in &secrets.found {
            prop_assert!(text.get(secret.start..secret.end).is_some());
        }
        secrets::redact(&text, &secrets);
    }

    #[test]
    fn a_normal_path_is_normal(path in text(), directory in prop::option::of(text())) {
        let once = paths::normal(&path, directory.as_deref());
        let twice = paths::normal(&once.value, None);
        prop_assert_eq!(&once.value, &twice.value);
    }

    #[test]
    fn an_absolute_path_stays_below_the_root(path in text()) {
        let read = paths::normal(&format!("/{path}"), None);
        if read.known {
            prop_assert!(read.value.starts_with('/'));
            prop_assert!(!read.value.split('/').any(|part| part == ".." || part == "."));
        }
    }

    #[test]
    fn the_host_of_a_name_is_itself(text in text()) {
        if let Some(host) = hosts::read_host(&text) {
            let bad = [Disguise::Invalid, Disguise::Overlong, Disguise::RemoteHelper];
            if !host.disguise.iter().any(|d| bad.contains(d)) {
                let again = hosts::read_host(&host.name);
                prop_assert_eq!(Some(&host.name), again.as_ref().map(|h| &h.name));
                prop_assert_eq!(host.address, again.and_then(|h| h.address));
            }
        }
    }

    /// Our splitting of a URL is WHATWG's.
    #[test]
    fn a_host_is_the_one_of_the_standard(rest in text()) {
        let text = format!("http:{rest}");
        let Ok(url) = url::Url::parse(&text) else { return Ok(()) };
        let Some(host) = hosts::read_host(&text) else {
            return Err(TestCaseError::fail(format!("no host in {text:?}")));
        };
        let differs = [Disguise::Nul, Disguise::Zone, Disguise::Invalid, Disguise::Overlong];
        if host.disguise.iter().any(|d| differs.contains(d)) {
            return Ok(());
        }
        match url.host() {
            Some(url::Host::Domain(name)) => prop_assert_eq!(name.trim_end_matches('.'), host.name),
            Some(url::Host::Ipv4(address)) => prop_assert_eq!(Some(address.into()), host.address),
            Some(url::Host::Ipv6(_)) => prop_assert!(host.address.is_some()),
            None => prop_assert!(false, "no host"),
        }
        prop_assert_eq!(url.port_or_known_default(), host.port);
    }

    #[test]
    fn unicode_forms_are_stable(text in any::<String>()) {
        let skeleton = unicode::skeleton(&text);
        prop_assert_eq!(unicode::skeleton(&skeleton), skeleton);
        let nfkc = unicode::nfkc(&text).into_owned();
        prop_assert_eq!(unicode::nfkc(&nfkc), nfkc.as_str());
    }

    #[test]
    fn a_redacted_text_has_none_of_the_secrets(before in text(), after in text()) {
        let secret = format!("gh{}_{}", 'p', "q8Zr51kPw0Tn7Lb3Vy9Xc2Md6Sf4Gh1Jk5Re");
        let text = format!("{before} {secret} {after}");
        let secrets = secrets::find_secrets(&text);
        let kept = secrets::redact(&text, &secrets);
        prop_assert!(!kept.contains(&secret));
    }
}
