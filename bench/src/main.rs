//! What `bench/run` measures with: a load with built-in backends, and two relays that mark what is possible.

mod load;
mod relay;
mod usage;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Opens WebSockets, serves the backend behind them in the same thread, and prints what was measured as JSON.
    Load(load::Args),
    /// Copies bytes between sockets and knows nothing of them.
    Relay {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        to: SocketAddr,
        /// Through a pipe, without the bytes entering user space.
        #[arg(long)]
        splice: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Load(args) => load::run(&args),
        Command::Relay { listen, to, splice } => relay::run(listen, to, splice),
    }
}
