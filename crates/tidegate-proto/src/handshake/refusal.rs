use super::{extensions::ExtensionsError, host::HostError, subprotocol::SubprotocolsError};

/// Why a request is not answered with 101. Always the client's fault, or that of something on the way to it.
///
/// `Display` is a sentence that may be shown to the client: it repeats nothing that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The method is not `GET` (RFC 6455 §4.2.1, item 1).
    #[error("a WebSocket handshake is a GET request")]
    MethodNotGet,
    /// The request is older than HTTP/1.1, so its `Upgrade` must be ignored (RFC 9110 §7.8).
    #[error("a WebSocket handshake needs HTTP/1.1")]
    HttpTooOld,
    /// There is not exactly one good `Host` (RFC 6455 §4.2.1, item 2).
    #[error("{0}")]
    Host(#[from] HostError),
    /// The request declares a body: it could be taken for frames by one party, for a request by another.
    #[error(
        "a WebSocket handshake has no body: Content-Length must be absent or 0, Transfer-Encoding absent"
    )]
    BodyDeclared,
    /// There is no `Upgrade` field. Often a proxy on the way that does not pass it on.
    #[error("this is a WebSocket service: the Upgrade field is missing")]
    UpgradeMissing,
    /// `Upgrade` is no list of protocols (RFC 9110 §7.8).
    #[error("the Upgrade field is not a list of protocols")]
    UpgradeMalformed,
    /// `Upgrade` does not list `websocket` (RFC 6455 §4.2.1, item 3).
    #[error("this is a WebSocket service: the Upgrade field does not list websocket")]
    UpgradeOther,
    /// `Connection` is no list of tokens (RFC 9110 §7.6.1).
    #[error("the Connection field is not a list of tokens")]
    ConnectionMalformed,
    /// `Connection` is missing or does not list `Upgrade` (RFC 6455 §4.2.1, item 4).
    #[error("the Connection field does not list Upgrade")]
    ConnectionWithoutUpgrade,
    /// There is no `Sec-WebSocket-Version` (RFC 6455 §4.2.1, item 6).
    #[error("the Sec-WebSocket-Version field is missing, 13 is supported")]
    VersionMissing,
    /// There are several `Sec-WebSocket-Version` fields (RFC 6455 §11.3.5).
    #[error("there is more than one Sec-WebSocket-Version field, exactly one is allowed")]
    VersionRepeated,
    /// The version is not exactly `13` (RFC 6455 §4.4).
    #[error("the WebSocket version is not supported, 13 is")]
    VersionUnsupported,
    /// There is no `Sec-WebSocket-Key` (RFC 6455 §4.2.1, item 5).
    #[error("the Sec-WebSocket-Key field is missing")]
    KeyMissing,
    /// There are several `Sec-WebSocket-Key` fields (RFC 6455 §11.3.1).
    #[error("there is more than one Sec-WebSocket-Key field, exactly one is allowed")]
    KeyRepeated,
    /// The key is not 16 bytes in base64, or not even what
    /// [`ServerRules::lenient_key`](super::ServerRules::lenient_key) lets pass.
    #[error("the Sec-WebSocket-Key field is not 16 bytes in base64")]
    KeyMalformed,
    /// `Sec-WebSocket-Protocol` breaks its grammar (RFC 6455 §11.3.4).
    #[error("in Sec-WebSocket-Protocol, {0}")]
    Subprotocols(#[from] SubprotocolsError),
    /// `Sec-WebSocket-Extensions` breaks its grammar (RFC 6455 §9.1).
    #[error("in Sec-WebSocket-Extensions, {0}")]
    Extensions(#[from] ExtensionsError),
}

impl Refusal {
    /// The HTTP status to answer: 405 for the method, 426 where a request that asks for WebSocket version 13
    /// would do, 400 for all else.
    pub fn status(&self) -> u16 {
        match self {
            Self::MethodNotGet => 405,
            Self::UpgradeMissing
            | Self::UpgradeOther
            | Self::ConnectionWithoutUpgrade
            | Self::VersionMissing
            | Self::VersionRepeated
            | Self::VersionUnsupported => 426,
            Self::HttpTooOld
            | Self::Host(_)
            | Self::BodyDeclared
            | Self::UpgradeMalformed
            | Self::ConnectionMalformed
            | Self::KeyMissing
            | Self::KeyRepeated
            | Self::KeyMalformed
            | Self::Subprotocols(_)
            | Self::Extensions(_) => 400,
        }
    }

    /// The header fields that must go with [`status`](Self::status), names and values.
    ///
    /// `Allow` with 405 (RFC 9110 §15.5.6); `Upgrade` and so `Connection` with 426 (§15.5.22); the supported
    /// version where the version was the reason (RFC 6455 §4.4).
    pub fn fields(&self) -> &'static [(&'static str, &'static str)] {
        match self.status() {
            405 => &[("Allow", "GET")],
            426 if self.is_about_version() => {
                &[("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
            }
            426 => &[("Upgrade", "websocket"), ("Connection", "Upgrade")],
            _ => &[],
        }
    }

    fn is_about_version(&self) -> bool {
        matches!(self, Self::VersionMissing | Self::VersionRepeated | Self::VersionUnsupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::EXTENSIONS_MAX;
    use alloc::string::ToString as _;

    fn sends(refusal: Refusal, name: &str) -> Option<&'static str> {
        refusal.fields().iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    #[test]
    fn each_status_brings_its_fields() {
        let table = [
            (Refusal::MethodNotGet, 405, Some("GET"), None, None),
            (Refusal::UpgradeMissing, 426, None, Some("websocket"), None),
            (Refusal::UpgradeOther, 426, None, Some("websocket"), None),
            (Refusal::ConnectionWithoutUpgrade, 426, None, Some("websocket"), None),
            (Refusal::VersionMissing, 426, None, Some("websocket"), Some("13")),
            (Refusal::VersionRepeated, 426, None, Some("websocket"), Some("13")),
            (Refusal::VersionUnsupported, 426, None, Some("websocket"), Some("13")),
            (Refusal::HttpTooOld, 400, None, None, None),
            (Refusal::Host(HostError::Missing), 400, None, None, None),
            (Refusal::BodyDeclared, 400, None, None, None),
            (Refusal::UpgradeMalformed, 400, None, None, None),
            (Refusal::ConnectionMalformed, 400, None, None, None),
            (Refusal::KeyMissing, 400, None, None, None),
            (Refusal::KeyRepeated, 400, None, None, None),
            (Refusal::KeyMalformed, 400, None, None, None),
            (Refusal::Subprotocols(SubprotocolsError::Repeated), 400, None, None, None),
            (Refusal::Extensions(ExtensionsError::Empty), 400, None, None, None),
        ];
        for (refusal, status, allow, upgrade, version) in table {
            assert_eq!(refusal.status(), status, "{refusal}");
            assert_eq!(sends(refusal, "Allow"), allow, "{refusal}");
            assert_eq!(sends(refusal, "Upgrade"), upgrade, "{refusal}");
            assert_eq!(sends(refusal, "Connection"), upgrade.map(|_| "Upgrade"), "{refusal}");
            assert_eq!(sends(refusal, "Sec-WebSocket-Version"), version, "{refusal}");
        }
    }

    #[test]
    fn the_sentence_names_the_field_and_the_bound() {
        let sentence = Refusal::Extensions(ExtensionsError::TooMany).to_string();
        assert!(sentence.starts_with("in Sec-WebSocket-Extensions, more than"), "{sentence}");
        assert!(sentence.contains(&EXTENSIONS_MAX.to_string()), "{sentence}");
    }
}
