//! The reading half: RFC 7692 §7.2.2, and the examples of §7.2.3.

use super::*;
use tidegate_proto::InvalidDeflate;
use zlib_rs::{Inflate, InflateFlush, Status};

/// What a message "Hello" may be compressed to (§7.2.3).
const HELLO: [&[u8]; 6] = [
    b"\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
    b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
    b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    b"\xf2\x48\xcd\xc9\xc9\x07\x04",
    b"\xf3\x48\xcd\xc9\xc9\x07\x00",
];

#[test]
fn c090_the_tail_that_the_sender_took_off_is_put_back() {
    assert_eq!(inflate(&mut inflater(Context::Fresh), HELLO[0]), Ok(b"Hello".to_vec()));
    // Twice on one connection: the second message begins where the first one ended, at a byte.
    let mut reader = inflater(Context::Takeover);
    assert_eq!(inflate(&mut reader, HELLO[0]), Ok(b"Hello".to_vec()));
    assert_eq!(inflate(&mut reader, b"\xf2\x00\x11\x00\x00"), Ok(b"Hello".to_vec()));
}

#[test]
fn c090_a_message_ends_where_the_tail_belongs_or_not_at_all() {
    let truncated = Err(InvalidDeflate::Truncated.into());
    let table: [&[u8]; 8] = [
        b"\xf2",
        b"\xf2\x48\xcd\xc9\xc9\x07",
        b"\xf2\x48\xcd\xc9\xc9",
        // The tail was left on: the lengths behind the one that is put back are cut.
        b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c",
        b"\x00\x05\x00",
        b"\x00\x05",
        b"\x04",
    ];
    for payload in table {
        let mut reader = inflater(Context::Fresh);
        assert_eq!(inflate(&mut reader, payload), truncated, "{payload:x?}");
        assert_eq!(inflate(&mut reader, HELLO[0]), truncated, "a violation is final");
        reader.reset();
        assert_eq!(inflate(&mut reader, HELLO[0]), Ok(b"Hello".to_vec()), "until the half is made new");
    }
}

#[test]
fn c091_every_type_of_block_in_any_number() {
    for payload in HELLO {
        for context in [Context::Takeover, Context::Fresh] {
            let mut reader = inflater(context);
            for _ in 0..3 {
                assert_eq!(inflate(&mut reader, payload), Ok(b"Hello".to_vec()), "{payload:x?} {context:?}");
            }
        }
    }
    // A final block in the middle of a message, then another one, then a stored one that is final.
    let tail = b"\x00\x00\xff\xff".as_slice();
    let payload = [HELLO[2], tail, HELLO[0], tail, b"\x01\x01\x00\xfe\xff!"].concat();
    assert_eq!(inflate(&mut inflater(Context::Fresh), &payload[..]), Ok(b"HelloHello!".to_vec()));
}

#[test]
fn c091_the_window_outlives_a_final_block() {
    let again = b"\xf2\x00\x11\x00\x00";
    for payload in HELLO {
        let mut reader = inflater(Context::Takeover);
        inflate(&mut reader, payload).unwrap();
        assert_eq!(inflate(&mut reader, again), Ok(b"Hello".to_vec()), "{payload:x?}");
    }
    // Within one message as well.
    let payload = [HELLO[5], again].concat();
    assert_eq!(inflate(&mut inflater(Context::Fresh), &payload), Ok(b"HelloHello".to_vec()));
}

#[test]
fn c085_without_takeover_nothing_of_an_earlier_message_can_be_had() {
    for rooms in [&[64][..], &[1], &[2]] {
        let mut reader = inflater(Context::Fresh);
        inflate_cut(&mut reader, HELLO[0], &[2], rooms).unwrap();
        assert_eq!(inflate(&mut reader, b"\xf2\x00\x11\x00\x00"), Err(InvalidDeflate::Distance.into()));
    }
}

#[test]
fn c093_an_empty_message_is_one_byte_or_none() {
    let mut reader = inflater(Context::Takeover);
    for payload in [b"\x00".as_slice(), b"", b"\x02\x00", b"\x03\x00", b"\x01\x00\x00\xff\xff\x00"] {
        assert_eq!(inflate(&mut reader, payload), Ok(Vec::new()), "{payload:x?}");
    }
    assert_eq!(reader.heap_bytes(), 0, "nothing was received");
}

#[test]
fn c094_a_message_inflates_however_it_is_cut() {
    for payload in HELLO {
        for piece in 1..=payload.len() {
            for room in 1..=6 {
                let found = inflate_cut(&mut inflater(Context::Fresh), payload, &[piece], &[room]);
                assert_eq!(found, Ok(b"Hello".to_vec()), "{payload:x?} by {piece} into {room}");
            }
        }
    }
}

#[test]
fn c094_empty_pieces_change_nothing() {
    let mut reader = inflater(Context::Fresh);
    let nothing = Progress { consumed: 0, produced: 0, done: true };
    let mut room = [0; 16];
    assert_eq!(reader.inflate(b"", &mut room, false), Ok(nothing));
    assert_eq!(reader.inflate(HELLO[0], &mut room, false).unwrap().produced, 5);
    assert_eq!(reader.inflate(b"", &mut room, false), Ok(nothing));
    assert_eq!(reader.inflate(b"", &mut room, true), Ok(nothing));
    assert_eq!(inflate(&mut reader, HELLO[0]), Ok(b"Hello".to_vec()), "the message had ended");
}

#[test]
fn a_half_owns_what_takeover_demands_and_nothing_else() {
    let message: Vec<u8> = (0..60_000u32).flat_map(|number| number.to_string().into_bytes()).collect();
    for bits in 8..=15 {
        for context in [Context::Takeover, Context::Fresh] {
            let config = DeflaterConfig { window: window(bits), context, level: 6, mem_level: 8 };
            let mut writer = Deflater::new(config);
            let mut reader = Inflater::new(window(bits), context, InflateLimits::NONE);
            assert_eq!(reader.heap_bytes(), 0);
            let mut received = 0usize;
            for len in [100, 1000, message.len()] {
                let payload = deflate(&mut writer, &message[..len]);
                inflate_cut(&mut reader, &payload, &[700], &[5000]).unwrap();
                received += len;
                let history = match context {
                    Context::Takeover => window(bits).bytes().min(received.next_power_of_two().max(256)),
                    Context::Fresh => 0,
                };
                assert!(reader.heap_bytes() <= history, "{} of {history}", reader.heap_bytes());
            }
            reader.reset();
            assert_eq!(reader.heap_bytes(), 0);
        }
    }
}

/// What zlib-rs makes of a whole message, if it is one. It says nothing about how a message ends, so what follows
/// must be readable: a message "Hello". `Err`: it met a final block, behind which it reads nothing.
fn reference(payload: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    let mut codec = Inflate::new(false, 15);
    let input = [payload, b"\x00\x00\xff\xff", HELLO[0], b"\x00\x00\xff\xff"].concat();
    let mut output = vec![0; 1 << 20];
    match codec.decompress(&input, &mut output, InflateFlush::SyncFlush) {
        Ok(Status::StreamEnd) => return Err(()),
        Ok(Status::Ok) => output.truncate(usize::try_from(codec.total_out()).unwrap()),
        Ok(Status::BufError) | Err(_) => return Ok(None),
    }
    Ok(output.strip_suffix(b"Hello").filter(|_| codec.total_in() == input.len() as u64).map(<[u8]>::to_vec))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    /// A second opinion on payloads that are almost right.
    #[test]
    fn c091_damaged_messages_mean_what_they_mean_to_zlib(
        message in message(),
        level in 0u8..=9,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cuts in [sizes(), sizes()],
    ) {
        let config = DeflaterConfig { level, context: Context::Fresh, window: WindowBits::MAX, mem_level: 8 };
        let mut payload = deflate(&mut Deflater::new(config), &message);
        for (at, byte) in damage {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let whole = inflate(&mut inflater(Context::Fresh), &payload);
        let cut = inflate_cut(&mut inflater(Context::Fresh), &payload, &cuts[0], &cuts[1]);
        prop_assert_eq!(&whole, &cut, "the same however it is cut");
        if let Ok(reference) = reference(&payload) {
            prop_assert_eq!(whole.ok(), reference, "{:x?}", payload);
        }
    }
}
