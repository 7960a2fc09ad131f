//! `record = { … }`: where the WebSockets of a route are recorded.

use std::path::Path;

use super::keys::Place;
use super::section::Section;
use super::{backend, files};
use crate::config::diagnostic::Fault;
use crate::config::{Backend, Record, Route};
use crate::recording::{Format, Name};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Record> {
    let found = section.find("record")?;
    section.nested("record", Place::Record, &found, |section| {
        if section.find("path").is_none() {
            section.missing("path", PATH_FORM);
        }
        let name = section.text("path", name);
        let format = section.word("format", &[("websockify", Format::Websockify), ("har", Format::Har)]);
        let bytes_max = section.size_or_default("max_bytes");
        let required = section.flag("required");
        if let Some(name) = &name {
            section.guard("path", &name.folder().join("%t-%n"));
        }
        Some(Record { name: name?, format: format.unwrap_or(Format::Websockify), bytes_max, required })
    })?
}

fn name(text: &str, folder: &Path) -> Result<Name, Fault> {
    let path = files::in_folder(folder, text);
    let ends_with_name = !text.ends_with('/');
    let name = Name::parse(if ends_with_name { &path } else { Path::new("") });
    let name = name.map_err(|fault| Fault::new(fault.to_string(), PATH_FORM))?;
    files::exists(name.folder())?;
    Ok(name)
}

/// Who records must know that; and a recording that never comes to be must not be missed later.
pub(super) fn warn(section: &mut Section<'_, '_>, route: &Route, backends: &[Backend]) {
    let (Some(record), Some(found)) = (&route.record, section.find("record")) else { return };
    if let Some(other) = backends.iter().find(|other| !backend::takes_upgrades(other)) {
        let message = format!("record has no effect on {other}");
        return section.warning(&found.spot, message, "leave it out: only WebSockets are recorded");
    }
    let everything = "record keeps everything that clients type and see, passwords too".to_owned();
    section.warning(&found.spot, everything, "tell those whom it concerns, and guard the folder");
    if !record.name.outlives_restarts() {
        let message = "record: path has no %t: after a restart the numbers begin anew, and files that exist are never overwritten";
        section.warning(
            &found.spot,
            message.to_owned(),
            "write %t, the time, beside %n, the number of the connection",
        );
    }
}

const PATH_FORM: &str =
    r#"write path = "FOLDER/%t-%n": %t becomes the time, %n the number of the connection, %% a percent sign"#;
