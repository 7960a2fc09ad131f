//! What connections cost that have moved data and are quiet now: next to nothing.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Frame, Gateway};

use crate::rig::{Far, Rig, Session, assert_same, beside, numbered};

/// Fewer only where the system does not give the descriptors: two for each on either side of the gateway.
const CONNECTIONS: usize = 5_000;

/// So many of them do not take what they are sent, at first: half of them at the client, half at the backend.
const STALLED: usize = 100;

/// Bytes of memory that each may cost for being there. A buffer of any kind would be more than what is left.
const BYTES_PER_CONNECTION: u64 = 4 << 10;

/// Bytes by which each may cost more once it has moved data.
const BYTES_GROWN: u64 = 256;

/// What the allocator keeps of the memory that stalled connections had, however many connections there are.
const BYTES_KEPT: u64 = 8 << 20;

/// What each moves in either direction.
const MIB: usize = 1 << 20;

/// Threads that move it. The gateway has as many.
const MOVERS: usize = 2;

/// How long a socket that takes nothing counts as stalled, and what none takes before that.
const PAUSE: Duration = Duration::from_millis(300);
const FLOOD: usize = 64 << 20;

#[test]
fn i4_five_thousand_quiet_connections_hold_no_buffers() {
    let descriptors = usize::try_from(Gateway::raise_descriptor_limit()).unwrap_or(usize::MAX);
    let connections = CONNECTIONS.min((descriptors - 1_000) / 2);
    let rig = Rig::with_top(&format!("workers = {MOVERS}"), "ping_interval = 0");
    let payload = numbered(MIB);
    let frame = Frame::binary(&payload).masked().encode();
    let warm: Vec<Session> = (0..2 * MOVERS).map(|_| rig.open(Far::Tcp)).collect();
    move_both_ways(warm, &payload, &frame);
    let before = rig.gateway.proportional_memory();

    let mut sessions: Vec<Session> = (0..connections).map(|_| rig.open(Far::Tcp)).collect();
    let opened = rig.gateway.proportional_memory();
    stall_and_drain(&mut sessions[..STALLED], &payload, &frame);
    let sessions = move_both_ways(sessions, &payload, &frame);
    let quiet = rig.gateway.proportional_memory();
    let count = connections as u64;
    let (cost, grown) = (opened.saturating_sub(before), quiet.saturating_sub(opened));
    println!(
        "{connections} connections: {} bytes for each when opened, {} more after 2 MiB and quiet",
        cost / count,
        grown / count
    );
    assert!(cost <= BYTES_PER_CONNECTION * count, "{cost} bytes");
    assert!(grown <= BYTES_KEPT + BYTES_GROWN * count, "{grown} bytes more than when they were opened");

    // They are quiet, not dead.
    for mut session in sessions.into_iter().step_by(50) {
        session.client.send_frame(&Frame::binary("still there?").masked());
        assert_eq!(session.backend().read_exact(12), b"still there?");
    }
    rig.finish();
}

/// TLS keeps keys and some buffers for as long as a connection lives; what it made of a message is gone with it.
#[test]
fn i4_quiet_connections_over_tls_hold_their_session_and_no_messages() {
    const CONNECTIONS: usize = 300;
    const BYTES_PER_TLS_CONNECTION: u64 = 16 << 10;
    let rig = Rig::secure_with("");
    let payload = numbered(MIB / 4);
    let frame = Frame::binary(&payload).masked().encode();
    let speak = |session: &mut Session| {
        let writer = session.client.handle();
        beside(writer, &frame, || assert_same(&session.client.read_payload(payload.len()), &payload));
    };
    (0..8).for_each(|_| speak(&mut rig.open(Far::Echo))); // what the workers themselves need
    let before = rig.gateway.proportional_memory();
    let mut sessions: Vec<Session> = (0..CONNECTIONS).map(|_| rig.open(Far::Echo)).collect();
    sessions.iter_mut().for_each(speak);
    let each = rig.gateway.proportional_memory().saturating_sub(before) / CONNECTIONS as u64;
    println!("{each} bytes for each");
    assert!(each <= BYTES_PER_TLS_CONNECTION, "{each} bytes for each quiet connection");
    drop(sessions);
    rig.finish();
}

/// A megabyte from each client to its backend, and one back.
fn move_both_ways(sessions: Vec<Session>, payload: &[u8], frame: &[u8]) -> Vec<Session> {
    let mut sessions = sessions;
    let share = sessions.len().div_ceil(MOVERS);
    thread::scope(|scope| {
        for share in sessions.chunks_mut(share) {
            scope.spawn(move || {
                for session in share {
                    let writer = session.client.handle();
                    beside(writer, frame, || assert_same(&session.backend().read_exact(MIB), payload));
                    let writer = session.backend().handle();
                    beside(writer, payload, || assert_same(&session.client.read_payload(MIB), payload));
                }
            });
        }
    });
    sessions
}

/// All of these are sent more than they take, all at once; then they take it, and nothing of it is missing.
fn stall_and_drain(sessions: &mut [Session], payload: &[u8], frame: &[u8]) {
    let (at_backend, at_client) = sessions.split_at_mut(STALLED / 2);
    let upload = stall(at_backend, |session| session.client.send_until_stalled(frame, FLOOD, PAUSE));
    let download = stall(at_client, |session| session.backend().send_until_stalled(payload, FLOOD, PAUSE));
    for (session, taken) in at_backend.iter_mut().zip(upload) {
        beside(session.client.handle(), rest_of(frame, taken), || {
            for _ in 0..taken.div_ceil(frame.len()) {
                assert_same(&session.backend().read_exact(MIB), payload);
            }
        });
    }
    for (session, taken) in at_client.iter_mut().zip(download) {
        let whole = taken.div_ceil(MIB);
        beside(session.backend().handle(), rest_of(payload, taken), || {
            let received = session.client.read_payload(whole * MIB);
            received.chunks(MIB).for_each(|chunk| assert_same(chunk, payload));
        });
    }
}

/// Floods all of them at once until each stalls; how much each took.
fn stall(sessions: &mut [Session], flood: impl Fn(&mut Session) -> usize + Sync) -> Vec<usize> {
    let taken: Vec<_> = thread::scope(|scope| {
        let flooding: Vec<_> = sessions.iter_mut().map(|session| scope.spawn(|| flood(session))).collect();
        flooding.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(taken.iter().all(|taken| *taken < FLOOD), "{taken:?}: somebody was never made to wait");
    taken
}

/// What is missing of the last repetition of `bytes` when so many bytes of them were sent.
fn rest_of(bytes: &[u8], sent: usize) -> &[u8] {
    match sent % bytes.len() {
        0 => &[],
        begun => &bytes[begun..],
    }
}
