//! Files that somebody has named, opened to be read: none of them holds us up for longer than [`PATIENCE`].
//!
//! A name may be that of a pipe: `/dev/stdin`, what a shell writes for `<(…)`, or a FIFO. To open one as any other file, and
//! to read from it, waits for whoever is at its other end, who may never come.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::time::Instant;

use crate::clock;

/// How long all that is read of a file may be waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file that is open. What of it is not there in time is an error.
#[derive(Debug)]
pub(crate) struct NamedFile {
    file: File,
    until: Instant,
    /// There is, or was, somebody at the other end. Of what is no pipe nobody has to be.
    is_written: bool,
}

/// Opens it without waiting.
///
/// # Errors
/// What the system says.
pub(crate) fn open(path: &Path) -> io::Result<NamedFile> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let is_written = !file.metadata()?.file_type().is_fifo();
    Ok(NamedFile { file, until: clock::now() + PATIENCE, is_written })
}

impl Read for NamedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                // A pipe without a writer looks like one that has come to its end.
                Ok(0) if !self.is_written && !buffer.is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    self.is_written = true;
                    return done;
                }
            }
            self.wait()?;
            self.is_written = true;
        }
    }
}

impl NamedFile {
    /// Until there is something to read, or the end of what a writer had to say.
    fn wait(&self) -> io::Result<()> {
        loop {
            let left = self.until.saturating_duration_since(clock::now());
            let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&left)) {
                Ok(1..) => return Ok(()),
                Ok(0) => {
                    let seconds = PATIENCE.as_secs();
                    let problem = format!(
                        "it is no file but a pipe, and had not come to its end in {seconds} seconds; name a file"
                    );
                    return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::thread;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn text(path: &Path) -> io::Result<String> {
        let mut text = String::new();
        open(path)?.read_to_string(&mut text).map(|_| text)
    }

    /// As a shell does it for `<(…)`: the end that is read from has the name of a descriptor.
    #[test]
    fn a_pipe_with_a_writer_is_read_to_its_end_however_slowly_it_writes() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let read = thread::spawn(move || text(Path::new(&path)));
        writer.write_all(b"one ").unwrap();
        thread::sleep(Duration::from_millis(20)); // the slowness itself
        writer.write_all(b"two").unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap().unwrap(), "one two");
        drop(reader);
    }

    #[test]
    fn a_fifo_is_read_whose_writer_comes_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let read = thread::spawn({
            let path = path.clone();
            move || text(&path)
        });
        thread::sleep(Duration::from_millis(20)); // so that the reader is there first; nothing depends on it
        fs::write(&path, "late").unwrap(); // opens it, and with that waits for its reader
        assert_eq!(read.join().unwrap().unwrap(), "late");
    }

    #[test]
    fn what_is_no_pipe_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        assert_eq!(text(&path).unwrap(), "");
        assert_eq!(text(Path::new("/dev/null")).unwrap(), "");
        fs::write(&path, "there").unwrap();
        assert_eq!(text(&path).unwrap(), "there");
        assert!(text(folder.path()).is_err());
        assert_eq!(text(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
