//! Features that the configuration knows and the gateway does not have yet.
//!
//! The list below is the only place that knows them: whoever builds a feature deletes its row.

use toml::de::DeValue;

use super::keys::Place;

/// A feature that is accepted in a file, and warned about.
pub(super) struct Unbuilt {
    pub(super) place: Place,
    pub(super) key: &'static str,
    pub(super) when: When,
    /// Completes "accepted, but not built yet: …".
    pub(super) feature: &'static str,
    /// What happens instead.
    pub(super) meanwhile: &'static str,
}

/// Which values of the key ask for the feature.
pub(super) enum When {
    /// Any value but `false`, 0, `"off"` and `[]`.
    On,
}

impl Unbuilt {
    /// Does this value of the key ask for the feature?
    pub(super) fn asked_for_by(&self, value: &DeValue<'_>) -> bool {
        match self.when {
            When::On => !is_off(value),
        }
    }
}

fn is_off(value: &DeValue<'_>) -> bool {
    if let Some(text) = value.as_str() {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        return text == "off" || number.parse() == Ok(0_u64);
    }
    value.as_bool() == Some(false)
        || value.as_integer().is_some_and(|number| number.as_str() == "0")
        || value.as_array().is_some_and(|list| list.is_empty())
}

/// The features, by place and key.
#[rustfmt::skip]
pub(super) const UNBUILT: &[Unbuilt] = &[
    route("max_age", When::On, "a greatest age of connections", NO_EFFECT),
];

const NO_EFFECT: &str = "until then it has no effect";

const fn route(key: &'static str, when: When, feature: &'static str, meanwhile: &'static str) -> Unbuilt {
    Unbuilt { place: Place::Route, key, when, feature, meanwhile }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check::keys;

    #[test]
    fn every_row_names_a_key_that_exists() {
        for row in UNBUILT {
            assert!(keys::find(row.place, row.key).is_some(), "{}", row.key);
        }
    }

    #[test]
    fn a_feature_that_is_switched_off_is_not_asked_for() {
        let row = route("max_age", When::On, "", "");
        for (text, asked) in [
            ("false", false),
            ("0", false),
            ("\"0\"", false),
            ("\"0s\"", false),
            ("\"off\"", false),
            ("[]", false),
            ("true", true),
            ("1", true),
            ("\"10s\"", true),
            ("\"permessage-deflate\"", true),
            ("[\"::1\"]", true),
        ] {
            assert_eq!(row.asked_for_by(DeValue::parse(text).unwrap().get_ref()), asked, "{text}");
        }
    }
}
