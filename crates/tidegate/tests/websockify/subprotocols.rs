//! The eight offers that are told apart: `binary` is chosen wherever it is offered, and none is a reason to refuse.

use tidegate_testkit::{Backend, Request};

use crate::rig::{ANY_PORT, Place};

/// What is answered to this offer.
#[track_caller]
fn chosen(offer: Option<&str>) -> (u16, Option<String>) {
    let (place, backend) = (Place::new(), Backend::bind());
    let gateway = place.start(&format!("{ANY_PORT} {}", backend.address()));
    let mut client = gateway.connect();
    let field = "Sec-WebSocket-Protocol";
    let request = Request::upgrade("/");
    client.send(offer.iter().fold(request, |request, offer| request.with(field, offer)).encode());
    let _far = backend.accept();
    let head = client.read_head();
    (head.status(), head.field(field).map(str::to_owned))
}

fn binary() -> (u16, Option<String>) {
    (101, Some("binary".to_owned()))
}

#[test]
fn offer_none() {
    assert_eq!(chosen(None), (101, None));
}

#[test]
fn offer_binary() {
    assert_eq!(chosen(Some("binary")), binary());
}

#[test]
fn offer_binary_blank_base64() {
    assert_eq!(chosen(Some("binary, base64")), binary());
}

#[test]
fn offer_base64_binary() {
    assert_eq!(chosen(Some("base64,binary")), binary());
}

#[test]
fn offer_base64_blank_binary() {
    assert_eq!(
        chosen(Some("base64, binary")),
        binary(),
        "400 there: the blank is taken for a part of the name"
    );
}

#[test]
fn offer_chat_blank_binary() {
    assert_eq!(chosen(Some("chat, binary")), binary(), "400 there, as above");
}

#[test]
fn offer_chat() {
    assert_eq!(chosen(Some("chat")), (101, None), "400 there");
}

#[test]
fn offer_binary_in_another_case() {
    assert_eq!(chosen(Some("Binary")), (101, None), "400 there; names have a case");
}
