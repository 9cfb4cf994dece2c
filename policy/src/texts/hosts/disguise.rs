//! The ways in which a text makes one host look like another.

/// One such way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disguise {
    /// An address as one decimal number.
    DecimalAddress,
    /// An address with octal parts.
    OctalAddress,
    /// An address with hexadecimal parts.
    HexAddress,
    /// An address with fewer than four parts.
    ShortAddress,
    /// An IPv4 address mapped into IPv6 (`::ffff:127.0.0.1`).
    MappedAddress,
    /// An IPv4 address in the old compatible form (`::127.0.0.1`).
    CompatibleAddress,
    /// An IPv4 address behind the NAT64 prefix.
    Nat64Address,
    /// An IPv4 address in 6to4.
    SixToFourAddress,
    /// An IPv4 address in Teredo.
    TeredoAddress,
    /// An IPv4 address in ISATAP.
    IsatapAddress,
    /// An IPv6 address with a zone.
    Zone,
    /// A public name that resolves to an address written in it, or to the local host.
    EmbeddedAddress,
    /// Another name of the local host or of a metadata service.
    Alias,
    /// Something before an `@` that could be taken for the host.
    UserInfo,
    /// Programs read this text as different hosts (`@` twice, or behind `\`, `?` or `#`).
    Ambiguous,
    /// A dot at the end.
    TrailingDot,
    /// Back-slashes in place of slashes.
    BackSlash,
    /// Not exactly two slashes behind the scheme.
    Slashes,
    /// Tabs, line ends or other control characters.
    Control,
    /// A NUL byte, at which programs in C stop reading.
    Nul,
    /// Percent-encoded characters in the host.
    PercentEncoded,
    /// Invisible characters in the host.
    Hidden,
    /// Full-width characters in the host.
    FullWidth,
    /// Other forms of ASCII characters in the host.
    Compatibility,
    /// A label whose letters are from scripts that do not go together.
    MixedScript,
    /// A label of another script that can be taken for ASCII.
    Confusable,
    /// `helper::address`, by which git runs a helper program.
    RemoteHelper,
    /// Longer than a host can be; the name is only its beginning.
    Overlong,
    /// Not a valid host or port; the name is what is written.
    Invalid,
}

impl Disguise {
    /// The name in facts and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DecimalAddress => "decimal-address",
            Self::OctalAddress => "octal-address",
            Self::HexAddress => "hex-address",
            Self::ShortAddress => "short-address",
            Self::MappedAddress => "mapped-address",
            Self::CompatibleAddress => "compatible-address",
            Self::Nat64Address => "nat64-address",
            Self::SixToFourAddress => "six-to-four-address",
            Self::TeredoAddress => "teredo-address",
            Self::IsatapAddress => "isatap-address",
            Self::Zone => "zone",
            Self::EmbeddedAddress => "embedded-address",
            Self::Alias => "alias",
            Self::UserInfo => "user-info",
            Self::Ambiguous => "ambiguous",
            Self::TrailingDot => "trailing-dot",
            Self::BackSlash => "back-slash",
            Self::Slashes => "slashes",
            Self::Control => "control",
            Self::Nul => "nul",
            Self::PercentEncoded => "percent-encoded",
            Self::Hidden => "hidden",
            Self::FullWidth => "full-width",
            Self::Compatibility => "compatibility",
            Self::MixedScript => "mixed-script",
            Self::Confusable => "confusable",
            Self::RemoteHelper => "remote-helper",
            Self::Overlong => "overlong",
            Self::Invalid => "invalid",
        }
    }
}
