//! The flags of these commands.

use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_proto::{CLOSE_REASON_BYTES_MAX, CloseCode};

use crate::config;
use crate::live::close_rules::{self, WrongReason};

/// Where the gateway is asked.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("place").required(true).args(["admin", "config"])))]
pub(crate) struct PlaceArgs {
    /// Address of the gateway's admin listener, such as 127.0.0.1:9090, unix:/run/tidegate/admin.sock or
    /// https://gateway.example.com:9090.
    #[arg(long, value_name = "ADDR")]
    pub(super) admin: Option<String>,
    /// File that holds the token of the admin listener.
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub(super) admin_token_file: Option<PathBuf>,
    /// The gateway's configuration file, to read the admin address and token from.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["admin", "admin_token_file"])]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
}

/// Which gateway is told, by a signal or where it is asked.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["pid", "pid_file", "admin", "config"])))]
pub(crate) struct GatewayArgs {
    /// Process id of the gateway; it is told by a signal.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
    /// File that holds the process id. The gateway writes none: it is for supervisors that do.
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Address of the gateway's admin listener, such as 127.0.0.1:9090, unix:/run/tidegate/admin.sock or
    /// https://gateway.example.com:9090. The outcome is printed here.
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// File that holds the token of the admin listener.
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_token_file: Option<PathBuf>,
    /// The gateway's configuration file, to read the admin address and token from.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArgs,
}

/// Whom to tell, and how.
pub(super) enum Recipient<'a> {
    /// By a signal to this process.
    Process(i32),
    /// By a signal to the process whose number is in this file.
    PidFile(&'a Path),
    /// By a request, which is answered.
    Place(PlaceArgs),
}

/// For an admin listener that speaks TLS.
#[derive(Debug, Clone, Args)]
pub(crate) struct TlsArgs {
    /// For https, whom to believe: authorities (PEM). Default: the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// For https, the name that its certificate must have. Default: the host of the address.
    #[arg(long, value_name = "NAME")]
    pub(super) server_name: Option<String>,
    /// For https, our own certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(super) client_cert: Option<PathBuf>,
    /// For https, its key (PEM).
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(super) client_key: Option<PathBuf>,
}

/// What is shown.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// Print everything as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// How many connections to list; those that have moved the most bytes come first.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(super) connections: u16,
}

/// Who is told, and how fast.
#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// Only WebSockets on the route with this name.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Only WebSockets from this client address or network, such as 192.0.2.0/24.
    #[arg(long, value_name = "NET")]
    client: Option<String>,
    /// Spread the closing over this time, such as 10m. Without it, as fast as drain_rate allows.
    #[arg(long, value_name = "TIME", value_parser = time)]
    window: Option<String>,
    /// Close only WebSockets that are quiet for this long at some point within the window.
    #[arg(long, value_name = "TIME", requires = "window", value_parser = time)]
    idle: Option<String>,
    #[command(flatten)]
    why: WhyArgs,
}

/// Which one is told.
#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    /// Number of the connection: "conn" in the access log and in `tidegate status`.
    #[arg(value_name = "CONN")]
    pub(super) conn: u64,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    #[command(flatten)]
    pub(super) why: WhyArgs,
}

/// What the client is told.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// Close code to send: 1000, 1001, 1008, 1011, 1012, 1013 or 3000 to 4999. Default: 1001.
    #[arg(long, value_name = "CODE", value_parser = code)]
    code: Option<u16>,
    /// Close reason to send, at most 123 bytes.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
}

impl GatewayArgs {
    pub(super) fn recipient(&self) -> Recipient<'_> {
        match (self.pid, &self.pid_file) {
            (Some(pid), _) => Recipient::Process(pid),
            (None, Some(file)) => Recipient::PidFile(file),
            (None, None) => Recipient::Place(PlaceArgs {
                admin: self.admin.clone(),
                admin_token_file: self.admin_token_file.clone(),
                config: self.config.clone(),
                tls: self.tls.clone(),
            }),
        }
    }
}

type Query = Vec<(&'static str, String)>;

impl WhyArgs {
    pub(super) fn query(&self) -> Query {
        let code = self.code.map(|code| ("code", code.to_string()));
        code.into_iter().chain(self.reason.clone().map(|reason| ("reason", reason))).collect()
    }
}

impl DrainArgs {
    pub(super) fn query(&self) -> Query {
        let texts = [
            ("route", &self.route),
            ("client", &self.client),
            ("window", &self.window),
            ("idle", &self.idle),
        ];
        let given = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        given.chain(self.why.query()).collect()
    }
}

// What the admin listener would refuse is judged here as well: with the flag's name, and before anybody is asked.

/// A duration, as it was written.
fn time(text: &str) -> Result<String, String> {
    match config::duration(text) {
        Ok(time) if time <= close_rules::WINDOW_MAX => Ok(text.to_owned()),
        Ok(_) => Err("write at most 24h".to_owned()),
        Err(fault) => Err(fault),
    }
}

fn code(text: &str) -> Result<u16, String> {
    let code = text.parse().ok().and_then(close_rules::code);
    code.map(CloseCode::get).ok_or_else(|| format!("write {}", close_rules::CODES))
}

fn reason(text: &str) -> Result<String, String> {
    match close_rules::check_reason(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(WrongReason::TooLong) => {
            Err(format!("it has {} bytes; write at most {CLOSE_REASON_BYTES_MAX}", text.len()))
        }
        Err(WrongReason::Unprintable) => Err("write nothing unprintable".to_owned()),
    }
}
