//! The opening handshake with a backend in the plainest case, without a client of HTTP: a request that has no body, and a
//! 101.

use std::io;
use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use httparse::{ParserConfig, Response, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::upgrade::FIELDS_MAX;
use crate::io::Socket;

/// What is made room for at once; a head is seldom longer.
const READ_BYTES: usize = 2 << 10;

/// Reads after which a head is no plain one: what came is looked at anew after each.
const READS_MAX: usize = 8;

/// What a backend answers.
#[derive(Debug)]
pub(super) enum Received {
    /// 101 in HTTP/1.1, with these fields, and what came behind it.
    Switched(HeaderMap, Bytes),
    /// Anything else, of which this was read so far.
    Other(Bytes),
}

/// Sends the head of a request.
pub(super) async fn send<B>(socket: &mut Socket, head: &http::Request<B>) -> io::Result<()> {
    let written = written(head);
    let sent = socket.write_new(&written)?;
    socket.write_all(&written[sent..]).await?;
    socket.flush().await
}

fn written<B>(head: &http::Request<B>) -> Vec<u8> {
    let mut written = Vec::with_capacity(1 << 10);
    let target = head.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    for part in [head.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        written.extend_from_slice(part.as_bytes());
    }
    for (name, value) in head.headers() {
        let mut begins = true; // a word of the name
        written.extend(name.as_str().bytes().map(|byte| {
            let byte = if begins { byte.to_ascii_uppercase() } else { byte };
            begins = byte == b'-';
            byte
        }));
        written.extend_from_slice(b": ");
        written.extend_from_slice(value.as_bytes());
        written.extend_from_slice(b"\r\n");
    }
    written.extend_from_slice(b"\r\n");
    written
}

/// Reads the answer, for as long as it looks like the beginning of a head. The caller bounds the time.
pub(super) async fn receive(socket: &mut Socket) -> Received {
    let mut received = BytesMut::new();
    for _ in 0..READS_MAX {
        received.reserve(READ_BYTES);
        match socket.read_buf(&mut received).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        match parse(&received) {
            Parsed::Switched(fields, len) => {
                let early = received.split_off(len).freeze();
                return Received::Switched(fields, early);
            }
            Parsed::More => {}
            Parsed::Other => break,
        }
    }
    Received::Other(received.freeze())
}

enum Parsed {
    /// With the length of the head.
    Switched(HeaderMap, usize),
    More,
    Other,
}

fn parse(received: &[u8]) -> Parsed {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut response, received, &mut fields);
    match parsed {
        Ok(Status::Partial) => Parsed::More,
        Ok(Status::Complete(len)) if response.code == Some(101) && response.version == Some(1) => {
            map(response.headers).map_or(Parsed::Other, |fields| Parsed::Switched(fields, len))
        }
        Ok(Status::Complete(_)) | Err(_) => Parsed::Other,
    }
}

fn map(fields: &[httparse::Header<'_>]) -> Option<HeaderMap> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_hyper_would() {
        let head = http::Request::get("/chat?a=b")
            .header("host", "a.test:80")
            .header("x-forwarded-for", "192.0.2.1")
            .header("sec-websocket-key", "x")
            .body(())
            .unwrap();
        let expected = "GET /chat?a=b HTTP/1.1\r\nHost: a.test:80\r\nX-Forwarded-For: 192.0.2.1\r\n\
            Sec-Websocket-Key: x\r\n\r\n";
        assert_eq!(String::from_utf8(written(&head)).unwrap(), expected);
    }

    #[test]
    fn only_a_whole_101_is_taken() {
        let switched =
            b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n\x81\0";
        let Parsed::Switched(fields, len) = parse(switched) else { panic!() };
        assert_eq!((fields.len(), fields.get_all("set-cookie").iter().count()), (3, 2));
        assert_eq!(switched[len..], *b"\x81\0");
        for cut in 0..len {
            assert!(matches!(parse(&switched[..cut]), Parsed::More), "{cut}");
        }
        for other in [
            &b"HTTP/1.0 101 x\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 103 x\r\n\r\nHTTP/1.1 101 x\r\n\r\n",
            b"SSH-2.0-x\r\n",
        ] {
            assert!(matches!(parse(other), Parsed::Other), "{other:?}");
        }
    }
}
