//! Hosts in free text: a shell word, an argument, a program's source.
//!
//! Surely hosts are: what follows a scheme, addresses, `localhost`, `host:port`,
//! `user@host:path`, `/dev/tcp/…`, `www.` names, names below the few top-level domains that are no
//! file's ending, and the names that give an address away. Whether any other word is a host, only
//! the program that gets it knows: the caller reads that program's arguments with
//! [`read_host`](super::read_host).

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::of_name;
use super::read::{is_special, read_host};
use super::{Host, Hosts, MAX_AUTHORITY_BYTES, MAX_HOSTS};

/// How many places of a text are read as hosts, those that turn out to be none included.
const MAX_READ: usize = 4 * MAX_HOSTS;

/// How many bytes are looked at behind colons, beyond four times the text's length: hosts are
/// short, and only a text that is made for it (`http:http:http:…`) has more.
const MAX_SCANNED_BYTES: usize = 64 * 1024;

/// How long a scheme can be; the longest that is registered has 36 letters.
const MAX_SCHEME_BYTES: usize = 36;

/// Top-level domains that are seldom the end of a file's or a module's name.
const DOMAINS: [&str; 8] = [
    "com", "org", "net", "edu", "gov", "mil", "onion", "internal",
];

/// Finds the hosts that a text surely names.
pub fn find_hosts(text: &str) -> Hosts {
    let mut search = Search::default();
    if text.contains(':') {
        search.urls(text);
    }
    if text.contains(['.', ':', '@'])
        || contains_ignoring_case(text, "localhost")
        || text.contains("/dev/")
    {
        search.words(text);
    }
    Hosts {
        found: search.found,
        complete: !search.gave_up,
    }
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    let windows = text.as_bytes().windows(word.len());
    windows
        .into_iter()
        .any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
}

#[derive(Default)]
struct Search {
    found: Vec<Host>,
    /// What was read already: the same text names the same host.
    read: HashSet<String>,
    tries: usize,
    scanned: usize,
    gave_up: bool,
}

impl Search {
    fn read(&mut self, candidate: &str) {
        if self.gave_up || self.read.contains(candidate) {
            return;
        }
        self.tries += 1;
        if self.tries > MAX_READ || self.found.len() >= MAX_HOSTS {
            self.gave_up = true;
            return;
        }
        self.read.insert(candidate.to_owned());
        if let Some(host) = read_host(candidate).filter(|host| !self.found.contains(host)) {
            self.found.push(host);
        }
    }

    /// Everything that stands behind a scheme.
    fn urls(&mut self, text: &str) {
        let limit = text
            .len()
            .saturating_mul(4)
            .saturating_add(MAX_SCANNED_BYTES);
        for (colon, _) in text.match_indices(':') {
            let Some((before, behind)) = text.split_at_checked(colon) else {
                continue;
            };
            if let Some(url) = url_at(before, behind.strip_prefix(':').unwrap_or_default()) {
                self.scanned += url.len();
                self.read(&url);
            }
            if self.gave_up || self.scanned > limit {
                self.gave_up = true;
                return;
            }
        }
    }

    /// Words that are hosts without a scheme.
    fn words(&mut self, text: &str) {
        for word in text.split(ends_word).filter(|word| !word.is_empty()) {
            if let Some(candidate) = host_word(word) {
                self.read(candidate);
            }
            if self.gave_up {
                return;
            }
        }
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "'\"`;|&<>(){}=,".contains(c)
}

/// The URL around a colon, cut behind its host.
fn url_at(before: &str, behind: &str) -> Option<String> {
    let scheme = scheme_before(before)?;
    let special = is_special(scheme);
    let rest = behind.trim_start_matches(['/', '\\']);
    let slashes = behind.get(..behind.len() - rest.len()).unwrap_or_default();
    if !(slashes.starts_with("//") || special) {
        return None;
    }
    let authority = authority_before_syntax(rest);
    let begins = |c: char| c.is_alphanumeric() || matches!(c, '[' | '%' | '_') || !c.is_ascii();
    if !authority.starts_with(begins) && !authority.contains('@') {
        return None;
    }
    let slashes = slashes
        .get(..slashes.floor_char_boundary(8))
        .unwrap_or_default();
    Some(format!("{scheme}:{slashes}{authority}"))
}

fn scheme_before(before: &str) -> Option<&str> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let start = before.len().saturating_sub(MAX_SCHEME_BYTES);
    let near = before.get(before.ceil_char_boundary(start)..)?;
    let scheme = near.rsplit(|c| !letter(c)).next()?;
    let scheme = scheme.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    (!scheme.is_empty()).then_some(scheme)
}

/// The authority, up to what cannot be of a host where a text goes on behind it. User info may
/// hold nearly any sign, so that it is only cut off behind its `@`.
fn authority_before_syntax(rest: &str) -> &str {
    // A little more than is read, so that the reader sees when it is too long.
    let near = rest
        .get(..rest.floor_char_boundary(MAX_AUTHORITY_BYTES + 4))
        .unwrap_or_default();
    let ends = |c: char| c == ' ' || c == '\n' || "/\\?#'\"`<>".contains(c);
    let whole = near.split(ends).next().unwrap_or_default();
    let host_at = whole.rfind('@').map_or(0, |at| at + 1);
    let (user, host) = whole.split_at_checked(host_at).unwrap_or(("", whole));
    let ends_host =
        |c: char| c.is_ascii() && !(c.is_ascii_alphanumeric() || "-._:[]%\t\r\0".contains(c));
    let host = host.split(ends_host).next().unwrap_or_default();
    let late = late_at(near, whole);
    whole
        .get(..user.len() + host.len())
        .filter(|_| late.is_none())
        .or(late)
        .unwrap_or(whole)
}

/// With an `@` right behind the authority's end (`good.example\@evil.example`) the part behind it
/// is kept, so that the reader can say that programs differ about it.
fn late_at<'a>(near: &'a str, whole: &str) -> Option<&'a str> {
    let behind = near.get(whole.len()..)?;
    if !behind.starts_with(['\\', '?', '#']) {
        return None;
    }
    let segment = behind
        .split(|c: char| c.is_whitespace() || "/'\"`<>".contains(c))
        .next()?;
    segment
        .contains('@')
        .then(|| near.get(..whole.len() + segment.len()))?
}

/// The part of a word that is a host without a scheme.
fn host_word(word: &str) -> Option<&str> {
    if word.starts_with("/dev/tcp/") || word.starts_with("/dev/udp/") {
        return Some(word);
    }
    if word.contains("://") || word.starts_with(['/', '.', '~', '-']) {
        return None;
    }
    let first = word.split(['/', '?', '#', '\\']).next()?;
    let place = first.rsplit_once('@').map_or(first, |(_, place)| place);
    if let Some((user, rest)) = first.rsplit_once('@')
        && let Some((name, path)) = rest.split_once(':')
    {
        let plain = is_plain_name(name) && !user.is_empty();
        let remote = !path.is_empty() || first.len() < word.len();
        return (plain && remote).then_some(word);
    }
    (is_host(place) && !first.contains('@')).then_some(first)
}

/// The place is surely a host, with a port or without.
fn is_host(place: &str) -> bool {
    if place.starts_with('[') {
        let end = place.find(']').unwrap_or(0);
        let inside = place.get(1..end).unwrap_or_default();
        let address = inside.split('%').next().unwrap_or_default();
        return address.parse::<Ipv6Addr>().is_ok();
    }
    if let Ok(address) = place.parse::<IpAddr>() {
        // `a::b` is a name in some languages.
        return address.is_ipv4() || place.bytes().any(|b| b.is_ascii_digit());
    }
    let (name, port) = match place.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (place, None),
    };
    let name = name.trim_end_matches('.');
    let known_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
    if port.is_some() && !known_port {
        return false;
    }
    name.parse::<Ipv4Addr>().is_ok() || is_host_name(name, known_port)
}

fn is_host_name(name: &str, port: bool) -> bool {
    if !is_plain_name(name) {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let (known, _) = of_name(&lower);
    if known.is_some() && (lower.contains('.') || lower == "localhost") {
        return true;
    }
    let Some((rest, domain)) = lower.rsplit_once('.') else {
        return false;
    };
    let letters = domain.len() > 1 && domain.bytes().all(|b| b.is_ascii_lowercase());
    rest.starts_with("www.")
        || DOMAINS.contains(&domain)
        || (port && letters && !is_file_name(domain))
}

/// Letters, digits, dots and dashes, or letters of any other script.
fn is_plain_name(name: &str) -> bool {
    let usual =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii();
    !name.is_empty() && name.len() <= MAX_AUTHORITY_BYTES && name.chars().all(usual)
}

/// `file.py:12` is a line of a file.
fn is_file_name(ending: &str) -> bool {
    const SOURCES: [&str; 22] = [
        "py", "js", "ts", "rs", "go", "sh", "md", "rb", "pl", "java", "cpp", "hpp", "cc", "cs",
        "php", "txt", "log", "json", "toml", "yml", "yaml", "html",
    ];
    SOURCES.contains(&ending)
}
