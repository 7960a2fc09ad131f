//! Many hand-overs while sessions carry data that is verified, and others connect all the time.
//!
//! `TIDEGATE_UPGRADES` and `TIDEGATE_UPGRADE_CLIENTS` make more of it than belongs into every run.

use std::env;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tidegate_testkit::{Frame, Gateway, Request, Wire, eventually};

use crate::reload::load::echoing_service;
use crate::rig::{assert_same, gateway, numbered};

/// Threads that have sessions.
const MOVERS: usize = 4;

/// Sessions of each kind whose clients stop reading while hand-overs happen.
const STALLED: usize = 2;

/// Bytes for each of them: more than both processes and the kernel may hold.
const STALLED_BYTES: usize = 16 << 20;

/// What is verified is data alone.
const NO_PINGS: &str = "ping_interval = 0";

const TARGETS: [&str; 3] = ["/echo", "/tcp", "/ws"];

fn number(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |number| number.parse().unwrap_or_else(|_| panic!("{name}={number}")))
}

fn open(address: std::net::SocketAddr, target: &str) -> Wire {
    let mut wire = Wire::connect(address);
    wire.send(Request::upgrade(target).encode());
    assert_eq!(wire.read_head().status(), 101);
    wire
}

/// The forms that a message takes on its way in.
fn forms(payload: &[u8]) -> [Vec<u8>; 3] {
    let (first, rest) = payload.split_at(payload.len() / 3);
    let fragments = [Frame::binary(first).unfinished().masked(), Frame::continuation(rest).masked()];
    [
        Frame::binary(payload).masked().encode(),
        fragments.iter().flat_map(Frame::encode).collect(),
        Frame::binary(&payload[..40]).masked().encode(),
    ]
}

/// Sends each session a message in pieces, so that most of them are in the middle of one at any time, and has it back.
fn rounds(share: &mut [Wire], payload: &[u8], stop: &AtomicBool) -> usize {
    let forms = forms(payload);
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        for (form, wire) in forms.iter().enumerate() {
            let expected = if form == 2 { &payload[..40] } else { payload };
            let piece = if form == 2 { 1 } else { wire.len() / 5 };
            for bytes in wire.chunks(piece) {
                share.iter_mut().for_each(|session| session.send(bytes));
            }
            for session in share.iter_mut() {
                assert_same(&session.read_payload(expected.len()), expected);
            }
            rounds += share.len();
        }
    }
    rounds
}

/// Opens and leaves again and again: nobody may be refused at any time.
fn come_and_go(address: std::net::SocketAddr, stop: &AtomicBool) -> usize {
    let mut opened = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut client = open(address, TARGETS[opened % TARGETS.len()]);
        client.send_frame(&Frame::binary("just looking").masked());
        assert_eq!(client.read_payload(12), b"just looking");
        client.send_frame(&Frame::close(1000, "").masked());
        client.expect_close(1000);
        opened += 1;
    }
    opened
}

/// The longest pause in `…, the longest pause 12.3 ms; …`.
fn longest_pause(said: &str) -> f64 {
    let (_, rest) = said.split_once("the longest pause ").unwrap();
    rest.split_once(" ms").unwrap().0.parse().unwrap()
}

#[test]
fn f60_hand_overs_touch_nobody() {
    let upgrades = number("TIDEGATE_UPGRADES", 5);
    let clients = number("TIDEGATE_UPGRADE_CLIENTS", 120);
    Gateway::raise_descriptor_limit();
    let service = echoing_service();
    let ws = gateway().route("/ws", "echo:", NO_PINGS).start();
    let mut gateway = gateway()
        .route("/echo", "echo:", NO_PINGS)
        .route("/tcp", &format!("tcp://{service}"), NO_PINGS)
        .route("/ws", &format!("ws://{}/ws", ws.address()), NO_PINGS)
        .start();
    let (address, descriptors) = (gateway.address(), gateway.descriptors() - gateway.pipes());
    let mut sessions: Vec<Wire> = (0..clients).map(|n| open(address, TARGETS[n % 3])).collect();
    let payload = numbered(3_000);
    let bulk = numbered(STALLED_BYTES);
    let in_frames: Vec<u8> =
        bulk.chunks(1 << 18).flat_map(|part| Frame::binary(part).masked().encode()).collect();
    let (stop, moved) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for share in sessions.chunks_mut(clients.div_ceil(MOVERS)) {
            scope.spawn(|| moved.fetch_add(rounds(share, &payload, &stop), Ordering::Relaxed));
        }
        let visitors = scope.spawn(|| come_and_go(address, &stop));
        let mut stalled: Vec<(Wire, usize)> = Vec::new();
        for n in 0..3 * STALLED {
            let session = open(address, TARGETS[n % 3]);
            let mut writer = session.handle();
            let in_frames = &in_frames;
            scope.spawn(move || writer.send(in_frames));
            stalled.push((session, 0));
        }
        let mut longest = 0.0_f64;
        for _ in 0..upgrades {
            let said = gateway.upgrade();
            assert!(said.contains("handed over to process"), "{said}");
            longest = longest.max(longest_pause(&said));
            // Who takes nothing at all for half a minute would be given up.
            for (session, read) in &mut stalled {
                let part = session.read_payload(256 << 10);
                assert_same(&part, &bulk[*read..*read + part.len()]);
                *read += part.len();
            }
        }
        for (session, read) in &mut stalled {
            assert_same(&session.read_payload(bulk.len() - *read), &bulk[*read..]);
        }
        stop.store(true, Ordering::Relaxed);
        println!(
            "{upgrades} hand-overs, {clients} sessions: {} visitors, the longest pause {longest:.1} ms",
            visitors.join().unwrap()
        );
    });
    println!("{} rounds", moved.load(Ordering::Relaxed));
    assert!(moved.load(Ordering::Relaxed) > clients);
    drop(sessions);
    // Pipes for bulk data stay with their workers.
    eventually("no descriptor is left over", || {
        (gateway.descriptors() - gateway.pipes() <= descriptors).then_some(())
    });
    gateway.finish();
    ws.finish();
}
