//! Frames made from an input, so that a fuzzer need not learn how to write lengths and masks.

use tidegate_proto::{MaskingKey, Role};

use super::input::Input;

/// Of each record, the first byte of a header, a length and so much payload, the frame that `reader` would be sent.
pub(crate) fn frames(reader: Role, records: &[u8]) -> Vec<u8> {
    let mut input = Input::new(records);
    let mut wire = Vec::new();
    while !input.is_empty() {
        let first = input.byte();
        let len = usize::from(input.byte());
        let mut payload = input.take(len).to_vec();
        let mask_bit = if reader == Role::Server { 0x80 } else { 0 };
        match u8::try_from(payload.len()) {
            Ok(len) if len < 126 => wire.extend([first, mask_bit | len]),
            _ => wire.extend([first, mask_bit | 126, 0, payload.len().to_be_bytes()[7]]),
        }
        if reader == Role::Server {
            let key = [first, 0x5a, len.to_be_bytes()[7], 0xc3];
            wire.extend(key);
            MaskingKey::new(key).apply(&mut payload);
        }
        wire.extend(payload);
    }
    wire
}
