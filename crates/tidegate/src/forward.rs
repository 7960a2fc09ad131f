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

/// How many fields are added to a request at the most: those of the handshake, and those about the client.
const ADDED_MAX: usize = 12;

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

/// Fields in which proxies speak about the client, besides [`X_FORWARDED`]. What a client says there itself is not passed
/// on.
const FORWARDING: [&str; 3] = ["forwarded", "x-real-ip", "http2-settings"];

/// Begins the names of others such: `-For` and `-Proto`, which are ours to write, but also `-User` or `-Client-Cert`, which
/// a backend believes that has a proxy of another kind in mind.
const X_FORWARDED: &str = "x-forwarded-";

/// Of those, the ones that are written anew, or left out, whoever has sent them.
const REWRITTEN: [HeaderName; 5] =
    [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_SERVER];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_SERVER: HeaderName = HeaderName::from_static("x-forwarded-server");

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
    let mut passed = HeaderMap::with_capacity(fields.keys_len() + ADDED_MAX);
    for (name, value) in fields.iter().filter(|(name, _)| !stays(name)) {
        passed.append(name, value.clone());
    }
    passed
}

/// Behind CGI and its like `X_Forwarded_For` and `X-Forwarded-For` are one name: nobody must speak through the first
/// where the second is ours to write, or a trusted proxy's.
fn is_look_alike(name: &str) -> bool {
    !is_plain(name) && {
        let name = name.replace(|found: char| !found.is_ascii_alphanumeric(), "-");
        is_forwarding(&name) || HANDSHAKE.contains(&name.as_str())
    }
}

/// Whether CGI makes of it what it makes of no other name: there, whatever is neither letter nor digit becomes `_`.
pub(crate) fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_forwarding(name: &str) -> bool {
    name.starts_with(X_FORWARDED) || FORWARDING.contains(&name)
}

/// The fields of a plain response that go on: as [`end_to_end`], but the body keeps its length.
///
/// A length beside `Transfer-Encoding` means nothing (RFC 9112 §6.3): passed on, it would cut the body.
pub(crate) fn response_end_to_end(fields: &HeaderMap) -> HeaderMap {
    let mut passed = end_to_end(fields);
    if let Some(length) = fields.get(CONTENT_LENGTH)
        && !fields.contains_key(TRANSFER_ENCODING)
    {
        passed.insert(CONTENT_LENGTH, length.clone());
    }
    passed
}

/// What a backend is told about the client: `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
///
/// What a trusted proxy has said is kept, with its own address behind it if it has one, and so is `X-Forwarded-Server`,
/// in which Apache names itself, and every other `X-Forwarded-*`; what anybody else has said is not. Where nobody has an
/// address, nothing is said about it.
pub(crate) fn add_forwarded(fields: &mut HeaderMap, request: &Request) {
    let kept = |name: &HeaderName| request.via.trusted.then(|| request.fields.get_all(name));
    let chain = kept(&X_FORWARDED_FOR).into_iter().flatten().filter_map(|line| line.to_str().ok());
    let peer = request.arrival.client.ip().map(|address| address.to_string());
    let addresses: Vec<&str> = chain.chain(peer.as_deref()).collect();
    let last = |name: &HeaderName| kept(name).and_then(|lines| lines.iter().next_back().cloned());
    let (port, server) = (last(&X_FORWARDED_PORT), last(&X_FORWARDED_SERVER));
    let named: Vec<HeaderName> = fields.keys().filter(|name| is_forwarding(name.as_str())).cloned().collect();
    for name in named {
        let is_kept = request.via.trusted && name.as_str().starts_with(X_FORWARDED);
        if !is_kept || REWRITTEN.contains(&name) {
            fields.remove(name);
        }
    }
    let client = (!addresses.is_empty()).then(|| (X_FORWARDED_FOR, addresses.join(", ")));
    for (name, value) in client.into_iter().chain([
        (X_FORWARDED_PROTO, request.scheme().to_owned()),
        (X_FORWARDED_HOST, request.authority.clone()),
    ]) {
        let value =
            HeaderValue::try_from(value).expect("what stood in fields, and a checked host, is a legal value");
        fields.insert(name, value);
    }
    let local_port = request.arrival.local.map(|local| local.port());
    let own = || local_port.unwrap_or_else(|| request.origin().port).into();
    fields.insert(X_FORWARDED_PORT, port.unwrap_or_else(own));
    if let Some(server) = server {
        fields.insert(X_FORWARDED_SERVER, server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t015_c113_hop_by_hop_fields_and_what_connection_names_stay() {
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
            ("x-forwarded_user", "root"),
            ("x.forwarded.uri", "/public"),
            ("x_real_ip", "1.2.3.4"),
            ("sec_websocket_key", "x"),
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
