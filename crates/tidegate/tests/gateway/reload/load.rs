//! Many reloads while sessions carry data that is verified, and others connect all the time.
//!
//! `TIDEGATE_RELOADS` and `TIDEGATE_RELOAD_CLIENTS` make more of it than belongs into every run.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tidegate_testkit::{Builder, Frame, Gateway, Wire, eventually};

use super::status;
use crate::rig::{gateway, numbered};

/// Threads that have sessions.
const MOVERS: usize = 4;

/// What the gateway may have more of its memory in use at the end than after the first tenth: what the allocator keeps.
const BYTES_GROWN: u64 = 8 << 20;

fn number(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |number| number.parse().unwrap_or_else(|_| panic!("{name}={number}")))
}

/// A TCP service that answers everything with itself, for as long as the test runs.
pub(crate) fn echoing_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || {
                    let mut bytes = [0; 16 << 10];
                    while let Ok(read @ 1..) = client.read(&mut bytes) {
                        client.write_all(&bytes[..read]).unwrap();
                    }
                })
                .unwrap();
        }
    });
    address
}

/// The file of one generation: `/tcp` changes with each, `/only-N` is only there in one, `/echo` stays. Where there are
/// many of them clients are there for so long that they would be pinged, and all that they await is data.
fn generation(service: SocketAddr, n: usize) -> Builder {
    let idle = format!("ping_interval = 0\nidle_timeout = '{}s'", 1_000 + n);
    gateway()
        .route("/echo", "echo:", "ping_interval = 0")
        .route("/tcp", &format!("tcp://{service}"), &idle)
        .route(&format!("/only-{n}"), "echo:", "")
}

/// Sends a message and has exactly it back, whatever frames it comes in.
fn round(client: &mut Wire, payload: &[u8]) {
    client.send_frame(&Frame::binary(payload).masked());
    assert_eq!(client.read_payload(payload.len()), payload);
}

/// Opens and leaves again and again: nobody may be refused at any time.
fn come_and_go(gateway: &Gateway, stop: &AtomicBool) -> usize {
    let mut opened = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut client = gateway.open("/echo");
        round(&mut client, b"just looking");
        client.send_frame(&Frame::close(1000, "").masked());
        client.expect_close(1000);
        opened += 1;
    }
    opened
}

#[test]
fn f39_f41_a_hundred_reloads_touch_nobody() {
    let (reloads, clients) = (number("TIDEGATE_RELOADS", 100), number("TIDEGATE_RELOAD_CLIENTS", 200));
    Gateway::raise_descriptor_limit();
    let service = echoing_service();
    let gateway = generation(service, 0).start();
    let descriptors = gateway.descriptors();
    let mut sessions: Vec<Wire> =
        (0..clients).map(|n| gateway.open(if n % 2 == 0 { "/echo" } else { "/tcp" })).collect();
    let payload = numbered(3_000);
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for share in sessions.chunks_mut(clients.div_ceil(MOVERS)) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    share.iter_mut().for_each(|session| round(session, &payload));
                    rounds.fetch_add(share.len(), Ordering::Relaxed);
                }
            });
        }
        let visitors = scope.spawn(|| come_and_go(&gateway, &stop));
        let mut early = None;
        for n in 1..=reloads {
            let told = gateway.reload(&generation(service, n));
            assert!(told.contains("routes: 1 added, 1 changed, 1 removed"), "{told}");
            assert_eq!(status(&gateway, &format!("/only-{n}")), 101);
            assert_eq!(status(&gateway, &format!("/only-{}", n - 1)), 404);
            if n == reloads.div_ceil(10) {
                early = Some(gateway.memory());
            }
        }
        let grown = gateway.memory().saturating_sub(early.unwrap_or_default());
        stop.store(true, Ordering::Relaxed);
        println!(
            "{reloads} reloads, {clients} sessions: {} visitors, {} rounds, {grown} bytes grown",
            visitors.join().unwrap(),
            rounds.load(Ordering::Relaxed)
        );
        assert!(grown <= BYTES_GROWN, "{grown} bytes");
    });
    // Everybody is there, and was there all the time.
    sessions.iter_mut().for_each(|session| round(session, &payload));
    drop(sessions);
    eventually("no descriptor is left over", || (gateway.descriptors() <= descriptors).then_some(()));
    gateway.finish();
}
