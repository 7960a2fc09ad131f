//! The files of a configuration: how many, how large, and which ones an `include` means.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::position::{Position, Source, SyntaxError};

/// The files that have been read so far.
pub(super) struct Files {
    main: PathBuf,
    opened: usize,
}

/// The text of a file, and what it is called in the report.
type Opened = (String, Rc<Source>);

impl Files {
    pub(super) fn new(main: &Path) -> Self {
        Self { main: main.to_owned(), opened: 0 }
    }

    /// The file that was named on the command line.
    pub(super) fn open_main(&mut self) -> Result<Opened, SyntaxError> {
        let source = self.source(&self.main.clone());
        let at = Position { source: Rc::clone(&source), line: 1, column: 1 };
        match read(&self.main) {
            Ok(text) => Ok((text, source)),
            Err(why) => Err(SyntaxError::new(&at, why)),
        }
    }

    /// A file that is included from `at`. What keeps it from being read does not end the import.
    pub(super) fn open(&mut self, file: &Path, at: &Position) -> Result<Result<Opened, String>, SyntaxError> {
        if self.opened >= FILES_MAX {
            return Err(SyntaxError::new(at, format!("an include of more than {FILES_MAX} files")));
        }
        let source = self.source(file);
        Ok(read(file).map(|text| (text, source)).map_err(|why| format!("{}: {why}", file.display())))
    }

    /// The files that an `include` means: one, or all that match its pattern, in the order of their names. Relative ones
    /// start at the folder of the main file, wherever the `include` stands. Beside them, why there may be more: a folder
    /// that cannot be read.
    pub(super) fn matching(
        &self,
        name: &str,
        at: &Position,
    ) -> Result<(Vec<PathBuf>, Option<String>), SyntaxError> {
        let path = self.main.parent().unwrap_or(Path::new("")).join(name);
        if !name.contains(['*', '?', '[']) {
            return Ok((vec![path], None));
        }
        let pattern = path.to_string_lossy();
        let found = glob::glob(&pattern).map_err(|error| SyntaxError::new(at, format!("{error}")))?;
        let mut hidden = None;
        let readable = |entry: glob::GlobResult| entry.map_err(|error| hidden = Some(error.to_string())).ok();
        let found: Vec<_> = found.filter_map(readable).take(FILES_MAX + 1).collect();
        if found.len() > FILES_MAX {
            return Err(SyntaxError::new(at, format!("an include of more than {FILES_MAX} files")));
        }
        Ok((found, hidden))
    }

    fn source(&mut self, file: &Path) -> Rc<Source> {
        let source = Source { number: self.opened, name: file.display().to_string() };
        self.opened += 1;
        Rc::new(source)
    }
}

fn read(file: &Path) -> Result<String, String> {
    let is_file = fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.is_file();
    if !is_file {
        return Err("is not a file".to_owned()); // opening a pipe would wait for its writer
    }
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("has more than {FILE_BYTES_MAX} bytes"));
    }
    // Comments in old encodings are no reason to stop.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const FILES_MAX: usize = 256;
const FILE_BYTES_MAX: u64 = 1 << 20;
