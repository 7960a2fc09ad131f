//! Frames that break the protocol: answered with the right Close, and never passed on.

use tidegate_testkit::{Frame, opcode};

use crate::rig::{EVERY_FAR, Far, Rig};

/// A breach, and what legal frames come before it.
struct Breach {
    name: &'static str,
    /// Sent before the breach, and passed on.
    legal: Vec<u8>,
    breach: Vec<u8>,
    code: u16,
}

fn breach(name: &'static str, breach: impl AsRef<[u8]>, code: u16) -> Breach {
    Breach { name, legal: Vec::new(), breach: breach.as_ref().to_vec(), code }
}

/// What follows the breach. It must be neither answered nor passed on.
fn after() -> Vec<u8> {
    Frame::binary("after").masked().encode()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// Headers that are wrong in themselves.
fn bad_headers() -> Vec<Breach> {
    let mut table = vec![
        breach("t086 a frame without mask", hex("8105 48656c6c6f"), 1002),
        breach("t088 a length with its top bit set", hex("82ff ffffffffffffffff 00000000"), 1002),
        breach("t089 the greatest length", hex("82ff 7fffffffffffffff 00000000"), 1009),
        breach("t090 a length that would wrap around", hex("82ff fffffffffffffffc 00000000"), 1002),
        breach("t091 4 GiB", hex("82ff 0000000100000000 00000000"), 1009),
        breach("t092 125 in 16 bits", [hex("82fe 007d 00000000"), vec![0; 125]].concat(), 1002),
        breach("t093 65535 in 64 bits", hex("82ff 000000000000ffff 00000000"), 1002),
        breach("t096 a ping of 126 bytes", [hex("89fe 007e 00000000"), vec![0; 126]].concat(), 1002),
        breach("t096 a ping with a length of 64 bits", hex("89ff 0000000000000005 00000000"), 1002),
        breach("t097 a fragmented ping", hex("0980 00000000"), 1002),
        breach("t097 a fragmented pong", hex("0a80 00000000"), 1002),
        breach("t097 a fragmented close", hex("0880 00000000"), 1002),
        breach("t098 a continuation of nothing", hex("8080 00000000"), 1002),
        breach("t098 an unfinished continuation of nothing", hex("0080 00000000"), 1002),
        breach("t115 a close of 126 bytes", [hex("88fe 007e 00000000 03e8"), vec![b'a'; 124]].concat(), 1002),
    ];
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        table.push(breach(
            "t094 an unknown opcode",
            [&[0x80 | opcode], &hex("ff 0000000100000000 00000000")[..]].concat(),
            1002,
        ));
    }
    for reserved in 1..8 {
        for opcode in [opcode::TEXT, opcode::BINARY, opcode::PING, opcode::CLOSE] {
            table.push(breach(
                "t095 reserved bits",
                Frame::new(opcode, "").reserved(reserved).masked().encode(),
                1002,
            ));
        }
    }
    table
}

/// Frames that are wrong where they stand.
fn bad_sequences() -> Vec<Breach> {
    let unfinished = Frame::text("begun ").unfinished().masked().encode();
    [
        ("t099 a message inside a message", Frame::text("again").masked()),
        ("t099 a message of another type inside a message", Frame::binary("again").masked()),
        ("t095 reserved bits on a continuation", Frame::continuation("more").reserved(4).masked()),
    ]
    .map(|(name, frame)| Breach { legal: unfinished.clone(), ..breach(name, frame.encode(), 1002) })
    .into()
}

/// Close frames that may not be sent.
fn bad_closes() -> Vec<Breach> {
    let mut table = vec![
        breach("t111 a close body of one byte", hex("8881 00000000 03"), 1002),
        breach("t114 a reason that is no UTF-8", hex("8883 00000000 03e8 ff"), 1007),
    ];
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        table.push(breach(
            "t112 a code that may not be sent",
            Frame::close(code, "").masked().encode(),
            1002,
        ));
    }
    table
}

/// How the bytes arrive.
#[derive(Debug, Clone, Copy)]
enum Delivery {
    /// All at once, with more behind.
    Together,
    /// The breach is the last that comes: it is found at once and not by what follows.
    Alone,
    /// In pieces of a few bytes, with more behind.
    Chopped(u64),
}

#[track_caller]
fn hold(rig: &Rig, table: &[Breach], delivery: Delivery) {
    for far in EVERY_FAR {
        for Breach { name, legal, breach, code } in table {
            let case =
                || format!("{name} {} {far:?} {delivery:?}", breach[..breach.len().min(14)].escape_ascii());
            let mut session = rig.open(far);
            let first = Frame::binary("before ").masked();
            let legal = [first.encode(), legal.clone()].concat();
            match delivery {
                Delivery::Together => session.client.send([&legal, breach, &after()[..]].concat()),
                Delivery::Alone => session.client.send([&legal, &breach[..]].concat()),
                Delivery::Chopped(seed) => {
                    session.client.send_chopped([&legal, breach, &after()[..]].concat(), seed);
                }
            }
            let answers = Frame::parse_all(&session.client.read_to_fin());
            let (close, echoed) = answers.split_last().unwrap_or_else(|| panic!("no Close: {}", case()));
            assert_eq!((close.close_code(), close.mask), (Some(*code), None), "{}", case());
            let sent =
                Frame::parse_all(&legal).into_iter().flat_map(|frame| frame.payload).collect::<Vec<_>>();
            let payload: Vec<u8> = echoed.iter().flat_map(|frame| frame.payload.clone()).collect();
            assert_eq!(payload, if far == Far::Echo { &sent[..] } else { b"" }, "{}", case());
            let received = if far == Far::Tcp { &sent } else { &legal };
            session.expect_backend_end(far, received, 1001);
        }
    }
}

#[test]
fn t086_to_t099_bad_headers_at_once() {
    let rig = Rig::start();
    hold(&rig, &bad_headers(), Delivery::Together);
    rig.finish();
}

#[test]
fn t086_to_t099_bad_headers_as_the_last_that_comes() {
    let rig = Rig::start();
    hold(&rig, &bad_headers(), Delivery::Alone);
    rig.finish();
}

#[test]
fn t086_to_t099_bad_headers_in_pieces() {
    let rig = Rig::start();
    hold(&rig, &bad_headers(), Delivery::Chopped(6455));
    rig.finish();
}

#[test]
fn t099_t111_to_t115_bad_sequences_and_bad_closes() {
    let rig = Rig::start();
    for table in [bad_sequences(), bad_closes()] {
        for delivery in [Delivery::Together, Delivery::Alone, Delivery::Chopped(7692)] {
            hold(&rig, &table, delivery);
        }
    }
    rig.finish();
}

/// Lengths are promises: nothing is set aside for them.
#[test]
fn t089_t091_t094_declared_lengths_cost_no_memory() {
    let rig = Rig::with("max_frame = '1GiB'");
    let warm = rig.open(Far::Echo);
    let before = rig.gateway.memory();
    let sessions: Vec<_> = (0..20)
        .map(|_| {
            let mut session = rig.open(Far::Tcp);
            session.client.send(Frame::binary("").masked().encode_header(1 << 30));
            session.client.send("begun");
            assert_eq!(session.backend().read_exact(5), b"begun");
            session
        })
        .collect();
    let grown = rig.gateway.memory().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes for 20 promises of 1 GiB");
    drop((sessions, warm));
    rig.finish();
}
