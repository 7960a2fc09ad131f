//! What the system tells about a process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// Bytes of private memory that are resident: what grows when something is hoarded. Files that are mapped, such as the
/// binary, do not count.
pub(crate) fn anonymous_memory(pid: u32) -> io::Result<u64> {
    kibibytes(&fs::read_to_string(format!("/proc/{pid}/status"))?, "RssAnon:")
}

/// Its share of the memory in use, in bytes: its own pages, and of pages that several processes have in common its part.
/// Files that are mapped do not count: of the binary its part grows whenever another gateway ends.
pub(super) fn proportional_memory(pid: u32) -> io::Result<u64> {
    kibibytes(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?, "Pss_Anon:")
}

/// A line of `NAME: NUMBER kB`, in bytes.
fn kibibytes(table: &str, name: &str) -> io::Result<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let missing = || io::Error::new(io::ErrorKind::InvalidData, format!("there is no {name} in the table"));
    kib.map(|kib| kib << 10).ok_or_else(missing)
}

/// What the threads of a process have had of the processors so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Schedule {
    /// For how long they have run.
    pub(crate) ran: Duration,
    /// For how long they could have run, but others did.
    pub(crate) waited: Duration,
}

/// What its threads have had of the processors so far.
pub(crate) fn schedule(pid: u32) -> io::Result<Schedule> {
    let mut sum = Schedule::default();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that has ended between the listing and the look does not count any more.
        let times = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let thread = Schedule::parse(&times);
        sum.ran += thread.ran;
        sum.waited += thread.waited;
    }
    Ok(sum)
}

/// What the thread that asks has had.
pub(crate) fn schedule_of_this_thread() -> io::Result<Schedule> {
    Ok(Schedule::parse(&fs::read_to_string("/proc/thread-self/schedstat")?))
}

impl Schedule {
    fn parse(times: &str) -> Self {
        let mut times = times.split_ascii_whitespace().map(|time| time.parse().unwrap_or(0));
        let mut next = || Duration::from_nanos(times.next().unwrap_or(0));
        Self { ran: next(), waited: next() }
    }
}

/// Allows this process, and those that it starts from now on, as many descriptors as the system lets it have; how many
/// that are.
pub(super) fn raise_descriptor_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).ok(); // where it is refused, the limit stays as it was, which the answer tells
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Allows a child so many descriptors, and no other number any more than before.
pub(super) fn limit_descriptors(child: &Child, count: u64) -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(count), maximum };
    Ok(prlimit(Some(Pid::from_child(child)), Resource::Nofile, limit).map(drop)?)
}

/// How many threads it has.
pub(super) fn threads(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/task"))?.count())
}

/// How many descriptors it has.
pub(super) fn all_descriptors(pid: u32) -> io::Result<usize> {
    descriptors(pid, |_| true)
}

/// Sockets among its descriptors.
pub(super) fn sockets(pid: u32) -> io::Result<usize> {
    descriptors(pid, |target| target.starts_with("socket:"))
}

/// The number of the next descriptor that it opens.
pub(super) fn next_descriptor(pid: u32) -> io::Result<u64> {
    let number = |entry: fs::DirEntry| entry.file_name().to_string_lossy().parse();
    let taken: BTreeSet<u64> =
        fs::read_dir(format!("/proc/{pid}/fd"))?.filter_map(|entry| number(entry.ok()?).ok()).collect();
    Ok((0..).find(|number| !taken.contains(number)).expect("there are more numbers than descriptors"))
}

/// Ends of pipes that it has open.
pub(super) fn pipes(pid: u32) -> io::Result<usize> {
    descriptors(pid, |target| target.starts_with("pipe:"))
}

/// Descriptors that are neither sockets nor ends of pipes.
pub(super) fn other_descriptors(pid: u32) -> io::Result<usize> {
    descriptors(pid, |target| !target.starts_with("socket:") && !target.starts_with("pipe:"))
}

/// What its descriptors are, for a message to a human being: where they lead to, and of sockets whose they are.
pub(super) fn shown_descriptors(pid: u32) -> Vec<String> {
    let rows = socket_rows();
    let all = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = all.filter_map(|entry| fs::read_link(entry.path()).ok());
    let shown = targets.map(|target| {
        let target = target.to_string_lossy().into_owned();
        rows.get(&target).cloned().unwrap_or(target)
    });
    shown.collect()
}

/// The sockets of this machine by what a descriptor of them leads to.
fn socket_rows() -> BTreeMap<String, String> {
    /// The tables, where the inode stands in each, and what of a row tells whose socket it is.
    const TABLES: [(&str, usize, [usize; 3]); 4] =
        [("tcp", 9, [1, 2, 3]), ("tcp6", 9, [1, 2, 3]), ("udp", 9, [1, 2, 3]), ("unix", 6, [4, 5, 7])];
    let mut rows = BTreeMap::new();
    for (name, inode, told) in TABLES {
        let table = fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
        for row in table.lines().map(|row| row.split_ascii_whitespace().collect::<Vec<_>>()) {
            let told = told.map(|column| row.get(column).copied().unwrap_or_default()).join(" ");
            if let Some(inode) = row.get(inode) {
                rows.insert(format!("socket:[{inode}]"), format!("{name} {told}"));
            }
        }
    }
    rows
}

fn descriptors(pid: u32, is_it: impl Fn(&str) -> bool) -> io::Result<usize> {
    let mut descriptors = 0;
    for descriptor in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // One that is closed between the listing and the look was on its way out.
        let target = fs::read_link(descriptor?.path()).unwrap_or_default();
        descriptors += usize::from(is_it(&target.to_string_lossy()));
    }
    Ok(descriptors)
}

/// Bytes on their way from one end of a connection over IPv4 to the process at the other: not acknowledged yet, or not
/// read yet. None where there is no such connection any more.
pub(super) fn in_flight(from: SocketAddr, to: SocketAddr) -> io::Result<u64> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    let (from, to) = (hex(from)?, hex(to)?);
    let (sent, _) = queues(&table, &from, &to).unwrap_or_default();
    let (_, unread) = queues(&table, &to, &from).unwrap_or_default();
    Ok(sent + unread)
}

/// Whether the socket with these addresses, over IPv4, is set to ask a silent peer whether it is still there.
pub(super) fn probes(local: SocketAddr, remote: SocketAddr) -> io::Result<bool> {
    const KEEPALIVE_TIMER: &str = "02:";
    let table = fs::read_to_string("/proc/net/tcp")?;
    let row = row(&table, &hex(local)?, &hex(remote)?);
    Ok(row.is_some_and(|row| row.get(5).is_some_and(|timer| timer.starts_with(KEEPALIVE_TIMER))))
}

/// Whether a process has the socket with these addresses, over IPv4, open. One that was closed, and that the system still
/// brings to its end, belongs to nobody.
pub(super) fn is_open(local: SocketAddr, remote: SocketAddr) -> io::Result<bool> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    let row = row(&table, &hex(local)?, &hex(remote)?);
    Ok(row.is_some_and(|row| row.get(9).is_some_and(|inode| *inode != "0")))
}

fn row<'a>(table: &'a str, local: &str, remote: &str) -> Option<Vec<&'a str>> {
    let mut rows = table.lines().map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    rows.find(|row| row.get(1..3) == Some(&[local, remote]))
}

/// What is unacknowledged and what is unread in the socket of these addresses.
fn queues(table: &str, local: &str, remote: &str) -> Option<(u64, u64)> {
    let row = row(table, local, remote)?;
    let (sent, unread) = row.get(4)?.split_once(':')?;
    Some((u64::from_str_radix(sent, 16).ok()?, u64::from_str_radix(unread, 16).ok()?))
}

/// An address as the kernel's table writes it: the four bytes in the order of the machine.
fn hex(address: SocketAddr) -> io::Result<String> {
    let SocketAddr::V4(v4) = address else { return Err(io::ErrorKind::Unsupported.into()) };
    Ok(format!("{:08X}:{:04X}", u32::from_ne_bytes(v4.ip().octets()), v4.port()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::eventually;

    #[test]
    fn what_waits_in_a_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut near = TcpStream::connect(address).unwrap();
        let (mut far, near_address) = listener.accept().unwrap();
        near.write_all(b"three").unwrap();
        assert!(in_flight(near_address, address).unwrap() >= 5);
        far.read_exact(&mut [0; 5]).unwrap();
        eventually("all is read and acknowledged", || {
            (in_flight(near_address, address).unwrap() == 0).then_some(())
        });
    }

    #[test]
    fn of_this_very_process() {
        let pid = std::process::id();
        assert!(anonymous_memory(pid).unwrap() > 0);
        assert!(proportional_memory(pid).unwrap() > 0);
        let begun = schedule(pid).unwrap().ran;
        eventually("it has run", || (schedule(pid).unwrap().ran > begun).then_some(()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(sockets(pid).unwrap() >= 1, "{listener:?}");
    }
}
