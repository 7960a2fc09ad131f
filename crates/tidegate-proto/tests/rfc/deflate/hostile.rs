//! What a peer may try: bombs, damage, and work for nothing.

use super::*;
use tidegate_proto::InvalidDeflate;

/// A message of `zeros` zero bytes, compressed as far as the format allows.
fn bomb(zeros: usize) -> Vec<u8> {
    let config = DeflaterConfig { window: WindowBits::MAX, context: Context::Fresh, level: 9, mem_level: 9 };
    deflate(&mut Deflater::new(config), &vec![0; zeros])
}

fn limited(limits: InflateLimits) -> Inflater {
    Inflater::new(WindowBits::MAX, Context::Takeover, limits)
}

#[test]
fn t125_the_examples_of_the_rfc_are_hello() {
    let table: [&[u8]; 4] = [
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ];
    for payload in table {
        assert_eq!(inflate(&mut inflater(Context::Fresh), payload), Ok(b"Hello".to_vec()));
    }
}

#[test]
fn t126_a_bomb_ends_at_the_limit() {
    let payload = bomb(64 << 20);
    assert!(payload.len() < 66_000);
    let limits = InflateLimits { message_bytes_max: 1 << 20, ..InflateLimits::NONE };
    let mut reader = limited(limits);
    let (mut rest, mut made, mut calls) = (payload.as_slice(), 0, 0);
    let mut room = vec![0; 16 << 10];
    let violation = loop {
        match reader.inflate(rest, &mut room, true) {
            Ok(progress) => {
                rest = &rest[progress.consumed..];
                made += progress.produced;
                calls += 1;
                assert!(calls < 100, "bounded");
            }
            Err(violation) => break violation,
        }
    };
    assert_eq!((violation, violation.close_code().get()), (Violation::InflatedTooBig, 1009));
    assert_eq!(made, 1 << 20, "all that is allowed, and no more");
    assert_eq!(reader.heap_bytes(), 0);
}

#[test]
fn t127_exactly_the_limit_passes_however_it_is_cut() {
    let limits = InflateLimits { message_bytes_max: 100_000, ..InflateLimits::NONE };
    for (pieces, rooms) in [
        (&[usize::MAX][..], &[1 << 20][..]),
        (&[1], &[100_000]),
        (&[7], &[1000]),
        (&[usize::MAX], &[99_999, 1]),
        (&[usize::MAX], &[100_001]),
    ] {
        for (zeros, expected) in
            [(99_999, Ok(99_999)), (100_000, Ok(100_000)), (100_001, Err(Violation::InflatedTooBig))]
        {
            let found = inflate_cut(&mut limited(limits), &bomb(zeros), pieces, rooms);
            assert_eq!(found.map(|message| message.len()), expected, "{zeros} by {pieces:?} into {rooms:?}");
        }
    }
    // The limit is of each message.
    let mut reader = limited(limits);
    for _ in 0..3 {
        assert!(inflate(&mut reader, &bomb(100_000)).is_ok());
    }
}

#[test]
fn t126_the_ratio_counts_above_the_floor() {
    let limits = InflateLimits { message_bytes_max: u64::MAX, ratio_max: 100, ratio_floor_bytes: 64 << 10 };
    assert!(
        inflate(&mut limited(limits), &bomb(64 << 10)).is_ok(),
        "small messages may be as regular as they like"
    );
    for cut in [usize::MAX, 1, 13] {
        let found = inflate_cut(&mut limited(limits), &bomb((64 << 10) + 1), &[cut], &[4096]);
        assert_eq!(found, Err(Violation::InflatedTooMuch));
    }
    assert_eq!(Violation::InflatedTooMuch.close_code().get(), 1009);

    // Noise in front pays for zeros behind it, but only for so many.
    let message = |zeros| [noise(4000), vec![0; zeros]].concat();
    for (zeros, passes) in [(300_000, true), (1_000_000, false)] {
        let payload = deflate(&mut deflater(Context::Fresh), &message(zeros));
        for cut in [usize::MAX, 1, 13, 3000] {
            let found = inflate_cut(&mut limited(limits), &payload, &[cut], &[4096, 100_000]);
            assert_eq!(found.is_ok(), passes, "{zeros} by {cut}");
        }
    }
}

#[test]
fn t128_blocks_of_nothing_are_cheap_or_refused() {
    // Empty blocks with fixed codes: ten bits each. Five of them fill seven bytes less six bits, so the last is stored.
    let fixed = [b"\x02\x08\x20\x80\x00".repeat(20_000), b"\x00".to_vec()].concat();
    let mut reader = inflater(Context::Fresh);
    assert_eq!(inflate(&mut reader, &fixed), Ok(Vec::new()));

    // An empty block with codes of its own has to set them up.
    let mut bits = BitWriter::default();
    for _ in 0..1024 {
        bits.empty_dynamic_block();
    }
    let mut allowed = bits.clone();
    allowed.end();
    assert_eq!(inflate(&mut reader, &allowed.bytes), Ok(Vec::new()));
    assert_eq!(inflate(&mut reader, &allowed.bytes), Ok(Vec::new()), "each message begins anew");
    bits.empty_dynamic_block();
    bits.end();
    for cut in [usize::MAX, 5] {
        let found = inflate_cut(&mut inflater(Context::Fresh), &bits.bytes, &[cut], &[64]);
        assert_eq!(found, Err(Violation::TooManyBlocks));
    }
    assert_eq!(Violation::TooManyBlocks.close_code().get(), 1008);
}

#[test]
fn t129_what_is_not_deflate_is_1007() {
    use InvalidDeflate::*;
    // A fixed block with length 3 at distance symbol 30, which is in the code but means nothing.
    let mut no_distance = BitWriter::default();
    no_distance.put(0b010, 3);
    no_distance.put(0b100_0000, 7);
    no_distance.put(0b01111, 5);
    no_distance.put(0, 16);
    let table: [(&[u8], InvalidDeflate); 10] = [
        (b"\x06", BlockType),
        (b"\x07", BlockType),
        (b"\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00", StoredLength),
        (b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\x00\x00\x00", StoredLength),
        // A match before there is a byte.
        (b"\xf2\x00\x11\x00\x00", Distance),
        (b"\x02\x02\x00\x00\x00", Distance),
        // Length symbol 286, which is in the code but means nothing.
        (b"\x1b\x03\x00", Symbol),
        (&no_distance.bytes, Symbol),
        (b"\xf4\xff\x00", CodeLengths),
        (b"\x04\x00\x00\x00\x00", CodeLengths),
    ];
    for (payload, expected) in table {
        for cut in [usize::MAX, 1] {
            let found = inflate_cut(&mut inflater(Context::Takeover), payload, &[cut], &[64]);
            assert_eq!(found, Err(expected.into()), "{payload:x?}");
        }
    }
    assert_eq!(Violation::from(BlockType).close_code().get(), 1007);
}

#[test]
fn t129_a_distance_beyond_the_agreed_window_is_1002() {
    let unit = noise(3000);
    let payload = deflate(&mut deflater(Context::Takeover), &unit.repeat(2));
    for bits in 8..=15 {
        for cut in [usize::MAX, 100] {
            let mut reader = Inflater::new(window(bits), Context::Takeover, InflateLimits::NONE);
            let found = inflate_cut(&mut reader, &payload, &[cut], &[cut.min(9000)]);
            let expected = if bits < 12 { Err(Violation::DeflateWindowExceeded) } else { Ok(unit.repeat(2)) };
            assert_eq!(found, expected, "window {bits} by {cut}");
        }
    }
    assert_eq!(Violation::DeflateWindowExceeded.close_code().get(), 1002);
}

#[test]
fn t136_idle_halves_own_no_more_than_their_history() {
    let mut readers: Vec<Inflater> = (0..5000).map(|_| inflater(Context::Takeover)).collect();
    for reader in &mut readers {
        inflate(reader, b"\xf2\x48\xcd\xc9\xc9\x07\x00").unwrap();
    }
    let total: usize = readers.iter().map(Inflater::heap_bytes).sum();
    assert!(total <= 5000 * 256, "{total}");
    assert!(size_of::<Inflater>() <= 256, "{}", size_of::<Inflater>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// The limits see the message, not how it happened to arrive.
    #[test]
    fn t127_the_limits_are_the_same_however_it_is_cut(
        message in message(),
        limits in (0u64..3000, 1u32..12, 0u64..500).prop_map(|(message_bytes_max, ratio_max, ratio_floor_bytes)| {
            InflateLimits { message_bytes_max, ratio_max, ratio_floor_bytes }
        }),
        cuts in [sizes(), sizes()],
    ) {
        let payload = deflate(&mut deflater(Context::Fresh), &message);
        let whole = inflate(&mut limited(limits), &payload);
        let cut = inflate_cut(&mut limited(limits), &payload, &cuts[0], &cuts[1]);
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(inflate_cut(&mut limited(limits), &payload, &[1], &[5000]), cut);
        if whole.is_ok() {
            prop_assert!(message.len() as u64 <= limits.message_bytes_max);
            let used = payload.len() as u64 * u64::from(limits.ratio_max);
            prop_assert!(message.len() as u64 <= limits.ratio_floor_bytes.max(used));
        }
    }

    /// Any bytes at all: a verdict, the same however they are cut, within the limits, in a bounded number of calls.
    #[test]
    fn t129_any_bytes_get_a_verdict(
        payload in prop::collection::vec(any::<u8>(), 0..300),
        bits in 8u8..=15,
        cuts in [sizes(), sizes()],
    ) {
        let limits = InflateLimits { message_bytes_max: 5000, ratio_max: 20, ratio_floor_bytes: 500 };
        let reader = || Inflater::new(window(bits), Context::Takeover, limits);
        let whole = inflate(&mut reader(), &payload);
        let cut = inflate_cut(&mut reader(), &payload, &cuts[0], &cuts[1]);
        prop_assert_eq!(&whole, &cut);
        prop_assert!(whole.map_or(0, |message| message.len()) <= 5000);
    }
}

/// Writes bits as RFC 1951 §3.1.1 packs them.
#[derive(Clone, Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: u32,
}

impl BitWriter {
    fn put(&mut self, bits: u32, count: u32) {
        for index in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((bits >> index & 1) as u8) << (self.used % 8);
            self.used += 1;
        }
    }

    /// A block with codes of its own, in which only the end of the block has one.
    fn empty_dynamic_block(&mut self) {
        self.put(0b100, 3);
        self.put(0, 5); // 257 literals and lengths
        self.put(0, 5); // 1 distance
        self.put(14, 4); // 18 lengths of the code of code lengths
        for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1] {
            self.put(if symbol == 18 || symbol == 1 { 1 } else { 0 }, 3);
        }
        self.put(1, 1); // 138 times 0
        self.put(127, 7);
        self.put(1, 1); // 118 times 0
        self.put(107, 7);
        self.put(0, 1); // the end of the block has one bit
        self.put(0, 1); // and so has the distance
        self.put(0, 1); // the end of the block
    }

    fn end(&mut self) {
        self.put(0, 3);
    }
}
