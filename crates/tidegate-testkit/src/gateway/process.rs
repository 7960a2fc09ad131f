//! What the system tells about a process.

use std::fs;
use std::io;

/// Bytes of private memory that are resident: what grows when something is hoarded. Files that are mapped, such as the
/// binary, do not count.
pub(super) fn anonymous_memory(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib << 10)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no RssAnon in the status"))
}

/// Sockets among its descriptors.
pub(super) fn sockets(pid: u32) -> io::Result<usize> {
    let mut sockets = 0;
    for descriptor in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // One that is closed between the listing and the look was on its way out.
        let target = fs::read_link(descriptor?.path()).unwrap_or_default();
        sockets += usize::from(target.to_string_lossy().starts_with("socket:"));
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_very_process() {
        let pid = std::process::id();
        assert!(anonymous_memory(pid).unwrap() > 0);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(sockets(pid).unwrap() >= 1, "{listener:?}");
    }
}
