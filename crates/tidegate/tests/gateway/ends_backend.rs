//! Endings that the backend causes.

use std::time::Duration;

use tidegate_testkit::{Deadline, Frame};

use crate::rig::{Rig, beside, expect_close_at_backend, expect_line};

#[test]
fn f11_ends_backend_fin_is_close_1000_and_client_data_is_still_taken() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_tcp();
        backend.send("last words");
        backend.finish();
        assert_eq!(client.read_frame(), Frame::binary("last words"));
        client.expect_close_frame(1000);
        client.send_frame(&Frame::binary("still ").masked());
        client.send_frame(&Frame::binary("talking").masked());
        assert_eq!(backend.read_exact(13), b"still talking");
        client.send_frame(&Frame::close(1000, "").masked());
        client.expect_fin();
        backend.expect_fin();
        expect_line(&rig.gateway, (client, backend), "backend_ended", 1000, "backend");
        rig.finish();
    });
}

/// Five seconds for the client's Close, then TCP ends without it.
#[test]
fn t117_a_client_that_never_answers_a_close() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_tcp();
        let waited = Deadline::patient();
        backend.finish();
        client.expect_close_frame(1000);
        client.expect_fin();
        assert!(waited.elapsed() >= Duration::from_millis(4_500), "the client had {:?}", waited.elapsed());
        backend.expect_fin();
        drop((client, backend));
        rig.finish();
    });
}

#[test]
fn f09_ends_backend_close_reaches_the_client_as_it_is() {
    Rig::each(|rig| {
        for close in [
            Frame::close(1000, ""),
            Frame::close(1013, "come back later"),
            Frame::close(4999, ""),
            Frame::close_empty(),
        ] {
            let (mut client, mut backend) = rig.open_ws();
            backend.send_frame(&Frame::text("before"));
            backend.send_frame(&close);
            backend.send_frame(&Frame::text("after"));
            assert_eq!(client.read_frame(), Frame::text("before"));
            assert_eq!(client.read_frame(), close);
            let echoed = backend.read_frame();
            assert_eq!((echoed.close_code(), echoed.mask.is_some()), (close.close_code(), true));
            client.send_frame(&close.clone().masked());
            client.expect_fin();
            backend.expect_fin();
            expect_line(
                &rig.gateway,
                (client, backend),
                "backend_closed",
                close.close_code().unwrap_or(1005),
                "backend",
            );
        }
        rig.finish();
    });
}

#[test]
fn f05_ends_backend_reset_is_1011_after_everything_that_came() {
    Rig::each(|rig| {
        let (mut client, backend) = rig.open_tcp();
        beside(backend.handle(), &[7; 100_000], || assert_eq!(client.read_payload(100_000), [7; 100_000]));
        backend.reset();
        client.expect_close_then_answer(1011);
        expect_line(&rig.gateway, client, "backend_lost", 1011, "backend");

        let (mut client, backend) = rig.open_ws();
        backend.reset();
        client.expect_close_then_answer(1011);
        expect_line(&rig.gateway, client, "backend_lost", 1011, "backend");
        rig.finish();
    });
}

#[test]
fn f08_ends_backend_without_a_close_is_1011() {
    Rig::each(|rig| {
        let unfinished = Frame::text("begun").unfinished();
        for last in [Frame::text("whole"), unfinished] {
            let (mut client, mut backend) = rig.open_ws();
            backend.send_frame(&last);
            backend.finish();
            assert_eq!(client.read_frame(), last);
            client.expect_close_then_answer(1011);
            backend.expect_fin();
            expect_line(&rig.gateway, (client, backend), "backend_lost", 1011, "backend");
        }
        rig.finish();
    });
}

/// A Close inside a frame would be taken for its payload: TCP ends, and the frame stays cut.
#[test]
fn f06_f07_ends_backend_within_a_frame() {
    Rig::each(|rig| {
        let cut = [&Frame::binary("").encode_header(1000)[..], b"only the beginning"].concat();
        for by_reset in [false, true] {
            let (mut client, mut backend) = rig.open_ws();
            backend.send(&cut);
            assert_eq!(client.read_exact(cut.len()), cut);
            if by_reset {
                backend.reset();
            } else {
                drop(backend);
            }
            client.expect_fin();
            expect_line(&rig.gateway, client, "backend_lost", 1011, "backend");
        }
        rig.finish();
    });
}

/// A header that was cut was never passed on: the client is between two frames, and is told.
#[test]
fn f07_ends_backend_within_a_header() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_ws();
        backend.send_frame(&Frame::text("whole"));
        backend.send(&Frame::binary("").encode_header(1000)[..3]);
        backend.finish();
        assert_eq!(client.read_frame(), Frame::text("whole"));
        client.expect_close_then_answer(1011);
        backend.expect_fin();
        rig.finish();
    });
}

#[test]
fn f10_f18_t154_t155_ends_backend_that_breaks_the_protocol() {
    Rig::each(|rig| {
        let fragments = [
            Frame::text("").unfinished().encode(),
            Frame::continuation("").unfinished().encode().repeat(1023),
        ];
        let whole_mib = Frame::binary([1; 1 << 20]).unfinished().encode();
        let close = |code| Frame::close(code, "").encode();
        let nothing = Vec::new;
        let table = [
            ("t154 a masked frame", nothing(), Frame::text("hello").masked().encode()),
            (
                "t154 a masked frame with a key",
                nothing(),
                Frame::text("hello").masked_with([1, 2, 3, 4]).encode(),
            ),
            ("t155 a frame too big", nothing(), Frame::binary("").encode_header((1 << 20) + 1)),
            ("t155 the greatest length", nothing(), Frame::binary("").encode_header(u64::MAX >> 1)),
            ("t155 a length with its top bit set", nothing(), Frame::binary("").encode_header(u64::MAX)),
            ("t155 a message too big", whole_mib, Frame::continuation("+").encode()),
            ("t155 too many fragments", fragments.concat(), Frame::continuation("").encode()),
            ("t155 reserved bits", nothing(), Frame::text("hello").reserved(4).encode()),
            ("t155 an unknown opcode", nothing(), Frame::new(3, "hello").encode()),
            ("t155 a continuation of nothing", nothing(), Frame::continuation("hello").encode()),
            ("t155 a fragmented ping", nothing(), Frame::ping("").unfinished().encode()),
            ("f10 1005 on the wire", nothing(), close(1005)),
            ("f10 1006 on the wire", nothing(), close(1006)),
            ("f10 1015 on the wire", nothing(), close(1015)),
            ("f10 999 on the wire", nothing(), close(999)),
            ("f10 a body of one byte", nothing(), b"\x88\x01\x03".to_vec()),
            ("f10 a reason that is no UTF-8", nothing(), b"\x88\x03\x03\xe8\xff".to_vec()),
            ("f18 another protocol", nothing(), b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ];
        for (name, legal, breach) in table {
            let (mut client, mut backend) = rig.open_ws();
            let legal = [Frame::ping("legal").encode(), legal].concat();
            std::thread::scope(|scope| {
                scope.spawn(|| backend.send([&legal, &breach[..]].concat()));
                assert!(client.read_exact(legal.len()) == legal, "{name}");
            });
            let frame = client.read_frame();
            assert_eq!(frame, Frame::close(1014, ""), "{name}");
            client.send_frame(&frame.masked());
            client.expect_fin();
            let told = backend.read_frame();
            assert_eq!((told.close_code(), told.mask.is_some()), (Some(1002), true), "{name}");
            backend.expect_fin();
            expect_line(&rig.gateway, (client, backend), "backend_violation", 1014, "gateway");
        }
        rig.finish();
    });
}

#[test]
fn f16_single_bytes_are_passed_on_as_they_come() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_tcp();
        for byte in 0..100 {
            backend.send([byte]);
            assert_eq!(client.read_frame(), Frame::binary([byte]));
            client.send_frame(&Frame::binary([byte]).masked());
            assert_eq!(backend.read_exact(1), [byte]);
        }
        drop((client, backend));
        rig.finish();
    });
}

/// What the client sends while the backend's Close is on its way is not the backend's any more, and no violation.
#[test]
fn ends_backend_close_crosses_client_data() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_ws();
        backend.send_frame(&Frame::close(1001, "gone"));
        client.expect_close_frame(1001);
        expect_close_at_backend(&mut backend, 1001);
        client.send_frame(&Frame::text("too late").masked());
        client.send_frame(&Frame::close(1001, "").masked());
        client.expect_fin();
        drop(client);
        rig.finish();
    });
}
