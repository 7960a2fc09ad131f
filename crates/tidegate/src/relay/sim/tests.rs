//! Two hundred seeds each time, more of them or a certain one on demand; `docs/simulation.md` says how.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tidegate_proto::hybi00::Coding;
use tidegate_proto::{CloseCode, Limits, Reserved};

use super::plan::{Act, ClientKind, FarKind, Pace, Plan, Script};
use super::{Choices, perform, play};
use crate::io::simulated::Ending;
use crate::outcome::{Cause, End};

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}

#[test]
fn whatever_happens_the_relay_keeps_its_promises() {
    if let Some(seed) = number("TIDEGATE_SIM_SEED") {
        return play(Choices::seeded(seed));
    }
    let seeds = 0..number("TIDEGATE_SIM_SEEDS").unwrap_or(SEEDS);
    let fails = |seed: &u64| catch_unwind(AssertUnwindSafe(|| play(Choices::seeded(*seed)))).is_err();
    let failed: Vec<_> = seeds.filter(fails).take(20).collect();
    assert!(
        failed.is_empty(),
        "again: TIDEGATE_SIM_SEED=… cargo test -p tidegate --lib relay::sim; failed: {failed:?}"
    );
}

#[test]
fn a_seed_plays_the_same_each_time() {
    let draw = |seed| {
        let mut choices = Choices::seeded(seed);
        format!("{:?} {}", super::plan::make(&mut choices), choices.below(1 << 30))
    };
    assert!((0..20).all(|seed| draw(seed) == draw(seed)));
    assert_ne!(draw(1), draw(2));
}

/// Somebody who does these things, reads everything at once, and does all that is expected of it.
fn script(acts: Vec<Act>) -> Script {
    Script {
        acts,
        early: 0,
        answers_pings: true,
        answers_ends: true,
        goes_on: false,
        pace: Pace::Prompt,
        capacities: [1 << 16; 2],
        buffers_writes: false,
        lengths: Choices::seeded(0),
        len_max: usize::MAX,
    }
}

fn plan(far: FarKind, coding: ClientKind, client: Script, backend: Script) -> Plan {
    let limits = Limits { frame_bytes_max: 1 << 20, ..Limits::NONE };
    let orders = vec![(Duration::from_secs(60), Cause::Operator, CloseCode::GOING_AWAY)];
    let route = "ping_interval = 0\nmax_message = '1TiB'\nmax_fragments = 1000000".to_owned();
    Plan { far, coding, limits, route, client, backend, orders }
}

/// It takes nothing, so neither what TLS says at its end. It is let go all the same.
#[test]
fn a_tls_peer_with_its_window_shut_is_let_go() {
    for seed in 0..10 {
        let shut = |acts| Script {
            pace: Pace::Never,
            capacities: [1 << 16, 1],
            buffers_writes: true,
            ..script(acts)
        };
        let tcp = FarKind::Tcp { text: false, binary_only: false };
        let says = || script(vec![Act::Say(vec![7; 500])]);
        let plan = plan(tcp, ClientKind::Plain, shut(Vec::new()), says());
        // That it ends at all is for the stage to see.
        assert_eq!(
            perform(&plan, Choices::seeded(seed)).end,
            End::Told(Cause::Operator, CloseCode::GOING_AWAY)
        );
    }
}

/// A binary message cannot be passed on to a client of text; what the backend says after it would follow a gap.
#[test]
fn what_follows_a_message_that_cannot_be_passed_on_is_not_passed_on() {
    for seed in 0..20 {
        let second = || Act::Rest(Duration::from_secs(1));
        let client = script(vec![second(), Act::Say(b"\xff\0".to_vec())]);
        let frames = [&b"\x81\x03one"[..], b"\x82\x03two", b"\x81\x05three", b"\x88\0"];
        let acts = frames.iter().flat_map(|frame| [Act::Say(frame.to_vec()), second()]);
        let backend = Script { answers_ends: false, ..script(acts.collect()) };
        let far = FarKind::WebSocket(Reserved::None);
        let plan = plan(far, ClientKind::Hybi00(Coding::Text), client, backend);
        let played = perform(&plan, Choices::seeded(seed));
        assert!(!played.client.received.windows(5).any(|word| word == b"three"), "{played:?}");
    }
}

/// What the backend says to a client that has reset is read and dropped: it waits nowhere.
#[test]
fn nothing_is_held_for_a_client_that_has_reset() {
    let frame = [&b"\x82\x7f\0\0\0\0\0\x04\0\0"[..], &[7; 0x4_0000]].concat();
    for seed in 0..10 {
        let client = script(vec![Act::End(Ending::Reset)]);
        let backend = Script { pace: Pace::Never, ..script(vec![Act::Say(frame.clone()); 10]) };
        let far = FarKind::WebSocket(Reserved::None);
        let plan = plan(far, ClientKind::Plain, client, backend);
        assert_eq!(perform(&plan, Choices::seeded(seed)).end, End::ClientLost);
    }
}
