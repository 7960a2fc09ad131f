//! [`Request::verify`]: a response is taken only if it has what RFC 6455 §4.1 asks of it, and nothing that was not
//! offered.

use tidegate_proto::handshake::{
    DeflateParameters, Extension, Extensions, PERMESSAGE_DEFLATE, Request, Subprotocols,
};

use super::head::Head;
use super::input::Input;
use super::oracle::fields;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let offered = usize::from(input.byte());
    let subprotocols = Subprotocols::parse([SUBPROTOCOLS[offered % 2]]).unwrap_or_default();
    let extensions: Extensions = EXTENSIONS[offered / 2 % 4].parse().unwrap_or_default();
    let request = Request::new(*b"the sample nonce")
        .with_subprotocols(subprotocols.clone())
        .with_extensions(extensions.clone());
    let mut head = Head::read(input.rest());
    // A fuzzer would hardly find the one good value by itself.
    for (_, value) in &mut head.fields {
        if value == b"$accept" {
            *value = ACCEPT.to_vec();
        }
    }
    let status = String::from_utf8_lossy(head.first).parse().unwrap_or(101);
    let verified = request.verify(status, head.fields.as_slice());
    let only = |name| fields::only(&head.values(name));
    let is_offered = |name: &[u8]| subprotocols.iter().any(|offered| offered.as_str().as_bytes() == name);
    let protocol_lines = head.values("sec-websocket-protocol");
    let agreed = fields::extensions(&head.values("sec-websocket-extensions"));
    let is_good = status == 101
        && only("upgrade").is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
        && fields::connection_upgrades(&head.values("connection"))
        && only("sec-websocket-accept") == Some(ACCEPT)
        && (protocol_lines.is_empty() || fields::only(&protocol_lines).is_some_and(is_offered))
        && agreed.is_some_and(|agreed| are_answers(&agreed, &extensions));
    assert_eq!(verified.is_ok(), is_good, "{verified:?}");
    if let Ok(agreed) = verified {
        assert_eq!(agreed.subprotocol.is_some(), !protocol_lines.is_empty());
    }
}

fn are_answers(agreed: &[fields::Extension], offered: &Extensions) -> bool {
    agreed.iter().enumerate().all(|(index, (name, parameters))| {
        let is_first = agreed[..index].iter().all(|(earlier, _)| earlier != name);
        let mut offers = offered.iter().filter(|offer| offer.name() == name).peekable();
        let is_offered = offers.peek().is_some();
        let is_answer = name != PERMESSAGE_DEFLATE || offers.any(|offer| deflate_answers(parameters, offer));
        is_first && is_offered && is_answer
    })
}

/// RFC 7692 §7.1, of an offer that is one of ours.
fn deflate_answers(parameters: &[(String, Option<String>)], offer: &Extension) -> bool {
    let offer = DeflateParameters::from_offer(offer).expect("ours are good");
    let is_once = |(index, (name, _)): (usize, &(String, _))| {
        parameters[..index].iter().all(|(other, _)| other != name)
    };
    let bits = |value: &Option<String>| {
        let value = value.as_deref()?;
        (8..=15u8).find(|bits| bits.to_string() == value)
    };
    let is_good = |(name, value): &(String, Option<String>)| match name.as_str() {
        "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
        "server_max_window_bits" => {
            bits(value).is_some_and(|bits| bits <= offer.server_max_window_bits.unwrap_or(15))
        }
        "client_max_window_bits" => bits(value).is_some() && offer.client_max_window_bits.is_some(),
        _ => false,
    };
    let has = |wanted: &str| parameters.iter().any(|(name, _)| name == wanted);
    parameters.iter().enumerate().all(is_once)
        && parameters.iter().all(is_good)
        && (has("server_no_context_takeover") || !offer.server_no_context_takeover)
        && (has("server_max_window_bits") || offer.server_max_window_bits.is_none())
}

/// The answer to the key of "the sample nonce" (RFC 6455 §1.3).
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const SUBPROTOCOLS: [&[u8]; 2] = [b"chat, mqtt", b""];
const EXTENSIONS: [&str; 4] = [
    "",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=10, permessage-deflate",
    "foo; bar=1",
];
