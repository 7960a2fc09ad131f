//! Each system call on the way of a connection fails, in each way that it can and at each place where it is made.

use tidegate_testkit::{Call, Canary, Faults, Frame, Request, Wire, eventually};

use crate::rig::{Far, Rig, assert_same, numbered};

const EPERM: i32 = 1;
const EINTR: i32 = 4;
const EIO: i32 = 5;
const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;
const EPIPE: i32 = 32;
const ENOPROTOOPT: i32 = 92;
const ECONNABORTED: i32 = 103;
const ECONNRESET: i32 = 104;
const ENOBUFS: i32 = 105;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;

/// What may go wrong where.
const FAILURES: [(Call, &[i32]); 8] = [
    (Call::Read, &[ECONNRESET, EIO, ETIMEDOUT]),
    (Call::Write, &[EPIPE, ECONNRESET, ETIMEDOUT, EINTR, ENOBUFS, ENOMEM]),
    (Call::Connect, &[ECONNREFUSED, ETIMEDOUT, EAGAIN, ENOBUFS]),
    (Call::Accept, &[ECONNABORTED, EINTR, ENFILE, ENOMEM]),
    (Call::SetSockOpt, &[EINVAL, ENOPROTOOPT, ENOBUFS]),
    (Call::Socket, &[EMFILE, ENFILE, ENOBUFS]),
    (Call::EpollWait, &[EINTR]),
    (Call::EpollCtl, &[ENOSPC, ENOMEM]),
];

/// The n-th call of a kind that a session makes, for all n that it comes to.
const CALLS_MAX: u32 = 12;

/// From connecting to the end; however it comes out, it does come to an end.
fn session(rig: &Rig, far: Far) {
    let mut client = rig.gateway.connect();
    let target = if far == Far::Tcp { "/tcp" } else { "/ws" };
    if client.try_send(Request::upgrade(target).encode()).is_err() {
        return;
    }
    let backend = if far == Far::Tcp { &rig.tcp } else { &rig.ws };
    let answered = std::thread::scope(|scope| {
        let serving = scope.spawn(|| serve(backend, far));
        let answered = speak(&mut client);
        client.hang_up();
        // Where the gateway never came, the test does, so that the backend's thread ends.
        drop(Wire::connect(backend.address()));
        serving.join().unwrap();
        answered
    });
    drop((client, answered));
    while let Some(left) = backend.accepted_already() {
        drop(left);
    }
}

/// Reads until the end, whatever comes, and says something behind a 101.
fn speak(client: &mut Wire) -> Vec<u8> {
    let mut received = Vec::new();
    let mut has_spoken = false;
    while let Some(bytes) = client.read_some_or_end() {
        received.extend(bytes);
        if !has_spoken && received.windows(4).any(|end| end == b"\r\n\r\n") {
            has_spoken = true;
            let close = Frame::close(1000, "").masked();
            let said = [Frame::binary("question").masked().encode(), close.encode()].concat();
            if client.try_send(said).is_err() {
                break;
            }
        }
    }
    received
}

/// A backend that takes what comes until its end.
fn serve(backend: &tidegate_testkit::Backend, far: Far) {
    let mut wire = backend.accept();
    if far == Far::Ws {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match wire.read_some_or_end() {
                Some(bytes) => head.extend(bytes),
                None => return,
            }
        }
        drop(wire.try_send(tidegate_testkit::Head::parse(&head).answer_101("")));
    }
    // A Close is answered by the end of TCP: who waits for more than that would wait for the gateway's patience.
    let mut received = Vec::new();
    while let Some(bytes) = wire.read_some_or_end() {
        received.extend(bytes);
        if far == Far::Ws && received.windows(2).any(|head| head == [0x88, 0x82]) {
            return;
        }
    }
}

#[test]
fn f61_every_system_call_may_fail() {
    let faults = Faults::new();
    let rig = Rig::faulty(&faults, "", "ping_interval = 0\nconnect_timeout = '1s'");
    for (call, errors) in FAILURES {
        for error in errors {
            for far in [Far::Tcp, Far::Ws] {
                for skip in 0..CALLS_MAX {
                    println!("{call:?} {error} {far:?}, the call behind {skip} others");
                    let before = faults.struck();
                    faults.fail(call, *error, skip, 1);
                    session(&rig, far);
                    faults.mend();
                    if faults.struck() == before {
                        break; // there is no such call any more
                    }
                }
            }
        }
    }
    assert!(faults.struck() > 60, "{} calls have failed", faults.struck());
    let canary = Canary::of(&rig.gateway, "/echo");
    for far in [Far::Tcp, Far::Ws] {
        session(&rig, far);
    }
    canary.finish();
    rig.gateway.rest();
    rig.finish();
}

/// A write that fails for the moment is made again: nothing is lost, and nobody is given up.
#[test]
fn f61_a_write_that_fails_for_the_moment_loses_nothing() {
    let faults = Faults::new();
    let rig = Rig::faulty(&faults, "", "ping_interval = 0");
    let payload = numbered(300_000);
    for (error, times) in [(EINTR, 3), (ENOBUFS, 20), (ENOMEM, 1)] {
        for far in [Far::Tcp, Far::Ws] {
            let mut session = rig.open(far);
            let frame = Frame::binary(&payload).masked().encode();
            let before = faults.struck();
            faults.fail(Call::Write, error, 0, times);
            session.client.send(&frame);
            match far {
                Far::Tcp => assert_same(&session.backend().read_exact(payload.len()), &payload),
                Far::Ws => assert_same(&session.backend().read_exact(frame.len()), &frame),
                Far::Echo => {}
            }
            assert_eq!(faults.struck() - before, i64::from(times), "{error}");
            faults.mend();
        }
    }
    rig.finish();
}

/// A peer to which nothing can be written any more, for a reason that nobody knows, is heard for as long as it speaks, and
/// then let go.
#[test]
fn f61_who_can_be_sent_nothing_and_says_nothing_is_let_go() {
    let faults = Faults::new();
    let rig = Rig::faulty(&faults, "", "ping_interval = 0");
    for far in [Far::Tcp, Far::Ws] {
        let mut session = rig.open(far);
        let before = faults.struck();
        faults.fail(Call::Write, EPERM, 0, 1);
        match far {
            Far::Tcp => session.backend().send("lost"),
            Far::Ws | Far::Echo => session.backend().send_frame(&Frame::binary("lost")),
        }
        eventually("the write has failed", || (faults.struck() > before).then_some(()));
        session.client.send_frame(&Frame::binary("still heard").masked());
        match far {
            Far::Tcp => assert_eq!(session.backend().read_exact(11), b"still heard"),
            Far::Ws | Far::Echo => {
                assert_eq!(session.backend().read_frame().unmasked().payload, b"still heard");
            }
        }
        let client = session.client.local_address();
        let line = rig.gateway.access_line_of(client);
        assert_eq!(line["end"], "client_lost", "{line}");
        faults.mend();
    }
    rig.finish();
}

/// An option that the system does not take is no reason to turn anybody away.
#[test]
fn f61_options_of_sockets_are_not_needed() {
    let faults = Faults::new();
    let rig = Rig::faulty(&faults, "", "");
    faults.fail(Call::SetSockOpt, ENOPROTOOPT, 0, 1000);
    drop((rig.open_tcp(), rig.open_ws(), rig.open(Far::Echo)));
    rig.finish();
}

/// Connections that are gone before anybody takes them: whoever comes behind them is served.
#[test]
fn t244_connections_that_are_gone_already_do_not_stop_the_acceptor() {
    let faults = Faults::new();
    let rig = Rig::faulty(&faults, "", "");
    let canary = Canary::of(&rig.gateway, "/echo");
    for _ in 0..5_000 {
        rig.gateway.connect().reset();
    }
    faults.fail(Call::Accept, ECONNABORTED, 0, 200);
    let mut client = rig.gateway.connect();
    client.send(Request::upgrade("/echo").encode());
    assert_eq!(client.read_head().status(), 101);
    assert_eq!(faults.struck(), 200);
    let said = rig.gateway.diagnosis_so_far();
    assert!(!said.iter().any(|line| line.contains("cannot accept")), "nothing is wrong here: {said:?}");
    drop(client);
    canary.finish();
    rig.gateway.rest();
    rig.finish();
}
