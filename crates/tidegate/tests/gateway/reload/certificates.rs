//! Certificates that are renewed under a running gateway.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tidegate_testkit::{Frame, eventually};

use crate::certificates::{Issued, connect, echo, read_frame, shown};
use crate::rig::gateway;

fn copy(from: &Issued, name: &str, to: &Issued) {
    fs::copy(from.folder().join(name), to.folder().join(name)).unwrap();
}

fn halve(file: &Path) {
    let text = fs::read(file).unwrap();
    fs::write(file, &text[..text.len() / 2]).unwrap();
}

/// Nobody sends a signal: the files are looked at.
#[test]
fn f43_a_new_pair_is_taken_up_by_itself_and_never_half_of_one() {
    let (served, renewed) = (Issued::to(&["gw.test"]), Issued::to(&["gw.test"]));
    let former = served.der().clone();
    let gateway = gateway().listener(&format!("tls = {}", served.tls())).route("/echo", "echo:", "").start();
    let mut there = served.secure(connect(&gateway), "gw.test");
    echo(&mut there, "https://gw.test");

    copy(&renewed, "cert.pem", &served); // and its key is still that of the one before
    gateway.diagnosis("the one before stays in use");
    assert_eq!(shown(&gateway, &served, "gw.test"), Some(former.clone()));
    halve(&served.folder().join("cert.pem"));
    gateway.diagnosis("breaks off in the middle of a block");
    assert_eq!(shown(&gateway, &served, "gw.test"), Some(former));

    copy(&renewed, "cert.pem", &served);
    copy(&renewed, "key.pem", &served);
    eventually("the new one is served", || {
        (shown(&gateway, &renewed, "gw.test").as_ref() == Some(renewed.der())).then_some(())
    });
    echo(&mut renewed.secure(connect(&gateway), "gw.test"), "https://gw.test");
    // Whoever is there notices nothing.
    there.write_all(&Frame::text("still there?").masked().encode()).unwrap();
    assert_eq!(read_frame(&mut there).payload, b"still there?");
    drop(there);
    gateway.finish();
}

#[test]
fn f43_a_reload_takes_up_another_certificate_or_is_refused() {
    let (first, second) = (Issued::to(&["gw.test"]), Issued::to(&["gw.test"]));
    let with =
        |issued: &Issued| gateway().listener(&format!("tls = {}", issued.tls())).route("/echo", "echo:", "");
    let gateway = with(&first).start();
    gateway.reload(&with(&second));
    assert_eq!(shown(&gateway, &second, "gw.test").as_ref(), Some(second.der()));
    halve(&first.folder().join("key.pem"));
    let told = gateway.reload(&with(&first));
    assert!(told.contains("breaks off in the middle of a block") && told.contains("not reloaded"), "{told}");
    assert_eq!(shown(&gateway, &second, "gw.test").as_ref(), Some(second.der()));
    gateway.finish();
}
