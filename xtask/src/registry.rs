//! A server of files on this machine's loopback, as registries are, with one package and one text.
//!
//! It is python3's own. Ends with its owner. Fails when it does not listen.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::failure::Failure;
use crate::shell;

/// Not behind `NO_PROXY`, as 127.0.0.1 is.
pub(crate) const HOST: &str = "127.0.0.2";

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);

/// The server, running.
pub(crate) struct Registry {
    process: Child,
    port: u16,
}

impl Registry {
    /// Lays out `folder` and serves it: `/registry/greeting`, an npm package, and `/registry/hello`.
    pub(crate) fn serve(folder: &Path) -> Result<Self, Failure> {
        let port = free_port()?;
        lay_out(&folder.join("registry"), port)?;
        let process = Command::new("python3")
            .args(["-m", "http.server", "--bind", HOST, &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::file(Path::new("python3")))?;
        let registry = Self { process, port };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((HOST, port)).is_err() {
            if Instant::now() > until {
                return Err(Failure::answer("python3 -m http.server", "nothing"));
            }
            std::thread::sleep(STEP);
        }
        Ok(registry)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It serves nothing that would be missed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn lay_out(folder: &Path, port: u16) -> Result<(), Failure> {
    let package = folder.join("package");
    std::fs::create_dir_all(&package).map_err(Failure::file(&package))?;
    let put = |path: &str, text: &str| {
        let file = folder.join(path);
        std::fs::write(&file, text).map_err(Failure::file(&file))
    };
    put("hello", "hello\n")?;
    put(
        "package/package.json",
        r#"{"name":"greeting","version":"1.0.0"}"#,
    )?;
    let mut tar = Command::new("tar");
    tar.args(["czf", "greeting-1.0.0.tgz", "package"]);
    shell::run(tar.current_dir(folder))?;
    let tarball = format!("http://{HOST}:{port}/registry/greeting-1.0.0.tgz");
    let version = json!({"name": "greeting", "version": "1.0.0", "dist": {"tarball": tarball}});
    let listing = json!({
        "name": "greeting",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": version},
    });
    put("greeting", &listing.to_string())
}

fn free_port() -> Result<u16, Failure> {
    let bound = TcpListener::bind((HOST, 0)).and_then(|listener| listener.local_addr());
    Ok(bound.map_err(Failure::file(Path::new(HOST)))?.port())
}
