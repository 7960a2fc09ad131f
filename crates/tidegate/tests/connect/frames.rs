//! Frames of a hostile server: the rows of hostile input about frames, seen from the client's side.

use tidegate_testkit::{Frame, Wire, opcode};

use crate::rig::Pair;

/// So many frames of one kind that each of them must be cheap.
const MANY: usize = 1_000_000;
/// What the client's memory may grow by meanwhile: its buffers are of 64 KiB.
const GROWTH_MAX: u64 = 1 << 20;

/// A server that sends these bytes is told this code, and what of `good` the local side got stood before the fault.
#[track_caller]
fn breach(bytes: impl AsRef<[u8]>, good: &[u8], code: u16) {
    let Pair { client, mut local, mut server, .. } = Pair::open(&[]);
    server.send(&bytes);
    server.expect_close_frame(code);
    server.finish();
    server.expect_fin();
    let delivered = local.read_to_fin();
    let shown = bytes.as_ref()[..bytes.as_ref().len().min(20)].escape_ascii();
    assert!(good.starts_with(&delivered), "{shown}: {}", delivered.escape_ascii());
    drop(local); // the session ends with its local side
    client.diagnosis("the server broke the protocol");
}

/// The header of a frame with a length of 64 bits; nothing comes behind it.
fn long(first: u8, len: u64) -> Vec<u8> {
    [&[first, 127][..], &len.to_be_bytes()].concat()
}

#[test]
fn t088_t090_a_length_with_its_highest_bit() {
    breach(long(0x82, u64::MAX), b"", 1002);
    breach(long(0x82, u64::MAX - 3), b"", 1002);
}

#[test]
fn t089_t091_a_length_that_is_too_long_is_told_at_once() {
    for len in [(1 << 63) - 1, 1 << 32, (1 << 20) + 1] {
        breach(long(0x82, len), b"", 1009);
    }
}

#[test]
fn t092_t093_a_length_that_is_not_the_shortest() {
    breach([&[0x82, 126, 0, 124][..], &[0; 124]].concat(), b"", 1002);
    breach(long(0x82, 0xffff), b"", 1002);
}

#[test]
fn t094_opcodes_that_there_are_not() {
    for code in (3..=7).chain(11..=15) {
        breach(long(0x80 | code, 1 << 32), b"", 1002);
    }
}

#[test]
fn t095_reserved_bits() {
    for bits in [0x40, 0x20, 0x10, 0x70] {
        breach([0x82 | bits, 1, b'x'], b"", 1002);
    }
}

#[test]
fn t096_t097_control_frames_that_are_long_or_in_pieces() {
    breach(Frame::ping([0; 126]).encode(), b"", 1002);
    breach(long(0x89, 5), b"", 1002);
    breach(Frame::ping("x").unfinished().encode(), b"", 1002);
    breach(Frame::close(1000, "").unfinished().encode(), b"", 1002);
}

#[test]
fn t098_t099_fragments_out_of_turn() {
    breach([0x80, 0], b"", 1002);
    breach([0, 0], b"", 1002);
    let twice = [Frame::text("a").unfinished().encode(), Frame::text("b").encode()].concat();
    breach(twice, b"a", 1002);
}

/// Nothing of a message is held, so that its fragments need no limit: a million empty ones cost nothing.
#[test]
fn t101_t102_a_message_of_very_many_fragments() {
    let Pair { client, mut local, mut server, .. } = Pair::open(&[]);
    server.send_frame(&Frame::binary("a").unfinished());
    assert_eq!(local.read_exact(1), b"a");
    let before = client.memory();
    server.send(Frame::continuation("x").unfinished().encode().repeat(1_025));
    server.send(Frame::continuation("").unfinished().encode().repeat(MANY));
    server.send_frame(&Frame::continuation("z"));
    let received = local.read_exact(1_026);
    assert!(received[..1_025].iter().all(|byte| *byte == b'x') && received[1_025] == b'z');
    assert!(client.memory().saturating_sub(before) < GROWTH_MAX);
}

#[test]
fn t105_a_frame_in_small_segments() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    let payload = crate::rig::numbered(1 << 20);
    let bytes = Frame::binary(&payload).encode();
    let received = std::thread::scope(|scope| {
        scope.spawn(|| server.send_chopped(&bytes, 105));
        local.read_exact(payload.len())
    });
    assert!(received == payload);
}

#[test]
fn t107_t108_t110_text_that_is_not_utf_8() {
    let word = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
    for bad in [&b"\xed\xa0\x80"[..], b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xfe", b"\xf8\x88\x80\x80\x80"] {
        let text = [word, bad].concat();
        breach(Frame::text(&text).encode(), word, 1007);
        breach(Frame::text(&text).unfinished().encode(), word, 1007);
    }
    breach(Frame::text(b"\xce").encode(), b"\xce", 1007);
}

#[test]
fn t109_a_code_point_in_pieces_is_good() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    for (number, byte) in "😀".bytes().enumerate() {
        let frame = if number == 0 { Frame::text([byte]) } else { Frame::continuation([byte]) };
        server.send_frame(&if number == 3 { frame } else { frame.unfinished() });
        assert_eq!(local.read_exact(1), [byte], "it is delivered as it comes");
    }
}

#[test]
fn t111_t112_t114_t115_a_close_that_is_none() {
    breach(Frame::new(opcode::CLOSE, "\x03").encode(), b"", 1002);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        breach(Frame::close(code, "").encode(), b"", 1002);
    }
    let reason = [&1000_u16.to_be_bytes()[..], b"\xff"].concat();
    breach(Frame::new(opcode::CLOSE, reason).encode(), b"", 1007);
    breach(Frame::close(1000, &"x".repeat(124)).encode(), b"", 1002);
}

#[test]
fn t113_each_code_that_may_be_sent_is_answered_with_itself() {
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
        server.send_frame(&Frame::close(code, "bye"));
        server.expect_close_frame(code);
        server.finish();
        server.expect_fin();
        local.expect_fin();
    }
}

#[test]
fn t116_what_stands_behind_a_close_is_not_looked_at() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    let frames = [Frame::binary("good"), Frame::close(1000, ""), Frame::ping("x"), Frame::binary("late")];
    server.send(frames.iter().flat_map(Frame::encode).collect::<Vec<_>>());
    server.expect_close_frame(1000);
    server.finish();
    server.expect_fin();
    assert_eq!(local.read_to_fin(), b"good");
}

#[test]
fn t118_a_server_that_goes_on_sending_instead_of_ending() {
    let Pair { client, mut local, mut server, .. } = Pair::open(&["--close-timeout", "300ms"]);
    let before = client.memory();
    local.finish();
    let close = server.expect_close_frame(1000);
    server.send_frame(&close.unmasked());
    let megabyte = vec![0; 1 << 20];
    while server.try_send(&megabyte).is_ok() {}
    local.expect_fin();
    assert!(client.memory().saturating_sub(before) < GROWTH_MAX);
}

#[test]
fn t119_a_reset_is_no_close() {
    let Pair { client, mut local, server, .. } = Pair::open(&[]);
    server.reset();
    local.expect_fin();
    drop(local);
    client.diagnosis("Connection reset by peer");
}

/// A server that pings and takes no answer: Pongs do not heap up, and in the end it is given up.
#[test]
fn t120_pings_of_a_server_that_does_not_read() {
    let Pair { client, mut local, mut server, .. } = Pair::open(&["--stall-timeout", "300ms"]);
    let before = client.memory();
    let pings = Frame::ping([b'p'; 125]).encode().repeat(1_000);
    let sent = (0..1_000).take_while(|_| server.try_send(&pings).is_ok()).count();
    assert!(client.memory().saturating_sub(before) < GROWTH_MAX, "after {sent} thousand pings");
    client.diagnosis("took nothing for too long (--stall-timeout)");
    local.expect_fin();
}

/// Frames that ask for nothing get nothing, and what comes behind a million of them arrives.
#[track_caller]
fn passes(frame: &Frame) -> (Pair, u64) {
    let mut pair = Pair::open(&[]);
    let before = pair.client.memory();
    pair.server.send(frame.encode().repeat(MANY));
    pair.server.send_frame(&Frame::binary("after them"));
    assert_eq!(pair.local.read_exact(10), b"after them");
    let grown = pair.client.memory().saturating_sub(before);
    (pair, grown)
}

#[test]
fn t121_t122_a_million_pongs_or_empty_messages() {
    for frame in [Frame::pong(""), Frame::text(""), Frame::binary("")] {
        let (Pair { client: _client, mut local, mut server, .. }, grown) = passes(&frame);
        assert!(grown < GROWTH_MAX, "{grown} bytes for {frame:?}");
        local.finish();
        assert_eq!(server.read_frame().close_code(), Some(1000), "nothing was answered to {frame:?}");
    }
}

#[test]
fn t123_a_local_side_that_never_reads() {
    let Pair { client, local, mut server, .. } = Pair::open(&[]);
    let before = client.memory();
    let frame = Frame::binary(vec![0; 1 << 16]).encode();
    let pause = std::time::Duration::from_millis(300);
    let sent = server.send_until_stalled(&frame, 1 << 30, pause);
    assert!(sent < 1 << 30, "a gigabyte has gone somewhere");
    assert!(client.memory().saturating_sub(before) < GROWTH_MAX, "after {sent} bytes");
    drop::<Wire>(local);
}
