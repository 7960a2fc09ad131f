//! A request as the gateway understands it: one host, one path, one client, whatever was written in how many ways.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{CONNECTION, HeaderMap, HeaderValue};
use http::{Method, Uri, Version};
use percent_encoding::percent_decode_str;
use tidegate_proto::handshake::{Authority, Headers, HostError, HttpVersion};

use crate::config::{OriginTuple, TrustedProxies};
use crate::io::{Arrival, Peer};
use crate::path::{BadPath, canonical_path};
use crate::via::{self, Via};

/// Bytes of the longest request target.
const TARGET_BYTES_MAX: usize = 8 << 10;

/// Bytes of the longest header field, name and value.
const FIELD_BYTES_MAX: usize = 8 << 10;

/// Bytes of all header fields.
const FIELDS_BYTES_MAX: usize = 32 << 10;

/// A request head with everything decided that later stages ask for.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    version: Version,
    uri: Uri,
    /// All header fields, as received.
    pub fields: HeaderMap,
    /// Host and port as the client wrote them, from an absolute target or the Host field, but for a dot at the host's end.
    pub authority: String,
    /// The host alone, lower-case and without a dot at its end; IPv6 in brackets, in its shortest form.
    pub host: String,
    port: Option<u16>,
    /// The canonical path.
    pub path: String,
    /// The query, without its question mark.
    pub query: Option<String>,
    /// The client, and how the request came from it.
    pub via: Via,
    /// How the connection came in; its far end is the client, or a proxy.
    pub arrival: Arrival,
}

/// What a request wants of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A WebSocket upgrade.
    WebSocket,
    /// Anything else.
    Http,
}

/// Why a request head cannot be understood. The client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// 414.
    #[error("the request target is longer than 8 KiB")]
    TargetTooLong,
    /// 431.
    #[error("the header fields are larger than 32 KiB, or one of them than 8 KiB")]
    FieldsTooLarge,
    /// 400.
    #[error("{0}")]
    Host(#[from] HostError),
    /// 400.
    #[error("{0}")]
    Path(#[from] BadPath),
    /// 405: `CONNECT` and `TRACE`.
    #[error("this method is not served")]
    Method,
    /// 501: no method that anybody has registered looks like this.
    #[error("this is no request method")]
    UnknownMethod,
    /// 400: a body that two parties could see ending in two places (RFC 9112 §6.1).
    #[error("the end of the request's body is not certain")]
    Framing,
    /// 400: `Connection` names a field that every hop needs.
    #[error("the Connection field names a field that cannot be removed")]
    Nominated,
    /// 417: an expectation that cannot be met; for an upgrade, any.
    #[error("the Expect field asks for what cannot be done")]
    Expectation,
}

impl Request {
    /// The client's address, where it has one, and its port: 0 where a proxy stands between.
    pub(crate) fn client(&self) -> (Option<IpAddr>, u16) {
        let port = match self.arrival.client {
            Peer::Tcp(address) if !self.via.trusted => address.port(),
            Peer::Tcp(_) | Peer::Unix => 0,
        };
        (self.via.client, port)
    }

    /// Reads a head that the HTTP library has parsed.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(
        head: http::request::Parts,
        arrival: &Arrival,
        trusted_proxies: &TrustedProxies,
    ) -> Result<Self, BadRequest> {
        check_size(&head)?;
        check_method(&head.method)?;
        check_framing(&head)?;
        check_nominated(&head.headers)?;
        let fields = Fields(&head.headers);
        let named = match Authority::from_headers(&fields) {
            // HTTP/1.0 has no Host field.
            Err(HostError::Missing) if head.version < Version::HTTP_11 => None,
            other => Some(other?),
        };
        let via = via::read(&head.headers, arrival, trusted_proxies);
        // The authority of an absolute target wins over the Host field (RFC 9112 §3.2.2).
        let target =
            head.uri.authority().map(|target| Authority::parse(target.as_str().as_bytes())).transpose()?;
        let told = via.authority.as_ref().map(|told| Authority::parse(told.as_bytes())).transpose()?;
        let asked = told.or(target).or(named);
        let host = asked.map(host_name).transpose()?.unwrap_or_default();
        let path = match head.uri.path() {
            "" | "*" => "/".to_owned(),
            raw => canonical_path(raw)?,
        };
        let request = Self {
            authority: asked.map(|asked| written(host, asked.port())).unwrap_or_default(),
            host: one_spelling(host),
            port: asked.and_then(|asked| asked.port()),
            method: head.method,
            version: head.version,
            path,
            query: head.uri.query().map(str::to_owned),
            via,
            arrival: arrival.clone(),
            uri: head.uri,
            fields: head.headers,
        };
        request.check_expectation()?;
        Ok(request)
    }

    /// Only a plain request may want to be told to go on: hyper does that. What comes before a 101 must not.
    fn check_expectation(&self) -> Result<(), BadRequest> {
        let expectations: Vec<_> = self.fields.get_all(http::header::EXPECT).iter().collect();
        match expectations[..] {
            [] => Ok(()),
            [only] if self.kind() == Kind::Http && only.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
                Ok(())
            }
            _ => Err(BadRequest::Expectation),
        }
    }

    /// What is asked for: a WebSocket where the Upgrade field names it, whatever else may be wrong with the request.
    pub fn kind(&self) -> Kind {
        let names_websocket = self
            .fields
            .get_all(http::header::UPGRADE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"));
        if names_websocket && self.version >= Version::HTTP_11 { Kind::WebSocket } else { Kind::Http }
    }

    /// The version of HTTP, as far as it matters to a handshake.
    pub(crate) fn http_version(&self) -> HttpVersion {
        if self.version >= Version::HTTP_11 { HttpVersion::Http11 } else { HttpVersion::Http10 }
    }

    /// Path and query as the client wrote them.
    pub(crate) fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// The canonical path, and the query.
    pub(crate) fn canonical_target(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", self.path)
    }

    /// `http` or `https`, as the client sees it.
    pub const fn scheme(&self) -> &'static str {
        if self.via.secure { "https" } else { "http" }
    }

    /// The values of all its Origin fields; where there is none, of the field that drafts before RFC 6455 had for it.
    pub fn origins(&self) -> impl Iterator<Item = &[u8]> {
        let (now, before) = ("origin", "sec-websocket-origin");
        let name = if self.fields.contains_key(now) { now } else { before };
        self.fields.get_all(name).into_iter().map(HeaderValue::as_bytes)
    }

    /// The origin that the request was made to.
    pub fn origin(&self) -> OriginTuple {
        let default = if self.via.secure { 443 } else { 80 };
        OriginTuple {
            scheme: self.scheme().to_owned(),
            host: self.host.clone(),
            port: self.port.unwrap_or(default),
        }
    }
}

/// The HTTP library's own bound depends on how the bytes arrive; this one does not.
fn check_size(head: &http::request::Parts) -> Result<(), BadRequest> {
    const AROUND: usize = ": \r\n".len();
    let lines = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + AROUND);
    let (longest, all) = lines.fold((0, 0), |(longest, all), line| (line.max(longest), all + line));
    if target_len(&head.uri) > TARGET_BYTES_MAX {
        Err(BadRequest::TargetTooLong)
    } else if longest > FIELD_BYTES_MAX || all > FIELDS_BYTES_MAX {
        Err(BadRequest::FieldsTooLarge)
    } else {
        Ok(())
    }
}

/// Methods are upper-case (RFC 9110 §9.1), and the longest registered one has 17 letters.
fn check_method(method: &Method) -> Result<(), BadRequest> {
    const METHOD_BYTES_MAX: usize = 32;
    let name = method.as_str();
    let plausible =
        name.len() <= METHOD_BYTES_MAX && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    match *method {
        Method::CONNECT | Method::TRACE => Err(BadRequest::Method),
        _ if plausible => Ok(()),
        _ => Err(BadRequest::UnknownMethod),
    }
}

/// Stricter than the HTTP library, which takes any list of codings that ends in `chunked`, and a body without an end.
fn check_framing(head: &http::request::Parts) -> Result<(), BadRequest> {
    let codings: Vec<_> = head.headers.get_all(http::header::TRANSFER_ENCODING).iter().collect();
    let coded = match codings[..] {
        [] => true,
        [only] => only.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    let old = head.version < Version::HTTP_11;
    let wants_body = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    let endless = old && wants_body && !head.headers.contains_key(http::header::CONTENT_LENGTH);
    if coded && !endless { Ok(()) } else { Err(BadRequest::Framing) }
}

/// A client that has these removed on the way wants the next hop to see another request than we do.
fn check_nominated(fields: &HeaderMap) -> Result<(), BadRequest> {
    let lists = fields.get_all(CONNECTION).iter().filter_map(|list| list.to_str().ok());
    let needed = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        matches!(name.as_str(), "host" | "authorization") || name.starts_with("sec-websocket-")
    };
    if lists.flat_map(|list| list.split(',')).any(needed) { Err(BadRequest::Nominated) } else { Ok(()) }
}

/// The host without the dot that may end a name: to whoever resolves it, or serves it, both are one (RFC 1034 §3.1).
fn host_name(authority: Authority<'_>) -> Result<&str, HostError> {
    let host = authority.host();
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.is_empty() || name.ends_with('.') { Err(HostError::Malformed) } else { Ok(name) }
}

/// Of the spellings of a host the one that routes and origins are compared in: lower-case, and an IPv6 address as short as
/// it can be.
fn one_spelling(host: &str) -> String {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match address.map(str::parse::<Ipv6Addr>) {
        Some(Ok(address)) => format!("[{address}]"),
        Some(Err(_)) | None => host.to_ascii_lowercase(),
    }
}

fn written(host: &str, port: Option<u16>) -> String {
    match port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn target_len(uri: &Uri) -> usize {
    uri.path().len() + uri.query().map_or(0, |query| query.len() + 1)
}

/// The first parameter of this name, decoded as a form is; `None` if there is none, or it is no UTF-8.
pub(crate) fn query_parameter(query: &str, name: &str) -> Option<String> {
    query_parameters(query, name).next()?
}

/// All parameters of this name, in their order; `None` for one that is no UTF-8.
pub(crate) fn query_parameters(query: &str, name: &str) -> impl Iterator<Item = Option<String>> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
    };
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(key, _)| decoded(key).as_deref() == Some(name)).map(move |(_, value)| decoded(value))
}

/// The header fields of the `http` crate as the protocol crate wants to see them.
pub(crate) struct Fields<'a>(pub(crate) &'a HeaderMap);

impl Headers for Fields<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).into_iter().map(HeaderValue::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_one_spelling() {
        for (written, host) in [
            ("GW.test", "gw.test"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("[2001:DB8::0:1]", "[2001:db8::1]"),
            ("[::ffff:c000:201]", "[::ffff:192.0.2.1]"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(one_spelling(written), host);
        }
    }

    #[test]
    fn t231_query_parameters() {
        for (query, expected) in [
            ("token=abc", Some("abc")),
            ("a=b&token=abc&token=x", Some("abc")),
            ("token=a%20b+c", Some("a b c")),
            ("t%6Fken=abc", Some("abc")),
            ("token=%C3%A4", Some("ä")),
            ("token=a=b", Some("a=b")),
            ("token=", Some("")),
            ("token", Some("")),
            ("token=%ff", None),
            ("Token=abc", None),
            ("xtoken=abc", None),
            ("", None),
        ] {
            assert_eq!(query_parameter(query, "token").as_deref(), expected, "{query}");
        }
    }
}
