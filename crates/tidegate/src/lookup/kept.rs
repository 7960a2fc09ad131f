//! Tokens of `kind = "file"`, kept from one look-up to the next: whoever guesses tokens must not have files read as often
//! as he guesses.
//!
//! What is kept is as large as the files, and eight bytes for each line. All of it blocks.

use std::fs::{File, Metadata};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use subtle::ConstantTimeEq as _;

use super::file::{self, BadLine};
use crate::clock;

/// Bytes of all files of a folder.
const BYTES_MAX: u64 = 64 << 20;

/// A file is known by its stamp only when it has been at rest for this time: what is written twice within one tick of its
/// file system's clock has the same stamp both times. This is the coarsest tick in use.
const REST: Duration = Duration::from_secs(2);

/// A file of tokens, or a folder of them.
#[derive(Debug)]
pub(crate) struct Tokens {
    path: PathBuf,
    /// Its hashes tell nobody how near a wrong token is to a right one.
    hasher: RandomState,
    /// As it was read last. Locked while it is read, so that it is read once, however many look up.
    reading: Mutex<Option<Reading>>,
}

/// What stood in the files.
#[derive(Debug)]
struct Reading {
    stamps: Vec<(PathBuf, Stamp)>,
    /// Whether all of them were at rest.
    at_rest: bool,
    /// In the order in which later ones win.
    texts: Vec<Text>,
    bad: Option<BadLine>,
}

/// How a file is known from what it was before. The second time is of any change at all, and nobody can set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What stood in one file.
#[derive(Debug)]
struct Text {
    text: String,
    /// Hash of the token and beginning of each line that has one, in this order.
    lines: Vec<(u32, u32)>,
}

impl Tokens {
    /// Nothing is read yet.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { path, hasher: RandomState::new(), reading: Mutex::default() }
    }

    /// What the last line for this token says as the files are now, and the first line that says nothing.
    pub(crate) fn find(&self, token: &str) -> io::Result<(Option<String>, Option<BadLine>)> {
        let mut kept = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = file::files(&self.path)?;
        let is_known = match &*kept {
            Some(reading) => reading.at_rest && reading.stamps == stamps(&paths)?,
            None => false,
        };
        if !is_known {
            *kept = None; // before the next one is there: the two of them are never held at once
            *kept = Some(self.read(paths)?);
        }
        let reading = kept.as_ref().expect("it was read where it was not known");
        let hash = self.hash(token);
        let found = reading.texts.iter().rev().find_map(|text| text.target_of(token, hash));
        Ok((found.map(str::to_owned), reading.bad.clone()))
    }

    fn read(&self, paths: Vec<PathBuf>) -> io::Result<Reading> {
        let since = clock::wall();
        let mut reading = Reading { stamps: Vec::new(), at_rest: true, texts: Vec::new(), bad: None };
        let mut left = BYTES_MAX;
        for path in paths {
            let (file, metadata) = open(&path)?;
            left = left.checked_sub(metadata.len()).ok_or_else(too_large)?;
            reading.at_rest &= is_at_rest(&metadata, since);
            reading.stamps.push((path.clone(), Stamp::of(&metadata)));
            let (text, bad) = self.text(file::read_text(file)?);
            reading.bad = reading.bad.or(bad.map(|number| BadLine { path, number }));
            reading.texts.push(text);
        }
        Ok(reading)
    }

    /// What can be looked up in a text, and the number of the first line that says nothing.
    fn text(&self, text: String) -> (Text, Option<usize>) {
        let (mut lines, mut bad, mut at) = (Vec::new(), None, 0);
        for (index, line) in text.split_inclusive('\n').enumerate() {
            match file::entry(line.lines().next().unwrap_or_default()) {
                Some(Ok((token, _))) => {
                    let at = u32::try_from(at).expect("a file is far smaller than 4 GiB");
                    lines.push((self.hash(token), at));
                }
                Some(Err(_nothing)) => bad = bad.or(Some(index + 1)),
                None => {}
            }
            at += line.len();
        }
        lines.sort_unstable();
        (Text { text, lines }, bad)
    }

    fn hash(&self, token: &str) -> u32 {
        self.hasher.hash_one(token) as u32 // half of a hash is a hash
    }
}

impl Text {
    /// What the last line for this token says.
    fn target_of(&self, token: &str, hash: u32) -> Option<&str> {
        let first = self.lines.partition_point(|(other, _)| *other < hash);
        let same = self.lines[first..].iter().take_while(|(other, _)| *other == hash);
        let entries = same.filter_map(|(_, at)| {
            let line = self.text[*at as usize..].lines().next()?;
            file::entry(line)?.ok()
        });
        let is_meant = |entry: &str| bool::from(entry.as_bytes().ct_eq(token.as_bytes()));
        entries.filter(|(entry, _)| is_meant(entry)).last().map(|(_, target)| target)
    }
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            file: (file.dev(), file.ino()),
            len: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

fn stamps(paths: &[PathBuf]) -> io::Result<Vec<(PathBuf, Stamp)>> {
    paths.iter().map(|path| Ok((path.clone(), Stamp::of(&open(path)?.1)))).collect()
}

/// Opened also where only the stamp is wanted: a file system of the network asks its server then, and not before.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = file::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Whether a file was changed long enough ago. One of the future was not.
fn is_at_rest(file: &Metadata, now: SystemTime) -> bool {
    let seconds = u64::try_from(file.ctime().max(file.mtime())).unwrap_or(0);
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds + 1); // any fraction of it has passed by then
    now.duration_since(changed).is_ok_and(|rest| rest >= REST)
}

fn too_large() -> io::Error {
    let text = format!("the files of the folder have more than {BYTES_MAX} bytes");
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(tokens: &Tokens, token: &str) -> Option<String> {
        tokens.find(token).unwrap().0
    }

    #[test]
    fn the_last_entry_wins_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        fs::write(&path, "# a comment\na: x:1\r\nnonsense\na: y:2\nb: z:3").unwrap();
        let tokens = Tokens::of(path.clone());
        let (target, bad) = tokens.find("a").unwrap();
        assert_eq!(target.as_deref(), Some("y:2"));
        assert_eq!(bad, Some(BadLine { path, number: 3 }));
        assert_eq!(found(&tokens, "b").as_deref(), Some("z:3"));
        assert_eq!(found(&tokens, "# a comment\na"), None);
        assert_eq!(found(&tokens, "nonsense"), None);
    }

    /// Two tokens of one hash are two tokens.
    #[test]
    fn a_hash_is_no_token() {
        let tokens = Tokens::of(PathBuf::new());
        let (mut text, _) = tokens.text("a: x:1\nb: y:2\na: z:3\n".to_owned());
        for (hash, _) in &mut text.lines {
            *hash = 7;
        }
        text.lines.sort_unstable();
        let targets = ["a", "b", "c"].map(|token| text.target_of(token, 7));
        assert_eq!(targets, [Some("z:3"), Some("y:2"), None]);
    }

    /// Whatever is kept, what the files say now is what counts.
    #[test]
    fn f42_each_change_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let tokens = Tokens::of(folder.path().to_owned());
        for round in 0..200 {
            fs::write(&path, format!("a: x:{}\n", 100 + round)).unwrap(); // the same length each time
            assert_eq!(found(&tokens, "a"), Some(format!("x:{}", 100 + round)));
        }
        fs::write(folder.path().join("more"), "b: y:2\n").unwrap();
        assert_eq!(found(&tokens, "b").as_deref(), Some("y:2"));
        fs::remove_file(&path).unwrap();
        assert_eq!(found(&tokens, "a"), None);
    }

    #[test]
    fn a_file_that_was_changed_just_now_is_not_known_by_its_stamp() {
        let file = tempfile::tempfile().unwrap();
        let metadata = file.metadata().unwrap();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(metadata.ctime().unsigned_abs());
        assert!(!is_at_rest(&metadata, changed));
        assert!(!is_at_rest(&metadata, changed + REST));
        assert!(!is_at_rest(&metadata, changed - Duration::from_secs(60)), "the clock was set back");
        assert!(is_at_rest(&metadata, changed + 2 * REST));
    }
}
