//! `tidegate replay`: what a backend said in a recording is said again, by a gateway like any other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tidegate_testkit::{Deadline, Frame, Gateway, Request, Wire, eventually, opcode};

use crate::rig::{Far, Rig, close_from_client, numbered};

const BINARY: &str = env!("CARGO_BIN_EXE_tidegate");

/// A folder with one recording.
struct Recorded {
    folder: tempfile::TempDir,
}

impl Recorded {
    fn new(text: &str) -> Self {
        let recorded = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(recorded.file(), text).unwrap();
        recorded
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("recording-1")
    }

    #[track_caller]
    fn replay(&self, flags: &[&str]) -> Gateway {
        replay(&self.file(), flags)
    }
}

/// For the pages and under the name of all clients of these tests.
#[track_caller]
fn replay(file: &Path, flags: &[&str]) -> Gateway {
    replay_to_own(file, &[&["--origin", "http://gw.test"], flags].concat())
}

/// For whomever these flags say.
#[track_caller]
fn replay_to_own(file: &Path, flags: &[&str]) -> Gateway {
    let file = file.to_str().unwrap();
    let mut command = Command::new(BINARY);
    command.args(["replay", file, "--listen", "127.0.0.1:0"]).args(flags).stdin(Stdio::null());
    Gateway::run(command)
}

/// What `tidegate replay` has to say against a file or a flag.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(BINARY).arg("replay").args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// The end of a replay: its Close, which is answered.
#[track_caller]
fn finish(mut client: Wire, gateway: Gateway) {
    client.expect_close_then_answer(1000);
    drop(client);
    gateway.finish();
}

/// What was recorded is not for the page whose name points at this machine for the moment.
#[test]
fn t078_a_recording_is_served_under_this_machines_own_names() {
    let recorded = Recorded::new("var VNC_frame_data = [\n'}0}secret',\n'EOF'];\n");
    let asked = |gateway: &Gateway, host: &str, origin: &str| {
        let port = gateway.address().port();
        let (host, origin) = (format!("{host}:{port}"), format!("http://{origin}:{port}"));
        let mut client = gateway.connect();
        client.send(Request::upgrade("/").set("Host", host).set("Origin", origin).encode());
        client.read_head().status()
    };
    let gateway = replay_to_own(&recorded.file(), &[]);
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        assert_eq!(asked(&gateway, name, name), 101, "{name}");
        assert_eq!(asked(&gateway, name, "evil.test"), 403, "{name}");
    }
    for name in ["evil.test", "localhost.evil.test", "127.0.0.2"] {
        assert_eq!(asked(&gateway, name, name), 421, "{name}");
    }
    drop(gateway);
    let told = replay_to_own(&recorded.file(), &["--origin", "*"]);
    assert_eq!(asked(&told, "elsewhere.test", "elsewhere.test"), 101);
    drop(told);
}

#[test]
fn what_was_recorded_is_said_again_byte_for_byte() {
    let all: Vec<u8> = (0..=255).collect();
    let long = numbered(200_000);
    for format in ["websockify", "har"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recording-%n");
        let rig = Rig::with(&format!("record = {{ path = {file:?}, format = '{format}' }}"));
        let mut session = rig.open(Far::Ws);
        for frame in [
            Frame::binary(&all),
            Frame::text("größer \"als\" 'x'\\"),
            Frame::binary(""),
            Frame::binary(&long).unfinished(),
            Frame::continuation(&all),
            Frame::text("last"),
        ] {
            session.backend().send_frame(&frame);
            session.client.read_frame();
        }
        close_from_client(Far::Ws, &mut session);
        drop(session);
        eventually("the recording has ended", || {
            let text = fs::read_to_string(folder.path().join("recording-1")).unwrap();
            (text.ends_with("'EOF'];\n") || text.ends_with("}]}}\n")).then_some(())
        });
        rig.finish();

        let mut gateway = replay(&folder.path().join("recording-1"), &["--fast", "--once"]);
        let mut client = gateway.open("/any/path");
        let text = if format == "har" { opcode::TEXT } else { opcode::BINARY };
        let long_one = [&long[..], &all[..]].concat();
        let mut expected = vec![
            (opcode::BINARY, all.clone()),
            (text, "größer \"als\" 'x'\\".as_bytes().to_vec()),
            (opcode::BINARY, Vec::new()),
            (opcode::BINARY, long_one),
            (text, b"last".to_vec()),
        ];
        if format == "websockify" {
            // Which has no sign for a message that goes on.
            let long_one = expected.remove(3).1;
            let parts = long_one.chunks(64 << 10).map(|part| (opcode::BINARY, part.to_vec()));
            expected.splice(3..3, parts);
        }
        for (opcode, payload) in expected {
            let message = client.read_message();
            assert_eq!((message.0, message.1.len()), (opcode, payload.len()), "{format}");
            assert!(message.1 == payload, "{format}");
        }
        client.expect_close_then_answer(1000);
        assert!(gateway.wait().success(), "--once ends it");
    }
}

#[test]
fn messages_keep_their_distance_unless_they_are_told_not_to() {
    let recorded = Recorded::new("var VNC_frame_data = [\n'{0{a',\n'}100}x',\n'{400{b',\n'EOF'];\n");
    for (flags, at_least) in [(&[][..], 400), (&["--speed", "2"], 200)] {
        let gateway = recorded.replay(flags);
        let since = Deadline::patient();
        let mut client = gateway.open("/");
        assert_eq!(client.read_message().1, b"a");
        assert_eq!(client.read_message().1, b"b");
        assert!(since.elapsed() >= Duration::from_millis(at_least), "{flags:?}: {:?}", since.elapsed());
        finish(client, gateway);
    }
    let recorded = Recorded::new("var VNC_frame_data = [\n'{0{a',\n'{86400000{b',\n'EOF'];\n");
    let gateway = recorded.replay(&["--fast"]);
    let mut client = gateway.open("/");
    assert_eq!(client.read_payload(2), b"ab");
    finish(client, gateway);
}

#[test]
fn it_can_wait_for_what_the_client_has_to_say() {
    let recorded = Recorded::new(
        "var VNC_frame_data = [\n'{0{hello',\n'}100}abc',\n'{200{world',\n'}300}bye',\n'EOF'];\n",
    );
    let gateway = recorded.replay(&["--fast", "--follow-client"]);
    let mut client = gateway.open("/");
    assert_eq!(client.read_message().1, b"hello");
    client.send_frame(&Frame::binary("ab").masked());
    // Without the wait `world` would stand before this answer.
    client.send_frame(&Frame::ping("?").masked());
    assert_eq!(client.read_frame(), Frame::pong("?"));
    client.send_frame(&Frame::text("c").masked());
    assert_eq!(client.read_message().1, b"world");
    client.send_frame(&Frame::ping("!").masked());
    assert_eq!(client.read_frame(), Frame::pong("!"), "it still listens");
    client.send_frame(&Frame::binary("bye").masked());
    finish(client, gateway);
}

#[test]
fn each_client_gets_all_of_it() {
    let recorded = Recorded::new("var VNC_frame_data = [\n'{0{one',\n'{10{two',\n'EOF'];\n");
    let gateway = recorded.replay(&[]);
    let mut clients = [gateway.open("/"), gateway.open("/websockify")];
    for client in &mut clients {
        assert_eq!(client.read_payload(6), b"onetwo");
        client.expect_close_then_answer(1000);
    }
    drop(clients);
    gateway.finish();
}

#[test]
fn pages_connect_where_they_are_allowed_to() {
    let recorded = Recorded::new("var VNC_frame_data = [\n'EOF'];\n");
    let gateway = recorded.replay(&["--origin", "https://novnc.test"]);
    for (origin, status) in [("https://novnc.test", 101), ("https://evil.test", 403)] {
        let mut client = gateway.connect();
        client.send(Request::upgrade("/").set("Origin", origin).encode());
        assert_eq!(client.read_head().status(), status, "{origin}");
    }
    gateway.finish();
}

#[test]
fn a_client_that_closes_or_goes_ends_its_replay() {
    let recorded = Recorded::new("var VNC_frame_data = [\n'{0{a',\n'{86400000{b',\n'EOF'];\n");
    let gateway = recorded.replay(&[]);
    let mut client = gateway.open("/");
    assert_eq!(client.read_message().1, b"a");
    client.send_frame(&Frame::close(4000, "enough").masked());
    client.expect_close(4000);
    let mut gone = gateway.open("/");
    assert_eq!(gone.read_message().1, b"a");
    gone.reset();
    drop(client);
    gateway.finish();
}

#[test]
fn the_recording_of_a_gateway_that_was_killed_is_played_as_far_as_it_goes() {
    for format in ["websockify", "har"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording-%n");
        let file = folder.path().join("recording-1");
        let rig = Rig::with(&format!("record = {{ path = {path:?}, format = '{format}' }}"));
        let mut session = rig.open(Far::Tcp);
        for said in ["one", "two"] {
            session.backend().send(said);
            session.client.read_message();
        }
        eventually("both are written", || {
            let text = fs::read_to_string(&file).unwrap();
            (text.matches("\"type\":\"receive\"").count() + text.matches("'{").count() == 2).then_some(())
        });
        drop(rig);
        let whole = fs::read(&file).unwrap();
        for (missing, left) in [(0, "onetwo"), (9, "one")] {
            fs::write(&file, &whole[..whole.len() - missing]).unwrap();
            let gateway = replay(&file, &["--fast"]);
            gateway.diagnosis("has no end: it is played as far as it goes");
            let mut client = gateway.open("/");
            assert_eq!(client.read_payload(left.len()), left.as_bytes(), "{format}");
            finish(client, gateway);
        }
    }
}

#[test]
fn a_file_that_is_no_recording_is_refused_with_its_place() {
    let har = |message: &str| {
        format!(
            "{{\"log\":{{\"entries\":[{{\"startedDateTime\":\"2026-11-21T16:30:59Z\",\"_webSocketMessages\":[\n{message}\n]}}]}}}}\n"
        )
    };
    for (text, expected) in [
        ("hello\n".to_owned(), ":1:1: a string in quotes was expected"),
        ("var VNC_frame_data = [\n'{0{a',\n'!0!a',\n".to_owned(), ":3:1: a message begins with { or }"),
        ("'{0}a',\n".to_owned(), ":1:1: behind the milliseconds a second { was expected"),
        ("'{0{\\q',\n".to_owned(), ":1:1: \\q is unknown"),
        ("{}".to_owned(), ":1:2: missing field `log`"),
        ("{\n\"log\": {\"entries\": [}}".to_owned(), ":2:21: expected value"),
        ("{\"log\":{\"entries\":[]}}".to_owned(), ": no WebSocket is recorded in it"),
        (har("{\"type\":\"send\",\"time\":1,\"opcode\":3,\"data\":\"\"}"), ":2:1: the opcode 3 is unknown"),
        (
            har("{\"type\":\"send\",\"time\":1,\"opcode\":0,\"data\":\"\"}"),
            ":2:1: the opcode is 0, but there is no message before it",
        ),
        (
            har("{\"type\":\"sent\",\"time\":1,\"opcode\":1,\"data\":\"\"}"),
            ":2:1: the type \"sent\" is unknown",
        ),
        (
            har("{\"type\":\"send\",\n  \"time\":false,\"opcode\":2,\"data\":\"\"}"),
            ":3:14: invalid type: boolean",
        ),
        (har("{\"type\":\"send\",\"time\":1,\"opcode\":2,\"data\":\"!\"}"), ":2:1: the data is not base64"),
    ] {
        let recorded = Recorded::new(&text);
        let (status, said) = refused(&[recorded.file().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
        assert_eq!(status, Some(1), "{said}");
        let expected = format!("{}{expected}", recorded.file().display());
        assert!(said.contains(&expected), "{said:?} has no {expected:?}");
    }
    let (status, said) = refused(&["/no/such/file"]);
    assert!(status == Some(1) && said.contains("/no/such/file: No such file"), "{said}");
    let (status, said) = refused(&["file", "--speed", "0"]);
    assert!(status == Some(2) && said.contains("write a number from 0.001 to 1000"), "{said}");
    let (status, said) = refused(&["file", "--speed", "2", "--fast"]);
    assert!(status == Some(2) && said.contains("cannot be used with"), "{said}");
}

/// As Chromium exports it: pretty-printed, with requests of other kinds, control frames, and the time in fractions.
#[test]
fn a_har_of_a_browser_is_played() {
    let recorded = Recorded::new(
        r#"{
  "log": {
    "version": "1.2",
    "creator": { "name": "WebInspector", "version": "537.36" },
    "pages": [],
    "entries": [
      { "startedDateTime": "2026-11-21T16:30:58.000Z", "time": 3, "request": { "method": "GET" } },
      {
        "_resourceType": "websocket",
        "_webSocketMessages": [
          { "type": "send", "time": 1795278659.25, "opcode": 1, "data": "hello" },
          { "type": "receive", "time": 1795278659.5, "opcode": 1, "data": "wörld" },
          { "type": "receive", "time": 1795278659.5, "opcode": 9, "data": "" },
          { "type": "receive", "time": 1795278659.75, "opcode": 2, "data": "AAH/" }
        ],
        "startedDateTime": "2026-11-21T16:30:59.000Z",
        "time": 1000.5
      },
      { "startedDateTime": "2026-11-21T16:31:00.000Z", "_webSocketMessages": [] }
    ]
  }
}"#,
    );
    let gateway = recorded.replay(&["--speed", "100"]);
    gateway.diagnosis("has 1 more WebSockets; the first is played");
    let mut client = gateway.open("/");
    assert_eq!(client.read_message(), (opcode::TEXT, "wörld".as_bytes().to_vec()));
    assert_eq!(client.read_message(), (opcode::BINARY, vec![0, 1, 255]));
    finish(client, gateway);
}
