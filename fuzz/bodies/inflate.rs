//! [`Inflater`]: messages, whatever the pieces and the room, are what RFC 1951 says, within the limits.

use tidegate_proto::Violation;
use tidegate_proto::deflate::{Context, InflateLimits, Inflater, WindowBits};

use super::input::{Input, Pieces};
use super::oracle;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let [choices, limits, rooms] = input.array();
    let window = window(choices);
    let context = if choices & 8 == 0 { Context::Takeover } else { Context::Fresh };
    let limits = LIMITS[usize::from(limits) % LIMITS.len()];
    let pieces = input.pieces();
    let mut whole = Inflater::new(window, context, limits);
    let mut cut = Inflater::new(window, context, limits);
    let mut history = Vec::new();
    while !input.is_empty() {
        let len = usize::from(u16::from_be_bytes(input.array()));
        let payload = input.take(len);
        let (found, violation) = inflate(&mut whole, payload, Pieces::WHOLE, 1 << 16, limits);
        let room = usize::from(rooms) + 1;
        let (found_cut, violation_cut) = inflate(&mut cut, payload, pieces.clone(), room, limits);
        assert_eq!(violation, violation_cut, "however {payload:x?} is cut");
        let shorter = found.len().min(found_cut.len());
        assert_eq!(found[..shorter], found_cut[..shorter]);
        assert!(violation.is_some() || found.len() == found_cut.len());

        let bytes_max = usize::try_from(limits.message_bytes_max).expect("the limits here are small");
        let expected = oracle::inflate::inflate(&history, window.bytes(), payload, bytes_max);
        assert_judged(&expected, &found, violation);
        if violation.is_some() {
            assert_eq!((whole.heap_bytes(), cut.heap_bytes()), (0, 0));
            whole.reset();
            cut.reset();
            history.clear();
            continue;
        }
        if context == Context::Takeover {
            history.extend(found);
            history.drain(..history.len().saturating_sub(window.bytes()));
        }
        let held_max = if context == Context::Fresh { 0 } else { window.bytes() };
        assert!(
            whole.heap_bytes() <= held_max && cut.heap_bytes() <= held_max,
            "memory between two messages"
        );
    }
}

pub(crate) fn window(choice: u8) -> WindowBits {
    WindowBits::try_from(8 + (choice & 7)).expect("8 to 15 are windows")
}

/// One message: what came out, and the violation that ended it.
fn inflate(
    inflater: &mut Inflater,
    payload: &[u8],
    pieces: Pieces,
    room: usize,
    limits: InflateLimits,
) -> (Vec<u8>, Option<Violation>) {
    let mut made = Vec::new();
    let mut output = vec![0; room];
    let mut rest = payload;
    for len in pieces {
        let (piece, later) = rest.split_at(len.min(rest.len()));
        rest = later;
        let mut input = piece;
        loop {
            let progress = match inflater.inflate(input, &mut output, later.is_empty()) {
                Ok(progress) => progress,
                Err(violation) => {
                    assert_eq!(inflater.inflate(&[0], &mut output, true), Err(violation), "it is final");
                    return (made, Some(violation));
                }
            };
            made.extend_from_slice(&output[..progress.produced]);
            assert!(made.len() as u64 <= limits.message_bytes_max, "{} bytes made", made.len());
            let ratio = (payload.len() as u64).saturating_mul(limits.ratio_max.into());
            assert!(made.len() as u64 <= limits.ratio_floor_bytes.max(ratio), "{} bytes made", made.len());
            assert!(inflater.heap_bytes() <= HEAP_BYTES_MAX, "{} bytes held", inflater.heap_bytes());
            input = &input[progress.consumed..];
            if progress.done {
                assert!(input.is_empty(), "all input is taken");
                break;
            }
            assert!(progress.produced > 0 || progress.consumed > 0, "a call with room comes forward");
        }
        if rest.is_empty() {
            break;
        }
    }
    (made, None)
}

fn assert_judged(
    expected: &Result<Vec<u8>, oracle::inflate::Wrong>,
    found: &[u8],
    violation: Option<Violation>,
) {
    match (expected, violation) {
        (Ok(message), None) => assert_eq!(message, found),
        (Err(oracle::inflate::Wrong::Format), Some(Violation::InvalidDeflate(_) | Violation::DeflateWindowExceeded))
        | (Err(oracle::inflate::Wrong::TooBig), Some(Violation::InflatedTooBig))
        // The limits that the standard does not know.
        | (_, Some(Violation::InflatedTooMuch | Violation::TooManyBlocks)) => {}
        _ => panic!("expected {expected:x?}, found {found:x?} and {violation:?}"),
    }
}

/// The window twice over, while it grows, and what a block with its own codes takes.
const HEAP_BYTES_MAX: usize = (64 + 8) << 10;

const LIMITS: [InflateLimits; 3] = [
    InflateLimits { message_bytes_max: 1 << 16, ratio_max: u32::MAX, ratio_floor_bytes: u64::MAX },
    InflateLimits { message_bytes_max: 1 << 16, ratio_max: 4, ratio_floor_bytes: 100 },
    InflateLimits { message_bytes_max: 100, ratio_max: u32::MAX, ratio_floor_bytes: u64::MAX },
];
