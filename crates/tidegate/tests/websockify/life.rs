//! When it ends, and how.

use std::time::Duration;

use tidegate_testkit::{Backend, Deadline, Frame, Request};

use crate::rig::{ANY_PORT, Place, ask, open, talk, upgrade};

#[test]
fn run_once_ends_with_the_first_websocket() {
    let (place, backend) = (Place::new(), Backend::bind());
    place.write("index.html", "page");
    let mut gateway = place.start(&format!("--run-once --web . {ANY_PORT} {}", backend.address()));
    assert_eq!(ask(&gateway, &Request::get("/index.html")).0.status(), 200, "files do not count");
    assert_eq!(ask(&gateway, &Request::get("/none")).0.status(), 404);
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    talk(&mut client, &mut far);
    far.finish();
    client.expect_close_then_answer(1000);
    far.expect_fin();
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_timeout_ends_the_listening_and_no_connection() {
    let (place, backend) = (Place::new(), Backend::bind());
    let mut gateway = place.start(&format!("--timeout 1 {ANY_PORT} {}", backend.address()));
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    gateway.diagnosis("no more connections are accepted");
    talk(&mut client, &mut far);
    client.send_frame(&Frame::close(1000, "").masked());
    far.expect_fin();
    far.finish();
    client.expect_close(1000);
    assert_eq!(gateway.wait().code(), Some(0));
}

/// A signal means then what it means at any time.
#[test]
fn who_is_still_there_after_the_timeout_is_told_to_come_back_where_the_signal_says_so() {
    let (place, backend) = (Place::new(), Backend::bind());
    let mut gateway = place.start(&format!("--timeout 1 {ANY_PORT} {}", backend.address()));
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    gateway.diagnosis("no more connections are accepted");
    gateway.quit();
    client.expect_close_then_answer(1012);
    far.expect_fin();
    far.finish();
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_gateway_that_nobody_uses_ends() {
    let (place, backend) = (Place::new(), Backend::bind());
    let mut gateway = place.start(&format!("--idle-timeout 2 {ANY_PORT} {}", backend.address()));
    let (mut client, mut far) = open(gateway.connect(), &upgrade("/"), &backend);
    let used = Deadline::after(Duration::from_secs(3));
    while used.left().is_some() {
        talk(&mut client, &mut far); // the seconds are those without a connection, not without a byte
    }
    gateway.assert_alive();
    drop((client, far));
    let since = Deadline::patient();
    assert_eq!(gateway.wait().code(), Some(0));
    assert!(since.elapsed() > Duration::from_secs(1), "{:?}", since.elapsed());
}
