//! [`check`]: what opens a WebSocket is what RFC 6455 §4.2.1 lets open one, and the answer satisfies a client; and
//! [`extended::check`], which is the same over HTTP/2 and HTTP/3 (RFC 8441 §4 and §5).

use tidegate_proto::handshake::{
    Extensions, HttpVersion, Offer, Refusal, Request, ServerRules, check, extended,
};

use super::head::Head;
use super::input::Input;
use super::oracle::fields;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choices = input.byte();
    let version = if choices & 1 == 0 { HttpVersion::Http11 } else { HttpVersion::Http10 };
    let rules = ServerRules { lenient_key: choices & 2 != 0 };
    let head = Head::read(input.rest());
    if choices & 4 != 0 {
        return run_extended(&head);
    }
    let method = String::from_utf8_lossy(head.first);
    let checked = check(&method, version, head.fields.as_slice(), rules);
    let opens = method == "GET" && version == HttpVersion::Http11 && opens(&head, rules);
    assert_eq!(checked.is_ok(), opens, "{checked:?}");
    match checked {
        Ok(offer) => assert_answers(&offer, &head),
        Err(refusal) => assert_says_why(refusal),
    }
}

fn opens(head: &Head<'_>, rules: ServerRules) -> bool {
    let is_key = |key: &[u8]| {
        let is_tolerable = || (1..=256).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
        fields::is_key(key) || rules.lenient_key && is_tolerable()
    };
    let only = |name| fields::only(&head.values(name));
    only("host").is_some_and(fields::is_authority)
        && fields::upgrades_to_websocket(&head.values("upgrade"))
        && fields::connection_upgrades(&head.values("connection"))
        && only("sec-websocket-key").is_some_and(is_key)
        && is_good(head)
}

/// What is asked of either kind of request.
fn is_good(head: &Head<'_>) -> bool {
    let only = |name| fields::only(&head.values(name));
    let has_no_body = head.values("content-length").is_empty() || only("content-length") == Some(b"0");
    has_no_body
        && head.values("transfer-encoding").is_empty()
        && only("sec-websocket-version") == Some(b"13")
        && fields::are_subprotocols(&head.values("sec-websocket-protocol"))
        && fields::extensions(&head.values("sec-websocket-extensions")).is_some()
}

/// The first line has the pseudo-header fields; `-` is one that is missing.
fn run_extended(head: &Head<'_>) {
    let first = String::from_utf8_lossy(head.first);
    let mut words = first.split(' ');
    let mut word = || words.next().filter(|word| *word != "-");
    let pseudo = extended::PseudoHeaders {
        method: word().unwrap_or_default(),
        protocol: word(),
        scheme: word(),
        authority: word(),
        path: word(),
    };
    let checked = extended::check(&pseudo, head.fields.as_slice());
    assert_eq!(checked.is_ok(), opens_extended(&pseudo, head), "{checked:?}");
    match checked {
        Ok(offer) => {
            let first = offer.subprotocols().iter().next();
            let answer = extended::answer(&offer, first, &Extensions::default()).expect("it was offered");
            assert_eq!(answer.len(), usize::from(first.is_some()), "{answer:?}");
        }
        Err(refusal) => assert!(matches!(refusal.status(), 400 | 501), "{refusal}"),
    }
}

fn opens_extended(pseudo: &extended::PseudoHeaders<'_>, head: &Head<'_>) -> bool {
    let is = |word: Option<&str>, wanted: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(wanted));
    let authority = pseudo.authority.unwrap_or_default().as_bytes();
    let hosts = head.values("host");
    let is_host = |host: &[u8]| host.eq_ignore_ascii_case(authority);
    let has = |name: &&str| !head.values(name).is_empty();
    pseudo.method == "CONNECT"
        && is(pseudo.protocol, "websocket")
        && (is(pseudo.scheme, "http") || is(pseudo.scheme, "https"))
        && pseudo.path.is_some_and(|path| path.starts_with('/'))
        && fields::is_authority(authority)
        && (hosts.is_empty() || fields::only(&hosts).is_some_and(is_host))
        && !["connection", "upgrade", "keep-alive", "proxy-connection"].iter().any(has)
        && head.values("te").iter().all(|te| te.trim_ascii().eq_ignore_ascii_case(b"trailers"))
        && is_good(head)
}

fn assert_answers(offer: &Offer, head: &Head<'_>) {
    let keys = head.values("sec-websocket-key");
    let key = fields::only(&keys).expect("it was checked");
    assert_eq!(offer.accept().as_str(), fields::accept(key));

    let first = offer.subprotocols().iter().next();
    let extensions: Extensions = offer.extensions().iter().take(1).cloned().collect();
    let answer = offer.answer(first, &extensions).expect("it was offered");
    let value =
        |wanted: &str| answer.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
    assert_eq!(value("Sec-WebSocket-Accept"), Some(offer.accept().as_str()));
    assert_eq!(value("Sec-WebSocket-Protocol"), first.map(|name| name.as_str()));
    for (_, value) in &answer {
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{value:?} on the wire");
    }
    // To a client that has the same to offer, but for its key, the answer to its own handshake is good.
    let client = Request::new(*b"the sample nonce").with_subprotocols(offer.subprotocols().clone());
    let mut sent = client.fields();
    sent.push(("Host", "a".into()));
    let offer = check("GET", HttpVersion::Http11, sent.as_slice(), ServerRules::default())
        .expect("what our client sends, our server takes");
    let answer =
        offer.answer(offer.subprotocols().iter().next(), &Extensions::default()).expect("it was offered");
    assert!(client.verify(101, answer.as_slice()).is_ok(), "{answer:?}");
}

fn assert_says_why(refusal: Refusal) {
    assert!(matches!(refusal.status(), 400 | 405 | 426), "{refusal}");
    assert!(refusal.to_string().is_ascii());
}
