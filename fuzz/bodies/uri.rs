//! [`WsUri`] (RFC 6455 §3).

use tidegate_proto::WsUri;

use super::oracle::fields;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parsed = WsUri::parse(text);
    assert_eq!(parsed.is_ok(), is_ws_uri(text), "{parsed:?}");
    if let Ok(uri) = parsed {
        assert_says(&uri, text);
    }
    // The same words with the other two schemes are the same URI.
    let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
    let http = match scheme.to_ascii_lowercase().as_str() {
        "ws" => format!("HTTP:{rest}"),
        "wss" => format!("https:{rest}"),
        _ => return,
    };
    assert_eq!(
        WsUri::from_http(&http).map(|uri| uri.to_string()).ok(),
        parsed.ok().map(|uri| uri.to_string())
    );
    assert!(WsUri::from_http(text).is_err());
}

fn is_ws_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, resource) = rest.split_at(end);
    let is_resource = |at: usize, byte: u8| match byte {
        b'%' => {
            resource.as_bytes().get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        }
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte),
    };
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let port_is_zero = port.is_some_and(|port| !port.is_empty() && port.bytes().all(|digit| digit == b'0'));
    ["ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && fields::is_authority(authority.as_bytes())
        && !port_is_zero
        && resource.bytes().enumerate().all(|(at, byte)| is_resource(at, byte))
}

fn assert_says(uri: &WsUri<'_>, text: &str) {
    let written = uri.to_string();
    let again = WsUri::parse(&written).expect("what is written is a URI");
    let parts = |uri: &WsUri<'_>| {
        (
            uri.is_secure(),
            uri.host().to_owned(),
            uri.port(),
            uri.resource_name().into_owned(),
            uri.host_header().into_owned(),
        )
    };
    assert_eq!(parts(&again), parts(uri));
    assert_eq!(again.to_string(), written, "there is one shortest form");
    assert!(uri.port() != 0 && uri.resource_name().starts_with('/'));
    assert!(text.contains(uri.host()));
    assert!(fields::is_authority(uri.host_header().as_bytes()));
    assert!(uri.resource_name().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
}
