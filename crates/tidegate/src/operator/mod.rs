//! What an operator says to a gateway that runs: `tidegate status`, `drain`, `close`, `reload`, `upgrade`.

mod args;
mod client;
mod process;
mod reload;
mod status;
mod upgrade;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub(crate) use self::args::{CloseArgs, DrainArgs, GatewayArgs, StatusArgs};
use self::client::Client;
pub(crate) use self::reload::reload;
pub(crate) use self::upgrade::{UpgradeArgs, upgrade};
use crate::shown::is_shown;
use crate::{clock, date};

/// Prints how it is.
pub(crate) fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.place)?;
    let ask = |target: &str| client.ask(&Method::GET, target);
    let status = ask("/status")?;
    ensure!(status["version"].is_string(), "what answers there is no admin listener of tidegate");
    let routes = ask("/routes")?;
    let top = ask(&format!("/connections?sort=bytes&limit={}", args.connections))?;
    let text = if args.json {
        let whole = serde_json::json!({
            "status": status,
            "routes": routes["routes"],
            "connections": top["connections"],
        });
        format!("{}\n", serde_json::to_string_pretty(&whole)?)
    } else {
        status::text(&status, &routes, &top)
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Tells WebSockets to close, spread over a time.
pub(crate) fn drain(args: &DrainArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.place)?;
    let answer = client.ask(&Method::POST, &with_query("/drain", &args.query()))?;
    told(&answer)
}

/// Tells one of them.
pub(crate) fn close(args: &CloseArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.place)?;
    let path = format!("/connections/{}", args.conn);
    told(&client.ask(&Method::DELETE, &with_query(&path, &args.why.query()))?)
}

fn told(answer: &Value) -> anyhow::Result<ExitCode> {
    let told = answer["told"].as_u64().context("the gateway does not say how many it has told")?;
    let noun = if told == 1 { "WebSocket was" } else { "WebSockets were" };
    let over = Duration::from_secs(answer["over_seconds"].as_u64().unwrap_or(0));
    let spread = if told == 0 || over.is_zero() {
        String::new()
    } else {
        let last = clock::wall().checked_add(over).and_then(date::minute);
        let last = last.map(|at| format!(" ({at} UTC)")).unwrap_or_default();
        format!(", one after another, the last in {}{last}", humantime::format_duration(over))
    };
    writeln!(std::io::stdout(), "{told} {noun} told to close{spread}")?;
    Ok(ExitCode::SUCCESS)
}

/// Without what a terminal obeys: names and messages may hold anything.
fn shown(text: &str) -> String {
    text.chars().filter(|c| is_shown(*c) || *c == '\n').collect()
}

fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
