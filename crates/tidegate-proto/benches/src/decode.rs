//! Frame decoding: this crate beside the others, and beside what the machine needs at least. See README.md.

mod measure;
mod peers;
mod wire;

use measure::Times;
use peers::{LIMITS, NAMES};
use std::io::{self, Write as _};
use std::process::{Command, ExitCode};
use wire::{Content, Row};

const READ: usize = 16 << 10;

const ROWS: [Row; 10] = [
    row("20 B", Content::Binary, 20, READ),
    row("125 B", Content::Binary, 125, READ),
    row("1 KiB", Content::Binary, 1 << 10, READ),
    row("16 KiB", Content::Binary, 16 << 10, READ),
    row("1 MiB", Content::Binary, 1 << 20, READ),
    row("1 MiB, 1 read", Content::Binary, 1 << 20, (1 << 20) + 14),
    row("125 B ASCII", Content::Ascii, 125, READ),
    row("125 B mixed", Content::Mixed, 125, READ),
    row("16 KiB ASCII", Content::Ascii, 16 << 10, READ),
    row("16 KiB mixed", Content::Mixed, 16 << 10, READ),
];

const fn row(name: &'static str, content: Content, payload_len: usize, read_len: usize) -> Row {
    Row { name, content, payload_len, read_len }
}

const USAGE: &str = "Usage: decode [PROCESSES [ROUNDS [ROW]]]
Medians over PROCESSES (5) of the medians over ROUNDS (9), of all rows or of those whose name begins with ROW.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |at: usize, default| arguments.get(at).map_or(Some(default), |text| text.parse().ok());
    let result = match (arguments.first(), number(0, 5), number(1, 9)) {
        (Some(&"--raw"), _, Some(rounds)) => raw(rounds, arguments.get(2).copied().unwrap_or_default()),
        (_, Some(processes @ 1..100), Some(rounds @ 1..1000)) => {
            table(processes, rounds, arguments.get(2).copied().unwrap_or_default())
        }
        _ => Err(io::Error::other(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn selected(prefix: &str) -> impl Iterator<Item = (usize, Row)> {
    ROWS.into_iter().enumerate().filter(move |(_, row)| row.name.starts_with(prefix))
}

/// What one process measured: a line for each row, with its index and the nanoseconds of each peer.
fn raw(rounds: usize, prefix: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (index, row) in selected(prefix) {
        write!(out, "{index}")?;
        for time in measure::row(row, rounds) {
            write!(out, " {}", time.unwrap_or(f64::NAN))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Runs the processes one after the other: where code and buffers come to lie differs from one to the next.
fn table(processes: usize, rounds: usize, prefix: &str) -> io::Result<()> {
    let mut samples: [[Vec<f64>; NAMES.len()]; ROWS.len()] = Default::default();
    for _ in 0..processes {
        let output =
            Command::new(std::env::current_exe()?).args(["--raw", &rounds.to_string(), prefix]).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut numbers = line.split(' ').map(|number| number.parse::<f64>().unwrap_or(f64::NAN));
            let Some(cells) = numbers.next().and_then(|index| samples.get_mut(index as usize)) else {
                continue;
            };
            for (cell, time) in cells.iter_mut().zip(numbers) {
                cell.extend(Some(time).filter(|time| !time.is_nan()));
            }
        }
    }
    print(prefix, &mut samples)
}

fn print(prefix: &str, samples: &mut [[Vec<f64>; NAMES.len()]; ROWS.len()]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "| ns per frame (× tidegate-proto) | {} |", NAMES.join(" | "))?;
    writeln!(out, "|---{}|", "|---:".repeat(NAMES.len()))?;
    for (index, row) in selected(prefix) {
        let times: Times = samples[index].each_mut().map(|cell| measure::median(cell));
        write!(out, "| {} |", row.name)?;
        for (column, time) in times.into_iter().enumerate() {
            match (time, times[0]) {
                (Some(time), _) if column == 0 => write!(out, " {time:.1} |")?,
                (Some(time), Some(ours)) => write!(out, " {time:.1} ({:.2}) |", time / ours)?,
                _ => write!(out, " – |")?,
            }
        }
        writeln!(out)?;
    }
    let peers = NAMES.len() - LIMITS;
    writeln!(out)?;
    for (index, row) in selected(prefix) {
        let times: Times = samples[index].each_mut().map(|cell| measure::median(cell));
        let best = times[1..peers].iter().flatten().copied().fold(f64::INFINITY, f64::min);
        let limit = times[peers..].iter().flatten().copied().fold(0.0, f64::max);
        if let Some(ours) = times[0] {
            writeln!(
                out,
                "{}: {:.2} × the best other crate, {:.2} × the limit",
                row.name,
                ours / best,
                ours / limit
            )?;
        }
    }
    Ok(())
}
