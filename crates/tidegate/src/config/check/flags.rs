//! What the command line says, as tables, so that it is read by the same code as the file.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::report::{Report, Spot};
use super::section::Layer;
use crate::config::diagnostic::quoted;

/// What the command line says on top of a file, or without one. Relative paths start at the working directory.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--listen ADDR`: these take the place of all listeners of the file.
    pub listen: Vec<String>,
    /// `--route 'PATH=BACKEND'`: these stand before the routes of the file.
    pub routes: Vec<String>,
    /// `--tls-cert F`: the certificate of the listeners of the command line, or of the default one.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key F`: its key.
    pub tls_key: Option<PathBuf>,
    /// `--workers N`: 0 is one per core.
    pub workers: Option<usize>,
    /// `--admin ADDR`.
    pub admin: Option<String>,
}

/// A flag with its value, and what it says.
pub(super) struct FlagTable {
    flag: String,
    table: DeTable<'static>,
}

impl FlagTable {
    pub(super) fn layer(&self) -> Layer<'_> {
        Layer { table: &self.table, flag: Some(self.flag.clone()), start: 0, folder: Path::new("") }
    }

    pub(super) fn spot(&self) -> Spot {
        Spot::Flag(self.flag.clone())
    }
}

impl Overrides {
    pub(super) fn admin_table(&self) -> Option<FlagTable> {
        let admin = self.admin.as_ref()?;
        Some(FlagTable {
            flag: format!("--admin {}", quoted(admin)),
            table: table([("admin", string(admin))]),
        })
    }

    pub(super) fn listener_tables(&self) -> Vec<FlagTable> {
        self.listen.iter().map(|address| listener_table(address)).collect()
    }

    /// `None` if there is no certificate, or only half of one, which is an error.
    pub(super) fn tls_table(&self, report: &mut Report<'_>) -> Option<FlagTable> {
        let show = |path: &PathBuf| quoted(&path.to_string_lossy());
        let (cert, key) = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => (cert, key),
            (Some(cert), None) => {
                let flag = Spot::Flag(format!("--tls-cert {}", show(cert)));
                report.error(&flag, "stands without --tls-key".to_owned(), "add --tls-key FILE".to_owned());
                return None;
            }
            (None, Some(key)) => {
                let flag = Spot::Flag(format!("--tls-key {}", show(key)));
                report.error(&flag, "stands without --tls-cert".to_owned(), "add --tls-cert FILE".to_owned());
                return None;
            }
            (None, None) => return None,
        };
        let files =
            table([("cert", string(&cert.to_string_lossy())), ("key", string(&key.to_string_lossy()))]);
        let flag = format!("--tls-cert {} --tls-key {}", show(cert), show(key));
        Some(FlagTable { flag, table: table([("tls", DeValue::Table(files))]) })
    }

    pub(super) fn route_tables(&self, report: &mut Report<'_>) -> Vec<FlagTable> {
        let table_of = |text: &String| {
            let flag = format!("--route {}", quoted(text));
            let Some((path, backend)) = split_route(text) else {
                let remedy = "write PATH=BACKEND, such as /vnc=tcp://127.0.0.1:5900".to_owned();
                report.error(&Spot::Flag(flag), "has no = between path and backend".to_owned(), remedy);
                return None;
            };
            Some(FlagTable { flag, table: table([("path", string(path)), ("backend", string(backend))]) })
        };
        self.routes.iter().filter_map(table_of).collect()
    }
}

/// A listener at this address, with the default of every other key.
pub(super) fn listener_table(address: &str) -> FlagTable {
    FlagTable { flag: format!("--listen {}", quoted(address)), table: table([("address", string(address))]) }
}

/// A path may contain an equals sign and so may a backend: the split is before the first text that begins like a
/// backend, or else at the first sign.
fn split_route(text: &str) -> Option<(&str, &str)> {
    let begins_backend = |rest: &str| {
        let scheme = rest.split(':').next().unwrap_or_default();
        scheme.len() < rest.len() && !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_lowercase())
    };
    let splits = text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
    splits.clone().find(|(_, rest)| begins_backend(rest)).or_else(|| splits.clone().next())
}

fn table<const N: usize>(entries: [(&'static str, DeValue<'static>); N]) -> DeTable<'static> {
    let mut table = DeTable::new();
    for (key, value) in entries {
        table.insert(Spanned::new(0..0, DeString::Borrowed(key)), Spanned::new(0..0, value));
    }
    table
}

fn string(text: &str) -> DeValue<'static> {
    DeValue::String(DeString::Owned(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_splits_where_its_backend_begins() {
        for (text, expected) in [
            ("/vnc=tcp://a:1", Some(("/vnc", "tcp://a:1"))),
            ("/a=b=echo:", Some(("/a=b", "echo:"))),
            ("~/(?P<x>a=b)=ws://a", Some(("~/(?P<x>a=b)", "ws://a"))),
            ("/a=file:/srv/x=y", Some(("/a", "file:/srv/x=y"))),
            ("/a=vnc", Some(("/a", "vnc"))),
            ("/a=", Some(("/a", ""))),
            ("/a", None),
            ("", None),
        ] {
            assert_eq!(split_route(text), expected, "{text}");
        }
    }
}
