//! The closing handshake that a client begins (RFC 6455 §5.5.1, §7.1).

use tidegate_testkit::Frame;

use crate::rig::{EVERY_FAR, Far, Rig, expect_close_at_backend, expect_line};

#[test]
fn t113_every_legal_code_is_echoed_and_the_gateway_ends_tcp() {
    Rig::each(|rig| {
        for code in
            [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
        {
            for far in EVERY_FAR {
                let mut session = rig.open(far);
                session.client.send_frame(&Frame::close(code, "good bye").masked());
                if far == Far::Ws {
                    let close = session.backend().read_frame();
                    assert_eq!(
                        close,
                        Frame::close(code, "good bye").masked(),
                        "the client's own code and reason"
                    );
                    session.backend().send_frame(&Frame::close(code, ""));
                    session.backend().expect_fin();
                }
                session.client.expect_close(code);
                if far == Far::Tcp {
                    session.backend().expect_fin();
                }
            }
        }
        rig.finish();
    });
}

#[test]
fn t113_a_close_without_a_body_is_answered_with_one_of_its_kind() {
    Rig::each(|rig| {
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            session.client.send_frame(&Frame::close_empty().masked_with([1, 2, 3, 4]));
            if far == Far::Ws {
                let close = session.backend().read_frame();
                assert_eq!((close.close_code(), close.mask.is_some()), (None, true));
                session.backend().send_frame(&Frame::close_empty());
                session.backend().expect_fin();
            }
            assert_eq!(session.client.read_frame(), Frame::close_empty());
            session.client.expect_fin();
            if far == Far::Tcp {
                session.backend().expect_fin();
            }
        }
        rig.finish();
    });
}

#[test]
fn t116_nothing_after_a_close_is_processed() {
    Rig::each(|rig| {
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            let frames = [
                Frame::text("before").masked(),
                Frame::close(1000, "").masked(),
                Frame::text("after").masked(),
                Frame::ping("after").masked(),
            ];
            session.client.send(frames.iter().flat_map(Frame::encode).collect::<Vec<_>>());
            match far {
                Far::Echo => assert_eq!(session.client.read_frame(), Frame::text("before")),
                Far::Tcp => assert_eq!(session.backend().read_to_fin(), b"before"),
                Far::Ws => {
                    assert_eq!(session.backend().read_frame(), Frame::text("before").masked());
                    expect_close_at_backend(session.backend(), 1000);
                }
            }
            session.client.expect_close(1000);
        }
        rig.finish();
    });
}

/// A backend may still have something to say when it reads a Close; it is delivered before the Close is answered.
#[test]
fn ends_client_close_waits_for_the_last_words_of_a_websocket_backend() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_ws();
        client.send_frame(&Frame::close(4001, "enough").masked());
        assert_eq!(backend.read_frame(), Frame::close(4001, "enough").masked());
        backend.send_frame(&Frame::text("last words"));
        backend.send_frame(&Frame::close(4001, "enough"));
        assert_eq!(client.read_frame(), Frame::text("last words"));
        assert_eq!(client.read_frame(), Frame::close(4001, "enough"));
        client.expect_fin();
        backend.expect_fin();
        expect_line(&rig.gateway, (client, backend), "client_closed", 4001, "client");
        rig.finish();
    });
}

/// A backend that ends instead of answering does not leave the client without an answer.
#[test]
fn ends_client_close_is_answered_although_the_backend_only_ends() {
    Rig::each(|rig| {
        for by_reset in [false, true] {
            let (mut client, mut backend) = rig.open_ws();
            client.send_frame(&Frame::close(3000, "").masked());
            assert_eq!(backend.read_frame().close_code(), Some(3000));
            if by_reset {
                backend.reset();
            } else {
                drop(backend);
            }
            client.expect_close(3000);
        }
        rig.finish();
    });
}

/// Five seconds for a backend's Close, then the client is answered without it.
#[test]
fn ends_client_close_is_answered_although_the_backend_is_silent() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_ws();
        client.send_frame(&Frame::close(1000, "").masked());
        assert_eq!(backend.read_frame().close_code(), Some(1000));
        client.expect_close(1000);
        backend.expect_fin();
        drop(backend);
        rig.finish();
    });
}
