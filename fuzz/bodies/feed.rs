//! Gives a stream to a reader, piece by piece, as a socket would.

use tidegate_proto::{CARRY_BYTES_MAX, Violation};

use super::trace::{Run, Trace};

/// Gives `stream` in pieces to `read`, which takes one event from the front of what it is given, notes it, and says how
/// much it consumed.
///
/// Checks on the way that what is left over has its bound, that every call comes forward, and that a violation is final.
pub(crate) fn feed(
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
    mut read: impl FnMut(&mut [u8], &mut Trace) -> Result<Option<usize>, Violation>,
) -> Run {
    let mut trace = Trace::default();
    let mut carry: Vec<u8> = Vec::new();
    let mut rest = stream;
    for len in pieces {
        let (piece, later) = rest.split_at(len.min(rest.len()));
        rest = later;
        let mut bytes = [&carry[..], piece].concat();
        match take_all(&mut bytes, &mut trace, &mut read) {
            Ok(consumed) => carry = bytes[consumed..].to_vec(),
            Err(violation) => {
                for mut later in [Vec::new(), vec![0x81, 0x00], bytes] {
                    let before = trace.size();
                    assert_eq!(read(&mut later, &mut trace), Err(violation), "a violation is final");
                    assert_eq!(trace.size(), before);
                }
                return Run { trace, violation: Some(violation) };
            }
        }
        if trace.is_closed() || rest.is_empty() {
            break;
        }
        assert!(carry.len() <= CARRY_BYTES_MAX, "{} bytes left over", carry.len());
    }
    Run { trace, violation: None }
}

fn take_all(
    bytes: &mut [u8],
    trace: &mut Trace,
    read: &mut impl FnMut(&mut [u8], &mut Trace) -> Result<Option<usize>, Violation>,
) -> Result<usize, Violation> {
    let mut at = 0;
    let mut idle = false;
    while !trace.is_closed() {
        let before = trace.size();
        let Some(consumed) = read(&mut bytes[at..], trace)? else { break };
        assert!(consumed <= bytes.len() - at, "{consumed} consumed of {}", bytes.len() - at);
        // Once, where the room ended together with the input, a call may find that there was nothing left to do.
        let came_forward = consumed > 0 || trace.size() != before;
        assert!(came_forward || !idle, "two calls that do nothing");
        idle = !came_forward;
        at += consumed;
    }
    Ok(at)
}
