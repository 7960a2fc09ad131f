//! The opening handshake: one request, one answer (RFC 6455 §4.1).

use std::fmt::Write as _;
use std::time::Duration;

use tidegate_proto::handshake::{self, Agreed, Subprotocols};
use tokio::io::AsyncWriteExt as _;

use super::failure::Failure;
use super::head::{self, Head};
use super::place::Place;
use super::secret::Secret;
use crate::clock::timeout;
use crate::io::Socket;
use crate::shown::is_shown;

/// What a server is asked for, besides the place.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking {
    pub(super) subprotocols: Subprotocols,
    pub(super) origin: Option<String>,
    /// Further fields, whose values may be secret.
    pub(super) fields: Vec<(String, Secret)>,
    /// The value of `Authorization`.
    pub(super) credentials: Option<Secret>,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// A WebSocket, and the bytes that came behind the answer.
    Open { agreed: Agreed, early: Vec<u8> },
    /// A redirect, with its `Location`s.
    Redirect { status: u16, locations: Vec<String> },
}

impl Asking {
    /// The same for a server that the credentials are not meant for: those stay here, and all further fields, any of which
    /// may have a key in it.
    pub(super) fn for_strangers(&self) -> Self {
        Self { fields: Vec::new(), credentials: None, ..self.clone() }
    }
}

/// Asks for a WebSocket. Nothing is sent behind the request until the answer is there.
pub(super) async fn ask(
    socket: &mut Socket,
    place: &Place,
    asking: &Asking,
    limit: Duration,
) -> Result<Answer, Failure> {
    let exchange = async {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).expect("the system gives random bytes");
        let ours = handshake::Request::new(nonce).with_subprotocols(asking.subprotocols.clone());
        let request = request(place, asking, &ours);
        socket.write_all(request.as_bytes()).await.map_err(Failure::Send)?;
        socket.flush().await.map_err(Failure::Send)?;
        let head = head::read(socket, head::Version::Http11).await.map_err(Failure::Head)?;
        judge(&ours, head, asking)
    };
    let step = "the opening handshake";
    timeout(limit, exchange).await.unwrap_or(Err(Failure::TooLong {
        step,
        limit,
        flag: "--handshake-timeout",
    }))
}

fn request(place: &Place, asking: &Asking, ours: &handshake::Request) -> String {
    let mut head = format!("GET {} HTTP/1.1\r\nHost: {}\r\n", place.resource, place.host_header);
    let mut field = |name: &str, value: &str| {
        write!(head, "{name}: {value}\r\n").expect("a string can be written to");
    };
    for (name, value) in ours.fields() {
        field(name, &value);
    }
    if let Some(origin) = &asking.origin {
        field("Origin", origin);
    }
    if let Some(credentials) = &asking.credentials {
        field("Authorization", credentials.expose());
    }
    for (name, value) in &asking.fields {
        field(name, value.expose());
    }
    head.push_str("\r\n");
    head
}

fn judge(ours: &handshake::Request, head: Head, asking: &Asking) -> Result<Answer, Failure> {
    match head.status {
        101 => {
            let agreed = ours.verify(101, head.fields.as_slice())?;
            Ok(Answer::Open { agreed, early: head.rest })
        }
        status @ (301 | 302 | 303 | 307 | 308) => {
            let named = head.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("location"));
            let locations = named.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
            Ok(Answer::Redirect { status, locations })
        }
        status => Err(Failure::Refused { status, advice: advice(status, &head, asking) }),
    }
}

/// What a status means, and what to do about it.
fn advice(status: u16, head: &Head, asking: &Asking) -> String {
    let shown = |name| -> Option<String> { Some(printable(&head.field(name)?)) };
    match status {
        401 => {
            let wanted = shown("www-authenticate").map(|wanted| format!(" ({wanted})")).unwrap_or_default();
            if asking.credentials.is_some() {
                format!(": the server does not take these credentials{wanted}")
            } else {
                format!(
                    ": the server wants credentials{wanted}; give --user with --password-file, or --bearer-file"
                )
            }
        }
        403 => ": the server forbids it; it may want another --origin, or credentials".into(),
        404 => ": there is nothing at this path".into(),
        400 | 426 => match shown("sec-websocket-version") {
            Some(versions) => format!(": the server speaks version {versions} of the protocol, we speak 13"),
            None => ": the server does not take the request as a WebSocket's".into(),
        },
        429 | 503 => shown("retry-after")
            .map(|after| format!(": the server asks to come back later (Retry-After: {after})"))
            .unwrap_or_default(),
        200..=299 => ": there is a page, but no WebSocket at this path".into(),
        _ => String::new(),
    }
}

/// What a server sent, as far as it can be shown on one line of a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|found| is_shown(*found)).take(SHOWN_CHARS_MAX).collect()
}

/// How much of a field's value is shown.
const SHOWN_CHARS_MAX: usize = 120;

/// Fields that tell who we are; in lower case.
pub(super) const SECRET_FIELDS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_written_as_the_standard_writes_it() {
        let mut subprotocols = Subprotocols::default();
        subprotocols.push("chat".parse().unwrap()).unwrap();
        let asking = Asking {
            subprotocols,
            origin: Some("https://example.com".into()),
            fields: vec![("X-A".into(), Secret::of_field("1"))],
            credentials: Some(Secret::of_field("Bearer t")),
        };
        let ours =
            handshake::Request::new(*b"the sample nonce").with_subprotocols(asking.subprotocols.clone());
        let place = Place::parse("ws://server.example.com:81/chat?a").unwrap();
        let expected = "GET /chat?a HTTP/1.1\r\nHost: server.example.com:81\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\nOrigin: https://example.com\r\n\
            Authorization: Bearer t\r\nX-A: 1\r\n\r\n";
        assert_eq!(request(&place, &asking, &ours), expected);
    }

    #[test]
    fn strangers_are_not_told_who_we_are() {
        let field = |name: &str| (name.to_owned(), Secret::of_field("x"));
        let asking = Asking {
            fields: vec![field("Cookie"), field("X-A"), field("AUTHORIZATION")],
            credentials: Some(Secret::of_field("x")),
            ..Asking::default()
        };
        let told = asking.for_strangers();
        assert!(told.credentials.is_none());
        assert_eq!(told.fields, []);
    }
}
