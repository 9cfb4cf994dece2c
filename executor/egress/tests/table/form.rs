//! How a request is written: what two programs could read in two ways is refused.

use super::*;

#[test]
fn how_it_is_asked() {
    run(
        &World::new(),
        vec![
            bytes(
                "NUL in the host",
                400,
                "malformed",
                "GET http://a.test\0.evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "encoded NUL in the host",
                400,
                "malformed",
                "GET http://a.test%00.evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "encoded CRLF in the host",
                400,
                "malformed",
                "GET http://a.test%0d%0aX:y/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "CRLF in the host",
                400,
                "malformed",
                "GET http://a.test\r\nX: y/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "CRLF in the path",
                400,
                "malformed",
                "GET http://a.test:PORT/%0d%0aX HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a line feed before the request",
                400,
                "malformed",
                "\r\nGET http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "bare line feeds",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\nHost: a.test:PORT\n\n",
            ),
            bytes(
                "a length and a transfer coding",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            bytes(
                "a transfer coding and a length",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            ),
            bytes(
                "two lengths",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
            ),
            bytes(
                "a disguised transfer coding",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: xchunked\r\n\r\n",
            ),
            bytes(
                "a space before the colon",
                400,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nContent-Length : 4\r\n\r\nabcd",
            ),
            bytes(
                "a folded line",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nX: a\r\n b\r\n\r\n",
            ),
            bytes(
                "a chunk with an extension",
                502,
                "malformed",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
            ),
            bytes(
                "chunks as they should be",
                200,
                "",
                "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ),
            bytes(
                "Host is not the target",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\nHost: b.test:PORT\r\n\r\n",
            ),
            bytes(
                "two hosts",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\nHost: b.test\r\n\r\n",
            ),
            bytes(
                "no host",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.1\r\n\r\n",
            ),
            bytes(
                "a path alone",
                400,
                "malformed",
                "GET /hello HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "https without a tunnel",
                400,
                "malformed",
                "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "another scheme",
                400,
                "malformed",
                "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ),
            bytes(
                "a fragment",
                400,
                "malformed",
                "GET http://a.test:PORT/#x HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "HTTP/1.0",
                400,
                "malformed",
                "GET http://a.test:PORT/ HTTP/1.0\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "HTTP/2",
                400,
                "malformed",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ),
            bytes(
                "TRACE",
                400,
                "malformed",
                "TRACE http://a.test:PORT/ HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "an upgrade to h2c",
                403,
                "upgrade",
                "GET http://a.test:PORT/h2c HTTP/1.1\r\nHost: a.test:PORT\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
            ),
            bytes(
                "a WebSocket that no rule names",
                403,
                "upgrade",
                "GET http://a.test:PORT/ws HTTP/1.1\r\nHost: a.test:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            ),
            bytes(
                "a WebSocket by POST",
                403,
                "upgrade",
                "POST http://ws.test:PORT/ws HTTP/1.1\r\nHost: ws.test:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            ),
            bytes(
                "an unasked switch of protocols",
                502,
                "bad-answer",
                "GET http://a.test:PORT/sneaky HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a server that speaks no HTTP",
                502,
                "bad-answer",
                "GET http://a.test:PORT/garbage HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            bytes(
                "a server that does not answer",
                504,
                "no-answer",
                "GET http://a.test:PORT/silent HTTP/1.1\r\nHost: a.test:PORT\r\n\r\n",
            ),
            case("a head over its limit", 413, "too-large", false, |world| {
                let long = "x".repeat(egress::MAX_HEAD_BYTES);
                world
                    .ask(
                        format!("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nX: {long}\r\n\r\n")
                            .as_bytes(),
                    )
                    .status
            }),
            case(
                "more headers than there are",
                413,
                "too-large",
                false,
                |world| {
                    let many = "X: y\r\n".repeat(egress::MAX_HEADERS + 1);
                    world
                        .ask(
                            format!("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n{many}\r\n")
                                .as_bytes(),
                        )
                        .status
                },
            ),
            case("a head that comes slowly", 408, "slow", false, |world| {
                let mut stream = world.connect();
                for byte in b"GET http://a.test/ HTTP/1.1\r\nHost: a.t" {
                    send(&mut stream, &[*byte]);
                    thread::sleep(Duration::from_millis(20));
                }
                Answer::read(&mut stream).status
            }),
            case("a body that comes to a halt", 502, "slow", false, |world| {
                let mut stream = world.connect();
                let port = world.http.port();
                send(&mut stream, format!("POST http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\nContent-Length: 10\r\n\r\nhalf").as_bytes());
                Answer::read(&mut stream).status
            }),
            case(
                "a request that is smuggled behind another",
                200,
                "denied",
                true,
                |world| {
                    let port = world.http.port();
                    let mut stream = world.connect();
                    send(&mut stream, format!("GET http://a.test:{port}/hello HTTP/1.1\r\nHost: a.test:{port}\r\n\r\nGET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\n").as_bytes());
                    let first = Answer::read(&mut stream);
                    assert_eq!(Answer::read(&mut stream).status, 403);
                    first.status
                },
            ),
        ],
    );
}
