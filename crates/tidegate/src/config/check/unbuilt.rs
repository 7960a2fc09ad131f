//! Features that the configuration knows and the gateway does not have yet.
//!
//! The list below is the only place that knows them: whoever builds a feature deletes its row.

use super::keys::Place;

/// A feature that is accepted in a file, and warned about.
pub(super) struct Unbuilt {
    pub(super) place: Place,
    pub(super) key: &'static str,
    /// Completes "accepted, but not built yet: …".
    pub(super) feature: &'static str,
    /// What happens instead.
    pub(super) meanwhile: &'static str,
}

/// The features, by place and key.
#[rustfmt::skip]
pub(super) const UNBUILT: &[Unbuilt] = &[
    top("admin", "the admin listener", NO_EFFECT),
];

const NO_EFFECT: &str = "until then it has no effect";

const fn top(key: &'static str, feature: &'static str, meanwhile: &'static str) -> Unbuilt {
    Unbuilt { place: Place::Top, key, feature, meanwhile }
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
}
