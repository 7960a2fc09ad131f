//! Tokens in Redis: one connection, one `GET`, and what it takes to be let in, in the protocol's second version.
//!
//! A client library would keep connections, and take an answer of any length. Here everything is bounded, and each
//! look-up sees what Redis says at that moment.

use std::io;

use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::target::Target;
use crate::config::RedisSource;
use crate::names;

/// Bytes of a value.
const VALUE_BYTES_MAX: usize = 4096;

/// Bytes of a line.
const LINE_BYTES_MAX: u64 = 1024;

/// The value that the token has; `None` where it has none. The caller bounds the time.
pub(super) async fn get(source: &RedisSource, token: &str) -> io::Result<Option<String>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("Redis at {}: {error}", source.address));
    value(source, token).await.map_err(named)
}

async fn value(source: &RedisSource, token: &str) -> io::Result<Option<String>> {
    let RedisSource { address, database, password, namespace } = source;
    let mut socket = TcpStream::connect(&*names::addresses(&address.host, address.port).await?).await?;
    let key = match namespace {
        Some(namespace) => format!("{namespace}:{token}"),
        None => token.to_owned(),
    };
    let database = database.to_string();
    let before: Vec<Vec<&str>> = [
        password.as_deref().map(|password| vec!["AUTH", password]),
        (database != "0").then(|| vec!["SELECT", &database]),
    ]
    .into_iter()
    .flatten()
    .collect();
    let commands: Vec<u8> =
        before.iter().map(Vec::as_slice).chain([["GET", &key].as_slice()]).flat_map(command).collect();
    socket.write_all(&commands).await?;
    let mut replies = BufReader::new(socket);
    for _ in &before {
        if line(&mut replies).await? != "+OK" {
            return Err(io::Error::other("Redis refuses its password or database"));
        }
    }
    bulk(&mut replies).await
}

/// `host:port`, or JSON with that as `host`.
pub(super) fn target(value: &str) -> Option<Target> {
    #[derive(Deserialize)]
    struct Entry {
        host: String,
    }
    match serde_json::from_str::<Entry>(value) {
        Ok(entry) => Target::parse(&entry.host),
        Err(_) => Target::parse(value),
    }
}

/// An array of strings, each with its length: whatever is in a token, it is one argument.
fn command(arguments: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).into_bytes());
    }
    bytes
}

async fn bulk(replies: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let head = line(replies).await?;
    let Some(length) = head.strip_prefix('$') else {
        return Err(io::Error::other("Redis answers with an error"));
    };
    if length == "-1" {
        return Ok(None);
    }
    let length: usize = length.parse().map_err(|_| io::Error::other("Redis answers with no length"))?;
    if length > VALUE_BYTES_MAX {
        return Err(io::Error::other("the value in Redis has more than 4096 bytes"));
    }
    let mut value = vec![0; length];
    replies.read_exact(&mut value).await?;
    String::from_utf8(value).map(Some).map_err(|_| io::Error::other("the value in Redis is no UTF-8"))
}

async fn line(replies: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    replies.take(LINE_BYTES_MAX).read_line(&mut line).await?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t231_a_token_is_one_argument() {
        assert_eq!(command(&["GET", "a\r\nFLUSHALL"]), b"*2\r\n$3\r\nGET\r\n$11\r\na\r\nFLUSHALL\r\n");
    }

    #[tokio::test]
    async fn replies_are_read_within_bounds() {
        let read =
            async |bytes: &[u8]| bulk(&mut BufReader::new(bytes)).await.map_err(|error| error.to_string());
        assert_eq!(read(b"$-1\r\n").await, Ok(None));
        assert_eq!(read(b"$3\r\na:1\r\n").await, Ok(Some("a:1".to_owned())));
        for wrong in
            ["", "$", "$3\r\na", "$4097\r\n", "$99999999999999999999\r\n", "-ERR\r\n", "+OK\r\n", "$x\r\n"]
        {
            assert!(read(wrong.as_bytes()).await.is_err(), "{wrong}");
        }
        let endless = [b'$'; 5000];
        assert!(read(&endless).await.is_err());
    }

    #[test]
    fn values() {
        for value in ["vnc:5900", r#"{"host": "vnc:5900"}"#] {
            assert_eq!(target(value), Target::of("vnc", "5900"), "{value}");
        }
        for value in ["", "{}", r#"{"host": 1}"#, r#"{"host": "vnc"}"#] {
            assert_eq!(target(value), None, "{value}");
        }
    }
}
