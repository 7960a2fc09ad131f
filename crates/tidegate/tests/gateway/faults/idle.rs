//! Thousands of WebSockets on which nothing happens.

use std::time::Duration;

use tidegate_testkit::{Deadline, Gateway, Wire, eventually};

use crate::admin::{ADMIN, scrape};
use crate::rig::gateway;

/// Fewer only where the system does not give the descriptors.
const SESSIONS: usize = 3_000;

/// Bytes of memory that each may cost, pings included.
const BYTES_PER_SESSION: u64 = 4 << 10;

/// Seconds between pings. The first ones come within half of that before and after.
const INTERVAL: u32 = 6;

/// They cost what they may cost, and are not pinged all at once although they came all at once.
#[test]
fn t245_thousands_of_idle_websockets_fit_their_budget_and_their_pings_are_spread() {
    let descriptors = usize::try_from(Gateway::raise_descriptor_limit()).unwrap_or(usize::MAX);
    let sessions = SESSIONS.min((descriptors - 1_000) / 2);
    let route = format!("ping_interval = '{INTERVAL}s'\nping_timeout = 0");
    let gateway = gateway().top(ADMIN).top("workers = 1").route("/echo", "echo:", &route).start();
    drop(gateway.open("/echo"));
    pings(&gateway);
    let before = gateway.proportional_memory();
    let clients: Vec<Wire> = (0..sessions).map(|_| gateway.open("/echo")).collect();

    let (opened, mut looks) = (Deadline::patient(), Vec::new());
    eventually("each was pinged", || {
        let pings = pings(&gateway);
        looks.push((opened.elapsed(), pings));
        (pings >= sessions).then_some(())
    });
    let cost = gateway.proportional_memory().saturating_sub(before) / sessions as u64;
    println!("{cost} bytes for each");
    assert!(cost <= BYTES_PER_SESSION, "{cost} bytes for each");

    // In a second a sixth of them is due.
    let window = Duration::from_secs(1);
    let most = looks.iter().map(|(begun, first)| {
        let within = looks.iter().take_while(|(at, _)| *at <= *begun + window);
        within.last().map_or(0, |(_, last)| last - first)
    });
    let most = most.max().unwrap();
    println!("{most} of {sessions} pings in a second");
    assert!(most <= sessions / 2, "{most} of {sessions} pings came in one second");
    drop(clients);
    gateway.finish();
}

/// Pings that it has sent.
fn pings(gateway: &Gateway) -> usize {
    scrape(gateway).find("tidegate_pings_sent_total{route=\"/echo\"}").unwrap_or(0.0) as usize
}
