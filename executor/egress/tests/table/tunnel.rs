//! What is sent in a tunnel.

use super::*;

#[test]
fn what_is_in_a_tunnel() {
    run(
        &World::new(),
        vec![
            tls(
                "TLS for the host of the tunnel",
                200,
                "",
                "a.test",
                "a.test",
            ),
            tls("TLS in capitals", 200, "", "A.test", "a.test"),
            tls(
                "TLS for another allowed host",
                0,
                "server-name",
                "a.test",
                "b.test",
            ),
            tls(
                "TLS for a host that is not allowed",
                0,
                "server-name",
                "a.test",
                "localhost",
            ),
            tls(
                "a tunnel to a host that is not allowed",
                403,
                "denied",
                "denied.test",
                "a.test",
            ),
            tls(
                "a tunnel to an unnamed address",
                403,
                "address",
                "127.0.0.2",
                "127.0.0.1",
            ),
            tls(
                "TLS without a name, to a named address",
                200,
                "",
                "127.0.0.1",
                "127.0.0.1",
            ),
            tls(
                "TLS without a name, to a host",
                0,
                "no-server-name",
                "a.test",
                "127.0.0.1",
            ),
            tls(
                "a tunnel by a rule for reading alone",
                403,
                "denied",
                "read.test",
                "read.test",
            ),
            tunnel(
                "HTTP in clear",
                200,
                "",
                "a.test",
                b"GET /hello HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            tunnel(
                "HTTP in clear for another host",
                400,
                "malformed",
                "a.test",
                b"GET /hello HTTP/1.1\r\nHost: b.test\r\n\r\n",
            ),
            tunnel(
                "a whole URL in a tunnel",
                400,
                "malformed",
                "a.test",
                b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n",
            ),
            tunnel(
                "a tunnel in a tunnel",
                400,
                "malformed",
                "a.test",
                b"CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n",
            ),
            tunnel(
                "HTTP in clear, denied",
                403,
                "denied",
                "a.test",
                b"GET /admin HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            tunnel("other bytes", 0, "not-tls", "a.test", b"SSH-2.0-x\r\n"),
            tunnel("old SSL", 0, "not-tls", "a.test", &[0x80, 0x2e, 1, 0, 2]),
            tunnel(
                "a hello that is none",
                0,
                "not-tls",
                "a.test",
                &[22, 3, 1, 0, 5, 2, 0, 0, 1, 0],
            ),
            tunnel("a hello that stays away", 0, "slow", "a.test", &[22, 3, 1]),
            tunnel("a tunnel without a port", 400, "malformed", "a.test:", b""),
            bytes(
                "a tunnel whose Host differs",
                400,
                "malformed",
                "CONNECT a.test:PORT HTTP/1.1\r\nHost: b.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel with user info",
                400,
                "malformed",
                "CONNECT b.test@a.test:PORT HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel with a path",
                400,
                "malformed",
                "CONNECT a.test:PORT/x HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel with NUL",
                400,
                "malformed",
                "CONNECT a.test\0:PORT HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a tunnel to a port that nobody listens on",
                502,
                "unreachable",
                "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\n",
            ),
            case("an encrypted hello", 0, "encrypted-hello", false, |world| {
                let mut stream = world
                    .tunnel(&format!("a.test:{}", world.https.port()))
                    .unwrap();
                send(&mut stream, &encrypted_hello("a.test"));
                let mut alert = Vec::new();
                stream.read_to_end(&mut alert).unwrap();
                assert_eq!(alert, [21, 3, 3, 0, 2, 2, 49]);
                0
            }),
            case("raw bytes that a rule names", 200, "", true, |world| {
                let mut stream = world
                    .tunnel(&format!("raw.test:{}", world.http.port()))
                    .unwrap();
                // Neither TLS nor a method: the tests' server answers it all the same.
                send(&mut stream, b"get /hello HTTP/1.1\r\nHost: x\r\n\r\n");
                Answer::read(&mut stream).status
            }),
            case("a WebSocket that a rule names", 101, "", true, |world| {
                let port = world.http.port();
                let mut stream = world.connect();
                send(&mut stream, format!("GET http://ws.test:{port}/ws HTTP/1.1\r\nHost: ws.test:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n").as_bytes());
                let answer = Answer::read_head_only(&mut stream);
                send(&mut stream, b"both ways");
                let mut back = [0; 9];
                stream.read_exact(&mut back).unwrap();
                assert_eq!(&back, b"both ways");
                answer.status
            }),
        ],
    );
}

/// As a browser sends it: a server name for all to see, and the real one encrypted.
fn encrypted_hello(name: &str) -> Vec<u8> {
    let vector = |length_bytes: usize, body: &[u8]| {
        let length = body.len().to_be_bytes();
        [&length[length.len() - length_bytes..], body].concat()
    };
    let entry = [&[0], vector(2, name.as_bytes()).as_slice()].concat();
    let names = [&[0, 0], vector(2, &vector(2, &entry)).as_slice()].concat();
    let encrypted = [&[0xfe, 0x0d], vector(2, &[0, 0, 1]).as_slice()].concat();
    let body = [
        &[3, 3],
        [7; 32].as_slice(),
        &[0],
        &vector(2, &[0x13, 1]),
        &[1, 0],
        &vector(2, &[names, encrypted].concat()),
    ]
    .concat();
    let message = [&[1], vector(3, &body).as_slice()].concat();
    [&[22, 3, 1], vector(2, &message).as_slice()].concat()
}
