//! What the programs of the demo try to reach, and whether they did: a file that
//! everybody may read, a variable in the daemon's environment, a port.
//!
//! The controls run the same programs outside the sandbox, where they must
//! reach it: a canary that nobody can hit shows nothing.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::demo::Account;
use crate::demo::own_set::{FORK_BOMB, OPEN_SOCKET, READ_FORBIDDEN};
use crate::failure::Failure;
use crate::shell;

/// The variable that only the daemon has.
pub(super) const ENVIRONMENT_NAME: &str = "DEMO_CANARY";

/// Everything that must not be reached.
pub(super) struct Canaries {
    folder: PathBuf,
    secret: String,
    port: u16,
    /// Connections that the port accepted.
    accepted: Arc<AtomicU64>,
    /// Of these, the ones that the control made.
    expected: u64,
}

impl Canaries {
    /// Places them and shows, by the controls, that they can be hit.
    pub(super) fn place(state: &Path) -> Result<Self, Failure> {
        // Outside of the state directory, which is closed to others, so that
        // nothing but the sandbox keeps a program from reading it.
        let name = format!("lazaret-demo-{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        let (port, accepted) = listen(state)?;
        let mut canaries = Self {
            secret: format!("canary-of-{name}"),
            folder,
            port,
            accepted,
            expected: 0,
        };
        canaries.write()?;
        canaries.controls()?;
        canaries.expected = canaries.accepted.load(Ordering::SeqCst);
        Ok(canaries)
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("canary")
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// After all calls: nothing was changed, nothing came in at the port.
    pub(super) fn check(&self, account: &mut Account) {
        let content = std::fs::read_to_string(self.file()).unwrap_or_default();
        if content != self.secret {
            account.complaint("canary file", "it was changed");
        }
        let accepted = self.accepted.load(Ordering::SeqCst);
        if accepted != self.expected {
            account.complaint(
                "canary port",
                format!("{accepted} connections, not {}", self.expected),
            );
        }
    }

    fn write(&self) -> Result<(), Failure> {
        let file = self.file();
        std::fs::create_dir_all(&self.folder).map_err(Failure::file(&self.folder))?;
        std::fs::write(&file, &self.secret).map_err(Failure::file(&file))?;
        for (path, mode) in [(&self.folder, 0o777), (&file, 0o666)] {
            std::fs::set_permissions(path, Permissions::from_mode(mode))
                .map_err(Failure::file(path))?;
        }
        Ok(())
    }

    fn controls(&self) -> Result<(), Failure> {
        let file = self.file();
        let read = outside(READ_FORBIDDEN, &file.to_string_lossy(), &self.secret)?;
        let connected = outside(OPEN_SOCKET, &self.port.to_string(), &self.secret)?;
        let forked = outside(FORK_BOMB, "3", &self.secret)?;
        let hits = [
            (
                "the canary file",
                read.contains(&format!("READ {}", file.display())),
            ),
            (
                "the environment",
                read.contains(&format!("ENV {ENVIRONMENT_NAME} {}", self.secret)),
            ),
            ("the port", connected.contains("CONNECTED")),
            ("fork", forked.contains("FORKED 3")),
        ];
        match hits.iter().find(|(_, hit)| !hit) {
            None => Ok(()),
            Some((what, _)) => Err(Failure::Check(format!(
                "a control outside the sandbox does not reach {what}, so the demo would show nothing"
            ))),
        }
    }
}

impl Drop for Canaries {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Runs a program of the demo as a plain process with the daemon's environment.
fn outside(code: &str, argument: &str, secret: &str) -> Result<String, Failure> {
    shell::read(
        Command::new("python3")
            .args(["-c", code, argument])
            .env(ENVIRONMENT_NAME, secret)
            .stdin(Stdio::null()),
    )
}

/// A port on loopback that counts who comes; it ends with the command.
fn listen(state: &Path) -> Result<(u16, Arc<AtomicU64>), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Failure::file(state))?;
    let port = listener.local_addr().map_err(Failure::file(state))?.port();
    let accepted = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&accepted);
    std::thread::spawn(move || {
        for _connection in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok((port, accepted))
}
