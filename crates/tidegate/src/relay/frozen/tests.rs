//! A conversation goes on after any byte as if nothing had been: each is held whole, and then again with the relay written
//! down at every byte of it and taken up by another.

mod hybi00;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_proto::hybi00::Coding;
use tidegate_proto::{Decoder, Event, FrameHeader, Limits, MaskingKey, Opcode, Reserved, Role};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::backend::{Agreed, Connected};
use crate::handover::capabilities::Capabilities;
use crate::handover::record::{self, Line};
use crate::handover::{Frozen, MoveAnswer, MoveRequest, Record, Reply, StayReason};
use crate::io::Socket;
use crate::live::{Filter, Live, Register, Registered};
use crate::outcome::End;
use crate::relay::tests::{about, pair, route};
use crate::relay::{Owner, Standing, Terms, go_on, run};

/// What stands behind the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Echo,
    Tcp,
    Text,
    WebSocket,
}

/// What each side says, each in the order of its own.
#[derive(Debug, Clone)]
struct Talk {
    kind: Kind,
    /// What the client speaks in the place of RFC 6455.
    hybi00: Option<Coding>,
    client: Vec<u8>,
    backend: Vec<u8>,
}

/// What each side has heard: payload and control frames at the client, bytes at the backend.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    client: Vec<u8>,
    controls: Vec<Vec<u8>>,
    backend: Vec<u8>,
}

/// The ends of a relay that are the test's, and a second descriptor of each that is the relay's.
struct Ends {
    client: TcpStream,
    backend: TcpStream,
    relays: [OwnedFd; 2],
}

type Running = JoinHandle<Option<End>>;

/// Says how its relay has ended, or that it has not ended here.
struct Witness;

impl Owner for Witness {
    type Fate = Option<End>;

    fn line(&self) -> Line {
        Line::default()
    }

    fn ended(self, end: End, _: Registered) -> Option<End> {
        Some(end)
    }

    fn moved(self, _: Registered) -> Option<End> {
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn f60_a_relay_goes_on_elsewhere_after_any_byte(talk in prop_oneof![3 => talk(), 2 => hybi00::talk()]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let uncut = runtime.block_on(hold(&talk, None));
        for cut in 0..=talk.client.len().max(talk.backend.len()) {
            let resumed = runtime.block_on(hold(&talk, Some(cut)));
            prop_assert_eq!(&resumed, &uncut, "{:?}, {:?} at {}", talk.kind, talk.hybi00, cut);
        }
    }
}

/// Sessions as format 1 has them, each in the middle of something: what is said after that must be understood for ever.
#[tokio::test]
async fn f60_what_was_written_down_long_ago_can_be_taken_up() {
    let long = [b'x'; 126];
    let cases = [
        (
            include_str!("records/format-1-echo.json"),
            // The rest of `abcde`, masked with 1, 2, 3, 4, in the first frame of a message.
            [&b"cde"[..], b"", &[0, 3, b'c' ^ 3, b'd' ^ 4, b'e' ^ 1], b""],
        ),
        (
            include_str!("records/format-1-tcp.json"),
            // A header that is cut in its mask, and a code point without its last byte.
            [
                &[3, 4, b'h' ^ 1, b'e' ^ 2, b'l' ^ 3, b'l' ^ 4, b'o' ^ 1],
                b"\xac",
                b"\x81\x03\xe2\x82\xac",
                b"hello",
            ],
        ),
        (
            include_str!("records/format-1-websocket.json"),
            // The last byte of a fragment, and a header that is cut in its length.
            [b"z", &[b"\x7e", &long[..]].concat(), &[b"\x82\x7e\0\x7e", &long[..]].concat(), b"z"],
        ),
    ];
    for (record, [client_says, backend_says, client_hears, backend_hears]) in cases {
        let record = Record::read(record.as_bytes()).unwrap();
        let (client, mut client_end) = pair();
        let (backend, mut backend_end) = pair();
        let mut descriptors = vec![descriptor(&client)];
        if !matches!(record.relay.far, record::Far::Echo { .. }) {
            descriptors.push(descriptor(&backend));
        }
        drop((client, backend));
        let live = Arc::new(Register::default()).enter_again(about(), record.age, record.counts).unwrap();
        let standing = Standing::take_up(record.relay, descriptors, live, Arc::default()).unwrap();
        let relay = tokio::spawn(go_on(standing, Witness));
        client_end.write_all(client_says).unwrap();
        backend_end.write_all(backend_says).unwrap();
        let hears = [client_hears.len(), backend_hears.len()];
        let heard = tokio::task::spawn_blocking(move || {
            let mut heard = hears.map(|len| vec![0; len]);
            client_end.read_exact(&mut heard[0]).unwrap();
            backend_end.read_exact(&mut heard[1]).unwrap();
            heard
        });
        assert_eq!(heard.await.unwrap(), [client_hears, backend_hears]);
        assert!(relay.await.unwrap().is_some());
    }
}

/// Who asks again before the relay has looked at what became of it hears that it is gone: it is never written down twice.
#[tokio::test]
async fn a_relay_that_has_moved_is_given_to_nobody_else() {
    let (client, _client_end) = pair();
    let (register, rules) = (Arc::new(Register::default()), route(""));
    let agreed = Agreed::default();
    let terms = Terms { rules: &rules, agreed: &agreed, traffic: Arc::default(), tape: None, ticker: None };
    let live = register.enter(about());
    let relay = tokio::spawn(run(client, Bytes::new(), Connected::Echo, terms, live, Witness));
    let (live, Frozen { moved, .. }, mut answers, to) = frozen(&register).await;
    moved.send(()).unwrap();
    live.leash.ask(MoveRequest::new(1, Capabilities::ALL, to));
    drop(live);
    let again = answers.recv().await.unwrap().reply;
    assert!(matches!(again, Reply::Ended), "{again:?}");
    assert_eq!(relay.await.unwrap(), None);
}

#[test]
fn what_a_record_needs_has_to_be_known() {
    let mut record = Record::read(include_bytes!("records/format-1-echo.json")).unwrap();
    record.format = 2;
    assert!(Record::read(&record.to_bytes()).is_ok(), "a newer build may write so that this one can read it");
    let plain = String::from_utf8(record.to_bytes().to_vec()).unwrap();
    assert!(!plain.contains("tls"), "what has none is written as before there was any");
    record.needs = vec!["telepathy".to_owned()];
    let refused = Record::read(&record.to_bytes()).unwrap_err().to_string();
    assert!(refused.contains("telepathy"), "{refused}");
    let text = String::from_utf8(record.to_bytes().to_vec()).unwrap().replace("telepathy", "");
    assert!(Record::read(text.as_bytes()).is_err() && Record::read(b"{}").is_err());
    assert_eq!(Record::conn_in(text.as_bytes()), Some(1));
}

/// States that no relay can be in are refused, and what came with them is closed.
#[tokio::test]
async fn what_no_relay_could_have_written_is_declined() {
    let good = Record::read(include_bytes!("records/format-1-tcp.json")).unwrap();
    let take_up = |record: Record, sockets: usize| {
        let pairs: Vec<_> = (0..sockets).map(|_| pair()).collect();
        let descriptors = pairs.iter().map(|(ours, _)| descriptor(ours)).collect();
        let live = Arc::new(Register::default()).enter_again(about(), record.age, record.counts).unwrap();
        Standing::take_up(record.relay, descriptors, live, Arc::default())
            .map(drop)
            .map_err(|unfit| unfit.to_string())
    };
    assert_eq!(take_up(good.clone(), 2), Ok(()));
    for sockets in [0, 1, 3] {
        assert_eq!(take_up(good.clone(), sockets), Err(format!("it came with {sockets} sockets")));
    }
    let mut carry = good.clone();
    carry.relay.client.carry.0 = vec![0; 1000];
    assert!(take_up(carry, 2).unwrap_err().contains("more of a header"));
    let mut text = good;
    let record::Far::Tcp(tcp) = &mut text.relay.far else { panic!("it is one to a TCP backend") };
    tcp.text = Some(record::Octets(vec![0; 4]));
    assert!(take_up(text, 2).unwrap_err().contains("code point"));
}

/// A second descriptor of a socket.
fn descriptor(socket: &Socket) -> OwnedFd {
    let Socket::Plain(socket) = socket else { panic!("{socket:?} is no TCP") };
    socket.as_fd().try_clone_to_owned().unwrap()
}

/// Holds the conversation. Where it is to be cut, the relay is written down when it has read so many bytes of each side.
async fn hold(talk: &Talk, cut: Option<usize>) -> Heard {
    let (client, client_end) = pair();
    let (backend, backend_end) = pair();
    let relays = [&client, &backend].map(descriptor);
    let mut ends = Ends { client: client_end, backend: backend_end, relays };
    let far = match talk.kind {
        Kind::Echo => Connected::Echo,
        Kind::Tcp | Kind::Text => Connected::Tcp(backend),
        Kind::WebSocket => {
            Connected::WebSocket { socket: backend, early: Bytes::new(), reserved: Reserved::None }
        }
    };
    let rules = route(if talk.kind == Kind::Text { "message = 'text'" } else { "" });
    let register = Arc::new(Register::default());
    let live = register.enter(about());
    let agreed = Agreed { hybi00: talk.hybi00, ..Agreed::default() };
    let terms = Terms { rules: &rules, agreed: &agreed, traffic: Arc::default(), tape: None, ticker: None };
    let mut relay: Running = tokio::spawn(run(client, Bytes::new(), far, terms, live, Witness));
    let at = cut.map_or((0, 0), |cut| (cut.min(talk.client.len()), cut.min(talk.backend.len())));
    if cut.is_some() {
        ends.client.write_all(&talk.client[..at.0]).unwrap();
        ends.backend.write_all(&talk.backend[..at.1]).unwrap();
        ends.taken().await;
        relay = moved(&register, relay).await;
    }
    ends.client.write_all(&talk.client[at.0..]).unwrap();
    ends.backend.write_all(&talk.backend[at.1..]).unwrap();
    ends.taken().await;
    let heard = ends.heard(talk.kind, relay).await;
    match talk.hybi00 {
        None => heard.in_frames(),
        Some(coding) => hybi00::read(heard, talk.kind, coding),
    }
}

/// The only session of the register, as it is written down, and the way on which it was asked to be.
async fn frozen(
    register: &Register,
) -> (Arc<Live>, Frozen, mpsc::UnboundedReceiver<MoveAnswer>, mpsc::UnboundedSender<MoveAnswer>) {
    let (to, mut answers) = mpsc::unbounded_channel();
    let live: Arc<Live> = register.sessions(&Filter::default()).remove(0);
    let frozen = loop {
        live.leash.ask(MoveRequest::new(live.about.conn, Capabilities::ALL, to.clone()));
        match answers.recv().await.unwrap().reply {
            Reply::Frozen(frozen) => break frozen,
            Reply::Stays(StayReason::NotRelayed) => tokio::task::yield_now().await,
            other @ (Reply::Stays(_) | Reply::Ended) => {
                panic!("{other:?}: a relay that does not close can be written down")
            }
        }
    };
    (live, frozen, answers, to)
}

/// Has the relay written down, and another take up what was written.
async fn moved(register: &Register, relay: Running) -> Running {
    let (_, Frozen { record, descriptors, moved, .. }, ..) = frozen(register).await;
    let record = Record::read(&record).unwrap();
    let again = Arc::new(Register::default()).enter_again(about(), record.age, record.counts).unwrap();
    let standing = Standing::take_up(record.relay, descriptors, again, Arc::default()).unwrap();
    moved.send(()).unwrap();
    assert_eq!(relay.await.unwrap(), None, "the relay that was there before is gone without a word");
    tokio::spawn(go_on(standing, Witness))
}

impl Ends {
    /// Waits until the relay has read everything that was said.
    async fn taken(&self) {
        let unread = || self.relays.iter().any(|relay| rustix::io::ioctl_fionread(relay).unwrap() > 0);
        let all = async {
            while unread() {
                tokio::time::sleep(Duration::from_micros(100)).await; // nobody tells when a socket was read
            }
        };
        crate::clock::timeout(Duration::from_secs(20), all).await.expect("the relay reads");
    }

    /// Ends it from both sides, as far as there are two; everything that was heard.
    async fn heard(mut self, kind: Kind, relay: Running) -> Heard {
        drop(self.relays);
        self.client.shutdown(Shutdown::Write).unwrap();
        if kind == Kind::Echo {
            relay.await.unwrap();
            return Heard::at_client(self.client, Vec::new());
        }
        let ending = tokio::task::spawn_blocking(move || {
            let mut backend = Vec::new();
            self.backend.read_to_end(&mut backend).unwrap();
            (self.client, backend) // and with its socket the backend ends as well
        });
        let (client, backend) = ending.await.unwrap();
        relay.await.unwrap();
        Heard::at_client(client, backend)
    }
}

impl Heard {
    /// Everything that this end was sent, as it came, beside what the backend was.
    fn at_client(mut end: TcpStream, backend: Vec<u8>) -> Self {
        let mut heard = Self { backend, ..Self::default() };
        end.read_to_end(&mut heard.client).unwrap();
        heard
    }

    /// What the client was sent in frames: where they are cut means nothing.
    fn in_frames(self) -> Self {
        let mut heard = Self { backend: self.backend, ..Self::default() };
        let mut decoder = Decoder::new(Role::Client, Limits::NONE);
        let mut bytes = self.client;
        let mut rest = bytes.as_mut_slice();
        while let Some((consumed, event)) = decoder.decode(rest).unwrap() {
            match event {
                Event::Data { payload, .. } => heard.client.extend_from_slice(payload),
                Event::Ping(payload) | Event::Pong(payload) => heard.controls.push(payload.to_vec()),
                Event::Close(close) => heard.controls.push(format!("{close:?}").into_bytes()),
            }
            rest = &mut rest[consumed..];
        }
        heard.controls.dedup(); // a newer Pong takes the place of an older one that waits
        heard
    }
}

/// A frame as the client (with a key) or the backend sends it.
fn frame(opcode: Opcode, fin: bool, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut key = key.map(MaskingKey::new);
    let header = FrameHeader { fin, reserved: 0, opcode, mask: key, payload_len: payload.len() as u64 };
    let mut frame = header.encode().as_slice().to_vec();
    let mut payload = payload.to_vec();
    if let Some(key) = &mut key {
        key.apply(&mut payload);
    }
    frame.append(&mut payload);
    frame
}

/// A message in one or two frames, of which the first may have a long header, with a ping in between.
fn message(key: Option<[u8; 4]>) -> impl Strategy<Value = Vec<u8>> {
    let text =
        ("[aä€𝄞]{1,6}", "[aä€𝄞]{0,6}").prop_map(|(a, b)| (Opcode::Text, a.into_bytes(), b.into_bytes()));
    let binary = (vec(any::<u8>(), 0..16), vec(any::<u8>(), 0..16)).prop_map(|(a, b)| (Opcode::Binary, a, b));
    let long = vec(any::<u8>(), 126..140).prop_map(|a| (Opcode::Binary, a, Vec::new()));
    let whole = prop_oneof![4 => text, 4 => binary, 1 => long];
    (whole, any::<bool>(), any::<bool>()).prop_map(move |((opcode, first, rest), pings, splits)| {
        let mut wire = Vec::new();
        if splits {
            wire.extend(frame(opcode, false, &first, key));
            if pings {
                wire.extend(frame(Opcode::Ping, true, b"?", key));
            }
            wire.extend(frame(Opcode::Continuation, true, &rest, key));
        } else {
            wire.extend(frame(opcode, true, &first, key));
        }
        wire
    })
}

fn talk() -> impl Strategy<Value = Talk> {
    let kinds = prop_oneof![Just(Kind::Echo), Just(Kind::Tcp), Just(Kind::Text), Just(Kind::WebSocket)];
    let said = (vec(message(Some([7, 1, 9, 3])), 1..4), vec(message(None), 1..4), "[aä€𝄞]{0,20}");
    (kinds, said).prop_map(|(kind, (client, backend, text))| Talk {
        kind,
        hybi00: None,
        client: client.concat(),
        backend: match kind {
            Kind::Echo => Vec::new(),
            Kind::Tcp | Kind::Text => text.into_bytes(),
            Kind::WebSocket => backend.concat(),
        },
    })
}
