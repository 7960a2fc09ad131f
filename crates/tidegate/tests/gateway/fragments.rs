//! Fragmented messages, and the limits on them.

use tidegate_testkit::{Frame, opcode};

use crate::rig::{EVERY_FAR, Far, Rig};

#[test]
fn t100_a_ping_inside_a_message_is_answered_at_once() {
    Rig::each(|rig| {
        let mut session = rig.open(Far::Echo);
        session.client.send_frame(&Frame::text("one ").unfinished().masked());
        session.client.send_frame(&Frame::ping("now").masked());
        assert_eq!(session.client.read_frame(), Frame::text("one ").unfinished());
        assert_eq!(session.client.read_frame(), Frame::pong("now"));
        session.client.send_frame(&Frame::continuation("message").masked());
        assert_eq!(session.client.read_message(), (opcode::CONTINUATION, b"message".to_vec()));

        let (mut client, mut backend) = rig.open_tcp();
        client.send_frame(&Frame::text("one ").unfinished().masked());
        client.send_frame(&Frame::ping("now").masked());
        assert_eq!(client.read_frame(), Frame::pong("now"));
        assert_eq!(backend.read_exact(4), b"one ", "a message is not held back until it is whole");
        drop((session, client, backend));
        rig.finish();
    });
}

/// In WebSocket to WebSocket a ping is the backend's to answer.
#[test]
fn t100_a_ping_inside_a_message_passes_to_a_websocket_backend() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_ws();
        for frame in [
            Frame::text("one ").unfinished().masked(),
            Frame::ping("now").masked(),
            Frame::pong("unasked").masked(),
            Frame::continuation("message").masked_with([9, 8, 7, 6]),
        ] {
            client.send_frame(&frame);
            assert_eq!(backend.read_frame(), frame, "untouched");
        }
        for frame in [Frame::ping("from the backend"), Frame::pong("now"), Frame::text("").unfinished()] {
            backend.send_frame(&frame);
            assert_eq!(client.read_frame(), frame);
        }
        drop((client, backend));
        rig.finish();
    });
}

#[test]
fn t101_t102_fragments_are_counted_the_empty_ones_too() {
    Rig::each(|rig| {
        for (first, more) in [("a", "b"), ("a", ""), ("", "")] {
            for far in [Far::Echo, Far::Ws] {
                let mut session = rig.open(far);
                let mut legal = Frame::binary(first).unfinished().masked().encode();
                for _ in 1..1024 {
                    legal.extend(Frame::continuation(more).unfinished().masked().encode());
                }
                session.client.send(&legal);
                session.client.send_frame(&Frame::continuation(more).masked());
                let answers = Frame::parse_all(&session.client.read_to_fin());
                let (close, echoed) = answers.split_last().expect("there is a Close");
                assert_eq!(close.close_code(), Some(1008), "{first:?} {more:?} {far:?}");
                let payload: Vec<u8> = echoed.iter().flat_map(|frame| frame.payload.clone()).collect();
                let sent = [first, &more.repeat(1023)].concat();
                assert_eq!(payload, if far == Far::Echo { sent.as_bytes() } else { b"" });
                session.expect_backend_end(far, &legal, 1001);
            }
        }
        rig.finish();
    });
}

/// To a TCP backend messages mean nothing: fragments are limited only where the route says so.
#[test]
fn t101_t102_fragments_to_a_tcp_backend() {
    let rig = Rig::start();
    let (mut client, mut backend) = rig.open_tcp();
    client.send_frame(&Frame::binary("a").unfinished().masked());
    client.send(Frame::continuation("b").unfinished().masked().encode().repeat(3_000));
    client.send_frame(&Frame::continuation("c").masked());
    client.send_frame(&Frame::close(1000, "").masked());
    assert_eq!(backend.read_to_fin(), format!("a{}c", "b".repeat(3_000)).as_bytes());
    client.expect_close(1000);
    drop((client, backend));
    rig.finish();

    let rig = Rig::with("max_fragments = 3");
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        let whole = [
            Frame::binary("a").unfinished(),
            Frame::continuation("b").unfinished(),
            Frame::continuation("c"),
        ];
        let legal: Vec<u8> = whole.into_iter().flat_map(|frame| frame.masked().encode()).collect();
        let begun = &legal[..legal.len() - 7];
        session.client.send([&legal, begun].concat());
        session.client.send_frame(&Frame::continuation("d").unfinished().masked());
        session.client.send_frame(&Frame::continuation("e").masked());
        let answers = Frame::parse_all(&session.client.read_to_fin());
        assert_eq!(answers.last().and_then(Frame::close_code), Some(1008), "{far:?}");
        let third = Frame::continuation("d").unfinished().masked().encode();
        let received = if far == Far::Tcp { b"abcabd".to_vec() } else { [&legal, begun, &third].concat() };
        session.expect_backend_end(far, &received, 1001);
    }
    rig.finish();
}
