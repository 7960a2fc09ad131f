//! Durations and sizes as people write them.

use std::time::Duration;

use super::diagnostic::Fault;

/// Reads `"250ms"`, `"30s"`, `"5m"`, `"2h"`; `"0"` needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, Fault> {
    let (digits, unit) = split_unit(text);
    let fault = |problem: &str| {
        let remedy =
            meant(text).map_or_else(|| DURATION_FORM.to_owned(), |written| format!("write {written:?}"));
        Err(Fault::new(problem, remedy))
    };
    let Some(number) = number(digits) else {
        return fault("is no duration");
    };
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60 * 1000),
        "h" => number.checked_mul(60 * 60 * 1000),
        "" if number == 0 => Some(0),
        "" => {
            return Err(Fault::new("has no unit", format!("write \"{number}s\" for seconds, or ms, m, h")));
        }
        _ => return fault("has an unknown unit"),
    };
    millis.map(Duration::from_millis).map_or_else(|| fault("is too long"), Ok)
}

/// Reads `"512"`, `"64KiB"`, `"1MiB"`, `"1GiB"`, and the decimal `kB`, `MB`, `GB`.
pub(super) fn size(text: &str) -> Result<u64, Fault> {
    let (digits, unit) = split_unit(text);
    let fault = |problem: &str| Err(Fault::new(problem, SIZE_FORM));
    let Some(number) = number(digits) else {
        return fault("is no size");
    };
    let Some((_, factor)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        let remedy = match unit.bytes().next().map(|letter| letter.to_ascii_uppercase()) {
            Some(letter @ (b'K' | b'M' | b'G' | b'T')) if unit.len() <= 3 => {
                let (binary, decimal) =
                    (char::from(letter), if letter == b'K' { 'k' } else { char::from(letter) });
                format!(
                    "write \"{number}{binary}iB\" (powers of 1024), or \"{number}{decimal}B\" (powers of 1000)"
                )
            }
            _ => SIZE_FORM.to_owned(),
        };
        return Err(Fault::new("has an unknown unit", remedy));
    };
    number.checked_mul(*factor).map_or_else(|| fault("is too large"), Ok)
}

/// What other programs understand, `1h30m`, `1.5h` or `2d`, as it is written here.
fn meant(text: &str) -> Option<String> {
    let mut rest = text.trim();
    let mut millis = 0.0;
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let factor = match &behind[..end] {
            "ms" => 1.0,
            "s" | "sec" => 1e3,
            "m" | "min" => 60e3,
            "h" => 3_600e3,
            "d" => 86_400e3,
            "w" => 604_800e3,
            _ => return None,
        };
        millis += digits.parse::<f64>().ok()? * factor;
        rest = behind[end..].trim_start();
    }
    let meant = Duration::try_from_secs_f64(millis / 1e3).ok()?;
    (meant >= Duration::from_millis(1) && meant < LONGEST_MEANT).then(|| show_duration(meant))
}

/// A duration as `duration` reads it, in the largest unit that leaves no remainder.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if millis != 0 && millis.is_multiple_of(factor) {
            return format!("{}{unit}", millis / factor);
        }
    }
    format!("{millis}ms")
}

/// A size as people say it: `1 MiB`, or `200 bytes`.
pub(crate) fn spoken_size(bytes: u64) -> String {
    let size = show_size(bytes);
    match size.find(|c: char| c.is_ascii_alphabetic()) {
        Some(unit) => format!("{} {}", &size[..unit], &size[unit..]),
        None => format!("{size} bytes"),
    }
}

/// A size as `size` reads it, in the largest binary unit that leaves no remainder.
pub(super) fn show_size(bytes: u64) -> String {
    for (unit, factor) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes != 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits, unit.trim_start())
}

/// Digits only: `u64::from_str` alone would let a sign pass.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() { None } else { digits.parse().ok() }
}

const SIZE_UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Of what is proposed in the place of something else.
const LONGEST_MEANT: Duration = Duration::from_secs(366 * 86_400);
const DURATION_FORM: &str = r#"write a whole number and a unit, ms, s, m or h, such as "250ms" or "30s""#;
const SIZE_FORM: &str =
    r#"write a whole number and a unit, KiB, MiB or GiB (or kB, MB, GB), such as "64KiB""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            (" 2 h ", 7_200_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, problem) in [
            ("", "is no duration"),
            ("s", "is no duration"),
            ("-1s", "is no duration"),
            ("+1s", "is no duration"),
            ("30", "has no unit"),
            ("1.5s", "has an unknown unit"),
            ("30S", "has an unknown unit"),
            ("3d", "has an unknown unit"),
            ("١s", "is no duration"),
            ("99999999999999999999s", "is no duration"),
            ("18446744073709551615h", "is too long"),
        ] {
            assert_eq!(duration(text).unwrap_err().problem, problem, "{text}");
        }
    }

    #[test]
    fn what_other_programs_understand_is_rewritten() {
        for (text, written) in
            [("1h30m", "90m"), ("1.5h", "90m"), ("2d", "48h"), ("1min 5sec", "65s"), ("0.5s", "500ms")]
        {
            assert_eq!(duration(text).unwrap_err().remedy, format!("write {written:?}"), "{text}");
            assert!(duration(written).is_ok());
        }
        for text in ["", "soon", "3 years", "1.2.3s", "h", "999999999d", "0.0001ms", "5m later"] {
            assert_eq!(duration(text).unwrap_err().remedy, DURATION_FORM, "{text}");
        }
        for (text, first, second) in
            [("64KB", "64KiB", "64kB"), ("2g", "2GiB", "2GB"), ("1mb", "1MiB", "1MB")]
        {
            let remedy = size(text).unwrap_err().remedy;
            assert!(
                remedy.contains(&format!("{first:?}")) && remedy.contains(&format!("{second:?}")),
                "{remedy}"
            );
            assert!(size(first).is_ok() && size(second).is_ok());
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("125", 125),
            ("125B", 125),
            ("64KiB", 65_536),
            ("64 KiB", 65_536),
            ("1MiB", 1_048_576),
            ("2GiB", 2_147_483_648),
            ("1kB", 1000),
            ("1MB", 1_000_000),
            ("3GB", 3_000_000_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, problem) in [
            ("", "is no size"),
            ("MiB", "is no size"),
            ("-1", "is no size"),
            ("64K", "has an unknown unit"),
            ("64mb", "has an unknown unit"),
            ("1.5MiB", "has an unknown unit"),
            ("18446744073709551615KiB", "is too large"),
        ] {
            assert_eq!(size(text).unwrap_err().problem, problem, "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for millis in [0, 1, 250, 999, 1000, 1500, 60_000, 61_000, 3_600_000, 86_400_000, 86_400_001] {
            let shown = show_duration(Duration::from_millis(millis));
            assert_eq!(duration(&shown), Ok(Duration::from_millis(millis)), "{shown}");
        }
        for bytes in [0, 1, 1023, 1024, 1025, 1 << 20, (1 << 20) + 1, 3 << 30, 1 << 40, u64::MAX] {
            let shown = show_size(bytes);
            assert_eq!(size(&shown), Ok(bytes), "{shown}");
        }
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
        assert_eq!(show_size(1 << 20), "1MiB");
    }
}
