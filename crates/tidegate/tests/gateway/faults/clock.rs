//! Time that jumps, stops, or is scarce.

use std::iter;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::time::Duration;

use tidegate_testkit::{
    Backend, Faults, Frame, Gateway, Request, Wire, await_stopped, eventually, opcode, within,
};

use super::expect_echo;
use crate::rig::{EVERY_FAR, Far, Rig, SEGMENT, Session, WINDOW, gateway};

/// A clock that is set is no reason to end anybody; the log follows it.
#[test]
fn f50_a_wall_clock_that_jumps_ends_nobody() {
    const HOUR: i64 = 3600;
    let faults = Faults::new();
    let rig = Rig::faulty(&faults, "", "ping_interval = '200ms'\nping_timeout = '5s'\nidle_timeout = '1h'");
    let mut client = rig.gateway.open("/echo");
    for seconds in [0, 30 * HOUR, -30 * HOUR, 1, 0] {
        faults.wall_clock(seconds);
        for _ in 0..3 {
            let ping = client.read_frame(); // time goes on as it did
            client.send_frame(&Frame::pong(&ping.payload).masked());
        }
        let other = rig.gateway.open("/echo");
        let address = other.local_address();
        drop(other);
        let line = rig.gateway.access_line_of(address);
        let took = line["duration_ms"].as_u64().unwrap();
        assert!(took < 60_000, "{line}");
        let year_of = |line: &serde_json::Value| line["time"].as_str().map(|time| time[..10].to_owned());
        let today = year_of(&rig.gateway.access_line(|_| true));
        assert_eq!(seconds.abs() < HOUR, year_of(&line) == today, "{line}");
    }
    drop(client);
    rig.finish();
}

/// How long a ping may stay without its answer: long, for clients that are threads of a busy machine.
const PATIENT: Duration = Duration::from_secs(10);

/// With a ping each 300 ms.
fn pinged() -> Rig {
    Rig::with("ping_interval = '300ms'\nping_timeout = '10s'")
}

/// Does this while clients talk, each on a thread of its own which answers a ping at once: only the gateway can be late.
fn beside_clients(rig: &Rig, work: impl FnOnce()) {
    const CLIENTS: usize = 20;
    let (open, going_on) = (AtomicUsize::new(0), AtomicBool::new(true));
    thread::scope(|scope| {
        let _silence = Silence(&going_on);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = rig.gateway.open("/echo");
                open.fetch_add(1, Relaxed);
                while going_on.load(Relaxed) {
                    expect_alive(&mut client);
                }
            });
        }
        eventually("all are there", || (open.load(Relaxed) == CLIENTS).then_some(()));
        work();
    });
}

/// Ends the talk of the clients when it is dropped, whatever has come of the test.
struct Silence<'a>(&'a AtomicBool);

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// Says something, answers each ping that comes before the echo, and tells by it whether the session goes on.
fn expect_alive(client: &mut Wire) {
    client.send_frame(&Frame::text("ahoy").masked());
    loop {
        let frame = client.read_frame();
        match frame.opcode {
            opcode::PING => client.send_frame(&Frame::pong(&frame.payload).masked()),
            _ => break assert_eq!(frame, Frame::text("ahoy")),
        }
    }
}

/// A machine that slept through every deadline: nobody is dead who has had no chance to answer.
#[test]
fn f51_after_a_sleep_only_the_dead_are_found_dead() {
    let rig = pinged();
    let mut dead = rig.gateway.open("/echo");
    beside_clients(&rig, || {
        asleep(&rig.gateway, PATIENT + PATIENT / 5);
        expect_alive(&mut rig.gateway.open("/echo"));
    });
    let told = iter::repeat_with(|| dead.read_frame()).find(|frame| frame.opcode != opcode::PING);
    assert_eq!(told.and_then(|frame| frame.close_code()), Some(1011), "it had every chance");
    drop(dead);
    rig.finish();
}

/// What a client has said in time is heard before it is judged, even if the gateway wakes up long after the deadline. The
/// time-out is as long as any test waits for anything.
#[test]
fn f51_f52_an_answer_that_came_in_time_counts_however_late_it_is_read() {
    let slowly_pinged = "ping_interval = '1s'\nping_timeout = '20s'";
    let rigs = [Rig::with(slowly_pinged), Rig::secure_with(slowly_pinged)];
    let mut open: Vec<[Session; 3]> = Vec::new();
    for rig in &rigs {
        let mut sessions = EVERY_FAR.map(|far| rig.open(far));
        let pings = sessions.each_mut().map(|session| session.client.read_frame());
        stop(&rig.gateway);
        for (session, ping) in sessions.iter_mut().zip(pings) {
            assert_eq!(ping.opcode, opcode::PING);
            session.client.send_frame(&Frame::pong(&ping.payload).masked());
        }
        open.push(sessions);
    }
    thread::sleep(Duration::from_secs(21));
    for (rig, mut sessions) in rigs.into_iter().zip(open) {
        rig.gateway.resume();
        for (session, far) in sessions.iter_mut().zip(EVERY_FAR) {
            expect_served(session, far);
        }
        drop(sessions);
        rig.finish();
    }
}

/// Nor is anybody idle who said something while nobody could hear it.
#[test]
fn f51_f52_what_was_said_during_a_sleep_is_no_idleness() {
    let rig = Rig::with("idle_timeout = '5s'");
    let mut sessions = EVERY_FAR.map(|far| rig.open(far));
    for (session, far) in sessions.iter_mut().zip(EVERY_FAR) {
        expect_served(session, far); // so it has begun
    }
    let said = Frame::text("ahoy").masked();
    stop(&rig.gateway);
    for session in &mut sessions {
        session.client.send_frame(&said);
    }
    thread::sleep(Duration::from_secs(6));
    rig.gateway.resume();
    for (session, far) in sessions.iter_mut().zip(EVERY_FAR) {
        match far {
            Far::Echo => assert_eq!(session.client.read_frame(), Frame::text("ahoy")),
            Far::Tcp => assert_eq!(session.backend().read_exact(4), b"ahoy"),
            Far::Ws => assert_eq!(session.backend().read_frame(), said),
        }
        expect_served(session, far);
    }
    drop(sessions);
    rig.finish();
}

/// A head, or a backend's answer to ours, is not late because we were.
#[test]
fn f51_f52_a_head_that_came_in_time_counts_however_late_it_is_read() {
    let backend = Backend::bind();
    let gateway = gateway()
        .listener("head_timeout = '20s'")
        .route("/echo", "echo:", "ping_interval = 0")
        .route("/ws", &backend.ws(), "upgrade_timeout = '20s'")
        .start();
    let request = Request::upgrade("/echo").encode();
    let (begun, rest) = request.split_at(request.len() / 2);
    let mut begins = gateway.connect();
    begins.send(begun);
    let mut asks_again = gateway.connect();
    asks_again.send(Request::get("/nothing").encode());
    assert_eq!(asks_again.read_response().0.status(), 404);
    let mut waits = gateway.connect();
    waits.send(Request::upgrade("/ws").encode());
    let mut asked = backend.accept();
    let head = asked.read_head();
    eventually("the half is read", || (gateway.unread_from(&begins) == 0).then_some(()));

    stop(&gateway);
    begins.send(rest);
    asks_again.send(&request);
    asked.send(head.answer_101(""));
    thread::sleep(Duration::from_secs(21));
    gateway.resume();
    for mut client in [begins, asks_again] {
        assert_eq!(client.read_head().status(), 101);
        expect_echo(&mut client);
    }
    assert_eq!(waits.read_head().status(), 101);
    drop((waits, asked));
    gateway.finish();
}

/// The answer to a Close, and what was said before it, is not late because we were.
#[test]
fn f51_f52_a_close_that_came_during_a_sleep_is_heard_and_what_was_said_before_it() {
    Rig::each(|rig| {
        let (mut client, mut backend) = rig.open_ws();
        client.send_frame(&Frame::close(1000, "").masked());
        backend.expect_close_frame(1000);
        stop(&rig.gateway);
        backend.send_frame(&Frame::text("last words"));
        backend.send_frame(&Frame::close(1000, ""));
        thread::sleep(Duration::from_secs(6)); // a second more than it has for its answer
        rig.gateway.resume();
        assert_eq!(client.read_frame(), Frame::text("last words"));
        client.expect_close_frame(1000);
        drop((client, backend));
        rig.finish();
    });
}

/// A Close in no hurry lets a message end that is under way. It has, if it did so while we slept.
#[test]
fn f51_f52_a_message_that_ended_during_a_sleep_is_whole_before_the_close() {
    let Rig { mut gateway, ws, .. } = Rig::start();
    let mut client = gateway.connect();
    client.send(Request::upgrade("/ws").encode());
    let (mut backend, _) = ws.accept_websocket();
    assert_eq!(client.read_head().status(), 101);
    backend.send_frame(&Frame::text("half a ").unfinished());
    assert_eq!(client.read_frame().payload, b"half a ");
    gateway.terminate();
    backend.expect_close_frame(1001); // the client is told when the message is over
    stop(&gateway);
    backend.send_frame(&Frame::continuation("message"));
    backend.send_frame(&Frame::close(1001, ""));
    thread::sleep(Duration::from_secs(6)); // a second more than it has for its end
    gateway.resume();
    assert_eq!(client.read_frame(), Frame::continuation("message"));
    client.expect_close_frame(1001);
    drop((client, backend));
    assert!(gateway.wait().success());
}

/// The same where more was said before the Close than is read at once, or waits in our socket.
#[test]
fn f51_f52_a_close_behind_much_else_that_came_during_a_sleep_is_heard() {
    const COUNT: usize = 48;
    let much = Frame::binary([7; 64 << 10]);
    let rig = Rig::start();
    let (mut client, mut backend) = rig.open_ws();
    client.send_frame(&Frame::close(1000, "").masked());
    backend.expect_close_frame(1000);
    stop(&rig.gateway);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..COUNT {
                backend.send_frame(&much);
            }
            backend.send_frame(&Frame::close(1000, ""));
        });
        thread::sleep(Duration::from_secs(7));
        rig.gateway.resume();
        for _ in 0..COUNT {
            assert_eq!(client.read_frame(), much);
        }
        client.expect_close_frame(1000);
    });
    drop((client, backend));
    rig.finish();
}

/// What a backend answers to the messages before a violation is delivered, however late we read it.
#[test]
fn f51_f52_last_words_that_came_during_a_sleep_are_delivered() {
    const TRIES: usize = 10; // a second is all that they have: on a busy machine it may pass before the gateway is stopped
    let rig = Rig::start();
    let asleep_in_time = iter::repeat_with(|| {
        let (mut client, mut backend) = rig.open_ws();
        client.send_frame(&Frame::text("question").masked());
        client.send_frame(&Frame::text("not masked"));
        assert_eq!(backend.read_frame().unmasked(), Frame::text("question"));
        backend.expect_close_frame(1001);
        stop(&rig.gateway);
        if client.is_silent_for(Duration::from_millis(1)) {
            return Some((client, backend));
        }
        rig.gateway.resume();
        None
    });
    let (mut client, mut backend) = asleep_in_time.take(TRIES).flatten().next().expect("it was in time once");
    backend.send_frame(&Frame::text("answer"));
    backend.send_frame(&Frame::close(1001, ""));
    thread::sleep(Duration::from_secs(2));
    rig.gateway.resume();
    assert_eq!(client.read_frame(), Frame::text("answer"));
    client.expect_close_frame(1002);
    drop((client, backend));
    rig.finish();
}

/// What is owed to a slow client when its session ends is sent, if it has taken something while we slept.
#[test]
fn f51_f52_a_client_that_took_what_it_could_during_a_sleep_gets_the_rest() {
    let rig = Rig::start();
    let mut client = rig.gateway.connect_narrow(SEGMENT, WINDOW);
    client.send(Request::upgrade("/echo").encode());
    assert_eq!(client.read_head().status(), 101);
    let said = Frame::binary([7; 4 << 10]);
    let mut count = 0;
    // Until the gateway keeps some of it itself.
    loop {
        client.send_frame(&said.clone().masked());
        count += 1;
        let all = (count * said.encode().len()) as u64;
        let passed_on =
            within(Duration::from_millis(300), || (rig.gateway.untaken_by(&client) >= all).then_some(()));
        if passed_on.is_none() {
            break;
        }
        assert!(count < 1000, "the kernels hold little for such a client");
    }
    client.send_frame(&Frame::close(1000, "").masked());
    eventually("the Close is read", || (rig.gateway.unread_from(&client) == 0).then_some(()));

    stop(&rig.gateway);
    while rig.gateway.untaken_by(&client) > 0 {
        client.read_no_more_than(WINDOW);
    }
    thread::sleep(Duration::from_secs(11)); // a second more than it may take nothing for
    rig.gateway.resume();
    for _ in 0..count {
        assert_eq!(client.read_frame(), said);
    }
    client.expect_close_frame(1000);
    drop(client);
    rig.finish();
}

/// That a session goes on, on whichever route, with pings in between.
#[track_caller]
fn expect_served(session: &mut Session, far: Far) {
    if far == Far::Echo {
        return expect_alive(&mut session.client);
    }
    let said = Frame::text("ahoy").masked();
    session.client.send_frame(&said);
    let passed = if far == Far::Tcp { said.payload.clone() } else { said.encode() };
    assert_eq!(session.backend().read_exact(passed.len()), passed);
}

/// A gateway that may run for a hundredth of the time is slow, and nothing else.
#[test]
fn f52_a_gateway_without_time_kills_nobody_for_its_own_lateness() {
    let rig = pinged();
    beside_clients(&rig, || {
        for _ in 0..120 {
            asleep(&rig.gateway, Duration::from_millis(99));
            thread::sleep(Duration::from_millis(1));
        }
    });
    for far in EVERY_FAR {
        drop(rig.open(far));
    }
    expect_echo(&mut rig.gateway.open("/echo"));
    rig.finish();
}

/// Stops the whole process: what is sent to it then waits for it.
#[track_caller]
pub(super) fn stop(gateway: &Gateway) {
    gateway.pause();
    await_stopped(gateway.pid());
}

/// Stops the whole process for so long. Nothing but its own clock can tell it that.
fn asleep(gateway: &Gateway, time: Duration) {
    gateway.pause();
    thread::sleep(time);
    gateway.resume();
}
