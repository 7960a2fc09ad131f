//! Messages that are as they should be.

use tidegate_testkit::{Frame, opcode};

use crate::rig::{Far, Rig, assert_same, beside, numbered};

#[test]
fn t087_the_masked_hello_of_rfc_6455_comes_back_unmasked() {
    Rig::each(|rig| {
        let mut session = rig.open(Far::Echo);
        session.client.send(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(session.client.read_exact(7), b"\x81\x05\x48\x65\x6c\x6c\x6f");
        drop(session);
        rig.finish();
    });
}

#[test]
fn m1_every_length_form_and_key_on_every_route() {
    Rig::each(|rig| {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let payload = numbered(len);
            for key in [[0; 4], [0x37, 0xfa, 0x21, 0x3d]] {
                let frame = Frame::binary(&payload).masked_with(key);
                let bytes = frame.encode();
                let mut echo = rig.gateway.open("/echo");
                beside(echo.handle(), &bytes, || assert_same(&echo.read_message().1, &payload));

                let (client, mut backend) = rig.open_tcp();
                beside(client, &bytes, || assert_same(&backend.read_exact(len), &payload));

                let (mut client, mut backend) = rig.open_ws();
                beside(client.handle(), &bytes, || assert_same(&backend.read_exact(bytes.len()), &bytes));
                let answer = frame.unmasked();
                beside(backend.handle(), &answer.encode(), || assert_eq!(client.read_frame(), answer));
            }
        }
        rig.finish();
    });
}

#[test]
fn t159_bytes_of_a_tcp_backend_become_binary_frames_exactly() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_tcp();
        let every_byte: Vec<u8> = (0..=255).collect();
        backend.send(&every_byte);
        let mut received = Vec::new();
        while received.len() < every_byte.len() {
            let frame = client.read_frame();
            assert_eq!((frame.opcode, frame.mask, frame.fin), (opcode::BINARY, None, true));
            received.extend(frame.payload);
        }
        assert_eq!(received, every_byte);
        client.send_frame(&Frame::text("text becomes bytes as well").masked());
        assert_eq!(backend.read_exact(26), b"text becomes bytes as well");
        drop((client, backend));
        rig.finish();
    });
}

/// Many small frames in one segment are many messages, in order, with pongs where the pings were.
#[test]
fn m1_a_burst_keeps_its_order() {
    Rig::each(|rig| {
        let mut session = rig.open(Far::Echo);
        let mut burst = Vec::new();
        for number in 0_u32..500 {
            burst.extend(Frame::binary(number.to_be_bytes()).masked_with(number.to_le_bytes()).encode());
            if number % 100 == 0 {
                burst.extend(Frame::ping(number.to_be_bytes()).masked().encode());
            }
        }
        session.client.send(&burst);
        for number in 0_u32..500 {
            assert_eq!(session.client.read_frame(), Frame::binary(number.to_be_bytes()));
            if number % 100 == 0 {
                assert_eq!(session.client.read_frame(), Frame::pong(number.to_be_bytes()));
            }
        }
        drop(session);
        rig.finish();
    });
}
