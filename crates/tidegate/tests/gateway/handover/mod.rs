//! The hand-over to a new process: listeners, and WebSockets at any byte.

mod dialects;
mod fake;
mod load;
mod midst;
mod pace;
mod refused;
mod silent;
mod tls;

use std::fs;
use std::os::unix::net::UnixStream;

use tidegate_testkit::{Frame, Gateway, Request};

use crate::rig::{EVERY_FAR, Far, Rig, Session, assert_same, close_from_client, gateway, numbered};

/// Has it hand over, which must come to pass with so many sessions.
#[track_caller]
fn upgrade(gateway: &mut Gateway, moved: usize) {
    let said = gateway.upgrade();
    assert!(said.contains(&format!("WebSockets moved: {moved}")), "{said}");
    assert!(said.trim_end().ends_with(" s: 0"), "{said}");
}

/// A message in two fragments, with a ping between them, as the client sends it.
fn fragments() -> (Vec<u8>, &'static [u8]) {
    let frames = [
        Frame::binary("half a ").unfinished().masked(),
        Frame::ping("?").masked(),
        Frame::continuation("message").masked(),
    ];
    (frames.iter().flat_map(Frame::encode).collect(), b"half a message")
}

/// What comes of the fragments at the far side, or back from the echo.
#[track_caller]
fn expect_message(far: Far, session: &mut Session, wire: &[u8], payload: &[u8]) {
    match far {
        Far::Echo => {
            let mut data = Vec::new();
            while data.len() < payload.len() {
                let frame = session.client.read_frame();
                if frame.is_control() {
                    assert_eq!(frame, Frame::pong("?"));
                } else {
                    data.extend(frame.payload);
                }
            }
            assert_eq!(data, payload);
        }
        Far::Tcp => {
            assert_eq!(session.backend().read_exact(payload.len()), payload);
            assert_eq!(session.client.read_frame(), Frame::pong("?"));
        }
        Far::Ws => assert_same(&session.backend().read_exact(wire.len()), wire),
    }
}

/// A session for each byte of a message, cut there from the client; all of them move at once, so many times.
fn cut_at_any_byte(mut rig: Rig, far: Far, hand_overs: usize) {
    let (wire, payload) = fragments();
    let mut sessions: Vec<_> = (0..wire.len()).map(|_| rig.open(far)).collect();
    for (cut, session) in sessions.iter_mut().enumerate() {
        session.client.send(&wire[..cut]);
    }
    for _ in 0..hand_overs {
        upgrade(&mut rig.gateway, wire.len());
    }
    for (cut, session) in sessions.iter_mut().enumerate() {
        session.client.send(&wire[cut..]);
        expect_message(far, session, &wire, payload);
        close_from_client(far, session);
    }
    drop(sessions);
    rig.finish();
}

#[test]
fn f60_any_byte_from_the_client() {
    for far in EVERY_FAR {
        cut_at_any_byte(Rig::start(), far, 1);
    }
}

/// The same from a WebSocket backend, and from a TCP backend whose text is cut inside a code point.
#[test]
fn f60_any_byte_from_the_backend() {
    let frames = [Frame::text("half a ").unfinished(), Frame::ping("!"), Frame::continuation("message")];
    let wire: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let mut rig = Rig::with("message = 'text'");
    let mut websockets: Vec<_> = (0..wire.len()).map(|_| rig.open(Far::Ws)).collect();
    let text = "aä€𝄞".as_bytes();
    let mut texts: Vec<_> = (0..text.len()).map(|_| rig.open(Far::Tcp)).collect();
    for (cut, session) in websockets.iter_mut().enumerate() {
        session.backend().send(&wire[..cut]);
    }
    for (cut, session) in texts.iter_mut().enumerate() {
        session.backend().send(&text[..cut]);
    }
    upgrade(&mut rig.gateway, wire.len() + text.len());
    for (cut, session) in websockets.iter_mut().enumerate() {
        session.backend().send(&wire[cut..]);
        assert_same(&session.client.read_exact(wire.len()), &wire);
    }
    for (cut, session) in texts.iter_mut().enumerate() {
        session.backend().send(&text[cut..]);
        assert_eq!(session.client.read_payload(text.len()), text);
    }
    drop((websockets, texts));
    rig.finish();
}

/// One line for a session, by the process that saw its end: with its number, and all that has passed through both.
#[test]
fn one_access_line_for_a_session_that_has_moved() {
    let mut gateway = gateway().route("/echo", "echo:", "").start();
    let mut session = gateway.open("/echo");
    session.send_frame(&Frame::binary("before").masked());
    assert_eq!(session.read_frame(), Frame::binary("before"));
    upgrade(&mut gateway, 1);
    session.send_frame(&Frame::binary("after it").masked());
    assert_eq!(session.read_frame(), Frame::binary("after it"));
    let mut later = gateway.open("/echo");
    later.send_frame(&Frame::close(1000, "").masked());
    later.expect_close(1000);
    session.send_frame(&Frame::close(1000, "").masked());
    session.expect_close(1000);
    let line = gateway.access_line_of(session.local_address());
    let seen = (&line["conn"], &line["route"], &line["path"], &line["end"]);
    assert_eq!(seen, (&1.into(), &"/echo".into(), &"/echo".into(), &"client_closed".into()), "{line}");
    assert_eq!((&line["bytes_in"], &line["messages_out"]), (&14.into(), &2.into()), "{line}");
    let later = gateway.access_line_of(later.local_address());
    assert!(later["conn"].as_u64() > Some(1), "{later}");
    gateway.settle();
    assert_eq!(gateway.access_lines().len(), 2);
}

/// A client that takes nothing, with as much in the gateway as may be there, and more on its way.
#[test]
fn f60_what_a_stopped_reader_is_owed_moves_along() {
    for far in EVERY_FAR {
        hold_what_is_owed(Rig::with("ping_interval = 0"), far);
    }
}

fn hold_what_is_owed(mut rig: Rig, far: Far) {
    let mut session = rig.open(far);
    let payload = numbered(24 << 20);
    let frames: Vec<u8> =
        payload.chunks(256 << 10).flat_map(|part| Frame::binary(part).masked().encode()).collect();
    // An echo fills both directions, so who reads and who writes there is the client.
    let (mut writer, sent) = (session.client.handle(), session.client.handle());
    std::thread::scope(|scope| {
        scope.spawn(|| writer.send(&frames));
        let mut read = |len: usize| match far {
            Far::Echo => assert_same(&session.client.read_payload(len), &payload[..len]),
            Far::Tcp => assert_same(&session.backend().read_exact(len), &payload[..len]),
            Far::Ws => assert_same(&session.backend().read_exact(len), &frames[..len]),
        };
        tidegate_testkit::eventually("the gateway holds what it may", || {
            (rig.gateway.unread_from(&sent) > 64 << 10).then_some(())
        });
        upgrade(&mut rig.gateway, 1);
        read(if far == Far::Ws { frames.len() } else { payload.len() });
    });
    drop((session, writer, sent));
    rig.finish();
}

/// A session that was told to close at a time is told so by the new process, in the words of the old one.
#[test]
fn orders_move_along() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let admin = format!("admin = 'unix:{}'", socket.display());
    let mut gateway = gateway().top(&admin).route("/echo", "echo:", "").start();
    let mut session = gateway.open("/echo");
    let asked = tidegate(&socket, &["drain", "--window", "20s", "--reason", "see you there"]);
    assert!(asked.contains("1 WebSocket was told"), "{asked}");
    upgrade(&mut gateway, 1);
    session.send_frame(&Frame::binary("still there").masked());
    assert_eq!(session.read_frame(), Frame::binary("still there"));
    let close = session.expect_close_frame(1001);
    assert_eq!(&close.payload[2..], b"see you there");
    drop(session);
    let line = gateway.access_line(|line| line["end"] == "operator");
    assert_eq!(line["reason"], "see you there");
}

/// What a command of the binary says about a gateway with its admin listener at this socket.
#[track_caller]
fn tidegate(socket: &std::path::Path, arguments: &[&str]) -> String {
    let (command, rest) = arguments.split_first().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args([*command, "--admin", &format!("unix:{}", socket.display())])
        .args(rest)
        .output()
        .unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// F60: the admin listener has one owner at a time, under the same path; the file of a Unix socket is removed by the
/// last of the processes, and not before.
#[test]
fn f60_unix_sockets_and_the_admin_listener_change_hands() {
    let folder = tempfile::tempdir().unwrap();
    let [admin, web] = ["admin.sock", "web.sock"].map(|name| folder.path().join(name));
    let config = format!(
        "admin = 'unix:{}'\n[[listener]]\naddress = '127.0.0.1:0'\n[[listener]]\naddress = 'unix:{}'\n\
         [[route]]\npath = '/echo'\nbackend = 'echo:'\n",
        admin.display(),
        web.display()
    );
    let mut gateway = gateway().whole(&config).start();
    let mut there = gateway.open("/echo");
    let mut local = UnixStream::connect(&web).unwrap();
    crate::certificates::echo(&mut local, "http://gw.test");
    for round in 1..=3 {
        let said = tidegate(&admin, &["upgrade"]);
        assert!(said.contains("WebSockets moved: 2,"), "{said}");
        let pid = said.split("process ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        gateway.follow(pid);
        there.send_frame(&Frame::binary([round]).masked());
        assert_eq!(there.read_frame(), Frame::binary([round]));
        crate::certificates::echo(&mut UnixStream::connect(&web).unwrap(), "http://gw.test");
        let status = tidegate(&admin, &["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["status"]["websockets_taken_over"], 2);
    }
    drop((there, local));
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the files of both sockets are gone");
}

/// A client in the middle of its request is answered, and its WebSocket moves as soon as it is one.
#[test]
fn f60_a_handshake_under_way_is_finished() {
    let mut gateway = gateway().route("/echo", "echo:", "").start();
    let mut slow = gateway.connect();
    let request = Request::upgrade("/echo").encode();
    let (first, rest) = request.split_at(20);
    slow.send(first);
    let mut handle = slow.handle();
    std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgrade(&mut gateway, 1));
        // The new process accepts by then, and this client is still where it came in.
        assert!(slow.is_silent_for(std::time::Duration::from_millis(300)));
        handle.send(rest);
        assert_eq!(slow.read_head().status(), 101);
        upgrading.join().unwrap();
    });
    slow.send_frame(&Frame::text("hello").masked());
    assert_eq!(slow.read_frame(), Frame::text("hello"));
    drop((slow, handle));
    gateway.finish();
}
