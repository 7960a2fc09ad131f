//! A request as the gateway understands it: one host, one path, one client, whatever was written in how many ways.

use std::net::SocketAddr;

use http::header::{HeaderMap, HeaderValue};
use http::{Method, Uri, Version};
use ipnet::IpNet;
use tidegate_proto::handshake::{
    self, Authority, Headers, HostError, HttpVersion, Offer, Refusal, ServerRules,
};

use crate::config::OriginTuple;
use crate::io::Arrival;
use crate::path::{BadPath, canonical_path};
use crate::via::{self, Via};

/// Bytes of the longest request target.
const TARGET_BYTES_MAX: usize = 8 << 10;

/// A request head with everything decided that later stages ask for.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    version: Version,
    /// All header fields, as received.
    pub fields: HeaderMap,
    /// Host and port as the client wrote them, from an absolute target or the Host field.
    pub authority: String,
    /// The host alone, lower-case; IPv6 in brackets.
    pub host: String,
    port: Option<u16>,
    /// The canonical path.
    pub path: String,
    /// The query, without its question mark.
    pub query: Option<String>,
    /// The client, and how the request came from it.
    pub via: Via,
    /// The address of the connection's far end: the client, or a proxy.
    pub peer: SocketAddr,
    /// The port that the connection was made to.
    pub local_port: u16,
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
    /// 400.
    #[error("{0}")]
    Host(#[from] HostError),
    /// 400.
    #[error("{0}")]
    Path(#[from] BadPath),
    /// 405: `CONNECT`, `TRACE` and targets that are no path.
    #[error("this method is not served")]
    Method,
}

impl Request {
    /// Reads a head that the HTTP library has parsed.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(
        head: http::request::Parts,
        arrival: &Arrival,
        trusted_proxies: &[IpNet],
    ) -> Result<Self, BadRequest> {
        if target_len(&head.uri) > TARGET_BYTES_MAX {
            return Err(BadRequest::TargetTooLong);
        }
        if matches!(head.method, Method::CONNECT | Method::TRACE) {
            return Err(BadRequest::Method);
        }
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
        let path = match head.uri.path() {
            "" | "*" => "/".to_owned(),
            raw => canonical_path(raw)?,
        };
        Ok(Self {
            authority: asked.map(written).unwrap_or_default(),
            host: asked.map(|asked| asked.host().to_ascii_lowercase()).unwrap_or_default(),
            port: asked.and_then(|asked| asked.port()),
            method: head.method,
            version: head.version,
            path,
            query: head.uri.query().map(str::to_owned),
            via,
            peer: arrival.client,
            local_port: arrival.local.port(),
            fields: head.headers,
        })
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

    /// Checks the opening handshake.
    ///
    /// # Errors
    /// What makes it none.
    pub fn handshake(&self, lenient_key: bool) -> Result<Offer, Refusal> {
        let version =
            if self.version >= Version::HTTP_11 { HttpVersion::Http11 } else { HttpVersion::Http10 };
        handshake::check(self.method.as_str(), version, &Fields(&self.fields), ServerRules { lenient_key })
    }

    /// `http` or `https`, as the client sees it.
    pub const fn scheme(&self) -> &'static str {
        if self.via.secure { "https" } else { "http" }
    }

    /// The values of all its Origin fields.
    pub fn origins(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.get_all(http::header::ORIGIN).into_iter().map(HeaderValue::as_bytes)
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

fn written(authority: Authority<'_>) -> String {
    match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    }
}

fn target_len(uri: &Uri) -> usize {
    uri.path().len() + uri.query().map_or(0, |query| query.len() + 1)
}

/// The header fields of the `http` crate as the protocol crate wants to see them.
pub(crate) struct Fields<'a>(pub(crate) &'a HeaderMap);

impl Headers for Fields<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).into_iter().map(HeaderValue::as_bytes)
    }
}
