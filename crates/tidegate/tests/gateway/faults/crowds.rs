//! Very many at once.

use std::thread;

use tidegate_testkit::{Canary, Frame, Gateway, Request};

use super::expect_echo;
use crate::rig::{Far, Rig, Session};

/// Twice as many descriptors on either side.
const CROWD: usize = 400;

/// Clients that are all gone in one moment, in the middle of what they were about.
#[test]
fn f32_clients_that_reset_all_at_once_leave_nothing_behind() {
    Gateway::raise_descriptor_limit();
    let rig = Rig::start();
    let canary = Canary::of(&rig.gateway, "/echo");
    let unfinished = &Frame::binary([7; 1000]).masked().encode()[..500];
    let mut crowd: Vec<Session> =
        [Far::Tcp, Far::Ws, Far::Echo].iter().flat_map(|far| (0..CROWD).map(|_| rig.open(*far))).collect();
    for session in &mut crowd {
        session.client.send(unfinished);
    }
    let halves: Vec<_> = (0..CROWD)
        .map(|_| {
            let mut client = rig.gateway.connect();
            client.send(&Request::upgrade("/echo").encode()[..40]);
            client
        })
        .collect();
    let backends: Vec<_> =
        crowd.into_iter().map(|session| session.into_backend_after(|client| client.reset())).collect();
    halves.into_iter().for_each(|client| client.reset());
    expect_echo(&mut rig.gateway.open("/echo"));
    for mut backend in backends.into_iter().flatten() {
        while backend.read_some_or_end().is_some() {}
    }
    canary.finish();
    rig.gateway.rest();
    rig.finish();
}

/// Sessions that come and go from all sides, each at a moment of its own.
#[test]
fn t250_a_thousand_sessions_that_come_and_go_at_once() {
    const THREADS: usize = 8;
    const SESSIONS: usize = 125;
    Gateway::raise_descriptor_limit();
    let rig = Rig::start();
    let canary = Canary::of(&rig.gateway, "/echo");
    let threads_before = rig.gateway.threads();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let gateway = &rig.gateway;
            scope.spawn(move || {
                let mut open = Vec::new();
                for number in 0..SESSIONS {
                    let mut client = gateway.open("/echo");
                    if (number * 7 + thread) % 3 == 0 {
                        expect_echo(&mut client);
                    }
                    open.push(client);
                    // In an order that is neither that of their coming nor its reverse, and in every way.
                    if open.len() > 20 + thread {
                        let mut gone = open.swap_remove((number * 13 + thread) % open.len());
                        match number % 3 {
                            0 => gone.reset(),
                            1 => gone.hang_up(),
                            _ => {
                                gone.send_frame(&Frame::close(1000, "").masked());
                                gone.expect_close(1000);
                            }
                        }
                    }
                }
            });
        }
    });
    canary.finish();
    rig.gateway.rest();
    assert_eq!(rig.gateway.threads(), threads_before);
    let lines = || rig.gateway.access_lines().len();
    tidegate_testkit::eventually("each has one line, and the canary", || {
        (lines() == THREADS * SESSIONS + 1).then_some(())
    });
    rig.finish();
}
