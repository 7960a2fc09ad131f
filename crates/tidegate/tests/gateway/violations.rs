//! Frames that break the protocol: answered with the right Close, and never passed on.

use tidegate_testkit::{Frame, Wire, opcode};

use crate::rig::{EVERY_FAR, Far, Rig, expect_line};

/// A breach, and what legal frames come before it.
#[derive(Debug, Clone)]
pub(crate) struct Breach {
    /// Sent before the breach, and passed on.
    legal: Vec<u8>,
    breach: Vec<u8>,
    code: u16,
}

/// How the bytes arrive.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Delivery {
    /// All at once, with more behind.
    Together,
    /// The breach is the last that comes: it is found at once and not by what follows.
    Alone,
    /// In pieces of a few bytes, with more behind.
    Chopped(u64),
}

/// What is right before every breach.
fn before() -> Vec<u8> {
    Frame::binary("before ").masked().encode()
}

/// What follows the breach. It must be neither answered nor passed on.
fn after() -> Vec<u8> {
    Frame::binary("after").masked().encode()
}

fn breach(breach: impl AsRef<[u8]>, code: u16) -> Breach {
    Breach { legal: before(), breach: breach.as_ref().to_vec(), code }
}

/// Of bytes in hexadecimal, and as many zeros behind them.
fn hex(text: &str, zeros: usize, code: u16) -> Breach {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes = digits.chunks(2).map(pair);
    breach(bytes.chain(std::iter::repeat_n(0, zeros)).collect::<Vec<u8>>(), code)
}

/// A frame that is wrong because a message has begun.
fn within_a_message(frame: &Frame) -> Breach {
    let begun = Frame::text("begun ").unfinished().masked().encode();
    Breach { legal: [before(), begun].concat(), ..breach(frame.encode(), 1002) }
}

/// The breaches of one row.
pub(crate) fn row(number: u16) -> Vec<Breach> {
    match number {
        86 => vec![hex("8105 48656c6c6f", 0, 1002)],
        88 => vec![hex("82ff ffffffffffffffff 00000000", 0, 1002)],
        89 => vec![hex("82ff 7fffffffffffffff 00000000", 0, 1009)],
        90 => vec![hex("82ff fffffffffffffffc 00000000", 0, 1002)],
        91 => vec![hex("82ff 0000000100000000 00000000", 0, 1009)],
        92 => vec![hex("82fe 007c 00000000", 124, 1002), hex("82fe 007d 00000000", 125, 1002)],
        93 => vec![
            hex("82ff 000000000000ffff 00000000", 0, 1002),
            hex("82ff 0000000000000005 00000000", 5, 1002),
        ],
        94 => [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf]
            .map(|opcode: u8| hex(&format!("{:02x}ff 0000000100000000 00000000", 0x80 | opcode), 0, 1002))
            .into(),
        95 => reserved_bits(),
        96 => vec![hex("89fe 007e 00000000", 126, 1002), hex("89ff 0000000000000005 00000000", 5, 1002)],
        97 => ["0980", "0a80", "0880"].map(|frame| hex(&format!("{frame} 00000000"), 0, 1002)).into(),
        98 => ["8080", "0080"].map(|frame| hex(&format!("{frame} 00000000"), 0, 1002)).into(),
        99 => [Frame::text("again"), Frame::binary("again"), Frame::text("again").unfinished()]
            .map(|frame| within_a_message(&frame.masked()))
            .into(),
        111 => vec![hex("8881 00000000 03", 0, 1002)],
        112 => [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
            .map(|code| breach(Frame::close(code, "").masked().encode(), 1002))
            .into(),
        114 => vec![hex("8883 00000000 03e8 ff", 0, 1007), hex("8884 00000000 03e8 c3 28", 0, 1007)],
        115 => vec![hex("88fe 007e 00000000 03e8", 124, 1002)],
        _ => panic!("row {number} has no frames that break the protocol"),
    }
}

/// All of them.
pub(crate) const ROWS: [u16; 17] = [86, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 111, 112, 114, 115];

fn reserved_bits() -> Vec<Breach> {
    let opcodes = [opcode::TEXT, opcode::BINARY, opcode::PING, opcode::PONG, opcode::CLOSE];
    let mut table: Vec<_> = (1..8)
        .flat_map(|reserved| opcodes.map(|opcode| Frame::new(opcode, "").reserved(reserved).masked()))
        .map(|frame| breach(frame.encode(), 1002))
        .collect();
    table.push(within_a_message(&Frame::continuation("more").reserved(4).masked()));
    table
}

/// Each breach is answered with its Close, whatever the route and however the bytes come; what stood before it has
/// passed, and neither it nor what follows reaches the backend, which gets the end that the table of endings names.
#[track_caller]
pub(crate) fn hold(rig: &Rig, table: &[Breach], deliveries: &[Delivery]) {
    for far in EVERY_FAR {
        for breach in table {
            for delivery in deliveries {
                hold_one(rig, far, breach, *delivery);
            }
        }
    }
}

#[track_caller]
fn hold_one(rig: &Rig, far: Far, Breach { legal, breach, code }: &Breach, delivery: Delivery) {
    let case = || format!("{} {far:?} {delivery:?}", breach[..breach.len().min(14)].escape_ascii());
    let mut session = rig.open(far);
    match delivery {
        Delivery::Together => session.client.send([legal, breach, &after()[..]].concat()),
        Delivery::Alone => session.client.send([&legal[..], breach].concat()),
        Delivery::Chopped(seed) => {
            session.client.send_chopped([legal, breach, &after()[..]].concat(), seed);
        }
    }
    let sent: Vec<u8> = Frame::parse_all(legal).into_iter().flat_map(|frame| frame.payload).collect();
    // First, because the client's Close waits a moment for a WebSocket backend's last words.
    session.expect_backend_end(far, if far == Far::Tcp { &sent } else { legal }, 1001);
    let answers = Frame::parse_all(&session.client.read_to_fin());
    let (close, echoed) = answers.split_last().unwrap_or_else(|| panic!("no Close: {}", case()));
    assert_eq!((close.close_code(), close.mask), (Some(*code), None), "{}", case());
    let payload: Vec<u8> = echoed.iter().flat_map(|frame| frame.payload.clone()).collect();
    assert_eq!(payload, if far == Far::Echo { &sent[..] } else { b"" }, "{}", case());
}

#[track_caller]
fn hold_row(number: u16) {
    let rig = Rig::start();
    hold(&rig, &row(number), &[Delivery::Together, Delivery::Alone, Delivery::Chopped(6455)]);
    rig.finish();
}

#[test]
fn t086_a_frame_without_mask() {
    hold_row(86);
}

#[test]
fn t088_a_length_with_its_top_bit_set() {
    hold_row(88);
}

#[test]
fn t089_the_greatest_length() {
    hold_row(89);
}

#[test]
fn t090_a_length_that_would_wrap_around() {
    hold_row(90);
}

#[test]
fn t091_four_gibibytes_and_silence() {
    hold_row(91);
}

#[test]
fn t092_a_length_of_seven_bits_in_sixteen() {
    hold_row(92);
}

#[test]
fn t093_a_length_of_sixteen_bits_in_sixty_four() {
    hold_row(93);
}

#[test]
fn t094_unknown_opcodes() {
    hold_row(94);
}

#[test]
fn t095_reserved_bits_without_an_extension() {
    hold_row(95);
}

#[test]
fn t096_pings_beyond_125_bytes() {
    hold_row(96);
}

#[test]
fn t097_fragmented_control_frames() {
    hold_row(97);
}

#[test]
fn t098_a_continuation_of_nothing() {
    hold_row(98);
}

#[test]
fn t099_a_message_inside_a_message() {
    hold_row(99);
}

#[test]
fn t111_a_close_body_of_one_byte() {
    hold_row(111);
}

#[test]
fn t112_codes_that_may_not_be_sent() {
    hold_row(112);
}

#[test]
fn t114_a_reason_that_is_no_utf_8() {
    hold_row(114);
}

#[test]
fn t115_a_close_of_126_bytes() {
    hold_row(115);
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

/// A violation, after a message that the backend has yet to answer.
fn message_and_violation(rig: &Rig) -> (Wire, Wire) {
    let (mut client, mut backend) = rig.open_ws();
    client.send([Frame::text("good").masked().encode(), Frame::new(3, "bad").masked().encode()].concat());
    assert_eq!(backend.read_frame().payload, b"good");
    assert_eq!(backend.read_frame().close_code(), Some(1001));
    (client, backend)
}

#[test]
fn what_the_backend_answers_to_messages_before_a_violation_is_delivered() {
    let rig = Rig::start();
    let (mut client, mut backend) = message_and_violation(&rig);
    backend.send_frame(&Frame::text("answer"));
    assert_eq!(client.read_frame().payload, b"answer");
    backend.send_frame(&Frame::close(1001, "seen"));
    client.expect_close(1002);
    client.expect_fin();
    backend.expect_fin();
    expect_line(&rig.gateway, (client, backend), "client_violation", 1002, "gateway");
    rig.finish();
}

#[test]
fn a_client_that_broke_the_protocol_is_closed_though_its_backend_says_nothing() {
    let rig = Rig::start();
    let (mut client, backend) = message_and_violation(&rig);
    client.expect_close(1002);
    client.expect_fin();
    drop((client, backend));
    rig.finish();
}

#[test]
fn a_client_that_broke_the_protocol_is_closed_though_its_backend_never_ends_what_it_says() {
    let rig = Rig::start();
    let (mut client, mut backend) = message_and_violation(&rig);
    backend.send_frame(&Frame::text("begun").unfinished());
    assert_eq!(client.read_frame().payload, b"begun");
    client.expect_close(1002);
    client.expect_fin();
    drop((client, backend));
    rig.finish();
}
