//! How connections of hybi-00 clients end: the table of endings, without its codes on the client's side.

use std::time::Duration;

use tidegate_testkit::{Frame, Hybi00};

use super::{TEXT, open};
use crate::rig::{EVERY_FAR, Far, Rig, expect_close_at_backend, expect_line};

#[test]
fn ends_backend_fin() {
    let rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Tcp);
    session.backend().send("last words");
    session.backend().finish();
    assert_eq!(session.client.read_hybi00_text(), "last words");
    assert_eq!(session.client.read_exact(2), Hybi00::CLOSING);
    session.client.send(Hybi00::text("and mine"));
    session.client.send(Hybi00::CLOSING);
    session.client.expect_fin();
    assert_eq!(session.backend().read_to_fin(), b"and mine");
    expect_line(&rig.gateway, session, "backend_ended", 1000, "backend");
    rig.finish();
}

#[test]
fn ends_backend_close() {
    let rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Ws);
    session.backend().send_frame(&Frame::text("last words"));
    session.backend().send_frame(&Frame::close(4321, "why"));
    assert_eq!(session.client.read_hybi00_text(), "last words");
    session.client.expect_hybi00_close();
    session.backend().expect_close(4321);
    expect_line(&rig.gateway, session, "backend_closed", 4321, "backend");
    rig.finish();
}

#[test]
fn ends_backend_lost() {
    let rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Ws);
    session.backend().finish();
    session.client.expect_hybi00_close();
    expect_line(&rig.gateway, session, "backend_lost", 1011, "backend");
    rig.finish();
}

/// The answer to what was said before the FIN is still delivered.
#[test]
fn ends_client_fin_without_a_closing_frame() {
    let rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Tcp);
    session.client.send(Hybi00::text("question"));
    session.client.finish();
    assert_eq!(session.backend().read_to_fin(), b"question");
    session.backend().send("answer");
    session.backend().finish();
    assert_eq!(session.client.read_hybi00_text(), "answer");
    assert_eq!(session.client.read_to_fin(), Hybi00::CLOSING);
    drop(session);
    rig.finish();
}

#[test]
fn ends_client_vanishes() {
    let rig = Rig::with(TEXT);
    let session = open(&rig, Far::Ws);
    let client = session.client.local_address();
    let mut backend = session.into_backend_after(tidegate_testkit::Wire::reset).unwrap();
    assert_eq!(backend.read_to_end().0, b"", "an abnormal end is passed on as one");
    assert_eq!(rig.gateway.access_line_of(client)["end"], "client_lost");
    drop(backend);
    rig.finish();
}

#[test]
fn ends_idle() {
    let rig = Rig::with(&format!("{TEXT}\nidle_timeout = '300ms'"));
    for far in EVERY_FAR {
        let mut session = open(&rig, far);
        session.client.expect_hybi00_close();
        match far {
            Far::Echo => {}
            Far::Tcp => session.backend().expect_fin(),
            Far::Ws => expect_close_at_backend(session.backend(), 1001),
        }
        expect_line(&rig.gateway, session, "idle", 1001, "gateway");
    }
    rig.finish();
}

#[test]
fn ends_drained() {
    let mut rig = Rig::with(TEXT);
    let mut sessions = EVERY_FAR.map(|far| open(&rig, far));
    let mut waiting = rig.gateway.connect();
    waiting.send(Hybi00::FIRST.request("/echo").encode());
    assert_eq!(waiting.read_head().status(), 101);
    rig.gateway.terminate();
    waiting.expect_fin();
    for (far, session) in EVERY_FAR.into_iter().zip(&mut sessions) {
        session.client.expect_hybi00_close();
        match far {
            Far::Echo => {}
            Far::Tcp => {
                session.backend().expect_fin();
                session.backend().finish();
            }
            Far::Ws => expect_close_at_backend(session.backend(), 1001),
        }
    }
    assert_eq!(rig.gateway.wait().code(), Some(0));
    let ends: Vec<_> = rig.gateway.access_lines().iter().map(|line| line["end"].clone()).collect();
    assert_eq!(ends.iter().filter(|end| **end == "drained").count(), 3, "{ends:?}");
}

/// A message that has begun is told to the backend to its end before the Close, in however many fragments it comes; no
/// other is begun.
#[test]
fn f37_a_message_is_finished_before_the_close() {
    let mut rig = Rig::with(TEXT);
    let mut session = open(&rig, Far::Ws);
    let long = "x".repeat(40_000); // more than what is held until it becomes a fragment
    session.client.send([b"\0", long.as_bytes()].concat());
    let mut heard = session.backend().read_frame().payload;
    assert!(!heard.is_empty() && heard.len() <= long.len());
    let mut witness = rig.gateway.open("/echo");
    rig.gateway.terminate();
    witness.expect_close_then_answer(1001);
    assert_eq!(session.client.read_exact(2), Hybi00::CLOSING);
    session.client.send(b" and whole\xff\0another");
    loop {
        let frame = session.backend().read_frame();
        heard.extend(&frame.payload);
        if frame.fin {
            break;
        }
    }
    assert_eq!(String::from_utf8(heard).unwrap(), long + " and whole");
    expect_close_at_backend(session.backend(), 1001);
    session.client.send(b"\xff");
    session.client.send(Hybi00::CLOSING);
    session.client.expect_fin();
    drop((session, witness));
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// There is no Ping in hybi-00: none is sent, and none is missed.
#[test]
fn c133_no_pings() {
    let rig = Rig::with(&format!("{TEXT}\nping_interval = '20ms'\nping_timeout = '20ms'"));
    let mut session = open(&rig, Far::Tcp);
    assert!(session.client.is_silent_for(Duration::from_millis(300)));
    session.client.send(Hybi00::text("still here"));
    assert_eq!(session.backend().read_exact(10), b"still here");
    drop(session);
    rig.finish();
}
