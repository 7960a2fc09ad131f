use alloc::{string::ToString as _, vec, vec::Vec};

use super::{
    deflate::DeflateParameters,
    extensions::{Extension, Extensions, PERMESSAGE_DEFLATE},
    field::{Listing, Single},
    headers::{Field, Headers},
    key::Key,
    subprotocol::{Subprotocol, Subprotocols},
    violation::ResponseViolation,
};

/// The WebSocket part of a client's opening handshake (RFC 6455 §4.1), kept until the response is there.
///
/// The request line, `Host`, `Origin` and whatever else goes with them are the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    key: Key,
    subprotocols: Subprotocols,
    extensions: Extensions,
}

impl Request {
    /// Offers neither subprotocols nor extensions.
    ///
    /// `nonce` must be random and fresh for each request, or a response to another request could pass for
    /// the one to this.
    pub fn new(nonce: [u8; 16]) -> Self {
        Self {
            key: Key::from_nonce(nonce),
            subprotocols: Subprotocols::default(),
            extensions: Extensions::default(),
        }
    }

    /// Offers these subprotocols, in this order of preference.
    #[must_use]
    pub fn with_subprotocols(self, subprotocols: Subprotocols) -> Self {
        Self { subprotocols, ..self }
    }

    /// Offers these extensions, in this order of preference.
    #[must_use]
    pub fn with_extensions(self, extensions: Extensions) -> Self {
        Self { extensions, ..self }
    }

    /// The fields to send. What is not offered writes no field.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = vec![
            ("Upgrade", "websocket".into()),
            ("Connection", "Upgrade".into()),
            ("Sec-WebSocket-Key", self.key.as_str().into()),
            ("Sec-WebSocket-Version", "13".into()),
        ];
        if !self.subprotocols.is_empty() {
            fields.push(("Sec-WebSocket-Protocol", self.subprotocols.to_string()));
        }
        if !self.extensions.is_empty() {
            fields.push(("Sec-WebSocket-Extensions", self.extensions.to_string()));
        }
        fields
    }

    /// Holds the head of a response against what was sent.
    ///
    /// Interim responses (1xx other than 101) are the caller's to skip. `Content-Length` and
    /// `Transfer-Encoding` mean nothing in a 101 and are ignored: what follows it are frames.
    ///
    /// # Errors
    /// The first thing that is wrong. No frame may be sent then, and none be read.
    pub fn verify<H: Headers + ?Sized>(&self, status: u16, headers: &H) -> Result<Agreed, ResponseViolation> {
        if status != 101 {
            return Err(ResponseViolation::Status(status));
        }
        verify_upgrade(headers)?;
        self.verify_accept(headers)?;
        Ok(Agreed { subprotocol: self.subprotocol(headers)?, extensions: self.agreed_extensions(headers)? })
    }

    fn verify_accept<H: Headers + ?Sized>(&self, headers: &H) -> Result<(), ResponseViolation> {
        match Single::of(headers, "sec-websocket-accept") {
            Single::Absent => Err(ResponseViolation::AcceptMissing),
            Single::Several => Err(ResponseViolation::AcceptRepeated),
            Single::One(accept) if accept == self.key.accept().as_str().as_bytes() => Ok(()),
            Single::One(_) => Err(ResponseViolation::AcceptMismatch),
        }
    }

    fn subprotocol<H: Headers + ?Sized>(
        &self,
        headers: &H,
    ) -> Result<Option<Subprotocol>, ResponseViolation> {
        let value = match Single::of(headers, "sec-websocket-protocol") {
            Single::Absent => return Ok(None),
            Single::Several => return Err(ResponseViolation::SubprotocolRepeated),
            Single::One(value) => value,
        };
        let chosen = Subprotocol::from_bytes(value).map_err(|_| ResponseViolation::SubprotocolMalformed)?;
        if self.subprotocols.contains(&chosen) {
            Ok(Some(chosen))
        } else {
            Err(ResponseViolation::SubprotocolNotOffered(chosen))
        }
    }

    fn agreed_extensions<H: Headers + ?Sized>(&self, headers: &H) -> Result<Extensions, ResponseViolation> {
        let agreed = Extensions::parse(headers.values("sec-websocket-extensions"))?;
        for (index, extension) in agreed.iter().enumerate() {
            let name = extension.name();
            if !self.extensions.contains_name(name) {
                return Err(ResponseViolation::ExtensionNotOffered(name.into()));
            }
            if agreed.iter().take(index).any(|earlier| earlier.name() == name) {
                return Err(ResponseViolation::ExtensionRepeated(name.into()));
            }
            if name == PERMESSAGE_DEFLATE {
                self.verify_deflate(extension)?;
            }
        }
        Ok(agreed)
    }

    /// An offer that is malformed itself can have no answer.
    fn verify_deflate(&self, answer: &Extension) -> Result<(), ResponseViolation> {
        let answer = DeflateParameters::from_answer(answer)?;
        let mut offers = self.extensions.iter().filter_map(|offer| DeflateParameters::from_offer(offer).ok());
        if offers.any(|offer| answer.answers(&offer)) {
            Ok(())
        } else {
            Err(ResponseViolation::DeflateMismatch)
        }
    }
}

/// What client and server agreed on. Only [`Request::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// The subprotocol that the server chose, one of the offered. Whether none will do is the caller's to say.
    pub subprotocol: Option<Subprotocol>,
    /// The extensions in force, in the order in which they are applied to outgoing data (RFC 6455 §9.1).
    /// Every name was offered, none occurs twice. Parameters were checked for permessage-deflate only.
    pub extensions: Extensions,
}

/// Stricter than in a request: one protocol is switched to, so `Upgrade` holds that one name alone.
fn verify_upgrade<H: Headers + ?Sized>(headers: &H) -> Result<(), ResponseViolation> {
    match Single::of(headers, "upgrade") {
        Single::Absent => return Err(ResponseViolation::UpgradeMissing),
        Single::One(name) if name.eq_ignore_ascii_case(b"websocket") => {}
        Single::One(_) | Single::Several => return Err(ResponseViolation::UpgradeOther),
    }
    match Listing::of_connection(headers, "upgrade") {
        Listing::Names => Ok(()),
        Listing::Absent | Listing::Malformed | Listing::Without => {
            Err(ResponseViolation::ConnectionWithoutUpgrade)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn request(subprotocols: &str, extensions: &str) -> Request {
        let line = |value| Some(value).filter(|value: &&str| !value.is_empty()).map(str::as_bytes);
        Request::new(*b"the sample nonce")
            .with_subprotocols(Subprotocols::parse(line(subprotocols)).unwrap())
            .with_extensions(Extensions::parse(line(extensions)).unwrap())
    }

    fn verify(request: &Request, extra: &[(&str, &str)]) -> Result<Agreed, ResponseViolation> {
        let good = [
            ("Upgrade", "WebSocket"),
            ("Connection", "upgrade"),
            ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        request.verify(101, [good.as_slice(), extra].concat().as_slice())
    }

    #[test]
    fn an_extension_must_be_offered_once_and_well_formed() {
        use crate::handshake::ExtensionsError::Empty;
        use ResponseViolation::{
            DeflateMismatch, ExtensionNotOffered, ExtensionRepeated, Extensions as Grammar,
        };
        let deflate = PERMESSAGE_DEFLATE;
        let table = [
            ("", "foo", ExtensionNotOffered("foo".into())),
            (deflate, "permessage-deflate, foo", ExtensionNotOffered("foo".into())),
            (deflate, "Permessage-Deflate", ExtensionNotOffered("Permessage-Deflate".into())),
            ("foo, bar", "foo, bar; a, foo", ExtensionRepeated("foo".into())),
            (deflate, "permessage-deflate, permessage-deflate", ExtensionRepeated(deflate.into())),
            (deflate, "permessage-deflate; client_max_window_bits=10", DeflateMismatch),
            ("permessage-deflate; x", "permessage-deflate", DeflateMismatch),
            ("foo", "", Grammar(Empty)),
        ];
        for (offered, answered, violation) in table {
            let found = verify(&request("", offered), &[("Sec-WebSocket-Extensions", answered)]);
            assert_eq!(found, Err(violation), "{answered:?} to {offered:?}");
        }
    }

    #[test]
    fn one_of_several_offers_is_enough() {
        let offers =
            "permessage-deflate; server_max_window_bits=9, permessage-deflate; client_max_window_bits";
        for answer in ["", "; server_max_window_bits=8", "; client_max_window_bits=12"] {
            let answer = String::from(PERMESSAGE_DEFLATE) + answer;
            let agreed = verify(&request("", offers), &[("Sec-WebSocket-Extensions", &answer)]).unwrap();
            assert_eq!(agreed.extensions.to_string(), answer);
        }
        let both = "permessage-deflate; client_max_window_bits=12; server_max_window_bits=8";
        assert!(verify(&request("", offers), &[("Sec-WebSocket-Extensions", both)]).is_ok());
    }

    #[test]
    fn what_is_not_answered_is_not_agreed() {
        let agreed = verify(&request("chat", "permessage-deflate"), &[]).unwrap();
        assert_eq!((agreed.subprotocol, agreed.extensions), (None, Extensions::default()));
    }

    #[test]
    fn a_body_means_nothing_in_a_101() {
        let body = [("Content-Length", "10"), ("Transfer-Encoding", "chunked")];
        assert!(verify(&request("", ""), &body).is_ok());
    }
}
