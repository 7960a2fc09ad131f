//! Counts, durations and sizes of a table; bounds and defaults come from the list of keys.

use std::time::Duration;

use super::found::{Found, whole_number};
use super::keys::{Key, Takes};
use super::section::Section;
use crate::config::value;

impl<'t> Section<'_, 't> {
    /// A whole number; `None` if it is not set or wrong.
    pub(super) fn count(&mut self, name: &str) -> Option<u64> {
        let key = self.key(name);
        let found = self.find(name)?;
        let Takes::Count { min, max } = key.takes else { unreachable!("{name} is listed as a count") };
        let Some(number) = whole_number(found.value) else {
            match found
                .value
                .as_str()
                .filter(|text| text.parse().is_ok_and(|number| (min..=max).contains(&number)))
            {
                Some(text) => {
                    self.error(
                        &found.spot,
                        format!("{name} is the string \"{text}\""),
                        format!("write {text}, without quotes"),
                    );
                }
                None => self.wrong_type(&found, key),
            }
            return None;
        };
        self.within(key, &found, (min..=max).contains(&number)).then_some(number)
    }

    /// A whole number, or the default of the key.
    pub(super) fn count_or_default(&mut self, name: &str) -> u64 {
        let set = self.count(name);
        set.unwrap_or_else(|| self.key(name).default.parse().expect("the default of this count is a number"))
    }

    /// A duration: a string, or a whole number of seconds. Zero is off.
    pub(super) fn duration(&mut self, name: &str) -> Duration {
        let key = self.key(name);
        let set = self.find(name).and_then(|found| self.duration_of(key, &found));
        set.unwrap_or_else(|| value::duration(key.default).expect("the default of a duration is a duration"))
    }

    fn duration_of(&mut self, key: &Key, found: &Found<'t>) -> Option<Duration> {
        let Takes::Duration { off, min, max } = key.takes else {
            unreachable!("{} is listed as a duration", key.name)
        };
        let duration = if let Some(text) = found.value.as_str() {
            self.read(key.name, found, text, |text, _| value::duration(text))?
        } else if let Some(seconds) = whole_number(found.value) {
            Duration::from_secs(seconds)
        } else {
            self.wrong_type(found, key);
            return None;
        };
        let legal = (off && duration.is_zero()) || (min..=max).contains(&duration);
        self.within(key, found, legal).then_some(duration)
    }

    /// A size: a string, or a whole number of bytes; `None` if it is not set or wrong.
    pub(super) fn size(&mut self, name: &str) -> Option<u64> {
        let key = self.key(name);
        let found = self.find(name)?;
        let Takes::Size { min, max } = key.takes else { unreachable!("{name} is listed as a size") };
        let bytes = if let Some(text) = found.value.as_str() {
            self.read(name, &found, text, |text, _| value::size(text))?
        } else if let Some(bytes) = whole_number(found.value) {
            bytes
        } else {
            self.wrong_type(&found, key);
            return None;
        };
        self.within(key, &found, (min..=max).contains(&bytes)).then_some(bytes)
    }

    /// A size, or the default of the key.
    pub(super) fn size_or_default(&mut self, name: &str) -> u64 {
        let set = self.size(name);
        set.unwrap_or_else(|| value::size(self.key(name).default).expect("the default of a size is a size"))
    }
}
