//! Pings of the gateway's own, and clients that are silent.

use tidegate_testkit::{Frame, eventually, opcode};

use crate::rig::{EVERY_FAR, Far, Rig, expect_line};

#[test]
fn t058_f24_ends_ping_unanswered_is_1011() {
    Rig::each_with("ping_interval = '200ms'\nping_timeout = '300ms'", |rig| {
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            let ping = session.client.read_frame();
            assert_eq!((ping.opcode, ping.mask), (opcode::PING, None));
            session.client.expect_close_then_answer(1011);
            session.expect_backend_end(far, b"", 1001);
            expect_line(&rig.gateway, session, "ping_unanswered", 1011, "gateway");
        }
        rig.finish();
    });
}

/// A client that has vanished says nothing any more, not even FIN: nothing is kept for it.
#[test]
fn f24_a_client_that_has_vanished_is_let_go() {
    Rig::each_with("ping_interval = '200ms'\nping_timeout = '300ms'", |rig| {
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            session.expect_backend_end(far, b"", 1001);
            rig.gateway.settle(); // although the client still has its end
            expect_line(&rig.gateway, session, "ping_unanswered", 1011, "gateway");
        }
        rig.finish();
    });
}

/// The kernel finds out that a peer has vanished of which nothing is expected, on either side.
#[test]
fn f14_f24_silent_peers_are_probed() {
    Rig::each(|rig| {
        for far in [Far::Tcp, Far::Ws] {
            let mut session = rig.open(far);
            eventually("both connections are probed", || {
                (rig.gateway.probes(&session.client) && rig.gateway.probes(session.backend())).then_some(())
            });
        }
        rig.finish();
    });
}

/// A time-out far below the number of answered pings: each answer begins a new round.
#[test]
fn m8_answered_pings_keep_a_silent_client_and_stay_with_the_gateway() {
    let rig = Rig::with("ping_interval = '100ms'\nping_timeout = '5s'");
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        for _ in 0..5 {
            let ping = session.client.read_frame();
            assert_eq!(ping.opcode, opcode::PING);
            session.client.send_frame(&Frame::pong(&ping.payload).masked());
        }
        // Somebody else's pong is not an answer to us: a WebSocket backend gets it, and none of those before.
        session.client.send_frame(&Frame::pong("unasked").masked());
        session.client.send_frame(&Frame::close(1000, "").masked());
        match far {
            Far::Echo => {}
            Far::Tcp => session.backend().expect_fin(),
            Far::Ws => {
                assert_eq!(session.backend().read_frame(), Frame::pong("unasked").masked());
                crate::rig::expect_close_at_backend(session.backend(), 1000);
            }
        }
        // A ping may have been on its way.
        let answers = Frame::parse_all(&session.client.read_to_fin());
        assert_eq!(answers.last().and_then(Frame::close_code), Some(1000));
    }
    rig.finish();
}

#[test]
fn m8_a_pong_with_other_content_is_no_answer() {
    let rig = Rig::with("ping_interval = '100ms'\nping_timeout = '1s'");
    let mut session = rig.open(Far::Tcp);
    assert_eq!(session.client.read_frame().opcode, opcode::PING);
    session.client.send_frame(&Frame::pong("not yours").masked());
    session.client.expect_close_frame(1011);
    drop(session);
    rig.finish();
}

/// A ping of ours never stands inside a frame that is relayed.
#[test]
fn m8_pings_wait_for_the_end_of_a_relayed_frame() {
    let rig = Rig::with("ping_interval = '50ms'\nping_timeout = '10s'");
    let (mut client, mut backend) = rig.open_ws();
    let first = client.read_frame();
    client.send_frame(&Frame::pong(&first.payload).masked());
    backend.send(Frame::binary("").encode_header(60));
    for byte in 0..60 {
        // Far longer than an interval together.
        assert!(backend.is_silent_for(std::time::Duration::from_millis(5)));
        backend.send([byte]);
    }
    let mut pings = 0;
    let whole = loop {
        let frame = client.read_frame();
        match frame.opcode {
            opcode::PING => pings += 1,
            _ => break frame,
        }
    };
    assert!(pings <= 1, "one ping at most before the frame began");
    assert_eq!(whole, Frame::binary((0..60).collect::<Vec<u8>>()));
    if pings == 0 {
        assert_eq!(client.read_frame().opcode, opcode::PING, "the one that waited");
    }
    drop((client, backend));
    rig.finish();
}

/// Pongs to our own pings are no sign of life from the application.
#[test]
fn ends_idle_is_1001_although_pings_are_answered() {
    let rig = Rig::with("ping_interval = '100ms'\nidle_timeout = '1s'");
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        let mut pings = 0;
        let close = loop {
            let frame = session.client.read_frame();
            if frame.opcode != opcode::PING {
                break frame;
            }
            pings += 1;
            session.client.send_frame(&Frame::pong(&frame.payload).masked());
        };
        assert_eq!(close, Frame::close(1001, ""));
        assert!(pings > 0);
        session.client.send_frame(&close.masked());
        session.client.expect_fin();
        session.expect_backend_end(far, b"", 1001);
        expect_line(&rig.gateway, session, "idle", 1001, "gateway");
    }
    rig.finish();
}

/// Ten pings, a fifth of a second apart, are longer than `idle_timeout`; a message behind each of them is not.
#[test]
fn m8_data_keeps_a_client_from_being_idle() {
    let rig = Rig::with("ping_interval = '200ms'\nping_timeout = '10s'\nidle_timeout = '1500ms'");
    for far in [Far::Tcp, Far::Ws] {
        let mut session = rig.open(far);
        for _ in 0..10 {
            let ping = session.client.read_frame();
            assert_eq!(ping.opcode, opcode::PING, "{ping:?}");
            session.client.send_frame(&Frame::pong(&ping.payload).masked());
            session.client.send_frame(&Frame::text("busy").masked());
        }
        drop(session);
    }
    rig.finish();
}
