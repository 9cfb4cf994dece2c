//! Listeners on everything that programs may call, each a canary.
//!
//! A connection is counted the moment the kernel hands it over. The listener
//! then plays along, as far as it takes for the attack to go on in a control:
//! HTTP gets a page with a secret in it, a reverse shell is told to exit.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// No peer keeps a listener longer: programs run for at most three seconds.
const PEER_WALL: Duration = Duration::from_secs(2);

/// The port on which a page with a secret is served.
const PAGE_PORT: u16 = 80;

/// The name of the abstract Unix socket.
pub(super) const ABSTRACT_NAME: &str = "lazaret-arena";

/// All listeners, and who called them.
#[derive(Debug, Clone, Default)]
pub(super) struct Listeners {
    calls: Arc<Mutex<Vec<String>>>,
}

impl Listeners {
    /// The places that were called since the last time this was asked.
    ///
    /// # Panics
    /// If a listener panicked.
    #[must_use]
    pub(super) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().expect("the calls"))
    }

    /// Listens on a TCP port of the loopback.
    ///
    /// # Errors
    /// The kernel's, when the port is taken.
    pub(super) fn tcp(&self, port: u16, page: &str) -> std::io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let (this, page) = (self.clone(), page.to_owned());
        thread::spawn(move || {
            for peer in listener.incoming().flatten() {
                this.note(&format!("tcp 127.0.0.1:{port}"));
                let page = page.clone();
                thread::spawn(move || play_along(&peer, port, &page));
            }
        });
        Ok(())
    }

    /// Listens on a UDP port of the loopback.
    ///
    /// # Errors
    /// The kernel's, when the port is taken.
    pub(super) fn udp(&self, port: u16) -> std::io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
        let this = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while socket.recv(&mut buffer).is_ok() {
                this.note(&format!("udp 127.0.0.1:{port}"));
            }
        });
        Ok(())
    }

    /// Listens on a Unix socket with a path, and on one without.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn unix(&self, path: &Path) -> std::io::Result<()> {
        let named = UnixListener::bind(path)?;
        let abstract_address = SocketAddr::from_abstract_name(ABSTRACT_NAME)?;
        let nameless = UnixListener::bind_addr(&abstract_address)?;
        for (listener, place) in [(named, "unix path"), (nameless, "unix abstract")] {
            let this = self.clone();
            thread::spawn(move || {
                for _ in listener.incoming() {
                    this.note(place);
                }
            });
        }
        Ok(())
    }

    fn note(&self, place: &str) {
        self.calls.lock().expect("the calls").push(place.to_owned());
    }
}

/// Lets an attack believe that it succeeded; the peer may hang up at any time.
fn play_along(mut peer: &TcpStream, port: u16, page: &str) {
    drop(peer.set_read_timeout(Some(PEER_WALL)));
    if port != PAGE_PORT {
        drop(peer.write_all(b"exit\n"));
        drop(peer.shutdown(std::net::Shutdown::Write));
        drop(peer.read_to_end(&mut Vec::new()));
        return;
    }
    drop(peer.read(&mut [0; 4096]));
    let length = page.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}");
    drop(peer.write_all(answer.as_bytes()));
}
