//! Text: checked where the gateway is an endpoint, made without cutting a code point.

use tidegate_testkit::{Backend, Frame, Request, opcode};

use crate::rig::{Far, Rig, expect_line, gateway};

/// A surrogate, behind text that is one.
const SURROGATE: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80";

/// Beyond the last code point, overlong, bytes that never occur, and a code point cut by the end.
const BAD: [&[u8]; 5] = [b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xfe", b"\xf8\x88\x80\x80\x80", b"cut \xe2\x82"];

/// Close 1007 wherever the gateway is the endpoint, and the message is never finished.
#[track_caller]
fn refused_as_text(rig: &Rig, bad: &[u8]) {
    for far in [Far::Echo, Far::Tcp] {
        let mut session = rig.open(far);
        session.client.send_frame(&Frame::text(bad).masked());
        let answers = Frame::parse_all(&session.client.read_to_fin());
        let code = answers.last().and_then(Frame::close_code);
        assert_eq!(code, Some(1007), "{} {far:?}", bad.escape_ascii());
        assert!(!answers.iter().any(|frame| !frame.is_control() && frame.fin), "{answers:?}");
    }
}

#[test]
fn t107_a_surrogate() {
    let rig = Rig::start();
    refused_as_text(&rig, SURROGATE);
    rig.finish();
}

#[test]
fn t110_text_that_is_no_utf_8() {
    let rig = Rig::start();
    BAD.iter().for_each(|bad| refused_as_text(&rig, bad));
    rig.finish();
}

/// Between two WebSockets the endpoints check text; the gateway passes it on.
#[test]
fn t107_t110_text_between_websockets_is_not_ours_to_judge() {
    let rig = Rig::start();
    for bad in BAD.into_iter().chain([SURROGATE]) {
        let (mut client, mut backend) = rig.open_ws();
        client.send_frame(&Frame::text(bad).masked());
        assert_eq!(backend.read_frame(), Frame::text(bad).masked());
        backend.send_frame(&Frame::text(bad));
        assert_eq!(client.read_frame(), Frame::text(bad));
    }
    rig.finish();
}

#[test]
fn t108_a_bad_byte_is_found_before_the_message_ends() {
    Rig::each(|rig| {
        for far in [Far::Echo, Far::Tcp] {
            let mut session = rig.open(far);
            let bad = Frame::text("good \u{e9}\u{0} \u{fffd}").unfinished().masked();
            session.client.send_frame(&bad);
            // The header of a longer frame, and of its payload only the bad byte.
            session.client.send(Frame::continuation("").masked().encode_header(1000));
            session.client.send([0xff]);
            let answers = Frame::parse_all(&session.client.read_to_fin());
            assert_eq!(answers.last().and_then(Frame::close_code), Some(1007), "{far:?}");
        }
        rig.finish();
    });
}

#[test]
fn t109_a_code_point_may_be_cut_by_fragments_and_segments() {
    Rig::each(|rig| {
        let text = "aé€😀".as_bytes();
        for at in 1..text.len() {
            let frames = [Frame::text(&text[..at]).unfinished(), Frame::continuation(&text[at..])];
            let bytes: Vec<u8> =
                frames.into_iter().flat_map(|frame| frame.masked_with([1, 2, 3, 4]).encode()).collect();
            let mut session = rig.open(Far::Echo);
            session.client.send_chopped(&bytes, at as u64);
            assert_eq!(session.client.read_message(), (opcode::TEXT, text.to_vec()), "cut at {at}");
            let (mut client, mut backend) = rig.open_tcp();
            client.send_chopped(&bytes, at as u64);
            assert_eq!(backend.read_exact(text.len()), text);
        }
        rig.finish();
    });
}

#[test]
fn m8_text_made_from_bytes_never_cuts_a_code_point() {
    let rig = Rig::with("message = 'text'");
    let text = "aé€😀z".as_bytes();
    for at in 1..text.len() {
        let (mut client, mut backend) = rig.open_tcp();
        let (first, second) = text.split_at(at);
        let whole = String::from_utf8_lossy(first).trim_end_matches('\u{fffd}').len();
        backend.send(first);
        assert_eq!(client.read_frame(), Frame::text(&text[..whole]), "cut at {at}");
        backend.send(second);
        assert_eq!(client.read_frame(), Frame::text(&text[whole..]), "cut at {at}");
        backend.finish();
        client.expect_close_then_answer(1000);
        backend.expect_fin();
    }
    rig.finish();
}

#[test]
fn m8_a_code_point_that_comes_byte_by_byte() {
    let rig = Rig::with("message = 'text'");
    let (mut client, mut backend) = rig.open_tcp();
    for byte in "😀€".bytes() {
        backend.send([byte]);
    }
    let mut text = Vec::new();
    while text.len() < 7 {
        let frame = client.read_frame();
        assert!(std::str::from_utf8(&frame.payload).is_ok_and(|text| !text.is_empty()), "{frame:?}");
        text.extend(frame.payload);
    }
    assert_eq!(text, "😀€".as_bytes());
    drop((client, backend));
    rig.finish();
}

#[test]
fn ends_backend_that_sends_no_text_on_a_text_route() {
    let rig = Rig::with("message = 'text'");
    let (mut client, mut backend) = rig.open_tcp();
    backend.send("good");
    assert_eq!(client.read_frame(), Frame::text("good"));
    backend.send(b"bad \xff");
    client.expect_close_then_answer(1007);
    backend.expect_fin();
    drop(backend);

    let (mut client, mut backend) = rig.open_tcp();
    backend.send(b"cut \xe2\x82");
    backend.finish();
    assert_eq!(client.read_frame(), Frame::text("cut "));
    client.expect_close_then_answer(1007);
    backend.expect_fin();
    expect_line(&rig.gateway, (client, backend), "backend_not_text", 1007, "gateway");
    rig.finish();
}

#[test]
fn c072_text_where_only_binary_is_taken_ends_with_1003() {
    let backend = Backend::bind();
    let keys = "accept = 'binary'\ncompression = 'permessage-deflate'";
    let gateway = gateway().route("/tcp", &backend.tcp(), keys).start();
    for extension in [None, Some("permessage-deflate")] {
        let request = Request::upgrade("/tcp");
        let request = extension
            .into_iter()
            .fold(request, |request, offer| request.with("Sec-WebSocket-Extensions", offer));
        let mut client = gateway.connect();
        client.send(request.encode());
        let mut far = backend.accept();
        let head = client.read_head();
        assert_eq!(
            (head.status(), head.field("Sec-WebSocket-Extensions").is_some()),
            (101, extension.is_some())
        );
        let frames = [Frame::binary("good"), Frame::text("bad"), Frame::binary("late")];
        client.send(frames.map(|frame| frame.masked().encode()).concat());
        client.expect_close_frame(1003);
        assert_eq!(far.read_to_fin(), b"good");
        far.finish();
        expect_line(&gateway, client, "client_text", 1003, "gateway");
    }
    gateway.finish();
}
