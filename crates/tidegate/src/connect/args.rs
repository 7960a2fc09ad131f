//! The flags of `tidegate connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::listen::ListenAt;
use crate::config;

/// Everything on the command line, read but not yet held against each other.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConnectArgs {
    /// Where local connections come in: tcp://HOST:PORT, unix:PATH, or stdio: for standard input and output.
    #[arg(value_name = "LISTEN")]
    pub(super) listen: ListenAt,
    /// The WebSocket that each of them becomes: ws:// or wss://.
    #[arg(value_name = "URL", required_unless_present = "desc", conflicts_with = "desc")]
    pub(super) url: Option<String>,
    /// Take URL from an object description of rpc-frmwrk (…desc.json), and its subprotocol, chat.
    #[arg(long, value_name = "FILE")]
    pub(super) desc: Option<PathBuf>,
    /// Of several objects in the description, the one with this ObjectName. Else the first with EnableWS.
    #[arg(long, value_name = "NAME", requires = "desc")]
    pub(super) object: Option<String>,

    #[command(flatten)]
    pub(super) request: RequestArgs,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
    #[command(flatten)]
    pub(super) way: WayArgs,
    #[command(flatten)]
    pub(super) frames: FrameArgs,
    #[command(flatten)]
    pub(super) times: TimeArgs,

    /// Local connections at once; further ones wait. 1 to 65536.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(super) max_connections: u32,
}

/// What the server is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(super) struct RequestArgs {
    /// Offer a subprotocol; may be repeated, in order of preference. Default: none; with --desc, chat.
    #[arg(long, value_name = "NAME")]
    pub(super) subprotocol: Vec<String>,
    /// Send an Origin, as a browser would.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) origin: Option<String>,
    /// Send a further field, 'NAME: VALUE'; may be repeated. @FILE reads one from each line of a file.
    #[arg(long, value_name = "FIELD")]
    pub(super) header: Vec<String>,
    /// Log in with this name; the password is in --password-file or in the environment's TIDEGATE_PASSWORD.
    #[arg(long, value_name = "NAME", conflicts_with = "bearer_file")]
    pub(super) user: Option<String>,
    /// The file with the password, in one line.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(super) password_file: Option<PathBuf>,
    /// Log in with the token in this file, or in the environment's TIDEGATE_BEARER.
    #[arg(long, value_name = "FILE")]
    pub(super) bearer_file: Option<PathBuf>,
    /// Follow up to 5 redirects, but never from wss:// to ws://. Credentials and cookies stay with their own server.
    #[arg(long)]
    pub(super) follow: bool,
}

/// Whom to believe, and who we are.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// Believe the authorities in this PEM file, and not those of the system.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(super) ca: Option<PathBuf>,
    /// Believe anybody: whoever is on the way can read and change everything.
    #[arg(long)]
    pub(super) insecure: bool,
    /// Show this certificate (a PEM chain) to a server that asks for one.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// The private key (PEM) of the certificate.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
}

/// How to get there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Way")]
pub(super) struct WayArgs {
    /// Connect to this host and port; Host and the name that the certificate must have are still URL's.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) connect_to: Option<String>,
    /// Go through this proxy: http://HOST:PORT (CONNECT) or socks5://HOST:PORT. Default: what the environment's
    /// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say.
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,
    /// Go through no proxy, whatever the environment says.
    #[arg(long, conflicts_with = "proxy")]
    pub(super) no_proxy: bool,
    /// Log in to the proxy with this name; the password is in --proxy-password-file or in TIDEGATE_PROXY_PASSWORD.
    #[arg(long, value_name = "NAME", requires = "proxy")]
    pub(super) proxy_user: Option<String>,
    /// The file with the proxy's password, in one line.
    #[arg(long, value_name = "FILE", requires = "proxy_user")]
    pub(super) proxy_password_file: Option<PathBuf>,
    /// Repeat attempts that fail, as long as --connect-timeout allows: after a random first delay, then after twice as
    /// long each time. Without it there is one attempt for each local connection.
    #[arg(long)]
    pub(super) reconnect: bool,
    /// The first delay is between nothing and this. 1ms to 1h.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(super) reconnect_first: Duration,
    /// No delay is longer than this. 1ms to 1h.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(super) reconnect_max: Duration,
}

/// What the bytes travel in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Frames")]
pub(super) struct FrameArgs {
    /// Send text messages, which what comes in must be fit for (UTF-8). Default: binary ones.
    #[arg(long)]
    pub(super) text: bool,
    /// Payload bytes of a frame that is sent, at most; 16 to --max-frame. Default: 63KiB, or --max-frame if that is less.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) chunk: Option<u64>,
    /// Payload bytes of a frame, sent or received, at most; a larger one ends the connection with 1009. Up to 1GiB.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = size)]
    pub(super) max_frame: u64,
    /// Send no Close when the local side ends, just end TCP, as rpc-frmwrk does. The server may go on sending then.
    #[arg(long)]
    pub(super) no_close: bool,
    /// Ping the server this often. Default: never. 1ms to 24h.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) ping_interval: Option<Duration>,
}

/// Every wait has an end. Times are from 1ms to 24h.
#[derive(Debug, Args)]
#[command(next_help_heading = "Times")]
pub(super) struct TimeArgs {
    /// How long a local connection waits for its WebSocket, all attempts together; then it is refused.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(super) connect_timeout: Duration,
    /// Resolving a name and connecting over TCP.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) dial_timeout: Duration,
    /// The proxy's answer.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) proxy_timeout: Duration,
    /// The TLS handshake, and again the opening handshake.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) handshake_timeout: Duration,
    /// How long the server may take to answer a Ping; only with --ping-interval.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    pub(super) ping_timeout: Duration,
    /// End a connection on which both sides say nothing for so long. Default: never.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) idle_timeout: Option<Duration>,
    /// How long the server may take nothing of what it is sent.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(super) stall_timeout: Duration,
    /// How long the server may be silent after our Close, and take to end TCP after its own.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(super) close_timeout: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = config::duration(text)?;
    if (TIME_MIN..=TIME_MAX).contains(&time) { Ok(time) } else { Err("must be from 1ms to 24h".into()) }
}

fn size(text: &str) -> Result<u64, String> {
    config::size(text)
}

const TIME_MIN: Duration = Duration::from_millis(1);
const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const EXAMPLES: &str = "\
Examples:
  tidegate connect tcp://127.0.0.1:5900 wss://gw.example.com/vnc
      a VNC viewer on this machine reaches the desktop behind the gateway
  tidegate connect --reconnect --ping-interval 30s unix:/run/db.sock wss://gw.example.com/db
      through firewalls that forget quiet connections, and through outages
  ssh -o ProxyCommand='tidegate connect stdio: wss://gw.example.com/ssh' host
      ssh where nothing but port 443 is open
  tidegate connect --desc exampledesc.json tcp://127.0.0.1:4132
      where rpc-frmwrk's description says

Exit status with stdio: 0 closed with 1000 or 1001, 3 no connection, 4 refused by the server, 5 lost without a Close,
102 to 114 closed with 1002 to 1014, 120 with 3000 to 3999, 121 with 4000 to 4999.";
