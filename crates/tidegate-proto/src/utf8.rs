//! UTF-8 checked as it arrives (RFC 3629; RFC 6455 §8.1).

use crate::Violation;
use core::str;

/// An incremental check: each byte is looked at once, at most three are kept between two calls.
///
/// It fails as soon as no continuation could make the text valid, so also in the middle of a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Held", into = "Held"))]
pub struct Utf8 {
    /// The beginning of a code point that the last chunk cut.
    held: [u8; 3],
    /// How many of `held` count; < 4.
    held_len: u8,
}

/// How a check is written down: the beginning of a code point, and how many bytes of it count.
#[cfg(feature = "serde")]
type Held = ([u8; 3], u8);

#[cfg(feature = "serde")]
impl From<Utf8> for Held {
    fn from(utf8: Utf8) -> Self {
        (utf8.held, utf8.held_len)
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Held> for Utf8 {
    type Error = Violation;

    fn try_from((held, held_len): Held) -> Result<Self, Violation> {
        let mut utf8 = Self::new();
        utf8.check(held.get(..usize::from(held_len)).ok_or(Violation::InvalidUtf8)?)?;
        if utf8.held_len == held_len { Ok(utf8) } else { Err(Violation::InvalidUtf8) }
    }
}

impl Utf8 {
    /// A check at the start of a text.
    pub const fn new() -> Self {
        Self { held: [0; 3], held_len: 0 }
    }

    /// Whether the text so far ends between two code points.
    pub const fn is_complete(&self) -> bool {
        self.held_len == 0
    }

    /// How many bytes at the end of the text so far begin a code point that is not complete; at most 3.
    pub const fn incomplete_len(&self) -> usize {
        self.held_len as usize
    }

    /// Takes the next bytes of the text.
    ///
    /// # Errors
    /// [`Violation::InvalidUtf8`], by whoever wrote the text; the check is of no further use then.
    #[inline]
    pub fn check(&mut self, chunk: &[u8]) -> Result<(), Violation> {
        let rest = if self.held_len == 0 { chunk } else { self.complete_held(chunk)? };
        let (points, cut) = rest.split_at(rest.len() - cut_len(rest));
        if !tidegate_simd::is_utf8(points) {
            return Err(Violation::InvalidUtf8);
        }
        if cut.is_empty() { Ok(()) } else { self.hold_cut(cut) }
    }

    /// Ends the text.
    ///
    /// # Errors
    /// [`Violation::InvalidUtf8`] if it ends inside a code point.
    pub const fn finish(&mut self) -> Result<(), Violation> {
        if self.held_len == 0 { Ok(()) } else { Err(Violation::InvalidUtf8) }
    }

    /// Adds bytes to the held code point until it is complete, and returns what follows it.
    fn complete_held<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Violation> {
        let held = self.incomplete_len();
        let mut point = [0u8; 4];
        for (slot, byte) in point.iter_mut().zip(self.held.iter().take(held).chain(chunk)) {
            *slot = *byte;
        }
        let filled = point.len().min(held + chunk.len());
        for len in held + 1..=filled {
            match str::from_utf8(point.get(..len).unwrap_or_default()) {
                Ok(_) => {
                    self.held_len = 0;
                    return Ok(chunk.get(len - held..).unwrap_or_default());
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Violation::InvalidUtf8),
            }
        }
        self.hold(point.get(..filled))?;
        Ok(&[])
    }

    /// Keeps the beginning of a code point, if there is one that begins so.
    fn hold_cut(&mut self, cut: &[u8]) -> Result<(), Violation> {
        match str::from_utf8(cut) {
            Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => self.hold(Some(cut)),
            Ok(_) | Err(_) => Err(Violation::InvalidUtf8),
        }
    }

    /// Keeps the beginning of a code point; four bytes always are a whole one or a violation.
    fn hold(&mut self, beginning: Option<&[u8]>) -> Result<(), Violation> {
        let beginning = beginning.unwrap_or_default();
        let slots = self.held.get_mut(..beginning.len()).ok_or(Violation::InvalidUtf8)?;
        slots.copy_from_slice(beginning);
        self.held_len = beginning.len().try_into().unwrap_or(u8::MAX);
        Ok(())
    }
}

/// How many bytes at the end of `text` belong to a code point whose first byte asks for more than there are; at most 3.
///
/// Only the first byte is judged: whether the others may follow it is not.
#[inline]
fn cut_len(text: &[u8]) -> usize {
    let back = text.iter().rev().zip(1..4).find(|(byte, _)| !matches!(byte, 0x80..=0xbf));
    match back {
        Some((0xc0..=0xdf, len @ ..2)) | Some((0xe0..=0xef, len @ ..3)) | Some((0xf0.., len @ ..4)) => len,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::Utf8;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Whether `text`, taken in pieces of `step` bytes, is accepted, and after how many bytes it was refused.
    fn verdict(text: &[u8], step: usize) -> Result<(), usize> {
        let mut utf8 = Utf8::new();
        for (index, piece) in text.chunks(step).enumerate() {
            utf8.check(piece).map_err(|_| index * step + piece.len())?;
        }
        utf8.finish().map_err(|_| text.len())
    }

    #[test]
    fn byte_by_byte_it_fails_at_the_byte_that_decides() {
        for (text, refused_after) in [
            (&b"\xce\xba\xed\xa0\x80"[..], 4), // a surrogate is decided by its second byte
            (b"\xf4\x90\x80\x80", 2),          // above U+10FFFF
            (b"\xc0\xaf", 1),                  // overlong
            (b"\xe0\x80\xaf", 2),
            (b"\xf0\x80\x80\xaf", 2),
            (b"a\xfe", 2),
            (b"\xf8\x88\x80\x80\x80", 1),
            (b"\x80", 1),
            (b"\xe2\x82a", 3),
            (b"\xe2\x82", 2), // cut at the end of the text
        ] {
            assert_eq!(verdict(text, 1), Err(refused_after), "{text:x?}");
        }
    }

    #[test]
    fn edges_of_each_length_pass() {
        for point in [
            '\0',
            '\u{7f}',
            '\u{80}',
            '\u{7ff}',
            '\u{800}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{ffff}',
            '\u{10000}',
            '\u{10ffff}',
        ] {
            let mut text = std::string::String::from("x");
            text.push(point);
            for step in 1..=5 {
                assert_eq!(verdict(text.as_bytes(), step), Ok(()), "{point:?} in pieces of {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_split_agrees_with_the_standard_library(
            text in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                ".{0,20}".prop_map(std::string::String::into_bytes),
                (".{0,10}", any::<u8>(), 0usize..40).prop_map(|(s, b, at)| { let mut v = s.into_bytes(); let at = at.min(v.len()); v.insert(at, b); v }),
            ],
            cuts in proptest::collection::vec(0usize..12, 0..12),
        ) {
            let text: Vec<u8> = text;
            let mut utf8 = Utf8::new();
            let mut rest = &text[..];
            let mut ok = true;
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                ok = ok && utf8.check(now).is_ok();
                rest = later;
            }
            prop_assert_eq!(ok && utf8.finish().is_ok(), std::str::from_utf8(&text).is_ok());
        }
    }
}
