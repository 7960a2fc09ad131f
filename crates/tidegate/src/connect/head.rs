//! The head of an HTTP answer, read from a socket that will speak something else right behind it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes of the longest head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Header fields of a head.
const FIELDS_MAX: usize = 100;

/// Interim answers (RFC 9110 §15.2) before the final one.
const INTERIM_MAX: usize = 8;

/// How the alert begins with which TLS answers what is no TLS; the third byte is of the version.
const ALERT_RECORD: [u8; 2] = [21, 3];

/// Status and fields of an answer, and what came behind them.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    /// Bytes that were read together with the head and stand behind it.
    pub(super) rest: Vec<u8>,
}

/// Why there is no answer. The peer's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeadError {
    /// It ended the connection first.
    #[error("ended the connection instead of answering")]
    Ended,
    /// The connection broke.
    #[error("could not be read: {0}")]
    Broken(#[source] io::Error),
    /// What it sent is not HTTP/1.1.
    #[error("did not answer in HTTP/1.1 ({0})")]
    Malformed(httparse::Error),
    /// It sent a record of TLS (RFC 8446 §5.1).
    #[error("answered in TLS: write wss:// in place of ws://")]
    Tls,
    /// The head does not end within 16 KiB.
    #[error("answered with a head of more than 16 KiB")]
    TooLong,
    /// Nothing but interim answers.
    #[error("sent more than {INTERIM_MAX} interim answers")]
    Interim,
}

impl Head {
    /// The value of the first field of this name, as text; bytes that are none are shown as such.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let field = self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

/// What HTTP an answer may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.1, which an upgrade is a part of (RFC 9110 §7.8).
    Http11,
    /// HTTP/1.0 as well: many proxies answer a CONNECT in it, and any 2xx is a yes (RFC 9110 §9.3.6).
    Http10,
}

/// Reads the head of the final answer, in this version at the least. The caller bounds the time.
pub(super) async fn read(
    socket: &mut (impl AsyncRead + Unpin),
    at_least: Version,
) -> Result<Head, HeadError> {
    let mut received = Vec::new();
    let mut interim = 0;
    loop {
        if let Some((len, mut head)) = parse(&received, at_least)? {
            received.drain(..len);
            if !is_interim(head.status) {
                head.rest = received;
                return Ok(head);
            }
            interim += 1;
            if interim > INTERIM_MAX {
                return Err(HeadError::Interim);
            }
            continue;
        }
        if received.len() >= HEAD_BYTES_MAX {
            return Err(HeadError::TooLong);
        }
        let room = (HEAD_BYTES_MAX - received.len()) as u64;
        match socket.take(room).read_buf(&mut received).await {
            Ok(0) => return Err(HeadError::Ended),
            Ok(_) => {}
            Err(error) => return Err(HeadError::Broken(error)),
        }
    }
}

/// 101 is a final answer: nothing of HTTP comes behind it.
fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// The head at the front of `received` and its length, or `None` while it goes on.
fn parse(received: &[u8], at_least: Version) -> Result<Option<(usize, Head)>, HeadError> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    if received.starts_with(&ALERT_RECORD) {
        return Err(HeadError::Tls);
    }
    let httparse::Status::Complete(len) = response.parse(received).map_err(HeadError::Malformed)? else {
        return Ok(None);
    };
    if at_least == Version::Http11 && response.version != Some(1) {
        return Err(HeadError::Malformed(httparse::Error::Version));
    }
    let status = response.code.expect("a complete head has a status");
    let fields = response.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    Ok(Some((len, Head { status, fields, rest: Vec::new() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_from(mut bytes: &[u8]) -> Result<Head, HeadError> {
        read(&mut bytes, Version::Http11).await
    }

    #[tokio::test]
    async fn http_1_0_is_enough_for_a_proxy() {
        let answer = b"HTTP/1.0 200 Connection established\r\n\r\n";
        assert_eq!(read(&mut &answer[..], Version::Http10).await.unwrap().status, 200);
        assert!(matches!(read_from(answer).await, Err(HeadError::Malformed(_))));
        let newer = b"HTTP/2.0 200 OK\r\n\r\n";
        assert!(matches!(read(&mut &newer[..], Version::Http10).await, Err(HeadError::Malformed(_))));
    }

    #[tokio::test]
    async fn what_stands_behind_the_head_is_kept() {
        let head = read_from(b"HTTP/1.1 101 x\r\nA: 1\r\na: 2\r\n\r\n\x81\x00").await.unwrap();
        assert_eq!(
            (head.status, head.field("A").as_deref(), &head.rest[..]),
            (101, Some("1"), &b"\x81\0"[..])
        );
    }

    #[tokio::test]
    async fn interim_answers_are_passed_over_but_not_for_ever() {
        let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(INTERIM_MAX);
        let head = read_from(format!("{interim}HTTP/1.1 200 OK\r\n\r\nbody").as_bytes()).await.unwrap();
        assert_eq!((head.status, &head.rest[..]), (200, &b"body"[..]));
        let more = format!("{interim}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
        assert!(matches!(read_from(more.as_bytes()).await, Err(HeadError::Interim)));
    }

    #[tokio::test]
    async fn a_head_has_an_end_and_a_bound() {
        assert!(matches!(read_from(b"HTTP/1.1 101 x\r\n").await, Err(HeadError::Ended)));
        assert!(matches!(read_from(b"SSH-2.0-x\r\n").await, Err(HeadError::Malformed(_))));
        assert!(matches!(read_from(b"HTTP/1.0 101 x\r\n\r\n").await, Err(HeadError::Malformed(_))));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
        assert!(matches!(read_from(long.as_bytes()).await, Err(HeadError::TooLong)));
    }
}
