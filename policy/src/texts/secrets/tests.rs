use super::*;

/// Letters and digits that look random, made here so that no secret stands in this file.
fn random(length: usize, alphabet: &str) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        letters[usize::try_from(state >> 33).unwrap() % letters.len()]
    };
    (0..length).map(|_| next()).collect()
}

const ALL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &str = "0123456789abcdef";

/// A secret of each kind that must be known.
fn examples() -> Vec<(&'static str, String)> {
    let all = |n| random(n, ALL);
    let b64 = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let jwt = format!(
        "{}.{}.{}",
        b64("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
        b64("{\"sub\":\"1234567890\",\"name\":\"x\"}"),
        all(43)
    );
    let openai = format!("sk-{}T3Blbk{}{}", all(20), "FJ", random(20, HEX));
    vec![
        (
            "aws-access-token",
            format!("AK{}{}", "IA", random(16, UPPER)),
        ),
        ("gcp-api-key", format!("AI{}{}", "za", all(35))),
        ("gcp-oauth-token", format!("ya{}.{}", 29, all(40))),
        (
            "azure-ad-client-secret",
            format!("{}8{}{}", "abc", "Q~", all(34)),
        ),
        ("github-pat", format!("gh{}_{}", 'p', all(36))),
        (
            "github-fine-grained-pat",
            format!("github{}_{}", "_pat", all(82)),
        ),
        ("gitlab-pat", format!("gl{}-{}", "pat", all(20))),
        (
            "slack-bot-token",
            format!(
                "xo{}-{}-{}-{}",
                "xb",
                "123456789012",
                "123456789012",
                all(24)
            ),
        ),
        ("stripe-access-token", format!("sk{}_{}", "_live", all(24))),
        ("openai-api-key", openai),
        ("openai-api-key", format!("sk-{}-{}", "proj", all(120))),
        (
            "anthropic-api-key",
            format!("sk-{}-api03-{}AA", "ant", all(93)),
        ),
        (
            "npm-access-token",
            format!(
                "np{}_{}",
                'm',
                random(36, "abcdefghijklmnopqrstuvwxyz0123456789")
            ),
        ),
        (
            "pypi-upload-token",
            format!("pypi-{}{}", "AgEIcHlwaS5vcmc", all(60)),
        ),
        ("jwt", jwt),
    ]
}

fn found(text: &str) -> Vec<(&'static str, &str)> {
    let secrets = find_secrets(text);
    assert!(secrets.complete, "{text}");
    let shown = |secret: &Secret| (secret.kind, &text[secret.start..secret.end]);
    secrets.found.iter().map(shown).collect()
}

#[test]
fn every_rule_compiles() {
    for detector in Rules::get().detectors() {
        assert!(detector.regex().is_some(), "{}", detector.kind());
    }
    assert!(Rules::get().is_whole());
    assert!(Rules::get().detectors().len() > 200);
}

#[test]
fn each_kind_is_found_and_redacted() {
    for (kind, secret) in examples() {
        for text in [
            secret.clone(),
            format!("export X=\"{secret}\""),
            format!("a\n{secret} b"),
        ] {
            assert_eq!(found(&text), [(kind, secret.as_str())]);
            let kept = redact(&text, &find_secrets(&text));
            assert!(!kept.contains(&secret[4..]), "{kept}");
            assert!(kept.contains(&format!("[redacted {kind}]")), "{kept}");
        }
    }
}

#[test]
fn what_is_assigned_or_sent_is_found() {
    let key = random(40, ALL);
    for (text, kind, secret) in [
        (
            format!("AWS_SECRET_ACCESS_KEY={key}"),
            "aws-secret-key",
            key.as_str(),
        ),
        (
            format!("AccountName=x;AccountKey={key}{key}==;"),
            "azure-storage-key",
            &format!("{key}{key}=="),
        ),
        (
            "DB_PASSWORD=hunter2xyz!9".to_owned(),
            "password",
            "hunter2xyz!9",
        ),
        (
            "{\"api_key\": \"q8Zr51kPw0\"}".to_owned(),
            "password",
            "q8Zr51kPw0",
        ),
        (
            "mysql --password hunter2xyz9 x".to_owned(),
            "password",
            "hunter2xyz9",
        ),
        (
            "psql postgres://me:s3cr3t-x@db/x".to_owned(),
            "url-credentials",
            "s3cr3t-x",
        ),
        (
            "curl -u admin:Tr0ub4dor http://x".to_owned(),
            "curl-user",
            "Tr0ub4dor",
        ),
        (
            format!("curl -H 'Authorization: Bearer {key}'"),
            "authorization-header",
            &key,
        ),
        (format!("-H 'X-Api-Key: {key}'"), "api-key-header", &key),
    ] {
        assert_eq!(found(&text), [(kind, secret)], "{text}");
    }
}

#[test]
fn placeholders_are_no_secrets() {
    for text in [
        "PASSWORD=$DB_PASSWORD TOKEN=${TOKEN} SECRET={{ secret }}",
        "password = os.environ['PASSWORD']",
        "password: your_password_1 token=<token1> api_key=changeme123",
        "https://user:password@host/ https://$USER:$PASS@host/",
        "token = tokenizer.next_token secret_path=/etc/secrets/x1",
        "AKIAIOSFODNN7EXAMPLE",
        "passwd -l user; cat /etc/passwd; awk -F: '{print $1}' /etc/passwd",
        "key=value sort -k2 --key=3",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn a_private_key_goes_to_its_last_line() {
    let begin = format!("-----BEGIN {} KEY-----", "RSA PRIVATE");
    let end = format!("-----END {} KEY-----", "RSA PRIVATE");
    let body = format!("{}\n", random(64, ALL)).repeat(60);
    let whole = format!("{begin}\n{body}{end}");
    assert_eq!(
        found(&format!("x {whole} y")),
        [("private-key", whole.as_str())]
    );
    let cut = format!("{begin}\n{body}");
    assert_eq!(found(&cut), [("private-key", cut.as_str())]);
    assert_eq!(found("-----BEGIN CERTIFICATE-----\nMIIB"), []);
}

#[test]
fn a_long_secret_is_taken_whole() {
    let token = format!(
        "eyJ{}.eyJ{}.{}",
        random(30, ALL),
        random(4000, ALL),
        random(40, ALL)
    );
    let text = format!("x {token} y");
    let kept = redact(&text, &find_secrets(&text));
    assert_eq!(kept, "x [redacted jwt] y");
}

#[test]
fn a_search_that_gives_up_redacts_everything() {
    let words: String = Rules::get()
        .detectors()
        .iter()
        .map(|detector| detector.kind())
        .collect();
    let text = format!("{} ", words.replace('-', "_")).repeat(400);
    let secrets = find_secrets(&text);
    if !secrets.complete {
        assert_eq!(redact(&text, &secrets), "[redacted unsearched]");
    }
    let incomplete = Secrets {
        found: Vec::new(),
        complete: false,
    };
    assert_eq!(redact("x", &incomplete), "[redacted unsearched]");
}
