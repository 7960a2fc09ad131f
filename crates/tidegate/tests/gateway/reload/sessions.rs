//! What becomes of WebSockets whose route has changed, or that are open for long enough.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Builder, Gateway, Wire};

use super::{echo, with_echo};
use crate::rig::{expect_line, gateway};

const ON_CHANGE: [&str; 3] = ["keep", "close", "drain 2s"];

/// One route for each value of `on_change`, all with these lines.
fn routes(lines: &str) -> Builder {
    ON_CHANGE.into_iter().fold(gateway(), |builder, on_change| {
        let path = format!("/{}", on_change.replace(' ', "-"));
        builder.route(&path, "echo:", &format!("on_change = '{on_change}'\n{lines}"))
    })
}

fn open_all(gateway: &Gateway) -> [Wire; 3] {
    ["/keep", "/close", "/drain-2s"].map(|path| {
        let mut client = gateway.open(path);
        echo(&mut client); // so it is known to be open there, and not only here
        client
    })
}

#[track_caller]
fn expect_told(gateway: &Gateway, mut client: Wire) {
    client.expect_close_then_answer(1001);
    expect_line(gateway, client, "reloaded", 1001, "gateway");
}

#[test]
fn f39_what_is_to_become_of_sessions_when_their_route_changes_or_goes() {
    for changed in [routes("max_frame = 200"), with_echo("/other")] {
        let gateway = routes("").start();
        let [mut kept, closed, drained] = open_all(&gateway);
        let told = gateway.reload(&changed);
        assert!(told.contains("WebSockets to close: 2"), "{told}");
        expect_told(&gateway, closed);
        expect_told(&gateway, drained);
        echo(&mut kept);
        drop(kept);
        gateway.finish();
    }
}

#[test]
fn f39_nothing_happens_to_sessions_whose_route_stays() {
    let gateway = routes("").start();
    let mut there = open_all(&gateway);
    // Another place in the file, other neighbours, another listener: the routes are as they were.
    let moved = ON_CHANGE.into_iter().rev().fold(with_echo("/other"), |builder, on_change| {
        let path = format!("/{}", on_change.replace(' ', "-"));
        builder.route(&path, "echo:", &format!("on_change = '{on_change}'"))
    });
    let told = gateway.reload(&moved.listener("head_timeout = '7s'"));
    assert!(told.contains("routes: 1 added, 0 changed, 0 removed"), "{told}");
    assert!(told.contains("WebSockets to close: 0"), "{told}");
    there.iter_mut().for_each(echo);
    drop(there);
    gateway.finish();
}

/// What is written beside a change holds for that change, and by itself it is none.
#[test]
fn f39_the_new_word_about_changes_counts() {
    let with = |lines: &str| gateway().route("/echo", "echo:", lines);
    let gateway = with("").start();
    let mut there = gateway.open("/echo");
    let told = gateway.reload(&with("on_change = 'close'"));
    assert!(told.contains("0 changed") && told.contains("WebSockets to close: 0"), "{told}");
    echo(&mut there);
    gateway.reload(&with_echo("/other"));
    expect_told(&gateway, there);
    gateway.finish();
}

/// They came together, and leave one by one.
#[test]
fn max_age_ends_each_at_its_own_time() {
    let gateway = gateway().route("/echo", "echo:", "max_age = '2s'").start();
    let mut clients: Vec<_> = (0..20).map(|_| gateway.open("/echo")).collect();
    echo(&mut clients[0]);
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                let close = client.expect_close_frame(1001);
                assert_eq!(&close.payload[2..], b"open for max_age");
                client.send_frame(&close.masked());
                client.expect_fin();
            });
        }
    });
    for client in clients {
        let line = gateway.access_line_of(client.local_address());
        assert_eq!(
            (&line["end"], &line["reason"]),
            (&"max_age".into(), &"open for max_age".into()),
            "{line}"
        );
        let lasted = Duration::from_millis(line["duration_ms"].as_u64().unwrap());
        assert!(lasted >= Duration::from_millis(1_800), "{line}");
    }
    gateway.finish();
}
