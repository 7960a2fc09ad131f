//! The flags of `tidegate connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::listen::ListenAt;
use crate::config;

/// Everything on the command line, read but not yet held against each other.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Where local connections come in: tcp://HOST:PORT, unix:PATH, or stdio: for standard input and output.
    #[arg(value_name = "LISTEN")]
    pub(super) listen: ListenAt,
    /// WebSocket URL that each local connection is forwarded to: ws:// or wss://.
    #[arg(value_name = "URL", required_unless_present = "desc", conflicts_with = "desc")]
    pub(super) url: Option<String>,
    /// Take the URL from an rpc-frmwrk object description (…desc.json), and offer its subprotocol, chat.
    #[arg(long, value_name = "FILE")]
    pub(super) desc: Option<PathBuf>,
    /// Use the object with this ObjectName. Default: the first object with EnableWS.
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

    /// Maximum number of local connections at once, 1 to 65536; further ones wait.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(super) max_connections: u32,
}

/// What the server is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(super) struct RequestArgs {
    /// Subprotocol to offer; may be repeated, in order of preference. Default: none; with --desc, chat.
    #[arg(long, value_name = "NAME")]
    pub(super) subprotocol: Vec<String>,
    /// Send this Origin header, as a browser would.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) origin: Option<String>,
    /// Send an additional header, 'NAME: VALUE'; may be repeated. @FILE reads one header from each line of a file.
    #[arg(long, value_name = "FIELD")]
    pub(super) header: Vec<String>,
    /// Log in with this user name; the password comes from --password-file or the environment variable TIDEGATE_PASSWORD.
    #[arg(long, value_name = "NAME", conflicts_with = "bearer_file")]
    pub(super) user: Option<String>,
    /// File that holds the password, in one line.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(super) password_file: Option<PathBuf>,
    /// Log in with the bearer token in this file, or in the environment variable TIDEGATE_BEARER.
    #[arg(long, value_name = "FILE")]
    pub(super) bearer_file: Option<PathBuf>,
    /// Follow up to 5 redirects, but never from wss:// to ws://. Credentials and --header fields are only sent to their own server.
    #[arg(long)]
    pub(super) follow: bool,
}

/// Whom to believe, and who we are.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// Trust the certificate authorities in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(super) ca: Option<PathBuf>,
    /// Do not verify the server's certificate: anybody between here and the server can read and change everything.
    #[arg(long)]
    pub(super) insecure: bool,
    /// Client certificate (a PEM chain) for servers that ask for one.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// Private key (PEM) of the client certificate.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
}

/// How to get there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct WayArgs {
    /// Connect to this host and port instead. The Host header and the expected certificate name still come from the URL.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) connect_to: Option<String>,
    /// Use this proxy: http://HOST:PORT (CONNECT) or socks5://HOST:PORT. Default: what the environment variables
    /// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say.
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,
    /// Use no proxy, whatever the environment says.
    #[arg(long, conflicts_with = "proxy")]
    pub(super) no_proxy: bool,
    /// User name for the proxy; the password comes from --proxy-password-file or TIDEGATE_PROXY_PASSWORD.
    #[arg(long, value_name = "NAME", requires = "proxy")]
    pub(super) proxy_user: Option<String>,
    /// File that holds the proxy's password, in one line.
    #[arg(long, value_name = "FILE", requires = "proxy_user")]
    pub(super) proxy_password_file: Option<PathBuf>,
    /// Retry failed attempts for as long as --connect-timeout allows, after a random delay that doubles each time. Without
    /// it there is one attempt for each local connection.
    #[arg(long)]
    pub(super) reconnect: bool,
    /// Upper bound of the first delay, 1ms to 1h.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(super) reconnect_first: Duration,
    /// Upper bound of every delay, 1ms to 1h.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(super) reconnect_max: Duration,
}

/// What the bytes travel in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Frames")]
pub(super) struct FrameArgs {
    /// Send text messages instead of binary ones. The local side has to send UTF-8.
    #[arg(long)]
    pub(super) text: bool,
    /// Largest payload of a frame that is sent, 16 bytes to --max-frame. Default: 63KiB, or --max-frame if that is less.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) chunk: Option<u64>,
    /// Largest payload of a frame, sent or received, up to 1GiB. Receiving a larger one ends the connection with 1009.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = size)]
    pub(super) max_frame: u64,
    /// When the local side ends, end the TCP direction without a Close frame, as rpc-frmwrk does. The server may go on
    /// sending.
    #[arg(long)]
    pub(super) no_close: bool,
    /// Interval between pings to the server, 1ms to 24h. Default: no pings.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) ping_interval: Option<Duration>,
}

/// Every wait has an end. Times are from 1ms to 24h.
#[derive(Debug, Args)]
#[command(next_help_heading = "Times")]
pub(super) struct TimeArgs {
    /// How long a local connection waits for its WebSocket, all attempts together, before it is refused.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(super) connect_timeout: Duration,
    /// Time for resolving the name and connecting over TCP.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) dial_timeout: Duration,
    /// Time for the proxy's answer.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) proxy_timeout: Duration,
    /// Time for the TLS handshake, and again for the opening handshake.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) handshake_timeout: Duration,
    /// Time for the server to answer a ping; only with --ping-interval.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    pub(super) ping_timeout: Duration,
    /// End a connection after this time without data in either direction. Default: never.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) idle_timeout: Option<Duration>,
    /// End a connection if the server accepts no data for this time.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(super) stall_timeout: Duration,
    /// Time for the server to answer a Close, and again to end TCP.
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
