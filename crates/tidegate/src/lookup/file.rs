//! Tokens in files: `file`, `read-only-file`, `directory` and `unix-directory`. All of it blocks.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::target::Target;

/// Bytes of one file of tokens: some hundred thousand lines.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Files of one folder of tokens.
const FILES_MAX: usize = 1024;

/// Bytes of a file that holds one target.
const TARGET_BYTES_MAX: u64 = 4096;

/// A line that says nothing: its number, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// The file.
    pub(super) path: PathBuf,
    /// The first such line in it.
    pub(crate) number: usize,
}

/// Is not `TOKEN: TARGET`.
#[derive(Debug)]
pub(super) struct Meaningless;

/// All tokens at once.
pub(crate) fn read_all(path: &Path) -> io::Result<(HashMap<String, String>, Option<BadLine>)> {
    let mut all = HashMap::new();
    let bad = each_entry(path, |token, target| drop(all.insert(token.to_owned(), target.to_owned())))?;
    Ok((all, bad))
}

/// The content of the file that has the token for its name.
pub(super) fn file_name(folder: &Path, token: &str) -> io::Result<Option<String>> {
    // A single name, so that nothing outside of the folder can be meant.
    let name = token.rsplit('/').next().unwrap_or_default();
    if matches!(name, "" | "." | "..") || name.contains('\0') {
        return Ok(None);
    }
    let content = if_there(open(&folder.join(name)).and_then(|file| read_bounded(file, TARGET_BYTES_MAX)))?;
    Ok(content.map(|content| content.trim().to_owned()))
}

/// The Unix socket at this path below the folder, wherever links lead, as long as that is below it as well.
pub(super) fn socket(folder: &Path, token: &str) -> io::Result<Option<Target>> {
    if token.contains('\0') {
        return Ok(None);
    }
    let folder = folder.canonicalize()?;
    let Some(path) = if_there(folder.join(token).canonicalize())? else { return Ok(None) };
    let is_socket = path.starts_with(&folder) && fs::metadata(&path)?.file_type().is_socket();
    Ok(is_socket.then_some(Target::Unix(path)))
}

/// Calls `take` with token and target of each line of the file, or of all files of the folder.
fn each_entry(path: &Path, mut take: impl FnMut(&str, &str)) -> io::Result<Option<BadLine>> {
    let mut bad = None;
    for path in files(path)? {
        let content = read_text(open(&path)?)?;
        for (index, line) in content.lines().enumerate() {
            match entry(line) {
                Some(Ok((token, target))) => take(token, target),
                Some(Err(_)) if bad.is_none() => {
                    bad = Some(BadLine { path: path.clone(), number: index + 1 });
                }
                Some(Err(_)) | None => {}
            }
        }
    }
    Ok(bad)
}

/// Token and target of a line, or that it says nothing; `None` for a comment.
pub(super) fn entry(line: &str) -> Option<Result<(&str, &str), Meaningless>> {
    (!line.starts_with('#')).then(|| parse(line).ok_or(Meaningless))
}

/// The file itself, or the regular files in the folder, in its order.
pub(super) fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for file in fs::read_dir(path)? {
        let file = file?.path();
        if fs::metadata(&file).is_ok_and(|metadata| metadata.is_file()) {
            files.push(file);
        }
        if files.len() > FILES_MAX {
            return Err(io::Error::other(format!("the folder has more than {FILES_MAX} files")));
        }
    }
    Ok(files)
}

/// `TOKEN: TARGET`, parted by the one colon that a blank follows: tokens and targets may have other colons.
fn parse(line: &str) -> Option<(&str, &str)> {
    let mut colons =
        line.match_indices(':').filter(|(at, _)| line[at + 1..].starts_with(char::is_whitespace));
    match (colons.next(), colons.next()) {
        (Some((at, _)), None) => Some((&line[..at], line[at + 1..].trim())),
        _ => None,
    }
}

/// Opens nothing but regular files: a pipe would wait for its writer.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it is not a file"));
    }
    File::open(path)
}

/// The text of a file of tokens.
pub(super) fn read_text(file: File) -> io::Result<String> {
    read_bounded(file, FILE_BYTES_MAX)
}

/// What is no UTF-8 in it is no token.
fn read_bounded(file: File, max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the file has more than {max} bytes"),
        ));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned()))
}

/// A name that cannot exist does not exist.
fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | InvalidFilename) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, parsed) in [
            ("a: host:1", Some(("a", "host:1"))),
            ("a:\thost:1  ", Some(("a", "host:1"))),
            ("a:b: host:1", Some(("a:b", "host:1"))),
            (" a: host:1", Some((" a", "host:1"))),
            ("a: ::1:5900", Some(("a", "::1:5900"))),
            ("a: unix_socket:/run/x", Some(("a", "unix_socket:/run/x"))),
            ("a:host:1", None),
            ("a: b: c:1", None),
            ("", None),
            ("a", None),
        ] {
            assert_eq!(parse(line), parsed, "{line:?}");
        }
    }

    #[test]
    fn all_of_them_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "# a comment\na: x:1\nnonsense\na: y:2\nb: z:3").unwrap();
        let (all, bad) = read_all(&path).unwrap();
        assert_eq!((all.len(), all["a"].as_str(), all["b"].as_str()), (2, "y:2", "z:3"));
        assert_eq!(bad, Some(BadLine { path, number: 3 }));
    }

    #[test]
    fn t231_names_stay_in_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        fs::create_dir_all(tokens.join("sub")).unwrap();
        fs::write(folder.path().join("outside"), "x:1").unwrap();
        fs::write(tokens.join("inside"), "y:2\n").unwrap();
        assert_eq!(file_name(&tokens, "inside").unwrap().as_deref(), Some("y:2"));
        for token in ["../outside", "..", ".", "", "/", "sub", "sub/", "nobody", "a\0b", "../../etc/shadow"] {
            assert_eq!(file_name(&tokens, token).unwrap(), None, "{token}");
        }
        assert_eq!(file_name(&tokens, &"a".repeat(4000)).unwrap(), None);
    }

    #[test]
    fn sockets_are_found_below_their_folder_and_nowhere_else() {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let sockets = root.join("vnc");
        fs::create_dir_all(sockets.join("sub")).unwrap();
        fs::create_dir(root.join("vnc2")).unwrap();
        let _listening =
            ["vnc/a", "vnc/sub/b", "vnc2/c"].map(|name| UnixListener::bind(root.join(name)).unwrap());
        symlink("../vnc2/c", sockets.join("escape")).unwrap();
        symlink("sub/b", sockets.join("link")).unwrap();
        fs::write(sockets.join("file"), "").unwrap();
        let found = |token: &str| socket(&sockets, token).unwrap();
        assert_eq!(found("a"), Some(Target::Unix(sockets.join("a"))));
        assert_eq!(found("sub/b"), Some(Target::Unix(sockets.join("sub/b"))));
        assert_eq!(found("link"), Some(Target::Unix(sockets.join("sub/b"))));
        let outside = root.join("vnc2/c");
        for token in
            ["../vnc2/c", "escape", "file", "sub", "nobody", "..", "", "a/b", outside.to_str().unwrap()]
        {
            assert_eq!(found(token), None, "{token}");
        }
    }
}
