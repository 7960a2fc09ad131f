//! The text that websockify writes with `--record`: one JavaScript string for each message.
//!
//! `'{<ms>{<data>',` came from the target and `'}<ms>}<data>',` from the client, with a byte for each character, and in
//! them Python's `unicode_escape`. Types of messages are lost in it: what is read back is binary.

use std::io::Write as _;

use super::{Message, Side};

pub(super) const HEAD: &[u8] = b"var VNC_frame_data = [\n";
pub(super) const TAIL: &[u8] = b"'EOF'];\n";

pub(super) fn message(message: &Message, out: &mut Vec<u8>) {
    let mark = mark(message.side);
    write!(out, "'{mark}{}{mark}", message.at.as_millis()).expect("a vector takes all bytes");
    for byte in &message.payload {
        escape(*byte, out);
    }
    out.extend_from_slice(b"',\n");
}

/// A comment, which whatever reads JavaScript passes over.
pub(super) fn note(text: &str, out: &mut Vec<u8>) {
    writeln!(out, "/* {text} */").expect("a vector takes all bytes");
}

const fn mark(side: Side) -> char {
    match side {
        Side::Backend => '{',
        Side::Client => '}',
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'\t' => out.extend_from_slice(br"\t"),
        b'\n' => out.extend_from_slice(br"\n"),
        b'\r' => out.extend_from_slice(br"\r"),
        b'\\' | b'\'' => out.extend_from_slice(&[b'\\', byte]),
        b' '..=b'~' => out.push(byte),
        0..=0x1f | 0x7f..=0xff => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'x', high, low]);
        }
    }
}
