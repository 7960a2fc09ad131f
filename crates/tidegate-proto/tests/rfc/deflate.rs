//! permessage-deflate: RFC 7692.

mod hostile;
mod negotiation;
mod reading;
mod writing;

use proptest::prelude::*;
use tidegate_proto::Violation;
use tidegate_proto::deflate::{
    Context, Deflater, DeflaterConfig, InflateLimits, Inflater, Progress, WindowBits,
};

fn window(bits: u8) -> WindowBits {
    WindowBits::try_from(bits).unwrap()
}

fn inflater(context: Context) -> Inflater {
    Inflater::new(WindowBits::MAX, context, InflateLimits::NONE)
}

fn deflater(context: Context) -> Deflater {
    Deflater::new(DeflaterConfig { window: WindowBits::MAX, context, level: 6, mem_level: 8 })
}

/// Inflates one message in one piece, with room enough.
fn inflate(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, Violation> {
    inflate_cut(inflater, payload, &[usize::MAX], &[4096])
}

/// Inflates one message with input and room in pieces of these sizes, which repeat.
fn inflate_cut(
    inflater: &mut Inflater,
    payload: &[u8],
    pieces: &[usize],
    rooms: &[usize],
) -> Result<Vec<u8>, Violation> {
    through(payload, pieces, rooms, |input, output, ends| inflater.inflate(input, output, ends))
}

fn deflate(deflater: &mut Deflater, message: &[u8]) -> Vec<u8> {
    deflate_cut(deflater, message, &[usize::MAX], &[4096])
}

fn deflate_cut(deflater: &mut Deflater, message: &[u8], pieces: &[usize], rooms: &[usize]) -> Vec<u8> {
    let step = |input: &[u8], output: &mut [u8], ends| Ok(deflater.deflate(input, output, ends));
    through(message, pieces, rooms, step).unwrap()
}

/// Calls `step` as its contract says, and checks that it keeps its own: something happens at every call, and nothing
/// is written outside of the room.
fn through(
    mut rest: &[u8],
    pieces: &[usize],
    rooms: &[usize],
    mut step: impl FnMut(&[u8], &mut [u8], bool) -> Result<Progress, Violation>,
) -> Result<Vec<u8>, Violation> {
    let mut pieces = pieces.iter().cycle();
    let mut rooms = rooms.iter().cycle();
    let mut output = Vec::new();
    loop {
        let (mut piece, later) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
        rest = later;
        loop {
            let mut room = vec![0xa5; *rooms.next().unwrap() + 1];
            let (guard, space) = room.split_last_mut().unwrap();
            let progress = step(piece, space, rest.is_empty())?;
            assert_eq!(*guard, 0xa5, "what is behind the room is not ours");
            output.extend_from_slice(&space[..progress.produced]);
            piece = &piece[progress.consumed..];
            if progress.done {
                assert!(piece.is_empty(), "done means that all was taken");
                break;
            }
            assert!(progress.consumed + progress.produced > 0, "a call without effect");
        }
        if rest.is_empty() {
            return Ok(output);
        }
    }
}

/// Connections move between threads, and their halves with them.
const _: () = {
    const fn moves<T: Send>() {}
    moves::<Inflater>();
    moves::<Deflater>();
};

/// Bytes that nothing can compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// Messages that compress: words from a small lexicon, runs, and now and then noise.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => prop::sample::select(&["temperature", "\":\"", "station ", "0.25,", "{\"id\":", "null}"])
            .prop_map(|word| word.as_bytes().to_vec()),
        1 => (any::<u8>(), 1usize..700).prop_map(|(byte, count)| vec![byte; count]),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![3 => 1usize..20, 2 => 20usize..400, 1 => 400usize..20_000], 1..6)
}

fn context() -> impl Strategy<Value = Context> {
    prop::sample::select(&[Context::Takeover, Context::Fresh])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// The law of both halves together: whatever the parameters and wherever anything is cut, what comes out is what
    /// went in, and no distance leaves the agreed window.
    #[test]
    fn c094_what_was_deflated_inflates_however_it_is_cut(
        messages in prop::collection::vec(message(), 1..6),
        bits in 8u8..=15,
        context in context(),
        level in 0u8..=9,
        mem_level in 1u8..=9,
        cuts in [sizes(), sizes(), sizes(), sizes()],
    ) {
        let [message_cuts, payload_rooms, payload_cuts, message_rooms] = &cuts;
        let mut writer = Deflater::new(DeflaterConfig { window: window(bits), context, level, mem_level });
        let mut reader = Inflater::new(window(bits), context, InflateLimits::NONE);
        for message in &messages {
            let payload = deflate_cut(&mut writer, message, message_cuts, payload_rooms);
            let inflated = inflate_cut(&mut reader, &payload, payload_cuts, message_rooms);
            prop_assert_eq!(inflated.as_ref(), Ok(message));
        }
    }
}
