//! The opening handshake of the examples: `httparse` reads the heads, `tidegate_proto::handshake` decides.
#![allow(dead_code, reason = "each example uses one side of it")]

use std::error::Error;
use std::fmt::Write as _;

use tidegate_proto::handshake::{self, Agreed, Extensions, Field, HttpVersion, ServerRules};

/// Bytes of the longest head that is read.
pub(crate) const HEAD_BYTES_MAX: usize = 8 << 10;

const FIELDS_MAX: usize = 64;

/// What a server makes of the bytes that a client has sent so far.
pub(crate) enum Opening {
    /// The head goes on.
    Incomplete,
    /// Send this, and speak WebSocket from byte `head_len` on.
    Accepted { head_len: usize, answer: String },
    /// Send this, and end the connection.
    Refused { answer: String },
}

/// The server's side.
pub(crate) fn answer(received: &[u8]) -> Opening {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let head_len = match request.parse(received) {
        Ok(httparse::Status::Complete(head_len)) => head_len,
        Ok(httparse::Status::Partial) if received.len() < HEAD_BYTES_MAX => return Opening::Incomplete,
        Ok(httparse::Status::Partial) => return refused("431 Request Header Fields Too Large", &[]),
        Err(_) => return refused("400 Bad Request", &[]),
    };
    let version = if request.version == Some(1) { HttpVersion::Http11 } else { HttpVersion::Http10 };
    let method = request.method.unwrap_or_default();
    let fields: Vec<_> = request.headers.iter().map(|field| (field.name, field.value)).collect();
    match handshake::check(method, version, fields.as_slice(), ServerRules::default()) {
        Err(refusal) => refused(&format!("{} Refused", refusal.status()), refusal.fields()),
        Ok(offer) => {
            let fields = offer.answer(None, &Extensions::default()).expect("nothing answers every offer");
            Opening::Accepted { head_len, answer: head("101 Switching Protocols", &fields) }
        }
    }
}

fn refused(status: &str, fields: &[(&'static str, &'static str)]) -> Opening {
    let mut all: Vec<Field> = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    all.push(("Content-Length", "0".to_owned()));
    Opening::Refused { answer: head(status, &all) }
}

fn head(status: &str, fields: &[Field]) -> String {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    write_fields(&mut head, fields);
    head
}

/// The client's side: the head to send to `host` for `path`.
pub(crate) fn request(request: &handshake::Request, host: &str, path: &str) -> String {
    let mut head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
    write_fields(&mut head, &request.fields());
    head
}

/// The client's side: what was agreed, and where frames begin; `None` while the head goes on.
pub(crate) fn agreed(
    request: &handshake::Request,
    received: &[u8],
) -> Result<Option<(usize, Agreed)>, Box<dyn Error + Send + Sync>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head_len) = response.parse(received)? else {
        return if received.len() < HEAD_BYTES_MAX {
            Ok(None)
        } else {
            Err("the answer's head is too long".into())
        };
    };
    let status = response.code.unwrap_or_default();
    let fields: Vec<_> = response.headers.iter().map(|field| (field.name, field.value)).collect();
    Ok(Some((head_len, request.verify(status, fields.as_slice())?)))
}

fn write_fields(head: &mut String, fields: &[Field]) {
    for (name, value) in fields {
        write!(head, "{name}: {value}\r\n").expect("a String takes everything");
    }
    head.push_str("\r\n");
}
