//! Bulk data, which goes past the gateway's memory where nothing has to be seen of it: not a byte of it is lost, and
//! what stands between its frames stays there.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use tidegate_testkit::{Frame, Request, Wire, opcode};

use crate::rig::{Rig, assert_same, beside, gateway, numbered};

const MIB: usize = 1 << 20;

/// More than all kernels and the gateway hold on the way.
const BULK: usize = 32 * MIB;

/// How long a socket that takes nothing counts as stalled.
const PAUSE: Duration = Duration::from_millis(300);

/// Reads so many payload bytes and sends a ping for each MiB of them; the payload, and how many pongs came between its
/// frames.
fn read_with_pings(client: &mut Wire, len: usize) -> (Vec<u8>, usize) {
    let (mut payload, mut pings, mut pongs) = (Vec::new(), 0, 0);
    while payload.len() < len {
        let frame = client.read_frame();
        if frame.opcode == opcode::PONG {
            pongs += 1;
            continue;
        }
        payload.extend(frame.payload);
        if payload.len() / MIB > pings {
            pings = payload.len() / MIB;
            client.send_frame(&Frame::ping("between frames").masked());
        }
    }
    (payload, pongs)
}

#[test]
fn a_download_from_tcp_goes_through_a_pipe_and_pongs_find_their_place() {
    let rig = Rig::with_top("workers = 1", "");
    let (mut client, mut backend) = rig.open_tcp();
    let pipes = rig.gateway.pipes();
    let pattern = numbered(BULK);
    // Once it is stalled, whole megabytes wait: the gateway reads as much as it can at once.
    let taken = backend.send_until_stalled(&pattern, BULK, PAUSE);
    let rest = pattern[taken..].to_vec();
    let (payload, pongs) = beside(backend.handle(), &rest, || read_with_pings(&mut client, BULK));
    assert_same(&payload, &pattern);
    assert!(pongs > 0, "no pong in {BULK} bytes");
    assert!(rig.gateway.pipes() > pipes, "it did not go through a pipe");

    // Small messages go on as before.
    backend.send(b"small again");
    let mut frame = client.read_frame();
    while frame.opcode == opcode::PONG {
        frame = client.read_frame();
    }
    assert_eq!(frame.payload, b"small again");
    drop((client, backend));
    rig.finish();
}

#[test]
fn what_backends_send_before_their_fin_arrives_before_the_close() {
    let rig = Rig::start();
    let pattern = numbered(BULK);
    let (mut client, mut backend) = rig.open_tcp();
    thread::scope(|scope| {
        scope.spawn(|| {
            backend.send(&pattern);
            backend.finish();
        });
        assert_same(&client.read_payload(BULK), &pattern);
        client.expect_close_then_answer(1000);
    });
    drop((client, backend));
    rig.finish();
}

/// Frames of a megabyte, a ping of the sender after each, and at the end a small message.
fn large_frames(masked: bool) -> (Vec<Frame>, Vec<u8>) {
    let role = |frame: Frame| if masked { frame.masked() } else { frame };
    let mut frames = Vec::new();
    for _ in 0..BULK / MIB {
        frames.push(role(Frame::binary(numbered(MIB))));
        frames.push(role(Frame::ping("after a large one")));
    }
    frames.push(role(Frame::binary("small again")));
    let bytes = frames.iter().flat_map(Frame::encode).collect();
    (frames, bytes)
}

#[test]
fn large_frames_between_websockets_go_through_a_pipe_as_they_are() {
    let rig = Rig::with_top("workers = 1", "");
    let (mut client, mut backend) = rig.open_ws();
    let pipes = rig.gateway.pipes();

    let (frames, bytes) = large_frames(false);
    let taken = backend.send_until_stalled(&bytes, bytes.len(), PAUSE);
    beside(backend.handle(), &bytes[taken..], || {
        for frame in &frames {
            assert_same(&client.read_frame().encode(), &frame.encode());
        }
    });
    assert!(rig.gateway.pipes() > pipes, "they did not go through a pipe");

    let (_, bytes) = large_frames(true);
    let taken = client.send_until_stalled(&bytes, bytes.len(), PAUSE);
    beside(client.handle(), &bytes[taken..], || {
        assert_same(&backend.read_exact(bytes.len()), &bytes);
    });
    drop((client, backend));
    rig.finish();
}

/// A Close of ours waits for the end of the frame that is under way, and the frame ends as it began.
#[test]
fn a_violation_behind_a_large_frame_is_found() {
    let rig = Rig::start();
    let (mut client, mut backend) = rig.open_ws();
    let (_, mut bytes) = large_frames(false);
    let relayed = bytes.len();
    bytes.extend(b"\x83\x00"); // an opcode that does not exist
    let taken = backend.send_until_stalled(&bytes, bytes.len(), PAUSE);
    beside(backend.handle(), &bytes[taken..], || {
        let passed = client.read_exact(relayed);
        assert_same(&passed, &bytes[..relayed]);
        client.expect_close_then_answer(1014);
    });
    drop((client, backend));
    rig.finish();
}

/// Urgent data, such as telnet sends, is no part of the stream, and holds up nothing that is.
#[test]
fn what_follows_urgent_data_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp://{}", listener.local_addr().unwrap());
    let gateway = gateway().top("workers = 1").route("/tcp", &to, "ping_interval = 0").start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/tcp").encode());
    let (mut backend, _) = listener.accept().unwrap();
    assert_eq!(client.read_head().status(), 101);
    let (pattern, pipes) = (numbered(BULK), gateway.pipes());
    thread::scope(|scope| {
        scope.spawn(|| {
            backend.write_all(&pattern).unwrap();
            SockRef::from(&backend).send_out_of_band(b"!").unwrap();
            backend.write_all(b"behind it").unwrap();
        });
        thread::sleep(PAUSE); // so that megabytes wait, and are spliced
        assert_same(&client.read_payload(BULK), &pattern);
        assert_same(&client.read_payload(9), b"behind it");
    });
    assert!(gateway.pipes() > pipes, "it did not go through a pipe");
    drop((client, backend));
    gateway.finish();
}
