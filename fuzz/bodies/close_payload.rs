//! [`Close`] (RFC 6455 §5.5.1, §7.4).

use tidegate_proto::{Close, CloseCode, Decoder, Event, Limits, MaskingKey, Role, Violation};

use super::oracle::frames::may_be_sent;

pub fn run(data: &[u8]) {
    let parsed = Close::parse(data);
    let expected = match data {
        [] => Ok((None, "")),
        [_] => Err(Violation::CloseBodyTooShort),
        [high, low, reason @ ..] => match (u16::from_be_bytes([*high, *low]), std::str::from_utf8(reason)) {
            (code, _) if !may_be_sent(code) => Err(Violation::CloseCodeInvalid(code)),
            (_, Err(_)) => Err(Violation::CloseReasonInvalidUtf8),
            (code, Ok(reason)) => Ok((Some(code), reason)),
        },
    };
    assert_eq!(parsed.map(|close| (close.code.map(CloseCode::get), close.reason)), expected);
    match parsed {
        Ok(close) => {
            assert_sent(&close, Role::Client, None);
            assert_sent(&close, Role::Server, Some(MaskingKey::new([0x37, 0xfa, 0x21, 0x3d])));
        }
        Err(violation) => assert!(matches!(violation.close_code().get(), 1002 | 1007)),
    }
}

/// The frame arrives with as much of the reason as a frame can hold.
fn assert_sent(close: &Close<'_>, reader: Role, mask: Option<MaskingKey>) {
    let mut wire = close.frame(mask).as_slice().to_vec();
    let len = wire.len();
    assert!(len <= 2 + 4 + 125);
    let mut decoder = Decoder::new(reader, Limits::default());
    let received = decoder.decode(&mut wire);
    let Ok(Some((consumed, Event::Close(received)))) = received else { panic!("{received:?}") };
    assert_eq!((consumed, received.code), (len, close.code));
    assert!(close.reason.starts_with(received.reason));
    let cut = close.reason.len() - received.reason.len();
    // No code point has more than four bytes.
    assert!(cut == 0 || received.reason.len() > 123 - 4, "{cut} bytes cut off");
}
