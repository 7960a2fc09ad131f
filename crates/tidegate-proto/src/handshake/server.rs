use alloc::{string::ToString as _, vec, vec::Vec};

use super::{
    extensions::Extensions,
    field::{Listing, Single},
    headers::{Field, Headers},
    host::Authority,
    key::{AcceptKey, is_tolerable_key, is_valid_key},
    refusal::Refusal,
    subprotocol::{Subprotocol, Subprotocols},
};

/// Decides whether a request opens a WebSocket, by RFC 6455 §4.2.1 alone.
///
/// Policy is not asked here: the origin, the path, the name in `Host` and credentials are the caller's.
/// Fields that the handshake does not know are ignored, `Sec-WebSocket-Accept` among them. `method` has a
/// case.
///
/// # Errors
/// The first thing that is wrong, in the order of [`Refusal`]'s variants.
pub fn check<H: Headers + ?Sized>(
    method: &str,
    version: HttpVersion,
    headers: &H,
    rules: ServerRules,
) -> Result<Offer, Refusal> {
    if method != "GET" {
        return Err(Refusal::MethodNotGet);
    }
    if version == HttpVersion::Http10 {
        return Err(Refusal::HttpTooOld);
    }
    Authority::from_headers(headers)?;
    check_body(headers)?;
    check_upgrade(headers)?;
    check_version(headers)?;
    Ok(Offer {
        accept: accept(headers, rules)?,
        subprotocols: Subprotocols::parse(headers.values("sec-websocket-protocol"))?,
        extensions: Extensions::parse(headers.values("sec-websocket-extensions"))?,
    })
}

/// What a server may forgive. The default forgives nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerRules {
    /// Takes a `Sec-WebSocket-Key` that does not decode to 16 bytes, as clients made for servers that never
    /// looked send it: 1 to [`LENIENT_KEY_BYTES_MAX`](super::LENIENT_KEY_BYTES_MAX) bytes of visible ASCII.
    ///
    /// Deviates from RFC 6455 §4.2.1, item 5. The answer proves the same to the client, whatever its key.
    pub lenient_key: bool,
}

/// The version in the request line. Upgrades over HTTP/2 and later are no upgrades, but RFC 8441.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.0, or older.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// A good opening handshake of a client, not answered yet. Only [`check`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    accept: AcceptKey,
    subprotocols: Subprotocols,
    extensions: Extensions,
}

impl Offer {
    /// The `Sec-WebSocket-Accept` that answers the client's key.
    pub fn accept(&self) -> &AcceptKey {
        &self.accept
    }

    /// The offered subprotocols, the client's favourite first.
    pub fn subprotocols(&self) -> &Subprotocols {
        &self.subprotocols
    }

    /// The offered extensions, the client's favourite first. The parameters are unchecked: an offer that
    /// makes no sense is declined, it is no reason to refuse the handshake.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The fields of the 101 response (RFC 6455 §4.2.2, item 5). `None` and an empty list write no field.
    ///
    /// # Errors
    /// The caller's fault: an answer that was not offered, which the client would have to reject.
    pub fn answer(
        &self,
        subprotocol: Option<&Subprotocol>,
        extensions: &Extensions,
    ) -> Result<Vec<Field>, NotOffered> {
        let mut fields = vec![
            ("Upgrade", "websocket".into()),
            ("Connection", "Upgrade".into()),
            ("Sec-WebSocket-Accept", self.accept.as_str().into()),
        ];
        if let Some(subprotocol) = subprotocol {
            if !self.subprotocols.contains(subprotocol) {
                return Err(NotOffered::Subprotocol);
            }
            fields.push(("Sec-WebSocket-Protocol", subprotocol.to_string()));
        }
        if !extensions.is_empty() {
            if !extensions.iter().all(|extension| self.extensions.contains_name(extension.name())) {
                return Err(NotOffered::Extension);
            }
            fields.push(("Sec-WebSocket-Extensions", extensions.to_string()));
        }
        Ok(fields)
    }
}

/// An answer to something that the client did not offer. The fault of the server's own code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    /// The subprotocol is none of the offered.
    #[error("the subprotocol to answer was not offered")]
    Subprotocol,
    /// An extension is none of the offered.
    #[error("an extension to answer was not offered")]
    Extension,
}

/// A body is refused even if it is one that HTTP allows: a GET may have one, but what follows this head is
/// frames. Zero must be written as clients write it, since other spellings are how parsers are set apart.
fn check_body<H: Headers + ?Sized>(headers: &H) -> Result<(), Refusal> {
    let is_empty = match Single::of(headers, "content-length") {
        Single::Absent => true,
        Single::One(length) => length == b"0",
        Single::Several => false,
    };
    let is_encoded = headers.values("transfer-encoding").next().is_some();
    if is_empty && !is_encoded { Ok(()) } else { Err(Refusal::BodyDeclared) }
}

fn check_upgrade<H: Headers + ?Sized>(headers: &H) -> Result<(), Refusal> {
    match Listing::of_upgrade(headers, "websocket") {
        Listing::Absent => return Err(Refusal::UpgradeMissing),
        Listing::Malformed => return Err(Refusal::UpgradeMalformed),
        Listing::Without => return Err(Refusal::UpgradeOther),
        Listing::Names => {}
    }
    match Listing::of_connection(headers, "upgrade") {
        Listing::Malformed => Err(Refusal::ConnectionMalformed),
        Listing::Absent | Listing::Without => Err(Refusal::ConnectionWithoutUpgrade),
        Listing::Names => Ok(()),
    }
}

fn check_version<H: Headers + ?Sized>(headers: &H) -> Result<(), Refusal> {
    match Single::of(headers, "sec-websocket-version") {
        Single::Absent => Err(Refusal::VersionMissing),
        Single::Several => Err(Refusal::VersionRepeated),
        Single::One(b"13") => Ok(()),
        Single::One(_) => Err(Refusal::VersionUnsupported),
    }
}

fn accept<H: Headers + ?Sized>(headers: &H, rules: ServerRules) -> Result<AcceptKey, Refusal> {
    let key = match Single::of(headers, "sec-websocket-key") {
        Single::Absent => return Err(Refusal::KeyMissing),
        Single::Several => return Err(Refusal::KeyRepeated),
        Single::One(key) => key,
    };
    if is_valid_key(key) || rules.lenient_key && is_tolerable_key(key) {
        Ok(AcceptKey::from_key(key))
    } else {
        Err(Refusal::KeyMalformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("Host", "gw.test"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];

    fn check_with(extra: &[(&str, &str)]) -> Result<Offer, Refusal> {
        let headers = [GOOD.as_slice(), extra].concat();
        check("GET", HttpVersion::Http11, headers.as_slice(), ServerRules::default())
    }

    #[test]
    fn an_empty_body_is_none_and_any_other_is_refused() {
        assert!(check_with(&[("Content-Length", " 0 ")]).is_ok());
        let table: &[&[(&str, &str)]] = &[
            &[("Content-Length", "5")],
            &[("Content-Length", "00")],
            &[("Content-Length", "+0")],
            &[("Content-Length", "")],
            &[("Content-Length", "0, 0")],
            &[("Content-Length", "0"), ("Content-Length", "0")],
            &[("Transfer-Encoding", "chunked")],
            &[("Transfer-Encoding", "identity")],
            &[("Transfer-Encoding", "")],
            &[("Content-Length", "0"), ("Transfer-Encoding", "chunked")],
        ];
        for fields in table {
            assert_eq!(check_with(fields), Err(Refusal::BodyDeclared), "{fields:?}");
        }
    }

    #[test]
    fn an_answer_stays_within_the_offer() {
        let offer = check_with(&[
            ("Sec-WebSocket-Protocol", "chat, mqtt"),
            ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ])
        .unwrap();
        let none = Extensions::default();
        let deflate: Extensions = "permessage-deflate; server_no_context_takeover".parse().unwrap();
        let mqtt: Subprotocol = "mqtt".parse().unwrap();

        assert_eq!(offer.answer(None, &none).unwrap().len(), 3);
        let fields = offer.answer(Some(&mqtt), &deflate).unwrap();
        assert_eq!(
            fields.get(3..).unwrap(),
            [("Sec-WebSocket-Protocol", mqtt.to_string()), ("Sec-WebSocket-Extensions", deflate.to_string())]
        );

        let invented: Subprotocol = "Mqtt".parse().unwrap();
        assert_eq!(offer.answer(Some(&invented), &none), Err(NotOffered::Subprotocol));
        let invented: Extensions = "permessage-deflate, foo".parse().unwrap();
        assert_eq!(offer.answer(None, &invented), Err(NotOffered::Extension));
    }

    #[test]
    fn the_first_thing_wrong_is_the_one_told() {
        let nothing: [(&str, &str); 0] = [];
        let rules = ServerRules::default();
        let refused = |method, version| check(method, version, nothing.as_slice(), rules).unwrap_err();
        assert_eq!(refused("POST", HttpVersion::Http10), Refusal::MethodNotGet);
        assert_eq!(refused("GET", HttpVersion::Http10), Refusal::HttpTooOld);
        assert_eq!(refused("GET", HttpVersion::Http11), Refusal::Host(crate::handshake::HostError::Missing));
    }
}
