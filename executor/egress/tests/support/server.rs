//! Real servers on the loopback, plain and TLS, that remember every byte of what they were asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::header;

/// An authority that the proxy trusts in tests.
pub(crate) struct TestAuthority {
    pem: String,
    key: KeyPair,
}

impl TestAuthority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = Self::params().self_signed(&key).unwrap().pem();
        Self { pem, key }
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Another name than the usual one, which the servers' certificates bear.
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of the tests");
        params
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let names = [
            "a.test",
            "b.test",
            "ws.test",
            "read.test",
            "127.0.0.1",
            "localhost",
        ];
        let params = CertificateParams::new(names.map(str::to_owned).to_vec()).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(Self::params(), &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

type Seen = Arc<Mutex<Vec<String>>>;

/// One server.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Seen,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    pub(crate) fn plain() -> Self {
        Self::start(None)
    }

    pub(crate) fn tls(authority: &TestAuthority) -> Self {
        Self::start(Some(authority.config()))
    }

    fn start(config: Option<Arc<ServerConfig>>) -> Self {
        // All addresses of the loopback, of both families where there are two.
        let listener = TcpListener::bind("[::]:0")
            .or_else(|_| TcpListener::bind("0.0.0.0:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let connections = Arc::new(Mutex::new(0));
        let server = Self {
            address,
            seen: Arc::clone(&seen),
            connections: Arc::clone(&connections),
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                *connections.lock().unwrap() += 1;
                let (config, seen) = (config.clone(), Arc::clone(&seen));
                thread::spawn(move || match config {
                    None => serve(stream, &seen),
                    Some(config) => {
                        let tls = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(tls, stream), &seen);
                    }
                });
            }
        });
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests that arrived, head and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// The connections that arrived.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
        *self.connections.lock().unwrap() = 0;
    }

    /// A request without the proxy: the control.
    pub(crate) fn directly(&self, address: &str, path: &str) -> u16 {
        let mut stream = TcpStream::connect((address, self.port())).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        super::Answer::read(&mut stream).status
    }
}

fn serve(mut stream: impl Read + Write, seen: &Seen) {
    while let Some(request) = read_request(&mut stream) {
        seen.lock().unwrap().push(request.clone());
        if !answer(&mut stream, &request) || request.contains("Connection: close") {
            return;
        }
    }
}

fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).to_ascii_lowercase();
    if let Some(length) = header(&head, "content-length") {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).ok()?;
        text.extend(body);
    } else if head.contains("transfer-encoding: chunked") {
        while !text.ends_with(b"0\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            text.push(byte[0]);
        }
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// False when the connection is over.
fn answer(stream: &mut (impl Read + Write), request: &str) -> bool {
    let path = request.split(' ').nth(1).unwrap_or("/");
    let path = path.split('?').next().unwrap_or(path);
    let credentials = header(request, "authorization").unwrap_or_default();
    let plain = |body: &str| {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let text = match path {
        "/echo" => plain(request),
        "/echo-chunked" => {
            let mut text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
            for character in request.chars() {
                text.push_str(&format!("{:x}\r\n{character}\r\n", character.len_utf8()));
            }
            text + "0\r\n\r\n"
        }
        "/echo-base64" => plain(&BASE64_STANDARD.encode(&credentials)),
        "/echo-hex" => plain(
            &credentials
                .bytes()
                .map(|b| format!("{b:02x}"))
                .collect::<String>(),
        ),
        "/echo-reversed" => plain(&credentials.chars().rev().collect::<String>()),
        "/echo-percent" => plain(&credentials.replace('/', "%2F").replace('+', "%2B")),
        "/echo-json" => plain(&format!(
            "{{\"k\":\"{}\"}}",
            credentials.replace('/', "\\/")
        )),
        "/echo-header" => {
            format!("HTTP/1.1 200 OK\r\nX-Echo: {credentials}\r\nContent-Length: 0\r\n\r\n")
        }
        "/echo-location" => format!(
            "HTTP/1.1 302 Found\r\nLocation: http://denied.test/?k={credentials}\r\nContent-Length: 0\r\n\r\n"
        ),
        "/echo-cookie" => {
            format!("HTTP/1.1 200 OK\r\nSet-Cookie: k={credentials}\r\nContent-Length: 0\r\n\r\n")
        }
        "/echo-gzip" => format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{credentials}",
            credentials.len()
        ),
        "/echo-trailer" => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Echo: {credentials}\r\n\r\n"
        ),
        "/echo-reason" => format!("HTTP/1.1 200 {credentials}\r\nContent-Length: 0\r\n\r\n"),
        "/redirect" => {
            "HTTP/1.1 302 Found\r\nLocation: http://inner.test/hello\r\nContent-Length: 0\r\n\r\n"
                .into()
        }
        "/big" => plain(&"x".repeat(300_000)),
        "/ws" | "/h2c" | "/sneaky" => {
            let accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
            return stream.write_all(accepted.as_bytes()).is_ok() && echo(stream);
        }
        "/silent" => {
            thread::sleep(Duration::from_secs(4));
            return false;
        }
        "/garbage" => {
            drop(stream.write_all(b"this is not http\r\n\r\n"));
            return false;
        }
        "/stalls" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
            drop(stream.flush());
            thread::sleep(Duration::from_secs(4));
            return false;
        }
        "/closes" => {
            drop(stream.write_all(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
            ));
            drop(stream.flush());
            return false;
        }
        _ => plain("hello"),
    };
    stream.write_all(text.as_bytes()).is_ok() && stream.flush().is_ok()
}

/// Gives back what comes, as a socket does once HTTP is left.
fn echo(stream: &mut (impl Read + Write)) -> bool {
    let mut bytes = [0; 1024];
    while let Ok(count) = stream.read(&mut bytes) {
        if count == 0 || stream.write_all(&bytes[..count]).is_err() || stream.flush().is_err() {
            break;
        }
    }
    false
}
