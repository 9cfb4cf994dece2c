use super::UnicodeKind::*;
use super::*;

fn kinds(text: &str) -> Vec<UnicodeKind> {
    unicode(text).kinds().collect()
}

#[test]
fn ordinary_text_is_no_finding() {
    for text in [
        "ls -la\n\tx\r\n",
        "Größenänderung für Straße, naïve façade, cœur, Ærø, kapı",
        "съешь же ещё этих мягких французских булок, а он, сор",
        "Ο Σωκράτης είπε: α και β",
        "你好，世界！（测试）：请使用GitHub，谢谢。ＡＢ２０２４年",
        "日本語のテキスト、カタカナ　全角スペース「引用」",
        "한국어 텍스트입니다",
        "שלום עולם\u{200F}! (טקסט)",
        "مرحبا بالعالم ١٢٣، می‌خواهم",
        "क्षत्रिय क्‍ष",
        "👩‍👩‍👧 ❤️ 👍🏽 1️⃣ 🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} 🏳️‍🌈",
        "“quotes” – dash — … ½ 10² m³ 5 µm Δx 3 × 4 © ™ № 20 °C",
        "e\u{301}te\u{301}",
        "葛\u{E0100}城市",
    ] {
        assert_eq!(unicode(text), UnicodeFindings::default(), "{text}");
    }
}

#[test]
fn each_kind_is_found() {
    for (text, kind) in [
        ("r\u{200B}m -rf", Hidden),
        ("rm\u{2060} x", Hidden),
        ("a\u{AD}b", Hidden),
        ("hi\u{E0072}\u{E006D}", Hidden),
        ("a\u{FE0F}b", Hidden),
        ("👍\u{FE0F}\u{FE01}\u{E0110}", Hidden),
        ("x\u{3164}=1", Hidden),
        ("\u{FEFF}rm", Hidden),
        ("a\u{200D}b", Hidden),
        ("x \u{2063} y", Hidden),
        ("a\u{202E}txt.exe", Bidi),
        ("a\u{2066}b\u{2069}", Bidi),
        ("abc\u{200E}def", Bidi),
        ("a\0b", Control),
        ("a\x1b[2K", Control),
        ("a\x7f", Control),
        ("a\u{85}b", Control),
        ("a\u{2028}b", Control),
        ("cаt /etc/passwd", MixedScript),
        ("pαypal", MixedScript),
        ("ѕсоре x", Confusable),
        ("bɑsh", Confusable),
        ("a∕b", Confusable),
        ("ｒｍ -rf", FullWidth),
        ("a；b", FullWidth),
        ("𝐫𝐦 -rf", Compatibility),
        ("ﬁnd", Compatibility),
        ("ⓡⓜ", Compatibility),
        ("ſudo", Compatibility),
    ] {
        assert_eq!(kinds(text), [kind], "{text:?}");
    }
}

#[test]
fn places_and_examples_are_readable() {
    let found = unicode("é r\u{200B}m").found;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].at, found[0].example.as_str()), (3, "\\u{200b}"));
    let word = unicode("run cаt").found;
    assert_eq!((word[0].at, word[0].example.as_str()), (4, "c\\u{430}t"));
}

#[test]
fn lists_end_and_counts_do_not() {
    let findings = unicode(&"a\u{200B}".repeat(1000));
    assert_eq!(findings.found.len(), MAX_LISTED);
    assert_eq!(findings.count(Hidden), 1000);
    let words = "сор ".repeat(100);
    assert_eq!(unicode(&words).count(Confusable), 100);
}

#[test]
fn a_flag_ends_where_it_ends() {
    let hidden = "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}\u{E0041}";
    assert_eq!(unicode(hidden).count(Hidden), 1);
    assert_eq!(unicode("🏴\u{E0072}\u{E006D}\u{E007F}").count(Hidden), 3);
}

#[test]
fn names_are_held_to_a_stricter_measure() {
    assert!(!differences("cat").any());
    assert!(!differences("größe").any());
    assert!(!differences("数据").any());
    assert!(differences("cаt").reading);
    assert!(differences("сор").reading);
    assert!(differences("ｃat").nfkc);
    assert!(differences("c\u{200B}at").hidden);
    assert_eq!(ascii_reading("с\u{200B}аt"), "cat");
    assert_eq!(ascii_reading("ｒｍ"), "rm");
    assert_eq!(nfkc("ｒｍ"), "rm");
    assert_eq!(skeleton("сат"), skeleton("caт"));
    assert_eq!(skeleton("раураl"), skeleton("paypal"));
}
