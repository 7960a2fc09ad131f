//! Recordings: what was said is in the file, byte for byte and in order, and nothing about the file disturbs a session.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tidegate_testkit::{Backend, Frame, Hybi00, Request, eventually, opcode};

use crate::hybi00;
use crate::rig::{Far, Rig, Session, close_from_client, gateway, numbered};

/// Where a test records.
struct Recordings(tempfile::TempDir);

/// One entry of a recording: by whom, and what.
type Said = (&'static str, Vec<u8>);

impl Recordings {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The line of a route that is recorded, with these keys more.
    fn line(&self, format: &str, more: &str) -> String {
        let path = self.0.path().join("session-%n");
        format!("record = {{ path = {path:?}, format = '{format}'{more} }}")
    }

    /// The files so far.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(self.0.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The text of the only file once it ends like this.
    #[track_caller]
    fn ended(&self, with: &str) -> String {
        eventually("the recording has ended", || {
            let files = self.files();
            assert!(files.len() < 2, "{files:?}");
            let text = fs::read_to_string(files.first()?).unwrap();
            text.ends_with(with).then_some(text)
        })
    }

    #[track_caller]
    fn websockify(&self) -> Vec<Said> {
        read_by_python(&self.ended("'EOF'];\n"))
    }

    #[track_caller]
    fn har(&self) -> Value {
        serde_json::from_str(&self.ended("}]}}\n")).unwrap()
    }
}

/// What websockify's text says to another reader than ours: each line but the first and the last is a string literal of
/// Python.
fn read_by_python(text: &str) -> Vec<Said> {
    const SCRIPT: &str = "
import ast, re, sys
lines = sys.stdin.read().split('\\n')
assert lines[0] == 'var VNC_frame_data = [' and lines[-2:] == [\"'EOF'];\", ''], lines
last = 0
for line in lines[1:-2]:
    if line.startswith('/*'):
        print('note', line.encode().hex())
        continue
    entry = ast.literal_eval(line[:-1]) if line.endswith(',') else None
    by, at, data = re.fullmatch('([{}])([0-9]+)\\\\1(.*)', entry, re.S).groups()
    assert int(at) >= last, line
    last = int(at)
    print({'{': 'backend', '}': 'client'}[by], data.encode('latin-1').hex())
";
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let mut python = Command::new("python3");
    let python =
        python.args(["-c", SCRIPT]).stdin(file.reopen().unwrap()).output().expect("there is python3");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let said = String::from_utf8(python.stdout).unwrap();
    said.lines()
        .map(|line| {
            let (by, hex) = line.split_once(' ').unwrap();
            let by = ["client", "backend", "note"].into_iter().find(|known| *known == by).unwrap();
            let bytes = hex.as_bytes().chunks(2);
            (
                by,
                bytes
                    .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 16).unwrap())
                    .collect(),
            )
        })
        .collect()
}

/// The messages of a HAR, after its shape was checked: by whom, opcode and data.
#[track_caller]
fn messages(har: &Value) -> Vec<(String, i64, String)> {
    let log = &har["log"];
    assert_eq!((&log["version"], &log["creator"]["name"]), (&"1.2".into(), &"tidegate".into()));
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    for (part, keys) in [
        (entry, &["startedDateTime", "time", "request", "response", "cache", "timings"][..]),
        (
            &entry["request"],
            &["method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"],
        ),
        (
            &entry["response"],
            &["status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL"],
        ),
        (&entry["timings"], &["send", "wait", "receive"]),
    ] {
        for key in keys {
            assert!(part.get(key).is_some(), "no {key} in {part}");
        }
    }
    assert_eq!((&entry["_resourceType"], &entry["response"]["status"]), (&"websocket".into(), &101.into()));
    let mut last = 0.0;
    let messages = entry["_webSocketMessages"].as_array().unwrap().iter();
    messages
        .map(|message| {
            let time = message["time"].as_f64().unwrap();
            assert!(time >= last && time > 1.7e9, "{message}");
            last = time;
            let text = |key| message[key].as_str().unwrap().to_owned();
            (text("type"), message["opcode"].as_i64().unwrap(), text("data"))
        })
        .collect()
}

fn said(by: &'static str, bytes: impl AsRef<[u8]>) -> Said {
    (by, bytes.as_ref().to_vec())
}

/// Closes the session; what is recorded of it. The gateway lives until its recording has ended.
#[track_caller]
fn close<T>(rig: Rig, mut session: Session, far: Far, recorded: impl FnOnce() -> T) -> T {
    close_from_client(far, &mut session);
    drop(session);
    let recorded = recorded();
    rig.finish();
    recorded
}

#[test]
fn every_byte_of_a_tcp_session_is_in_websockifys_format() {
    let recordings = Recordings::new();
    let rig = Rig::with(&recordings.line("websockify", ""));
    let mut session = rig.open(Far::Tcp);
    let all: Vec<u8> = (0..=255).collect();
    let back: Vec<u8> = all.iter().rev().copied().collect();

    session.client.send_frame(&Frame::binary(&all).masked_with([1, 2, 3, 4]));
    assert_eq!(session.backend().read_exact(256), all);
    session.backend().send(&back);
    assert_eq!(session.client.read_message().1, back);
    // Two frames in one read are two entries, two frames of one message are one, and one of nothing is one of nothing.
    let frames = [
        Frame::binary("'a'\\").masked(),
        Frame::binary("").masked(),
        Frame::text("b\"").unfinished().masked(),
        Frame::ping("not me").masked(),
        Frame::continuation("c\r\n").masked(),
    ];
    session.client.send(frames.iter().flat_map(Frame::encode).collect::<Vec<_>>());
    assert_eq!(session.backend().read_exact(9), b"'a'\\b\"c\r\n");
    session.client.read_frame(); // the pong
    let recorded = close(rig, session, Far::Tcp, || recordings.websockify());

    let expected = [
        said("client", &all),
        said("backend", &back),
        said("client", "'a'\\"),
        said("client", ""),
        said("client", "b\"c\r\n"),
    ];
    assert_eq!(recorded, expected);
    let file = &recordings.files()[0];
    assert_eq!(file.file_name().unwrap(), "session-1");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A client of hybi-00 is recorded with what it says, and not with the base64 that it says it in.
#[test]
fn m6_sessions_of_hybi_00_clients() {
    for far in [Far::Tcp, Far::Ws] {
        let recordings = Recordings::new();
        let rig = Rig::with(&format!("{}\n{}", hybi00::BINARY, recordings.line("websockify", "")));
        let mut session = hybi00::open(&rig, far);
        session.client.send(Hybi00::bytes([0, 255]));
        if far == Far::Tcp {
            assert_eq!(session.backend().read_exact(2), [0, 255]);
            session.backend().send("answer");
        } else {
            assert_eq!(session.backend().read_message(), (opcode::BINARY, vec![0, 255]));
            session.backend().send_frame(&Frame::binary("answer"));
        }
        assert_eq!(session.client.read_hybi00_bytes(), b"answer");
        drop(session);
        assert_eq!(recordings.websockify(), [said("client", [0, 255]), said("backend", "answer")]);
        rig.finish();
    }
    let recordings = Recordings::new();
    let rig = Rig::with(&format!("{}\n{}", hybi00::TEXT, recordings.line("websockify", "")));
    let mut session = hybi00::open(&rig, Far::Echo);
    session.client.send(Hybi00::text("hello"));
    assert_eq!(session.client.read_hybi00_text(), "hello");
    drop(session);
    assert_eq!(recordings.websockify(), [said("client", "hello"), said("backend", "hello")]);
    rig.finish();
}

#[test]
fn messages_between_websockets_are_in_a_har_with_their_types() {
    let recordings = Recordings::new();
    let rig = Rig::with(&recordings.line("har", ""));
    let (mut client, mut backend, asked) = rig.ask_ws(
        &Request::upgrade("/ws?token=secret").with("Sec-WebSocket-Extensions", "permessage-deflate"),
        "",
    );
    assert_eq!(asked.field("Sec-WebSocket-Extensions"), None, "what is compressed could not be read");
    assert_eq!(client.read_head().field("Sec-WebSocket-Extensions"), None);

    client.send_frame(&Frame::text("é \"1\"").masked_with([9, 8, 7, 6]));
    backend.read_frame();
    backend.send_frame(&Frame::binary([0, 255]));
    client.read_frame();
    backend.send_frame(&Frame::text([0xff]));
    client.read_frame();
    client.send_frame(&Frame::text("one ").unfinished().masked_with([1, 1, 1, 1]));
    backend.read_frame();
    client.send_frame(&Frame::continuation("message").masked_with([2, 2, 2, 2]));
    backend.read_frame();
    let har = close(rig, (client, backend).into(), Far::Ws, || recordings.har());

    let entry = &har["log"]["entries"][0];
    assert!(!har.to_string().contains("secret"));
    assert!(entry["request"]["url"].as_str().unwrap().ends_with("/ws"), "{entry}");
    let text = |by: &str, opcode, data: &str| (by.to_owned(), opcode, data.to_owned());
    let expected = [
        text("send", 1, "é \"1\""),
        text("receive", 2, "AP8="),
        text("receive", 1, "/w=="),
        text("send", 1, "one message"),
    ];
    assert_eq!(messages(&har), expected);
    assert_eq!(entry["_webSocketMessages"][2]["_encoding"], "base64", "no text is what it seems");
}

#[test]
fn a_host_that_is_a_token_is_not_in_its_recording() {
    let recordings = Recordings::new();
    let backend = Backend::bind();
    let tokens = tempfile::NamedTempFile::new().unwrap();
    let target = backend.tcp().replace("tcp://", "");
    fs::write(tokens.path(), format!("s3cr3t.test: {target}\n")).unwrap();
    let lookup = format!("lookup = {{ kind = 'file', source = {:?}, key = 'host' }}", tokens.path());
    let table = format!("[[route]]\npath = '/vnc'\n{lookup}\n{}", recordings.line("har", ""));
    let gateway = gateway().tables(&table).start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/vnc").set("Host", "s3cr3t.test").without("Origin").encode());
    drop(backend.accept());
    assert_eq!(client.read_head().status(), 101);
    client.expect_close_then_answer(1000);
    drop(client);
    let har = recordings.har();
    assert_eq!(har["log"]["entries"][0]["request"]["url"], "ws://(token)/vnc");
    gateway.finish();
}

#[test]
fn a_long_message_is_recorded_in_parts() {
    let recordings = Recordings::new();
    let rig = Rig::with(&recordings.line("websockify", ""));
    let mut session = rig.open(Far::Echo);
    let long = numbered(200_000);
    session.client.send_frame(&Frame::binary(&long).masked());
    assert_eq!(session.client.read_payload(long.len()), long);
    let recorded = close(rig, session, Far::Echo, || recordings.websockify());
    assert_eq!(recorded.len(), 8, "of at most 64 KiB");
    for by in ["client", "backend"] {
        let bytes: Vec<u8> =
            recorded.iter().filter(|(who, _)| *who == by).flat_map(|(_, bytes)| bytes.clone()).collect();
        assert!(bytes == long, "the {by} said something else");
    }
}

#[test]
fn what_the_gateway_itself_compresses_is_recorded_as_it_was_said() {
    for far in [Far::Echo, Far::Tcp] {
        let recordings = Recordings::new();
        let line = format!("compression = 'permessage-deflate'\n{}", recordings.line("websockify", ""));
        let rig = Rig::with(&line);
        let target = if far == Far::Echo { "/echo" } else { "/tcp" };
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade(target).with("Sec-WebSocket-Extensions", "permessage-deflate").encode());
        let backend = (far == Far::Tcp).then(|| rig.tcp.accept());
        assert!(client.read_head().field("Sec-WebSocket-Extensions").is_some());
        let hello = Frame::binary(b"\xf2\x48\xcd\xc9\xc9\x07\x00").reserved(4).masked();
        client.send_frame(&hello);
        let answer = "compressible ".repeat(50);
        let mut session = match backend {
            None => Session::from(client),
            Some(mut backend) => {
                assert_eq!(backend.read_exact(5), b"Hello");
                backend.send(&answer);
                (client, backend).into()
            }
        };
        session.client.read_frame();
        let recorded = close(rig, session, far, || recordings.websockify());
        let back = if far == Far::Echo { "Hello" } else { &answer };
        assert_eq!(recorded, [said("client", "Hello"), said("backend", back)], "{far:?}");
    }
}

#[test]
fn at_its_limit_a_recording_ends_and_the_session_does_not() {
    for format in ["websockify", "har"] {
        let recordings = Recordings::new();
        let rig = Rig::with(&recordings.line(format, ", max_bytes = '64KiB'"));
        let mut session = rig.open(Far::Tcp);
        for _ in 0..10 {
            session.client.send_frame(&Frame::binary([b'a'; 10_000]).masked());
            session.backend().read_exact(10_000);
        }
        rig.gateway.diagnosis("ends before its session: it has max_bytes");
        let said: Vec<String> = close(rig, session, Far::Tcp, || match format {
            "har" => messages(&recordings.har()).into_iter().map(|(by, ..)| by).collect(),
            _ => recordings.websockify().into_iter().map(|(by, _)| by.to_owned()).collect(),
        });
        let (last, before) = said.split_last().unwrap();
        assert!(["note", "error"].contains(&last.as_str()), "{said:?}");
        assert!((3..7).contains(&before.len()), "{said:?}");
        assert!(fs::metadata(&recordings.files()[0]).unwrap().len() <= 64 << 10);
    }
}

#[test]
fn a_session_that_cannot_be_recorded_is_served_unless_its_route_demands_it() {
    for (required, status) in [("false", 101), ("true", 503)] {
        let recordings = Recordings::new();
        // The name is taken: what is there is never written over.
        let taken = recordings.0.path().join("session-1");
        fs::write(&taken, "mine").unwrap();
        let rig = Rig::with(&recordings.line("har", &format!(", required = {required}")));
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/echo").encode());
        let head = client.read_head();
        assert_eq!(head.status(), status);
        if status == 101 {
            rig.gateway.diagnosis("a session is not recorded");
        } else {
            let line = rig.gateway.access_line_of(client.local_address());
            let reason = line["reason"].as_str().unwrap();
            assert!(reason.starts_with("the session cannot be recorded: File exists"), "{line}");
        }
        drop(client);
        rig.finish();
        assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    }
}

#[test]
fn a_gateway_that_is_killed_leaves_what_was_said_and_only_the_tail_is_missing() {
    for (format, tail) in [("websockify", "'EOF'];\n"), ("har", "],\"time\":0}]}}\n")] {
        let recordings = Recordings::new();
        let rig = Rig::with(&recordings.line(format, ""));
        let mut session = rig.open(Far::Tcp);
        session.client.send_frame(&Frame::binary("before the end").masked());
        assert_eq!(session.backend().read_exact(14), b"before the end");
        let written = |path: &Path| fs::read_to_string(path).unwrap().lines().count() == 2;
        eventually("it is written", || written(recordings.files().first()?).then_some(()));
        drop(rig); // which kills the gateway
        let text = fs::read_to_string(&recordings.files()[0]).unwrap() + tail;
        if format == "har" {
            let har: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(messages(&har), [("send".to_owned(), 2, "YmVmb3JlIHRoZSBlbmQ=".to_owned())]);
        } else {
            assert_eq!(read_by_python(&text), [said("client", "before the end")]);
        }
    }
}

#[test]
fn a_stop_ends_recordings_as_it_ends_sessions() {
    let recordings = Recordings::new();
    let mut rig = Rig::with_top("drain = '0s'", &recordings.line("websockify", ""));
    let mut session = rig.open(Far::Tcp);
    session.backend().send("greeting");
    assert_eq!(session.client.read_message().1, b"greeting");
    rig.gateway.terminate();
    assert!(rig.gateway.wait().success());
    assert_eq!(recordings.websockify(), [said("backend", "greeting")]);
}
