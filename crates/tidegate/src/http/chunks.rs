//! Stricter chunks than hyper's: `5 ` is no chunk size (RFC 9112 §7.1).
//!
//! A blank may stand in front of the `;` of an extension and nowhere else. hyper passes over it at the end of the line as
//! well; what we send on is written anew, so nothing can hide there, but two recipients that read one request
//! differently are where smuggling begins. hyper cannot be told, so the bytes are watched on their way to it, and the end
//! of such a line is made into something that hyper refuses by itself.

/// Where in its requests a connection is. It knows of them only what tells where a body ends; whatever is wrong with
/// them hyper finds, and is answered before anything behind it counts.
#[derive(Debug)]
pub(super) enum Framing {
    /// In a head.
    Head(Head),
    /// In a body, or chunk, of which so many bytes are still to come; then go on there.
    Data(u64, After),
    /// In the line of a chunk's size.
    Size { size: u64, blank: bool },
    /// In a chunk extension.
    Extension { size: u64 },
    /// Behind the data of a chunk, before its line end.
    DataEnd,
    /// Behind the last chunk; whether the line has something in it.
    Trailers { filled: bool },
    /// Behind an upgrade request: what follows may be no HTTP.
    Off,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    Request,
    Chunk,
}

/// What is known of a head so far.
#[derive(Debug, Default)]
pub(super) struct Head {
    line: Line,
    begun: bool,
    chunked: bool,
    upgrade: bool,
    length: u64,
}

/// Where in a line of a head we are.
#[derive(Debug, Default)]
enum Line {
    #[default]
    Start,
    /// So many bytes of a name that may be one of [`FIELDS`].
    Name {
        at: usize,
        candidates: [bool; FIELDS.len()],
    },
    Length,
    Rest,
}

/// The fields that say what follows the head.
const FIELDS: [&[u8]; 3] = [b"transfer-encoding", b"content-length", b"upgrade"];

/// In the place of a line end, no part of a chunk size: hyper refuses the request.
const REFUSED: u8 = b'!';

impl Default for Framing {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Framing {
    /// Follows the bytes that hyper gets next, and spoils what it must not take.
    pub(super) fn watch(&mut self, mut bytes: &mut [u8]) {
        while let Some(first) = bytes.first_mut() {
            let followed = match self {
                Self::Off => return,
                Self::Data(left, after) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= skipped as u64;
                    if *left == 0 {
                        *self = match after {
                            After::Request => Self::default(),
                            After::Chunk => Self::DataEnd,
                        };
                    }
                    skipped
                }
                Self::Head(_)
                | Self::Size { .. }
                | Self::Extension { .. }
                | Self::DataEnd
                | Self::Trailers { .. } => {
                    self.step(first);
                    1
                }
            };
            bytes = &mut bytes[followed..];
        }
    }

    fn step(&mut self, byte: &mut u8) {
        match self {
            Self::Head(head) => {
                if let Some(next) = head.step(*byte) {
                    *self = next;
                }
            }
            Self::Size { size, blank } => match *byte {
                b'\n' => *self = Self::chunk(*size),
                b';' => *self = Self::Extension { size: *size },
                b' ' | b'\t' => *blank = true,
                _ if *blank => *byte = REFUSED,
                digit => {
                    let digit = char::from(digit).to_digit(16).map_or(0, u64::from);
                    *size =
                        if *byte == b'\r' { *size } else { size.saturating_mul(16).saturating_add(digit) };
                }
            },
            Self::Extension { size } if *byte == b'\n' => *self = Self::chunk(*size),
            Self::DataEnd if *byte == b'\n' => *self = Self::Size { size: 0, blank: false },
            Self::Trailers { filled: false } if *byte == b'\n' => *self = Self::default(),
            Self::Trailers { filled } => *filled = *byte != b'\n' && (*filled || *byte != b'\r'),
            Self::Extension { .. } | Self::DataEnd | Self::Data(..) | Self::Off => {}
        }
    }

    const fn chunk(size: u64) -> Self {
        match size {
            0 => Self::Trailers { filled: false },
            size => Self::Data(size, After::Chunk),
        }
    }
}

impl Head {
    /// What follows, when this byte ends the head.
    fn step(&mut self, byte: u8) -> Option<Framing> {
        match (&mut self.line, byte) {
            (Line::Start, b'\n') if self.begun => return Some(self.body()),
            (Line::Start, b'\n' | b'\r') => {}
            (_, b'\n') => self.line = Line::Start,
            (Line::Start, byte) => {
                self.begun = true;
                self.line = Line::Name { at: 0, candidates: [true; FIELDS.len()] }.after(byte);
            }
            (Line::Name { at, candidates }, b':') => {
                let named = |field: usize| candidates[field] && FIELDS[field].len() == *at;
                let (encoding, length, upgrade) = (named(0), named(1), named(2));
                self.chunked |= encoding;
                self.upgrade |= upgrade;
                self.line = if length { Line::Length } else { Line::Rest };
            }
            (Line::Name { .. }, byte) => self.line = std::mem::take(&mut self.line).after(byte),
            (Line::Length, digit @ b'0'..=b'9') => {
                self.length = self.length.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            }
            (Line::Length | Line::Rest, _) => {}
        }
        None
    }

    fn body(&self) -> Framing {
        match self {
            Self { upgrade: true, .. } => Framing::Off,
            Self { chunked: true, .. } => Framing::Size { size: 0, blank: false },
            Self { length: 0, .. } => Framing::default(),
            Self { length, .. } => Framing::Data(*length, After::Request),
        }
    }
}

impl Line {
    /// A name, one byte further.
    fn after(self, byte: u8) -> Self {
        let Self::Name { at, mut candidates } = self else { return self };
        for (field, candidate) in FIELDS.iter().zip(&mut candidates) {
            *candidate &= field.get(at).is_some_and(|expected| byte.eq_ignore_ascii_case(expected));
        }
        if candidates.contains(&true) { Self::Name { at: at + 1, candidates } } else { Self::Rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hyper gets to see, the bytes having come in pieces of this size.
    fn seen(text: &str, piece: usize) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let mut framing = Framing::default();
        bytes.chunks_mut(piece).for_each(|piece| framing.watch(piece));
        String::from_utf8(bytes).unwrap()
    }

    fn is_spoilt(text: &str) -> bool {
        let whole = seen(text, text.len());
        for piece in 1..text.len() {
            assert_eq!(seen(text, piece), whole, "in pieces of {piece}");
        }
        whole != text
    }

    const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: chunked\r\n\r\n";

    #[test]
    fn t020_a_blank_behind_a_chunk_size_is_spoilt() {
        for chunks in [
            "5 \r\nhello",
            "5\t\r\nhello",
            "5  \r\n",
            "5\r\nhello\r\n0 \r\n\r\n",
            "5 5\r\n",
            "5;a\r\nhello\r\n1f \r",
        ] {
            assert!(is_spoilt(&format!("{CHUNKED}{chunks}")), "{chunks:?}");
        }
    }

    #[test]
    fn everything_else_passes_as_it_is() {
        let blank = "5 \r\n5 \r\n\r\n5 \r\n";
        let next = format!(
            "\r\n\r\n{CHUNKED}5\r\n5 \r\n5\r\n0\r\nX: 5 \r\n5 : \r\n\r\nGET / HTTP/1.1\r\n\r\n{blank}"
        );
        for text in [
            format!("{CHUNKED}5 ;a=b\r\nhello\r\n0\t; c \r\n\r\n{blank}"),
            format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{blank}{next}", blank.len()),
            format!("POST / HTTP/1.1\r\nTransfer-Encodings: chunked\r\nContent-Lengths: 9\r\n\r\n{blank}"),
            format!("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n{CHUNKED}{blank}"),
            format!("{CHUNKED}ffffffffffffffffffff\r\n{blank}"),
        ] {
            assert!(!is_spoilt(&text), "{text:?}");
        }
    }

    #[test]
    fn the_request_behind_a_body_is_watched_too() {
        for body in ["Content-Length: 5\r\n\r\nhello", "Content-Length: 0\r\n\r\n", "\r\n"] {
            assert!(is_spoilt(&format!("POST / HTTP/1.1\r\n{body}{CHUNKED}5 \r\n")), "{body:?}");
        }
        assert!(is_spoilt(&format!("{CHUNKED}1\r\nh\r\n0\r\nX: y\r\n\r\n{CHUNKED}5 \r\n")));
    }
}
