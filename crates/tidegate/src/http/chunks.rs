//! Stricter than hyper: `5 ` is no chunk size (RFC 9112 §7.1), and `/a#b` no request target (§3.2).
//!
//! A blank may stand in front of the `;` of an extension and nowhere else. hyper passes over it at the end of the line as
//! well; what we send on is written anew, so nothing can hide there, but two recipients that read one request
//! differently are where smuggling begins. hyper cannot be told, so the bytes are watched on their way to it, and the end
//! of such a line is made into something that hyper refuses by itself. So is the `#` of a fragment, which hyper cuts off
//! with what follows: whoever is in front of us may have decided about the whole.

/// Where in its requests a connection is. It knows of them only what tells where a body ends; whatever is wrong with
/// them hyper finds, and is answered before anything behind it counts.
#[derive(Debug)]
pub(super) enum Framing {
    /// In a head.
    Head(Head),
    /// In a body, or chunk: how many bytes of it are still to come, and what follows them.
    Data(u64, After),
    /// In the line of a chunk's size.
    Size { size: u64, blank: bool },
    /// In a chunk extension.
    Extension { size: u64 },
    /// Behind the data of a chunk, before its line end.
    DataEnd,
    /// Behind the last chunk; whether the line has something in it.
    Trailers { filled: bool },
    /// Behind a request for a WebSocket: what follows may be no HTTP, and no further request is answered.
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
    /// The version is HTTP/1.0, which has no upgrades.
    old: bool,
    chunked: bool,
    websocket: bool,
    length: u64,
}

/// Where in a line of a head we are.
#[derive(Debug, Default)]
enum Line {
    #[default]
    Start,
    /// The first one.
    Request,
    /// In a name that may be one of [`FIELDS`]: how many of its bytes were seen.
    Name {
        at: usize,
        candidates: [bool; FIELDS.len()],
    },
    Length,
    Upgrade(Protocols),
    Rest,
}

/// What an Upgrade field has named so far. It is read as the request is when its kind is decided: whoever is no client of
/// a WebSocket there goes on to be watched here.
#[derive(Debug, Default)]
struct Protocols {
    element: Element,
    websocket: bool,
    /// A byte that makes the field unreadable.
    odd: bool,
}

/// Where in an element of the list we are.
#[derive(Debug, Default, PartialEq, Eq)]
enum Element {
    #[default]
    Before,
    /// Behind this many bytes of [`WEBSOCKET`].
    Named(usize),
    /// Behind it, and blanks.
    Behind,
    Other,
}

const WEBSOCKET: &[u8] = b"websocket";

/// The fields that say what follows the head.
const FIELDS: [&[u8]; 3] = [b"transfer-encoding", b"content-length", b"upgrade"];

/// In the place of a line end, no part of a chunk size: hyper refuses the request.
const REFUSED: u8 = b'!';

/// In the place of a `#`, no part of a request line.
const REFUSED_IN_TARGET: u8 = 0;

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
                Self::Head(Head { line: Line::Rest, .. }) if *first != b'\n' => {
                    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
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
                if let Some(next) = head.step(byte) {
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
    fn step(&mut self, byte: &mut u8) -> Option<Framing> {
        match (&mut self.line, *byte) {
            (Line::Start, b'\n') if self.begun => return Some(self.body()),
            (Line::Start, b'\n' | b'\r') | (Line::Request, b'\r') => {}
            (Line::Upgrade(protocols), b'\n') => {
                self.websocket |= protocols.name_websocket();
                self.line = Line::Start;
            }
            (_, b'\n') => self.line = Line::Start,
            (Line::Start, found) if !self.begun => {
                (self.begun, self.line) = (true, Line::Request);
                if found == b'#' {
                    *byte = REFUSED_IN_TARGET;
                }
            }
            (Line::Request, b'#') => *byte = REFUSED_IN_TARGET,
            (Line::Request, last) => self.old = last == b'0',
            (Line::Start, byte) => {
                self.line = Line::Name { at: 0, candidates: [true; FIELDS.len()] }.after(byte);
            }
            (Line::Name { at, candidates }, b':') => {
                let named = |field: usize| candidates[field] && FIELDS[field].len() == *at;
                let (encoding, length, upgrade) = (named(0), named(1), named(2));
                self.chunked |= encoding;
                self.line = if length {
                    self.length = 0; // of several, which have to be equal, the last
                    Line::Length
                } else if upgrade {
                    Line::Upgrade(Protocols::default())
                } else {
                    Line::Rest
                };
            }
            (Line::Upgrade(protocols), byte) => protocols.step(byte),
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
            Self { websocket: true, old: false, .. } => Framing::Off,
            Self { chunked: true, .. } => Framing::Size { size: 0, blank: false },
            Self { length: 0, .. } => Framing::default(),
            Self { length, .. } => Framing::Data(*length, After::Request),
        }
    }
}

impl Protocols {
    fn step(&mut self, byte: u8) {
        match (&mut self.element, byte) {
            (_, b'\r') | (Element::Before | Element::Behind, b' ' | b'\t') => {}
            (_, odd) if odd != b'\t' && !(b' '..=b'~').contains(&odd) => self.odd = true,
            (_, b',') => {
                self.websocket |= self.is_element_websocket();
                self.element = Element::Before;
            }
            (Element::Named(at), b' ' | b'\t') if *at == WEBSOCKET.len() => self.element = Element::Behind,
            (element, byte) => {
                let at = match element {
                    Element::Before => Some(0),
                    Element::Named(at) => Some(*at),
                    Element::Behind | Element::Other => None,
                };
                let goes_on =
                    |at: &usize| WEBSOCKET.get(*at).is_some_and(|own| byte.eq_ignore_ascii_case(own));
                *element = at.filter(goes_on).map_or(Element::Other, |at| Element::Named(at + 1));
            }
        }
    }

    /// At the end of the field.
    fn name_websocket(&self) -> bool {
        !self.odd && (self.websocket || self.is_element_websocket())
    }

    fn is_element_websocket(&self) -> bool {
        self.element == Element::Behind || self.element == Element::Named(WEBSOCKET.len())
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

    /// Neither a length that is said twice nor an upgrade to something else keeps anybody from looking.
    #[test]
    fn t020_nothing_but_a_websocket_ends_the_watch() {
        let lengths = "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello";
        assert!(is_spoilt(&format!("{lengths}{CHUNKED}5 \r\n")));
        for (version, upgrade, is_watched) in [
            (1, "h2c", true),
            (1, "x, websockets, web socket, websocket x", true),
            (1, "websocket, \u{e9}", true),
            (1, "", true),
            (0, "websocket", true),
            (1, "websocket", false),
            (1, "h2c,\t WebSocket \t, x", false),
            (1, "websocket,x", false),
            (1, "x\r\nUPGRADE:websocket", false),
        ] {
            let head = format!("GET / HTTP/1.{version}\r\nUpgrade: {upgrade}\r\n\r\n");
            assert_eq!(is_spoilt(&format!("{head}{CHUNKED}5 \r\n")), is_watched, "{upgrade}");
        }
    }

    #[test]
    fn a_fragment_in_a_request_line_is_spoilt_and_nowhere_else() {
        let next = format!("{CHUNKED}5\r\n#5#\n#\r\n0\r\n\r\n");
        assert!(!is_spoilt(&format!("\r\n{next}{next}GET / HTTP/1.1\r\nX: #\r\n#: x\r\n\r\n")));
        for line in ["GET /a#b HTTP/1.1", "GET /a?b# HTTP/1.1", "#", "GET http://a/#b HTTP/1.1"] {
            assert!(is_spoilt(&format!("\r\n{line}\r\n\r\n")), "{line}");
            assert!(is_spoilt(&format!("{next}{line}\r\n\r\n")), "{line}");
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
