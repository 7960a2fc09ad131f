//! Endings that the client causes without a Close.

use tidegate_testkit::{Finish, Frame};

use crate::rig::{EVERY_FAR, Far, Rig, expect_line};

#[test]
fn t119_ends_client_reset_is_passed_on_as_an_abnormal_end() {
    Rig::each(|rig| {
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            session.client.send_frame(&Frame::text("before").masked());
            let passed = match far {
                Far::Echo => Vec::new(),
                Far::Tcp => b"before".to_vec(),
                Far::Ws => Frame::text("before").masked().encode(),
            };
            if far == Far::Echo {
                assert_eq!(session.client.read_frame(), Frame::text("before"));
            } else {
                assert_eq!(session.backend().read_exact(passed.len()), passed);
            }
            let address = session.client.local_address();
            let mut backend = session.into_backend_after(tidegate_testkit::Wire::reset);
            if let Some(backend) = &mut backend {
                assert_eq!(backend.read_to_end().0, b"", "no Close at the backend: nobody sent one");
            }
            drop(backend);
            let line = rig.gateway.access_line(|line| line["client"] == address.to_string());
            assert_eq!((&line["end"], &line["close_code"]), (&"client_lost".into(), &1006.into()), "{far:?}");
        }
        rig.finish();
    });
}

#[test]
fn f25_ends_client_reset_within_a_frame() {
    Rig::each(|rig| {
        let header = Frame::binary("").masked().encode_header(1000);
        let (mut client, mut backend) = rig.open_tcp();
        client.send([&header[..], b"streamed"].concat());
        assert_eq!(backend.read_exact(8), b"streamed");
        client.reset();
        assert_eq!(backend.read_to_end().0, b"");
        drop(backend);

        let (mut client, mut backend) = rig.open_ws();
        let cut = [&header[..], b"streamed"].concat();
        client.send(&cut);
        assert_eq!(backend.read_exact(cut.len()), cut);
        client.reset();
        assert_eq!(
            backend.read_to_end().0,
            b"",
            "a frame that was cut is not filled up, nor followed by another"
        );
        rig.finish();
    });
}

#[test]
fn f26_ends_client_fin_within_a_frame() {
    Rig::each(|rig| {
        let cut = [&Frame::text("").masked().encode_header(1000)[..], b"streamed \xe2\x82"].concat();
        let (mut client, mut backend) = rig.open_tcp();
        client.send(&cut);
        client.finish();
        assert_eq!(backend.read_to_fin(), b"streamed \xe2\x82");
        backend.finish();
        client.expect_close(1000);

        let (mut client, mut backend) = rig.open_ws();
        client.send(&cut);
        client.finish();
        assert_eq!(backend.read_to_end().0, cut);
        client.expect_fin();
        drop((client, backend));

        let mut client = rig.gateway.open("/echo");
        client.send(&cut);
        client.finish();
        let echoed = Frame::parse_all(&client.read_to_fin());
        assert!(
            echoed.iter().all(|frame| !frame.fin && !frame.is_control()),
            "nothing is finished: {echoed:?}"
        );
        drop(client);
        rig.finish();
    });
}

#[test]
fn ends_client_fin_between_frames_is_abnormal_for_a_websocket_backend() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_ws();
        client.send_frame(&Frame::text("whole").masked());
        client.finish();
        assert_eq!(backend.read_frame(), Frame::text("whole").masked());
        assert_eq!(backend.read_to_end().0, b"");
        client.expect_fin();
        expect_line(&rig.gateway, (client, backend), "client_ended", 1006, "client");
        rig.finish();
    });
}

/// The Close and the FIN are out at once; ten megabytes that still come are read and dropped, so that no reset of ours
/// eats the Close on its way.
#[test]
fn ends_violation_is_not_eaten_by_a_reset() {
    Rig::each(|rig| {
        for far in EVERY_FAR {
            let mut session = rig.open(far);
            let mut writer = session.client.handle();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    writer.send(b"\x83\x80\0\0\0\0");
                    let more = Frame::binary([1; 1 << 20]).masked().encode();
                    (0..10).all(|_| writer.try_send(&more).is_ok())
                });
                session.client.expect_close_frame(1002);
                session.client.expect_fin();
            });
            session.expect_backend_end(far, b"", 1001);
        }
        rig.finish();
    });
}

/// Two seconds of grace for one who does not end its own side, then the socket is gone.
#[test]
fn t118_f30_a_client_that_keeps_its_socket_after_the_closing_handshake() {
    Rig::each(|rig| {
        let mut client = rig.gateway.open("/echo");
        let before = rig.gateway.memory();
        client.send_frame(&Frame::close(1000, "").masked());
        client.expect_close_frame(1000);
        client.expect_fin();
        let more = Frame::binary([1; 1 << 20]).masked().encode();
        let refused = (0..10).any(|_| client.try_send(&more).is_err());
        let grown = rig.gateway.memory().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes for what is dropped; refused: {refused}");
        rig.gateway.settle();
        drop(client);
        rig.finish();
    });
}

/// A Close is answered although much waits to be sent: it does not wait until the client has read all of it.
#[test]
fn f31_a_close_while_the_backend_floods() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_tcp();
        std::thread::scope(|scope| {
            scope.spawn(move || (0..64).all(|_| backend.try_send([1; 1 << 20]).is_ok()));
            assert!(!client.read_frame().is_control());
            client.send_frame(&Frame::close(1000, "").masked());
            let (bytes, finish) = client.read_to_end();
            assert_eq!(finish, Finish::Fin);
            let frames = Frame::parse_all(&bytes);
            assert_eq!(frames.last().and_then(Frame::close_code), Some(1000));
            assert!(bytes.len() < 32 << 20, "{} bytes before the answer", bytes.len());
            client.finish();
        });
        rig.finish();
    });
}
