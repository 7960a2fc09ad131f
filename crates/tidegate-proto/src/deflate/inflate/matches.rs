//! Copying what was put out before (RFC 1951 §3.2.3).

use super::window::Window;

/// Bytes after a match that copying it may overwrite, where there is room for them.
const SLACK: usize = 16;

/// Puts out `length` bytes from `distance` bytes back, starting at `at`. Both ends are in bounds: the room was looked
/// at, and `distance` is at most what the window and the output before `at` hold together.
#[inline(always)]
pub(super) fn copy(output: &mut [u8], at: usize, window: &Window, distance: usize, length: usize) {
    let mut at = at;
    let mut left = length;
    if distance > at {
        let back = distance - at;
        let from_window = left.min(back);
        if let Some((_, target)) = output.split_at_mut_checked(at)
            && let Some((target, _)) = target.split_at_mut_checked(from_window)
        {
            window.copy_to(back, target);
        }
        at += from_window;
        left -= from_window;
        if left == 0 {
            return;
        }
    }
    copy_within(output, at, distance, left);
}

/// The same where nothing is older than the output; `distance` may be less than `length`, which repeats.
#[inline(always)]
fn copy_within(output: &mut [u8], at: usize, distance: usize, length: usize) {
    let from = at - distance;
    if distance >= SLACK
        && let Some(output) = output.get_mut(from..at + length + SLACK)
    {
        // Whole chunks, even for a match of three bytes: a copy of known size is two instructions.
        let mut done = 0;
        while done < length {
            let Some(&chunk) = output.get(done..).and_then(<[u8]>::first_chunk::<SLACK>) else { return };
            let Some(target) = output.get_mut(distance + done..).and_then(<[u8]>::first_chunk_mut) else {
                return;
            };
            *target = chunk;
            done += SLACK;
        }
        return;
    }
    let Some(output) = output.get_mut(from..at + length) else { return };
    if distance == 1 {
        let (first, rest) = output.split_at_mut(1);
        rest.fill(first.first().copied().unwrap_or_default());
        return;
    }
    // What stands there repeats with `distance`, so each step may copy twice as much as the one before.
    let mut done = 0;
    while done < length {
        let step = (distance + done).min(length - done);
        output.copy_within(..step, distance + done);
        done += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::WindowBits;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn every_match_is_what_a_byte_by_byte_copy_gives(
            history in prop::collection::vec(any::<u8>(), 1..200),
            in_output in 0usize..200,
            distance in 1usize..200,
            length in 3usize..=258,
            slack in 0usize..40,
        ) {
            let distance = distance.min(history.len());
            let in_output = in_output.min(history.len());
            let mut expected = history.clone();
            for _ in 0..length {
                expected.push(expected[expected.len() - distance]);
            }
            let (before, so_far) = history.split_at(history.len() - in_output);
            let mut window = Window::new(WindowBits::try_from(8).unwrap());
            window.extend(before);
            let mut output: Vec<u8> = so_far.to_vec();
            output.resize(in_output + length + slack, 0);
            copy(&mut output, in_output, &window, distance, length);
            prop_assert_eq!(&output[..in_output + length], &expected[before.len()..]);
        }
    }
}
