//! One value that is meant as a host or URL.
//!
//! The value is split as WHATWG's URL standard splits it; what other programs would take for the
//! host where they differ is not guessed, but called [`Disguise::Ambiguous`].

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::address::{notation, of_name, real_address};
use super::{Disguise, Host, MAX_AUTHORITY_BYTES};
use crate::texts::{percent, unicode};

/// Schemes whose slashes may be any and may lean either way, and whose hosts are percent-decoded.
const SPECIAL: [&str; 5] = ["http", "https", "ws", "wss", "ftp"];

/// Schemes that name no host.
const HOSTLESS: [&str; 8] = [
    "about",
    "blob",
    "data",
    "javascript",
    "mailto",
    "tel",
    "urn",
    "magnet",
];

/// The ports of schemes, for a URL that has none of its own.
const PORTS: [(&str, u16); 24] = [
    ("http", 80),
    ("https", 443),
    ("ws", 80),
    ("wss", 443),
    ("ftp", 21),
    ("ftps", 990),
    ("ssh", 22),
    ("scp", 22),
    ("sftp", 22),
    ("git", 9418),
    ("telnet", 23),
    ("smtp", 25),
    ("smtps", 465),
    ("imap", 143),
    ("imaps", 993),
    ("ldap", 389),
    ("ldaps", 636),
    ("rsync", 873),
    ("mysql", 3306),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("amqp", 5672),
    ("mongodb", 27017),
];

/// Reads a value that is meant as a host, an address, a URL, `host:port`, `user@host:path` or
/// `/dev/tcp/HOST/PORT`. None if it names no host: then the caller knows of no host, which is not
/// the same as there being none.
pub fn read_host(text: &str) -> Option<Host> {
    let (clean, disguise) = cleaned(text);
    if let Some(host) = read_clean(&clean) {
        return Some(host.disguised(disguise));
    }
    // Without a host before the NUL, there may be one for readers that go on behind it.
    let whole = text.contains('\0').then(|| text.replace('\0', ""))?;
    let (clean, rest) = cleaned(&whole);
    let host = read_clean(&clean)?;
    Some(host.disguised(disguise.into_iter().chain(rest)))
}

/// The text says by its form that it is a URL or address.
pub(super) fn is_surely_host(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("//") || text.parse::<IpAddr>().is_ok() || scheme_of(text).is_some()
}

/// The text without what URL readers throw away, and what that was.
fn cleaned(text: &str) -> (Cow<'_, str>, Vec<Disguise>) {
    let mut disguise = Vec::new();
    let mut rest = text.trim_matches(|c: char| c <= ' ');
    if text.bytes().any(|b| b == 0) {
        disguise.push(Disguise::Nul);
        rest = rest.split('\0').next().unwrap_or_default();
        rest = rest.trim_end_matches(|c: char| c <= ' ');
    }
    if text.chars().any(|c| c.is_control() && c != '\0') {
        disguise.push(Disguise::Control);
        let kept = rest.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r'));
        return (Cow::Owned(kept.collect()), disguise);
    }
    (Cow::Borrowed(rest), disguise)
}

fn read_clean(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(of_address(IpAddr::V6(address), None));
    }
    if let Some((helper, address)) = remote_helper(text) {
        return Some(read_remote_helper(helper, address));
    }
    if let Some((scheme, rest)) = scheme_of(text) {
        return read_url(&scheme.to_ascii_lowercase(), rest);
    }
    if let Some(device) = network_device(text) {
        return read_device(device);
    }
    if text.starts_with("//") || text.starts_with("\\\\") {
        let rest = text.trim_start_matches(['/', '\\']);
        let (authority, marks) = authority_of(rest, true);
        let leaning = text.starts_with('\\').then_some(Disguise::BackSlash);
        let host = read_authority(None, authority)?.disguised(marks);
        return Some(host.disguised(leaning).disguised([Disguise::Slashes]));
    }
    read_bare(text)
}

/// `helper::address`, as git has it.
fn remote_helper(text: &str) -> Option<(&str, &str)> {
    let (helper, address) = text.split_once("::")?;
    is_scheme(helper).then_some((helper, address))
}

fn read_remote_helper(helper: &str, address: &str) -> Host {
    let url = scheme_of(address).map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let inner = url.and_then(|(scheme, rest)| read_url(&scheme, rest));
    let helper = helper.to_ascii_lowercase();
    // `http::@evil.example` is a URL for a browser.
    let own = || read_url(&helper, &format!(":{address}")).filter(|_| is_special(&helper));
    let mut host = inner.or_else(own).unwrap_or_else(nameless);
    host.scheme = Some(helper);
    host.disguised([Disguise::RemoteHelper])
}

fn nameless() -> Host {
    Host {
        name: String::new(),
        address: None,
        port: None,
        scheme: None,
        disguise: Vec::new(),
    }
}

fn is_scheme(text: &str) -> bool {
    let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(rest)
}

pub(super) fn is_special(scheme: &str) -> bool {
    SPECIAL.iter().any(|s| s.eq_ignore_ascii_case(scheme))
}

/// The scheme and what follows its colon, if the text is a URL and not `host:port`.
pub(super) fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    if !is_scheme(scheme) {
        return None;
    }
    let hostless = || HOSTLESS.iter().any(|s| s.eq_ignore_ascii_case(scheme));
    let url = rest.starts_with("//") || is_special(scheme) || hostless();
    url.then_some((scheme, rest))
}

fn read_url(scheme: &str, rest: &str) -> Option<Host> {
    let special = is_special(scheme);
    let after = if special {
        rest.trim_start_matches(['/', '\\'])
    } else {
        rest.strip_prefix("//")?
    };
    let slashes = rest.get(..rest.len() - after.len()).unwrap_or_default();
    let (authority, mut marks) = authority_of(after, special);
    if slashes.contains('\\') {
        marks.push(Disguise::BackSlash);
    }
    if slashes.len() != 2 {
        marks.push(Disguise::Slashes);
    }
    if scheme == "file" && (authority.is_empty() || authority.eq_ignore_ascii_case("localhost")) {
        return None;
    }
    Some(read_authority(Some(scheme), authority)?.disguised(marks))
}

/// The authority at the start of `rest`, and what other readers might take in its place.
fn authority_of(rest: &str, special: bool) -> (&str, Vec<Disguise>) {
    let ends = |c: char| matches!(c, '/' | '?' | '#') || (special && c == '\\');
    let (authority, behind) = match rest.find(ends).and_then(|at| rest.split_at_checked(at)) {
        Some(parts) => parts,
        None => (rest, ""),
    };
    let mut marks = Vec::new();
    if authority.contains('\\') || behind.starts_with('\\') {
        marks.push(Disguise::BackSlash);
    }
    let next = behind.split('/').next().unwrap_or_default();
    let late = !behind.starts_with('/') && next.contains('@');
    if late || authority.matches('@').count() > 1 {
        marks.push(Disguise::Ambiguous);
    }
    if authority.len() > MAX_AUTHORITY_BYTES {
        marks.push(Disguise::Overlong);
    }
    (beginning(authority), marks)
}

/// At most [`MAX_AUTHORITY_BYTES`] of the text.
fn beginning(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_AUTHORITY_BYTES);
    text.get(..end).unwrap_or(text)
}

fn read_authority(scheme: Option<&str>, authority: &str) -> Option<Host> {
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    let (written, port) = split_port(place);
    let mut host = read_name(written)?;
    host.scheme = scheme.map(str::to_owned);
    host.port = usual_port(scheme);
    match port {
        None | Some("") => {}
        Some(port) => match port.parse::<u16>() {
            Ok(port) if !written.is_empty() => host.port = Some(port),
            Ok(_) | Err(_) => host.disguise.push(Disguise::Invalid),
        },
    }
    let shown = user.is_some_and(|user| imitates_host(user, scheme));
    Some(host.disguised(shown.then_some(Disguise::UserInfo)))
}

fn usual_port(scheme: Option<&str>) -> Option<u16> {
    let known = PORTS.iter().find(|(name, _)| Some(*name) == scheme)?;
    Some(known.1)
}

/// A plain user name is usual for ssh and the like, but a browser's URL needs none.
fn imitates_host(user: &str, scheme: Option<&str>) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+');
    scheme.is_some_and(is_special) || !user.bytes().all(plain)
}

/// Host and port, with the colons of an address in brackets left alone.
fn split_port(place: &str) -> (&str, Option<&str>) {
    let searched = match place.rfind(']') {
        Some(bracket) if place.starts_with('[') => place.split_at_checked(bracket),
        Some(_) | None => Some(("", place)),
    };
    let (inside, behind) = searched.unwrap_or(("", place));
    match behind.find(':') {
        Some(colon) => {
            let colon = inside.len() + colon;
            let port = place.get(colon + 1..).unwrap_or_default();
            (place.get(..colon).unwrap_or_default(), Some(port))
        }
        None => (place, None),
    }
}

/// Reads the host alone. None if it is empty.
fn read_name(written: &str) -> Option<Host> {
    let (written, zone) = without_zone(written);
    let dotless = written.trim_end_matches(['.', '\u{3002}', '\u{FF0E}', '\u{FF61}']);
    if dotless.is_empty() {
        return (!written.is_empty()).then(|| invalid(&written));
    }
    let mut marks = Vec::new();
    marks.extend(zone.then_some(Disguise::Zone));
    let dots = written
        .get(dotless.len()..)
        .unwrap_or_default()
        .chars()
        .count();
    marks.extend((dots > 0).then_some(Disguise::TrailingDot));
    // One dot at the end is a name of the root; more are an empty label, which no name has.
    marks.extend((dots > 1).then_some(Disguise::Invalid));
    let host = match url::Host::parse(dotless) {
        // Dots that were percent-encoded. The name has no escapes any more, so this happens once.
        Ok(url::Host::Domain(name)) if name.ends_with('.') => {
            marks.push(Disguise::TrailingDot);
            read_name(name.trim_end_matches('.')).unwrap_or_else(|| invalid(dotless))
        }
        Ok(url::Host::Domain(name)) => of_domain(name),
        Ok(url::Host::Ipv4(address)) => of_address(IpAddr::V4(address), Some(dotless)),
        Ok(url::Host::Ipv6(address)) => of_address(IpAddr::V6(address), None),
        Err(_) => invalid(dotless),
    };
    marks.extend(letters(dotless, &host.name));
    Some(host.disguised(marks))
}

/// `[fe80::1%eth0]` without its zone.
fn without_zone(written: &str) -> (Cow<'_, str>, bool) {
    let inside = written.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
    match inside.and_then(|inside| inside.split_once('%')) {
        Some((address, _)) => (Cow::Owned(format!("[{address}]")), true),
        None => (Cow::Borrowed(written), false),
    }
}

fn of_address(address: IpAddr, written: Option<&str>) -> Host {
    let (real, embedding) = real_address(address);
    let mut host = nameless();
    host.name = real.to_string();
    host.address = Some(real);
    let written = written.filter(|w| w.is_ascii() && !w.contains('%'));
    host.disguised(embedding.into_iter().chain(written.and_then(notation)))
}

fn of_domain(name: String) -> Host {
    let (address, mark) = of_name(&name);
    let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let odd = !name.bytes().all(usual) || name.starts_with('.') || name.is_empty();
    let mut host = nameless();
    host.name = name;
    host.address = address;
    host.disguised(mark.into_iter().chain(odd.then_some(Disguise::Invalid)))
}

fn invalid(written: &str) -> Host {
    let mut host = nameless();
    host.name = written.to_lowercase();
    host.disguised([Disguise::Invalid])
}

/// What the letters of a host hide. `name` is what became of them.
fn letters(written: &str, name: &str) -> Vec<Disguise> {
    let mut marks = Vec::new();
    let encoded = written.contains('%');
    marks.extend(encoded.then_some(Disguise::PercentEncoded));
    if written.is_ascii() && !encoded && !name.contains("xn--") {
        return marks;
    }
    let bytes = percent::decode(written.as_bytes());
    let given = String::from_utf8_lossy(&bytes);
    let has = |test: fn(char) -> bool| given.chars().any(test);
    let invisible = has(unicode::is_hidden) || has(unicode::is_bidi);
    marks.extend(invisible.then_some(Disguise::Hidden));
    marks.extend(has(unicode::is_full_width).then_some(Disguise::FullWidth));
    let other_dot = given.contains('\u{3002}');
    let other = other_dot || unicode::nfkc(&given) != given;
    marks.extend(other.then_some(Disguise::Compatibility));
    marks.extend(labels(name));
    marks
}

fn labels(name: &str) -> Vec<Disguise> {
    if !name.contains("xn--") {
        return Vec::new();
    }
    let shown = url::quirks::domain_to_unicode(name);
    let has = |test: fn(&str) -> bool| shown.split('.').any(test);
    let mixed = has(unicode::mixed_script).then_some(Disguise::MixedScript);
    let alike = has(unicode::reads_as_ascii).then_some(Disguise::Confusable);
    mixed.into_iter().chain(alike).collect()
}

/// What follows `/dev/tcp/` or `/dev/udp/`, with which of the two.
fn network_device(text: &str) -> Option<(&'static str, &str)> {
    let tcp = text.strip_prefix("/dev/tcp/").map(|rest| ("tcp", rest));
    tcp.or_else(|| text.strip_prefix("/dev/udp/").map(|rest| ("udp", rest)))
}

fn read_device((scheme, rest): (&str, &str)) -> Option<Host> {
    let mut parts = rest.split('/');
    let name = beginning(parts.next()?);
    let mut host = match name.parse::<Ipv6Addr>() {
        Ok(address) => of_address(IpAddr::V6(address), None),
        Err(_) => read_name(name)?,
    };
    host.scheme = Some(scheme.to_owned());
    host.port = parts.next().and_then(|port| port.parse().ok());
    Some(host)
}

/// A host without a scheme, with what may stand around it.
fn read_bare(text: &str) -> Option<Host> {
    let path = text.starts_with(['/', '~']) || matches!(text.split('/').next(), Some("." | ".."));
    if path || text.contains(' ') {
        return None;
    }
    let (authority, marks) = authority_of(text, true);
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    let (written, behind) = split_port(place);
    let scp = behind.is_some_and(|port| !port.bytes().all(|b| b.is_ascii_digit()))
        || (behind == Some("") && text.len() > authority.len());
    if !scp {
        return Some(read_authority(None, authority)?.disguised(marks));
    }
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let mut host = read_name(written)?;
    host.scheme = Some("scp".to_owned());
    host.port = usual_port(Some("scp"));
    let shown = user.is_some_and(|user| imitates_host(user, None));
    Some(host.disguised(marks.into_iter().chain(shown.then_some(Disguise::UserInfo))))
}
