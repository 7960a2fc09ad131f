//! Many hand-overs while sessions carry data that is verified, and others connect all the time.
//!
//! `TIDEGATE_UPGRADES` and `TIDEGATE_UPGRADE_CLIENTS` make more of it than belongs into every run. With
//! `TIDEGATE_UPGRADE_PACE`, a number of milliseconds, each session has a message in so many and is in the middle of the
//! next one meanwhile; without it everybody sends as much as the processors do, and what a pause comes to says mostly how
//! busy they are.

use std::env;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustls::ClientConfig;
use tidegate_testkit::{Authority, Frame, Gateway, Request, Wire, eventually};

use super::pace::Paced;
use crate::reload::load::echoing_service;
use crate::rig::{assert_same, gateway, numbered};

/// Threads that have sessions.
const MOVERS: usize = 4;

/// Sessions of each kind whose clients read less than they are sent, so that every buffer on the way is full.
const SLOW: usize = 2;

/// What each of them sends, again and again, and in messages of how many bytes.
const SLOW_BYTES: usize = 4 << 20;
const SLOW_MESSAGE_BYTES: usize = 256 << 10;

/// How long such a client waits before it reads as much as a message again. That makes megabytes in a second: all the
/// buffers on the way have to be drained before who sends sees any of it, and nobody may take nothing at all for long.
const SLOW_PAUSE: Duration = Duration::from_millis(100);

/// Between two visitors where everybody keeps a pace.
const VISIT_PAUSE: Duration = Duration::from_millis(20);

/// How long sessions with a pace are watched before the first hand-over.
const QUIET: Duration = Duration::from_secs(5);

const TARGETS: [&str; 3] = ["/echo", "/tcp", "/ws"];

fn number(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |number| number.parse().unwrap_or_else(|_| panic!("{name}={number}")))
}

/// Where clients come in, whichever process is behind it.
struct Door {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Door {
    fn open(&self, target: &str) -> Wire {
        let mut wire = Wire::connect(self.address);
        if let Some(config) = &self.tls {
            wire = wire.secured_as_client(config, &self.address.ip().to_string());
        }
        wire.send(Request::upgrade(target).encode());
        assert_eq!(wire.read_head().status(), 101);
        wire
    }
}

/// Ends what the other threads do, also where this one fails.
struct StopAtEnd<'s>(&'s AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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

/// Opens and leaves again and again, with a pause in between: nobody may be refused at any time.
fn come_and_go(door: &Door, pause: Duration, stop: &AtomicBool) -> usize {
    let mut opened = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut client = door.open(TARGETS[opened % TARGETS.len()]);
        client.send_frame(&Frame::binary("just looking").masked());
        assert_eq!(client.read_payload(12), b"just looking");
        client.send_frame(&Frame::close(1000, "").masked());
        client.expect_close(1000);
        opened += 1;
        thread::sleep(pause);
    }
    opened
}

/// A client that sends as much as is taken, and reads slowly what comes back, until it has all of it. How much that was.
fn lag(mut session: Wire, stop: &AtomicBool) -> usize {
    const LAST: &str = "that was all";
    let bulk = numbered(SLOW_BYTES).repeat(2); // a frame may begin near the end of the first
    let messages = bulk[..SLOW_BYTES].chunks(SLOW_MESSAGE_BYTES).cycle();
    let sent = AtomicUsize::new(usize::MAX); // until it is known
    let mut writer = session.handle();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut count = 0;
            for message in messages.take_while(|_| !stop.load(Ordering::Relaxed)) {
                writer.send_frame(&Frame::binary(message).masked());
                count += message.len();
            }
            sent.store(count, Ordering::Relaxed);
            writer.send_frame(&Frame::ping(LAST).masked());
        });
        let (mut heard, mut due, mut is_answered) = (0, 0, false);
        while !is_answered || heard < sent.load(Ordering::Relaxed) {
            if heard >= due && !stop.load(Ordering::Relaxed) {
                due += SLOW_MESSAGE_BYTES;
                thread::sleep(SLOW_PAUSE);
            }
            let frame = session.read_frame();
            if frame.is_control() {
                assert_eq!(frame, Frame::pong(LAST));
                is_answered = true;
            } else {
                assert_same(&frame.payload, &bulk[heard % SLOW_BYTES..][..frame.payload.len()]);
                heard += frame.payload.len();
            }
        }
        heard
    })
}

/// The pauses in `…; pauses: median 1.2 ms, p99 3.4 ms, longest 5.6 ms; …`.
fn pauses(said: &str) -> [f64; 3] {
    ["median ", "p99 ", "longest "].map(|name| {
        let (_, rest) = said.split_once(name).unwrap_or_else(|| panic!("no {name}in: {said}"));
        rest.split_once(" ms").unwrap().0.parse().unwrap()
    })
}

#[test]
fn f60_hand_overs_touch_nobody() {
    println!("{}", hold(number("TIDEGATE_UPGRADES", 5), number("TIDEGATE_UPGRADE_CLIENTS", 120), None));
}

#[test]
fn f60_hand_overs_touch_nobody_over_tls() {
    let authority = Authority::new();
    println!(
        "{}",
        hold(number("TIDEGATE_UPGRADES", 3), number("TIDEGATE_UPGRADE_CLIENTS", 60), Some(&authority))
    );
}

/// A gateway that echoes behind each of [`TARGETS`], and the one that is its WebSocket backend. Clients speak TLS if there is
/// an authority.
fn echoing_gateway(authority: Option<&Authority>) -> (Gateway, Gateway) {
    const ROUTE: &str = "ping_interval = 0\norigins = ['http://gw.test']"; // what is verified is data alone
    let service = echoing_service();
    let ws = gateway().route("/ws", "echo:", ROUTE).start();
    let mut builder = gateway()
        .route("/echo", "echo:", ROUTE)
        .route("/tcp", &format!("tcp://{service}"), ROUTE)
        .route("/ws", &format!("ws://{}/ws", ws.address()), ROUTE);
    if let Some(authority) = authority {
        builder = builder.secure(authority, &authority.issue("127.0.0.1")).listener("tls_hand_over = true");
    }
    (builder.start(), ws)
}

/// Has the gateway hand over so many times. What it said, and the longest of each of [`pauses`].
fn hand_over(gateway: &mut Gateway, upgrades: usize, paced: Option<&Paced>) -> (String, [f64; 3]) {
    let (mut told, mut worst) = (String::new(), [0.0_f64; 3]);
    if let Some(paced) = paced {
        writeln!(told, "answers without a hand-over: {}", paced.watch(|| thread::sleep(QUIET))).unwrap();
    }
    for _ in 0..upgrades {
        let mut said = String::new();
        let answers = paced.map(|paced| paced.watch(|| said = gateway.upgrade()));
        if paced.is_none() {
            said = gateway.upgrade();
        }
        assert!(said.contains("handed over to process"), "{said}");
        writeln!(told, "{}", said.lines().last().unwrap_or_default()).unwrap();
        if let Some(answers) = answers {
            writeln!(told, "  {answers}").unwrap();
        }
        for (worst, pause) in worst.iter_mut().zip(pauses(&said)) {
            *worst = worst.max(pause);
        }
    }
    (told, worst)
}

/// So many hand-overs under so many clients, which speak TLS if there is an authority; what it came to.
fn hold(upgrades: usize, clients: usize, authority: Option<&Authority>) -> String {
    Gateway::raise_descriptor_limit();
    let (mut gateway, ws) = echoing_gateway(authority);
    let door = Door { address: gateway.address(), tls: authority.map(Authority::client) };
    let descriptors = gateway.descriptors() - gateway.pipes();
    let mut sessions: Vec<Wire> = (0..clients).map(|n| door.open(TARGETS[n % 3])).collect();
    let payload = numbered(3_000);
    let paced = Paced::by(Duration::from_millis(number("TIDEGATE_UPGRADE_PACE", 0) as u64));
    let pause = if paced.is_some() { VISIT_PAUSE } else { Duration::ZERO };
    let (stop, moved) = (AtomicBool::new(false), AtomicUsize::new(0));
    let told = thread::scope(|scope| {
        let _stop_too = StopAtEnd(&stop);
        for share in sessions.chunks_mut(clients.div_ceil(MOVERS)) {
            scope.spawn(|| {
                let rounds = match &paced {
                    Some(paced) => paced.rounds(share, &payload, &stop),
                    None => rounds(share, &payload, &stop),
                };
                moved.fetch_add(rounds, Ordering::Relaxed)
            });
        }
        let visitors = scope.spawn(|| come_and_go(&door, pause, &stop));
        let slow: Vec<_> = (0..3 * SLOW)
            .map(|n| {
                let session = door.open(TARGETS[n % 3]);
                scope.spawn(|| lag(session, &stop))
            })
            .collect();
        let (mut told, [median, p99, longest]) = hand_over(&mut gateway, upgrades, paced.as_ref());
        stop.store(true, Ordering::Relaxed);
        write!(
            told,
            "{upgrades} hand-overs, {clients} sessions, {} visitors, {} MiB to slow clients; pauses in the worst of \
             them: median {median:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms",
            visitors.join().unwrap(),
            slow.into_iter().map(|slow| slow.join().unwrap()).sum::<usize>() >> 20,
        )
        .unwrap();
        told
    });
    assert!(moved.load(Ordering::Relaxed) > clients);
    drop(sessions);
    // Pipes for bulk data stay with their workers.
    eventually("no descriptor is left over", || {
        (gateway.descriptors() - gateway.pipes() <= descriptors).then_some(())
    });
    gateway.finish();
    ws.finish();
    told
}
