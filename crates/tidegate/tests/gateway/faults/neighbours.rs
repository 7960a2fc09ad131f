//! What peers that stall, and backends that die, cost everybody else.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Backend, Frame, Gateway, Wire};

use crate::rig::{Far, Rig, SEGMENT, Session, WINDOW};

/// So many connections, a fifth of which stalls; as many of those at the client as at the backend, and on either route.
const CONNECTIONS: usize = 500;
const STALLED: usize = CONNECTIONS / 5;

/// What a stalled one may cost, and once for each worker its own buffer.
const BYTES_PER_STALLED: u64 = 128 << 10;
const BYTES_PER_WORKER: u64 = 1 << 20;
const WORKERS: u64 = 2;

/// What each tries to get rid of, and how long a socket that takes nothing counts as stalled.
const FLOOD: usize = 64 << 20;
const PAUSE: Duration = Duration::from_millis(200);

#[test]
fn f13_f15_f28_a_stalled_peer_among_five_hundred_costs_128_kib_at_most() {
    Gateway::raise_descriptor_limit();
    Rig::each_between(far_away, &format!("workers = {WORKERS}"), |rig| {
        let mut stalling: Vec<Session> = open(&rig);
        let mut others: Vec<Wire> = (STALLED..CONNECTIONS).map(|_| rig.gateway.open("/echo")).collect();
        talk(&mut others, 2);
        let before = rig.gateway.memory();
        stall(&mut stalling);
        talk(&mut others, 2);
        let grown = rig.gateway.memory().saturating_sub(before);
        println!("{grown} bytes more");
        let allowed = BYTES_PER_WORKER * WORKERS + BYTES_PER_STALLED * STALLED as u64;
        assert!(grown <= allowed, "{grown} bytes for {STALLED} stalled connections");
        drop((stalling, others));
        rig.finish();
    });
}

/// A gateway without faults and one with them are asked in turn. What counts is the processor time that the messages of
/// the others take: that somebody else has the processor is no fault of the gateway. Chance evens out, the longer the
/// better; what stalled peers cost does not. Over plain TCP: TLS would cost the same with the faults and without them.
#[test]
fn f05_f13_f15_others_keep_nine_tenths_of_their_throughput() {
    const OTHERS: usize = 32;
    const ROUNDS: usize = 40;
    /// Backends that die in the midst of a span.
    const DYING: usize = 4;
    const SPANS_MIN: usize = 4;
    const SPANS_MAX: usize = 60;
    Gateway::raise_descriptor_limit();
    let [calm, faulty] = [(); 2].map(|()| rig(1));
    let [mut calm_others, mut others] =
        [&calm, &faulty].map(|rig| (0..OTHERS).map(|_| rig.gateway.open("/echo")).collect::<Vec<_>>());
    let mut stalling = open(&faulty);
    stall(&mut stalling);
    let (mut without, mut with, mut spans) = (Duration::ZERO, Duration::ZERO, 0);
    while spans < SPANS_MIN || without < with.mul_f64(0.9) {
        assert!(spans < SPANS_MAX, "{without:?} without the faults, {with:?} with them");
        spans += 1;
        without += cost(&calm.gateway, || talk(&mut calm_others, 2 * ROUNDS));
        let dying: Vec<(Wire, Wire)> = (0..DYING).map(|_| faulty.open_tcp()).collect();
        with += cost(&faulty.gateway, || {
            talk(&mut others, ROUNDS);
            for (_client, mut backend) in dying {
                backend.send([7; 2500]);
                backend.reset();
            }
            talk(&mut others, ROUNDS);
        });
    }
    drop((stalling, others, calm_others));
    calm.finish();
    faulty.finish();
}

fn far_away() -> Backend {
    Backend::bind_narrow(SEGMENT, WINDOW)
}

/// A gateway whose backends are far away.
fn rig(workers: u64) -> Rig {
    Rig::between(far_away(), far_away(), &format!("workers = {workers}"), "")
}

/// Those that are to stall: of each kind as many, those at the end of a long line and some on this machine. With all of them
/// here, the kernel would run short of memory for TCP, and sockets would take less than they had room for.
fn open(rig: &Rig) -> Vec<Session> {
    let each = (0..STALLED).map(|number| match number % 4 {
        0 => rig.open(Far::Tcp),
        2 => rig.open_tcp_narrow().into(),
        _ => rig.open(Far::Ws),
    });
    each.collect()
}

/// Floods one end of each, now the client and now the backend, while nobody reads the other.
fn stall(sessions: &mut [Session]) {
    let message = [7; 1 << 16];
    let (to_backend, to_client) = (Frame::binary(message).masked().encode(), Frame::binary(message).encode());
    thread::scope(|scope| {
        for (number, session) in sessions.iter_mut().enumerate() {
            let (to_backend, to_client) = (&to_backend, &to_client);
            scope.spawn(move || {
                let sent = if (number / 2).is_multiple_of(2) {
                    session.client.send_until_stalled(to_backend, FLOOD, PAUSE)
                } else {
                    session.backend().send_until_stalled(to_client, FLOOD, PAUSE)
                };
                assert!(sent < FLOOD, "{number} was never made to wait");
            });
        }
    });
}

/// So many messages from each and back, those of a round at once.
fn talk(others: &mut [Wire], rounds: usize) {
    let message = Frame::binary([5; 1000]);
    for _ in 0..rounds {
        for other in &mut *others {
            other.send_frame(&message.clone().masked());
        }
        for other in &mut *others {
            assert_eq!(other.read_frame(), message);
        }
    }
}

/// The gateway's processor time for that.
fn cost(gateway: &Gateway, work: impl FnOnce()) -> Duration {
    let before = gateway.cpu();
    work();
    gateway.cpu() - before
}
