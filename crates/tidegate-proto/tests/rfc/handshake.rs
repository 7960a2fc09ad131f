//! The opening handshake: RFC 6455 §4, §9.1 and §11.3.

mod client;
mod server;

use proptest::prelude::*;
use tidegate_proto::handshake::{
    AcceptKey, Agreed, DeflateError, EXTENSIONS_MAX, Extensions, ExtensionsError, Headers, HostError,
    HttpVersion, Offer, Refusal, Request, ResponseViolation, SUBPROTOCOLS_MAX, ServerRules, Subprotocol,
    Subprotocols, SubprotocolsError, check,
};

type Fields = Vec<(&'static str, Vec<u8>)>;

#[test]
fn c009_subprotocols_are_unique_tokens() {
    let table: [(&[u8], _); 9] = [
        (b"", SubprotocolsError::NotAToken),
        (b"chat,", SubprotocolsError::NotAToken),
        (b"chat,,superchat", SubprotocolsError::NotAToken),
        (b"a b", SubprotocolsError::NotAToken),
        (b"a/b", SubprotocolsError::NotAToken),
        (b"chat\r\nX: 1", SubprotocolsError::NotAToken),
        (b"chat\xff", SubprotocolsError::NotAToken),
        (b"chat\xce\xa9", SubprotocolsError::NotAToken),
        (b"chat, chat", SubprotocolsError::Repeated),
    ];
    for (value, error) in table {
        let found = serve(&with(fields(), "Sec-WebSocket-Protocol", value));
        assert_eq!(found, Err(Refusal::Subprotocols(error)), "{}", value.escape_ascii());
    }
    let many = (0..4000).map(|number| format!("p{number}")).collect::<Vec<_>>().join(", ");
    let found = serve(&with(fields(), "Sec-WebSocket-Protocol", many.as_bytes()));
    assert_eq!(found, Err(Refusal::Subprotocols(SubprotocolsError::TooMany)));

    // A client cannot even write such a list.
    assert!("chat\u{3a9}".parse::<Subprotocol>().is_err());
    assert!("".parse::<Subprotocol>().is_err());
    let mut list = subprotocols("chat");
    assert_eq!(list.push("chat".parse().unwrap()), Err(SubprotocolsError::Repeated));
}

#[test]
fn c028_both_ends_agree() {
    let request = request("mqtt, chat", "foo, permessage-deflate; client_max_window_bits");
    let mut sent = request.fields();
    sent.push(("Host", "gw.test".to_owned()));
    let offer = check("GET", HttpVersion::Http11, sent.as_slice(), ServerRules::default()).unwrap();
    let chosen = offer.subprotocols().select(&subprotocols("chat"));
    let extensions: Extensions = "permessage-deflate; client_max_window_bits=11".parse().unwrap();
    let answer = offer.answer(chosen, &extensions).unwrap();

    let agreed = request.verify(101, answer.as_slice()).unwrap();
    assert_eq!(agreed.subprotocol.as_ref(), chosen);
    assert_eq!(agreed.extensions, extensions);
}

#[test]
fn c076_bytes_that_are_not_utf_8_break_the_handshake() {
    for name in NAMES {
        assert!(serve(&replaced(fields(), name, &[b"\xff"])).is_err(), "{name}");
    }
    let request = request("chat", "foo");
    for name in NAMES.into_iter().filter(|name| !is_request_only(name)).chain(["Sec-WebSocket-Accept"]) {
        let found = verify(&request, &replaced(response(), name, &[b"\xff"]));
        assert!(found.is_err(), "{name}");
    }
}

#[test]
fn c077_a_malformed_extension_list_fails_at_once() {
    let backslashes = [b"a;b=\"".as_slice(), &[b'\\'; 8192]].concat();
    let offers = vec!["a"; 5000].join(", ");
    let table: [(&[u8], _); 9] = [
        (b"", ExtensionsError::Empty),
        (b",;constructor", ExtensionsError::NameExpected { at: 1 }),
        (b"a;;b", ExtensionsError::NameExpected { at: 2 }),
        (b"a=\"", ExtensionsError::SeparatorExpected { at: 1 }),
        (b"permessage-deflate; x=\"\\", ExtensionsError::QuoteOpen),
        (b"a; b=\"c d\"", ExtensionsError::QuotedNotToken { at: 8 }),
        (b"a; b=\xc3\xa9", ExtensionsError::ValueExpected { at: 5 }),
        (&backslashes, ExtensionsError::QuotedNotToken { at: 7 }),
        (offers.as_bytes(), ExtensionsError::TooMany),
    ];
    for (value, error) in table {
        let shown = value.get(..40).unwrap_or(value).escape_ascii();
        let found = serve(&with(fields(), "Sec-WebSocket-Extensions", value));
        assert_eq!(found, Err(Refusal::Extensions(error)), "{shown}");
        let found = verify(&request("", "a"), &with(response(), "Sec-WebSocket-Extensions", value));
        assert_eq!(found, Err(ResponseViolation::Extensions(error)), "{shown}");
    }
}

proptest! {
    /// Whatever the bytes, a list that was read is written so that it reads the same, within the bounds.
    #[test]
    fn a_list_reads_as_it_is_written(lines in prop::collection::vec(list_line(), 0..4)) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        if let Ok(extensions) = Extensions::parse(lines.iter().copied()) && !extensions.is_empty() {
            prop_assert!(extensions.iter().count() <= EXTENSIONS_MAX);
            prop_assert_eq!(extensions.to_string().parse(), Ok(extensions));
        }
        if let Ok(subprotocols) = Subprotocols::parse(lines.iter().copied()) && !subprotocols.is_empty() {
            prop_assert!(subprotocols.iter().count() <= SUBPROTOCOLS_MAX);
            prop_assert_eq!(Subprotocols::parse([subprotocols.to_string().as_bytes()]), Ok(subprotocols));
        }
    }

    /// Whatever a field holds, the server answers, and what it answers to an offer suits the client.
    #[test]
    fn any_bytes_in_any_field_get_a_verdict(
        name in prop::sample::select(&NAMES),
        value in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        match serve(&replaced(fields(), name, &[&value])) {
            Ok(offer) => prop_assert!(offer.answer(None, &Extensions::default()).is_ok()),
            Err(refusal) => prop_assert!([400, 426].contains(&refusal.status())),
        }
    }
}

/// Bytes that meet the grammar of lists often enough to get through it.
fn list_line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(&PIECES);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn fields() -> Fields {
    vec![
        ("Host", b"gw.test".into()),
        ("Upgrade", b"websocket".into()),
        ("Connection", b"Upgrade".into()),
        ("Sec-WebSocket-Key", KEY.into()),
        ("Sec-WebSocket-Version", b"13".into()),
    ]
}

fn response() -> Fields {
    vec![
        ("Upgrade", b"websocket".into()),
        ("Connection", b"Upgrade".into()),
        ("Sec-WebSocket-Accept", ACCEPT.into()),
    ]
}

fn with(mut fields: Fields, name: &'static str, value: &[u8]) -> Fields {
    fields.push((name, value.into()));
    fields
}

fn replaced(mut fields: Fields, name: &'static str, values: &[&[u8]]) -> Fields {
    fields.retain(|(field, _)| *field != name);
    values.iter().fold(fields, |fields, value| with(fields, name, value))
}

fn is_request_only(name: &str) -> bool {
    ["Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"].contains(&name)
}

fn serve(headers: &Fields) -> Result<Offer, Refusal> {
    check("GET", HttpVersion::Http11, headers.as_slice(), ServerRules::default())
}

fn verify(request: &Request, response: &Fields) -> Result<Agreed, ResponseViolation> {
    request.verify(101, response.as_slice())
}

fn request(offered: &str, extensions: &str) -> Request {
    let extensions = if extensions.is_empty() {
        Extensions::default()
    } else {
        extensions.parse().expect("a list of extensions")
    };
    Request::new(NONCE).with_subprotocols(subprotocols(offered)).with_extensions(extensions)
}

fn subprotocols(list: &str) -> Subprotocols {
    let line = Some(list.as_bytes()).filter(|line| !line.is_empty());
    Subprotocols::parse(line).expect("a list of subprotocols")
}

const NONCE: [u8; 16] = *b"the sample nonce";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const NAMES: [&str; 7] = [
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
];
const PIECES: [&[u8]; 10] = [b"a", b"bc", b";", b"; ", b", ", b"=", b"=\"d\"", b"\\", b"\"", b"\xff"];
