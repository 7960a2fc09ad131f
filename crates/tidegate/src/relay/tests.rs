//! Relays over real sockets and a paused clock: what time alone brings about, however long it takes.
//!
//! Everything that a peer sends is written before the relay runs, and what it is sent waits in its socket: time passes
//! only while the relay has nothing else to do.

use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, ready};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tidegate_proto::hybi00::Coding;
use tidegate_proto::{CloseCode, Reserved};

use super::driving::drive;
use super::timing::MESSAGE_SILENCE;
use super::turns::nobody_calls;
use super::{Owner, Relay, Terms, attend, run};
use crate::backend::{Agreed, Connected};
use crate::clock::{self, timeout};
use crate::config::{self, Overrides, Route};
use crate::handover::record::Line;
use crate::io::Socket;
use crate::live::{About, CloseNotice, Idle, Order, Register, Registered};
use crate::metrics::Meter;
use crate::outcome::{Cause, End};
use crate::scratch;

/// An hour, with which nothing of the gateway's own has to do.
const HOUR: Duration = Duration::from_secs(3600);

/// The two ends of a connection: the relay's, and a blocking one for the test.
pub(super) fn pair() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    theirs.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    ours.set_nonblocking(true).unwrap();
    (Socket::Plain(tokio::net::TcpStream::from_std(ours).unwrap()), theirs)
}

/// The only route of this file, with these lines in it.
pub(super) fn route(lines: &str) -> Route {
    let file = format!("[[route]]\npath = '/'\nbackend = 'echo:'\n{lines}\n");
    let checked = config::parse(&file, Path::new("test.toml"), &Overrides::default());
    checked.config.expect("the file is valid").routes.remove(0)
}

/// Relays with the rules of this route until the end; how it ended, and after how long by the paused clock.
async fn relayed(client: Socket, far: Connected, route: &Route) -> (End, Duration) {
    relayed_as(&Agreed::default(), client, far, route).await
}

/// The same, where this was agreed with the client.
async fn relayed_as(agreed: &Agreed, client: Socket, far: Connected, route: &Route) -> (End, Duration) {
    let begun = clock::now();
    let terms = Terms { rules: route, agreed, traffic: Arc::default(), tape: None, ticker: None };
    let end = run(client, Bytes::new(), far, terms, registered(), Then(|end, _| end)).await;
    (end, clock::now() - begun)
}

/// Does this at the end of a relay that nobody moves.
struct Then<F>(F);

impl<T, F: FnOnce(End, Registered) -> T + Send + Sync> Owner for Then<F> {
    type Fate = T;

    fn line(&self) -> Line {
        Line::default()
    }

    fn ended(self, end: End, live: Registered) -> T {
        (self.0)(end, live)
    }

    fn moved(self, _: Registered) -> T {
        panic!("nobody moves it")
    }
}

/// A place in a register that nobody looks into.
fn registered() -> Registered {
    Arc::new(Register::default()).enter(about())
}

/// Who it is does not matter.
pub(super) fn about() -> About {
    About {
        conn: 1,
        route: Arc::new(route("")),
        client: None,
        port: 0,
        hybi00: false,
        backend: None,
        subprotocol: None,
    }
}

/// Everything that was sent to this end, which has ended by now.
fn received(mut peer: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).unwrap();
    bytes
}

fn websocket(socket: Socket) -> Connected {
    Connected::WebSocket { socket, early: Bytes::new(), reserved: Reserved::None }
}

/// A thousand fragments, and never the last one: a minute of silence, then 1008. The backend has seen the fragments.
#[tokio::test(start_paused = true)]
async fn t103_a_message_that_is_not_gone_on_with() {
    let mut fragments = b"\x02\x81\0\0\0\0a".to_vec();
    fragments.extend(b"\x00\x81\0\0\0\0b".repeat(999));
    let route = route("ping_interval = 0");
    for to_websocket in [false, true] {
        let (client, mut client_end) = pair();
        let (backend, backend_end) = pair();
        client_end.write_all(&fragments).unwrap();
        let far = if to_websocket { websocket(backend) } else { Connected::Echo };
        let (end, after) = relayed(client, far, &route).await;
        assert_eq!(end, End::MessageUnfinished);
        assert!(after >= MESSAGE_SILENCE && after < MESSAGE_SILENCE + Duration::from_secs(10), "{after:?}");
        let told = received(client_end);
        assert!(told.ends_with(b"\x88\x02\x03\xf0"), "Close 1008: {}", told.escape_ascii());
        if to_websocket {
            let passed = received(backend_end);
            let (passed, close) = passed.split_at(fragments.len());
            assert!(passed == fragments, "the fragments as they were");
            assert_eq!((&close[..2], close.len()), (&b"\x88\x82"[..], 8), "a masked Close");
        }
    }
}

/// A frame of hybi-00 has as long. An echo of it has begun, so that a closing frame would read as its end.
#[tokio::test(start_paused = true)]
async fn t103_t215_a_frame_of_hybi_00_that_is_not_gone_on_with() {
    let agreed = Agreed { hybi00: Some(Coding::Text), ..Agreed::default() };
    let route = route("ping_interval = 0");
    for (to_websocket, told) in [(false, &b"\0half"[..]), (true, b"\xff\0")] {
        let (client, mut client_end) = pair();
        let (backend, backend_end) = pair();
        client_end.write_all(b"\0half").unwrap();
        let far = if to_websocket { websocket(backend) } else { Connected::Echo };
        let (end, after) = relayed_as(&agreed, client, far, &route).await;
        assert_eq!(end, End::MessageUnfinished);
        assert!(after >= MESSAGE_SILENCE && after < MESSAGE_SILENCE + Duration::from_secs(10), "{after:?}");
        assert_eq!(received(client_end), told);
        if to_websocket {
            let close = received(backend_end);
            assert_eq!((&close[..2], close.len()), (&b"\x88\x82"[..], 8), "a masked Close, and no message");
        }
    }
}

/// To a backend of raw bytes a message means nothing, so one may stay unfinished for as long as the client likes.
#[tokio::test(start_paused = true)]
async fn t103_a_message_to_a_tcp_backend_may_stay_unfinished() {
    let (client, mut client_end) = pair();
    let (backend, backend_end) = pair();
    client_end.write_all(b"\x02\x81\0\0\0\0a").unwrap();
    let route = route("ping_interval = 0\nidle_timeout = '1h'");
    let (end, after) = relayed(client, Connected::Tcp(backend), &route).await;
    assert_eq!((end, after >= HOUR), (End::Idle, true), "after {after:?}");
    assert_eq!(received(backend_end), b"a");
}

/// Whoever stands in line is woken when it is called: not by a deadline that passes meanwhile, a thousand times a second.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_the_line_wakes_once() {
    nobody_calls();
    let ((client, mut client_end), (backend, _backend_end)) = (pair(), pair());
    let bulk = vec![0; 1 << 18];
    client_end.write_all(b"\x82\xff\0\0\0\0\0\x04\0\0\0\0\0\0").unwrap();
    client_end.write_all(&bulk).unwrap();
    let route = route("ping_interval = 0\nidle_timeout = '1s'");
    let mut relayed = pin!(relayed(client, Connected::Tcp(backend), &route));
    let mut polls = 0;
    let counted = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 100, "it is woken again and again");
        relayed.as_mut().poll(cx)
    });
    assert!(timeout(Duration::from_secs(10), counted).await.is_err(), "it is not called");
}

/// A backend that says nothing for an hour has said nothing wrong: the session ends for the client's reason, not its.
#[tokio::test(start_paused = true)]
async fn f14_a_backend_that_is_silent_for_an_hour() {
    let route = route("ping_interval = 0\nidle_timeout = '61m'");
    for to_websocket in [false, true] {
        let (client, client_end) = pair();
        let (backend, _backend_end) = pair();
        let far = if to_websocket { websocket(backend) } else { Connected::Tcp(backend) };
        let (end, after) = relayed(client, far, &route).await;
        assert_eq!((end, after >= HOUR), (End::Idle, true), "after {after:?}");
        assert_eq!(received(client_end), b"\x88\x02\x03\xe9");
    }
}

/// Told to close once it is quiet: it is looked at when the order is due, and again after the quiet.
#[tokio::test(start_paused = true)]
async fn f37_a_quiet_session_closes_as_it_is_told() {
    let second = Duration::from_secs(1);
    let (client, client_end) = pair();
    let (live, begun) = (registered(), clock::now());
    let notice = CloseNotice::new(Cause::Operator, CloseCode::GOING_AWAY, "tidying up".to_owned());
    let idle = Some(Idle::new(2 * second, begun + 10 * second));
    live.leash.tell(Order { at: begun + second, idle, notice });
    let (route, agreed) = (route(""), Agreed::default());
    let terms = Terms { rules: &route, agreed: &agreed, traffic: Arc::default(), tape: None, ticker: None };
    let ended = |end, live: Registered| (end, live.leash.reason());
    let ended = run(client, Bytes::new(), Connected::Echo, terms, live, Then(ended)).await;
    let told = End::Told(Cause::Operator, CloseCode::GOING_AWAY);
    assert_eq!(ended, (told, Some("tidying up".to_owned())));
    assert!(clock::now() - begun >= 3 * second);
    assert_eq!(received(client_end), b"\x88\x0c\x03\xe9tidying up");
}

/// A bug that strikes once, behind a turn that has moved something: both sides are told, and what was moved stays.
#[tokio::test(start_paused = true)]
async fn t249_f54_ends_panic_is_1011_to_both() {
    for to_websocket in [false, true] {
        let (client, mut client_end) = pair();
        let (backend, backend_end) = pair();
        client_end.write_all(b"\x82\x81\0\0\0\0a").unwrap();
        let far = if to_websocket { websocket(backend) } else { Connected::Tcp(backend) };
        let relay =
            Relay::new(client, Bytes::new(), far, &route(""), registered(), Meter::new(Arc::default()));
        let mut struck = false;
        let panics_once = move |relay: &mut Relay, cx: &mut Context<'_>| {
            let polled = scratch::with(|scratch| relay.poll(cx, scratch));
            let strikes = relay.live.traffic.counts().bytes_in > 0 && !std::mem::replace(&mut struck, true);
            assert!(!strikes, "the bug");
            polled
        };
        let (end, live) = drive(relay, Then(|end, live| (end, live)), panics_once).await;
        assert_eq!((end, live.traffic.counts().bytes_in), (End::Panicked, 1));
        assert_eq!(received(client_end), b"\x88\x02\x03\xf3", "Close 1011");
        let passed = received(backend_end);
        if to_websocket {
            assert_eq!(passed[..9], *b"\x82\x81\0\0\0\0a\x88\x82", "the message, and a masked Close");
            let (key, code) = passed[9..].split_at(4);
            assert_eq!([code[0] ^ key[0], code[1] ^ key[1]], 1011_u16.to_be_bytes());
        } else {
            assert_eq!(passed, b"a");
        }
    }
}

/// A bug that strikes each time ends the connection nevertheless.
#[tokio::test(start_paused = true)]
async fn t249_f54_a_bug_that_stays_ends_the_connection() {
    let (client, client_end) = pair();
    let meter = Meter::new(Arc::default());
    let relay = Relay::new(client, Bytes::new(), Connected::Echo, &route(""), registered(), meter);
    let end = drive(relay, Then(|end, _| end), |_, _| panic!("the bug")).await;
    assert_eq!(end, End::Panicked);
    assert_eq!(received(client_end), b"");
}

/// Relays of bulk in line for their turns: each turn ends when it has moved what one may, and nothing is lost.
#[tokio::test]
async fn no_turn_moves_more_than_one_may() {
    let frame = [&b"\x82\xff\0\0\0\0\0\x08\0\0\0\0\0\0"[..], &vec![b'a'; 512 << 10]].concat();
    let said = frame.repeat(16);
    tokio::spawn(attend());
    let relays = [(); 3].map(|()| {
        let (client, mut client_end) = pair();
        let (backend, mut backend_end) = pair();
        let (saying, mut heard) = (said.clone(), vec![0; said.len()]);
        let says = thread::spawn(move || client_end.write_all(&saying).map(|()| client_end));
        let hears = thread::spawn(move || backend_end.read_exact(&mut heard).map(|()| heard)); // then it hangs up
        let meter = Meter::new(Arc::default());
        let relay = Relay::new(client, Bytes::new(), websocket(backend), &route(""), registered(), meter);
        let counts = move |relay: &mut Relay, cx: &mut Context<'_>| {
            ready!(relay.turns.poll_begin(cx));
            let before = relay.live.traffic.counts().bytes_in;
            let polled = scratch::with(|scratch| relay.poll(cx, scratch));
            let moved = relay.live.traffic.counts().bytes_in - before;
            assert!(moved < 2 << 20, "at most a whole read behind almost another: {moved}");
            polled
        };
        let ended = Then(|end, live: Registered| (end, live.traffic.counts().bytes_in));
        (tokio::spawn(drive(relay, ended, counts)), says, hears)
    });
    for (relayed, says, hears) in relays {
        assert_eq!(relayed.await.unwrap(), (End::BackendLost, 8 << 20));
        drop(says.join().unwrap().unwrap());
        assert!(hears.join().unwrap().unwrap() == said, "every byte, in order");
    }
}
