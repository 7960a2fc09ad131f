//! What must not be left behind in memory: keys, and whatever has keys in it.

use std::fmt;
use std::io;
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize as _;

const KEY_BYTES: usize = 32;
const IV_BYTES: usize = 12;
const SECRET_BYTES: usize = KEY_BYTES + IV_BYTES;

/// A secret in base64.
const TEXT_BYTES: usize = SECRET_BYTES.div_ceil(3) * 4;

/// A key of TLS 1.3 with the vector that its nonces are made from. Shown, it is a word; dropped, it is wiped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Box<[u8; SECRET_BYTES]>); // boxed, so that no move leaves a copy

impl Secret {
    /// `None`: they are of another length.
    pub(crate) fn new(key: &[u8], iv: &[u8]) -> Option<Self> {
        let mut secret = Self(Box::new([0; SECRET_BYTES]));
        if key.len() != KEY_BYTES || iv.len() != IV_BYTES {
            return None;
        }
        secret.0[..KEY_BYTES].copy_from_slice(key);
        secret.0[KEY_BYTES..].copy_from_slice(iv);
        Some(secret)
    }

    pub(crate) fn key(&self) -> &[u8; KEY_BYTES] {
        self.0.first_chunk().expect("a secret begins with a key")
    }

    pub(crate) fn iv(&self) -> &[u8; IV_BYTES] {
        self.0.last_chunk().expect("a secret ends with a vector")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("secret")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; TEXT_BYTES];
        STANDARD.encode_slice(&self.0[..], &mut text).expect("there is room for all of it");
        let serialized = serializer.serialize_str(str::from_utf8(&text).expect("base64 is ASCII"));
        text.zeroize();
        serialized
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

/// Reads a secret where it stands, and says nothing of it in an error.
struct Text;

impl Visitor<'_> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret in base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        let mut bytes = [0; TEXT_BYTES];
        let read = STANDARD.decode_slice(text, &mut bytes);
        let secret = match read {
            Ok(SECRET_BYTES) => Secret::new(&bytes[..KEY_BYTES], &bytes[KEY_BYTES..SECRET_BYTES]),
            Ok(_) | Err(_) => None,
        };
        bytes.zeroize();
        secret.ok_or_else(|| E::custom("what should be a secret is none"))
    }
}

/// Bytes that may have secrets among them: as a `Vec`, but nothing of them is left in memory that was given back.
#[derive(Default)]
pub(crate) struct Wiped(Vec<u8>);

impl Wiped {
    /// Appends them.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Appends `count` zeros, and lends them.
    pub(crate) fn append(&mut self, count: usize) -> &mut [u8] {
        self.make_room(count);
        let before = self.0.len();
        self.0.resize(before + count, 0);
        &mut self.0[before..]
    }

    /// Takes back `count` zeros that were appended, and that nobody has written over.
    pub(crate) fn take_back(&mut self, count: usize) {
        self.0.truncate(self.0.len() - count);
    }

    /// Keeps `len` bytes.
    fn truncate(&mut self, len: usize) {
        self.0[len..].zeroize();
        self.0.truncate(len);
    }

    /// Drops `count` bytes at the front.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.0.copy_within(count.., 0);
        self.truncate(self.0.len() - count);
    }

    fn make_room(&mut self, count: usize) {
        let needed = self.0.len() + count;
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()));
            larger.extend_from_slice(&self.0);
            // Behind its end there is nothing: what was there has been wiped. And a slice is wiped faster than a `Vec`.
            std::mem::replace(&mut self.0, larger).as_mut_slice().zeroize();
        }
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_and_read_and_never_shown() {
        let secret = Secret::new(&[0x41; KEY_BYTES], &[0x42; IV_BYTES]).unwrap();
        assert_eq!((secret.key(), secret.iv()), (&[0x41; KEY_BYTES], &[0x42; IV_BYTES]));
        let text = serde_json::to_string(&secret).unwrap();
        assert_eq!(serde_json::from_str::<Secret>(&text).unwrap(), secret);
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "secret Some(secret)");
        for wrong in [r#""QUFBQUE=""#, r#""?QUFB""#, &text.replace("QkI", "QkIQkI")] {
            let said = serde_json::from_str::<Secret>(wrong).unwrap_err().to_string();
            assert!(said.contains("is none") && !said.contains("QUF"), "{said}");
        }
        assert!(
            Secret::new(&[0; 16], &[0; IV_BYTES]).is_none() && Secret::new(&[0; KEY_BYTES], &[]).is_none()
        );
    }

    #[test]
    fn what_was_taken_off_is_wiped_where_it_stood() {
        let mut wiped = Wiped::default();
        wiped.extend(b"secret, and the rest of it");
        wiped.append(4).copy_from_slice(b"more");
        assert_eq!(
            (&wiped[..], format!("{wiped:?}")),
            (&b"secret, and the rest of itmore"[..], "30 bytes".to_owned())
        );
        wiped.drop_front(8);
        assert_eq!(&wiped[..], b"and the rest of itmore");
        wiped.truncate(7);
        assert_eq!(&wiped[..], b"and the");
        wiped.append(23)[0] = b'!';
        wiped.take_back(22);
        assert_eq!(&wiped[..], b"and the!");
    }
}
