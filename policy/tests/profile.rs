//! The profile format: what is read, what is refused, and that the message helps.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::{Backend, Profiles, shipped};

fn text() -> &'static str {
    shipped::PROFILES[0].text
}

fn error(text: &str) -> String {
    Profiles::load([("p/wasm-offline.toml", text)])
        .unwrap_err()
        .to_string()
}

#[test]
fn the_shipped_profile_says_what_the_project_promises() {
    let profiles = support::profiles();
    let profile = profiles.get("wasm-offline").unwrap();
    assert_eq!((profile.rank(), profile.backend()), (10, Backend::Wasm));
    assert_eq!(profile.runtime("python"), Some("python"));
    let limits = profile.limits();
    assert_eq!((limits.wall_ms, limits.memory_bytes), (10_000, 256 << 20));
    assert_eq!(
        (limits.output_bytes, limits.file_bytes, limits.file_count),
        (1 << 20, 16 << 20, 256)
    );
    assert_eq!(
        profile.layers().required().len(),
        13,
        "every layer that there is"
    );
    assert_eq!(profile.layers().landlock.as_ref().unwrap().min_abi, 2);
    assert_eq!(profile.layers().seccomp.as_ref().unwrap().list, "worker");
    assert_eq!(profile.limit_reasons().len(), 7);
}

#[test]
fn a_profile_is_refused_with_line_and_remedy() {
    let line = |wanted: &str| text().lines().position(|l| l.starts_with(wanted)).unwrap() + 1;
    let cases = [
        (
            text().replace("rank = 10", "rnak = 10"),
            line("rank"),
            "unknown field `rnak`",
        ),
        (
            text().replace("rank = 10", "rank = -1"),
            line("rank"),
            "invalid value",
        ),
        (
            text().replace("backend = \"wasm\"", "backend = \"none\""),
            line("backend"),
            "unknown variant `none`",
        ),
        (
            text().replace("version = 1", "version = 3"),
            line("version"),
            "version 3 is not known here; this program reads version 1",
        ),
        (
            text().replace("name = \"wasm-offline\"", "name = \"other\""),
            line("name"),
            "name it as the file, `wasm-offline`",
        ),
        (
            text().replace("max = 10_000", "max = 0"),
            line("[limits.wall_ms]"),
            "`limits.wall_ms.max` is zero",
        ),
        (
            text().replace("[layers.seccomp]", "[layers.seccmop]"),
            line("[layers.seccomp]"),
            "unknown field `seccmop`",
        ),
        (
            text().replace("min_abi = 2", "min_abi = 0"),
            line("[layers.landlock]"),
            "Landlock begins with 1",
        ),
        (
            text().replace("list = \"worker\"", "list = \"../worker\""),
            line("list"),
            "`../worker` is not a name for a seccomp list",
        ),
        (
            text().replace("python = \"python\"", "python = \"a/b\""),
            line("python"),
            "`a/b` is not a name for a runtime",
        ),
        (
            text().replace(
                "python = \"python\"\njavascript = \"javascript\"\ntypescript = \"javascript\"\n",
                "",
            ),
            line("[languages]"),
            "the profile has no language",
        ),
    ];
    for (changed, line, part) in cases {
        let message = error(&changed);
        assert!(
            message.starts_with(&format!("p/wasm-offline.toml:{line}: ")),
            "{message}, wanted line {line}"
        );
        assert!(
            message.contains(part) && !message.contains('\n'),
            "{message}"
        );
    }
}

/// Every limit and layer must say why: drop or empty each in turn.
#[test]
fn nothing_goes_without_its_reason() {
    let whys: Vec<&str> = text()
        .lines()
        .filter(|line| line.starts_with("why = "))
        .collect();
    assert_eq!(whys.len(), 20);
    for why in whys {
        assert!(
            error(&text().replace(why, "")).contains("missing field `why`"),
            "{why}"
        );
        assert!(
            error(&text().replace(why, "why = \" \""))
                .contains("has no reason; say in `why` what it is for"),
            "{why}"
        );
    }
}

#[test]
fn a_profile_without_layers_is_refused() {
    let (head, _) = text().split_once("[layers.user_namespace]").unwrap();
    assert!(error(&format!("{head}[layers]\n")).contains("the profile asks for no layer"));
    assert!(error(head).contains("missing field `layers`"));
}

#[test]
fn names_and_ranks_are_unique() {
    let twice = Profiles::load([
        ("wasm-offline.toml", text()),
        ("b/wasm-offline.toml", text()),
    ])
    .unwrap_err();
    assert!(twice.to_string().contains("is there twice"));
    let other = text().replace("wasm-offline", "other");
    let same_rank =
        Profiles::load([("wasm-offline.toml", text()), ("other.toml", &other)]).unwrap_err();
    assert_eq!(
        same_rank.to_string(),
        "other.toml:1: rank 10 is also that of `wasm-offline`; give each profile its own"
    );
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |text: &str| {
        Profiles::load([("wasm-offline.toml", text)])
            .unwrap()
            .get("wasm-offline")
            .unwrap()
            .digest()
    };
    assert_eq!(digest(text()), digest(&text().replace("# ", "## ")));
    let changes = [
        ("max = 256", "max = 255"),
        ("min_abi = 2", "min_abi = 3"),
        ("\"worker\"", "\"other\""),
        ("= \"python\"", "= \"python2\""),
        ("rank = 10", "rank = 11"),
    ];
    for (from, to) in changes {
        assert!(text().contains(from), "{from}");
        assert_ne!(digest(text()), digest(&text().replace(from, to)), "{from}");
    }
    let (_, without) = text().split_once("[layers.uts_namespace]").unwrap();
    let (_, after) = without.split_once("\n\n").unwrap();
    let (before, _) = text().split_once("[layers.uts_namespace]").unwrap();
    assert_ne!(digest(text()), digest(&format!("{before}{after}")));
}
