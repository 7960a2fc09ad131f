use alloc::{
    borrow::ToOwned as _,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use super::{
    key::{KEY_RANDOM_BYTES, hide, proof},
    printable,
};
use crate::{
    WsUri,
    handshake::{Field, Headers, translated::only},
};

/// Random bytes that go into a [`Request`]: 92, for two keys and the eight bytes behind the head.
pub const REQUEST_RANDOM_BYTES: usize = 2 * KEY_RANDOM_BYTES + 8;

/// A client's opening handshake (draft §4.1), kept until the answer is there.
///
/// The request line, cookies and whatever else goes with them are the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    keys: [String; 2],
    parts: [u32; 2],
    key3: [u8; 8],
    host: String,
    location: String,
    origin: String,
    subprotocol: Option<String>,
}

impl Request {
    /// Asks for `uri` on behalf of a page of `origin`, without a subprotocol.
    ///
    /// `random` must be random and fresh for each request, or an answer to another request could pass for the one to
    /// this.
    ///
    /// # Errors
    /// The caller's fault: [`RequestError::Origin`].
    pub fn new(
        random: &[u8; REQUEST_RANDOM_BYTES],
        uri: &WsUri<'_>,
        origin: &str,
    ) -> Result<Self, RequestError> {
        let origin = printable(origin.as_bytes())
            .filter(|origin| !origin.contains(' '))
            .ok_or(RequestError::Origin)?;
        let (keys, key3) = random.as_chunks::<KEY_RANDOM_BYTES>();
        let mut keys = keys.iter().map(hide);
        let mut key = || keys.next().expect("the random bytes are enough for two keys");
        let ((key1, part1), (key2, part2)) = (key(), key());
        Ok(Self {
            keys: [key1, key2],
            parts: [part1, part2],
            key3: key3.try_into().expect("eight random bytes are left"),
            host: uri.host_header().to_ascii_lowercase(),
            location: location(uri),
            origin: origin.to_ascii_lowercase(),
            subprotocol: None,
        })
    }

    /// Asks for a subprotocol; the server must agree to it.
    ///
    /// # Errors
    /// The caller's fault: [`RequestError::Subprotocol`].
    pub fn with_subprotocol(self, subprotocol: &str) -> Result<Self, RequestError> {
        let subprotocol = printable(subprotocol.as_bytes()).ok_or(RequestError::Subprotocol)?;
        Ok(Self { subprotocol: Some(subprotocol.to_owned()), ..self })
    }

    /// The fields to send, `Host` and `Origin` among them, since the answer is held against both.
    pub fn fields(&self) -> Vec<Field> {
        let [key1, key2] = &self.keys;
        let mut fields = vec![
            ("Upgrade", "WebSocket".into()),
            ("Connection", "Upgrade".into()),
            ("Host", self.host.clone()),
            ("Origin", self.origin.clone()),
            ("Sec-WebSocket-Key1", key1.clone()),
            ("Sec-WebSocket-Key2", key2.clone()),
        ];
        if let Some(subprotocol) = &self.subprotocol {
            fields.push(("Sec-WebSocket-Protocol", subprotocol.to_string()));
        }
        fields
    }

    /// The eight bytes to send behind the head.
    pub const fn key3(&self) -> &[u8; 8] {
        &self.key3
    }

    /// Holds an answer against what was sent: its head, and the sixteen bytes that follow it.
    ///
    /// # Errors
    /// The first thing that is wrong. No frame may be sent then, and none be read.
    pub fn verify<H: Headers + ?Sized>(
        &self,
        status: u16,
        headers: &H,
        proof_received: [u8; 16],
    ) -> Result<(), ResponseViolation> {
        if status != 101 {
            return Err(ResponseViolation::Status(status));
        }
        let value = |name| only(headers, name).ok().flatten();
        let is_word =
            |name, word: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()));
        if !is_word("upgrade", "websocket") || !is_word("connection", "upgrade") {
            return Err(ResponseViolation::Upgrade);
        }
        if value("sec-websocket-origin") != Some(self.origin.as_bytes()) {
            return Err(ResponseViolation::Origin);
        }
        if value("sec-websocket-location") != Some(self.location.as_bytes()) {
            return Err(ResponseViolation::Location);
        }
        if only(headers, "sec-websocket-protocol") != Ok(self.subprotocol.as_ref().map(String::as_bytes)) {
            return Err(ResponseViolation::Subprotocol);
        }
        let is_proven = proof_received == proof(self.parts, self.key3);
        if is_proven { Ok(()) } else { Err(ResponseViolation::Proof) }
    }
}

/// What cannot be asked for. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The origin is empty or not visible ASCII.
    #[error("the origin is empty or not visible ASCII")]
    Origin,
    /// The subprotocol is empty or not printable ASCII.
    #[error("the subprotocol is empty or not printable ASCII, or has spaces around it")]
    Subprotocol,
}

/// Why an answer does not open the connection that was asked for. Always the server's fault, or that of something on
/// the way to it, but for [`Status`](Self::Status), which may be an honest refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseViolation {
    /// The status is not 101. The response is plain HTTP, to be treated as such.
    #[error("the server answered with status {0} and not 101")]
    Status(u16),
    /// `Upgrade` is not exactly `WebSocket`, or `Connection` not exactly `Upgrade`, in whatever case.
    #[error("the server does not switch to WebSocket")]
    Upgrade,
    /// There is not exactly one `Sec-WebSocket-Origin` that is the one that was sent.
    #[error("the Sec-WebSocket-Origin field of the server is not the origin that was sent")]
    Origin,
    /// There is not exactly one `Sec-WebSocket-Location` that is the URI that was asked for.
    #[error("the Sec-WebSocket-Location field of the server is not the URI that was asked for")]
    Location,
    /// The server agreed to another subprotocol, to none though one was asked for, or to one though none was.
    #[error("the Sec-WebSocket-Protocol field of the server is not the subprotocol that was asked for")]
    Subprotocol,
    /// The sixteen bytes do not answer the keys: the server did not read them, or the answer belongs to another
    /// request.
    #[error("the sixteen bytes behind the head of the server do not answer the keys")]
    Proof,
}

/// The URI with its host in lower case, which is how a server must write it.
fn location(uri: &WsUri<'_>) -> String {
    let host = uri.host_header().to_ascii_lowercase();
    alloc::format!("{}://{host}{}", uri.scheme(), uri.resource_name())
}
