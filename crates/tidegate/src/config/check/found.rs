//! A value of the file or of a flag, with its place.

use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::report::Spot;
use crate::config::diagnostic::quoted;

/// A value that is set.
#[derive(Clone)]
pub(super) struct Found<'t> {
    pub(super) value: &'t DeValue<'t>,
    pub(super) spot: Spot,
    pub(super) folder: &'t Path,
}

impl<'t> Found<'t> {
    /// A value within this one.
    pub(super) fn item(&self, item: &'t Spanned<DeValue<'t>>) -> Self {
        let spot = match &self.spot {
            Spot::Offset(_) => Spot::Offset(item.span().start),
            Spot::Flag(flag) => Spot::Flag(flag.clone()),
        };
        Self { value: item.get_ref(), spot, folder: self.folder }
    }
}

/// A value of the wrong type, for a sentence: `the integer 5`.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {}", quoted(text)),
        DeValue::Integer(number) => format!("the integer {number}"),
        DeValue::Float(number) => format!("the float {number}"),
        DeValue::Boolean(flag) => format!("the boolean {flag}"),
        DeValue::Datetime(time) => format!("the date-time {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A value of the right type, for a sentence: `"2h"` or `5`.
pub(super) fn show(value: &DeValue<'_>) -> String {
    match (value.as_str(), value.as_integer()) {
        (Some(text), _) => quoted(text),
        (None, Some(number)) => number.to_string(),
        (None, None) => describe(value),
    }
}

/// A number beyond `u64` is out of every bound, so it counts as the largest; a negative one is no whole number.
pub(super) fn whole_number(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    if number.as_str().starts_with('-') {
        return None;
    }
    Some(u64::from_str_radix(number.as_str(), number.radix()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (text, number) in [
            ("0", Some(0)),
            ("+5", Some(5)),
            ("1_000", Some(1000)),
            ("0x10", Some(16)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("1.0", None),
            ("true", None),
            ("\"5\"", None),
        ] {
            assert_eq!(whole_number(DeValue::parse(text).unwrap().get_ref()), number, "{text}");
        }
    }

    #[test]
    fn values_are_described_by_type_and_content() {
        for (text, described) in [
            ("\"a\\nb\"", "the string \"a\\nb\""),
            ("0x10", "the integer 0x10"),
            ("1.5", "the float 1.5"),
            ("true", "the boolean true"),
            ("2020-01-02", "the date-time 2020-01-02"),
            ("[1]", "a list"),
            ("{ a = 1 }", "a table"),
        ] {
            assert_eq!(describe(DeValue::parse(text).unwrap().get_ref()), described);
        }
    }
}
