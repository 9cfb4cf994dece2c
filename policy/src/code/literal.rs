//! What a literal text looks like: the path of a file, an address of the network. And a word in
//! quotes for a shell.
//!
//! A guess that prefers to say yes; total, and linear in the text.

/// The longest text that is looked at: longer than any path of Linux.
const MAX_LOOKED_AT_BYTES: usize = 4_096;
/// Endings of names that are files wherever they stand.
const ENDINGS: &[&str] = &[
    "txt", "csv", "json", "jsonl", "py", "js", "ts", "sh", "so", "db", "sqlite", "log", "env",
    "yml", "yaml", "toml", "ini", "cfg", "conf", "xml", "html", "md", "pem", "key", "crt", "zip",
    "tar", "gz", "bz2", "xz", "7z", "pkl", "pickle", "npy", "parquet", "xlsx", "pdf", "png", "jpg",
    "jpeg", "gif", "bin", "exe", "bat", "tmp", "bak", "lock", "service", "desktop",
];
/// Endings of host names that are no endings of files.
const DOMAINS: &[&str] = &[
    "com",
    "org",
    "net",
    "io",
    "dev",
    "app",
    "cn",
    "ru",
    "de",
    "uk",
    "eu",
    "fr",
    "jp",
    "in",
    "xyz",
    "top",
    "info",
    "biz",
    "me",
    "ai",
    "gov",
    "edu",
    "mil",
    "int",
    "onion",
    "local",
    "internal",
    "localhost",
    "test",
    "example",
    "site",
    "online",
    "cloud",
    "tech",
    "us",
    "co",
    "arpa",
];

/// The address in a text, if there is one.
pub(super) fn host(text: &str) -> Option<&str> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_LOOKED_AT_BYTES {
        return None;
    }
    if let Some((before, after)) = text.split_once("://") {
        let scheme = before.rsplit(|c: char| !is_scheme(c)).next().unwrap_or("");
        if scheme.is_empty() || after.is_empty() {
            return None;
        }
        let start = before.len() - scheme.len();
        let address = text.get(start..).unwrap_or(text);
        return address.split_whitespace().next();
    }
    is_host(text).then_some(text)
}

fn is_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

/// A name or an address, with or without a port.
fn is_host(text: &str) -> bool {
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        Some(_) | None => text,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let mut labels = name.trim_end_matches('.').split('.');
    let proper = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    name.contains('.')
        && labels.all(proper)
        && DOMAINS.contains(&last.to_ascii_lowercase().as_str())
}

/// The text, if it looks like the path of a file.
pub(super) fn path(text: &str) -> Option<&str> {
    if text.is_empty() || text.len() > MAX_LOOKED_AT_BYTES || text.contains("://") {
        return None;
    }
    if text.contains(['\n', '\r', '\0', '<', '>', '|']) {
        // A path of Linux may hold these; one that starts like a path is kept.
        return text.starts_with(['/', '~']).then_some(text);
    }
    let rooted = text.starts_with(['/', '~']) || text.starts_with("./") || text.starts_with("../");
    let drive = text
        .get(1..3)
        .is_some_and(|colon| colon == ":\\" || colon == ":/");
    let inner = (text.contains('/') || text.contains('\\')) && !text.contains(' ');
    if rooted || drive || inner || text == ".." || text == "." || is_file_name(text) {
        return Some(text);
    }
    None
}

fn is_file_name(text: &str) -> bool {
    let hidden = text.len() > 2 && text.starts_with('.') && !text.contains(' ');
    match text.rsplit_once('.') {
        Some((name, ending)) => {
            hidden || (!name.is_empty() && ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
        }
        None => false,
    }
}

/// A word in quotes, where a shell would read it as something else.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.contains('=') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_hosts() {
        for text in [
            "http://a.example/x",
            "10.0.0.1",
            "10.0.0.1:80",
            "[::1]:8080",
            "evil.com",
            "localhost",
            "metadata.google.internal.",
            "see https://x.dev now",
        ] {
            assert!(host(text).is_some(), "{text}");
        }
        for text in ["os.path", "main.py", "a b", "", "1.5", "://", "hello"] {
            assert_eq!(host(text), None, "{text}");
        }
        assert_eq!(host("see https://x.dev now"), Some("https://x.dev"));
    }

    #[test]
    fn finds_paths() {
        for text in [
            "/etc/passwd",
            "~/.ssh/id_rsa",
            "../x",
            "data.csv",
            ".env",
            "a/b",
            "C:\\x",
            "..",
        ] {
            assert!(path(text).is_some(), "{text}");
        }
        for text in ["", "hello", "a b/c", "http://x.com/a", "3.14", "x"] {
            assert_eq!(path(text), None, "{text}");
        }
    }

    #[test]
    fn quotes_words() {
        assert_eq!(quoted("ls"), "ls");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("A=1"), "'A=1'");
    }
}
