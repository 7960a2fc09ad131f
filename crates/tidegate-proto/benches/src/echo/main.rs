//! Echo servers: the CPU time that a message costs one made of this crate, and those of the others. See README.md.

mod load;
mod process;
mod servers;

use load::{Load, Payload};
use process::Server;
use servers::{Deflate, NAMES};
use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

pub type Failure = Box<dyn Error + Send + Sync>;

/// One row: what each of the connections says, and how many of it before it waits for answers.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    payload: Payload,
    in_flight: usize,
    deflate: Option<Deflate>,
    /// Messages in one turn of one server.
    messages: usize,
}

const ROWS: [Row; 8] = [
    plain("128 B", 1, 60_000),
    plain("128 B, 16 in flight", 16, 480_000),
    deflate("deflate 128 B", 128, 16, Deflate::Fresh),
    deflate("deflate 1 KiB", 1 << 10, 16, Deflate::Fresh),
    deflate("deflate 16 KiB", 16 << 10, 1, Deflate::Fresh),
    deflate("deflate 128 B, takeover", 128, 16, Deflate::Takeover),
    deflate("deflate 1 KiB, takeover", 1 << 10, 16, Deflate::Takeover),
    deflate("deflate 16 KiB, takeover", 16 << 10, 1, Deflate::Takeover),
];

const fn plain(name: &'static str, in_flight: usize, messages: usize) -> Row {
    Row { name, payload: Payload { len: 128, text: false }, in_flight, deflate: None, messages }
}

const fn deflate(name: &'static str, len: usize, in_flight: usize, context: Deflate) -> Row {
    let messages = if len < 4096 { 16_000 } else { 3_000 };
    Row { name, payload: Payload { len, text: true }, in_flight, deflate: Some(context), messages }
}

const USAGE: &str = "Usage: echo [ROUNDS [ROW]]
Medians over ROUNDS (9) in which the servers take turns, of all rows or of those whose name begins with ROW.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match *arguments {
        ["--serve", name, setting] => process::serve(name, setting),
        [] => table(9, ""),
        [rounds] | [rounds, ""] => rounds.parse().map_or(Err(USAGE.into()), |rounds| table(rounds, "")),
        [rounds, row] => rounds.parse().map_or(Err(USAGE.into()), |rounds| table(rounds, row)),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table(rounds: usize, prefix: &str) -> Result<(), Failure> {
    process::pin(process::LOAD_CORE)?;
    let mut out = io::stdout().lock();
    writeln!(out, "| µs of CPU per message (× tidegate-proto) | {} |", NAMES.join(" | "))?;
    writeln!(out, "|---{}|", "|---:".repeat(NAMES.len()))?;
    for row in ROWS.into_iter().filter(|row| row.name.starts_with(prefix)) {
        let cells = measure(row, rounds)?;
        let ours = cells[0].as_ref().map(|cell| cell.micros);
        write!(out, "| {} |", row.name)?;
        for cell in &cells {
            match (cell, ours) {
                (Some(cell), Some(ours)) => {
                    write!(out, " {:.2} ({:.2})", cell.micros, cell.micros / ours)?;
                    if row.deflate.is_some() {
                        write!(out, ", {:.0} B, {:.1} KiB", cell.reply_bytes, cell.kib_per_connection)?;
                    }
                    write!(out, " |")?;
                }
                _ => write!(out, " – |")?,
            }
        }
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

/// What one server costs in one row.
struct Cell {
    micros: f64,
    /// Payload bytes of an answer on the wire, on average.
    reply_bytes: f64,
    /// Memory of a connection that was busy just now.
    kib_per_connection: f64,
}

/// Each server's median over rounds in which they take turns. All of them run all the time; who is not asked sleeps.
fn measure(row: Row, rounds: usize) -> Result<[Option<Cell>; NAMES.len()], Failure> {
    let mut subjects = Vec::new();
    for name in NAMES {
        let takes_part = servers::takes_part(name, row.deflate);
        subjects.push(takes_part.then(|| Server::start(name, row.deflate)).transpose()?);
    }
    let mut turns: [Vec<Cell>; NAMES.len()] = Default::default();
    for _ in 0..rounds {
        for (server, turns) in subjects.iter().zip(&mut turns) {
            if let Some(server) = server {
                turns.push(turn(server, row)?);
            }
        }
    }
    Ok(turns.map(|mut turns| {
        // Later turns begin with memory that earlier ones have left.
        let kib_per_connection = turns.first()?.kib_per_connection;
        turns.sort_by(|one, other| one.micros.total_cmp(&other.micros));
        let median = turns.swap_remove(turns.len() / 2);
        Some(Cell { kib_per_connection, ..median })
    }))
}

/// With connections of its own, so that nobody pings a client that waits for its turn.
fn turn(server: &Server, row: Row) -> Result<Cell, Failure> {
    let empty = server.memory()?;
    let mut load = Load::open(server.port, row.payload, row.in_flight, row.deflate)?;
    load.run(row.messages / 10)?; // what is allocated once
    let before = server.cpu()?;
    let messages = load.run(row.messages)?;
    Ok(Cell {
        micros: (server.cpu()? - before) as f64 / 1000.0 / messages as f64,
        reply_bytes: load.reply_bytes(),
        kib_per_connection: server.memory()?.saturating_sub(empty) as f64 / 1024.0 / load::CONNECTIONS as f64,
    })
}
