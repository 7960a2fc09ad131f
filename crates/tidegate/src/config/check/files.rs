//! Files that a configuration names.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::certificate;
use crate::config::AccessLog;
use crate::config::diagnostic::Fault;

/// A path of the configuration: relative ones start at `folder`. `file:.` becomes the folder itself.
pub(super) fn in_folder(folder: &Path, path: &str) -> PathBuf {
    folder.join(path).components().collect()
}

/// A file that exists and can be read. What is in it is checked by whoever uses it.
pub(super) fn readable(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let remedy = "name a PEM file that this user may read";
    if text.is_empty() {
        return Err(Fault::new("is empty", remedy));
    }
    let path = in_folder(folder, text);
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let found = fs::metadata(&path)
        .and_then(|metadata| if metadata.is_file() { File::open(&path).map(|_| true) } else { Ok(false) });
    match found {
        Ok(true) => Ok(path),
        Ok(false) => Err(Fault::new("is not a file", remedy)),
        Err(cause) if path == Path::new(text) => Err(Fault::new(format!("cannot be read: {cause}"), remedy)),
        Err(cause) => {
            let tried = path.display();
            let problem =
                format!("cannot be read: {cause} ({tried}: names start at the folder of the configuration)");
            Err(Fault::new(problem, remedy))
        }
    }
}

/// A file of certificates of authorities, which can all be used.
pub(super) fn authorities(text: &str, folder: &Path) -> Result<PathBuf, Fault> {
    let path = readable(text, folder)?;
    match certificate::authorities(&path) {
        Ok(_) => Ok(path),
        Err(fault) => {
            Err(Fault::new(fault.to_string(), "name a PEM file with the certificates of authorities"))
        }
    }
}

/// Reads `"stdout"`, `"stderr"`, `"off"` or `"file:PATH"`. The file may be new, its folder may not.
pub(super) fn access_log(text: &str, folder: &Path) -> Result<AccessLog, Fault> {
    match text {
        "stdout" => return Ok(AccessLog::Stdout),
        "stderr" => return Ok(AccessLog::Diagnosis),
        "off" => return Ok(AccessLog::Off),
        _ => {}
    }
    let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) else {
        return Err(Fault::new("is unknown", r#"write "stdout", "stderr", "off" or "file:PATH""#));
    };
    let path = in_folder(folder, path);
    exists(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    if path.is_dir() {
        return Err(Fault::new("is a directory", "name a file"));
    }
    Ok(AccessLog::File(path))
}

/// The folder of files that are still to come.
pub(super) fn exists(folder: &Path) -> Result<(), Fault> {
    if folder.is_dir() {
        return Ok(());
    }
    let problem = format!("is in a folder that does not exist ({})", folder.display());
    Err(Fault::new(problem, "create the folder first"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_start_at_the_folder() {
        for (folder, path, expected) in [
            ("/etc/tidegate", "a.pem", "/etc/tidegate/a.pem"),
            ("/etc/tidegate", ".", "/etc/tidegate"),
            ("/etc/tidegate", "/srv/www/", "/srv/www"),
            ("", "a.pem", "a.pem"),
            ("", ".", "."),
            ("a", "../b", "a/../b"),
        ] {
            assert_eq!(in_folder(Path::new(folder), path), Path::new(expected), "{folder} {path}");
        }
    }

    #[test]
    fn only_a_file_that_exists_is_readable() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cert.pem"), "").unwrap();
        assert_eq!(readable("cert.pem", folder.path()), Ok(folder.path().join("cert.pem")));
        assert!(readable("key.pem", folder.path()).unwrap_err().problem.starts_with("cannot be read: "));
        assert_eq!(readable(".", folder.path()).unwrap_err().problem, "is not a file");
        assert_eq!(readable("", folder.path()).unwrap_err().problem, "is empty");
    }

    #[test]
    fn access_logs() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text| access_log(text, folder.path());
        assert_eq!(read("stdout"), Ok(AccessLog::Stdout));
        assert_eq!(read("stderr"), Ok(AccessLog::Diagnosis));
        assert_eq!(read("off"), Ok(AccessLog::Off));
        assert_eq!(read("file:access.log"), Ok(AccessLog::File(folder.path().join("access.log"))));
        assert_eq!(access_log("file:access.log", Path::new("")), Ok(AccessLog::File("access.log".into())));
        for text in ["", "syslog", "file:", "access.log", "file:no/such/access.log", "file:."] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
