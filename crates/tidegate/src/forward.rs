//! Which header fields travel on, and which are added on the way (RFC 9110 §7.6.1).

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::request::Request;

/// Fields that concern one connection only, besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Fields of the opening handshake: each of the two connections has its own.
const HANDSHAKE: [&str; 9] = [
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-key1",
    "sec-websocket-key2",
    "sec-websocket-draft",
    "sec-websocket-location",
];

/// Fields in which proxies speak about the client. What a client says there itself is not passed on.
const FORWARDING: [&str; 8] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-real-ip",
    "http2-settings",
];

/// The fields of an upgrade request or its response that go on to the other side.
pub(crate) fn end_to_end(fields: &HeaderMap) -> HeaderMap {
    let nominated: Vec<&str> = fields
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .collect();
    let stays = |name: &HeaderName| {
        HOP_BY_HOP.contains(name)
            || HANDSHAKE.contains(&name.as_str())
            || is_look_alike(name.as_str())
            || nominated.iter().any(|nominated| nominated.eq_ignore_ascii_case(name.as_str()))
    };
    fields
        .iter()
        .filter(|(name, _)| !stays(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Behind CGI and its like `X_Forwarded_For` and `X-Forwarded-For` are one name: a client must not speak through the
/// first where the second is ours to write.
fn is_look_alike(name: &str) -> bool {
    name.contains('_') && {
        let name = name.replace('_', "-");
        FORWARDING.contains(&name.as_str()) || HANDSHAKE.contains(&name.as_str())
    }
}

/// The fields of a plain response that go on: as [`end_to_end`], but the body keeps its length.
pub(crate) fn response_end_to_end(fields: &HeaderMap) -> HeaderMap {
    let mut passed = end_to_end(fields);
    if let Some(length) = fields.get(CONTENT_LENGTH) {
        passed.insert(CONTENT_LENGTH, length.clone());
    }
    passed
}

/// What a backend is told about the client: `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
///
/// What a trusted proxy has said is kept, with its own address behind it if it has one, and so is `X-Forwarded-Server`,
/// in which Apache names itself; what anybody else has said is not. Where nobody has an address, nothing is said about it.
pub(crate) fn add_forwarded(fields: &mut HeaderMap, request: &Request) {
    let kept = |name: &str| request.via.trusted.then(|| request.fields.get_all(name));
    let chain = kept("x-forwarded-for").into_iter().flatten().filter_map(|line| line.to_str().ok());
    let peer = request.arrival.client.ip().map(|address| address.to_string());
    let addresses: Vec<&str> = chain.chain(peer.as_deref()).collect();
    let last = |name: &str| kept(name).and_then(|lines| lines.iter().next_back().cloned());
    let (port, server) = (last("x-forwarded-port"), last("x-forwarded-server"));
    for name in FORWARDING {
        fields.remove(name);
    }
    let client = (!addresses.is_empty()).then(|| ("x-forwarded-for", addresses.join(", ")));
    for (name, value) in client.into_iter().chain([
        ("x-forwarded-proto", request.scheme().to_owned()),
        ("x-forwarded-host", request.authority.clone()),
    ]) {
        let value =
            HeaderValue::try_from(value).expect("what stood in fields, and a checked host, is a legal value");
        fields.insert(name, value);
    }
    let local_port = request.arrival.local.map(|local| local.port());
    let own = || local_port.unwrap_or_else(|| request.origin().port).into();
    fields.insert("x-forwarded-port", port.unwrap_or_else(own));
    if let Some(server) = server {
        fields.insert("x-forwarded-server", server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c113_hop_by_hop_fields_and_what_connection_names_stay() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("host", "gw.test"),
            ("connection", "Upgrade, X-Secret"),
            ("connection", "keep-alive"),
            ("upgrade", "websocket"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("x-secret", "1"),
            ("sec-websocket-key", "x"),
            ("x_forwarded_for", "1.2.3.4"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("authorization", "Basic x"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        let passed = end_to_end(&fields);
        let names: Vec<_> =
            passed.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(names, ["host: gw.test", "cookie: a=1", "cookie: b=2", "authorization: Basic x"]);
    }
}
