//! Programs that people use, in a network namespace of their own with nothing but the helper: the
//! whole way from `curl` to a server, without a container.
//!
//! Each is shown to reach nothing without the helper (the control), and to get through with it what
//! the policy allows. A program that this machine lacks is named; under CI that fails.

#![allow(unreachable_pub, dead_code, reason = "shared by several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

#[path = "../../egress/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use egress::Inspect;
use support::{Make, World};

const HELPER: &str = env!("CARGO_BIN_EXE_lazaret-helper");

/// Files over HTTP, as mirrors and registries serve them.
struct Files {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = Command::new("python3")
            .args(["-m", "http.server", "--bind", "127.0.0.1"])
            .arg(port.to_string())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(since.elapsed() < Duration::from_secs(20));
            thread::sleep(Duration::from_millis(50));
        }
        Self {
            process,
            folder,
            port,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://a.test:{}/{path}", self.port)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn world(inspect: Inspect) -> World {
    let world = World::make(|_, _| Make {
        inspect,
        ..Make::default()
    });
    let trusted = match inspect {
        Inspect::Nothing => world.theirs.certificate_pem(),
        Inspect::Everything => world.ours.certificate_pem(),
    };
    fs::write(world.directory.path().join("authorities.pem"), trusted).unwrap();
    world
}

/// A command in a network namespace with nothing in it.
fn alone(command: &[&str]) -> Command {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut unshare = Command::new("unshare");
    unshare.arg("--net");
    if !root {
        unshare.args(["--user", "--map-root-user"]);
    }
    unshare.arg("--").args(command);
    unshare.env("HOME", "/nonexistent").stdin(Stdio::null());
    unshare
}

/// The same, with the helper as the first process.
fn helped(world: &World, command: &[&str]) -> Command {
    let directory = world.directory.path().to_str().unwrap();
    let all = [&[HELPER, "--directory", directory, "--"], command].concat();
    alone(&all)
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn succeeds(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", said(&output));
    said(&output)
}

fn fails(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?}\n{}", said(&output));
    said(&output)
}

/// Whether a program is there; under CI it must be.
fn is_there(program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .any(|folder| folder.join(program).is_file());
    let strict =
        std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    assert!(found || !strict, "`{program}` is missing: install it");
    if !found {
        println!("`{program}` is not there: not shown");
    }
    found
}

#[test]
fn curl() {
    if !is_there("curl") {
        return;
    }
    let world = world(Inspect::Nothing);
    let plain = format!("http://a.test:{}/hello", world.http.port());
    let secure = format!("https://a.test:{}/hello", world.https.port());
    let curl = [
        "curl",
        "--silent",
        "--show-error",
        "--fail-with-body",
        "--max-time",
        "20",
    ];
    let with = |rest: &[&'static str], url: &str| {
        let url: &str = Box::leak(url.to_owned().into_boxed_str());
        [&curl[..], rest, &[url]].concat()
    };
    // Controls: there is no other way out, with the helper or without.
    fails(alone(&with(&[], &plain)));
    let direct = format!("http://127.0.0.1:{}/hello", world.http.port());
    fails(alone(&with(&[], &direct)));
    fails(helped(&world, &with(&["--noproxy", "*"], &direct)));
    assert_eq!(succeeds(helped(&world, &with(&[], &plain))), "hello");
    assert_eq!(succeeds(helped(&world, &with(&[], &secure))), "hello");
    let denied = fails(helped(&world, &with(&[], "http://denied.test/")));
    assert!(denied.contains("next_steps"), "{denied}");
    let redirect = format!("http://a.test:{}/redirect", world.http.port());
    let followed = fails(helped(&world, &with(&["--location"], &redirect)));
    assert!(followed.contains("no rule names"), "{followed}");
    fails(helped(&world, &with(&[], "https://denied.test/")));
}

#[test]
fn curl_where_tls_is_looked_into() {
    if !is_there("curl") {
        return;
    }
    let world = world(Inspect::Everything);
    let base = format!("https://a.test:{}", world.https.port());
    let curl = |path: &str| {
        let url = format!("{base}{path}");
        helped(
            &world,
            &[
                "curl",
                "--silent",
                "--fail-with-body",
                "--max-time",
                "20",
                &url,
            ],
        )
    };
    assert_eq!(succeeds(curl("/hello")), "hello");
    let denied = fails(curl("/admin"));
    assert!(denied.contains("no-admin"), "{denied}");
}

#[test]
fn python() {
    if !is_there("python3") {
        return;
    }
    let world = world(Inspect::Nothing);
    let urllib = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())";
    // The copy that comes with pip.
    let requests =
        "import sys\nfrom pip._vendor import requests\nprint(requests.get(sys.argv[1]).text)";
    for program in [urllib, requests] {
        for url in [
            format!("http://a.test:{}/hello", world.http.port()),
            format!("https://a.test:{}/hello", world.https.port()),
        ] {
            fails(alone(&["python3", "-c", program, &url]));
            assert_eq!(
                succeeds(helped(&world, &["python3", "-c", program, &url])).trim(),
                "hello"
            );
        }
    }
    let denied = fails(helped(
        &world,
        &["python3", "-c", urllib, "http://denied.test/"],
    ));
    assert!(denied.contains("403"), "{denied}");
}

#[test]
fn git() {
    if !is_there("git") {
        return;
    }
    let world = world(Inspect::Nothing);
    let files = Files::new();
    let script = "set -e; git init -q work; cd work; echo text > file; git add file; \
        git -c user.name=t -c user.email=t@example.com commit -qm one; \
        git clone -q --bare . ../repository.git; cd ../repository.git; git update-server-info";
    succeeds({
        let mut sh = Command::new("sh");
        sh.args(["-c", script]).current_dir(files.folder.path());
        sh
    });
    let url = files.url("repository.git");
    let into = tempfile::tempdir().unwrap();
    let clone = into.path().join("clone");
    let clone = clone.to_str().unwrap();
    fails(alone(&["git", "clone", "-q", &url, clone]));
    succeeds(helped(&world, &["git", "clone", "-q", &url, clone]));
    assert_eq!(
        fs::read_to_string(Path::new(clone).join("file")).unwrap(),
        "text\n"
    );
}

#[test]
fn pip() {
    if !is_there("python3") {
        return;
    }
    let world = world(Inspect::Nothing);
    let files = Files::new();
    let make = r#"
import os, zipfile
os.makedirs("simple/greeting")
with zipfile.ZipFile("simple/greeting/greeting-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("greeting.py", "TEXT = 'hello'\n")
    wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("greeting-1.0.dist-info/RECORD", "greeting.py,,\ngreeting-1.0.dist-info/METADATA,,\ngreeting-1.0.dist-info/WHEEL,,\ngreeting-1.0.dist-info/RECORD,,\n")
"#;
    succeeds({
        let mut python = Command::new("python3");
        python.args(["-c", make]).current_dir(files.folder.path());
        python
    });
    let index = files.url("simple/");
    let into = tempfile::tempdir().unwrap();
    let target = into.path().to_str().unwrap();
    let pip = [
        "python3",
        "-m",
        "pip",
        "--isolated",
        "--no-cache-dir",
        "--retries",
        "0",
        "install",
        "--quiet",
        "--index-url",
        &index,
        "--trusted-host",
        "a.test",
        "--target",
        target,
        "greeting",
    ];
    // `--isolated` leaves out variables of pip's own, not those of proxies.
    fails(alone(&pip));
    succeeds(helped(&world, &pip));
    assert!(into.path().join("greeting.py").exists());
}

#[test]
fn npm() {
    if !is_there("npm") {
        return;
    }
    let world = world(Inspect::Nothing);
    let files = Files::new();
    let package = r#"{"name":"greeting","version":"1.0.0"}"#;
    let registry = files.folder.path().join("registry");
    fs::create_dir_all(registry.join("package")).unwrap();
    fs::write(registry.join("package/package.json"), package).unwrap();
    succeeds({
        let mut tar = Command::new("tar");
        tar.args(["czf", "greeting-1.0.0.tgz", "package"])
            .current_dir(&registry);
        tar
    });
    let tarball = files.url("registry/greeting-1.0.0.tgz");
    let listing = format!(
        r#"{{"name":"greeting","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.0.0":{{"name":"greeting","version":"1.0.0","dist":{{"tarball":"{tarball}"}}}}}}}}"#
    );
    fs::write(registry.join("greeting"), listing).unwrap();
    let into = tempfile::tempdir().unwrap();
    let npm = |mut command: Command| {
        command
            .current_dir(into.path())
            .env("HOME", into.path())
            .env("npm_config_fetch_retries", "0");
        command
    };
    let address = files.url("registry/");
    let words = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--registry",
        &address,
        "greeting",
    ];
    fails(npm(alone(&words)));
    succeeds(npm(helped(&world, &words)));
    assert!(
        into.path()
            .join("node_modules/greeting/package.json")
            .exists()
    );
}

/// Node's own fetch. Node 22.21 and later read the variables; for older ones the agent of the
/// library that is inside of Node is installed.
#[test]
fn node_fetch() {
    if !is_there("node") || !is_there("npm") {
        return;
    }
    let modules = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("undici");
    fs::create_dir_all(&modules).unwrap();
    if !modules.join("node_modules/undici").exists() {
        succeeds({
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--prefix"])
                .arg(&modules)
                .arg("undici@6.21.3");
            npm
        });
    }
    let world = world(Inspect::Nothing);
    let script = "const u = require('undici'); if (process.env.HTTP_PROXY) u.setGlobalDispatcher(new u.EnvHttpProxyAgent()); \
        fetch(process.argv[1]).then(async r => { console.log(await r.text()); process.exit(r.status == 200 ? 0 : 1) })\
        .catch(e => { console.error(e.cause); process.exit(1) })";
    let node = |mut command: Command| {
        command.env("NODE_PATH", modules.join("node_modules"));
        command
    };
    for url in [
        format!("http://a.test:{}/hello", world.http.port()),
        format!("https://a.test:{}/hello", world.https.port()),
    ] {
        fails(node(alone(&["node", "-e", script, &url])));
        let text = succeeds(node(helped(&world, &["node", "-e", script, &url])));
        assert!(text.contains("hello"), "{text}");
    }
    let denied = fails(node(helped(
        &world,
        &["node", "-e", script, "http://denied.test/"],
    )));
    assert!(!denied.contains("hello"), "{denied}");
}

#[test]
fn the_helper_ends_as_its_command_does() {
    let world = world(Inspect::Nothing);
    let code = |command: &[&str]| helped(&world, command).status().unwrap().code();
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["sh", "-c", "kill -KILL $$"]), Some(137));
    assert_eq!(code(&["/nowhere/program"]), Some(127));
    assert_eq!(code(&["/etc/passwd"]), Some(126));
    let usage = Command::new(HELPER).arg("x").output().unwrap();
    assert_eq!(usage.status.code(), Some(125));
}

#[test]
fn signals_are_handed_on_and_orphans_reaped() {
    let world = world(Inspect::Nothing);
    let script = "trap 'echo heard; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    let directory = world.directory.path().to_str().unwrap();
    // In a process namespace of its own, as in a container: the helper is process 1.
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !root {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--", HELPER, "--directory", directory, "--"]);
    let mut orphans = Command::new(command.get_program());
    orphans.args(command.get_args());
    command.args(["sh", "-c", script]).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    let helper = descendant(child.id());
    Command::new("kill")
        .args(["-TERM", &helper])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"ready\nheard\n");
    // Five processes whose parent is gone; when they have ended, none is left as a zombie.
    let script = "for i in 1 2 3 4 5; do sh -c 'sleep 0.2 &' ; done; sleep 1; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l";
    let output = orphans.args(["sh", "-c", script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0");
}

/// The one child of a process.
fn descendant(pid: u32) -> String {
    let path = format!("/proc/{pid}/task/{pid}/children");
    fs::read_to_string(path).unwrap().trim().to_owned()
}
