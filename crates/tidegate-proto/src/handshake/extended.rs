//! The opening handshake without upgrade: extended CONNECT over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220).
//!
//! A request opens a WebSocket by its pseudo-header fields alone; there is no key to answer, and success is any 2xx.
//! What is left of the handshake are `Sec-WebSocket-Version`, `-Protocol` and `-Extensions`, and for them the rules of
//! the parent module hold: [`check`] makes the same [`Offer`], and [`Request::verify`] the same [`Agreed`], as over
//! HTTP/1.1. So whoever decides about an offer need not know how it came; only the answer is written differently, by
//! [`answer`].
//!
//! Settings, streams and the rule that `:authority` is no address to connect to are the HTTP library's and the
//! caller's.
//!
//! ```
//! use tidegate_proto::handshake::{Extensions, Subprotocols, extended};
//!
//! let request = extended::Request::default().with_subprotocols(Subprotocols::parse([&b"chat"[..]])?);
//! let target = extended::PseudoHeaders {
//!     method: "CONNECT",
//!     protocol: Some("websocket"),
//!     scheme: Some("https"),
//!     authority: Some("example.com"),
//!     path: Some("/chat"),
//! };
//!
//! let offer = extended::check(&target, request.fields().as_slice())?;
//! let chosen = offer.subprotocols().iter().next();
//! let answer = extended::answer(&offer, chosen, &Extensions::default())?;
//!
//! let agreed = request.verify(200, answer.as_slice())?;
//! assert_eq!(agreed.subprotocol.as_ref(), chosen);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use alloc::vec::Vec;

use super::{
    Agreed, Authority, Extensions, Field, Headers, HttpVersion, Key, NotOffered, Offer, ServerRules,
    Subprotocol, Subprotocols,
    translated::{Translated, only},
};

/// The pseudo-header fields of a request (RFC 9113 §8.3.1, RFC 8441 §4), as far as it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PseudoHeaders<'a> {
    /// `:method`, which has a case.
    pub method: &'a str,
    /// `:protocol`.
    pub protocol: Option<&'a str>,
    /// `:scheme`: `https` for a `wss` URI, `http` for a `ws` one.
    pub scheme: Option<&'a str>,
    /// `:authority`.
    pub authority: Option<&'a str>,
    /// `:path`, with the query.
    pub path: Option<&'a str>,
}

/// Decides whether a request opens a WebSocket, by RFC 8441 §4 and §5 alone.
///
/// As over HTTP/1.1, the origin, the path, the authority and credentials are the caller's to judge.
/// `Sec-WebSocket-Key` and `-Accept` have no meaning here and are ignored. [`Offer::accept`] and [`Offer::answer`] of
/// what is returned belong to HTTP/1.1; [`answer`] takes their place.
///
/// # Errors
/// The first thing that is wrong, in the order of [`Refusal`]'s variants.
pub fn check<H: Headers + ?Sized>(pseudo: &PseudoHeaders<'_>, headers: &H) -> Result<Offer, Refusal> {
    let authority = check_pseudo(pseudo)?;
    if CONNECTION_SPECIFIC.iter().any(|name| headers.values(name).next().is_some())
        || asks_more_than_trailers(headers)
    {
        return Err(Refusal::ConnectionSpecific);
    }
    match only(headers, "host") {
        Ok(None) => {}
        Ok(Some(host)) if host.eq_ignore_ascii_case(authority.as_bytes()) => {}
        Ok(Some(_)) | Err(_) => return Err(Refusal::HostOther),
    }
    let key = Key::from_nonce(STAND_IN);
    let translated = Translated {
        fields: headers,
        replaced: &[
            ("host", Some(authority.as_bytes())),
            ("upgrade", Some(b"websocket")),
            ("connection", Some(b"upgrade")),
            ("sec-websocket-key", Some(key.as_str().as_bytes())),
        ],
    };
    Ok(super::check("GET", HttpVersion::Http11, &translated, ServerRules::default())?)
}

/// The fields of the 2xx response. `None` and an empty list write no field.
///
/// # Errors
/// As [`Offer::answer`]: the caller's fault.
pub fn answer(
    offer: &Offer,
    subprotocol: Option<&Subprotocol>,
    extensions: &Extensions,
) -> Result<Vec<Field>, NotOffered> {
    offer.answer(subprotocol, extensions).map(without_upgrade)
}

/// Why a request is not answered with 2xx. Always the client's fault, or that of something on the way to it.
///
/// `Display` is a sentence that may be shown to the client: it repeats nothing that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The method is not `CONNECT`.
    #[error("a WebSocket handshake without upgrade is a CONNECT request")]
    MethodNotConnect,
    /// There is no `:protocol`: a plain CONNECT, which asks for a tunnel to another host.
    #[error("this is no proxy: CONNECT needs :protocol, and websocket is supported")]
    ProtocolMissing,
    /// `:protocol` is not `websocket` (RFC 9220 §3).
    #[error("the :protocol is not supported, websocket is")]
    ProtocolUnknown,
    /// `:scheme` is missing, or is neither `http` nor `https` (RFC 8441 §4 and §5).
    #[error("the :scheme is not http or https")]
    Scheme,
    /// `:path` is missing or does not begin with a slash (RFC 8441 §4, RFC 9113 §8.3.1).
    #[error("the :path does not begin with /")]
    Path,
    /// `:authority` is missing or is not a host with an optional port (RFC 8441 §4).
    #[error("the :authority is not a name or address with an optional port")]
    Authority,
    /// A field that only makes sense for one HTTP/1.1 connection, such as `Upgrade` (RFC 9113 §8.2.2).
    #[error(
        "a field that is specific to a connection is not allowed here: Connection, Upgrade and their like"
    )]
    ConnectionSpecific,
    /// `Host` names something else than `:authority` (RFC 9113 §8.3.1).
    #[error("the Host field differs from :authority")]
    HostOther,
    /// The version, the subprotocols, the extensions or a declared body: what [`super::check`] refuses.
    #[error("{0}")]
    Handshake(#[from] super::Refusal),
}

impl Refusal {
    /// The HTTP status to answer: 501 for another protocol or none, 400 for all else.
    ///
    /// A wrong version is 400 too: 426 tells a client to upgrade its connection, which these versions of HTTP cannot.
    pub const fn status(&self) -> u16 {
        match self {
            Self::ProtocolMissing | Self::ProtocolUnknown => 501,
            Self::MethodNotConnect
            | Self::Scheme
            | Self::Path
            | Self::Authority
            | Self::ConnectionSpecific
            | Self::HostOther
            | Self::Handshake(_) => 400,
        }
    }

    /// Whether the request breaks the rules of HTTP itself, so that the stream may be reset instead of answered: with
    /// `PROTOCOL_ERROR` over HTTP/2 (RFC 9113 §8.1.1), `H3_MESSAGE_ERROR` over HTTP/3 (RFC 9114 §4.1.2).
    pub const fn is_malformed(&self) -> bool {
        match self {
            Self::MethodNotConnect
            | Self::Scheme
            | Self::Path
            | Self::Authority
            | Self::ConnectionSpecific
            | Self::HostOther => true,
            Self::ProtocolMissing | Self::ProtocolUnknown | Self::Handshake(_) => false,
        }
    }

    /// The header fields that must go with [`status`](Self::status), names and values: the supported version where the
    /// version was the reason (RFC 6455 §4.4).
    pub fn fields(&self) -> &'static [(&'static str, &'static str)] {
        use super::Refusal::{VersionMissing, VersionRepeated, VersionUnsupported};
        let is_about_version =
            matches!(self, Self::Handshake(VersionMissing | VersionRepeated | VersionUnsupported));
        if is_about_version { &[("sec-websocket-version", "13")] } else { &[] }
    }
}

/// The WebSocket part of a client's extended CONNECT, kept until the response is there.
///
/// The pseudo-header fields come from a [`WsUri`](crate::WsUri): [`http_scheme`](crate::WsUri::http_scheme),
/// [`host_header`](crate::WsUri::host_header), [`resource_name`](crate::WsUri::resource_name). They, `origin` and
/// whatever else goes with them are the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request(super::Request);

/// Offers neither subprotocols nor extensions.
impl Default for Request {
    fn default() -> Self {
        Self(super::Request::new(STAND_IN))
    }
}

impl Request {
    /// Offers these subprotocols, in this order of preference.
    #[must_use]
    pub fn with_subprotocols(self, subprotocols: Subprotocols) -> Self {
        Self(self.0.with_subprotocols(subprotocols))
    }

    /// Offers these extensions, in this order of preference.
    #[must_use]
    pub fn with_extensions(self, extensions: Extensions) -> Self {
        Self(self.0.with_extensions(extensions))
    }

    /// The fields to send, names in lower case (RFC 9113 §8.2.1). What is not offered writes no field.
    pub fn fields(&self) -> Vec<Field> {
        without_upgrade(self.0.fields())
    }

    /// Holds the head of a response against what was sent. Interim responses (1xx) are the caller's to skip.
    ///
    /// # Errors
    /// The first thing that is wrong. No frame may be sent then, and none be read.
    pub fn verify<H: Headers + ?Sized>(&self, status: u16, headers: &H) -> Result<Agreed, ResponseViolation> {
        if !(200..300).contains(&status) {
            return Err(ResponseViolation::Status(status));
        }
        let accept = Key::from_nonce(STAND_IN).accept();
        let translated = Translated {
            fields: headers,
            replaced: &[
                ("upgrade", Some(b"websocket")),
                ("connection", Some(b"upgrade")),
                ("sec-websocket-accept", Some(accept.as_str().as_bytes())),
            ],
        };
        Ok(self.0.verify(101, &translated)?)
    }
}

/// Why a response does not open the WebSocket that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseViolation {
    /// The status is not 2xx. The response is plain HTTP, to be treated as such.
    #[error("the server answered with status {0} and not 2xx")]
    Status(u16),
    /// The subprotocol or the extensions: the server's fault.
    #[error("{0}")]
    Handshake(#[from] super::ResponseViolation),
}

/// The authority, if the rest is good as well.
fn check_pseudo<'a>(pseudo: &PseudoHeaders<'a>) -> Result<&'a str, Refusal> {
    if pseudo.method != "CONNECT" {
        return Err(Refusal::MethodNotConnect);
    }
    if !pseudo.protocol.ok_or(Refusal::ProtocolMissing)?.eq_ignore_ascii_case("websocket") {
        return Err(Refusal::ProtocolUnknown);
    }
    let is_http = |scheme: &str| ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
    if !pseudo.scheme.is_some_and(is_http) {
        return Err(Refusal::Scheme);
    }
    if !pseudo.path.is_some_and(|path| path.starts_with('/')) {
        return Err(Refusal::Path);
    }
    let authority = pseudo.authority.ok_or(Refusal::Authority)?;
    Authority::parse(authority.as_bytes()).map(|_| authority).map_err(|_| Refusal::Authority)
}

fn asks_more_than_trailers<H: Headers + ?Sized>(headers: &H) -> bool {
    headers.values("te").any(|value| !value.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// What of the fields of an HTTP/1.1 handshake goes into one without upgrade, with its name in lower case.
fn without_upgrade(fields: Vec<Field>) -> Vec<Field> {
    let rename = |(name, value)| {
        let name = match name {
            "Sec-WebSocket-Version" => "sec-websocket-version",
            "Sec-WebSocket-Protocol" => "sec-websocket-protocol",
            "Sec-WebSocket-Extensions" => "sec-websocket-extensions",
            _ => return None,
        };
        Some((name, value))
    };
    fields.into_iter().filter_map(rename).collect()
}

/// What both ends put where HTTP/1.1 has a nonce. It never leaves the process.
const STAND_IN: [u8; 16] = [0; 16];

/// The fields of RFC 9113 §8.2.2 and RFC 9114 §4.2 but `TE`, which may ask for trailers.
const CONNECTION_SPECIFIC: [&str; 5] =
    ["connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding"];
