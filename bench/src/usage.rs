//! What a process and all its descendants have used.

use std::collections::HashMap;
use std::fs;

use anyhow::Context as _;

/// Nanoseconds on a processor, of every thread of the tree. A child that has ended counts through its parent, in the
/// 10 ms steps in which the kernel tells that.
pub(crate) fn cpu(root: u32) -> anyhow::Result<u64> {
    let mut total = 0;
    for pid in tree(root)? {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let Ok(times) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            total += times.split(' ').next().context("schedstat is empty")?.parse::<u64>()?;
        }
        total += ended_children(pid).unwrap_or(0);
    }
    Ok(total)
}

/// Bytes of user memory, of every process of the tree; what is shared counts by share.
pub(crate) fn memory(root: u32) -> anyhow::Result<u64> {
    let mut kib = 0;
    for pid in tree(root)? {
        let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else { continue };
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss in smaps")?;
        kib += line.trim().trim_end_matches(" kB").parse::<u64>()?;
    }
    Ok(kib * 1024)
}

/// The process and its descendants.
fn tree(root: u32) -> anyhow::Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(pid) = tree.get(at) {
        tree.extend(children.get(pid).into_iter().flatten().copied().collect::<Vec<_>>());
        at += 1;
    }
    Ok(tree)
}

fn ended_children(pid: u32) -> Option<u64> {
    const TICK: u64 = 10_000_000;
    let fields = stat(pid)?;
    let [user, system] = [13, 14].map(|field: usize| fields.get(field)?.parse::<u64>().ok());
    Some((user? + system?) * TICK)
}

/// The fields of `/proc/PID/stat` behind the name, which may contain anything: state, parent, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}
