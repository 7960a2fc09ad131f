//! Each direction ends by itself, after everything that was sent in it.

use std::thread;

use tidegate_testkit::{Backend, Frame, Wire};

use crate::rig::{Rig, assert_same, numbered};

/// More than the sockets and buffers on the way hold together.
const BULK: usize = 8 << 20;

/// Segments and windows of a peer that takes little at a time.
const NARROW: (u32, usize) = (1_000, 16 << 10);

fn upload(mut client: Wire, payload: &[u8], end: impl FnOnce(&mut Wire)) -> Wire {
    for (number, chunk) in payload.chunks(300_000).enumerate() {
        client.send_frame(&Frame::binary(chunk).masked_with((number as u32).to_be_bytes()));
    }
    end(&mut client);
    client
}

#[test]
fn ends_client_close_after_an_upload_is_whole_at_a_tcp_backend() {
    let payload = numbered(BULK);
    for narrow in [false, true] {
        let tcp = if narrow { Backend::bind_narrow(NARROW.0, NARROW.1) } else { Backend::bind() };
        let rig = Rig::between(tcp, Backend::bind(), "", "");
        let (client, mut backend) = rig.open_tcp();
        thread::scope(|scope| {
            let client = scope.spawn(|| {
                upload(client, &payload, |client| {
                    client.send_frame(&Frame::close(1000, "").masked());
                    client.expect_close(1000);
                })
            });
            assert_same(&backend.read_to_fin(), &payload);
            drop(client.join());
        });
        drop(backend);
        rig.finish();
    }
}

#[test]
fn ends_client_close_after_an_upload_is_whole_at_a_websocket_backend() {
    let payload = numbered(BULK);
    for narrow in [false, true] {
        let ws = if narrow { Backend::bind_narrow(NARROW.0, NARROW.1) } else { Backend::bind() };
        let rig = Rig::between(Backend::bind(), ws, "", "");
        let (client, mut backend) = rig.open_ws();
        thread::scope(|scope| {
            scope.spawn(|| {
                upload(client, &payload, |client| {
                    client.send_frame(&Frame::close(1000, "done").masked());
                    client.expect_close(1000);
                })
            });
            assert_same(&backend.read_payload(BULK), &payload);
            assert_eq!(backend.read_frame(), Frame::close(1000, "done").masked());
            backend.send_frame(&Frame::close(1000, ""));
            backend.expect_fin();
            backend.finish();
        });
        rig.finish();
    }
}

#[test]
fn ends_backend_fin_after_a_download_is_whole_before_close_1000() {
    Rig::each(|rig| {
        let payload = numbered(BULK);
        for narrow in [false, true] {
            let mut client =
                if narrow { rig.gateway.connect_narrow(NARROW.0, NARROW.1) } else { rig.gateway.connect() };
            client.send(tidegate_testkit::Request::upgrade("/tcp").encode());
            let mut backend = rig.tcp.accept();
            assert_eq!(client.read_head().status(), 101);
            thread::scope(|scope| {
                scope.spawn(|| {
                    backend.send(&payload);
                    backend.finish();
                });
                assert_same(&client.read_payload(BULK), &payload);
                client.expect_close_then_answer(1000);
            });
            backend.expect_fin();
        }
        rig.finish();
    });
}

#[test]
fn ends_backend_close_after_a_download_is_behind_all_of_it() {
    Rig::each(|rig| {
        let payload = numbered(BULK);
        let (mut client, mut backend) = rig.open_ws();
        thread::scope(|scope| {
            scope.spawn(|| {
                for chunk in payload.chunks(100_000) {
                    backend.send_frame(&Frame::binary(chunk));
                }
                backend.send_frame(&Frame::close(1000, "done"));
                assert_eq!(backend.read_frame().close_code(), Some(1000));
            });
            assert_same(&client.read_payload(BULK), &payload);
            client.expect_close_then_answer(1000);
        });
        drop(backend);
        rig.finish();
    });
}

#[test]
fn f27_ends_client_fin_leaves_the_backend_its_answer() {
    Rig::each(|rig| {
        let payload = numbered(BULK);
        let (client, mut backend) = rig.open_tcp();
        thread::scope(|scope| {
            let client = scope.spawn(|| upload(client, &payload, Wire::finish));
            assert_same(&backend.read_to_fin(), &payload);
            let mut client = client.join().unwrap();
            scope.spawn(|| {
                backend.send(&payload);
                backend.finish();
            });
            assert_same(&client.read_payload(BULK), &payload);
            client.expect_close(1000);
        });
        rig.finish();
    });
}

#[test]
fn both_directions_at_once() {
    let backend = Backend::echo();
    let gateway = crate::rig::gateway().route("/tcp", &backend.tcp(), "").start();
    let payload = numbered(BULK);
    let client = gateway.open("/tcp");
    let mut reader = client.handle();
    thread::scope(|scope| {
        scope.spawn(|| upload(client, &payload, Wire::finish));
        assert_same(&reader.read_payload(BULK), &payload);
        reader.expect_close(1000);
    });
    drop(reader);
    gateway.finish();
}

/// A backend that ends its reading side only is still listened to.
#[test]
fn f12_a_backend_that_reads_no_more_is_still_heard() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_tcp();
        backend.stop_reading();
        client.send_frame(&Frame::binary("into the void").masked());
        backend.send("still here");
        assert_eq!(client.read_frame(), Frame::binary("still here"));
        backend.finish();
        client.expect_close_then_answer(1000);
        drop(backend);
        rig.finish();
    });
}
