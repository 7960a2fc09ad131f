use alloc::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use super::{KeyError, Refusal, key, printable};
use crate::handshake::{
    self, Authority, Field, Headers, HttpVersion, Key, NotOffered, ServerRules,
    translated::{Several, Translated, only},
};

/// Whether the request comes from a client of hybi-00: it has one of the two keys, and nothing of RFC 6455. A request
/// with both is for [`handshake::check`](crate::handshake::check) alone.
pub fn is_asked_for<H: Headers + ?Sized>(headers: &H) -> bool {
    let has = |name| headers.values(name).next().is_some();
    (has("sec-websocket-key1") || has("sec-websocket-key2"))
        && !has("sec-websocket-version")
        && !has("sec-websocket-key")
}

/// Decides whether a request opens a connection, by draft §5.2 alone.
///
/// As with RFC 6455, the origin, the path, the name in `Host` and credentials are the caller's to judge. `resource` is
/// the request target, path and query, as it was received; the client compares it with what it asked for.
///
/// # Errors
/// The first thing that is wrong, in the order of [`Refusal`]'s variants.
pub fn check<H: Headers + ?Sized>(
    method: &str,
    version: HttpVersion,
    resource: &str,
    headers: &H,
) -> Result<Offer, Refusal> {
    check_upgrade(method, version, headers)?;
    if !matches!(only(headers, "sec-websocket-draft"), Ok(None | Some(b"0"))) {
        return Err(Refusal::Draft);
    }
    let parts = [
        read_key(headers, "sec-websocket-key1").map_err(Refusal::Key1)?,
        read_key(headers, "sec-websocket-key2").map_err(Refusal::Key2)?,
    ];
    let origin = only(headers, "origin").ok().flatten().and_then(visible).ok_or(Refusal::Origin)?;
    let subprotocol = match only(headers, "sec-websocket-protocol") {
        Ok(None) => None,
        Ok(Some(value)) => Some(printable(value).ok_or(Refusal::Subprotocol)?.to_owned()),
        Err(Several) => return Err(Refusal::Subprotocol),
    };
    let is_path = resource.starts_with('/') && visible(resource.as_bytes()).is_some();
    if !is_path {
        return Err(Refusal::Resource);
    }
    let authority = Authority::from_headers(headers).map_err(handshake::Refusal::from)?;
    Ok(Offer {
        parts,
        host: authority.host().to_ascii_lowercase(),
        port: authority.port(),
        resource: resource.to_owned(),
        origin: origin.to_owned(),
        subprotocol,
    })
}

/// A good opening handshake of a client, not answered yet. Only [`check`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    parts: [u32; 2],
    /// In lower case.
    host: String,
    port: Option<u16>,
    resource: String,
    origin: String,
    subprotocol: Option<String>,
}

impl Offer {
    /// The `Origin` of the page that asks: visible ASCII, never empty.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The subprotocol that is asked for, one name and no list: printable ASCII, never empty.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The fields of the 101 response. `secure` says whether the client asked for `wss`, be TLS terminated here or in
    /// front of us. A client that asked for a subprotocol fails the connection if it is answered with none.
    ///
    /// # Errors
    /// [`NotOffered::Subprotocol`]: the caller's fault. Clients exist that send a list as if it were one name, so one of
    /// the names between its commas will do as well.
    pub fn answer(&self, secure: bool, subprotocol: Option<&str>) -> Result<Vec<Field>, NotOffered> {
        let mut fields = vec![
            ("Upgrade", "WebSocket".into()),
            ("Connection", "Upgrade".into()),
            ("Sec-WebSocket-Origin", self.origin.clone()),
            ("Sec-WebSocket-Location", self.location(secure)),
        ];
        if let Some(subprotocol) = subprotocol {
            if !self.offers(subprotocol) {
                return Err(NotOffered::Subprotocol);
            }
            fields.push(("Sec-WebSocket-Protocol", subprotocol.to_string()));
        }
        Ok(fields)
    }

    /// The sixteen bytes that follow the head of the response.
    pub fn proof(&self, key3: [u8; 8]) -> [u8; 16] {
        key::proof(self.parts, key3)
    }

    fn offers(&self, subprotocol: &str) -> bool {
        let is_listed =
            |offered: &String| offered.split(',').any(|name| name.trim_matches(' ') == subprotocol);
        !subprotocol.is_empty()
            && self.subprotocol.as_ref().is_some_and(|offered| offered == subprotocol || is_listed(offered))
    }

    /// The URI that the client asked for, with a port only where it is not the scheme's own.
    fn location(&self, secure: bool) -> String {
        let (scheme, default_port) = if secure { ("wss", 443) } else { ("ws", 80) };
        let (host, resource) = (&self.host, &self.resource);
        match self.port.filter(|&port| port != default_port) {
            Some(port) => format!("{scheme}://{host}:{port}{resource}"),
            None => format!("{scheme}://{host}{resource}"),
        }
    }
}

/// What this handshake has in common with that of RFC 6455 is held to the rules of that one.
fn check_upgrade<H: Headers + ?Sized>(
    method: &str,
    version: HttpVersion,
    headers: &H,
) -> Result<(), handshake::Refusal> {
    let key = Key::from_nonce([0; 16]);
    let replaced: [(&str, Option<&[u8]>); 4] = [
        ("sec-websocket-version", Some(b"13")),
        ("sec-websocket-key", Some(key.as_str().as_bytes())),
        ("sec-websocket-protocol", None),
        ("sec-websocket-extensions", None),
    ];
    let translated = Translated { fields: headers, replaced: &replaced };
    handshake::check(method, version, &translated, ServerRules::default()).map(|_| ())
}

fn read_key<H: Headers + ?Sized>(headers: &H, name: &str) -> Result<u32, KeyError> {
    match only(headers, name) {
        Ok(None) => Err(KeyError::Missing),
        Ok(Some(value)) => key::part(value),
        Err(Several) => Err(KeyError::Repeated),
    }
}

/// As [`printable`], but without spaces.
fn visible(value: &[u8]) -> Option<&str> {
    printable(value).filter(|text| !text.contains(' '))
}
