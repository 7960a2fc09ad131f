//! The opening handshake of hybi-00, at both ends.

use tidegate_proto::WsUri;
use tidegate_proto::handshake::{Authority, HttpVersion};
use tidegate_proto::hybi00::handshake::{Key3, Offer, Request, check, is_asked_for};

use super::head::Head;
use super::input::Input;
use super::oracle::{fields, hybi00};

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choices = input.byte();
    if choices & 1 == 0 {
        server(choices, input);
    } else {
        client(choices, input);
    }
}

/// A request is taken if it has what the draft asks of it (§5.2), and answered with what follows from it.
fn server(choices: u8, mut input: Input<'_>) {
    let key3: [u8; 8] = input.array();
    let version = if choices & 2 == 0 { HttpVersion::Http11 } else { HttpVersion::Http10 };
    let head = Head::read(input.rest());
    let resource = String::from_utf8_lossy(head.first);
    let checked = check("GET", version, &resource, head.fields.as_slice());
    assert_eq!(checked.is_ok(), version == HttpVersion::Http11 && opens(&head), "{checked:?}");
    let Ok(offer) = checked else { return };

    let part = |name| fields::only(&head.values(name)).and_then(hybi00::part).expect("it was checked");
    let parts = [part("sec-websocket-key1"), part("sec-websocket-key2")];
    assert_eq!(offer.proof(key3), hybi00::proof(parts, key3));
    let has_new_key =
        !head.values("sec-websocket-key").is_empty() || !head.values("sec-websocket-version").is_empty();
    assert_eq!(is_asked_for(head.fields.as_slice()), !has_new_key);
    assert_answers(&offer, &head, choices & 4 != 0);
}

fn opens(head: &Head<'_>) -> bool {
    let only = |name| fields::only(&head.values(name));
    let is_visible = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_graphic);
    let is_printable =
        |value: &[u8]| !value.is_empty() && value.iter().all(|byte| (b' '..=b'~').contains(byte));
    let is_absent_or = |name, is_good: &dyn Fn(&[u8]) -> bool| {
        head.values(name).is_empty() || only(name).is_some_and(is_good)
    };
    only("host").is_some_and(fields::is_authority)
        && is_absent_or("content-length", &|value| value == b"0")
        && head.values("transfer-encoding").is_empty()
        && fields::upgrades_to_websocket(&head.values("upgrade"))
        && fields::connection_upgrades(&head.values("connection"))
        && is_absent_or("sec-websocket-draft", &|value| value == b"0")
        && only("sec-websocket-key1").and_then(hybi00::part).is_some()
        && only("sec-websocket-key2").and_then(hybi00::part).is_some()
        && only("origin").is_some_and(is_visible)
        && is_absent_or("sec-websocket-protocol", &is_printable)
        && head.first.starts_with(b"/")
        && is_visible(head.first)
}

fn assert_answers(offer: &Offer, head: &Head<'_>, secure: bool) {
    let answer = offer.answer(secure, offer.subprotocol()).expect("it was offered");
    let value =
        |wanted: &str| answer.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
    assert_eq!(value("Sec-WebSocket-Origin"), Some(offer.origin()));
    assert_eq!(value("Sec-WebSocket-Protocol"), offer.subprotocol());
    let hosts = head.values("host");
    let authority = Authority::parse(fields::only(&hosts).expect("it was checked")).expect("it was checked");
    let (scheme, default) = if secure { ("wss", 443) } else { ("ws", 80) };
    let port =
        authority.port().filter(|&port| port != default).map(|port| format!(":{port}")).unwrap_or_default();
    let host = authority.host().to_ascii_lowercase();
    let resource = String::from_utf8_lossy(head.first);
    assert_eq!(value("Sec-WebSocket-Location"), Some(format!("{scheme}://{host}{port}{resource}").as_str()));
    assert!(offer.answer(secure, Some("\u{1}")).is_err(), "nothing is answered that was not offered");
}

/// What our client sends our server takes, and the other way round, but for a single bit that is wrong.
fn client(choices: u8, mut input: Input<'_>) {
    let random: [u8; 92] = input.array();
    let secure = choices & 2 != 0;
    let uri =
        WsUri::parse(if secure { "wss://Example.com:8443/a?b" } else { "ws://[::1]:80" }).expect("it is one");
    let request = Request::new(&random, &uri, "http://Example.com").expect("the origin is visible");
    let sent = request.fields();
    assert!(is_asked_for(sent.as_slice()));
    let offer = check("GET", HttpVersion::Http11, &uri.resource_name(), sent.as_slice()).expect("it is good");
    let mut key3 = Key3::default();
    for byte in request.key3() {
        assert_eq!((key3.get(), key3.push(&[*byte])), (None, 1));
    }
    let key3 = key3.get().expect("eight bytes were pushed");
    let answer = offer.answer(secure, None).expect("none is always good");
    let mut proof = offer.proof(key3);
    assert_eq!(request.verify(101, answer.as_slice(), proof), Ok(()));

    let [place, bit] = input.array();
    let missing = usize::from(place) % answer.len();
    let rest: Vec<_> = answer
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != missing)
        .map(|(_, field)| field.clone())
        .collect();
    assert!(request.verify(101, rest.as_slice(), proof).is_err(), "without {:?}", answer[missing]);
    proof[usize::from(place) % 16] ^= 1 << (bit % 8);
    assert!(request.verify(101, answer.as_slice(), proof).is_err(), "with another proof");
}
