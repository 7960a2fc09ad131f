//! Keys that no plain HTTP request holds, and the proof of having read them (draft §4.1 and §5.2).

use alloc::string::{String, ToString as _};

use md5::{Digest as _, Md5};

/// The eight bytes behind the head of a request, which may arrive in parts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Key3 {
    bytes: [u8; 8],
    len: u8,
}

impl Key3 {
    /// Takes what is missing from the front of `bytes` and returns how many that were; what follows them is frames.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let missing = self.bytes.iter_mut().skip(usize::from(self.len));
        let mut taken = 0;
        for (slot, byte) in missing.zip(bytes) {
            *slot = *byte;
            self.len += 1;
            taken += 1;
        }
        taken
    }

    /// All eight bytes, once they are there.
    pub fn get(&self) -> Option<[u8; 8]> {
        (usize::from(self.len) == self.bytes.len()).then_some(self.bytes)
    }
}

/// What is wrong with `Sec-WebSocket-Key1` or `-Key2`. The client's fault, or a sign that it is no WebSocket client but
/// was made to send a request that looks like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such field.
    #[error("the field is missing")]
    Missing,
    /// There are several.
    #[error("there is more than one, exactly one is allowed")]
    Repeated,
    /// No digit to make a number of.
    #[error("it has no digit")]
    NoDigit,
    /// The digits make a number that a client cannot have chosen: it does not fit in 32 bits.
    #[error("its number is above 4294967295")]
    TooLarge,
    /// No space to divide by.
    #[error("it has no space inside")]
    NoSpace,
    /// The division leaves a remainder.
    #[error("its number is no multiple of the number of its spaces")]
    NotDivisible,
}

/// The number that a key hides: all of its digits together, divided by the number of its spaces.
pub(super) fn part(key: &[u8]) -> Result<u32, KeyError> {
    let mut number: Option<u32> = None;
    let mut spaces: u32 = 0;
    for &byte in key {
        match byte {
            b'0'..=b'9' => {
                let digit = u32::from(byte - b'0');
                let longer = number.unwrap_or(0).checked_mul(10).and_then(|tens| tens.checked_add(digit));
                number = Some(longer.ok_or(KeyError::TooLarge)?);
            }
            b' ' => spaces = spaces.saturating_add(1),
            _ => {}
        }
    }
    let number = number.ok_or(KeyError::NoDigit)?;
    match number.checked_rem(spaces) {
        None => Err(KeyError::NoSpace),
        Some(0) => Ok(number / spaces),
        Some(_) => Err(KeyError::NotDivisible),
    }
}

/// The sixteen bytes that answer two keys and the eight bytes.
pub(super) fn proof(parts: [u32; 2], key3: [u8; 8]) -> [u8; 16] {
    let [first, second] = parts.map(u32::to_be_bytes);
    Md5::new().chain_update(first).chain_update(second).chain_update(key3).finalize().into()
}

/// Hides a number in a key, by the steps of the draft: some spaces, whose number multiplies it, and other characters.
pub(super) fn hide(random: &[u8; KEY_RANDOM_BYTES]) -> (String, u32) {
    let [n0, n1, n2, n3, spaces, others, rest @ ..] = *random;
    let (characters, rest) = rest.split_at(INSERTED_MAX);
    let (positions, space_positions) = rest.split_at(INSERTED_MAX);
    let spaces = 1 + usize::from(spaces) % INSERTED_MAX;
    let others = 1 + usize::from(others) % INSERTED_MAX;

    let times = u32::try_from(spaces).expect("there are at most twelve spaces");
    let part = u32::from_be_bytes([n0, n1, n2, n3]) / times;
    let mut key = (part * times).to_string();
    for (&character, &position) in characters.iter().zip(positions).take(others) {
        key.insert(usize::from(position) % (key.len() + 1), other_character(character));
    }
    for &position in space_positions.iter().take(spaces) {
        // Neither first nor last: an HTTP library would take it for a blank around the value.
        key.insert(1 + usize::from(position) % (key.len() - 1), ' ');
    }
    (key, part)
}

/// One of the 84 characters from `!` to `~` that are no digits.
const fn other_character(random: u8) -> char {
    match random % 84 {
        before_digits @ 0..15 => (b'!' + before_digits) as char,
        behind_digits => (b':' + behind_digits - 15) as char,
    }
}

/// Random bytes that go into one key: the number, how many spaces and others there are, and for each of the others
/// which and where, for each of the spaces where.
pub(super) const KEY_RANDOM_BYTES: usize = 4 + 1 + 1 + 3 * INSERTED_MAX;

/// The most spaces in a key, and the most other characters that are no digits.
const INSERTED_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_keys_of_the_draft() {
        let table = [
            ("18x 6]8vM;54 *(5:  {   U1]8  z [  8", 155_712_099),
            ("1_ tx7X d  <  nw  334J702) 7]o}` 0", 173_347_027),
            ("4 @1  46546xW%0l 1 5", 829_309_203),
            ("12998 5 Y3 1  .P00", 259_970_620),
        ];
        for (key, expected) in table {
            assert_eq!(part(key.as_bytes()), Ok(expected), "{key}");
        }
    }

    #[test]
    fn numbers_at_their_bounds() {
        let table = [
            ("4294967295 x", Ok(u32::MAX)),
            ("4294967296 x", Err(KeyError::TooLarge)),
            ("99999999999 x", Err(KeyError::TooLarge)),
            ("4294967295  4 x", Err(KeyError::TooLarge)),
            ("00000000000000000006   x", Ok(2)),
            ("0 x", Ok(0)),
            ("7  x", Err(KeyError::NotDivisible)),
            ("12345678", Err(KeyError::NoSpace)),
            ("12345678\tx", Err(KeyError::NoSpace)),
            ("a b c", Err(KeyError::NoDigit)),
            ("", Err(KeyError::NoDigit)),
            ("\u{663} \u{664}", Err(KeyError::NoDigit)), // only U+0030 to U+0039 count
        ];
        for (key, expected) in table {
            assert_eq!(part(key.as_bytes()), expected, "{key:?}");
        }
    }

    #[test]
    fn the_other_characters_are_the_84_of_the_draft() {
        let all: std::collections::BTreeSet<char> = (0..=u8::MAX).map(other_character).collect();
        assert_eq!(all.len(), 84);
        assert!(all.iter().all(|character| character.is_ascii_graphic() && !character.is_ascii_digit()));
    }

    proptest! {
        #[test]
        fn what_is_hidden_is_found(random: [u8; KEY_RANDOM_BYTES]) {
            let (key, number) = hide(&random);
            prop_assert_eq!(part(key.as_bytes()), Ok(number), "{:?}", key);
            prop_assert_eq!(key.trim(), &key);
            prop_assert!(key.len() <= 34);
        }
    }
}
