//! RFC 6455 §5 over a whole stream.

use tidegate_proto::{Limits, MessageType, Reserved, Role};

use super::super::trace::{Item, Trace, is_text};

/// What a stream says, up to its end or to the first thing that is wrong with it.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) trace: Trace,
    pub(crate) violated: bool,
}

pub(crate) fn read(stream: &[u8], role: Role, reserved: Reserved, limits: Limits) -> Expected {
    let mut reader = Reader { role, reserved, limits, trace: Trace::default(), open: None };
    let mut rest = stream;
    let violated = loop {
        match reader.frame(rest) {
            Ok(Some(len)) if !reader.trace.is_closed() => rest = &rest[len..],
            Ok(_) => break false,
            Err(Wrong) => break true,
        }
    };
    Expected { trace: reader.trace, violated }
}

struct Wrong;

struct Reader {
    role: Role,
    reserved: Reserved,
    limits: Limits,
    trace: Trace,
    open: Option<Open>,
}

/// The message under way.
struct Open {
    /// What arrived of it, if that must be text.
    text: Option<Vec<u8>>,
    /// Bytes, as declared.
    bytes: u64,
    fragments: u32,
}

impl Reader {
    /// One frame at the front of `bytes`: its length, or `None` where `bytes` end inside of it.
    fn frame(&mut self, bytes: &[u8]) -> Result<Option<usize>, Wrong> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let rsv1_has_meaning = self.reserved == Reserved::PermessageDeflate && (opcode == 1 || opcode == 2);
        let bits_allowed = match self.reserved {
            Reserved::Any => 0x70,
            _ if rsv1_has_meaning => 0x40,
            Reserved::None | Reserved::PermessageDeflate => 0,
        };
        let is_known = matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10);
        let is_masked = second & 0x80 != 0;
        let is_control = opcode >= 8;
        let is_next = is_control || (opcode == 0) == self.open.is_some();
        let is_short = second & 0x7f < 126;
        let control_fits = !is_control || (fin && is_short);
        let is_wrong = first & 0x70 & !bits_allowed != 0
            || !is_known
            || is_masked != (self.role == Role::Server)
            || !is_next
            || !control_fits;
        let fragments = self.open.as_ref().map_or(0, |open| open.fragments);
        if is_wrong || !is_control && fragments >= self.limits.fragments_max {
            return Err(Wrong);
        }
        let len_bytes = [0, 2, 8][usize::from(second & 0x7f).saturating_sub(125)];
        let Some(long) = bytes.get(2..2 + len_bytes) else { return Ok(None) };
        let len = long.iter().fold(0u64, |len, byte| len << 8 | u64::from(*byte));
        let len = match len_bytes {
            0 => u64::from(second & 0x7f),
            2 if len > 125 => len,
            8 if len > 0xffff && len >> 63 == 0 => len,
            _ => return Err(Wrong),
        };
        let before = self.open.as_ref().map_or(0, |open| open.bytes);
        let message_fits =
            is_control || u128::from(before) + u128::from(len) <= self.limits.message_bytes_max.into();
        if len > self.limits.frame_bytes_max || !message_fits {
            return Err(Wrong);
        }
        let header_len = 2 + len_bytes + if is_masked { 4 } else { 0 };
        let Some(key) = bytes.get(2 + len_bytes..header_len) else { return Ok(None) };
        let payload: Vec<u8> = (bytes[header_len..].iter().enumerate())
            .take(usize::try_from(len).unwrap_or(usize::MAX))
            .map(|(index, byte)| if is_masked { byte ^ key[index % 4] } else { *byte })
            .collect();
        let is_whole = payload.len() as u64 == len;
        let frame_len = header_len + payload.len();
        if is_control {
            if is_whole {
                self.control(opcode, payload)?;
            }
        } else {
            self.data(first, &payload, len, is_whole)?;
        }
        Ok(is_whole.then_some(frame_len))
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Result<(), Wrong> {
        if opcode == 8 {
            let (code, reason) = payload.split_at(payload.len().min(2));
            let code_is_good = match *code {
                [] => true,
                [high, low] => may_be_sent(u16::from_be_bytes([high, low])),
                _ => false,
            };
            if !code_is_good || std::str::from_utf8(reason).is_err() {
                return Err(Wrong);
            }
        }
        self.trace.push(match opcode {
            8 => Item::Close(payload),
            9 => Item::Ping(payload),
            _ => Item::Pong(payload),
        });
        Ok(())
    }

    fn data(&mut self, first: u8, payload: &[u8], len: u64, is_whole: bool) -> Result<(), Wrong> {
        let trace = &mut self.trace;
        let open = self.open.get_or_insert_with(|| {
            let message = if first & 0x0f == 1 { MessageType::Text } else { MessageType::Binary };
            let rsv1 = first & 0x40 != 0;
            trace.push(Item::Begin { message, rsv1 });
            let is_text = message == MessageType::Text && !rsv1;
            Open { text: is_text.then(Vec::new), bytes: 0, fragments: 0 }
        });
        open.bytes += len;
        open.fragments += 1;
        trace.payload(payload);
        let ends_message = is_whole && first & 0x80 != 0;
        if let Some(text) = &mut open.text {
            text.extend_from_slice(payload);
            if !is_text(text, ends_message) {
                return Err(Wrong);
            }
        }
        trace.ends(is_whole, ends_message);
        if ends_message {
            self.open = None;
        }
        Ok(())
    }
}

/// §7.4: 1004 to 1006 and 1015 are for no wire, 1016 to 2999 for nobody yet, and what is above 4999 by our own rule.
pub(crate) const fn may_be_sent(code: u16) -> bool {
    1000 <= code && code < 1015 && !(1004 <= code && code <= 1006) || 3000 <= code && code < 5000
}
