//! Back-pressure: who does not read makes the other side wait, and costs the gateway next to nothing.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Backend, Canary, Frame, Wire, opcode};

use crate::rig::{Far, Rig, Session, assert_same, numbered};

const CONNECTIONS: usize = 40;

/// What a read brought that the far side did not take, and what is little beside it.
const BYTES_PER_CONNECTION: u64 = 128 << 10;

/// The worker's own buffer for reading.
const BYTES_OF_WORKER: u64 = 1 << 20;

/// What each client or backend tries to get rid of.
const FLOOD: usize = 64 << 20;

/// How long a socket that takes nothing counts as stalled.
const PAUSE: Duration = Duration::from_millis(300);

const ONE_WORKER: &str = "workers = 1";

fn of_one_worker() -> Rig {
    Rig::with_top(ONE_WORKER, "")
}

fn each_of_one_worker(hold: impl Fn(Rig)) {
    Rig::each_between(Backend::bind, ONE_WORKER, hold);
}

/// Floods one end of each session while nobody reads the other, and returns how much each end took.
fn hold(rig: &Rig, far: Far, flood: impl Fn(&mut Session) -> usize + Sync) -> (Vec<Session>, Vec<usize>) {
    let mut sessions: Vec<Session> = (0..CONNECTIONS).map(|_| rig.open(far)).collect();
    let canary = Canary::of(&rig.gateway, "/echo");
    let before = rig.gateway.memory();
    let taken: Vec<usize> = thread::scope(|scope| {
        let flooding: Vec<_> = sessions.iter_mut().map(|session| scope.spawn(|| flood(session))).collect();
        flooding.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let grown = rig.gateway.memory().saturating_sub(before);
    assert!(
        grown <= BYTES_OF_WORKER + BYTES_PER_CONNECTION * CONNECTIONS as u64,
        "{grown} bytes for {CONNECTIONS} stalled connections"
    );
    assert!(taken.iter().all(|taken| *taken < FLOOD), "{taken:?}: somebody was never made to wait");
    canary.finish();
    (sessions, taken)
}

#[test]
fn f13_f22_a_backend_that_reads_nothing() {
    let pattern = numbered(1 << 20);
    let frame = Frame::binary(&pattern).masked().encode();
    for far in [Far::Tcp, Far::Ws] {
        each_of_one_worker(|rig| {
            let (sessions, taken) =
                hold(&rig, far, |session| session.client.send_until_stalled(&frame, FLOOD, PAUSE));
            // Once it reads again, nothing of what was taken is missing.
            for (mut session, taken) in sessions.into_iter().zip(taken).take(2) {
                let whole = taken / frame.len();
                match far {
                    Far::Echo => {}
                    Far::Tcp => (0..whole)
                        .for_each(|_| assert_same(&session.backend().read_exact(pattern.len()), &pattern)),
                    Far::Ws => {
                        (0..whole)
                            .for_each(|_| assert_same(&session.backend().read_exact(frame.len()), &frame));
                    }
                }
            }
            rig.finish();
        });
    }
}

#[test]
fn f15_f28_t123_a_client_that_reads_nothing() {
    let pattern = numbered(1 << 20);
    let frame = Frame::binary(&pattern).encode();
    for far in [Far::Tcp, Far::Ws] {
        each_of_one_worker(|rig| {
            let bytes = if far == Far::Tcp { &pattern } else { &frame };
            let (sessions, taken) =
                hold(&rig, far, |session| session.backend().send_until_stalled(bytes, FLOOD, PAUSE));
            for (mut session, taken) in sessions.into_iter().zip(taken).take(2) {
                let whole = taken / bytes.len();
                let received = session.client.read_payload(whole * pattern.len());
                for chunk in received.chunks_exact(pattern.len()).take(whole) {
                    assert_same(chunk, &pattern);
                }
            }
            rig.finish();
        });
    }
}

/// Bulk data waits in pipes, which are the kernel's memory, and which nothing goes through over TLS: a Pong of ours waits behind them, and takes nothing out of
/// them. What was taken arrives in order, and so does the Pong.
#[test]
fn f15_a_pong_behind_a_full_pipe() {
    let pattern = numbered(1 << 20);
    let rig = of_one_worker();
    let (sessions, taken) = hold(&rig, Far::Tcp, |session| {
        let taken = session.backend().send_until_stalled(&pattern, FLOOD, PAUSE);
        session.client.send_frame(&Frame::ping("there?").masked());
        session.client.send_frame(&Frame::binary("!").masked());
        assert_eq!(session.backend().read_exact(1), b"!", "the ping was read as well");
        taken
    });
    for (mut session, taken) in sessions.into_iter().zip(taken).take(2) {
        let (mut payload, mut pongs) = (Vec::new(), 0);
        while payload.len() < taken || pongs == 0 {
            let frame = session.client.read_frame();
            if frame.opcode == opcode::BINARY {
                payload.extend_from_slice(&frame.payload);
            } else {
                assert_eq!(frame, Frame::pong("there?"));
                pongs += 1;
            }
        }
        assert_eq!(pongs, 1);
        payload.chunks(pattern.len()).for_each(|chunk| assert_same(chunk, &pattern[..chunk.len()]));
    }
    rig.finish();
}

/// Nor does a Close, which answers the client's. That it comes behind all else is held where the pipe is.
#[test]
fn f15_a_close_behind_a_full_pipe() {
    let pattern = numbered(1 << 20);
    let rig = of_one_worker();
    let (sessions, _) = hold(&rig, Far::Tcp, |session| {
        let taken = session.backend().send_until_stalled(&pattern, FLOOD, PAUSE);
        session.client.send_frame(&Frame::close(1000, "").masked());
        session.backend().expect_fin();
        taken
    });
    drop(sessions);
    rig.finish();
}

#[test]
fn t123_an_echo_client_that_reads_nothing() {
    let frame = Frame::binary(numbered(1 << 20)).masked().encode();
    each_of_one_worker(|rig| {
        let (sessions, _) =
            hold(&rig, Far::Echo, |session| session.client.send_until_stalled(&frame, FLOOD, PAUSE));
        drop(sessions);
        rig.finish();
    });
}

/// F13: a backend that takes nothing does not keep the client's control frames from being answered, as long as they
/// can be read at all.
#[test]
fn f13_pings_are_answered_while_the_backend_is_silent() {
    Rig::each(|rig| {
        let (mut client, backend) = rig.open_tcp();
        client.send_frame(&Frame::binary([1; 1000]).masked());
        client.send_frame(&Frame::ping("there?").masked());
        assert_eq!(client.read_frame(), Frame::pong("there?"));
        drop((client, backend));
        rig.finish();
    });
}

/// What flows one way does not wait for the other.
#[test]
fn f13_one_direction_stalls_alone() {
    Rig::each(|rig| {
        for far in [Far::Tcp, Far::Ws] {
            let mut session = rig.open(far);
            let frame = Frame::binary([1; 1 << 16]).masked().encode();
            session.client.send_until_stalled(&frame, FLOOD, PAUSE);
            let payload = numbered(8 << 20);
            let mut writer: Wire = session.backend().handle();
            thread::scope(|scope| {
                scope.spawn(|| {
                    for chunk in payload.chunks(1 << 20) {
                        match far {
                            Far::Ws => writer.send_frame(&Frame::binary(chunk)),
                            Far::Echo | Far::Tcp => writer.send(chunk),
                        }
                    }
                });
                assert_same(&session.client.read_payload(payload.len()), &payload);
            });
            match far {
                Far::Ws => assert_same(&session.backend().read_exact(frame.len()), &frame),
                Far::Echo | Far::Tcp => assert_eq!(session.backend().read_exact(1 << 16), [1; 1 << 16]),
            }
            drop((session, writer));
        }
        rig.finish();
    });
}
