//! Connections that are handed over: another process has the client's own connection, and the gateway no part in it.

use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};
use socket2::SockRef;
use tidegate_testkit::{Authority, Frame, Gateway, PATIENCE, Request, Wire, eventually};

use crate::certificates::read_until;
use crate::rig::{assert_same, gateway, numbered};

/// The process that connections are handed to, in the hands of the test.
struct Other {
    _folder: tempfile::TempDir,
    path: PathBuf,
    listener: UnixListener,
}

/// A connection that arrived, and who brought it.
struct Arrived {
    gateway: UnixStream,
    introduction: Value,
    client: TcpStream,
}

impl Other {
    fn listen() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.sock");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { _folder: folder, path, listener }
    }

    fn backend(&self) -> String {
        format!("handoff:unix:{}", self.path.display())
    }

    /// A gateway that hands `/other` over to it.
    fn behind_gateway(&self, lines: &str) -> Gateway {
        gateway().route("/other", &self.backend(), lines).start()
    }

    #[track_caller]
    fn accept(&self) -> UnixStream {
        let (gateway, _) = eventually("the gateway connects", || self.listener.accept().ok());
        gateway.set_nonblocking(false).unwrap();
        gateway.set_read_timeout(Some(PATIENCE)).unwrap();
        gateway
    }

    /// The next connection; it is not taken yet.
    #[track_caller]
    fn receive(&self) -> Arrived {
        let mut gateway = self.accept();
        let mut bytes = vec![0; 256 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let read = recvmsg(&gateway, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty());
        bytes.truncate(read.unwrap().bytes);
        let mut descriptors: Vec<OwnedFd> = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        assert_eq!(descriptors.len(), 1, "one descriptor, with the first byte");
        while !bytes.ends_with(b"\n") {
            bytes.extend(read_until(&mut gateway, |read| !read.is_empty()));
        }
        let client = TcpStream::from(descriptors.pop().unwrap());
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        Arrived { gateway, introduction: serde_json::from_slice(&bytes).unwrap(), client }
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert!(self.listener.accept().is_err(), "nobody has connected");
    }
}

impl Arrived {
    fn take(mut self) -> TcpStream {
        self.gateway.write_all(b"+").unwrap();
        self.client
    }

    fn read_ahead(&self) -> Vec<u8> {
        STANDARD.decode(self.introduction["read_ahead"].as_str().unwrap()).unwrap()
    }
}

/// A client that was answered with 101, and its connection at the other process.
#[track_caller]
fn handed_over(gateway: &Gateway, other: &Other) -> (Wire, Arrived) {
    let mut client = gateway.connect();
    client.send(Request::upgrade("/other").encode());
    let arrived = other.receive();
    assert_eq!(client.read_head().status(), 101);
    (client, arrived)
}

#[test]
fn the_other_process_is_told_everything_and_speaks_with_the_client() {
    let other = Other::listen();
    let gateway = other.behind_gateway("name = 'app'\nsubprotocols = ['chat']");
    let mut client = gateway.connect();
    let frames = [Frame::text("first").masked().encode(), Frame::text("second").masked().encode()].concat();
    let request = Request::upgrade("/other?a=%20b")
        .with("Sec-WebSocket-Protocol", "superchat, chat")
        .with("Cookie", "id=1")
        .with("X-Twice", "1")
        .with("X-Twice", "2");
    client.send([request.encode(), frames.clone()].concat());
    let arrived = other.receive();
    let head = client.read_head();
    assert_eq!((head.status(), head.field("Sec-WebSocket-Protocol")), (101, Some("chat")));

    assert_eq!(arrived.read_ahead(), frames, "what came with the request");
    let told = &arrived.introduction;
    assert_eq!(
        (&told["version"], &told["connection"], &told["route"], &told["request"]),
        (&json!(1), &json!(1), &json!("app"), &json!("GET /other?a=%20b HTTP/1.1"))
    );
    assert_eq!(
        (&told["client"], &told["peer"], &told["secure"], &told["subprotocol"]),
        (&json!("127.0.0.1"), &json!(client.local_address().to_string()), &json!(false), &json!("chat"))
    );
    for field in [["host", "gw.test"], ["cookie", "id=1"], ["x-twice", "1"], ["x-twice", "2"]] {
        assert!(told["headers"].as_array().unwrap().contains(&json!(field)), "{told}");
    }

    let mut socket = arrived.take();
    let line = gateway.access_line_of(client.local_address());
    assert_eq!(
        (&line["kind"], &line["status"], &line["reason"], &line["route"]),
        (&json!("websocket"), &json!(101), &json!("handed over"), &json!("app")),
        "{line}"
    );
    assert!(!SockRef::from(&socket).nonblocking().unwrap());
    socket.write_all(&Frame::text("ahoy").encode()).unwrap();
    assert_eq!(client.read_frame().payload, b"ahoy");
    let third = Frame::text("third").masked().encode();
    client.send(&third);
    let mut read = vec![0; third.len()];
    socket.read_exact(&mut read).unwrap();
    assert_eq!(read, third);
    gateway.finish();
}

#[test]
fn what_was_handed_over_outlives_the_gateway() {
    let other = Other::listen();
    let mut gateway = other.behind_gateway("");
    let (mut client, arrived) = handed_over(&gateway, &other);
    let mut socket = arrived.take();
    gateway.access_line_of(client.local_address());
    gateway.terminate();
    assert_eq!(gateway.wait().code(), Some(0), "it does not wait for what is not its own");
    socket.write_all(&Frame::text("still here").encode()).unwrap();
    assert_eq!(client.read_frame().payload, b"still here");
}

#[test]
fn the_largest_request_arrives_whole() {
    let other = Other::listen();
    let gateway = other.behind_gateway("");
    let mut client = gateway.connect();
    let quotes = "\"".repeat(7 << 10);
    let request = (0..4).fold(Request::upgrade(&format!("/other?{}", "q".repeat(7 << 10))), |request, n| {
        request.with(&format!("X-{n}"), &quotes)
    });
    let ahead = numbered(1 << 10);
    client.send([request.encode(), ahead.clone()].concat());
    let arrived = other.receive();
    assert_eq!(client.read_head().status(), 101);
    let value = |name| {
        let fields = arrived.introduction["headers"].as_array().unwrap();
        fields.iter().find(|field| field[0] == name).map(|field| field[1].as_str().unwrap().len())
    };
    assert_eq!((value("x-0"), value("x-3")), (Some(7 << 10), Some(7 << 10)));
    let mut bytes = arrived.read_ahead();
    let mut socket = arrived.take();
    let read_ahead = bytes.len();
    bytes.resize(ahead.len(), 0);
    socket.read_exact(&mut bytes[read_ahead..]).unwrap();
    assert_same(&bytes, &ahead);
    gateway.finish();
}

#[test]
fn bytes_that_are_not_ascii_are_told_as_latin_1() {
    let other = Other::listen();
    let gateway = other.behind_gateway("");
    let mut client = gateway.connect();
    client.send(Request::upgrade("/other").with("X-Odd", [0xe4]).encode());
    let arrived = other.receive();
    let fields = arrived.introduction["headers"].as_array().unwrap().clone();
    assert!(fields.contains(&json!(["x-odd", "ä"])), "{fields:?}");
    drop(arrived.take());
    gateway.finish();
}

/// The status of an upgrade that must be refused, and the reason in its access line.
#[track_caller]
fn refused(gateway: &Gateway, request: &Request) -> (u16, String) {
    let mut client = gateway.connect();
    client.send(request.encode());
    let (head, _) = client.read_response();
    client.expect_fin();
    let line = gateway.access_line_of(client.local_address());
    (head.status(), line["reason"].as_str().unwrap().to_owned())
}

#[test]
fn over_tls_there_is_nothing_to_hand_over() {
    let other = Other::listen();
    let authority = Authority::new();
    let gateway = gateway()
        .secure(&authority, &authority.issue("127.0.0.1"))
        .route("/other", &other.backend(), "")
        .start();
    gateway.diagnosis("hands connections over, which cannot be done over TLS");
    let request = Request::upgrade("/other").set("Origin", "https://gw.test");
    let (status, reason) = refused(&gateway, &request);
    assert_eq!((status, reason.as_str()), (501, "a connection over TLS cannot be handed over"));
    other.assert_untouched();
    gateway.finish();
}

#[test]
fn whoever_may_not_connect_is_refused_before_the_other_process_hears_of_it() {
    let other = Other::listen();
    let gateway = other.behind_gateway("");
    let request = Request::upgrade("/other").set("Origin", "http://evil.test");
    assert_eq!(refused(&gateway, &request).0, 403);
    other.assert_untouched();
    gateway.finish();
}

#[test]
fn nobody_there_is_502_and_a_full_queue_504() {
    let other = Other::listen();
    let gone = other.path.with_file_name("gone.sock");
    drop(UnixListener::bind(&gone).unwrap()); // its file stays
    let gateway = gateway()
        .route("/absent", "handoff:unix:/nonexistent/other.sock", "")
        .route("/gone", &format!("handoff:unix:{}", gone.display()), "")
        .route("/other", &other.backend(), "connect_timeout = '200ms'")
        .start();
    for target in ["/absent", "/gone"] {
        assert_eq!(refused(&gateway, &Request::upgrade(target)).0, 502, "{target}");
    }
    SockRef::from(&other.listener).listen(0).unwrap();
    let _first = UnixStream::connect(&other.path).unwrap();
    assert_eq!(refused(&gateway, &Request::upgrade("/other")).0, 504);
    gateway.finish();
}

#[test]
fn of_several_the_next_one_takes_what_the_first_does_not() {
    let other = Other::listen();
    let text = format!(
        "[[listener]]\naddress = '127.0.0.1:0'\n[[route]]\npath = '/other'\nbackend = ['handoff:unix:/nonexistent/a', '{}']\n",
        other.backend()
    );
    let gateway = gateway().whole(&text).start();
    let (client, arrived) = handed_over(&gateway, &other);
    drop(arrived.take());
    let line = gateway.access_line_of(client.local_address());
    assert_eq!(line["backend"], other.backend(), "{line}");
    gateway.finish();
}

/// A client whose connection is not taken, after `answer`: it ends for everybody, and the access line says why.
#[track_caller]
fn expect_not_taken(lines: &str, answer: impl FnOnce(&mut UnixStream), reason: &str) {
    let other = Other::listen();
    let gateway = other.behind_gateway(lines);
    let (mut client, mut arrived) = handed_over(&gateway, &other);
    answer(&mut arrived.gateway);
    client.expect_fin();
    assert_eq!(
        arrived.client.read(&mut [0]).unwrap(),
        0,
        "whoever has a descriptor of it sees the end as well"
    );
    let line = gateway.access_line_of(client.local_address());
    assert_eq!((&line["status"], line["reason"].as_str()), (&json!(101), Some(reason)), "{line}");
    gateway.finish();
}

#[test]
fn a_connection_that_is_not_taken_ends() {
    expect_not_taken(
        "upgrade_timeout = '200ms'",
        |_| {},
        "the other process did not take the connection in time",
    );
    expect_not_taken(
        "",
        |gateway| gateway.shutdown(std::net::Shutdown::Both).unwrap(),
        "the other process did not take the connection",
    );
    expect_not_taken(
        "",
        |gateway| gateway.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap(),
        "the other process answered with 0x48, not with a plus sign",
    );
}

#[test]
fn a_hundred_hand_overs_leave_no_descriptor_behind() {
    let other = Other::listen();
    let gateway = other.behind_gateway("");
    let mut open: Vec<_> = (0..100)
        .map(|_| {
            let (client, arrived) = handed_over(&gateway, &other);
            (client, arrived.take())
        })
        .collect();
    gateway.settle();
    for (client, socket) in &mut open {
        socket.write_all(&Frame::text("mine").encode()).unwrap();
        assert_eq!(client.read_frame().payload, b"mine");
    }
    gateway.finish();
}

#[test]
fn a_client_of_a_unix_socket_is_handed_over_too() {
    let other = Other::listen();
    let socket = other.path.with_file_name("tidegate.sock");
    let gateway = gateway()
        .top(&format!("[[listener]]\naddress = 'unix:{}'", socket.display()))
        .route("/other", &other.backend(), "")
        .start();
    let mut client = UnixStream::connect(&socket).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(&Request::upgrade("/other").encode()).unwrap();
    let arrived = other.receive();
    assert_eq!(
        (&arrived.introduction["peer"], &arrived.introduction["client"]),
        (&json!("unix:"), &Value::Null)
    );
    let mut taken = UnixStream::from(OwnedFd::from(arrived.take()));
    read_until(&mut client, |bytes| bytes.ends_with(b"\r\n\r\n"));
    taken.write_all(b"ahoy").unwrap();
    assert_eq!(read_until(&mut client, |bytes| bytes.len() == 4), b"ahoy");
    drop((client, taken));
    gateway.finish();
}
