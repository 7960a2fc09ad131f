//! A place for the files that a body needs.

use std::fs;
use std::path::PathBuf;

/// A folder of this thread's, gone when the thread ends.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let thread = std::thread::current().id();
        let own = format!("tidegate-fuzzing-{name}-{}-{thread:?}", std::process::id());
        let path = std::env::temp_dir().join(own);
        fs::create_dir_all(&path).expect("there is a place for temporary files");
        Self(path.canonicalize().expect("it was just made"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0)); // what cannot be removed is for whoever cleans up there
    }
}
