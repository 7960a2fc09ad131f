//! Peers that are slow but not stalled, as clients and backends at the far end of a real network are.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Backend, Frame, Gateway, Wire, eventually, within};

use crate::rig::{Rig, SEGMENT, WINDOW, assert_same, numbered};

/// More than all kernels and the gateway hold on the way.
const BULK: usize = 16 << 20;

/// How much of it is taken slowly.
const SLOWLY: usize = 4 << 20;

/// What is little beside [`BULK`], and enough for what one connection may hold.
const HELD_MAX: u64 = 4 << 20;

/// Longer than the five seconds that a client has to answer a Close, and the two that a socket lingers.
const LONG: Duration = Duration::from_secs(8);

/// Takes so many bytes, a little at a time, and watches what the gateway holds meanwhile.
fn take_slowly(wire: &mut Wire, len: usize, gateway: &Gateway) -> Vec<u8> {
    let before = gateway.memory();
    let mut received = Vec::new();
    while received.len() < len {
        received.extend(wire.read_some(8 << 10));
        let held = gateway.memory().saturating_sub(before);
        assert!(held < HELD_MAX, "{held} bytes were held for one slow peer after {} bytes", received.len());
        thread::sleep(Duration::from_millis(1)); // the slowness itself
    }
    received
}

#[test]
fn f15_a_slow_client_does_not_make_the_gateway_hoard() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_tcp_narrow();
        let payload = numbered(BULK);
        thread::scope(|scope| {
            scope.spawn(|| {
                backend.send(&payload);
                backend.finish();
            });
            let begun = take_slowly(&mut client, SLOWLY, &rig.gateway);
            client.put_back(&begun);
            assert_same(&client.read_payload(BULK), &payload);
            client.expect_close_then_answer(1000);
        });
        drop(backend);
        rig.finish();
    });
}

#[test]
fn f22_a_slow_backend_does_not_make_the_gateway_hoard() {
    Rig::each_between(
        || Backend::bind_narrow(SEGMENT, WINDOW),
        "",
        |rig| {
            let (mut client, mut backend) = rig.open_tcp();
            let payload = numbered(BULK);
            thread::scope(|scope| {
                scope.spawn(|| {
                    for chunk in payload.chunks(1 << 20) {
                        client.send_frame(&Frame::binary(chunk).masked());
                    }
                    client.send_frame(&Frame::close(1000, "").masked());
                });
                let begun = take_slowly(&mut backend, SLOWLY, &rig.gateway);
                backend.put_back(&begun);
                assert_same(&backend.read_to_fin(), &payload);
            });
            client.expect_close(1000);
            drop(backend);
            rig.finish();
        },
    );
}

/// The time that a client has to answer a Close does not run while it still reads what came before the Close.
#[test]
fn ends_backend_fin_reaches_a_slow_client_after_everything() {
    let rig = Rig::start();
    let (mut client, mut backend) = rig.open_tcp_narrow();
    let sent = send_until_held(&rig.gateway, &client, &mut backend);
    backend.finish();
    thread::sleep(LONG); // so long the client reads nothing
    assert_same(&client.read_payload(sent), &numbered(sent));
    client.expect_close_then_answer(1000);
    backend.expect_fin();
    drop((client, backend));
    rig.finish();
}

/// Sends until the gateway holds bytes that the client's socket does not take, but few enough to read on; how many were
/// sent.
#[track_caller]
fn send_until_held(gateway: &Gateway, client: &Wire, backend: &mut Wire) -> usize {
    let payload = numbered(BULK);
    for (number, chunk) in payload.chunks(CHUNK).enumerate() {
        backend.send(chunk);
        let sent = (number + 1) * CHUNK;
        eventually("the gateway has read the chunk", || (gateway.unread_from(backend) == 0).then_some(()));
        let passed_on = within(PAUSE, || (gateway.untaken_by(client) >= sent as u64).then_some(()));
        if passed_on.is_none() {
            return sent;
        }
    }
    panic!("the sockets take everything");
}

/// Half of what the gateway may hold before it reads no more.
const CHUNK: usize = 32 << 10;

/// How long a socket that takes nothing counts as full.
const PAUSE: Duration = Duration::from_millis(500);
