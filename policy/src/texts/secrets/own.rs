//! Rules of our own: formats that the shipped data does not have, and the general ones (a password
//! that is assigned, credentials in a URL or header), which there look at files and paths too.

use super::{MAX_SECRETS, Secret};

/// A rule in this file.
pub(super) struct Own {
    pub(super) kind: &'static str,
    /// In lower case; without one of them in the text the rule is not run.
    pub(super) keywords: &'static [&'static str],
    /// The first group that matches is the secret.
    pub(super) regex: &'static str,
    /// Bits a byte.
    pub(super) entropy: f64,
    /// The secret must have letters and digits.
    pub(super) mixed: bool,
    /// What is no secret.
    pub(super) not: &'static [&'static str],
}

/// Words that stand where a password would.
const PLACEHOLDERS: &[&str] = &[
    r"(?i)^(?:your|my|the|some|example|sample|dummy|fake|changeme|change_me|placeholder|redacted|xxx|todo|none|null|undefined)",
    r"(?i)(?:example|placeholder|changeme)$",
    r"^[$<{%\[(]",
    r"^[*.x_-]+$",
    r"^(?:\.{0,2}/|~/|https?:|s3:)",
    r"(?i)^[a-z_]+(?:\.[a-z_]+)+$",
];

/// The rules.
pub(super) const OWN: &[Own] = &[
    Own {
        kind: "aws-secret-key",
        keywords: &["aws"],
        regex: r#"(?i)aws[\w.-]{0,20}secret[\w.-]{0,20}["']?\s{0,3}(?:=>|:=|[=:]|\s)\s{0,3}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
        entropy: 3.0,
        mixed: false,
        not: &[r"EXAMPLEKEY$"],
    },
    Own {
        kind: "azure-storage-key",
        keywords: &["accountkey=", "sharedaccesskey="],
        regex: r"(?i)(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{42,86}={0,2})",
        entropy: 3.0,
        mixed: false,
        not: &[],
    },
    Own {
        kind: "azure-sas-signature",
        keywords: &["sig="],
        regex: r"(?i)[?&]sig=([A-Za-z0-9%+/]{43,60}(?:%3D|=)?)",
        entropy: 3.0,
        mixed: false,
        not: &[],
    },
    Own {
        kind: "gcp-oauth-token",
        keywords: &["ya29."],
        regex: r"\b(ya29\.[A-Za-z0-9_-]{20,})",
        entropy: 3.0,
        mixed: false,
        not: &[],
    },
    Own {
        kind: "gcp-oauth-client-secret",
        keywords: &["gocspx-"],
        regex: r"\b(GOCSPX-[A-Za-z0-9_-]{28})",
        entropy: 3.0,
        mixed: false,
        not: &[],
    },
    Own {
        kind: "openai-api-key",
        keywords: &["sk-proj-", "sk-svcacct-", "sk-admin-"],
        regex: r"\b(sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,})",
        entropy: 3.0,
        mixed: false,
        not: &[],
    },
    Own {
        kind: "anthropic-api-key",
        keywords: &["sk-ant-"],
        regex: r"\b(sk-ant-[a-z]{3,8}\d\d-[A-Za-z0-9_-]{40,})",
        entropy: 3.0,
        mixed: false,
        not: &[],
    },
    Own {
        kind: "url-credentials",
        keywords: &["://"],
        regex: r#"(?i)[a-z][a-z0-9+.-]{1,30}://[^\s/:@"'<>?#]{0,128}:([^\s/@"'<>]{3,256})@"#,
        entropy: 0.0,
        mixed: false,
        not: &[
            r"^[$<{%*\[]",
            r"(?i)^(?:pass|password|passwd|pwd|secret|token|xxx+|\*+)$",
        ],
    },
    Own {
        kind: "authorization-header",
        keywords: &["authorization"],
        regex: r#"(?i)(?:proxy-)?authorization["']?\s{0,3}[:=]\s{0,3}["']?(?:(?:basic|bearer|token|apikey|digest)\s{1,3})?([A-Za-z0-9+/_.=~-]{8,2048})"#,
        entropy: 2.5,
        mixed: false,
        not: PLACEHOLDERS,
    },
    Own {
        kind: "api-key-header",
        keywords: &["x-api-key", "api-key:", "x-auth-token", "private-token"],
        regex: r#"(?i)(?:x-api-key|api-key|x-auth-token|private-token)["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9+/_.=~-]{8,512})"#,
        entropy: 2.5,
        mixed: false,
        not: PLACEHOLDERS,
    },
    Own {
        kind: "curl-user",
        keywords: &["curl"],
        regex: r#"\bcurl\b[^\n|;&]{0,512}?\s(?:-u|--user|-U|--proxy-user)[\s=]{0,3}["']?[^\s:"'$]{1,128}:([^\s"'$<{]{3,128})"#,
        entropy: 1.5,
        mixed: false,
        not: PLACEHOLDERS,
    },
    Own {
        kind: "password",
        keywords: &[
            "passw",
            "pwd",
            "secret",
            "token",
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "accesskey",
            "access-key",
            "credential",
            "auth_key",
            "private_key",
            "passphrase",
        ],
        regex: r#"(?i)[\w.-]{0,40}?(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|credentials?)[\w-]{0,20}["']?\s{0,3}(?:=>|:=|=|:)\s{0,3}["']?([^\s"'`;&|<>(){}\[\],\\$]{8,256})"#,
        entropy: 2.8,
        mixed: true,
        not: PLACEHOLDERS,
    },
    Own {
        kind: "password",
        keywords: &["--pass", "--token", "--secret", "--api-key", "--apikey"],
        regex: r#"(?i)--(?:pass(?:word|wd|phrase)?|token|secret|api-?key)[\w-]{0,20}\s{1,3}["']?([^\s"'`;&|<>(){}\[\],\\$-][^\s"'`;&|<>(){}\[\],\\$]{7,255})"#,
        entropy: 2.8,
        mixed: true,
        not: PLACEHOLDERS,
    },
];

/// Finds private keys, from their first line to the last: longer than any window around a
/// keyword. One without a last line goes to the end of the text.
pub(super) fn private_keys(text: &str, found: &mut Vec<Secret>) {
    const FIRST: &str = "-----BEGIN";
    const KEY: &str = "PRIVATE KEY";
    /// How long the first line's words may be (`OPENSSH PRIVATE KEY`).
    const MAX_TITLE: usize = 64;
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find(FIRST)) {
        let start = from + start;
        let behind = start + FIRST.len();
        let titled = text.get(behind..text.floor_char_boundary(behind + MAX_TITLE));
        let title = titled
            .unwrap_or_default()
            .split("-----")
            .next()
            .unwrap_or_default();
        from = behind;
        if title.contains(KEY) {
            from = end_of_key(text, behind);
            found.push(Secret {
                kind: "private-key",
                start,
                end: from,
            });
        }
        if found.len() > MAX_SECRETS {
            // All of the rest, since more keys may follow.
            found.push(Secret {
                kind: "private-key",
                start,
                end: text.len(),
            });
            return;
        }
    }
}

fn end_of_key(text: &str, from: usize) -> usize {
    const LAST: &str = "-----END";
    let rest = text.get(from..).unwrap_or_default();
    let Some(last) = rest.find(LAST) else {
        return text.len();
    };
    let line = rest.get(last + LAST.len()..).unwrap_or_default();
    match line.find("-----") {
        Some(dashes) if !line.get(..dashes).unwrap_or_default().contains('\n') => {
            from + last + LAST.len() + dashes + "-----".len()
        }
        Some(_) | None => text.len(),
    }
}
