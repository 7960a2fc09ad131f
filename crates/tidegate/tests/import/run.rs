//! Running the built binary on a configuration.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tidegate_testkit::Gateway;

/// What `tidegate import lighttpd` came to.
#[derive(Debug)]
pub(crate) struct Import {
    /// The `tidegate.toml`.
    pub(crate) text: String,
    pub(crate) report: String,
    pub(crate) status: Option<i32>,
}

/// Imports a file of this folder.
#[track_caller]
pub(crate) fn fixture(name: &str) -> Import {
    Import::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import"), &[name])
}

/// Imports this text.
#[track_caller]
pub(crate) fn text(text: &str) -> Import {
    Import::of(folder(&[("lighttpd.conf", text)]).path(), &["lighttpd.conf"])
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

impl Import {
    /// In this working directory, with these arguments.
    #[track_caller]
    pub(crate) fn of(folder: &Path, arguments: &[&str]) -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["import", "lighttpd"])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        Self {
            text: String::from_utf8(output.stdout).unwrap(),
            report: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code(),
        }
    }

    /// The lines of the report that say this of a directive.
    pub(crate) fn line(&self, start: &str) -> &str {
        let line = self.report.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("nothing is said of {start}:\n{}", self.report))
    }

    /// That it was translated, and `tidegate check` takes the result; the route table.
    #[track_caller]
    pub(crate) fn checked(&self) -> String {
        self.checked_in(folder(&[]).path())
    }

    /// The same beside the files of this folder.
    #[track_caller]
    pub(crate) fn checked_in(&self, folder: &Path) -> String {
        assert_eq!(self.status, Some(0), "{}", self.report);
        fs::write(folder.join("tidegate.toml"), &self.text).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let output = check.args(["check", "-c", "tidegate.toml"]).current_dir(folder).output().unwrap();
        let diagnosis = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{diagnosis}\n{}", self.text);
        String::from_utf8(output.stdout).unwrap()
    }

    /// A gateway that serves the result, on a port of its own instead of 8080.
    #[track_caller]
    pub(crate) fn served(&self) -> Gateway {
        self.checked();
        let text = self.text.replace("\"127.0.0.1:8080\"", "\"127.0.0.1:0\"");
        assert_ne!(text, self.text, "the configuration listens on port 8080");
        Gateway::builder(env!("CARGO_BIN_EXE_tidegate")).whole(&text).start()
    }
}
