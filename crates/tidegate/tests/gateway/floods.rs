//! Clients that send a great many small frames: nobody else pays.

use std::thread;

use tidegate_testkit::{Canary, Frame, opcode};

use crate::rig::{EVERY_FAR, Far, Rig, Session, assert_same, expect_line};

/// Two hundred at once are nobody's fault; two thousand more are.
#[track_caller]
fn bounded(frame: &Frame, expected: impl Fn(&Frame) -> bool) {
    Rig::each(|rig| {
        let canary = Canary::of(&rig.gateway, "/echo");
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            session.client.send(frame.encode().repeat(190));
            session.client.send_frame(&Frame::binary("after the burst").masked());
            expect_burst(far, &mut session, frame);
            session.client.send(frame.encode().repeat(2_000));
            let answers = Frame::parse_all(&session.client.read_to_fin());
            let (close, answers) = answers.split_last().unwrap();
            assert_eq!(close.close_code(), Some(1008), "{far:?}");
            assert!(answers.iter().all(&expected), "{far:?}");
            expect_line(&rig.gateway, session, "client_flood", 1008, "gateway");
        }
        canary.finish();
        rig.finish();
    });
}

#[test]
fn t120_pings_beyond_their_rate() {
    bounded(&Frame::ping([b'p'; 125]).masked(), |answer| answer.opcode == opcode::PONG);
}

/// A million pings from a client that reads nothing: it is ended for its rate, and one pong is held for it at most.
#[test]
fn t120_a_million_pings_from_a_client_that_does_not_read() {
    Rig::each(|rig| {
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            let before = rig.gateway.memory();
            let pings = Frame::ping([b'p'; 125]).masked().encode().repeat(1_000);
            let sent = (0..1_000).take_while(|_| session.client.try_send(&pings).is_ok()).count();
            let grown = rig.gateway.memory().saturating_sub(before);
            assert!(grown < 2 << 20, "{grown} bytes for {sent} thousand pings, {far:?}");
            expect_line(&rig.gateway, session, "client_flood", 1008, "gateway");
        }
        rig.finish();
    });
}

#[test]
fn t121_pongs_that_answer_nothing() {
    bounded(&Frame::pong("unasked").masked(), |_| false);
}

/// All of the burst was taken: what came after it arrives, and a WebSocket backend saw every frame.
#[track_caller]
fn expect_burst(far: Far, session: &mut Session, frame: &Frame) {
    let message = Frame::binary("after the burst");
    match far {
        Far::Echo => while session.client.read_frame() != message {},
        Far::Tcp => assert_eq!(session.backend().read_exact(15), message.payload),
        Far::Ws => {
            let expected = [frame.encode().repeat(190), message.masked().encode()].concat();
            assert_same(&session.backend().read_exact(expected.len()), &expected);
        }
    }
}

#[test]
fn t122_empty_messages() {
    /// Each may take the patience of a whole read.
    const PARTS: usize = 20;
    Rig::each(|rig| {
        let canary = Canary::of(&rig.gateway, "/echo");
        let count = 1_000_000;
        let mut session = rig.open(Far::Echo);
        let mut writer = session.client.handle();
        thread::scope(|scope| {
            scope.spawn(move || {
                writer.send(Frame::text("").masked().encode().repeat(count));
                writer.send_frame(&Frame::close(1000, "").masked());
            });
            for _ in 0..PARTS {
                let echoed = session.client.read_exact(2 * count / PARTS);
                assert!(echoed.chunks(2).all(|frame| frame == [0x81, 0]));
            }
            session.client.expect_close(1000);
        });
        let (mut client, mut backend) = rig.open_tcp();
        client.send(Frame::text("").masked().encode().repeat(count));
        client.send_frame(&Frame::text("after").masked());
        assert_eq!(backend.read_exact(5), b"after");
        drop((client, backend, session));
        canary.finish();
        rig.finish();
    });
}

/// One connection that is always ready gives way to others.
#[test]
fn t248_a_connection_in_full_flow_leaves_time_for_others() {
    let rig = Rig::with_top("workers = 1", "");
    let (mut client, mut backend) = rig.open_tcp();
    let (mut writer, mut reader) = (backend.handle(), client.handle());
    thread::scope(|scope| {
        scope.spawn(move || while writer.try_send([7; 1 << 16]).is_ok() {});
        scope.spawn(move || while reader.read_some_or_end().is_some() {});
        let mut others: Vec<_> = (0..3).map(|_| rig.gateway.open("/echo")).collect();
        for round in 0..50_u32 {
            for other in &mut others {
                other.send_frame(&Frame::binary(round.to_be_bytes()).masked());
                assert_eq!(other.read_frame(), Frame::binary(round.to_be_bytes()));
            }
        }
        // The reader goes on to the gateway's end: a client that hung up with its window shut would look stalled.
        client.send_frame(&Frame::close(1000, "").masked());
        backend.hang_up();
    });
    drop((client, backend));
    rig.finish();
}
