//! permessage-deflate that ends at the gateway: `compression = "permessage-deflate"` on `echo:` and `tcp://` routes.
//!
//! What the gateway makes is inflated, and what it gets is deflated, by another implementation than its own.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tidegate_testkit::{Frame, Head, Request, Wire, eventually, opcode};

use crate::rig::{Far, Rig, Session};

pub(crate) const ON: &str = "compression = \"permessage-deflate\"";

/// Where the gateway itself is the endpoint.
const FARS: [Far; 2] = [Far::Echo, Far::Tcp];

const RSV1: u8 = 4;

/// Opens a WebSocket with this offer: the session and the answer.
fn open_with(rig: &Rig, far: Far, offer: &str) -> (Session, Head) {
    let target = if far == Far::Echo { "/echo" } else { "/tcp" };
    let mut client = rig.gateway.connect();
    client.send(Request::upgrade(target).with("Sec-WebSocket-Extensions", offer).encode());
    let head = client.read_head();
    assert_eq!(head.status(), 101);
    let session = if far == Far::Echo { client.into() } else { (client, rig.tcp.accept()).into() };
    (session, head)
}

pub(crate) fn open(rig: &Rig, far: Far) -> Session {
    let (session, head) = open_with(rig, far, "permessage-deflate; client_max_window_bits");
    assert!(
        head.field("Sec-WebSocket-Extensions").is_some_and(|answer| answer.starts_with("permessage-deflate"))
    );
    session
}

/// The payload of a compressed message, as RFC 7692 §7.2.1 makes it.
pub(crate) fn deflated(message: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut payload = Vec::with_capacity(message.len() + 1024);
    let status = deflate.compress_vec(message, &mut payload, FlushCompress::Sync).unwrap();
    assert_eq!((status, deflate.total_in()), (Status::Ok, message.len() as u64));
    payload.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap().to_vec()
}

/// What a compressed payload says.
fn inflated(payload: &[u8]) -> Vec<u8> {
    let mut inflate = Decompress::new(false);
    let mut message = Vec::with_capacity(4 << 20);
    let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
    inflate.decompress_vec(&whole, &mut message, FlushDecompress::Sync).unwrap();
    assert_eq!(inflate.total_in(), whole.len() as u64);
    message
}

pub(crate) fn compressed(opcode: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(opcode, payload).reserved(RSV1).masked()
}

/// The next message of the gateway, inflated if it is compressed, and whether it was.
fn read_message(wire: &mut Wire) -> (Vec<u8>, bool) {
    let first = wire.read_frame();
    let (is_compressed, mut is_last, mut payload) = (first.reserved == RSV1, first.fin, first.payload);
    while !is_last {
        let frame = wire.read_frame();
        assert_eq!((frame.opcode, frame.reserved), (opcode::CONTINUATION, 0));
        payload.extend(frame.payload);
        is_last = frame.fin;
    }
    if is_compressed { (inflated(&payload), true) } else { (payload, false) }
}

/// That a compressed payload arrives as this message.
pub(crate) fn assert_arrives(session: &mut Session, far: Far, frames: &[Frame], message: &[u8]) {
    for frame in frames {
        session.client.send_frame(frame);
    }
    if far == Far::Echo {
        assert!(read_message(&mut session.client).0 == message, "the echo is another message");
    } else {
        assert!(session.backend().read_exact(message.len()) == message, "the backend got other bytes");
    }
}

/// What was right before the limit struck may have been echoed; the message must not end, and then this Close comes.
#[track_caller]
fn expect_no_end_but_close(wire: &mut Wire, code: u16) {
    loop {
        let frame = wire.read_frame();
        if frame.is_control() {
            assert_eq!(frame.close_code(), Some(code), "{frame:?}");
            return wire.expect_fin();
        }
        assert!(!frame.fin, "a message that broke the rules was finished");
    }
}

/// Text that does not repeat much, so that it stays well below the limit of the ratio.
fn prose(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let word = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{:x} ", *state >> 12)
    };
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(&word(&mut state));
    }
    text.truncate(bytes);
    text.into_bytes()
}

#[test]
fn t125_every_kind_of_block_is_read() {
    let rig = Rig::with(ON);
    for far in FARS {
        let mut session = open(&rig, far);
        for payload in [
            &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        ] {
            assert_arrives(&mut session, far, &[compressed(opcode::TEXT, payload)], b"Hello");
        }
    }
    rig.finish();
}

#[test]
fn t126_a_bomb_is_1009_and_is_never_inflated_whole() {
    let rig = Rig::with(ON);
    let bomb = deflated(&vec![0; 64 << 20]);
    for far in FARS {
        let mut session = open(&rig, far);
        let before = rig.gateway.memory();
        session.client.send_frame(&compressed(opcode::BINARY, &bomb));
        expect_no_end_but_close(&mut session.client, 1009);
        let grown = rig.gateway.memory().saturating_sub(before);
        assert!(grown < 2 << 20, "{grown} bytes for a bomb");
    }
    rig.finish();
}

#[test]
fn t127_the_limit_of_a_message_counts_what_it_becomes() {
    let rig = Rig::with(&format!("{ON}\nmax_message = \"256KiB\""));
    let limit = 256 << 10;
    for far in FARS {
        let mut session = open(&rig, far);
        let exact = prose(limit);
        assert_arrives(&mut session, far, &[compressed(opcode::BINARY, deflated(&exact))], &exact);

        let payload = deflated(&prose(limit + 1));
        let (first, rest) = payload.split_at(payload.len() / 2);
        session.client.send_frame(&compressed(opcode::BINARY, first).unfinished());
        session.client.send_frame(&Frame::continuation(rest).masked());
        expect_no_end_but_close(&mut session.client, 1009);
    }
    rig.finish();
}

#[test]
fn t128_fragments_that_become_nothing_are_counted() {
    let rig = Rig::with(&format!("{ON}\nmax_fragments = 1024"));
    // 205 empty stored blocks: a kilobyte that inflates to no byte.
    let nothing = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(205);
    for far in FARS {
        let mut session = open(&rig, far);
        let mut frames = compressed(opcode::BINARY, &nothing).unfinished().encode();
        for _ in 0..1024 {
            frames.extend(Frame::continuation(&nothing).unfinished().masked().encode());
        }
        let before = rig.gateway.cpu();
        session.client.try_send(&frames).ok();
        expect_no_end_but_close(&mut session.client, if far == Far::Echo { 1009 } else { 1008 });
        let spent = rig.gateway.cpu() - before;
        assert!(spent.as_millis() < 2000, "{spent:?} for a megabyte of nothing");
    }
    rig.finish();
}

#[test]
fn t129_what_is_no_deflate_is_1007() {
    let rig = Rig::with(ON);
    for far in FARS {
        for payload in [
            &b"\xff\xff\xff\xff\xff\xff"[..], // block type 3
            b"\x07",                          // block type 3, final
            b"\x00\x05\x00\x00\x00hello",     // a stored block whose length is not its complement
            b"\xf2\x48\xcd\xc9",              // ends inside of a block
            b"\x4a\x04\x11\x00",              // reaches back before the beginning
        ] {
            let mut session = open(&rig, far);
            session.client.send_frame(&compressed(opcode::BINARY, payload));
            expect_no_end_but_close(&mut session.client, 1007);
        }
    }
    rig.finish();
}

#[test]
fn t130_rsv1_anywhere_but_on_a_first_frame_is_1002() {
    let rig = Rig::with(ON);
    for far in FARS {
        for wrong in [
            Frame::continuation("").reserved(RSV1).masked(),
            Frame::ping("").reserved(RSV1).masked(),
            Frame::close(1000, "").reserved(RSV1).masked(),
        ] {
            let mut session = open(&rig, far);
            session.client.send_frame(&Frame::binary("begun").unfinished().masked());
            session.client.send_frame(&wrong);
            expect_no_end_but_close(&mut session.client, 1002);
        }
        let mut session = open(&rig, far);
        session.client.send_frame(&Frame::binary("").reserved(RSV1 | 2).masked());
        session.client.expect_close(1002);
    }
    rig.finish();
}

#[test]
fn c092_t131_a_plain_message_is_taken_as_it_is() {
    let rig = Rig::with(ON);
    for far in FARS {
        let mut session = open(&rig, far);
        assert_arrives(&mut session, far, &[Frame::text("plain").masked()], b"plain");
        assert_arrives(&mut session, far, &[compressed(opcode::TEXT, deflated(b"not plain"))], b"not plain");
    }
    rig.finish();
}

#[test]
fn t132_text_is_checked_after_inflation() {
    let rig = Rig::with(ON);
    for far in FARS {
        for text in [&b"\xce\xba\xff"[..], b"cut \xe2\x82", b"\xed\xa0\x80"] {
            let mut session = open(&rig, far);
            session.client.send_frame(&compressed(opcode::TEXT, deflated(text)));
            expect_no_end_but_close(&mut session.client, 1007);
        }
        // A code point may be cut by a frame.
        let mut session = open(&rig, far);
        let payload = deflated("größer".as_bytes());
        let (first, rest) = payload.split_at(4);
        let frames = [compressed(opcode::TEXT, first).unfinished(), Frame::continuation(rest).masked()];
        assert_arrives(&mut session, far, &frames, "größer".as_bytes());
    }
    rig.finish();
}

#[test]
fn t133_an_offer_that_is_wrong_is_passed_over() {
    let rig = Rig::with(ON);
    for wrong in [
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits=a",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits",
        "mem_level=9",
    ] {
        let (_, head) = open_with(&rig, Far::Echo, &format!("permessage-deflate; {wrong}"));
        assert_eq!(head.field("Sec-WebSocket-Extensions"), None, "{wrong}");
        let offers = format!("permessage-deflate; {wrong}, x-other, permessage-deflate");
        let (mut session, head) = open_with(&rig, Far::Echo, &offers);
        assert!(head.field("Sec-WebSocket-Extensions").is_some(), "{wrong}: the next offer is right");
        assert_arrives(&mut session, Far::Echo, &[compressed(opcode::TEXT, deflated(b"hi"))], b"hi");
    }
    rig.finish();
}

#[test]
fn t134_a_window_of_256_bytes_is_granted_and_kept_to() {
    let rig = Rig::with(ON);
    let (mut session, head) = open_with(&rig, Far::Echo, "permessage-deflate; server_max_window_bits=8");
    assert!(head.field("Sec-WebSocket-Extensions").unwrap().contains("server_max_window_bits=8"));
    // The same 300 bytes twice: the second time they are out of reach for a window of 256, and in reach for a larger.
    let once = prose(300);
    let message = once.repeat(2);
    session.client.send_frame(&compressed(opcode::BINARY, deflated(&message)));
    let frame = session.client.read_frame();
    assert_eq!(inflated(&frame.payload), message);
    let half = deflated(&once).len();
    assert!(
        frame.payload.len() > half * 3 / 2,
        "{} bytes: the first 300 were referred to",
        frame.payload.len()
    );
    drop(session);
    rig.finish();
}

#[test]
fn t135_no_context_is_taken_over() {
    let rig = Rig::with(ON);
    for far in FARS {
        let (mut session, head) = open_with(&rig, far, "permessage-deflate; server_no_context_takeover");
        assert!(head.field("Sec-WebSocket-Extensions").unwrap().contains("server_no_context_takeover"));
        let message = prose(500);
        let mut answers = Vec::new();
        for _ in 0..2 {
            if far == Far::Echo {
                session.client.send_frame(&compressed(opcode::BINARY, deflated(&message)));
            } else {
                session.backend().send(&message);
            }
            let frame = session.client.read_frame();
            assert_eq!((frame.reserved, inflated(&frame.payload)), (RSV1, message.clone()));
            answers.push(frame.payload);
        }
        assert_eq!(answers[0], answers[1]);
    }
    rig.finish();
}

#[test]
fn t136_quiet_connections_hold_no_compression_state() {
    const CONNECTIONS: usize = 500;
    let rig = Rig::with(ON);
    let speak = |session: &mut Session| {
        let message = prose(20_000);
        assert_arrives(session, Far::Echo, &[compressed(opcode::BINARY, deflated(&message))], &message);
    };
    speak(&mut open(&rig, Far::Echo)); // what the worker itself needs
    let before = rig.gateway.proportional_memory();
    let mut sessions: Vec<Session> = (0..CONNECTIONS).map(|_| open(&rig, Far::Echo)).collect();
    sessions.iter_mut().for_each(speak);
    let each = rig.gateway.proportional_memory().saturating_sub(before) / CONNECTIONS as u64;
    assert!(each <= 8 << 10, "{each} bytes for each quiet connection");
    drop(sessions);
    rig.finish();
}

/// A few bytes of a message that goes on some other time must not hold a compressor, which is more than 300 KiB.
#[test]
fn t136_messages_that_are_left_open_hold_no_compressor() {
    const CONNECTIONS: usize = 200;
    let rig = Rig::with(ON);
    let message = prose(20_000);
    let payload = deflated(&message);
    let (first, rest) = payload.split_at(500);
    let begin = |session: &mut Session| -> Vec<u8> {
        session.client.send_frame(&compressed(opcode::BINARY, first).unfinished());
        session.client.send_frame(&Frame::ping("").masked());
        let frames = std::iter::from_fn(|| Some(session.client.read_frame()));
        frames.take_while(|frame| frame.opcode != opcode::PONG).flat_map(|frame| frame.payload).collect()
    };
    let end = |session: &mut Session, mut answer: Vec<u8>| {
        session.client.send_frame(&Frame::continuation(rest).masked());
        let mut is_last = false;
        while !is_last {
            let frame = session.client.read_frame();
            answer.extend(frame.payload);
            is_last = frame.fin;
        }
        assert!(inflated(&answer) == message, "the echo is another message");
    };
    let mut first_of_all = open(&rig, Far::Echo);
    let begun = begin(&mut first_of_all);
    end(&mut first_of_all, begun); // what the worker itself needs
    let mut sessions: Vec<Session> = (0..CONNECTIONS).map(|_| open(&rig, Far::Echo)).collect();
    let before = rig.gateway.proportional_memory();
    let begun: Vec<Vec<u8>> = sessions.iter_mut().map(begin).collect();
    let each = rig.gateway.proportional_memory().saturating_sub(before) / CONNECTIONS as u64;
    assert!(each <= 48 << 10, "{each} bytes for each open message");
    sessions.iter_mut().zip(begun).for_each(|(session, begun)| end(session, begun));
    drop((first_of_all, sessions));
    rig.finish();
}

/// Between two WebSockets compression is the endpoints' affair: what was not offered is not there.
#[test]
fn t138_rsv1_from_a_backend_that_agreed_on_nothing_is_1002_there_and_1014_here() {
    let rig = Rig::with(ON);
    let (mut client, mut backend, head) = rig.ask_ws(&Request::upgrade("/ws"), "");
    assert_eq!(head.field("Sec-WebSocket-Extensions"), None);
    let answer = client.read_head();
    assert_eq!((answer.status(), answer.field("Sec-WebSocket-Extensions")), (101, None));
    backend.send_frame(&Frame::text("").reserved(RSV1));
    client.expect_close(1014);
    backend.expect_close(1002);
    drop((client, backend));
    rig.finish();
}

#[test]
fn c095_without_the_key_an_offer_is_not_answered() {
    let rig = Rig::start();
    for far in FARS {
        let (mut session, head) = open_with(&rig, far, "permessage-deflate");
        assert_eq!(head.field("Sec-WebSocket-Extensions"), None);
        session.client.send_frame(&compressed(opcode::TEXT, deflated(b"Hello")));
        session.client.expect_close(1002);
    }
    rig.finish();
}

/// An echo that has begun is finished, and no other is begun.
#[test]
fn f37_a_compressed_echo_is_finished_before_the_close() {
    let mut rig = Rig::with_top("", ON);
    let mut session = open(&rig, Far::Echo);
    let message = prose(300_000); // of which a part is answered before the rest is there
    let payload = deflated(&message);
    let (begin, rest) = payload.split_at(payload.len() / 2);
    let first = Frame { fin: false, ..compressed(opcode::BINARY, begin) };
    session.client.send_frame(&first);
    let mut answer = session.client.read_frame();
    assert!(!answer.fin && answer.reserved == RSV1);
    let mut witness = rig.gateway.open("/echo");
    rig.gateway.terminate();
    witness.expect_close_then_answer(1001);
    session.client.send_frame(&Frame::continuation(rest).masked());
    session.client.send_frame(&compressed(opcode::BINARY, deflated(b"another")));
    while !answer.fin {
        let frame = session.client.read_frame();
        assert_eq!(frame.opcode, opcode::CONTINUATION, "{:?}", frame.close_code());
        answer.payload.extend(frame.payload);
        answer.fin = frame.fin;
    }
    assert!(inflated(&answer.payload) == message, "the echo is another message");
    session.client.expect_close_then_answer(1001);
    drop((session, witness));
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// What a backend does not take is not inflated: it waits, compressed, where it is.
#[test]
fn a_slow_backend_stops_inflation() {
    let rig = Rig::with(ON);
    let mut session = open(&rig, Far::Tcp);
    let message: Vec<u8> = prose(256 << 10).chunks(64).flat_map(|block| block.repeat(32)).collect();
    let payload = deflated(&message);
    assert!((20..90).contains(&(message.len() / payload.len())), "{} bytes", payload.len());
    let before = rig.gateway.memory();
    for _ in 0..4 {
        session.client.send_frame(&compressed(opcode::BINARY, &payload));
    }
    let client = session.client.handle();
    eventually("the gateway leaves bytes of the client unread", || {
        (rig.gateway.unread_from(&client) > 100 << 10).then_some(())
    });
    let grown = rig.gateway.memory().saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes are held of {}", 4 * message.len());
    for _ in 0..4 {
        assert!(session.backend().read_exact(message.len()) == message, "other bytes");
    }
    drop((session, client));
    rig.finish();
}
