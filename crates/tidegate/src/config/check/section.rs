//! Reads the keys of one table, whether they come from the file or from flags.

use std::path::Path;

use toml::de::DeTable;

use super::found::{Found, describe, show};
use super::keys::{self, Key, Place};
use super::report::{Report, Spot};
use super::suggest::unknown_key;
use crate::config::diagnostic::{Fault, quoted};

/// One source of keys: a table of the file, or what a flag says, as if it had stood in a table.
pub(super) struct Layer<'t> {
    pub(super) table: &'t DeTable<'t>,
    /// The flag with its value; `None`: the file.
    pub(super) flag: Option<String>,
    /// Where the table begins in the file.
    pub(super) start: usize,
    /// Where relative paths start.
    pub(super) folder: &'t Path,
}

/// One table to be read: the first layer that has a key wins.
pub(super) struct Section<'r, 't> {
    report: &'r mut Report<'t>,
    place: Place,
    /// Begins every message: `route "vnc"`; empty at the top.
    owner: String,
    layers: Vec<Layer<'t>>,
}

impl<'r, 't> Section<'r, 't> {
    /// `title` names the table in messages, unless it has a name of its own.
    pub(super) fn new(report: &'r mut Report<'t>, place: Place, title: &str, layers: Vec<Layer<'t>>) -> Self {
        let mut section = Self { report, place, owner: title.to_owned(), layers };
        let (kind, keys): (_, &[&str]) = match place {
            Place::Listener => ("listener", &["address"]),
            Place::Route => ("route", &["name", "path"]),
            Place::Top | Place::Tls | Place::BackendTls | Place::Lookup | Place::Record | Place::Auth => {
                return section;
            }
        };
        if let Some(name) = keys.iter().find_map(|key| section.find(key)?.value.as_str()) {
            section.owner = format!("{kind} {}", quoted(name));
        }
        section
    }

    /// Reads a table that is the value of `name`, or stands in it.
    pub(super) fn nested<T>(
        &mut self,
        name: &str,
        place: Place,
        found: &Found<'t>,
        read: impl FnOnce(&mut Section<'_, 't>) -> T,
    ) -> Option<T> {
        let Some(table) = found.value.as_table() else {
            self.wrong_type(found, self.key(name));
            return None;
        };
        let (start, flag) = match &found.spot {
            Spot::Offset(start) => (*start, None),
            Spot::Flag(flag) => (0, Some(flag.clone())),
        };
        let title = self.owned(name);
        let layer = Layer { table, flag, start, folder: found.folder };
        let mut section = Section::new(self.report, place, &title, vec![layer]);
        let value = read(&mut section);
        section.finish();
        Some(value)
    }

    /// The value of a key, if it is set.
    pub(super) fn find(&self, name: &str) -> Option<Found<'t>> {
        self.layers.iter().find_map(|layer| {
            let value = layer.table.get(name)?;
            Some(Found { value: value.get_ref(), spot: layer.spot(value.span().start), folder: layer.folder })
        })
    }

    /// Where the table begins.
    pub(super) fn spot(&self) -> Spot {
        let layer = self.layers.last().expect("a section has at least one layer");
        layer.spot(layer.start)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let key = self.key(name);
        let default = key.default == "true";
        let Some(found) = self.find(name) else {
            return default;
        };
        found.value.as_bool().unwrap_or_else(|| {
            self.wrong_type(&found, key);
            default
        })
    }

    /// A string that `parse` makes something of; it is also given the folder where relative paths start.
    pub(super) fn text<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &Path) -> Result<T, Fault>,
    ) -> Option<T> {
        let found = self.find(name)?;
        self.text_of(name, &found, parse)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let allowed = self.key(name).takes.to_string();
        self.text(name, |text, _| {
            let known = words.iter().find(|(word, _)| *word == text);
            known.map(|(_, value)| *value).ok_or_else(|| Fault::new("is unknown", format!("write {allowed}")))
        })
    }

    /// A list of strings. What is wrong is reported and left out.
    pub(super) fn texts<T>(
        &mut self,
        name: &str,
        mut parse: impl FnMut(&str, &Path) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        let found = self.find(name)?;
        let Some(list) = found.value.as_array() else {
            self.wrong_type(&found, self.key(name));
            return None;
        };
        if list.len() > LIST_ENTRIES_MAX {
            let message = format!("{name} has {} entries", list.len());
            self.error(&found.spot, message, format!("write at most {LIST_ENTRIES_MAX}"));
            return None;
        }
        let texts = list.iter().filter_map(|item| self.text_of(name, &found.item(item), &mut parse));
        Some(texts.collect())
    }

    /// A string found somewhere in the value of `name`.
    pub(super) fn text_of<T>(
        &mut self,
        name: &str,
        found: &Found<'t>,
        parse: impl FnOnce(&str, &Path) -> Result<T, Fault>,
    ) -> Option<T> {
        let Some(text) = found.value.as_str() else {
            self.wrong_type(found, self.key(name));
            return None;
        };
        self.read(name, found, text, parse)
    }

    /// A string that is not repeated in messages: there may be a password in it.
    pub(super) fn secret<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str, &Path) -> Result<T, Fault>,
    ) -> Option<T> {
        let found = self.find(name)?;
        let Some(text) = found.value.as_str() else {
            self.wrong_type(&found, self.key(name));
            return None;
        };
        parse(text, found.folder)
            .map_err(|fault| self.error(&found.spot, format!("{name} {}", fault.problem), fault.remedy))
            .ok()
    }

    pub(super) fn read<T>(
        &mut self,
        name: &str,
        found: &Found<'t>,
        text: &str,
        parse: impl FnOnce(&str, &Path) -> Result<T, Fault>,
    ) -> Option<T> {
        match parse(text, found.folder) {
            Ok(value) => Some(value),
            Err(fault) => {
                let message = format!("{name} {} {}", quoted(text), fault.problem);
                self.error(&found.spot, message, fault.remedy);
                None
            }
        }
    }

    pub(super) fn wrong_type(&mut self, found: &Found<'t>, key: &Key) {
        let message = format!("{} is {}", key.name, describe(found.value));
        self.error(&found.spot, message, what_it_takes(key));
    }

    pub(super) fn within(&mut self, key: &Key, found: &Found<'t>, legal: bool) -> bool {
        if !legal {
            let message = format!("{} {} is out of bounds", key.name, show(found.value));
            self.error(&found.spot, message, what_it_takes(key));
        }
        legal
    }

    pub(super) fn error(&mut self, spot: &Spot, message: String, remedy: impl Into<String>) {
        let message = self.owned(&message);
        self.report.error(spot, message, remedy.into());
    }

    pub(super) fn warning(&mut self, spot: &Spot, message: String, remedy: impl Into<String>) {
        let message = self.owned(&message);
        self.report.warning(spot, message, remedy.into());
    }

    /// Notes that the file which this key names is for the gateway alone.
    pub(super) fn guard(&mut self, name: &str, file: &Path) {
        let owner = self.owned(name);
        self.report.guard(file, owner);
    }

    /// A required key is not set.
    pub(super) fn missing(&mut self, name: &str, remedy: impl Into<String>) {
        let message = self.owned(&format!("{name} is missing"));
        let spot = self.spot();
        self.report.missing(&spot, message, remedy.into());
    }

    /// Reports keys that do not exist.
    pub(super) fn finish(&mut self) {
        for layer in 0..self.layers.len() {
            let table = self.layers[layer].table;
            for (key, _) in table.iter() {
                let name = key.get_ref().as_ref();
                if keys::find(self.place, name).is_none() {
                    let spot = self.layers[layer].spot(key.span().start);
                    let known: Vec<_> = keys::of(self.place).map(|key| key.name).collect();
                    let elsewhere = keys::KEYS.iter().find(|key| key.name == name).map(|key| key.place);
                    let (message, remedy) = unknown_key(name, &known, elsewhere);
                    self.error(&spot, message, remedy);
                }
            }
        }
    }

    /// The entry of the key list: bounds and default come from there.
    pub(super) fn key(&self, name: &str) -> &'static Key {
        keys::find(self.place, name).expect("every key that is read is in the list of keys")
    }

    fn owned(&self, message: &str) -> String {
        if self.owner.is_empty() { message.to_owned() } else { format!("{}: {message}", self.owner) }
    }
}

impl Layer<'_> {
    fn spot(&self, offset: usize) -> Spot {
        self.flag.as_ref().map_or(Spot::Offset(offset), |flag| Spot::Flag(flag.clone()))
    }
}

fn what_it_takes(key: &Key) -> String {
    let example = key.example().map_or_else(String::new, |example| format!(", such as {example}"));
    format!("write {}{example}", key.takes)
}

/// Lists are looked through from end to end.
const LIST_ENTRIES_MAX: usize = 1024;
