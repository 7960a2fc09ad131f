//! Bytes from one end to the other: every kind of local side, sizes, frames and their masks.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use tidegate_testkit::{Frame, eventually, opcode};

use crate::rig::{Pair, connect, echo, numbered, stdio, tcp};

#[test]
fn eight_megabytes_each_way_at_once() {
    let (gateway, url) = echo();
    let client = tcp(&url).start();
    let mut local = client.connect();
    let sent = numbered(8 << 20);
    let mut writer = local.handle();
    let received = thread::scope(|scope| {
        scope.spawn(|| writer.send(&sent));
        local.read_exact(sent.len())
    });
    assert!(received == sent, "what came back is not what was sent");
    local.finish();
    local.expect_fin();
    assert_eq!(gateway.access_line_after(0)["close_code"], 1000);
    gateway.finish();
}

#[test]
fn standard_input_and_output() {
    let (gateway, url) = echo();
    let sent = numbered(3 << 20);
    let ended = stdio(&url).run(&sent);
    assert_eq!(ended.status, Some(0), "{}", ended.diagnosis);
    assert!(ended.output == sent, "{} of {} bytes came back", ended.output.len(), sent.len());
    assert_eq!(ended.diagnosis, "", "nothing is to be said where all is well");
    gateway.finish();
}

#[test]
fn a_unix_socket_that_is_removed_in_the_end() {
    let (gateway, url) = echo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.sock");
    let mut client = connect(&format!("unix:{}", path.display()), &url).start();
    client.diagnosis("listening on unix:");
    let mut local = UnixStream::connect(&path).unwrap();
    local.write_all(b"through a file").unwrap();
    let mut back = [0; 14];
    local.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"through a file");
    client.signal(rustix::process::Signal::TERM);
    assert_eq!(client.wait().code(), Some(0));
    assert!(!path.exists());
    gateway.finish();
}

#[test]
fn a_hundred_connections_at_once_are_a_websocket_each() {
    let (gateway, url) = echo();
    let client = tcp(&url).start();
    let mut locals: Vec<_> = (0..100).map(|_| client.connect()).collect();
    for (number, local) in locals.iter_mut().enumerate() {
        local.send(format!("{number:03}"));
    }
    for (number, local) in locals.iter_mut().enumerate() {
        assert_eq!(local.read_exact(3), format!("{number:03}").as_bytes());
    }
    for local in &mut locals {
        local.finish();
        local.expect_fin();
    }
    eventually("each has its access line", || (gateway.access_lines().len() == 100).then_some(()));
    gateway.finish();
}

#[test]
fn no_frame_is_larger_than_a_chunk() {
    for (flags, chunk) in [(&[][..], 63 << 10), (&["--chunk", "1000"], 1000)] {
        let Pair { client: _client, mut local, mut server, .. } = Pair::open(flags);
        let sent = numbered(1 << 20);
        let received = thread::scope(|scope| {
            scope.spawn(|| local.send(&sent));
            let mut received = Vec::new();
            while received.len() < sent.len() {
                let frame = server.read_frame();
                assert!(frame.fin && frame.opcode == opcode::BINARY, "{frame:?}");
                assert!((1..=chunk).contains(&frame.payload.len()), "{} bytes", frame.payload.len());
                received.extend(frame.payload);
            }
            received
        });
        assert!(received == sent);
    }
}

#[test]
fn c032_c041_every_frame_is_masked_with_a_key_of_its_own() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    let mut keys = HashSet::new();
    for _ in 0..64 {
        local.send(b"x");
        keys.insert(server.read_frame().mask.expect("a client masks"));
        server.send_frame(&Frame::ping(b"y"));
        let pong = server.read_frame();
        assert_eq!((pong.opcode, &pong.payload[..]), (opcode::PONG, &b"y"[..]));
        keys.insert(pong.mask.expect("a client masks its Pongs"));
    }
    local.finish();
    keys.insert(server.expect_close_frame(1000).mask.expect("a client masks its Close"));
    assert_eq!(keys.len(), 129, "no key comes twice");
}

#[test]
fn text_frames_hold_whole_code_points() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&["--text", "--chunk", "16"]);
    let sent = "ä€😀".repeat(20);
    local.send(&sent);
    let mut received = String::new();
    while received.len() < sent.len() {
        let frame = server.read_frame();
        assert_eq!((frame.fin, frame.opcode), (true, opcode::TEXT));
        assert!(frame.payload.len() <= 16);
        received += std::str::from_utf8(&frame.payload).unwrap();
    }
    assert_eq!(received, sent);
    local.send(b"\xff");
    server.expect_close_frame(1007);
}

#[test]
fn messages_of_either_type_are_bytes_whatever_their_fragments() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    server.send_frame(&Frame::text("a").unfinished());
    server.send_frame(&Frame::ping(b""));
    server.send_frame(&Frame::continuation("b"));
    server.send_frame(&Frame::binary(b"\0\xff"));
    server.send_frame(&Frame::binary(b""));
    server.send_frame(&Frame::text("c"));
    assert_eq!(local.read_exact(5), b"ab\0\xffc");
    assert_eq!(server.read_frame().opcode, opcode::PONG);
}

/// RFC 6455 §5.5.3 would allow one Pong for all of them.
#[test]
fn each_ping_of_a_burst_is_answered() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    let pings = (0..100_u8).map(|number| Frame::ping([number]));
    let burst: Vec<u8> =
        pings.flat_map(|ping| [Frame::binary("x").encode(), ping.encode()].concat()).collect();
    server.send(burst);
    for number in 0..100 {
        let pong = server.read_frame();
        assert_eq!((pong.opcode, &pong.payload[..]), (opcode::PONG, &[number][..]));
    }
    assert_eq!(local.read_exact(100), [b'x'; 100]);
}

#[test]
fn where_there_is_no_room_for_all_pongs_the_last_one_is_sent() {
    let Pair { client: _client, local: _local, mut server, .. } = Pair::open(&["--chunk", "16"]);
    let pings = (0..200_u8).map(|number| Frame::ping([number; 125]));
    server.send(pings.flat_map(|ping| ping.encode()).collect::<Vec<_>>());
    let mut last = None;
    while last != Some(199) {
        let pong = server.read_frame();
        assert_eq!((pong.opcode, pong.payload.len()), (opcode::PONG, 125));
        assert!(last.is_none_or(|last| pong.payload[0] > last), "in the order of the Pings, and none twice");
        last = Some(pong.payload[0]);
    }
}
