//! How connections end, from either side, and what the exit status says of it.

use std::iter;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tidegate_testkit::{Finish, Frame, opcode};

use crate::rig::{Pair, asked};

/// `tidegate connect stdio:` with an open WebSocket: what comes of it when the server does this.
#[track_caller]
fn after(flags: &[&str], script: impl FnOnce(&mut tidegate_testkit::Wire)) -> tidegate_testkit::Ended {
    let (client, mut server, request) = asked(flags);
    server.send(request.answer_101(""));
    script(&mut server);
    drop(server);
    client.wait_for_all()
}

#[test]
fn close_codes_become_exit_statuses() {
    for (code, status) in
        [(1000, 0), (1001, 0), (1002, 102), (1008, 108), (1011, 111), (1014, 114), (3000, 120), (4001, 121)]
    {
        let ended = after(&[], |server| {
            server.send_frame(&Frame::close(code, "why"));
            server.expect_close_frame(code);
        });
        assert_eq!(ended.status, Some(status), "{code}: {}", ended.diagnosis);
        let is_said = ended.diagnosis.contains(&format!("closed with {code} (why)"));
        assert_eq!(is_said, status != 0, "{}", ended.diagnosis);
    }
    let ended = after(&[], |server| {
        server.send_frame(&Frame::close_empty());
        assert_eq!(server.read_frame().payload, b"");
    });
    assert_eq!(ended.status, Some(0), "{}", ended.diagnosis);
}

#[test]
fn an_end_without_a_close_is_a_loss() {
    let ended = after(&[], |server| {
        server.send_frame(&Frame::binary("all there was"));
        server.finish();
        assert_eq!(server.read_to_end(), (Vec::new(), Finish::Fin), "there is nobody to close with");
    });
    assert_eq!((ended.status, &ended.output[..]), (Some(5), &b"all there was"[..]));
    assert!(ended.diagnosis.contains("without a Close"), "{}", ended.diagnosis);
    let ended = after(&["--no-close"], |server| server.finish());
    assert_eq!(ended.status, Some(0), "that is how it is done there: {}", ended.diagnosis);
}

#[test]
fn c034_a_masked_frame_of_the_server_ends_the_connection() {
    let ended = after(&[], |server| {
        server.send_frame(&Frame::binary("good"));
        server.send_frame(&Frame::binary("bad").masked());
        server.expect_close_frame(1002);
        server.finish();
        server.expect_fin();
    });
    assert_eq!((ended.status, &ended.output[..]), (Some(6), &b"good"[..]));
    assert!(ended.diagnosis.contains("the server broke the protocol"), "{}", ended.diagnosis);
}

#[test]
fn a_breach_of_the_protocol_is_answered_with_its_code() {
    for (frame, code) in [
        (Frame::binary("x").reserved(4), 1002),
        (Frame::new(3, "x"), 1002),
        (Frame::new(11, "x"), 1002),
        (Frame::continuation("x"), 1002),
        (Frame::ping("x").unfinished(), 1002),
        (Frame::ping([0; 126]), 1002),
        (Frame::text(b"\xff"), 1007),
        (Frame::close(1005, ""), 1002),
        (Frame::new(opcode::CLOSE, "x"), 1002),
        (Frame::binary(vec![0; 1001]), 1009),
    ] {
        let Pair { client: _client, mut local, mut server, .. } =
            Pair::open(&["--max-frame", "1000", "--chunk", "1000"]);
        server.send_frame(&frame);
        server.expect_close_frame(code);
        server.finish();
        server.expect_fin();
        local.expect_fin();
    }
}

#[test]
fn c057_the_client_waits_for_the_server_to_end_tcp_but_not_for_ever() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&["--close-timeout", "300ms"]);
    server.send_frame(&Frame::close(1000, ""));
    server.expect_close_frame(1000);
    assert!(server.is_silent_for(Duration::from_millis(100)), "the server ends TCP first");
    server.expect_fin();
    local.expect_fin();

    let Pair { client, local: _local, mut server, .. } = Pair::open(&["--close-timeout", "1h"]);
    server.send_frame(&Frame::close(1000, ""));
    server.expect_close_frame(1000);
    server.finish();
    server.expect_fin();
    drop(client);
}

#[test]
fn when_the_local_side_ends_what_still_comes_is_delivered() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    local.send(b"question");
    local.finish();
    assert_eq!(server.read_frame().payload, b"question");
    let close = server.expect_close_frame(1000);
    server.send_frame(&Frame::binary(vec![7; 3 << 20].split_at(1 << 20).0));
    server.send_frame(&Frame::binary("answer"));
    server.send_frame(&close.unmasked());
    server.finish();
    let mut expected = vec![7; 1 << 20];
    expected.extend(b"answer");
    assert!(local.read_to_fin() == expected);
    server.expect_fin();
}

#[test]
fn a_close_that_is_not_answered_is_not_waited_for_for_ever() {
    let (mut client, mut server, request) = asked(&["--close-timeout", "200ms"]);
    server.send(request.answer_101(""));
    client.end_input();
    server.expect_close_frame(1000);
    let ended = client.wait_for_all();
    assert_eq!(ended.status, Some(5));
    assert!(ended.diagnosis.contains("--close-timeout"), "{}", ended.diagnosis);
}

#[test]
fn without_close_frames_tcp_is_half_closed() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&["--no-close"]);
    local.send(b"question");
    local.finish();
    assert_eq!(server.read_frame().payload, b"question");
    server.expect_fin();
    server.send_frame(&Frame::binary("answer"));
    server.finish();
    assert_eq!(local.read_to_fin(), b"answer");

    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&["--no-close"]);
    server.send_frame(&Frame::close(1000, ""));
    server.expect_close_frame(1000);
    server.finish();
    local.expect_fin();
}

#[test]
fn what_came_before_the_close_is_delivered_and_then_the_local_side_ends() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    let payload = vec![9; 1 << 20];
    let mut writer = server.handle();
    let received = thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..4 {
                writer.send_frame(&Frame::binary(&payload));
            }
            writer.send_frame(&Frame::close(1000, ""));
        });
        local.read_to_fin()
    });
    assert_eq!(received.len(), 4 << 20);
    local.send(b"nobody wants this any more");
    server.expect_close_frame(1000);
    server.finish();
    server.expect_fin();
}

#[test]
fn a_local_side_that_breaks_is_told_to_the_server() {
    let Pair { client: _client, local, mut server, .. } = Pair::open(&[]);
    local.reset();
    server.expect_close_frame(1001);
    server.finish();
    server.expect_fin();
}

#[test]
fn a_slow_server_stops_the_reading_of_the_local_side() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    let limit = 64 << 20;
    let chunk = vec![0; 1 << 16];
    let sent = local.send_until_stalled(&chunk, limit, Duration::from_millis(300));
    assert!(sent < limit, "{sent} bytes were taken and went nowhere");
    let mut received = 0;
    local.finish();
    loop {
        let frame = server.read_frame();
        if frame.opcode == opcode::CLOSE {
            break;
        }
        received += frame.payload.len();
    }
    assert_eq!(received, sent, "what was taken arrives");
}

#[test]
fn a_slow_local_side_stops_the_reading_of_the_server() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&[]);
    let frame = Frame::binary(vec![0; 1 << 16]).encode();
    let limit = 64 << 20;
    let sent = server.send_until_stalled(&frame, limit, Duration::from_millis(300));
    assert!(sent < limit, "{sent} bytes were taken and went nowhere");
    let whole = sent / frame.len();
    assert_eq!(local.read_exact(whole << 16).len(), whole << 16, "what was taken arrives");
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    let Pair { client, mut local, server, .. } = Pair::open(&["--stall-timeout", "300ms"]);
    local.send_until_stalled(&vec![0; 1 << 16], 256 << 20, Duration::from_millis(100));
    client.diagnosis("took nothing for too long (--stall-timeout)");
    drop(server);
}

#[test]
fn pings_are_sent_where_they_are_asked_for() {
    let flags = ["--ping-interval", "50ms", "--ping-timeout", "200ms"];
    let Pair { client, mut local, mut server, .. } = Pair::open(&flags);
    for _ in 0..3 {
        let ping = server.read_frame();
        assert_eq!((ping.opcode, ping.payload.len()), (opcode::PING, 8));
        server.send_frame(&Frame::pong(&ping.payload));
    }
    // From now on they stay unanswered.
    while server.read_frame().opcode != opcode::CLOSE {}
    client.diagnosis("did not answer a Ping in time");
    server.finish();
    local.expect_fin();
}

/// A machine that slept through the deadline: the answer, which had come in time, is heard before the server is judged.
#[test]
fn f51_a_pong_that_came_during_a_sleep_counts() {
    let flags = ["--ping-interval", "1s", "--ping-timeout", "20s"];
    let Pair { client, mut local, mut server, .. } = Pair::open(&flags);
    let ping = server.read_frame();
    assert_eq!(ping.opcode, opcode::PING);
    client.pause();
    server.send_frame(&Frame::pong(&ping.payload));
    thread::sleep(Duration::from_secs(21));
    client.signal(Signal::CONT);
    local.send("ahoy");
    let said = iter::repeat_with(|| server.read_frame()).find(|frame| frame.opcode != opcode::PING).unwrap();
    assert_eq!((said.opcode, said.payload), (opcode::BINARY, b"ahoy".to_vec()));
}

/// The same behind what else the server has said: whoever is heard again after a sleep is not given up at once, for the
/// answer need not be the first that is read.
#[test]
fn f51_a_pong_behind_much_else_that_came_during_a_sleep_counts() {
    let flags = ["--ping-interval", "1s", "--ping-timeout", "20s"];
    let Pair { client, mut local, mut server, .. } = Pair::open(&flags);
    let ping = server.read_frame();
    assert_eq!(ping.opcode, opcode::PING);
    client.pause();
    server.send_frame(&Frame::binary("much else"));
    thread::sleep(Duration::from_secs(25));
    client.signal(Signal::CONT);
    assert_eq!(local.read_exact(9), b"much else"); // it has been heard, and was not judged for the want of an answer
    server.send_frame(&Frame::pong(&ping.payload));
    local.send("ahoy");
    let said = iter::repeat_with(|| server.read_frame()).find(|frame| frame.opcode != opcode::PING).unwrap();
    assert_eq!((said.opcode, said.payload), (opcode::BINARY, b"ahoy".to_vec()));
}

#[test]
fn f51_what_was_said_during_a_sleep_is_no_idleness() {
    let Pair { client, mut local, mut server, .. } = Pair::open(&["--idle-timeout", "5s"]);
    local.send("hello");
    assert_eq!(server.read_frame().payload, b"hello"); // so it has begun
    client.pause();
    server.send_frame(&Frame::binary("ahoy"));
    thread::sleep(Duration::from_secs(6));
    client.signal(Signal::CONT);
    assert_eq!(local.read_exact(4), b"ahoy");
    local.send("still there");
    let said = server.read_frame();
    assert_eq!((said.opcode, said.payload), (opcode::BINARY, b"still there".to_vec()));
}

/// What the server said in time is not late because we were.
#[test]
fn f51_a_close_that_came_during_a_sleep_counts_and_what_was_said_before_it() {
    let (mut client, mut server, request) = asked(&["--close-timeout", "5s"]);
    server.send(request.answer_101(""));
    client.end_input();
    server.expect_close_frame(1000);
    client.pause();
    server.send_frame(&Frame::binary("last words"));
    server.send_frame(&Frame::close(1000, ""));
    server.finish();
    thread::sleep(Duration::from_secs(6));
    client.signal(Signal::CONT);
    let ended = client.wait_for_all();
    assert_eq!((ended.status, &ended.output[..]), (Some(0), &b"last words"[..]), "{}", ended.diagnosis);
}

#[test]
fn nothing_is_pinged_unasked_and_quiet_connections_end_only_if_asked() {
    let Pair { client, mut local, mut server, .. } = Pair::open(&["--idle-timeout", "300ms"]);
    server.expect_close_frame(1001);
    client.diagnosis("--idle-timeout");
    server.finish();
    local.expect_fin();
}

#[test]
fn what_follows_a_close_is_dropped_whoever_began_the_end() {
    let Pair { client: _client, mut local, mut server, .. } = Pair::open(&["--close-timeout", "1h"]);
    local.finish();
    server.expect_close_frame(1000);
    server.send_frame(&Frame::binary("late"));
    server.send_frame(&Frame::close(1000, ""));
    server.send_frame(&Frame::binary(vec![0; 1 << 20]));
    server.send(b"and what is no frame at all");
    assert_eq!(local.read_to_fin(), b"late");
    server.finish();
    server.expect_fin();
}
