//! How much memory is taken of what the system lets the process have, and what is to be done about it.
//!
//! What counts are the limits of the control groups that the process is in: above them the kernel kills.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are mounted, of version 2 and of version 1; the first is searched in the place that hybrids have for
/// it as well.
const MOUNTED_V2: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const MOUNTED_V1: &str = "/sys/fs/cgroup/memory";

/// Groups that are looked at, from the process's own upwards.
const GROUPS_MAX: usize = 16;

/// In thousandths of the limit: from here on nobody is let in, from here on those are closed that hold the most, and from
/// here on both without any exception.
const TIGHT: u64 = 850;
const SHORT: u64 = 900;
const LAST: u64 = 950;

/// The bounds that there are.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    groups: Vec<Group>,
}

/// A control group.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    folder: PathBuf,
    files: &'static Files,
}

/// What its files are called.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// In `memory.stat`: files in memory that nobody has asked for lately. The kernel drops them before it kills.
    reclaimable: &'static str,
}

static V2: Files = Files { limit: "memory.max", usage: "memory.current", reclaimable: "inactive_file" };
static V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

/// How much is taken of one bound, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fullness {
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// No further session is let in.
    pub(crate) refuses: bool,
    /// How many bytes the sessions that have to go must hold together.
    pub(crate) let_go: u64,
}

impl Bounds {
    /// Looks which control groups the process is in. They stay the same for its whole life.
    pub(crate) fn find() -> Self {
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self { groups: groups(&membership, MOUNTED_V2.map(Path::new), Path::new(MOUNTED_V1)) }
    }

    /// The bound that is the nearest; `None` where there is none.
    pub(crate) fn nearest(&self) -> Option<Fullness> {
        self.groups.iter().filter_map(Group::fullness).max_by_key(|fullness| fullness.permille())
    }

    /// What there is at all: the least of the limits, and of what the machine has.
    pub(crate) fn memory(&self) -> u64 {
        let limits = self.groups.iter().filter_map(Group::fullness).map(|fullness| fullness.limit);
        limits.chain(memory_of_machine()).min().unwrap_or(u64::MAX)
    }
}

impl Fullness {
    /// How much of the limit is used.
    pub(crate) fn permille(self) -> u64 {
        u64::try_from(u128::from(self.used) * 1000 / u128::from(self.limit.max(1))).unwrap_or(u64::MAX)
    }

    /// Whether there is anything to judge.
    pub(crate) fn is_near(self) -> bool {
        self.permille() >= TIGHT
    }

    /// What to do, where `waiting` bytes wait for sockets to take them. They are all that can be let go; if there are few of
    /// them, nothing is done before it has to be: the memory may be the allocator's, which it uses again.
    pub(crate) fn judge(self, waiting: u64) -> Verdict {
        let many_wait = waiting >= self.limit / 20;
        let (is_tight, is_short) = match self.permille() {
            LAST.. => (true, true),
            SHORT.. => (many_wait, many_wait),
            TIGHT.. => (many_wait, false),
            _ => (false, false),
        };
        let excess = self.used.saturating_sub(self.limit / 1000 * TIGHT);
        Verdict { refuses: is_tight, let_go: if is_short { excess.min(waiting) } else { 0 } }
    }
}

impl Group {
    /// `None` where there is no limit.
    fn fullness(&self) -> Option<Fullness> {
        let number = |file| fs::read_to_string(self.folder.join(file)).ok()?.trim().parse::<u64>().ok();
        let limit = number(self.files.limit).filter(|limit| *limit < 1 << 60)?; // version 1 writes "none" as a number
        let stat = fs::read_to_string(self.folder.join("memory.stat")).unwrap_or_default();
        let reclaimable = stat.lines().find_map(|line| {
            let bytes = line.strip_prefix(self.files.reclaimable)?.strip_prefix(' ')?;
            bytes.parse::<u64>().ok()
        });
        let used = number(self.files.usage)?.saturating_sub(reclaimable.unwrap_or(0));
        Some(Fullness { used, limit })
    }
}

/// The groups that `/proc/self/cgroup` tells of, and those above them. In a container the path may be the one that the host
/// sees: what is not there is passed over, and the top of the mount is the container's own group.
fn groups(membership: &str, mounted_v2: [&Path; 2], mounted_v1: &Path) -> Vec<Group> {
    let mut groups = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mounts, files) = if controllers.is_empty() {
            (&mounted_v2[..], &V2)
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (&[mounted_v1][..], &V1)
        } else {
            continue;
        };
        for mount in mounts {
            let own = mount.join(path.trim_start_matches('/'));
            let above = own.ancestors().take_while(|folder| folder.starts_with(mount)).take(GROUPS_MAX);
            let there = above.filter(|folder| folder.join(files.limit).is_file());
            groups.extend(there.map(|folder| Group { folder: folder.to_owned(), files }));
        }
    }
    groups
}

fn memory_of_machine() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = info.strip_prefix("MemTotal:")?.split_ascii_whitespace().next()?;
    kib.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_is_done_at_which_mark() {
        let judge = |used, waiting| Fullness { used: used * MIB, limit: 1000 * MIB }.judge(waiting * MIB);
        let (nothing, refuses) = (Verdict::default(), Verdict { refuses: true, let_go: 0 });
        assert_eq!(judge(849, 500), nothing);
        assert_eq!(judge(850, 500), refuses);
        assert_eq!(judge(850, 49), nothing, "little can be let go, and there is time");
        assert_eq!(judge(949, 49), nothing);
        let Verdict { refuses: true, let_go } = judge(900, 500) else { panic!("it is tight") };
        assert!((50 * MIB..51 * MIB).contains(&let_go), "{let_go}");
        assert_eq!(judge(950, 20), Verdict { refuses: true, let_go: 20 * MIB });
        assert_eq!(judge(2000, 0), refuses);
        assert_eq!(Fullness { used: 0, limit: 0 }.judge(0), nothing);
    }

    #[test]
    fn groups_of_either_version_and_those_above() {
        let mounted = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = mounted.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let found = |membership: &str| {
            let [v2, unified, v1] = ["v2", "unified", "v1"].map(|name| mounted.path().join(name));
            Bounds { groups: groups(membership, [&v2, &unified], &v1) }
        };
        assert_eq!(found("0::/a.slice/b.service\n").nearest(), None);

        write("v2/a.slice/memory.max", "1000\n");
        write("v2/a.slice/memory.current", "700\n");
        write("v2/a.slice/memory.stat", "file 5\ninactive_file 100\n");
        write("v2/a.slice/b.service/memory.max", "max\n");
        write("v2/a.slice/b.service/memory.current", "699\n");
        let bounds = found("0::/a.slice/b.service\n");
        assert_eq!(bounds.nearest(), Some(Fullness { used: 600, limit: 1000 }));

        write("v1/memory.limit_in_bytes", "400\n");
        write("v1/memory.usage_in_bytes", "399\n");
        write("v1/memory.stat", "inactive_file 300\ntotal_inactive_file 9\n");
        let bounds = found("9:cpu:/\n4:memory,hugetlb:/only/on/the/host\n0::/a.slice\n");
        assert_eq!(bounds.nearest(), Some(Fullness { used: 390, limit: 400 }));
        write("v1/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(bounds.nearest(), Some(Fullness { used: 600, limit: 1000 }));
        assert_eq!(bounds.memory(), 1000);
        assert!((MIB..1 << 50).contains(&Bounds::default().memory()), "of the machine");
    }
}
