//! Peers that take nothing for thirty seconds are given up. One test, so that the half minute passes once, in the module
//! that comes first in the order of names, so that it passes while the others run.

use std::time::Duration;

use tidegate_testkit::Frame;

use crate::rig::{Far, Rig, Session, expect_line};

/// Nothing may happen before the thirty seconds are over; a little less, because some have begun already.
const QUIET: Duration = Duration::from_secs(25);

#[test]
fn ends_write_stalled_for_30_s() {
    let rig = Rig::with("ping_interval = 0");
    let [deaf_client, mut deaf_client_ws] = [Far::Tcp, Far::Ws].map(|far| with_deaf_client(&rig, far));
    let [deaf_backend, mut deaf_backend_ws] = [Far::Tcp, Far::Ws].map(|far| with_deaf_backend(&rig, far));

    assert!(deaf_backend_ws.client.is_silent_for(QUIET));
    for mut session in [deaf_backend, deaf_backend_ws] {
        session.client.expect_close_then_answer(1013);
        expect_line(&rig.gateway, session, "backend_stalled", 1013, "gateway");
    }
    assert_eq!(deaf_client_ws.backend().read_frame().close_code(), Some(1001));
    for session in [deaf_client, deaf_client_ws] {
        expect_line(&rig.gateway, session, "client_stalled", 1006, "gateway");
    }
    rig.finish();
}

/// A session whose client is sent more than it takes.
fn with_deaf_client(rig: &Rig, far: Far) -> Session {
    let mut session = rig.open(far);
    session.backend().send_until_stalled(&Frame::binary([1; 1 << 16]).encode(), MORE, PAUSE);
    session
}

/// A session whose backend is sent more than it takes.
fn with_deaf_backend(rig: &Rig, far: Far) -> Session {
    let mut session = rig.open(far);
    session.client.send_until_stalled(&Frame::binary([1; 1 << 16]).masked().encode(), MORE, PAUSE);
    session
}

/// More than anybody takes who is not read.
const MORE: usize = 64 << 20;

/// How long a socket that takes nothing counts as stalled.
const PAUSE: Duration = Duration::from_millis(200);
