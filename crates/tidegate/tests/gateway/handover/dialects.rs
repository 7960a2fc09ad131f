//! Clients that want more than RFC 6455 frames of the gateway: hybi-00, and compression that ends here.

use std::time::Duration;

use tidegate_testkit::{Frame, Hybi00, eventually, opcode};

use super::upgrade;
use crate::compression::{self, assert_arrives, compressed, deflated};
use crate::hybi00::{self, BINARY, TEXT};
use crate::rig::{EVERY_FAR, Far, Rig};

const SAID: &str = "a\u{e4}\u{20ac}\u{1f980}!";

/// Two messages and a frame of no known type, as the client sends them.
fn hybi00_frames(is_text: bool) -> Vec<u8> {
    let (whole, also) = if is_text {
        (Hybi00::text(SAID), Hybi00::text("more"))
    } else {
        (Hybi00::bytes(SAID), Hybi00::bytes("more"))
    };
    [&whole[..], b"\x81\x80\x03???", &also].concat()
}

/// F60: a session of hybi-00 for each byte, cut there from the client; all of them move at once.
#[test]
fn f60_any_byte_from_a_hybi00_client() {
    for (is_text, rules) in [(true, TEXT), (false, BINARY)] {
        let wire = hybi00_frames(is_text);
        let mut rig = Rig::with(rules);
        let mut sessions = Vec::new();
        for far in EVERY_FAR {
            for cut in 0..=wire.len() {
                let mut session = hybi00::open(&rig, far);
                session.client.send(&wire[..cut]);
                sessions.push((far, cut, session));
            }
        }
        upgrade(&mut rig.gateway, sessions.len());
        for (far, cut, session) in &mut sessions {
            session.client.send(&wire[*cut..]);
            let said = match far {
                Far::Echo if is_text => {
                    [session.client.read_hybi00_text(), session.client.read_hybi00_text()]
                        .concat()
                        .into_bytes()
                }
                Far::Echo => {
                    [session.client.read_hybi00_bytes(), session.client.read_hybi00_bytes()].concat()
                }
                Far::Tcp => session.backend().read_exact(SAID.len() + 4),
                Far::Ws => [session.backend().read_message().1, session.backend().read_message().1].concat(),
            };
            assert_eq!(said, format!("{SAID}more").into_bytes(), "{far:?}, cut at {cut}");
            if *far == Far::Echo {
                session.client.send(Hybi00::CLOSING);
                session.client.expect_hybi00_close();
            }
        }
        drop(sessions);
        rig.finish();
    }
}

/// The same from a WebSocket backend.
#[test]
fn f60_any_byte_to_a_hybi00_client() {
    let (first, rest) = SAID.as_bytes().split_at(4); // inside a code point
    let frames = [
        Frame::new(opcode::TEXT, first).unfinished(),
        Frame::ping("!"),
        Frame::new(opcode::CONTINUATION, rest),
    ];
    let wire: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    for (is_text, rules) in [(true, TEXT), (false, BINARY)] {
        let mut rig = Rig::with(rules);
        let mut sessions: Vec<_> = (0..=wire.len()).map(|_| hybi00::open(&rig, Far::Ws)).collect();
        for (cut, session) in sessions.iter_mut().enumerate() {
            session.backend().send(&wire[..cut]);
        }
        upgrade(&mut rig.gateway, sessions.len());
        for (cut, session) in sessions.iter_mut().enumerate() {
            session.backend().send(&wire[cut..]);
            let said = if is_text {
                session.client.read_hybi00_text().into_bytes()
            } else {
                session.client.read_hybi00_bytes()
            };
            assert_eq!(said, SAID.as_bytes(), "cut at {cut}");
            let pong = session.backend().read_frame();
            assert_eq!((pong.opcode, &pong.payload[..]), (opcode::PONG, &b"!"[..]), "cut at {cut}");
        }
        drop(sessions);
        rig.finish();
    }
}

/// Between two messages a session that the gateway compresses moves, a frame that is cut in its header included.
#[test]
fn f60_compressed_sessions_move_between_two_messages() {
    let mut rig = Rig::with(compression::ON);
    let text = "said again and again, ".repeat(20);
    let message = compressed(opcode::TEXT, deflated(text.as_bytes()));
    let wire = message.encode();
    let mut sessions: Vec<_> =
        [Far::Echo, Far::Tcp].into_iter().map(|far| (far, compression::open(&rig, far))).collect();
    for _ in 0..3 {
        for (far, session) in &mut sessions {
            assert_arrives(session, *far, std::slice::from_ref(&message), text.as_bytes());
            session.client.send(&wire[..3]);
        }
        upgrade(&mut rig.gateway, sessions.len());
        for (far, session) in &mut sessions {
            session.client.send(&wire[3..]);
            assert_arrives(session, *far, &[], text.as_bytes());
            if *far == Far::Tcp {
                session.backend().send(&text);
                let frame = session.client.read_frame();
                assert!(
                    frame.payload.len() < text.len() / 2,
                    "what goes out is compressed as before: {frame:?}"
                );
            }
        }
    }
    drop(sessions);
    rig.finish();
}

/// In the middle of a compressed message the end of it is waited for, and not for ever.
#[test]
fn f60_the_end_of_a_compressed_message_is_waited_for() {
    let mut rig = Rig::with_top("drain = '2s'", compression::ON);
    let message = compressed(opcode::TEXT, deflated(b"hello, hello, hello"));
    let wire = message.encode();
    let (first, rest) = wire.split_at(2 + 4 + 1); // header, masking key, and too little to be answered already
    let [mut ending, mut endless] = [(), ()].map(|()| compression::open(&rig, Far::Echo));
    ending.client.send(first);
    endless.client.send(first);
    eventually("both are in the midst of a message", || {
        [&ending, &endless].iter().all(|session| rig.gateway.unread_from(&session.client) == 0).then_some(())
    });
    let mut handle = ending.client.handle();
    std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| rig.gateway.upgrade());
        assert!(endless.client.is_silent_for(Duration::from_millis(300)));
        handle.send(rest);
        let said = upgrading.join().unwrap();
        assert!(said.contains("WebSockets moved: 1,"), "{said}");
        assert!(said.contains(": 1 (1 in a compressed message)"), "{said}");
    });
    for _ in 0..2 {
        assert_arrives(&mut ending, Far::Echo, &[], b"hello, hello, hello");
        ending.client.send_frame(&message);
    }
    drop((ending, endless, handle));
    rig.finish();
}
