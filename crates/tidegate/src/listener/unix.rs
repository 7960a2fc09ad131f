//! Listening on a Unix socket: who may connect is a matter of its file, and the file outlives a process that is killed.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::BACKLOG;

/// Why a Unix socket cannot be listened on. The operator's fault, or another process's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnixError {
    /// Something else has the path: a file that may be worth keeping.
    #[error("{} is there already and is no socket; move it away, or name another path", .0.display())]
    NotASocket(PathBuf),
    /// Somebody accepts connections there.
    #[error("another process listens on {}; stop it, or name another path", .0.display())]
    InUse(PathBuf),
    /// There is no folder to put it in.
    #[error("the folder of {} does not exist; create it, or name another path", .0.display())]
    NoFolder(PathBuf),
    /// The system refuses.
    #[error("cannot {action} {}: {error}", path.display())]
    System {
        /// What was tried.
        action: &'static str,
        /// With which socket.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
}

/// The file of a socket that was bound here. Dropping it removes the file, unless it is another one by now.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Identity,
    /// Another process has the socket, and removes its file in the end.
    others: bool,
}

/// Tells a file from one that has taken its name. The number of an inode is soon given out again, but not with the same
/// time of change.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

/// Binds and listens. A socket that nobody accepts on, such as a killed gateway leaves, is replaced; anything else that
/// has the path stays.
///
/// # Errors
/// What has the path, or what the system says.
pub(crate) fn listen(path: &Path, mode: u32) -> Result<(UnixListener, SocketFile), UnixError> {
    let failed = |action| move |error| UnixError::System { action, path: path.to_owned(), error };
    make_way(path)?;
    let bind = || {
        let socket = unbound()?;
        socket.bind(&SockAddr::unix(path)?)?;
        io::Result::Ok(socket)
    };
    let socket = bind().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            UnixError::NoFolder(path.to_owned())
        } else {
            failed("listen on")(error)
        }
    })?;
    // Before it listens, so that nobody slips in under the mode that the process's umask gave it.
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the mode of"))?;
    let metadata = fs::symlink_metadata(path).map_err(failed("look at"))?;
    let file = SocketFile { path: path.to_owned(), identity: Identity::of(&metadata), others: false };
    socket.listen(BACKLOG).map_err(failed("listen on"))?;
    Ok((socket.into(), file))
}

/// Binds a name of Linux's abstract namespace and listens. There is no file, and so nobody who is kept out.
///
/// # Errors
/// What the system says.
pub(crate) fn listen_abstract(name: &str) -> io::Result<UnixListener> {
    let socket = unbound()?;
    socket.bind(&SockAddr::unix(format!("\0{name}"))?)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn unbound() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Removes a socket that nobody accepts on.
fn make_way(path: &Path) -> Result<(), UnixError> {
    let failed = |action| move |error| UnixError::System { action, path: path.to_owned(), error };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
    };
    if !found.file_type().is_socket() {
        return Err(UnixError::NotASocket(path.to_owned()));
    }
    // Not blocking: where a queue is full there is somebody whose queue it is.
    let asked = unbound().and_then(|socket| socket.connect(&SockAddr::unix(path)?));
    match asked {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!("replacing {}, which nobody listens on any more", path.display());
            fs::remove_file(path).map_err(failed("replace"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(failed("find out whether anybody listens on")(error))
        }
        Ok(()) | Err(_) => Err(UnixError::InUse(path.to_owned())),
    }
}

impl SocketFile {
    /// The file of a socket that another process has bound; it stays that process's until it is [ours](Self::keep).
    ///
    /// # Errors
    /// There is none.
    pub(super) fn adopt(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.file_type().is_socket() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self { path: path.to_owned(), identity: Identity::of(&metadata), others: true })
    }

    /// It is ours from now on, and removed in the end.
    pub(crate) const fn keep(&mut self) {
        self.others = false;
    }

    /// It is another process's from now on.
    pub(crate) const fn release(&mut self) {
        self.others = true;
    }

    /// Whether nothing has its name any more, so that nobody can connect.
    pub(crate) fn is_gone(&self) -> bool {
        fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Gives the file these permissions from now on.
    ///
    /// # Errors
    /// It is another's by now, or the system says no.
    pub(crate) fn set_mode(&mut self, mode: u32) -> io::Result<()> {
        let metadata = fs::symlink_metadata(&self.path)?;
        if Identity::of(&metadata) != self.identity {
            return Err(io::Error::new(io::ErrorKind::NotFound, "something else has its name by now"));
        }
        if metadata.mode() & 0o7777 == mode {
            return Ok(()); // nobody has to be allowed what is done already
        }
        fs::set_permissions(&self.path, Permissions::from_mode(mode))?;
        self.identity = Identity::of(&fs::symlink_metadata(&self.path)?); // the time of change is a part of it
        Ok(())
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.others {
            return;
        }
        let is_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| Identity::of(&found) == self.identity);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "{} is left behind", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn f38_a_socket_of_the_dead_is_replaced_and_removed_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "closing a socket leaves its file");
        let (_socket, file) = listen(&path, 0o600).unwrap();
        assert_eq!(mode(&path), 0o600);
        UnixStream::connect(&path).unwrap();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn the_mode_is_exact_whatever_the_umask() {
        let folder = tempfile::tempdir().unwrap();
        for wanted in [0o600, 0o660, 0o666, 0o777] {
            let path = folder.path().join(format!("{wanted:o}"));
            let _kept = listen(&path, wanted).unwrap();
            assert_eq!(mode(&path), wanted);
        }
    }

    #[test]
    fn the_mode_may_change_and_the_file_is_still_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let (_socket, mut file) = listen(&path, 0o600).unwrap();
        file.set_mode(0o666).unwrap();
        assert_eq!(mode(&path), 0o666);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_of_the_living_stays() {
        let folder = tempfile::tempdir().unwrap();
        let stream = folder.path().join("stream");
        let _living = UnixListener::bind(&stream).unwrap();
        let datagram = folder.path().join("datagram");
        let _bound = UnixDatagram::bind(&datagram).unwrap();
        for path in [stream, datagram] {
            assert!(matches!(listen(&path, 0o660), Err(UnixError::InUse(_))), "{}", path.display());
            assert!(path.exists());
        }
    }

    #[test]
    fn a_full_queue_is_a_sign_of_life() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let mut waiting = Vec::new();
        while let Ok(client) = unbound().and_then(|client| {
            client.connect(&SockAddr::unix(&path)?)?;
            Ok(client)
        }) {
            waiting.push(client);
            assert!(waiting.len() < 16, "the queue never fills");
        }
        assert!(matches!(listen(&path, 0o660), Err(UnixError::InUse(_))));
    }

    #[test]
    fn what_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        fs::write(&file, "worth keeping").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        for path in [&file, &link, &folder.path().to_owned()] {
            assert!(matches!(listen(path, 0o660), Err(UnixError::NotASocket(_))), "{}", path.display());
        }
        assert_eq!(fs::read(&file).unwrap(), b"worth keeping");
    }

    #[test]
    fn a_folder_that_is_missing_is_named_as_such() {
        let error = listen(Path::new("/nonexistent/a.sock"), 0o660).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the folder of /nonexistent/a.sock does not exist; create it, or name another path"
        );
    }

    #[test]
    fn the_socket_of_a_successor_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let (socket, file) = listen(&path, 0o660).unwrap();
        drop(socket); // as a gateway that drains: it accepts no more
        let (_successor, successors) = listen(&path, 0o660).unwrap();
        drop(file);
        assert!(path.exists());
        drop(successors);
        assert!(!path.exists());
    }

    #[test]
    fn an_abstract_name_is_taken_once() {
        let name = format!("tidegate-test-{}", std::process::id());
        let first = listen_abstract(&name).unwrap();
        assert_eq!(listen_abstract(&name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        listen_abstract(&name).unwrap();
    }
}
