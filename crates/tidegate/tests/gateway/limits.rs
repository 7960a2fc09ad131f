//! Limits on the size of frames and messages.

use std::thread;

use tidegate_testkit::{Frame, opcode};

use crate::rig::{EVERY_FAR, Far, Rig, Session, assert_same, beside, close_from_client, numbered};

const MIB: usize = 1 << 20;

/// Whoever runs the client learns from the Close which limit it was.
#[test]
fn the_close_names_the_limit() {
    let rig = Rig::with("max_frame = '64KiB'\nmax_message = 100_000\nmax_fragments = 2");
    let small = |fin: bool| {
        let frame = Frame::continuation([7; 10]);
        if fin { frame } else { frame.unfinished() }.masked().encode()
    };
    let begin = Frame::binary([7; 10]).unfinished().masked().encode();
    let most = Frame::binary([7; 60_000]).unfinished().masked().encode();
    let rest = Frame::continuation([7; 60_000]).masked().encode();
    for (bytes, code, reason) in [
        (Frame::binary("").masked().encode_header(65_537), 1009, "frame larger than 64 KiB"),
        ([most, rest].concat(), 1009, "message larger than 100000 bytes"),
        ([begin, small(false), small(true)].concat(), 1008, "message of more than 2 frames"),
    ] {
        let mut client = rig.gateway.open("/echo");
        client.send(&bytes);
        let close = loop {
            let frame = client.read_frame();
            if frame.is_control() {
                break frame;
            }
        };
        assert_eq!((close.close_code(), &close.payload[2..]), (Some(code), reason.as_bytes()));
    }
}

/// The default of `max_frame` and `max_message`, to the byte.
#[test]
fn t104_a_message_of_exactly_the_limit_passes() {
    Rig::each(|rig| {
        let payload = numbered(MIB);
        let halves =
            [Frame::binary(&payload[..MIB / 2]).unfinished(), Frame::continuation(&payload[MIB / 2..])];
        for frames in [vec![Frame::binary(&payload)], halves.to_vec()] {
            for far in EVERY_FAR {
                let mut session = rig.open(far);
                let bytes: Vec<u8> =
                    frames.iter().flat_map(|frame| frame.clone().masked().encode()).collect();
                beside(session.client.handle(), &bytes, || match far {
                    Far::Echo => {
                        let (opcode, echoed) = session.client.read_message();
                        assert_eq!(opcode, opcode::BINARY);
                        assert_same(&echoed, &payload);
                    }
                    Far::Tcp => assert_same(&session.backend().read_exact(MIB), &payload),
                    Far::Ws => assert_same(&session.backend().read_exact(bytes.len()), &bytes),
                });
                close_from_client(far, &mut session);
            }
        }
        rig.finish();
    });
}

#[test]
fn t104_one_byte_more_is_too_big() {
    Rig::each(|rig| {
        for far in EVERY_FAR {
            // The header alone decides.
            let mut session = rig.open(far);
            session.client.send(Frame::binary("").masked().encode_header(MIB as u64 + 1));
            session.client.expect_close(1009);
            session.expect_backend_end(far, b"", 1001);
        }
        for far in [Far::Echo, Far::Ws] {
            let mut session = rig.open(far);
            let legal = Frame::binary(numbered(MIB)).unfinished().masked().encode();
            let bytes = [legal.clone(), Frame::continuation("+").masked().encode()].concat();
            beside(session.client.handle(), &bytes, || match far {
                Far::Echo => expect_too_big(&mut session),
                Far::Tcp | Far::Ws => assert_same(&session.backend().read_exact(legal.len()), &legal),
            });
            if far == Far::Ws {
                expect_too_big(&mut session);
            }
            session.expect_backend_end(far, b"", 1001);
        }
        rig.finish();
    });
}

/// In WebSocket to TCP messages are streamed: only frames are limited, unless the route limits messages as well. Of what
/// is counted nothing is different over TLS, over which the limit itself is held above.
#[test]
fn t104_messages_to_a_tcp_backend_have_no_limit_by_default() {
    let rig = Rig::start();
    let (client, mut backend) = rig.open_tcp();
    let payload = numbered(MIB);
    for frame in [Frame::binary(&payload).unfinished(), Frame::continuation(&payload)] {
        beside(client.handle(), &frame.masked().encode(), || assert_same(&backend.read_exact(MIB), &payload));
    }
    drop((client, backend));
    rig.finish();

    let rig = Rig::with("max_message = 1000");
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        let legal = Frame::binary([7; 600]).unfinished().masked().encode();
        session.client.send(&legal);
        session.client.send(Frame::continuation([7; 401]).masked().encode());
        expect_too_big(&mut session);
        session.expect_backend_end(far, if far == Far::Tcp { &[7; 600] } else { &legal }, 1001);
    }
    rig.finish();
}

#[test]
fn m9_max_frame_limits_every_frame() {
    let rig = Rig::with("max_frame = 125");
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        let legal = [
            Frame::ping([1; 125]).masked().encode(),
            Frame::binary([2; 125]).unfinished().masked().encode(),
            Frame::continuation([3; 125]).masked().encode(),
        ]
        .concat();
        session.client.send(&legal);
        session.client.send(Frame::binary([4; 126]).masked().encode());
        expect_too_big(&mut session);
        let streamed = [[2; 125], [3; 125]].concat();
        session.expect_backend_end(far, if far == Far::Tcp { &streamed } else { &legal }, 1001);
    }
    rig.finish();
}

/// Frames made from a TCP backend's bytes keep the route's `max_frame` as well.
#[test]
fn m9_max_frame_limits_the_frames_that_are_made() {
    let rig = Rig::with("max_frame = 125");
    let (mut client, mut backend) = rig.open_tcp();
    let sent = numbered(10_000);
    backend.send(&sent);
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let frame = client.read_frame();
        assert!(frame.payload.len() <= 125, "{frame:?}");
        received.extend(frame.payload);
    }
    assert_same(&received, &sent);
    drop((client, backend));
    rig.finish();
}

/// A frame in the smallest segments is still one frame, and costs the memory of none.
#[test]
fn t105_a_frame_in_single_bytes() {
    let payload = numbered(MIB);
    let hold = |rig: Rig, piece: usize| {
        let mut session = rig.open(Far::Tcp);
        let before = rig.gateway.memory();
        let mut client = session.client.handle();
        thread::scope(|scope| {
            scope.spawn(|| {
                for bytes in Frame::binary(&payload).masked_with([1, 2, 3, 4]).encode().chunks(piece) {
                    client.send(bytes);
                }
            });
            for part in payload.chunks(MIB / 64) {
                assert_same(&session.backend().read_exact(part.len()), part);
            }
        });
        let grown = rig.gateway.memory().saturating_sub(before);
        assert!(grown < 2 << 20, "{grown} bytes for one frame");
        drop((session, client));
        rig.finish();
    };
    hold(Rig::start(), 1);
    // Each is a record, and sealed by itself.
    hold(Rig::secure_with(""), 8);
}

#[test]
fn t106_f29_frames_that_never_end_are_closed_as_idle_and_hold_no_memory() {
    const CONNECTIONS: usize = 200;
    Rig::each_with("ping_interval = 0\nidle_timeout = '3s'", |rig| {
        let warm = rig.open(Far::Echo);
        let before = rig.gateway.memory();
        let payload = numbered(999_999);
        let mut sessions: Vec<Session> = (0..CONNECTIONS)
            .map(|_| {
                let mut session = rig.open(Far::Tcp);
                session.client.send(Frame::binary("").masked().encode_header(1_000_000));
                beside(session.client.handle(), &payload, || {
                    assert_same(&session.backend().read_exact(payload.len()), &payload);
                });
                session
            })
            .collect();
        let grown = rig.gateway.memory().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes for {CONNECTIONS} frames under way");
        for session in &mut sessions {
            session.client.expect_close_frame(1001);
        }
        drop((sessions, warm));
        rig.finish();
    });
}

/// Whatever was echoed before, the last that comes is Close 1009.
#[track_caller]
fn expect_too_big(session: &mut Session) {
    let answers = Frame::parse_all(&session.client.read_to_fin());
    assert_eq!(answers.last().and_then(Frame::close_code), Some(1009));
}
