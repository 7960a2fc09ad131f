//! Base64 as it arrives, decoded in place (RFC 4648 §4).

use core::cell::Cell;

use super::Violation;

/// One message under way: each character is looked at once, and only the last one is kept between two calls.
///
/// The alphabet is the standard one, white space is in none, and padding is demanded, as the servers that spoke
/// hybi-00 did. The bits that the last byte leaves over may be set: clients exist that do not clear them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Base64 {
    /// The six bits of the last character; those that were not handed out yet are the lowest.
    held: u8,
    place: Place,
}

/// What the next character is in its group of four.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Place {
    #[default]
    First,
    Second,
    Third,
    Fourth,
    /// The second of two `=`.
    Padding,
    /// Padding ended the message.
    Over,
}

impl Base64 {
    /// Whether it may be so in the middle of a message.
    #[cfg(feature = "serde")]
    pub(super) const fn is_possible(self) -> bool {
        self.held & NONE == 0
    }

    /// Decodes the next characters in place and returns how many bytes stand at the front of `text` now.
    ///
    /// # Errors
    /// [`Violation::InvalidBase64`]: a character out of place, by whoever wrote the message.
    pub(super) fn decode(&mut self, text: &mut [u8]) -> Result<usize, Violation> {
        let cells = Cell::from_mut(text).as_slice_of_cells();
        let (mut at, mut decoded) = (0, 0);
        loop {
            if self.place == Place::First {
                let groups = decode_groups(cells.get(at..), cells.get(decoded..));
                at += groups * 4;
                decoded += groups * 3;
            }
            let Some(character) = cells.get(at) else {
                return Ok(decoded);
            };
            if let Some(byte) = self.push(character.get())? {
                cells
                    .get(decoded)
                    .expect("bytes never overtake the characters that they come from")
                    .set(byte);
                decoded += 1;
            }
            at += 1;
        }
    }

    /// Ends the message; the next one begins afresh.
    ///
    /// # Errors
    /// [`Violation::InvalidBase64`] if it ends inside a group of four.
    pub(super) fn finish(&mut self) -> Result<(), Violation> {
        match core::mem::take(self).place {
            Place::First | Place::Over => Ok(()),
            Place::Second | Place::Third | Place::Fourth | Place::Padding => Err(Violation::InvalidBase64),
        }
    }

    fn push(&mut self, character: u8) -> Result<Option<u8>, Violation> {
        if character == b'=' {
            self.place = match self.place {
                Place::Third => Place::Padding,
                Place::Fourth | Place::Padding => Place::Over,
                Place::First | Place::Second | Place::Over => return Err(Violation::InvalidBase64),
            };
            return Ok(None);
        }
        let bits = value(character).ok_or(Violation::InvalidBase64)?;
        let held = core::mem::replace(&mut self.held, bits);
        let (next, byte) = match self.place {
            Place::First => (Place::Second, None),
            Place::Second => (Place::Third, Some(held << 2 | bits >> 4)),
            Place::Third => (Place::Fourth, Some(held << 4 | bits >> 2)),
            Place::Fourth => (Place::First, Some(held << 6 | bits)),
            Place::Padding | Place::Over => return Err(Violation::InvalidBase64),
        };
        self.place = next;
        Ok(byte)
    }
}

/// Decodes groups of four up to the first that is not whole, is padded or is none, and returns how many. Most of a long
/// message goes through here. Both ends are views of the same bytes; writing is never ahead of reading.
fn decode_groups(characters: Option<&[Cell<u8>]>, bytes: Option<&[Cell<u8>]>) -> usize {
    let (groups, _) = characters.unwrap_or_default().as_chunks::<4>();
    let (rooms, _) = bytes.unwrap_or_default().as_chunks::<3>();
    let decode = |(group, room): (&[Cell<u8>; 4], &[Cell<u8>; 3])| {
        let [a, b, c, d] =
            group.each_ref().map(|cell| VALUES.get(usize::from(cell.get())).copied().unwrap_or(NONE));
        let is_whole = (a | b | c | d) & NONE == 0;
        if is_whole {
            for (cell, byte) in room.iter().zip([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]) {
                cell.set(byte);
            }
        }
        is_whole
    };
    groups.iter().zip(rooms).take_while(|&pair| decode(pair)).count()
}

fn value(character: u8) -> Option<u8> {
    VALUES.get(usize::from(character)).copied().filter(|&value| value != NONE)
}

/// No value has its bits.
const NONE: u8 = 0xc0;

/// The six bits of each character, or [`NONE`].
static VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which would refuse an index out of bounds; the values are below 64"
)]
const fn values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < alphabet.len() {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::Engine as _;
    use ::base64::alphabet::STANDARD;
    use ::base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn decode(text: &[u8], step: usize) -> Result<Vec<u8>, Violation> {
        let mut base64 = Base64::default();
        let mut decoded = Vec::new();
        for piece in text.chunks(step) {
            let mut piece = piece.to_vec();
            let len = base64.decode(&mut piece)?;
            decoded.extend_from_slice(&piece[..len]);
        }
        base64.finish().map(|()| decoded)
    }

    #[test]
    fn the_examples_of_rfc_4648_section_10() {
        let table = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
        ];
        for (text, bytes) in table {
            for step in 1..=9 {
                assert_eq!(decode(text.as_bytes(), step).unwrap(), bytes.as_bytes(), "{text} by {step}");
            }
        }
    }

    #[test]
    fn what_is_out_of_place_is_refused_at_its_character() {
        let table = [
            ("Zg", 2), // no padding: found at the end
            ("Zm8", 3),
            ("Z", 1),
            ("Zg=", 3),
            ("=", 1),
            ("Z=", 2),
            ("Zg=g", 4),
            ("Zg==Z", 5), // nothing follows the padding
            ("Zg===", 5),
            ("Zm8==", 5),
            ("Zm9v=", 5),
            ("Zm 9", 3),
            ("Zm9v\n", 5),
            ("Zm_v", 3), // another alphabet
            ("\u{7f}", 1),
        ];
        for (text, refused_after) in table {
            let mut base64 = Base64::default();
            let accepted = text.bytes().take_while(|&byte| base64.decode(&mut [byte]).is_ok()).count();
            if accepted == text.len() {
                assert_eq!(base64.finish(), Err(Violation::InvalidBase64), "{text:?}");
                assert_eq!(accepted, refused_after, "{text:?}");
            } else {
                assert_eq!(accepted + 1, refused_after, "{text:?}");
            }
            assert_eq!(decode(text.as_bytes(), 99), Err(Violation::InvalidBase64), "{text:?}");
        }
    }

    #[test]
    fn bits_that_are_left_over_may_be_set() {
        assert_eq!(decode(b"Zh==", 99).unwrap(), b"f");
        assert_eq!(decode(b"Zm9=", 1).unwrap(), b"fo");
    }

    proptest! {
        #[test]
        fn any_split_agrees_with_another_decoder(
            text in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| LOOSE.encode(bytes).into_bytes()),
                "[A-Za-z0-9+/=]{0,12}".prop_map(std::string::String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..8),
            ],
            step in 1usize..9,
        ) {
            prop_assert_eq!(decode(&text, step).ok(), LOOSE.decode(&text).ok());
        }
    }

    const LOOSE: GeneralPurpose =
        GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
}
