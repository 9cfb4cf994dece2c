//! npm and Node's fetch through the egress proxy: programs of this machine in namespaces of their own
//! with nothing but the first process of a container, because the image of the other tests does not
//! hold them.
//!
//! Each is shown to reach nothing without it (the control), and to get through with it what the
//! policy allows. A program that this machine lacks is named; under CI that fails.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "tests, and a world that is shared with those of the proxy"
)]

#[path = "../../executor/egress/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use appliance_tests::command::program;
use appliance_tests::files::Files;
use container_init::{
    EGRESS_SOCKET, End, InitLimits, MAX_SAID_BYTES, PROXY_PORT, Said, Start, read_frame,
    write_frame,
};
use support::World;

/// How long one program may take.
const WALL_MS: u64 = 60_000;

/// Whether a program has the way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    None,
}

/// Runs a command as a container's first process does, with a network of its own that is empty but
/// for the loopback, and gives whether it succeeded and all that it said.
fn run(world: &World, door: Door, folder: &Path, command: &[&str]) -> (bool, String) {
    let mut child = first_process();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    write_frame(&mut input, &start(world, door, folder, command)).unwrap();
    let (mut succeeded, mut said) = (false, Vec::new());
    loop {
        match read_frame(&mut output, MAX_SAID_BYTES).unwrap() {
            Said::Output { bytes, .. } => said.extend(bytes),
            Said::Ended(ended) => succeeded = ended.end == End::Exited(0),
            Said::Done => break,
            _ => {}
        }
    }
    child.wait().unwrap();
    (succeeded, String::from_utf8_lossy(&said).into_owned())
}

/// In a process namespace too: there it is the first, and what it ends is its own.
fn first_process() -> Child {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !nix::unistd::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let child = unshare
        .args(["--", "sh", "-c", "ip link set lo up && exec \"$0\""])
        .arg(program("lazaret-init"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    child.unwrap()
}

fn start(world: &World, door: Door, folder: &Path, command: &[&str]) -> Start {
    let path = std::env::var("PATH").unwrap();
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    let authorities = world.directory.path().join("authorities.pem");
    fs::write(&authorities, world.theirs.certificate_pem()).unwrap();
    let authorities = authorities.display().to_string();
    let home = folder.display().to_string();
    let modules = modules().join("node_modules").display().to_string();
    let mut environment = vec![("PATH", path), ("HOME", home), ("NODE_PATH", modules)];
    environment.push(("npm_config_fetch_retries", "0".to_owned()));
    if door == Door::Open {
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            environment.push((name, proxy.clone()));
        }
        environment.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
        environment.push(("NODE_EXTRA_CA_CERTS", authorities));
    }
    let socket = world.directory.path().join(EGRESS_SOCKET);
    Start {
        argv: command.iter().map(|&word| word.to_owned()).collect(),
        environment: environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        directory: folder.display().to_string(),
        limits: InitLimits {
            wall_ms: WALL_MS,
            output_bytes: 1 << 20,
            ..InitLimits::default()
        },
        egress_socket: (door == Door::Open).then(|| socket.display().to_string()),
        ..Start::default()
    }
}

fn modules() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("undici")
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
fn npm() {
    if !is_there("npm") {
        return;
    }
    let world = World::new();
    let files = Files::new();
    let registry = files.folder().join("registry");
    fs::create_dir_all(registry.join("package")).unwrap();
    let package = r#"{"name":"greeting","version":"1.0.0"}"#;
    fs::write(registry.join("package/package.json"), package).unwrap();
    let packed = Command::new("tar")
        .args(["czf", "greeting-1.0.0.tgz", "package"])
        .current_dir(&registry)
        .status();
    assert!(packed.unwrap().success());
    let tarball = files.url("registry/greeting-1.0.0.tgz");
    let listing = format!(
        r#"{{"name":"greeting","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.0.0":{{"name":"greeting","version":"1.0.0","dist":{{"tarball":"{tarball}"}}}}}}}}"#
    );
    fs::write(registry.join("greeting"), listing).unwrap();
    let into = tempfile::tempdir().unwrap();
    let address = files.url("registry/");
    let install = ["npm", "install", "--no-audit", "--no-fund", "--registry"];
    let install = [&install[..], &[address.as_str(), "greeting"]].concat();
    let (succeeded, said) = run(&world, Door::None, into.path(), &install);
    assert!(!succeeded, "control: {said}");
    let (succeeded, said) = run(&world, Door::Open, into.path(), &install);
    assert!(succeeded, "{said}");
    let installed = into.path().join("node_modules/greeting/package.json");
    assert!(installed.exists(), "{said}");
    let denied = [&install[..5], &["http://denied.test/", "greeting"]].concat();
    let (succeeded, said) = run(&world, Door::Open, into.path(), &denied);
    assert!(!succeeded && said.contains("403"), "{said}");
}

/// Node's own fetch. Node 22.21 and later read the variables; for older ones the agent of the
/// library that is inside of Node is installed.
#[test]
fn node_fetch() {
    if !is_there("node") || !is_there("npm") {
        return;
    }
    if !modules().join("node_modules/undici").exists() {
        fs::create_dir_all(modules()).unwrap();
        let install = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--prefix"])
            .arg(modules())
            .arg("undici@6.21.3")
            .status();
        assert!(install.unwrap().success());
    }
    let world = World::new();
    let into = tempfile::tempdir().unwrap();
    let script = "const u = require('undici'); if (process.env.HTTP_PROXY) u.setGlobalDispatcher(new u.EnvHttpProxyAgent()); \
        fetch(process.argv[1]).then(async r => { console.log(await r.text()); process.exit(r.status == 200 ? 0 : 1) })\
        .catch(e => { console.error(e.cause); process.exit(1) })";
    for url in [
        format!("http://a.test:{}/hello", world.http.port()),
        format!("https://a.test:{}/hello", world.https.port()),
    ] {
        let fetch = ["node", "-e", script, &url];
        let (succeeded, said) = run(&world, Door::None, into.path(), &fetch);
        assert!(!succeeded, "control: {said}");
        let (succeeded, said) = run(&world, Door::Open, into.path(), &fetch);
        assert!(succeeded && said.contains("hello"), "{said}");
    }
    let denied = ["node", "-e", script, "http://denied.test/"];
    let (succeeded, said) = run(&world, Door::Open, into.path(), &denied);
    // It opens a tunnel for every scheme, and shows no more of a refused one than its status.
    assert!(!succeeded && said.contains("403"), "{said}");
}
