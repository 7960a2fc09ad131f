//! Text and bytes, as they should be.

use tidegate_testkit::{Frame, Hybi00, opcode};

use super::{BINARY, TEXT, open};
use crate::rig::{Far, Rig, Session, assert_same, beside, numbered};

#[test]
fn c130_c133_text_on_every_kind_of_route() {
    for rig in [Rig::with(TEXT), Rig::secure_with(TEXT)] {
        for text in ["", "hello", "gr\u{fc}\u{df}e \u{1f980}", "\0", &"x".repeat(100_000)] {
            let mut echo = open(&rig, Far::Echo);
            echo.client.send(Hybi00::text(text));
            assert_eq!(echo.client.read_hybi00_text(), text);

            let mut tcp = open(&rig, Far::Tcp);
            tcp.client.send(Hybi00::text(text));
            assert_eq!(tcp.backend().read_exact(text.len()), text.as_bytes());
            tcp.backend().send(text);
            let mut received = String::new();
            while received.len() < text.len() {
                received += &tcp.client.read_hybi00_text();
            }
            assert_eq!(received, text);

            let mut ws = open(&rig, Far::Ws);
            ws.client.send(Hybi00::text(text));
            assert_eq!(ws.backend().read_message(), (opcode::TEXT, text.as_bytes().to_vec()));
            ws.backend().send_frame(&Frame::text(text));
            assert_eq!(ws.client.read_hybi00_text(), text);
            drop((echo, tcp, ws));
        }
        rig.finish();
    }
}

#[test]
fn c130_text_cut_at_every_byte() {
    let rig = Rig::with(TEXT);
    let text = "\u{e9}\u{20ac}\u{1f980}";
    let wire = [Hybi00::text(text), Hybi00::text("")].concat();
    for far in [Far::Echo, Far::Tcp, Far::Ws] {
        for cut in 0..=wire.len() {
            let mut session = open(&rig, far);
            let (first, rest) = wire.split_at(cut);
            session.client.send(first);
            session.client.send(rest);
            match far {
                Far::Echo => {
                    assert_eq!(session.client.read_hybi00_text(), text);
                    assert_eq!(session.client.read_hybi00_text(), "");
                }
                Far::Tcp => assert_eq!(session.backend().read_exact(text.len()), text.as_bytes()),
                Far::Ws => {
                    let expected = (opcode::TEXT, text.as_bytes().to_vec());
                    assert_eq!(session.backend().read_message(), expected);
                    assert_eq!(session.backend().read_message(), (opcode::TEXT, Vec::new()));
                }
            }
        }
    }
    rig.finish();
}

#[test]
fn m6_base64_cut_at_every_byte() {
    let rig = Rig::with(BINARY);
    let every_byte: Vec<u8> = (0..=255).collect();
    let wire = [&Hybi00::bytes(&every_byte)[..], b"\0\xff", &Hybi00::bytes("a"), b"\0/wCA\xff"].concat();
    let expected = [&every_byte[..], b"a\xff\x00\x80"].concat();
    for cut in 0..=wire.len() {
        let mut session = open(&rig, Far::Tcp);
        let (first, rest) = wire.split_at(cut);
        session.client.send(first);
        session.client.send(rest);
        assert_eq!(session.backend().read_exact(expected.len()), expected, "cut at {cut}");
    }
    rig.finish();
}

#[test]
fn m6_bytes_both_ways() {
    for rig in [Rig::with(BINARY), Rig::secure_with(BINARY)] {
        let mut tcp = open(&rig, Far::Tcp);
        let mut ws = open(&rig, Far::Ws);
        for len in [0, 1, 2, 3, 4, 1_000, 100_000, 700_000] {
            let payload = numbered(len);
            let frame = Hybi00::bytes(&payload);
            beside(tcp.client.handle(), &frame, || assert_same(&tcp.backend().read_exact(len), &payload));
            beside(ws.client.handle(), &frame, || {
                assert_eq!(ws.backend().read_message(), (opcode::BINARY, payload.clone()));
            });
            beside(tcp.backend().handle(), &payload, || {
                let mut received = Vec::new();
                while received.len() < len {
                    received.extend(tcp.client.read_hybi00_bytes());
                }
                assert_same(&received, &payload);
            });
            let answer = Frame::binary(&payload).encode();
            beside(ws.backend().handle(), &answer, || {
                assert_same(&ws.client.read_hybi00_bytes(), &payload);
            });
        }
        drop((tcp, ws));
        rig.finish();
    }
}

/// An echo has nothing to decode: base64 comes back as it was, and so does any text.
#[test]
fn m6_an_echo_is_the_same_text_on_every_route() {
    let rig = Rig::with(BINARY);
    let mut session = open(&rig, Far::Echo);
    for text in ["aGk=", "no base64 at all"] {
        session.client.send(Hybi00::text(text));
        assert_eq!(session.client.read_hybi00_text(), text);
    }
    drop(session);
    rig.finish();
}

/// Nothing waits for the end of a message.
#[test]
fn m6_parts_of_a_message_arrive_before_its_end() {
    let rig = Rig::with(BINARY);
    let mut session = open(&rig, Far::Tcp);
    session.client.send(b"\x00aGVsbG8h");
    assert_eq!(session.backend().read_exact(6), b"hello!");
    session.client.send(b"YQ==\xff");
    assert_eq!(session.backend().read_exact(1), b"a");

    let mut echo = open(&rig, Far::Echo);
    echo.client.send(b"\x00so far");
    assert_eq!(echo.client.read_exact(7), b"\x00so far");
    echo.client.send(b", and on\xff");
    assert_eq!(echo.client.read_exact(9), b", and on\xff");
    drop((session, echo));
    rig.finish();
}

/// Old and new clients on one route, at the same time, before the same backend.
#[test]
fn m6_both_protocols_on_one_route() {
    let rig = Rig::with(BINARY);
    for far in [Far::Tcp, Far::Ws] {
        let (mut old, mut new) = (open(&rig, far), rig.open(far));
        for round in 0_u8..20 {
            let payload = [round, 0xff, 0];
            old.client.send(Hybi00::bytes(payload));
            new.client.send_frame(&Frame::binary(payload).masked());
            for session in [&mut old, &mut new] {
                let backend = session.backend();
                if far == Far::Tcp {
                    assert_eq!(backend.read_exact(3), payload);
                    backend.send(payload);
                } else {
                    assert_eq!(backend.read_message(), (opcode::BINARY, payload.to_vec()));
                    backend.send_frame(&Frame::binary(payload));
                }
            }
            assert_eq!(old.client.read_hybi00_bytes(), payload);
            assert_eq!(new.client.read_frame(), Frame::binary(payload));
        }
        drop((old, new));
    }
    rig.finish();
}

#[test]
fn i4_quiet_connections_hold_no_buffers() {
    const CONNECTIONS: usize = 1_000;
    let rig = Rig::with(BINARY);
    let payload = numbered(100_000);
    let frame = Hybi00::bytes(&payload);
    let speak = |session: &mut Session| {
        beside(session.client.handle(), &frame, || {
            assert_same(&session.backend().read_exact(payload.len()), &payload);
        });
        beside(session.backend().handle(), &payload, || {
            let mut received = Vec::new();
            while received.len() < payload.len() {
                received.extend(session.client.read_hybi00_bytes());
            }
            assert_same(&received, &payload);
        });
    };
    speak(&mut open(&rig, Far::Tcp)); // what the worker itself needs
    let before = rig.gateway.proportional_memory();
    let mut sessions: Vec<Session> = (0..CONNECTIONS).map(|_| open(&rig, Far::Tcp)).collect();
    sessions.iter_mut().for_each(speak);
    let each = rig.gateway.proportional_memory().saturating_sub(before) / CONNECTIONS as u64;
    println!("{each} bytes for each");
    assert!(each <= 8 << 10, "{each} bytes for each quiet connection");
    drop(sessions);
    rig.finish();
}
