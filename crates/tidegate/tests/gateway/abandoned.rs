//! Peers that take nothing for thirty seconds, or leave a message unfinished for sixty, are given up. Few tests, in the
//! module that comes first in the order of names, so that the time passes while the others run.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Deadline, Frame, Wire};

use crate::rig::{Far, Rig, Session, close_from_client, expect_close_at_backend, expect_line};

/// Nothing may happen before the thirty seconds are over; a little less, because some have begun already.
const QUIET: Duration = Duration::from_secs(25);

#[test]
fn t123_f13_f24_f28_ends_write_stalled_for_30_s() {
    let hold = |rig: Rig| {
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
    };
    plain_and_secure(hold);
}

/// A byte a second is no progress: TCP offers room by the segment, and the gateway asks for some within thirty seconds.
/// Who takes 256 KiB a second goes on.
#[test]
fn t124_a_client_that_reads_a_byte_a_second() {
    let rig = Rig::with("ping_interval = 0");
    let [mut dripping, mut steady] = [(); 2].map(|()| with_narrow_client(&rig));
    let mut writer = steady.backend().handle();
    thread::scope(|scope| {
        scope.spawn(move || while writer.try_send([1; 1 << 16]).is_ok() {});
        let since = Deadline::after(2 * QUIET);
        while since.elapsed() < QUIET {
            dripping.client.read_no_more_than(1);
            take_256_kib(&mut steady.client);
            thread::sleep(Duration::from_secs(1)); // the slowness itself
        }
        let (client, steady_client) = (dripping.client.local_address(), steady.client.local_address());
        while since.elapsed() < Duration::from_secs(40) {
            take_256_kib(&mut steady.client);
            thread::sleep(Duration::from_secs(1));
        }
        let line = rig.gateway.access_line_of(client);
        assert_eq!(line["end"], "client_stalled", "{line}");
        let lines = rig.gateway.access_lines();
        assert!(lines.iter().all(|line| line["client"] != steady_client.to_string()), "{lines:?}");
        steady.client.hang_up();
        steady.backend().hang_up();
    });
    drop((dripping, steady));
    rig.finish();
}

/// Where the gateway knows messages, one that was begun has to go on within a minute; a backend of raw bytes has no messages.
#[test]
fn t103_a_message_that_is_not_gone_on_with_for_a_minute() {
    let hold = |rig: Rig| {
        let begun = Frame::binary(*b"begun").unfinished().masked();
        let [mut echo, mut tcp, mut ws] = [Far::Echo, Far::Tcp, Far::Ws].map(|far| rig.open(far));
        for session in [&mut echo, &mut tcp, &mut ws] {
            session.client.send_frame(&begun);
        }
        assert_eq!(ws.backend().read_frame(), begun);
        assert_eq!(echo.client.read_frame(), begun.unmasked());
        assert_eq!(tcp.backend().read_exact(5), b"begun");

        assert!(echo.client.is_silent_for(2 * QUIET), "as long as it may be silent");
        expect_close_at_backend(ws.backend(), 1001);
        for client in [&mut echo.client, &mut ws.client] {
            client.expect_close_then_answer(1008);
        }
        for session in [echo, ws] {
            expect_line(&rig.gateway, session, "message_unfinished", 1008, "gateway");
        }
        tcp.client.send_frame(&Frame::continuation(*b" and ended").masked());
        assert_eq!(tcp.backend().read_exact(10), b" and ended");
        close_from_client(Far::Tcp, &mut tcp);
        rig.finish();
    };
    plain_and_secure(hold);
}

/// Both at once: they wait for most of the time.
fn plain_and_secure(hold: impl Fn(Rig) + Sync) {
    thread::scope(|scope| {
        for rig in [Rig::start(), Rig::secure_with("")] {
            scope.spawn(|| hold(rig));
        }
    });
}

fn take_256_kib(client: &mut Wire) {
    let mut taken = 0;
    while taken < 256 << 10 {
        taken += client.read_no_more_than(4 << 10);
    }
}

/// A session whose client, far away, is sent more than it takes.
fn with_narrow_client(rig: &Rig) -> Session {
    let (client, mut backend) = rig.open_tcp_narrow();
    backend.send_until_stalled(&[1; 1 << 16], MORE, PAUSE);
    (client, backend).into()
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
