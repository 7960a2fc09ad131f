//! The opening handshake of a client, in whichever protocol it speaks: RFC 6455, or hybi-00 where the route serves that.

use http::HeaderMap;
use tidegate_proto::handshake::{
    self, Extensions, Field, Headers, HttpVersion, NotOffered, Offer, Refusal, ServerRules, Subprotocol,
    Subprotocols,
};
use tidegate_proto::hybi00::handshake as hybi00;

use crate::request::{Fields, Request};

/// How the client's protocol is called in the access log, where it is not RFC 6455.
pub const HYBI00: &str = "hybi-00";

/// A good opening handshake, not answered yet. Only [`read`] makes one of a request.
#[derive(Debug)]
pub enum Opening {
    /// Of RFC 6455.
    Rfc6455(Offer),
    /// Of hybi-00.
    Hybi00(Box<Hybi00>),
}

/// A good opening handshake of hybi-00. Eight bytes of it are still to come, behind the 101.
#[derive(Debug)]
pub struct Hybi00 {
    offer: hybi00::Offer,
    subprotocols: Subprotocols,
    /// The client asked for `wss`.
    secure: bool,
}

/// Why an upgrade request opens no WebSocket. The client's fault.
#[derive(Debug, thiserror::Error)]
pub enum NoOpening {
    /// By the rules of RFC 6455.
    #[error(transparent)]
    Rfc6455(#[from] Refusal),
    /// By those of hybi-00.
    #[error(transparent)]
    Hybi00(#[from] hybi00::Refusal),
}

impl NoOpening {
    /// The HTTP status to answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Rfc6455(refusal) => refusal.status(),
            Self::Hybi00(refusal) => refusal.status(),
        }
    }

    /// The header fields that must go with it.
    pub fn fields(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Rfc6455(refusal) => refusal.fields(),
            Self::Hybi00(refusal) => refusal.fields(),
        }
    }
}

/// Checks the opening handshake of a request. Clients of hybi-00 are understood where `legacy` says so; elsewhere they
/// are clients of RFC 6455 that name no version.
///
/// # Errors
/// What makes it none.
pub fn read(request: &Request, lenient_key: bool, legacy: bool) -> Result<Opening, NoOpening> {
    let fields = Fields(&request.fields);
    let (method, version) = (request.method.as_str(), request.http_version());
    if legacy && hybi00::is_asked_for(&fields) {
        return Ok(Opening::Hybi00(Box::new(Hybi00::read(request, method, version)?)));
    }
    Ok(Opening::Rfc6455(handshake::check(method, version, &fields, ServerRules { lenient_key })?))
}

impl Opening {
    /// The subprotocols that are offered.
    pub fn subprotocols(&self) -> &Subprotocols {
        match self {
            Self::Rfc6455(offer) => offer.subprotocols(),
            Self::Hybi00(opening) => &opening.subprotocols,
        }
    }

    /// The extensions that are offered; hybi-00 has none.
    pub fn extensions(&self) -> Extensions {
        match self {
            Self::Rfc6455(offer) => offer.extensions().clone(),
            Self::Hybi00(_) => Extensions::default(),
        }
    }

    /// Whether the client speaks hybi-00.
    pub const fn is_hybi00(&self) -> bool {
        matches!(self, Self::Hybi00(_))
    }

    /// The fields of the 101.
    ///
    /// # Errors
    /// The caller's fault: something was not offered.
    pub fn answer(
        &self,
        subprotocol: Option<&Subprotocol>,
        extensions: &Extensions,
    ) -> Result<Vec<Field>, NotOffered> {
        match self {
            Self::Rfc6455(offer) => offer.answer(subprotocol, extensions),
            Self::Hybi00(opening) => {
                opening.offer.answer(opening.secure, subprotocol.map(Subprotocol::as_str))
            }
        }
    }

    /// The reason phrase of the 101, where the protocol has one of its own.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Rfc6455(_) => None,
            Self::Hybi00(_) => Some(hybi00::REASON),
        }
    }
}

impl Hybi00 {
    fn read(request: &Request, method: &str, version: HttpVersion) -> Result<Self, hybi00::Refusal> {
        // The client holds our answer against the URI that it asked for, whatever a proxy on the way made of it.
        let fields = AskedFor { fields: &request.fields, authority: &request.authority };
        let offer = hybi00::check(method, version, request.target(), &fields)?;
        let subprotocols = offer.subprotocol().map(names).unwrap_or_default();
        Ok(Self { offer, subprotocols, secure: request.via.secure })
    }

    /// The sixteen bytes that follow the head of the 101.
    pub fn proof(&self, key3: [u8; 8]) -> [u8; 16] {
        self.offer.proof(key3)
    }
}

/// The names that a client asks for. The draft has one; libraries of the time wrote several between commas. What could
/// not be passed on to a backend, or be configured, counts as not said.
fn names(asked: &str) -> Subprotocols {
    let mut names = Subprotocols::default();
    for name in asked.split(',').filter_map(|name| name.trim_matches(' ').parse::<Subprotocol>().ok()) {
        names.push(name).ok(); // as does one that is repeated, or one too many
    }
    names
}

/// The fields of a request, with the authority that the client asked for as its `Host`.
struct AskedFor<'a> {
    fields: &'a HeaderMap,
    authority: &'a str,
}

impl Headers for AskedFor<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let is_host = name.eq_ignore_ascii_case("host");
        let host = is_host.then_some(self.authority.as_bytes());
        let others = self.fields.get_all(name).into_iter().filter(move |_| !is_host);
        host.into_iter().chain(others.map(http::HeaderValue::as_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_or_several() {
        let names =
            |asked: &str| names(asked).iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(names("base64"), ["base64"]);
        assert_eq!(names("base64, binary"), ["base64", "binary"]);
        assert_eq!(names("a,,a , b c,d"), ["a", "d"], "what is empty, repeated or no token is passed over");
        let many = (0..1_000).map(|name| name.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(names(&many).len(), handshake::SUBPROTOCOLS_MAX);
    }
}
