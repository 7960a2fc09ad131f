//! Faults that the kernel could answer with, and seldom does, in a running gateway.
//!
//! A small library in C is preloaded into it (`faults.c`, built by the `cc` with which Rust links): the binary stays the
//! one that is shipped, and has no hook for tests in it. The test writes what is to happen on a board, a file that the
//! library has mapped. System calls that are made past libc are not reached.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The board of one gateway, and the library that obeys it.
#[derive(Debug)]
pub struct Faults {
    folder: tempfile::TempDir,
    library: PathBuf,
    board: File,
}

/// A family of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// From a socket of TCP.
    Read = 1,
    /// To a socket of TCP.
    Write,
    /// Of TCP.
    Connect,
    /// Of TCP.
    Accept,
    /// On a socket of TCP.
    SetSockOpt,
    /// Of any but local ones.
    Socket,
    /// Of files.
    Open,
    /// For events.
    EpollWait,
    /// Of a socket of TCP, to be watched.
    EpollCtl,
}

/// What a client or backend says to have a thread of the gateway hang while it reads it, where
/// [`Faults::allow_spells`] allows that.
pub const HANG: &str = "spell: hang";

/// The same, to have the gateway told of more bytes than there are: a bug in whoever reads them, that ends in a panic.
pub const TOO_MUCH: &str = "spell: too much";

/// A name whose server takes questions and never answers.
pub const UNANSWERED: &str = "hangs.test";

/// The places of the board, as in `faults.c`.
enum Place {
    Call,
    Error,
    Skip,
    Count,
    Struck,
    Seconds,
    Room,
    Spells,
    Names,
}

const PLACES: u64 = 9;

const BOARD: &str = "board";

impl Faults {
    /// A board on which nothing is ordered.
    ///
    /// # Panics
    /// There is no C compiler.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (library, path) = (build(folder.path()), folder.path().join(BOARD));
        let board = File::options().read(true).write(true).create_new(true).open(path);
        let board = board.expect("a temporary file can be made");
        board.set_len(8 * PLACES).expect("a temporary file can be written");
        let faults = Self { folder, library, board };
        faults.room(None);
        faults
    }

    /// What a gateway is started with to obey it.
    pub(crate) fn environment(&self) -> [(String, PathBuf); 2] {
        [
            ("LD_PRELOAD".to_owned(), self.library.clone()),
            ("TIDEGATE_TEST_BOARD".to_owned(), self.folder.path().join(BOARD)),
        ]
    }

    /// After `skip` calls of this family that succeed, `count` fail with this errno.
    pub fn fail(&self, call: Call, error: i32, skip: u32, count: u32) {
        self.put(Place::Call, 0); // nothing strikes while the order is written
        self.put(Place::Error, error.into());
        self.put(Place::Skip, skip.into());
        self.put(Place::Count, count.into());
        self.put(Place::Call, call as i64);
    }

    /// From now on nothing fails that [`fail`](Self::fail) ordered.
    pub fn mend(&self) {
        self.put(Place::Call, 0);
    }

    /// How often something has failed so far.
    pub fn struck(&self) -> i64 {
        self.get(Place::Struck)
    }

    /// How often [`UNANSWERED`] was asked for so far.
    pub fn unanswered(&self) -> i64 {
        self.get(Place::Names)
    }

    /// From now on nobody waits for an answer to [`UNANSWERED`]: it has no address.
    pub fn give_up_names(&self) {
        self.put(Place::Names, i64::MIN);
    }

    /// Puts the wall clock so many seconds ahead, or behind.
    pub fn wall_clock(&self, seconds: i64) {
        self.put(Place::Seconds, seconds);
    }

    /// The disk has space for so many bytes, or for any number.
    pub fn room(&self, bytes: Option<u32>) {
        self.put(Place::Room, bytes.map_or(-1, i64::from));
    }

    /// From now on [`HANG`] and [`TOO_MUCH`] work.
    pub fn allow_spells(&self) {
        self.put(Place::Spells, 1);
    }

    /// From now on they do not; threads that hang go on.
    pub fn lift_spells(&self) {
        self.put(Place::Spells, 0);
    }

    fn get(&self, place: Place) -> i64 {
        let mut bytes = [0; 8];
        self.board.read_exact_at(&mut bytes, 8 * place as u64).expect("the board can be read");
        i64::from_ne_bytes(bytes)
    }

    fn put(&self, place: Place, number: i64) {
        self.board.write_all_at(&number.to_ne_bytes(), 8 * place as u64).expect("the board can be written");
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

/// Builds the library in this folder.
fn build(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("faults.c"), folder.join("faults.so"));
    std::fs::write(&source, include_str!("faults.c")).expect("a temporary file can be written");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&library, &source])
        .output()
        .expect("cc is there, which links Rust");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}
