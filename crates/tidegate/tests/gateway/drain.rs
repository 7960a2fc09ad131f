//! Stopping: every session is told, nothing is cut, and the process ends with status 0.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tidegate_testkit::{Frame, Gateway, PATIENCE, Request, Wire};

use crate::rig::{EVERY_FAR, Far, Rig, expect_close_at_backend, gateway};

#[test]
fn f37_ends_shutdown_is_1001_to_everybody() {
    let mut rig = Rig::start();
    let mut sessions: Vec<_> = EVERY_FAR.into_iter().map(|far| (far, rig.open(far))).collect();
    rig.gateway.terminate();
    for (far, session) in &mut sessions {
        session.client.expect_close_then_answer(1001);
        session.expect_backend_end(*far, b"", 1001);
    }
    assert_eq!(rig.gateway.wait().code(), Some(0));
    let lines = rig.gateway.access_lines();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert_eq!(
            (&line["end"], &line["close_code"], &line["closed_by"]),
            (&"drained".into(), &1001.into(), &"gateway".into())
        );
    }
}

#[test]
fn f37_sigint_is_the_same() {
    let mut rig = Rig::start();
    let mut session = rig.open(Far::Echo);
    rig.gateway.interrupt();
    session.client.expect_close_then_answer(1001);
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// Bytes in full flow both ways: every frame that has begun is whole before the Close, on both sides.
#[test]
fn f37_ends_shutdown_in_full_flow() {
    let mut rig = Rig::start();
    let (tcp_client, tcp_backend) = rig.open_tcp();
    let (ws_client, ws_backend) = rig.open_ws();
    let echo_client = rig.gateway.open("/echo");
    let server_frame = Frame::binary([1; 70_000]).encode();
    let client_frame = Frame::binary([2; 70_000]).masked_with([1, 2, 3, 4]).encode();
    thread::scope(|scope| {
        let readers = [
            flow(scope, &tcp_backend, &[1; 70_000], &tcp_client),
            flow(scope, &ws_backend, &server_frame, &ws_client),
            flow(scope, &echo_client.handle(), &client_frame, &echo_client),
        ];
        let at_tcp = flow(scope, &tcp_client, &client_frame, &tcp_backend);
        let at_ws = flow(scope, &ws_client, &client_frame, &ws_backend);
        rig.gateway.terminate();
        for reader in readers {
            let frames = Frame::parse_all(&reader.join().unwrap());
            let (close, data) = frames.split_last().unwrap();
            assert_eq!(*close, Frame::close(1001, "shutting down"));
            assert!(data.len() > 10 && data.iter().all(|frame| !frame.is_control()));
        }
        assert!(at_tcp.join().unwrap().iter().all(|byte| *byte == 2));
        let frames = Frame::parse_all(&at_ws.join().unwrap());
        let (close, data) = frames.split_last().unwrap();
        assert_eq!((close.close_code(), close.mask.is_some()), (Some(1001), true));
        assert!(data.iter().all(|frame| frame.payload == [2; 70_000]));
    });
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// Writes the same bytes at one end again and again until the connection breaks, and reads everything at the other,
/// which then hangs up. Returns when a megabyte has passed.
fn flow<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    from: &Wire,
    bytes: &[u8],
    to: &Wire,
) -> thread::ScopedJoinHandle<'scope, Vec<u8>> {
    let (mut writer, mut reader, bytes) = (from.handle(), to.handle(), bytes.to_vec());
    scope.spawn(move || while writer.try_send(&bytes).is_ok() {});
    let (waiting, flows) = channel::<()>();
    let reading = scope.spawn(move || {
        let mut waiting = Some(waiting);
        let mut received = Vec::new();
        while let Some(more) = reader.read_some_or_end() {
            received.extend(more);
            if received.len() > 1 << 20 {
                waiting = None;
            }
        }
        drop(waiting);
        reader.hang_up();
        received
    });
    assert_eq!(flows.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    reading
}

/// The Close waits for the end of a frame that is passing through.
#[test]
fn f37_a_relayed_frame_is_finished_before_the_close() {
    let mut rig = Rig::start();
    let (mut client, mut backend) = rig.open_ws();
    let header = Frame::binary("").encode_header(10);
    backend.send([&header[..], b"01234"].concat());
    assert_eq!(client.read_exact(header.len() + 5), [&header[..], b"01234"].concat());
    rig.gateway.terminate();
    assert_eq!(backend.read_frame().close_code(), Some(1001), "the drain has begun");
    backend.send(b"56789");
    assert_eq!(client.read_exact(5), b"56789");
    client.expect_close_then_answer(1001);
    backend.send_frame(&Frame::close(1001, ""));
    backend.expect_fin();
    drop(backend);
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// A frame whose end never comes is not waited for longer than five seconds.
#[test]
fn f37_a_relayed_frame_that_never_ends_is_not_waited_for() {
    let mut rig = Rig::start();
    let (mut client, mut backend) = rig.open_ws();
    let cut = [&Frame::binary("").encode_header(10)[..], b"01234"].concat();
    backend.send(&cut);
    assert_eq!(client.read_exact(cut.len()), cut);
    rig.gateway.terminate();
    client.expect_fin();
    drop((client, backend));
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// One Close a second for forty clients is more than any test waits: the second signal ends it.
#[test]
fn f37_a_second_signal_stops_at_once() {
    let mut rig = Rig::with_top("drain = '10m'\ndrain_rate = 1", "");
    let mut clients: Vec<Wire> = (0..40).map(|_| rig.gateway.open("/echo")).collect();
    rig.gateway.terminate();
    rig.gateway.diagnosis("stopping");
    let told = (0..clients.len()).find(|at| !clients[*at].is_silent_for(Duration::from_millis(1)));
    assert!(told.is_none_or(|at| at < clients.len()));
    rig.gateway.terminate();
    assert_eq!(rig.gateway.wait().code(), Some(0));
    let cut = clients.iter_mut().filter_map(|client| client.read_to_end().0.is_empty().then_some(()));
    assert!(cut.count() > 10, "most were not told any more");
}

/// `drain` bounds the wait for clients that do not go.
#[test]
fn f37_the_drain_has_an_end() {
    let mut rig = Rig::with_top("drain = '500ms'\ndrain_rate = 1", "");
    let clients: Vec<Wire> = (0..40).map(|_| rig.gateway.open("/echo")).collect();
    rig.gateway.terminate();
    assert_eq!(rig.gateway.wait().code(), Some(0));
    drop(clients);
}

/// Everybody is told, and not all at once. `TIDEGATE_DRAIN_CLIENTS` says how many they are, if not 200: in the window of
/// 20 s.
#[test]
fn f37_many_are_told_one_by_one_and_all_of_them() {
    let clients = std::env::var("TIDEGATE_DRAIN_CLIENTS").map_or(200, |number| number.parse().unwrap());
    Gateway::raise_descriptor_limit();
    let mut rig = Rig::with_top("drain = '20s'\ndrain_rate = 100", "");
    let mut sessions: Vec<_> = (0..clients).map(|n| rig.open(EVERY_FAR[n % 2])).collect();
    rig.gateway.terminate();
    thread::scope(|scope| {
        for session in &mut sessions {
            scope.spawn(|| session.client.expect_close_then_answer(1001));
        }
    });
    drop(sessions);
    assert_eq!(rig.gateway.wait().code(), Some(0));
    let lines = rig.gateway.access_lines();
    assert_eq!(lines.len(), clients);
    assert!(lines.iter().all(|line| line["end"] == "drained"));
    let seconds: BTreeSet<_> =
        lines.iter().map(|line| line["time"].as_str().unwrap()[..19].to_owned()).collect();
    assert!(seconds.len() >= 2, "told all at once: {seconds:?}");
}

/// Who is told to come back to a successor is told so.
#[test]
fn f37_a_restart_is_1012() {
    let mut rig = Rig::start();
    let mut sessions: Vec<_> = EVERY_FAR.into_iter().map(|far| (far, rig.open(far))).collect();
    rig.gateway.quit();
    for (far, session) in &mut sessions {
        let close = session.client.expect_close_frame(1012);
        assert_eq!(&close.payload[2..], b"restarting");
        session.client.send_frame(&close.masked());
        session.client.expect_fin();
        session.client.finish();
        session.expect_backend_end(*far, b"", 1001);
    }
    assert_eq!(rig.gateway.wait().code(), Some(0));
    for line in rig.gateway.access_lines() {
        assert_eq!((&line["end"], &line["reason"]), (&"drained".into(), &"restarting".into()), "{line}");
    }
}

/// A message in several frames is finished before the Close, to either side.
#[test]
fn f37_a_message_is_finished_before_the_close() {
    let mut rig = Rig::start();
    let (mut client, mut backend) = rig.open_ws();
    let begun = Frame { fin: false, ..Frame::text("half, ") };
    backend.send_frame(&begun);
    assert_eq!(client.read_frame(), begun);
    client.send_frame(&Frame { fin: false, ..Frame::binary("one").masked() });
    assert_eq!(backend.read_frame().payload, b"one");
    let mut witness = rig.gateway.open("/echo");
    rig.gateway.terminate();
    witness.expect_close_then_answer(1001);
    backend.send_frame(&Frame::continuation("and whole"));
    assert_eq!(client.read_frame().payload, b"and whole");
    assert_eq!(client.read_frame(), Frame::close(1001, "shutting down"));
    client.send_frame(&Frame::continuation("two").masked());
    client.send_frame(&Frame::close(1001, "").masked());
    assert_eq!(backend.read_frame().payload, b"two");
    expect_close_at_backend(&mut backend, 1001);
    client.expect_fin();
    drop((client, witness));
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// An echo that has begun is finished, and no other is begun.
#[test]
fn f37_an_echo_is_finished_before_the_close() {
    let mut rig = Rig::start();
    let mut client = rig.gateway.open("/echo");
    client.send_frame(&Frame { fin: false, ..Frame::text("half, ").masked() });
    assert_eq!(client.read_frame().payload, b"half, ");
    let mut witness = rig.gateway.open("/echo");
    rig.gateway.terminate();
    witness.expect_close_then_answer(1001);
    let rest = [Frame::continuation("and whole").masked(), Frame::text("another").masked()];
    client.send(rest.map(|frame| frame.encode()).concat());
    assert_eq!(client.read_frame().payload, b"and whole");
    client.expect_close_then_answer(1001);
    drop((client, witness));
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// A message that never ends is not waited for longer than five seconds.
#[test]
fn f37_a_message_that_never_ends_is_not_waited_for() {
    let mut rig = Rig::start();
    let (mut client, backend) = rig.open_ws();
    let mut begun = backend.handle();
    begun.send_frame(&Frame { fin: false, ..Frame::text("half, ") });
    assert_eq!(client.read_frame().payload, b"half, ");
    rig.gateway.terminate();
    client.expect_close_then_answer(1001);
    drop((client, backend, begun));
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

#[test]
fn f37_nobody_is_let_in_any_more() {
    let mut rig = Rig::start();
    let mut session = rig.open(Far::Tcp);
    rig.gateway.terminate();
    session.client.expect_close_then_answer(1001);
    assert!(TcpStream::connect(rig.gateway.address()).is_err(), "the listening socket is closed first");
    session.backend().expect_fin();
    drop(session);
    assert_eq!(rig.gateway.wait().code(), Some(0));
    rig.assert_untouched();
}

/// A request that is under way is answered; the WebSocket that comes of it is closed like all others.
#[test]
fn f37_a_handshake_under_way_is_finished() {
    let mut rig = Rig::start();
    let mut witness = rig.open(Far::Echo);
    let mut client = rig.gateway.connect();
    client.send(Request::upgrade("/ws").encode());
    let mut backend = rig.ws.accept();
    let asked = backend.read_head();
    rig.gateway.terminate();
    witness.client.expect_close_then_answer(1001);
    backend.send(asked.answer_101(""));
    assert_eq!(client.read_head().status(), 101);
    client.expect_close_then_answer(1001);
    expect_close_at_backend(&mut backend, 1001);
    assert_eq!(rig.gateway.wait().code(), Some(0));
}

/// A browser keeps connections open for requests that may never come: they do not hold the drain up.
#[test]
fn f37_idle_http_connections_do_not_hold_the_drain_up() {
    let mut gateway =
        gateway().top("drain = '10m'").listener("head_timeout = '10m'").route("/ws", "echo:", "").start();
    let mut unused = gateway.connect();
    let mut kept = gateway.connect();
    kept.send(Request::get("/ws").encode());
    assert_eq!(kept.read_response().0.status(), 426);
    gateway.terminate();
    kept.expect_fin();
    unused.expect_fin();
    drop((kept, unused));
    assert_eq!(gateway.wait().code(), Some(0));
}
