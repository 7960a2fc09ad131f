//! Points in time as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time to the minute, as `2026-11-21 16:30` in UTC; `None` outside the years 1970 to 9999, which neither
/// files nor certificates are kept from claiming.
pub(crate) fn minute(time: SystemTime) -> Option<String> {
    let since = time.duration_since(UNIX_EPOCH).ok().filter(|since| *since < END)?;
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string();
    let (date, clock) = text.split_once('T')?;
    Some(format!("{date} {}", clock.get(..5)?))
}

/// The end of the year 9999.
const END: Duration = Duration::from_secs(253_402_300_800);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_the_minute_and_never_a_panic() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(minute(at(0)).as_deref(), Some("1970-01-01 00:00"));
        assert_eq!(minute(at(1_795_278_659)).as_deref(), Some("2026-11-21 16:30"));
        assert_eq!(minute(at(253_402_300_799)).as_deref(), Some("9999-12-31 23:59"));
        assert_eq!(minute(at(253_402_300_800)), None);
        assert_eq!(minute(UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}
