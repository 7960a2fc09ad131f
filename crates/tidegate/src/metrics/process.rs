//! The process as the system sees it.

use std::fs;
use std::num::NonZeroU64;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What `/proc` says. `None` is what it does not say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Process {
    /// Seconds on a processor.
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) open_descriptors: Option<u64>,
    pub(crate) max_descriptors: Option<u64>,
    /// Seconds since the epoch.
    pub(crate) start: Option<f64>,
}

impl Process {
    /// Looks. Reads files of the system, and where it is older than Linux 6.2, one entry for each descriptor.
    pub(crate) fn look() -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        let with_limit = Self { open_descriptors: descriptors(), max_descriptors: limit, ..Self::default() };
        fs::read_to_string("/proc/self/stat").map_or(with_limit, |stat| with_limit.with_stat(&stat))
    }

    /// Reads `proc_pid_stat(5)`: fields are counted behind the name, which may hold anything.
    fn with_stat(self, stat: &str) -> Self {
        let Some((_, behind_name)) = stat.rsplit_once(')') else { return self };
        let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
        // The first field behind the name is the third of the manual.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = clock_ticks_per_second() as f64;
        let seconds = |ticks_taken: u64| ticks_taken as f64 / ticks;
        Self {
            cpu_seconds: field(14).zip(field(15)).map(|(user, system)| seconds(user + system)),
            threads: field(20),
            start: field(22).zip(boot_time()).map(|(since_boot, boot)| boot as f64 + seconds(since_boot)),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * page_size() as u64),
            ..self
        }
    }
}

fn descriptors() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    let told = fs::metadata(FOLDER).ok().and_then(|folder| NonZeroU64::new(folder.len()));
    told.map(NonZeroU64::get).or_else(|| Some(fs::read_dir(FOLDER).ok()?.count() as u64))
}

/// Seconds since the epoch.
fn boot_time() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_everything_in_it_does_not_shift_the_fields() {
        let stat = "7 (a) b (c 1 2) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 8192000 10 18446744073709551615\n";
        let process = Process::default().with_stat(stat);
        assert_eq!(process.threads, Some(3));
        assert_eq!(process.cpu_seconds, Some(300.0 / clock_ticks_per_second() as f64));
        assert_eq!(process.virtual_bytes, Some(8_192_000));
        assert_eq!(process.resident_bytes, Some(10 * page_size() as u64));
    }

    #[test]
    fn this_process_has_memory_descriptors_and_a_past() {
        let process = Process::look();
        assert!(process.resident_bytes.unwrap() > 1 << 20);
        assert!(process.open_descriptors.unwrap() >= 3);
        assert!(process.start.unwrap() > 1.6e9);
    }
}
