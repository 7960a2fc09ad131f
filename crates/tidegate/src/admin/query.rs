//! The query of a request: a few names that are known, each once.

use percent_encoding::percent_decode_str;

/// Names with their values.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads it; these are the names that are allowed.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub(super) fn read(text: &str, allowed: &[&str]) -> Result<Self, String> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !allowed.contains(&name.as_str()) {
                let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
                return Err(format!("the query has an unknown name; allowed here: {allowed}"));
            }
            if query.text(&name).is_some() {
                return Err(format!("{name} stands twice in the query"));
            }
            query.0.push((name, value));
        }
        Ok(query)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A whole number up to `max`, or the default.
    pub(super) fn number(&self, name: &str, default: u64, max: u64) -> Result<u64, String> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = whole_number(text).filter(|number| *number <= max);
        number.ok_or_else(|| format!("{name} has to be a whole number up to {max}"))
    }
}

/// Digits only: `u64::from_str` alone would let a sign pass.
pub(super) fn whole_number(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

fn decoded(text: &str) -> Result<String, String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(Into::into).map_err(|_| "the query is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_stand_once() {
        let query = Query::read("route=%2Fa+b&limit=5", &["route", "limit"]).unwrap();
        assert_eq!((query.text("route"), query.number("limit", 1, 10)), (Some("/a b"), Ok(5)));
        assert_eq!(query.number("page", 7, 10), Ok(7));
        assert!(query.number("limit", 1, 4).is_err() && query.number("route", 1, 4).is_err());
        for text in ["", "+5", "-1", "5.0", "0x5", " 5", "18446744073709551616"] {
            assert_eq!(whole_number(text), None, "{text}");
        }
        for wrong in ["a=1", "route=1&route=2", "route=%ff"] {
            assert!(Query::read(wrong, &["route"]).is_err(), "{wrong}");
        }
    }
}
