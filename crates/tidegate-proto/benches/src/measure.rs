//! CPU time of one thread, taken in turns, so that what disturbs the machine disturbs all alike.

use crate::peers::{LIMITS, NAMES, Subject, all};
use crate::wire::{Row, Wire};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds per frame of each peer; `None` where it does not do what the row asks for.
pub type Times = [Option<f64>; NAMES.len()];

/// Each peer's median over `rounds` turns, after its result was checked.
///
/// # Panics
/// If the payloads that a peer hands out are not those that were sent.
pub fn row(row: Row, rounds: usize) -> Times {
    let wire = Wire::new(row);
    let mut peers = all(&wire);
    for (peer, name) in peers.iter_mut().zip(NAMES).take(NAMES.len() - LIMITS) {
        if let Some(peer) = peer {
            for _ in 0..2 {
                assert_eq!(peer.digest(), wire.digest, "{name} at {} tells what was not sent", row.name);
            }
        }
    }
    let mut turns: [Vec<f64>; NAMES.len()] = Default::default();
    for _ in 0..rounds {
        for (peer, turns) in peers.iter_mut().zip(&mut turns) {
            if let Some(peer) = peer {
                turns.push(turn(peer.as_mut()) / wire.frames as f64);
            }
        }
    }
    turns.map(|mut turns| median(&mut turns))
}

pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// CPU nanoseconds of one pass: the mean over a few milliseconds, after one that fills the caches again.
fn turn(peer: &mut dyn Subject) -> f64 {
    const NANOSECONDS_MIN: u64 = 4_000_000;
    peer.pass();
    let start = now();
    for passes in 1.. {
        peer.pass();
        let spent = now() - start;
        if spent >= NANOSECONDS_MIN {
            return spent as f64 / f64::from(passes);
        }
    }
    unreachable!("the clock stands still")
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
