//! Draft §4.1 and §5.2: keys, eight bytes, and sixteen in answer.

use proptest::prelude::*;
use tidegate_proto::WsUri;
use tidegate_proto::handshake::{self, Headers, HostError, HttpVersion, NotOffered, ServerRules};
use tidegate_proto::hybi00::handshake::{
    Key3, KeyError, Offer, REASON, Refusal, Request, RequestError, ResponseViolation, check, is_asked_for,
};

type Fields = Vec<(&'static str, Vec<u8>)>;

fn fields() -> Fields {
    vec![
        ("Host", b"example.com".into()),
        ("Connection", b"Upgrade".into()),
        ("Sec-WebSocket-Key2", b"12998 5 Y3 1  .P00".into()),
        ("Upgrade", b"WebSocket".into()),
        ("Sec-WebSocket-Key1", b"4 @1  46546xW%0l 1 5".into()),
        ("Origin", b"http://example.com".into()),
    ]
}

fn replaced(name: &'static str, values: &[&[u8]]) -> Fields {
    let mut fields = fields();
    fields.retain(|(field, _)| *field != name);
    fields.extend(values.iter().map(|value| (name, value.to_vec())));
    fields
}

fn serve(fields: &Fields) -> Result<Offer, Refusal> {
    check("GET", HttpVersion::Http11, "/demo", fields.as_slice())
}

fn location(host: &str, resource: &str, secure: bool) -> String {
    let fields = replaced("Host", &[host.as_bytes()]);
    let offer = check("GET", HttpVersion::Http11, resource, fields.as_slice()).unwrap();
    let answer = offer.answer(secure, None).unwrap();
    answer.into_iter().find(|(name, _)| *name == "Sec-WebSocket-Location").unwrap().1
}

#[test]
fn c126_the_request_of_the_draft_is_good_and_each_field_is_needed() {
    let offer = serve(&fields()).unwrap();
    assert_eq!((offer.origin(), offer.subprotocol()), ("http://example.com", None));
    let http = |refusal| Refusal::Http(refusal);
    let table = [
        ("Host", http(handshake::Refusal::Host(HostError::Missing)), 400),
        ("Upgrade", http(handshake::Refusal::UpgradeMissing), 426),
        ("Connection", http(handshake::Refusal::ConnectionWithoutUpgrade), 426),
        ("Sec-WebSocket-Key1", Refusal::Key1(KeyError::Missing), 400),
        ("Sec-WebSocket-Key2", Refusal::Key2(KeyError::Missing), 400),
        ("Origin", Refusal::Origin, 400),
    ];
    for (name, refusal, status) in table {
        assert_eq!(serve(&replaced(name, &[])), Err(refusal), "{name}");
        assert_eq!(refusal.status(), status, "{name}");
        assert_eq!(refusal.fields().is_empty(), status == 400, "{name}");
    }
    let posted = check("POST", HttpVersion::Http11, "/demo", fields().as_slice());
    assert_eq!(posted, Err(http(handshake::Refusal::MethodNotGet)));
    let old = check("GET", HttpVersion::Http10, "/demo", fields().as_slice());
    assert_eq!(old, Err(http(handshake::Refusal::HttpTooOld)));
    assert!(serve(&replaced("Upgrade", &[b"WEBSOCKET"])).is_ok());
}

#[test]
fn c126_what_else_is_wrong_with_a_request() {
    let body = Refusal::Http(handshake::Refusal::BodyDeclared);
    let table: [(&str, &[&[u8]], Refusal); 14] = [
        ("Content-Length", &[b"8"], body), // the eight bytes are not announced
        ("Transfer-Encoding", &[b"chunked"], body),
        ("Host", &[b"a", b"a"], Refusal::Http(handshake::Refusal::Host(HostError::Repeated))),
        ("Sec-WebSocket-Draft", &[b"2"], Refusal::Draft), // its frames are others
        ("Sec-WebSocket-Draft", &[b"0", b"0"], Refusal::Draft),
        ("Sec-WebSocket-Key1", &[b"1 x", b"1 x"], Refusal::Key1(KeyError::Repeated)),
        ("Sec-WebSocket-Key2", &[b"1 x", b"1 x"], Refusal::Key2(KeyError::Repeated)),
        ("Origin", &[b"http://a", b"http://a"], Refusal::Origin),
        ("Origin", &[b""], Refusal::Origin),
        ("Origin", &[b"http://a b"], Refusal::Origin),
        ("Sec-WebSocket-Protocol", &[b""], Refusal::Subprotocol),
        ("Sec-WebSocket-Protocol", &[b"a\x7f"], Refusal::Subprotocol),
        ("Sec-WebSocket-Protocol", &[b"caf\xc3\xa9"], Refusal::Subprotocol),
        ("Sec-WebSocket-Protocol", &[b"a", b"a"], Refusal::Subprotocol),
    ];
    for (name, values, refusal) in table {
        assert_eq!(serve(&replaced(name, values)), Err(refusal), "{name}: {values:?}");
    }
    assert!(serve(&replaced("Sec-WebSocket-Draft", &[b"0"])).is_ok());
    assert!(serve(&replaced("Origin", &[b"null"])).is_ok());
    for resource in ["", "*", "demo", "http://example.com/", "/a b", "/\r\nX: 1", "/caf\u{e9}", "/\0"] {
        let found = check("GET", HttpVersion::Http11, resource, fields().as_slice());
        assert_eq!(found, Err(Refusal::Resource), "{resource:?}");
    }
}

#[test]
fn c127_t213_keys_that_hide_no_number_are_refused() {
    let table: [(&[u8], KeyError); 8] = [
        (b"1234567890", KeyError::NoSpace),
        (b" 12 ", KeyError::NoSpace), // blanks around the value are not part of it
        (b"1\t2", KeyError::NoSpace),
        (b"a b c", KeyError::NoDigit),
        (b"", KeyError::NoDigit),
        (b"7  x", KeyError::NotDivisible),
        (b"42949672960 x", KeyError::TooLarge), // eleven digits
        (&[b'9'; 8192], KeyError::TooLarge),
    ];
    for (key, error) in table {
        let shown = key.get(..20).unwrap_or(key).escape_ascii();
        assert_eq!(serve(&replaced("Sec-WebSocket-Key1", &[key])), Err(Refusal::Key1(error)), "{shown}");
        assert_eq!(serve(&replaced("Sec-WebSocket-Key2", &[key])), Err(Refusal::Key2(error)), "{shown}");
    }
}

#[test]
fn c127_c129_t212_both_vectors_of_the_draft() {
    let table = [
        ("4 @1  46546xW%0l 1 5", "12998 5 Y3 1  .P00", b"^n:ds[4U", b"8jKS'y:G*Co,Wxa-"),
        (
            "18x 6]8vM;54 *(5:  {   U1]8  z [  8",
            "1_ tx7X d  <  nw  334J702) 7]o}` 0",
            b"Tm[K T2u",
            b"fQJ,fN/4F4!~K~MH",
        ),
    ];
    for (key1, key2, key3, proof) in table {
        let mut fields = replaced("Sec-WebSocket-Key1", &[key1.as_bytes()]);
        fields.retain(|(name, _)| *name != "Sec-WebSocket-Key2");
        fields.push(("Sec-WebSocket-Key2", key2.into()));
        let offer = serve(&fields).unwrap();
        assert_eq!(&offer.proof(*key3), proof);
        assert_ne!(&offer.proof([0; 8]), proof);
    }
}

#[test]
fn c128_the_answer_of_the_draft() {
    let fields = replaced("Sec-WebSocket-Protocol", &[b"sample"]);
    let answer = serve(&fields).unwrap().answer(false, Some("sample")).unwrap();
    let expected = [
        ("Upgrade", "WebSocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Origin", "http://example.com"),
        ("Sec-WebSocket-Location", "ws://example.com/demo"),
        ("Sec-WebSocket-Protocol", "sample"),
    ];
    assert_eq!(answer, expected.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(REASON, "WebSocket Protocol Handshake");
}

#[test]
fn c128_the_location_is_the_uri_that_was_asked_for() {
    assert_eq!(location("example.com", "/", false), "ws://example.com/");
    assert_eq!(location("Example.COM", "/a?b=c&d", true), "wss://example.com/a?b=c&d");
    assert_eq!(location("example.com:80", "/", false), "ws://example.com/");
    assert_eq!(location("example.com:443", "/", true), "wss://example.com/");
    assert_eq!(location("example.com:443", "/", false), "ws://example.com:443/");
    assert_eq!(location("example.com:80", "/", true), "wss://example.com:80/");
    assert_eq!(location("[::1]:8080", "/x", false), "ws://[::1]:8080/x");
}

#[test]
fn c128_a_subprotocol_is_answered_only_if_it_was_asked_for() {
    let offer = |asked: &[&[u8]]| serve(&replaced("Sec-WebSocket-Protocol", asked)).unwrap();
    assert_eq!(offer(&[]).answer(false, Some("base64")), Err(NotOffered::Subprotocol));
    let table = [
        ("base64", "base64", true),
        ("base64", "binary", false),
        ("base64", "", false),
        ("a name, no list", "a name, no list", true),
        ("binary, base64", "base64", true),
        ("binary,base64", "binary", true),
        ("binary, base64", "base", false),
        ("binary,,base64", "", false),
    ];
    for (asked, chosen, good) in table {
        assert_eq!(
            offer(&[asked.as_bytes()]).answer(false, Some(chosen)).is_ok(),
            good,
            "{chosen:?} of {asked:?}"
        );
    }
    let answer = offer(&[b"base64"]).answer(false, None).unwrap();
    assert_eq!(answer.as_slice().values("sec-websocket-protocol").count(), 0);
}

#[test]
fn t214_the_eight_bytes_may_come_in_parts_and_leave_the_rest() {
    for cut in 0..=8 {
        let mut key3 = Key3::default();
        assert_eq!(key3.push(&b"^n:ds[4U"[..cut]), cut);
        assert_eq!(key3.get().is_some(), cut == 8);
        assert_eq!(key3.push(&[&b"^n:ds[4U"[cut..], b"\x00frame\xff"].concat()), 8 - cut);
        assert_eq!(key3.get(), Some(*b"^n:ds[4U"));
        assert_eq!(key3.push(b"more"), 0);
    }
}

#[test]
fn t222_a_request_with_anything_of_rfc_6455_is_not_for_hybi_00() {
    assert!(is_asked_for(fields().as_slice()));
    assert!(is_asked_for(replaced("Sec-WebSocket-Key1", &[]).as_slice()));
    assert!(!is_asked_for([("Upgrade", "websocket")].as_slice()));
    for (name, value) in [
        ("Sec-WebSocket-Version", &b"13"[..]),
        ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-key", b""),
    ] {
        assert!(!is_asked_for(replaced(name, &[value]).as_slice()), "{name}");
    }
    // Where the protocol is not served, its clients learn which one is.
    let refused = handshake::check("GET", HttpVersion::Http11, fields().as_slice(), ServerRules::default());
    assert_eq!(refused, Err(handshake::Refusal::VersionMissing));
}

#[test]
fn c126_c128_client_and_server_agree() {
    let uri = WsUri::parse("wss://Example.com:8443/demo?a=b").unwrap();
    let request =
        Request::new(&[9; 92], &uri, "https://Example.com").unwrap().with_subprotocol("base64").unwrap();
    let sent = request.fields();
    assert!(is_asked_for(sent.as_slice()));
    assert_eq!(sent.as_slice().values("host").collect::<Vec<_>>(), [b"example.com:8443"]);
    let offer = check("GET", HttpVersion::Http11, &uri.resource_name(), sent.as_slice()).unwrap();
    let answer = offer.answer(true, offer.subprotocol()).unwrap();
    let proof = offer.proof(*request.key3());
    assert_eq!(request.verify(101, answer.as_slice(), proof), Ok(()));

    let with = |name: &str, value: &str| {
        let mut answer = answer.clone();
        answer
            .iter_mut()
            .filter(|(field, _)| *field == name)
            .for_each(|(_, found)| *found = value.to_owned());
        answer
    };
    let table = [
        (with("Upgrade", "h2c"), ResponseViolation::Upgrade),
        (with("Connection", "close"), ResponseViolation::Upgrade),
        (with("Sec-WebSocket-Origin", "https://example.org"), ResponseViolation::Origin),
        (with("Sec-WebSocket-Location", "ws://example.com:8443/demo?a=b"), ResponseViolation::Location),
        (with("Sec-WebSocket-Location", "wss://example.com:8443/demo"), ResponseViolation::Location),
        (with("Sec-WebSocket-Protocol", "binary"), ResponseViolation::Subprotocol),
        (offer.answer(true, None).unwrap(), ResponseViolation::Subprotocol),
        ([&answer[..], &answer[2..3]].concat(), ResponseViolation::Origin),
    ];
    for (answer, violation) in table {
        assert_eq!(request.verify(101, answer.as_slice(), proof), Err(violation), "{answer:?}");
    }
    assert_eq!(request.verify(101, answer.as_slice(), [0; 16]), Err(ResponseViolation::Proof));
    assert_eq!(request.verify(200, answer.as_slice(), proof), Err(ResponseViolation::Status(200)));
    assert!(request.verify(101, with("Upgrade", "websocket").as_slice(), proof).is_ok());

    for origin in ["", "a b", "a\r\nX: 1", "caf\u{e9}"] {
        assert_eq!(Request::new(&[9; 92], &uri, origin), Err(RequestError::Origin), "{origin:?}");
    }
    for subprotocol in ["", "a\r\nX: 1", " a"] {
        assert_eq!(request.clone().with_subprotocol(subprotocol), Err(RequestError::Subprotocol));
    }
}

proptest! {
    /// Any client's keys are read by any server, whatever the randomness.
    #[test]
    fn any_request_is_answered(random in proptest::collection::vec(any::<u8>(), 92)) {
        let uri = WsUri::parse("ws://example.com/").unwrap();
        let random = <&[u8; 92]>::try_from(&random[..]).unwrap();
        let request = Request::new(random, &uri, "null").unwrap();
        let offer = check("GET", HttpVersion::Http11, "/", request.fields().as_slice()).unwrap();
        let answer = offer.answer(false, None).unwrap();
        prop_assert_eq!(request.verify(101, answer.as_slice(), offer.proof(*request.key3())), Ok(()));
    }

    /// t221: whatever the request holds, no answer has a byte that could end a line.
    #[test]
    fn no_field_can_be_smuggled_into_an_answer(
        name in prop::sample::select(&["Host", "Origin", "Sec-WebSocket-Protocol"]),
        value in proptest::collection::vec(any::<u8>(), 0..12),
        resource in "/.{0,8}",
    ) {
        let fields = replaced(name, &[&value]);
        if let Ok(offer) = check("GET", HttpVersion::Http11, &resource, fields.as_slice()) {
            for (_, value) in offer.answer(true, offer.subprotocol()).unwrap() {
                prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{:?}", value);
            }
        }
    }
}
