//! What an operator may tell WebSockets to close with. The admin listener checks it for whoever asks, the command line
//! before it asks at all.

use std::time::Duration;

use tidegate_proto::{CLOSE_REASON_BYTES_MAX, CloseCode};

/// The codes of [`code`], in words.
pub(crate) const CODES: &str = "1000, 1001, 1008, 1011, 1012, 1013 or a number from 3000 to 4999";

/// The longest time over which closing may be spread.
pub(crate) const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a reason cannot be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WrongReason {
    /// It does not fit into a Close frame.
    TooLong,
    /// A control character would break the lines of logs, here and at the client.
    Unprintable,
}

/// The code, if an operator may choose it: those left out accuse the client of a violation, or a frame of being too big.
pub(crate) const fn code(number: u16) -> Option<CloseCode> {
    match number {
        1000 | 1001 | 1008 | 1011..=1013 | 3000..=4999 => CloseCode::new(number),
        _ => None,
    }
}

/// Checks the words beside the code.
///
/// # Errors
/// Why they cannot be sent.
pub(crate) fn check_reason(text: &str) -> Result<(), WrongReason> {
    if text.len() > CLOSE_REASON_BYTES_MAX {
        return Err(WrongReason::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(WrongReason::Unprintable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_blame_the_client_or_are_reserved_cannot_be_chosen() {
        for number in [1000, 1001, 1008, 1011, 1012, 1013, 3000, 4999] {
            assert_eq!(code(number).map(CloseCode::get), Some(number));
        }
        for number in [0, 999, 1002, 1003, 1005, 1006, 1007, 1009, 1010, 1014, 1015, 2999, 5000, u16::MAX] {
            assert_eq!(code(number), None, "{number}");
        }
    }

    #[test]
    fn a_reason_fits_and_is_printable() {
        assert_eq!(check_reason(&"a".repeat(CLOSE_REASON_BYTES_MAX)), Ok(()));
        assert_eq!(check_reason(&"a".repeat(CLOSE_REASON_BYTES_MAX + 1)), Err(WrongReason::TooLong));
        assert_eq!(check_reason("two\nlines"), Err(WrongReason::Unprintable));
    }
}
