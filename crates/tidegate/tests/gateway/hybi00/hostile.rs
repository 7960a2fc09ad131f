//! Frames that are too long, without end, without meaning, or of no text.

use std::thread;

use tidegate_testkit::{Hybi00, Wire};

use super::{BINARY, TEXT, open};
use crate::rig::{EVERY_FAR, Far, Rig, Session, expect_close_at_backend, expect_line};

const MIB: usize = 1 << 20;

/// The closing frame, the end, and what the log says of it. What the backend got before is not of interest.
#[track_caller]
fn expect_violation(rig: &Rig, mut session: Session, far: Far, code: u16) {
    session.client.expect_hybi00_close();
    expect_backend_let_go(&mut session, far);
    expect_line(&rig.gateway, session, "client_violation", code, "gateway");
}

/// A TCP backend is at the end of what it is sent, a WebSocket backend is told to go away.
#[track_caller]
fn expect_backend_let_go(session: &mut Session, far: Far) {
    match far {
        Far::Echo => {}
        Far::Tcp => drop(session.backend().read_to_fin()),
        Far::Ws => {
            let mut frame = session.backend().read_frame();
            while !frame.is_control() {
                frame = session.backend().read_frame();
            }
            assert_eq!(frame.close_code(), Some(1001));
        }
    }
}

#[test]
fn t215_a_frame_of_the_largest_size_passes() {
    let rig = Rig::with(TEXT);
    let text = "x".repeat(MIB);
    let mut session = open(&rig, Far::Tcp);
    crate::rig::beside(session.client.handle(), &Hybi00::text(&text), || {
        assert_eq!(session.backend().read_exact(MIB), text.as_bytes());
    });
    session.client.send(Hybi00::text("still there"));
    assert_eq!(session.backend().read_exact(11), b"still there");
    drop(session);
    rig.finish();
}

#[test]
fn t215_one_that_is_larger_or_never_ends_is_given_up_at_the_limit() {
    let rig = Rig::with(&format!("{TEXT}\nmax_message = '64KiB'"));
    let at_limit = "x".repeat(64 << 10);
    let endless = format!("\0{at_limit}x").into_bytes();
    for frame in [Hybi00::text(format!("{at_limit}x")), endless.clone()] {
        for far in [Far::Tcp, Far::Ws] {
            let mut session = open(&rig, far);
            session.client.send(&frame);
            expect_violation(&rig, session, far, 1009);
        }
    }
    // An echo has begun to answer: there is no place for a closing frame then, and the message never ends.
    let mut session = open(&rig, Far::Echo);
    session.client.send(&endless);
    let said = session.client.read_to_fin();
    assert!(said.len() <= endless.len() && !said.contains(&0xff), "{} bytes", said.len());
    session.client.finish();
    expect_line(&rig.gateway, session, "client_violation", 1009, "gateway");
    rig.finish();
}

#[test]
fn t216_lengths_without_end() {
    let rig = Rig::with(TEXT);
    for (length, code) in [(&[0xff; 16][..], 1009), (&[0x80; 16], 1002), (&[0x81, 0x80, 0x80, 0x80], 1009)] {
        for far in EVERY_FAR {
            let mut session = open(&rig, far);
            session.client.send([&[0x80], length].concat());
            expect_violation(&rig, session, far, code);
        }
    }
    rig.finish();
}

/// Frames that mean nothing are counted like control frames, and no client needs many.
#[test]
fn t217_a_million_frames_of_padded_zero_length() {
    let rig = Rig::with(TEXT);
    for far in EVERY_FAR {
        let mut session = open(&rig, far);
        let mut writer = session.client.handle();
        let received = thread::scope(|scope| {
            scope.spawn(move || drop(writer.try_send(b"\x80\x80\x80\x80\x00".repeat(1_000_000))));
            session.client.read_to_end().0
        });
        assert!(received.is_empty() || received == Hybi00::CLOSING, "{}", received.escape_ascii());
        expect_backend_let_go(&mut session, far);
        expect_line(&rig.gateway, session, "client_flood", 1008, "gateway");
    }
    rig.finish();
}

#[test]
fn t218_c132_the_closing_frame_is_answered_once_and_tcp_ends() {
    let rig = Rig::with(TEXT);
    for far in EVERY_FAR {
        let mut session = open(&rig, far);
        session
            .client
            .send([&Hybi00::text("last")[..], &Hybi00::CLOSING, &Hybi00::text("behind it")].concat());
        if far == Far::Echo {
            assert_eq!(session.client.read_hybi00_text(), "last");
        }
        expect_last_at_backend(&mut session, far);
        assert_eq!(session.client.read_exact(2), Hybi00::CLOSING);
        session.client.expect_fin();
        session.client.finish();
        expect_line(&rig.gateway, session, "client_closed", 1005, "client");
    }
    rig.finish();
}

/// The last message, and then the end: for a WebSocket backend a Close without a code.
#[track_caller]
fn expect_last_at_backend(session: &mut Session, far: Far) {
    match far {
        Far::Echo => {}
        Far::Tcp => {
            assert_eq!(session.backend().read_to_fin(), b"last");
            session.backend().finish();
        }
        Far::Ws => {
            assert_eq!(session.backend().read_message().1, b"last");
            let close = session.backend().read_frame();
            assert!(close.is_control() && close.payload.is_empty(), "{close:?}");
            session.backend().send_frame(&close.unmasked());
            session.backend().expect_fin();
            session.backend().finish();
        }
    }
}

#[test]
fn t219_c130_c131_frames_of_no_known_type_are_discarded() {
    let rig = Rig::with(TEXT);
    for far in EVERY_FAR {
        let mut session = open(&rig, far);
        session.client.send(b"\xff\x01x\x01one\xff\x7f\xff\x80\x03\x00\xff\x00\xfe\x00\x80\x80\x02\xff\x00");
        session.client.send(Hybi00::text("text"));
        expect_message(&mut session, far, "text");
    }
    rig.finish();
}

#[track_caller]
fn expect_message(session: &mut Session, far: Far, text: &str) {
    match far {
        Far::Echo => assert_eq!(session.client.read_hybi00_text(), text),
        Far::Tcp => assert_eq!(session.backend().read_exact(text.len()), text.as_bytes()),
        Far::Ws => assert_eq!(session.backend().read_message().1, text.as_bytes()),
    }
}

#[test]
fn t220_text_of_a_client_that_is_no_utf_8() {
    let rig = Rig::with(TEXT);
    for bad in [&b"\xc0\xaf"[..], b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xfe", b"cut \xe2\x82"] {
        for far in [Far::Tcp, Far::Ws] {
            let mut session = open(&rig, far);
            session.client.send(Hybi00::text(bad));
            expect_violation(&rig, session, far, 1007);
        }
        let mut session = open(&rig, Far::Echo);
        session.client.send(Hybi00::text(bad));
        let said = session.client.read_to_fin();
        assert!(
            said.is_empty() || said == Hybi00::CLOSING || !said.contains(&0xff),
            "{}",
            said.escape_ascii()
        );
        session.client.finish();
        expect_line(&rig.gateway, session, "client_violation", 1007, "gateway");
    }
    rig.finish();
}

/// Bytes that are no text could end a frame, and begin another, in the backend's name.
#[test]
fn t220_c133_text_of_a_backend_that_is_none() {
    let rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Tcp);
    session.backend().send(b"good");
    assert_eq!(session.client.read_hybi00_text(), "good");
    session.backend().send(b"\xff\x00forged\xff");
    session.client.expect_hybi00_close();
    expect_line(&rig.gateway, session, "backend_not_text", 1007, "gateway");

    for bad in [&b"\x81\x03\xff\x00a"[..], b"\x81\x06cut \xe2\x82"] {
        let mut session = open(&rig, Far::Ws);
        session.backend().send(bad);
        session.client.expect_hybi00_close();
        expect_close_at_backend(session.backend(), 1002);
        expect_line(&rig.gateway, session, "backend_violation", 1014, "gateway");
    }

    let mut session = open(&rig, Far::Ws);
    session.backend().send(b"\x81\x04good\x82\x01a\x81\x04late");
    assert_eq!(session.client.read_hybi00_text(), "good");
    session.client.expect_hybi00_close();
    expect_close_at_backend(session.backend(), 1003);
    expect_line(&rig.gateway, session, "backend_not_text", 1007, "gateway");
    rig.finish();
}

#[test]
fn m6_what_is_no_base64_ends_the_connection() {
    let rig = Rig::with(BINARY);
    for bad in ["a", "YQ", "YQ=", "Y Q=", "YQ==YQ==", "=", "_-==", "YW\u{fc}=", "====", "hello world"] {
        for far in [Far::Tcp, Far::Ws] {
            let mut session = open(&rig, far);
            session.client.send(Hybi00::text(bad));
            expect_violation(&rig, session, far, 1007);
        }
    }
    rig.finish();
}

/// Neither side makes the gateway hold more than a little of what the other does not take.
#[test]
fn m6_who_takes_nothing_holds_the_other_up() {
    let rig = Rig::with(BINARY);
    for far in [Far::Tcp, Far::Ws] {
        let mut session = open(&rig, far);
        let before = rig.gateway.memory();
        let frame = Hybi00::bytes(crate::rig::numbered(30_000));
        flood(&mut session.client, &frame);
        let answer = match far {
            Far::Ws => tidegate_testkit::Frame::binary(crate::rig::numbered(30_000)).encode(),
            Far::Tcp | Far::Echo => crate::rig::numbered(30_000),
        };
        flood(session.backend(), &answer);
        let grown = rig.gateway.memory().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes for {far:?}");
        session.client.hang_up();
        session.backend().hang_up();
    }
    rig.finish();
}

#[track_caller]
fn flood(wire: &mut Wire, bytes: &[u8]) {
    const LIMIT: usize = 64 << 20;
    let sent = wire.send_until_stalled(bytes, LIMIT, std::time::Duration::from_millis(300));
    assert!(sent < LIMIT, "nobody was held up");
}
