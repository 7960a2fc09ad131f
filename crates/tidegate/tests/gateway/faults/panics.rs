//! Bugs of ours: they cost whoever met them, and nobody else.

use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

use tidegate_testkit::{Call, Canary, Faults, Frame, HANG, PATIENCE, Request, TOO_MUCH, eventually};

use super::expect_echo;
use crate::rig::{EVERY_FAR, Far, Rig, expect_line};

/// A read that claims more bytes than there was room for: whoever looks at them panics.
#[test]
fn t249_f54_a_panic_ends_its_session_with_1011_and_no_other() {
    let faults = Faults::new();
    let mut rig = Rig::faulty(&faults, "workers = 1", "");
    let canary = Canary::of(&rig.gateway, "/echo");
    let mut others: Vec<_> = EVERY_FAR.into_iter().map(|far| (far, rig.open(far))).collect();
    faults.allow_spells();
    for far in EVERY_FAR {
        let mut session = rig.open(far);
        session.client.send_frame(&Frame::text(TOO_MUCH).masked());
        session.client.expect_close_then_answer(1011);
        session.expect_backend_end(far, b"", 1011);
        expect_line(&rig.gateway, session, "panicked", 1011, "gateway");
    }
    // The same where it is a backend that is read.
    for far in [Far::Tcp, Far::Ws] {
        let mut session = rig.open(far);
        session.backend().send_frame(&Frame::text(TOO_MUCH));
        session.client.expect_close_then_answer(1011);
        expect_line(&rig.gateway, session, "panicked", 1011, "gateway");
    }
    for (far, session) in &mut others {
        session.client.send_frame(&Frame::text("still there?").masked());
        match far {
            Far::Echo => assert_eq!(session.client.read_frame().payload, b"still there?"),
            Far::Tcp => assert_eq!(session.backend().read_exact(12), b"still there?"),
            Far::Ws => assert_eq!(session.backend().read_frame().payload, b"still there?"),
        }
    }
    drop(others);
    canary.finish();
    rig.gateway.expect_panics(5);
    rig.finish();
}

/// While HTTP is spoken, nobody can be told in frames: the connection ends, and gives back what it had.
#[test]
fn f54_a_panic_before_the_session_ends_its_connection_and_no_other() {
    let faults = Faults::new();
    let mut rig = Rig::faulty(&faults, "workers = 1", "");
    let canary = Canary::of(&rig.gateway, "/echo");
    faults.allow_spells();
    for _ in 0..3 {
        let mut client = rig.gateway.connect();
        client.send(Request::upgrade("/echo").set("User-Agent", TOO_MUCH).encode());
        assert_eq!(client.read_to_end().0, b"");
    }
    expect_echo(&mut rig.gateway.open("/echo"));
    canary.finish();
    rig.gateway.expect_panics(3);
    rig.finish();
}

/// A thread whose event queue fails is lost with its sessions. Whoever comes after that is served by the others.
#[test]
fn f54_a_worker_that_is_lost_does_not_make_the_gateway_deaf() {
    const EIO: i32 = 5;
    let faults = Faults::new();
    let mut rig = Rig::faulty(&faults, "workers = 2", "");
    let mut first = rig.gateway.open("/echo");
    expect_echo(&mut first);
    faults.fail(Call::EpollWait, EIO, 0, 1);
    first.send_frame(&Frame::text("wake up").masked());
    assert!(first.read_to_end().0.len() <= Frame::text("wake up").encode().len());
    assert_eq!(faults.struck(), 1);
    for _ in 0..8 {
        expect_echo(&mut rig.gateway.open("/echo"));
    }
    rig.gateway.expect_lost_worker();
    rig.finish();
}

/// Without any worker there is nobody to serve: the process ends, so that whoever watches it starts it anew.
#[test]
fn f54_f55_a_gateway_without_workers_ends() {
    const EIO: i32 = 5;
    let faults = Faults::new();
    let mut rig = Rig::faulty(&faults, "workers = 1", "");
    let mut first = rig.gateway.open("/echo");
    faults.fail(Call::EpollWait, EIO, 0, 1);
    first.send_frame(&Frame::text("wake up").masked());
    first.read_to_end();
    faults.mend();
    drop(TcpStream::connect(rig.gateway.address())); // the next connection finds out, if nobody has before
    assert!(!rig.gateway.wait().success());
    rig.gateway.expect_panics(1);
}

/// One thread stands still: the others serve, and the service manager is not told that all is well.
#[test]
fn f53_a_worker_that_hangs_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let faults = Faults::new();
    let builder = crate::rig::gateway().with_faults(&faults).env("NOTIFY_SOCKET", &path);
    let gateway =
        builder.env("WATCHDOG_USEC", "400000").top("workers = 2").route("/echo", "echo:", "").start();
    let canary = Canary::of(&gateway, "/echo");
    let mut hanging = gateway.open("/echo"); // the canary's worker has more to do than the other
    faults.allow_spells();
    hanging.send_frame(&Frame::text(HANG).masked());
    gateway.diagnosis("a worker thread hangs; the watchdog is not told that all is well");
    let mut served = 0;
    eventually("connections are given to the worker that does not hang", || {
        let mut client = gateway.connect();
        client.send(Request::upgrade("/echo").encode());
        served += usize::from(!client.is_silent_for(PATIENCE / 100));
        (served >= 3).then_some(())
    });
    faults.lift_spells();
    assert_eq!(hanging.read_frame().payload, HANG.as_bytes());
    let alive = std::iter::repeat_with(|| {
        let mut bytes = [0; 256];
        let len = manager.recv(&mut bytes).unwrap();
        bytes[..len].to_vec()
    });
    assert!(alive.take(1000).any(|told| told == b"WATCHDOG=1\n"));
    drop(hanging);
    canary.finish();
    gateway.finish();
}
