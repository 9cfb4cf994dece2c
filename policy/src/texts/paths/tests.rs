use super::PathDisguise::*;
use super::*;

fn value(path: &str) -> String {
    normal(path, Some("/work")).value
}

fn disguise(path: &str) -> Vec<PathDisguise> {
    normal(path, Some("/work")).disguise
}

#[test]
fn ordinary_paths_are_not_disguised() {
    for path in [
        "/etc/passwd",
        "src/main.rs",
        "./a",
        "a//b",
        "/usr/lib/x86_64-linux-gnu",
        "été/ñandú.txt",
        "文件/数据.csv",
        "Makefile",
        "/proc/meminfo",
        "/proc/self/status",
        "/dev/null",
    ] {
        assert_eq!(disguise(path), [], "{path}");
        assert!(normal(path, None).known, "{path}");
        assert!(!normal(path, Some("/work")).escapes, "{path}");
    }
}

#[test]
fn steps_are_taken() {
    assert_eq!(value("/a/./b//../c/"), "/a/c");
    assert_eq!(value("a/../b"), "/work/b");
    assert_eq!(value("../x"), "/x");
    assert_eq!(value(""), "/work");
    assert_eq!(normal("a/../../b", None).value, "../b");
    assert_eq!(normal("..", None).value, "..");
    assert_eq!(normal("a/..", None).value, ".");
    assert_eq!(normal("x", Some("~/p")).value, "~/p/x");
    assert_eq!(normal("../../../x", Some("~/p")).value, "~/../../x");
    assert_eq!(normal("./~root/x", None).value, "./~root/x");
}

#[test]
fn climbing_is_seen() {
    let escapes = |path| normal(path, Some("/work/sub")).escapes;
    assert!(escapes("../x"));
    assert!(
        escapes("a/../../sub/x"),
        "back in, but through a sibling's parent"
    );
    assert!(escapes("/../etc"));
    assert!(escapes("~/../x"));
    assert!(!escapes("a/../x"));
    assert!(!escapes("/etc/../usr"));
    assert!(!normal("x", Some("/a/../b")).escapes);
}

#[test]
fn a_process_root_is_the_root() {
    for path in [
        "/proc/self/root/etc/shadow",
        "/proc/1/root/etc/shadow",
        "/proc/thread-self/root/etc/shadow",
        "/proc/self/task/77/root/etc/shadow",
        "//proc/./self//root/etc/shadow",
        "/proc/1/root/proc/self/root/etc/shadow",
        "/dev/../proc/1/root/etc/shadow",
        "/proc/$$/root/etc/shadow",
        "/proc/[0-9]*/root/etc/shadow",
    ] {
        let read = normal(path, None);
        assert_eq!(read.value, "/etc/shadow", "{path}");
        assert!(read.disguise.contains(&ProcRoot), "{path}");
        assert!(read.known, "{path}");
    }
    assert_eq!(value("/proc/rooted/root/x"), "/proc/rooted/root/x");
    assert_eq!(normal("proc/self/root/etc", Some("/")).value, "/etc");
    assert_eq!(value("/proc/self/root/../etc"), "/etc");
}

#[test]
fn a_process_directory_is_unknown() {
    for (path, expected) in [
        ("/proc/self/cwd/x", ProcCwd),
        ("/proc/self/cwd/../../etc/shadow", ProcCwd),
        ("/proc/7/exe", ProcCwd),
        ("/dev/fd/3", OpenFile),
        ("/proc/self/fd/3/../x", OpenFile),
    ] {
        let read = normal(path, None);
        assert!(!read.known, "{path}");
        assert!(read.disguise.contains(&expected), "{path}");
        assert_eq!(read.value, path, "nothing is resolved behind it");
    }
}

#[test]
fn each_disguise_has_its_name() {
    for (path, expected) in [
        ("~/.ssh/id_rsa", Home),
        ("~root/x", Home),
        ("/etc/pass*", Glob),
        ("/etc/{passwd,shadow}", Glob),
        ("/etc/passwd\0.txt", Nul),
        ("/etc/pass\x07wd", Control),
        ("/etc/p\u{200B}asswd", Hidden),
        ("/ｅtc/passwd", NonNormal),
        ("/etс/passwd", NonNormal),
        ("/etc/passwd ", TrailingSpace),
        ("a /b", TrailingSpace),
        (".GIT/config", Case),
        ("/ETC/passwd", Case),
        ("..\\..\\etc", BackSlash),
        ("%2e%2e/etc", PercentEncoded),
        ("%252e", PercentEncoded),
        ("file:///etc/passwd", FileUrl),
        ("a/../b", DotDot),
    ] {
        assert_eq!(disguise(path), [expected], "{path}");
    }
    assert_eq!(value("/etc/passwd\0.txt"), "/etc/passwd");
    assert_eq!(value("file://localhost/etc/%70asswd"), "/etc/passwd");
    assert_eq!(value("FILE:/etc/passwd"), "/etc/passwd");
}

#[test]
fn likely_paths_are_told_from_words() {
    for path in [
        "/x",
        "a/b",
        "~",
        "~/x",
        ".",
        "..",
        ".env",
        "notes.txt",
        "a.tar.gz",
        "*.py",
        "file:///x",
        "libx.so.6a",
    ] {
        assert!(looks_like_path(path), "{path}");
    }
    for word in [
        "",
        "ls",
        "-la",
        "--file=/x",
        "http://a/b",
        "3.14",
        "1.2.3",
        "a b.c d",
        "hello.",
    ] {
        assert!(!looks_like_path(word), "{word}");
    }
}
