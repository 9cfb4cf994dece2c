//! Files over HTTP, as mirrors and registries serve them, under a name of the tests' name server.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::containers::eventually;

/// A folder and its server, on the loopback. Ends with the value.
pub struct Files {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Files {
    /// Serves an empty folder.
    ///
    /// # Panics
    /// When python3 does not serve it within twenty seconds.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a server")]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("its number").port();
        drop(free);
        let process = Command::new("python3")
            .args(["-m", "http.server", "--bind", "127.0.0.1"])
            .arg(port.to_string())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start python3");
        eventually("a server of files", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self {
            process,
            folder,
            port,
        }
    }

    /// What is served.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a path of it is found.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://a.test:{}/{path}", self.port)
    }

    /// Puts into the folder what a program makes there.
    ///
    /// # Panics
    /// When the program fails.
    pub fn make(&self, program: &str, arguments: &[&str]) {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(self.folder())
            .output()
            .expect("start the program");
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
