//! What RFC 6455 demands of the gateway as a server and as a client at once, where no other file has it.

use std::collections::HashSet;
use std::time::Duration;

use tidegate_testkit::{Frame, Request, Wire, opcode};

use crate::rig::{EVERY_FAR, Far, Rig};

const A_WHILE: Duration = Duration::from_millis(200);

/// A client that sends its first frame with its request.
fn hasty(rig: &Rig, frame: &Frame) -> Wire {
    let mut client = rig.gateway.connect();
    client.send([Request::upgrade("/ws").encode(), frame.encode()].concat());
    client
}

#[test]
fn c010_nothing_follows_the_request_to_a_backend_before_its_answer() {
    let rig = Rig::start();
    let early = Frame::text("early").masked();
    let mut client = hasty(&rig, &early);
    let mut backend = rig.ws.accept();
    let head = backend.read_head();
    assert!(backend.is_silent_for(A_WHILE), "bytes followed the request");
    backend.send(head.answer_101(""));
    assert_eq!(backend.read_frame(), early);
    assert_eq!(client.read_head().status(), 101);
    drop((client, backend));
    rig.finish();
}

#[test]
fn c011_an_answer_other_than_101_is_http_and_no_frame_follows() {
    let rig = Rig::start();
    for (status, more) in
        [("302 Found", "Location: /login\r\n"), ("401 Unauthorized", "WWW-Authenticate: Basic\r\n")]
    {
        let mut client = hasty(&rig, &Frame::text("early").masked());
        let mut backend = rig.ws.accept();
        backend.read_head();
        backend.send(format!("HTTP/1.1 {status}\r\n{more}Content-Length: 2\r\n\r\nno"));
        let (head, body) = client.read_response();
        assert_eq!((head.status().to_string(), body.as_str()), (status[..3].to_owned(), "no"));
        assert!(head.field(more.split(':').next().unwrap()).is_some());
        client.expect_fin();
        assert_eq!(backend.read_to_end().0, b"", "the frame did not reach the backend");
    }
    rig.finish();
}

#[test]
fn c025_a_resource_that_is_not_there_is_404() {
    let rig = Rig::start();
    assert_eq!(rig.refused(&Request::upgrade("/elsewhere")).status(), 404);
    rig.finish();
}

#[test]
fn c030_frames_count_after_the_101_and_a_backend_may_speak_at_once() {
    let rig = Rig::start();
    let mut client = hasty(&rig, &Frame::text("early").masked());
    let mut backend = rig.ws.accept();
    let head = backend.read_head();
    backend.send([head.answer_101(""), Frame::text("at once").encode()].concat());
    assert_eq!(client.read_head().status(), 101);
    assert_eq!(client.read_frame(), Frame::text("at once"));
    assert_eq!(backend.read_frame().payload, b"early");
    drop((client, backend));
    rig.finish();
}

/// Each frame that the gateway makes as the client of a backend: the Close that follows a client's violation.
#[test]
fn c032_c041_frames_to_a_backend_are_masked_with_keys_that_do_not_repeat() {
    const ROUNDS: usize = 16;
    let rig = Rig::start();
    let mut keys = HashSet::new();
    for _ in 0..ROUNDS {
        let (mut client, mut backend) = rig.open_ws();
        client.send(b"\x83\x80\0\0\0\0");
        client.expect_close(1002);
        let close = backend.expect_close_frame(1001);
        keys.insert(close.mask.expect("a client's frame is masked"));
    }
    assert_eq!(keys.len(), ROUNDS, "{keys:?}");
    rig.finish();
}

#[test]
fn c033_no_frame_to_a_client_is_masked() {
    let rig = Rig::with("ping_interval = \"100ms\"");
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        assert_eq!(session.client.read_frame().mask, None, "a ping");
        session.client.send_frame(&Frame::ping("").masked());
        match far {
            Far::Echo => session.client.send_frame(&Frame::text("back").masked()),
            Far::Tcp => session.backend().send(b"data"),
            Far::Ws => session.backend().send_frame(&Frame::text("data")),
        }
        session.client.send_frame(&Frame::close(1000, "").masked());
        if far == Far::Ws {
            while session.backend().read_frame().opcode != opcode::CLOSE {}
            session.backend().send_frame(&Frame::close(1000, ""));
        }
        loop {
            let frame = session.client.read_frame();
            assert_eq!(frame.mask, None, "{frame:?}");
            if frame.opcode == opcode::CLOSE {
                break;
            }
        }
    }
    rig.finish();
}

#[test]
fn c049_c050_between_two_websockets_every_frame_keeps_its_boundaries_and_its_bits() {
    let rig = Rig::start();
    let offer = Request::upgrade("/ws").with("Sec-WebSocket-Extensions", "x-bits");
    let (mut client, mut backend, _) = rig.ask_ws(&offer, "Sec-WebSocket-Extensions: x-bits\r\n");
    assert_eq!(client.read_head().status(), 101);
    let frames = [
        Frame::text("").unfinished().reserved(4),
        Frame::ping("one"),
        Frame::continuation("a").unfinished(),
        Frame::pong(""),
        Frame::continuation("").unfinished().reserved(3),
        Frame::ping([7; 125]),
        Frame::continuation("b"),
    ];
    for frame in &frames {
        backend.send_frame(frame);
    }
    for frame in &frames {
        assert_eq!(&client.read_frame(), frame);
    }
    let masked: Vec<Frame> = frames.map(|frame| frame.masked_with([1, 0, 3, 0xff])).into();
    client.send(masked.iter().flat_map(Frame::encode).collect::<Vec<u8>>());
    for frame in &masked {
        assert_eq!(&backend.read_frame(), frame);
    }
    drop((client, backend));
    rig.finish();
}

/// To a TCP backend boundaries mean nothing; what comes from it is messages whose boundaries mean nothing.
#[test]
fn c051_where_the_gateway_is_the_endpoint_fragments_are_joined_in_order() {
    let rig = Rig::start();
    let (mut client, mut backend) = rig.open_tcp();
    for frame in
        [Frame::binary("a").unfinished(), Frame::continuation("").unfinished(), Frame::continuation("b")]
    {
        client.send_frame(&frame.masked());
    }
    client.send_frame(&Frame::text("c").masked());
    assert_eq!(backend.read_exact(3), b"abc");
    drop((client, backend));
    rig.finish();
}

#[test]
fn c064_bytes_are_not_touched() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let rig = Rig::start();
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        session.client.send_frame(&Frame::binary(&every_byte).masked_with([0xff, 0, 0x80, 1]));
        match far {
            Far::Echo => {}
            Far::Tcp => {
                let bytes = session.backend().read_exact(every_byte.len());
                session.backend().send(bytes);
            }
            Far::Ws => {
                let frame = session.backend().read_frame();
                session.backend().send_frame(&frame.unmasked());
            }
        }
        assert!(session.client.read_payload(every_byte.len()) == every_byte, "{far:?}");
    }
    rig.finish();
}

#[test]
fn c072_each_ending_has_its_code() {
    let rig = Rig::with("max_frame = 125\nmax_fragments = 2");
    let mut too_big = rig.open(Far::Echo);
    too_big.client.send_frame(&Frame::binary([0; 126]).masked());
    too_big.client.expect_close(1009);

    let mut policy = rig.open(Far::Echo);
    policy.client.send_frame(&Frame::text("").unfinished().masked());
    for _ in 0..2 {
        policy.client.send_frame(&Frame::continuation("").unfinished().masked());
    }
    policy.client.expect_close(1008);

    let (mut client, backend) = rig.open_tcp();
    backend.reset();
    client.expect_close(1011);

    let mut last = rig.gateway.open("/echo");
    rig.gateway.terminate();
    last.expect_close_then_answer(1001);
    drop((too_big, policy, client));
    let Rig { mut gateway, .. } = rig;
    assert!(gateway.wait().success(), "it has nothing more to end");
}

/// Whatever a client sends after the handshake, it gets a Close that says what was wrong, or is understood.
#[test]
fn c082_bytes_at_random_end_in_a_close_and_nothing_else_is_hurt() {
    let rig = Rig::start();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    for round in 0..200 {
        let mut session = rig.open(if round % 2 == 0 { Far::Echo } else { Far::Tcp });
        // Without a mask every one of them is a violation at its second byte, or at its first.
        let mut bytes: Vec<u8> = (0..8).flat_map(|_| random()).collect();
        bytes[1] &= 0x7f;
        session.client.send(&bytes);
        session.client.expect_close(1002);
    }
    rig.finish();
}
