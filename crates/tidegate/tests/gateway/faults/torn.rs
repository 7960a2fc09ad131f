//! Five hundred streams at once, cut into pieces by chance, whose backends die in their midst, and some of whose clients
//! read only when that has happened.

use std::thread;
use std::time::Duration;

use tidegate_testkit::{Canary, Frame, Gateway, Request, Wire, eventually, opcode};

use crate::rig::{Far, Rig, SEGMENT, WINDOW, assert_same};

const STREAMS: usize = 500;

/// What a backend has to say, and what it has for a client that does not read yet: more than the sockets on the way hold.
const BYTES: usize = 32 << 10;
const BYTES_TO_SLOW: usize = 256 << 10;

/// The longest piece that a backend writes at once.
const PIECE_MAX: usize = 4096;

/// How long a socket that takes nothing counts as stalled.
const PAUSE: Duration = Duration::from_millis(200);

/// A header that was cut is not passed on. Of one without a mask and with a length in two bytes so many may be there.
const CUT_HEADER_MAX: usize = 3;

#[test]
fn f05_f06_f07_of_five_hundred_backends_that_die_all_bytes_arrive_or_the_client_is_told() {
    Gateway::raise_descriptor_limit();
    let rig = Rig::with_top("workers = 2", "");
    let canary = Canary::of(&rig.gateway, "/echo");
    let streams: Vec<Stream> = (0..STREAMS).map(|number| Stream::open(&rig, number)).collect();
    thread::scope(|scope| {
        for stream in streams {
            scope.spawn(|| stream.run(&rig.gateway));
        }
    });
    canary.finish();
    let lines = eventually("each has its line, and the canary", || {
        Some(rig.gateway.access_lines()).filter(|lines| lines.len() > STREAMS)
    });
    let peaceful = lines.iter().filter(|line| line["end"] == "backend_ended").count();
    let lost = lines.iter().filter(|line| line["end"] == "backend_lost").count();
    assert_eq!((peaceful, lost), (STREAMS / 4, STREAMS - STREAMS / 4), "{lines:?}");
    rig.finish();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// It ends behind what it has said, and all of that arrives.
    Fin,
    /// What is on its way may be lost.
    Reset,
}

/// One of the five hundred; all about it follows from its number.
struct Stream {
    number: usize,
    is_slow: bool,
    far: Far,
    death: Death,
    /// What the backend says before it dies, as it is on the wire.
    said: Vec<u8>,
    client: Wire,
    backend: Wire,
}

/// What a client has been told.
#[derive(Debug)]
struct Told {
    /// Of a TCP backend its bytes, of a WebSocket backend its frames, and of the last one what there was.
    bytes: Vec<u8>,
    /// `None`: the connection ended without a Close.
    close: Option<u16>,
}

impl Stream {
    fn open(rig: &Rig, number: usize) -> Self {
        let is_slow = number.is_multiple_of(5);
        let (mut client, len) = match is_slow {
            true => (rig.gateway.connect_narrow(SEGMENT, WINDOW), BYTES_TO_SLOW),
            false => (rig.gateway.connect(), BYTES),
        };
        let far = if number.is_multiple_of(2) { Far::Tcp } else { Far::Ws };
        client.send(Request::upgrade(if far == Far::Tcp { "/tcp" } else { "/ws" }).encode());
        let backend = if far == Far::Tcp { rig.tcp.accept() } else { rig.ws.accept_websocket().0 };
        assert_eq!(client.read_head().status(), 101);
        let death = if (number / 2).is_multiple_of(2) { Death::Fin } else { Death::Reset };
        Self { number, is_slow, far, death, said: said(number, far, len), client, backend }
    }

    fn run(self, gateway: &Gateway) {
        let Self { number, is_slow, far, death, said, mut client, backend } = self;
        let (sent, read, told) = thread::scope(|scope| {
            let speaks = scope.spawn(|| speak(backend, &said, is_slow.then_some(gateway), death, number));
            if is_slow {
                let (sent, read) = speaks.join().unwrap();
                return (sent, read, Told::hear(&mut client, far));
            }
            let told = Told::hear(&mut client, far);
            let (sent, read) = speaks.join().unwrap();
            (sent, read, told)
        });
        let whole = match (far, death) {
            (Far::Tcp, Death::Fin) => sent,
            (_, Death::Fin) => sent - CUT_HEADER_MAX,
            (_, Death::Reset) => read.saturating_sub(CUT_HEADER_MAX),
        };
        assert!(told.bytes.len() >= whole, "{number}: {} bytes of {whole} at least", told.bytes.len());
        assert_same(&told.bytes, &said[..told.bytes.len()]);
        match (far, death) {
            (Far::Tcp, Death::Fin) => {
                assert_eq!((told.bytes.len(), told.close), (sent, Some(1000)), "{number}");
            }
            (Far::Tcp, Death::Reset) => assert_eq!(told.close, Some(1011), "{number}"),
            // Where a frame was cut, a Close would be taken for a part of it.
            (Far::Ws | Far::Echo, _) => {
                assert!(matches!(told.close, Some(1011) | None), "{number}: {:?}", told.close);
            }
        }
    }
}

/// Says it in pieces, or to a client that does not read as much as is taken, and dies. How many bytes were sent, and how
/// many of them the gateway has read for certain.
fn speak(
    mut backend: Wire,
    said: &[u8],
    stalled: Option<&Gateway>,
    death: Death,
    seed: usize,
) -> (usize, usize) {
    let (sent, read) = match stalled {
        Some(gateway) => {
            let sent = backend.send_until_stalled(said, said.len(), PAUSE);
            let unread = if death == Death::Reset { gateway.unread_from(&backend) } else { 0 };
            (sent, sent.saturating_sub(usize::try_from(unread).unwrap()))
        }
        None => {
            backend.send_in_pieces(said, PIECE_MAX, seed as u64);
            (said.len(), 0)
        }
    };
    match death {
        Death::Fin => drop(backend),
        Death::Reset => backend.reset(),
    }
    (sent, read)
}

impl Told {
    /// All that the client is told; it answers a Close, as clients do.
    fn hear(client: &mut Wire, far: Far) -> Self {
        let (mut bytes, mut ahead, mut close) = (Vec::new(), Vec::new(), None);
        while let Some(more) = client.read_some_or_end() {
            assert_eq!(close, None, "nothing follows a Close");
            ahead.extend_from_slice(&more);
            let mut at = 0;
            while let Some((frame, len)) = Frame::parse(&ahead[at..]) {
                match (frame.opcode, far) {
                    (opcode::CLOSE, _) => {
                        close = frame.close_code();
                        client.try_send(frame.masked().encode()).ok(); // the gateway may be gone already
                    }
                    (_, Far::Tcp) => bytes.extend_from_slice(&frame.payload),
                    (_, Far::Ws | Far::Echo) => bytes.extend_from_slice(&ahead[at..at + len]),
                }
                at += len;
            }
            ahead.drain(..at);
        }
        match far {
            Far::Tcp => assert!(ahead.is_empty(), "the gateway's own frames are whole"),
            Far::Ws | Far::Echo => bytes.extend_from_slice(&ahead),
        }
        Self { bytes, close }
    }
}

/// What the backend of this stream says: bytes that tell stream and place; of a WebSocket backend in frames, the last of
/// which is cut.
fn said(number: usize, far: Far, len: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(len);
    let first = u32::try_from(number << 20).unwrap();
    (first..).take(len / 4).for_each(|place| payload.extend_from_slice(&place.to_be_bytes()));
    if far == Far::Tcp {
        return payload;
    }
    let mut frames: Vec<u8> = Vec::with_capacity(2 * len);
    payload
        .chunks(1000 + 7 * number)
        .for_each(|chunk| frames.extend_from_slice(&Frame::binary(chunk).encode()));
    frames.truncate(frames.len() - 1 - number % 100);
    frames
}
