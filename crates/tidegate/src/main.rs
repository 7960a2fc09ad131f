//! The tidegate binary.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Thousands of quiet connections are thousands of small pieces, some of which begin at a multiple of 128: glibc's allocator
/// puts a fifth more around them (docs/decisions/speed.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    tidegate::cli::run()
}
