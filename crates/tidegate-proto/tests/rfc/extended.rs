//! RFC 8441 §4 and §5, RFC 9220 §3: the opening handshake without upgrade.

use proptest::prelude::*;
use tidegate_proto::WsUri;
use tidegate_proto::handshake::extended::{self, PseudoHeaders, Refusal, Request, ResponseViolation, check};
use tidegate_proto::handshake::{
    self, Extensions, ExtensionsError, Headers, NotOffered, Offer, Subprotocol, Subprotocols,
    SubprotocolsError,
};

type Fields = Vec<(&'static str, &'static str)>;

type Change = fn(&mut PseudoHeaders<'static>);

const GOOD: PseudoHeaders<'static> = PseudoHeaders {
    method: "CONNECT",
    protocol: Some("websocket"),
    scheme: Some("https"),
    authority: Some("server.example.com"),
    path: Some("/chat"),
};

fn fields() -> Fields {
    vec![
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-version", "13"),
        ("origin", "http://www.example.com"),
    ]
}

fn serve(extra: &[(&'static str, &'static str)]) -> Result<Offer, Refusal> {
    check(&GOOD, [&fields()[..], extra].concat().as_slice())
}

#[test]
fn c099_c100_every_pseudo_header_is_needed() {
    let fields = fields();
    let with = |change: Change| {
        let mut pseudo = GOOD;
        change(&mut pseudo);
        check(&pseudo, fields.as_slice())
    };
    assert!(with(|_| {}).is_ok());
    let table: [(Change, Refusal); 12] = [
        (|pseudo| pseudo.method = "GET", Refusal::MethodNotConnect),
        (|pseudo| pseudo.method = "connect", Refusal::MethodNotConnect),
        (|pseudo| pseudo.scheme = None, Refusal::Scheme),
        (|pseudo| pseudo.scheme = Some("wss"), Refusal::Scheme),
        (|pseudo| pseudo.scheme = Some(""), Refusal::Scheme),
        (|pseudo| pseudo.path = None, Refusal::Path),
        (|pseudo| pseudo.path = Some(""), Refusal::Path),
        (|pseudo| pseudo.path = Some("*"), Refusal::Path),
        (|pseudo| pseudo.authority = None, Refusal::Authority),
        (|pseudo| pseudo.authority = Some(""), Refusal::Authority),
        (|pseudo| pseudo.authority = Some("user@h"), Refusal::Authority),
        (|pseudo| pseudo.authority = Some("h:65536"), Refusal::Authority),
    ];
    for (change, refusal) in table {
        assert_eq!(with(change), Err(refusal));
        assert_eq!((refusal.status(), refusal.is_malformed()), (400, true), "{refusal}");
    }
}

#[test]
fn c106_scheme_is_http_or_https() {
    for scheme in ["http", "https", "HTTPS"] {
        assert!(
            check(&PseudoHeaders { scheme: Some(scheme), ..GOOD }, fields().as_slice()).is_ok(),
            "{scheme}"
        );
    }
    let scheme = |uri| WsUri::parse(uri).unwrap().http_scheme();
    assert_eq!((scheme("ws://h"), scheme("wss://h")), ("http", "https"));
}

#[test]
fn c109_another_protocol_is_answered_with_501() {
    for protocol in ["connect-udp", "websocket2", "", "web socket"] {
        let found = check(&PseudoHeaders { protocol: Some(protocol), ..GOOD }, fields().as_slice());
        assert_eq!(found, Err(Refusal::ProtocolUnknown), "{protocol}");
    }
    let plain = check(&PseudoHeaders { protocol: None, ..GOOD }, fields().as_slice());
    assert_eq!(plain, Err(Refusal::ProtocolMissing));
    for refusal in [Refusal::ProtocolUnknown, Refusal::ProtocolMissing] {
        assert_eq!((refusal.status(), refusal.is_malformed()), (501, false));
    }
    assert!(check(&PseudoHeaders { protocol: Some("WebSocket"), ..GOOD }, fields().as_slice()).is_ok());
}

#[test]
fn c102_there_is_no_key_to_process() {
    let offer = serve(&[]).unwrap();
    for (name, value) in [
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-key", "no key at all"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("host", "server.example.com"),
        ("te", "trailers"),
        ("content-length", "0"),
    ] {
        assert_eq!(serve(&[(name, value)]).as_ref(), Ok(&offer), "{name}: {value}");
    }
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(serve(&[("sec-websocket-key", key), ("sec-websocket-key", key)]), Ok(offer));
}

#[test]
fn c102_c125_fields_of_one_connection_are_malformed() {
    for (name, value) in [
        ("connection", "upgrade"),
        ("connection", ""),
        ("upgrade", "websocket"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ] {
        let refusal = serve(&[(name, value)]).unwrap_err();
        assert_eq!((refusal, refusal.is_malformed()), (Refusal::ConnectionSpecific, true), "{name}: {value}");
    }
    for hosts in [&[("host", "other.example.com")][..], &[("host", "server.example.com"); 2]] {
        assert_eq!(serve(hosts), Err(Refusal::HostOther), "{hosts:?}");
    }
    let body = serve(&[("content-length", "5")]);
    assert_eq!(body, Err(Refusal::Handshake(handshake::Refusal::BodyDeclared)));
}

#[test]
fn c103_version_is_13_and_a_wrong_one_learns_so() {
    let refused = |fields: &[(&str, &str)]| match check(&GOOD, fields) {
        Err(Refusal::Handshake(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[]), handshake::Refusal::VersionMissing);
    for version in ["12", "8", "013", ""] {
        assert_eq!(refused(&[("sec-websocket-version", version)]), handshake::Refusal::VersionUnsupported);
    }
    let twice = refused(&[("sec-websocket-version", "13"), ("sec-websocket-version", "13")]);
    assert_eq!(twice, handshake::Refusal::VersionRepeated);

    let refusal = Refusal::Handshake(handshake::Refusal::VersionMissing);
    assert_eq!((refusal.status(), refusal.is_malformed()), (400, false), "426 would tell it to upgrade");
    assert_eq!(refusal.fields(), [("sec-websocket-version", "13")]);
    assert!(Refusal::ProtocolUnknown.fields().is_empty());
}

#[test]
fn c103_subprotocols_and_extensions_are_processed_as_over_http_1_1() {
    let offer = serve(&[("sec-websocket-protocol", "mqtt")]).unwrap();
    assert_eq!(offer.subprotocols().to_string(), "chat, superchat, mqtt");
    assert_eq!(offer.extensions().to_string(), "permessage-deflate");

    let refused = |name, value| serve(&[(name, value)]).unwrap_err();
    let subprotocols = |error| Refusal::Handshake(handshake::Refusal::Subprotocols(error));
    let extensions = |error| Refusal::Handshake(handshake::Refusal::Extensions(error));
    assert_eq!(refused("sec-websocket-protocol", "chat"), subprotocols(SubprotocolsError::Repeated));
    assert_eq!(refused("sec-websocket-protocol", "a b"), subprotocols(SubprotocolsError::NotAToken));
    assert_eq!(
        refused("sec-websocket-extensions", "a;;b"),
        extensions(ExtensionsError::NameExpected { at: 2 })
    );
    assert_eq!(refused("sec-websocket-extensions", "a;;b").status(), 400);
}

#[test]
fn c102_c104_the_answer_is_2xx_without_upgrade_and_accept() {
    let offer = serve(&[]).unwrap();
    let superchat: Subprotocol = "superchat".parse().unwrap();
    let deflate: Extensions = "permessage-deflate".parse().unwrap();
    let answer = extended::answer(&offer, Some(&superchat), &deflate).unwrap();
    let expected =
        [("sec-websocket-protocol", "superchat"), ("sec-websocket-extensions", "permessage-deflate")];
    assert_eq!(answer, expected.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(extended::answer(&offer, None, &Extensions::default()), Ok(vec![]));

    let invented: Subprotocol = "mqtt".parse().unwrap();
    let found = extended::answer(&offer, Some(&invented), &Extensions::default());
    assert_eq!(found, Err(NotOffered::Subprotocol));

    let nothing: [(&str, &str); 0] = [];
    for status in [200, 201, 204, 299] {
        assert!(Request::default().verify(status, nothing.as_slice()).is_ok(), "{status}");
    }
    for status in [100, 101, 199, 300, 302, 400, 501, 0] {
        let found = Request::default().verify(status, nothing.as_slice());
        assert_eq!(found, Err(ResponseViolation::Status(status)), "{status}");
    }
}

#[test]
fn c103_both_ends_agree() {
    let request = Request::default()
        .with_subprotocols(Subprotocols::parse([&b"mqtt, chat"[..]]).unwrap())
        .with_extensions("permessage-deflate; client_max_window_bits".parse().unwrap());
    let sent = request.fields();
    assert!(sent.iter().all(|(name, _)| name.bytes().all(|byte| !byte.is_ascii_uppercase())), "{sent:?}");
    let absent = ["upgrade", "connection", "sec-websocket-key", "host"];
    assert!(absent.iter().all(|name| sent.as_slice().values(name).next().is_none()), "{sent:?}");
    assert_eq!(sent.as_slice().values("sec-websocket-version").collect::<Vec<_>>(), [b"13"]);

    let offer = check(&GOOD, sent.as_slice()).unwrap();
    let chosen = offer.subprotocols().select(&Subprotocols::parse([&b"chat"[..]]).unwrap());
    let extensions: Extensions = "permessage-deflate; client_max_window_bits=11".parse().unwrap();
    let answer = extended::answer(&offer, chosen, &extensions).unwrap();
    let agreed = request.verify(200, answer.as_slice()).unwrap();
    assert_eq!((agreed.subprotocol.as_ref(), agreed.extensions), (chosen, extensions));
}

#[test]
fn c103_the_client_holds_the_answer_against_its_offer() {
    let request = Request::default().with_subprotocols(Subprotocols::parse([&b"chat"[..]]).unwrap());
    let verify = |name, value| request.verify(200, [(name, value)].as_slice());
    let mqtt = handshake::ResponseViolation::SubprotocolNotOffered("mqtt".parse().unwrap());
    assert_eq!(verify("sec-websocket-protocol", "mqtt"), Err(ResponseViolation::Handshake(mqtt)));
    let foo = handshake::ResponseViolation::ExtensionNotOffered("foo".into());
    assert_eq!(verify("sec-websocket-extensions", "foo"), Err(ResponseViolation::Handshake(foo)));
    assert!(verify("sec-websocket-accept", "whatever").is_ok(), "c102: not processed");
    assert_eq!(verify("sec-websocket-protocol", "chat").unwrap().subprotocol.unwrap().as_str(), "chat");
}

proptest! {
    /// Whatever the request, there is a verdict with a status of its own.
    #[test]
    fn any_bytes_in_any_field_get_a_verdict(
        name in prop::sample::select(&["sec-websocket-protocol", "sec-websocket-extensions", "sec-websocket-version", "te", "host"]),
        value in proptest::collection::vec(any::<u8>(), 0..40),
        text in proptest::option::of("[ -~]{0,12}"),
    ) {
        let mut fields: Vec<(&str, Vec<u8>)> = vec![("sec-websocket-version", b"13".into())];
        fields.push((name, value));
        let pseudo = PseudoHeaders { authority: text.as_deref(), path: text.as_deref().or(GOOD.path), ..GOOD };
        for pseudo in [GOOD, pseudo] {
            match check(&pseudo, fields.as_slice()) {
                Ok(offer) => prop_assert!(extended::answer(&offer, None, &Extensions::default()).unwrap().is_empty()),
                Err(refusal) => prop_assert_eq!(refusal.status(), 400),
            }
        }
    }
}
