//! The options of websockify's command line: their names, what they take, and their defaults there.
//!
//! As there, options and positional arguments may be mixed, the beginning of a long option's name is enough where no
//! other begins so, and of an option that is given twice the last one counts.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::{Args as _, Command, FromArgMatches as _, ValueEnum};

/// Serve as websockify does: its command line, with the gateway behind it.
#[derive(Debug, Clone, clap::Args)]
#[command(
    infer_long_args = true,
    args_override_self = true,
    override_usage = USAGE,
    after_help = AFTER_HELP
)]
pub(crate) struct Args {
    /// Log what is decided about each connection.
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Print a symbol for each read and write of a connection.
    #[arg(long)]
    pub(super) traffic: bool,
    /// Record each WebSocket to FILE.<number>.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) record: Option<PathBuf>,
    /// Go to the background, once it listens.
    #[arg(short = 'D', long)]
    pub(super) daemon: bool,
    /// End with the first WebSocket.
    #[arg(long)]
    pub(super) run_once: bool,
    /// Accept no more connections this many seconds after the start; 0 is never.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds())]
    pub(super) timeout: u32,
    /// End after this many seconds without a connection; 0 is never.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds())]
    pub(super) idle_timeout: u32,
    /// Certificate chain (PEM), which may contain the key. Without this file there is no TLS.
    #[arg(long, value_name = "FILE", default_value = CERT_DEFAULT, allow_hyphen_values = true)]
    pub(super) cert: PathBuf,
    /// Private key (PEM), if the certificate's file does not contain it.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) key: Option<PathBuf>,
    /// Password of the private key. Every user can read it in the list of processes.
    #[arg(long, value_name = "PASSWORD", allow_hyphen_values = true)]
    pub(super) key_password: Option<String>,
    /// Refuse connections without TLS.
    #[arg(long)]
    pub(super) ssl_only: bool,
    /// Connect to the target with TLS, and verify its certificate.
    #[arg(long)]
    pub(super) ssl_target: bool,
    /// Demand a certificate of each client.
    #[arg(long)]
    pub(super) verify_client: bool,
    /// Authorities of clients' certificates (PEM). Default: the system's.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) cafile: Option<PathBuf>,
    /// The lowest version of TLS.
    #[arg(long, value_name = "VERSION", value_enum, default_value = "default")]
    pub(super) ssl_version: SslVersion,
    /// Ciphers, as OpenSSL names them. Taken and not used: all that are offered are strong.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub(super) ssl_ciphers: Option<String>,
    /// Listen on a Unix socket.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) unix_listen: Option<PathBuf>,
    /// Permissions of that socket, octal.
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = mode)]
    pub(super) unix_listen_mode: u32,
    /// Connect to a Unix socket.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) unix_target: Option<PathBuf>,
    /// Standard input is the socket to listen on.
    #[arg(long)]
    pub(super) inetd: bool,
    /// Serve the files of this folder on the same port.
    #[arg(long, value_name = "DIR", allow_hyphen_values = true)]
    pub(super) web: Option<PathBuf>,
    /// Ask for authentication before serving files, too.
    #[arg(long)]
    pub(super) web_auth: bool,
    /// List no folders.
    #[arg(long)]
    pub(super) file_only: bool,
    /// What to do when the wrapped command ends.
    #[arg(long, value_name = "MODE", value_enum, default_value = "exit")]
    pub(super) wrap_mode: WrapMode,
    /// Listen on IPv6 where both are possible.
    #[arg(short = '6', long)]
    pub(super) prefer_ipv6: bool,
    /// Taken and not used: it chooses an engine of websockify's.
    #[arg(long)]
    pub(super) libserver: bool,
    /// The same as --token-plugin TokenFile --token-source FILE.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) target_config: Option<PathBuf>,
    /// How a token is turned into a target.
    #[arg(long, value_name = "CLASS", allow_hyphen_values = true)]
    pub(super) token_plugin: Option<String>,
    /// Where the token plugin looks.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(super) token_source: Option<String>,
    /// The token is the host that was asked for, not the query's parameter `token`.
    #[arg(long)]
    pub(super) host_token: bool,
    /// How clients are authenticated.
    #[arg(long, value_name = "CLASS", allow_hyphen_values = true)]
    pub(super) auth_plugin: Option<String>,
    /// What the auth plugin is told.
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(super) auth_source: Option<String>,
    /// Ping clients this often; 0 is never.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = seconds())]
    pub(super) heartbeat: u32,
    /// Log to this file as well.
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    pub(super) log_file: Option<PathBuf>,
    /// Log to syslog as well: a Unix socket, or HOST:PORT over UDP.
    #[arg(long, value_name = "SERVER", allow_hyphen_values = true)]
    pub(super) syslog: Option<String>,
    /// In the form of RFC 3164, without its time and host.
    #[arg(long)]
    pub(super) legacy_syslog: bool,
    /// [ADDR:]PORT to listen on, then TARGET_ADDR:TARGET_PORT, or the command behind --.
    #[arg(value_name = "ARG", hide = true)]
    pub(super) positional: Vec<String>,
}

/// `--ssl-version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SslVersion {
    Default,
    #[value(name = "tlsv1_1")]
    Tls11,
    #[value(name = "tlsv1_2")]
    Tls12,
    #[value(name = "tlsv1_3")]
    Tls13,
}

/// `--wrap-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WrapMode {
    /// End with its status.
    Exit,
    /// Carry on.
    Ignore,
    /// Start it again.
    Respawn,
}

impl Args {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// What is wrong with them, or the help that they ask for.
    pub(crate) fn read<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Self, clap::Error> {
        let name = OsStr::new(PROGRAM).to_owned();
        let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned());
        let matches = command().try_get_matches_from([name].into_iter().chain(arguments))?;
        Self::from_arg_matches(&matches)
    }
}

/// As a program of its own.
pub(super) fn command() -> Command {
    Args::augment_args(Command::new(PROGRAM).version(env!("CARGO_PKG_VERSION")))
}

fn seconds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(..=SECONDS_MAX)
}

/// Octal permissions, with or without a zero in front.
fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8);
    mode.ok().filter(|mode| *mode <= 0o777).ok_or_else(|| "write octal permissions up to 0777".to_owned())
}

/// A year: more is a slip of the finger.
const SECONDS_MAX: i64 = 366 * 24 * 60 * 60;

/// Where a certificate is looked for if none is named; it need not be there.
pub(super) const CERT_DEFAULT: &str = "self.pem";

/// The name that this program is started by when it is to behave like this.
pub(super) const PROGRAM: &str = "websockify";

const USAGE: &str = "\
websockify [options] [ADDR:]PORT TARGET_ADDR:TARGET_PORT
       websockify [options] --token-plugin CLASS --token-source ARG [ADDR:]PORT
       websockify [options] --unix-target FILE [ADDR:]PORT
       websockify [options] [ADDR:]PORT -- COMMAND [ARG]...
       websockify [options] --unix-listen FILE TARGET_ADDR:TARGET_PORT
       websockify [options] --inetd TARGET_ADDR:TARGET_PORT";

const AFTER_HELP: &str = "\
A wrapped COMMAND is told by {port} in its arguments, and by PORT and TIDEGATE_PORT in its environment, on which port
of 127.0.0.1 it must listen: nothing is preloaded into it.

`tidegate import websockify -- ARGS...` prints the configuration file that serves the same.";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Args {
        Args::read(line.split_whitespace()).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn options_stand_anywhere_in_any_form() {
        for line in [
            "--log-file=a.log 6080 host:5900 --web . -vD6",
            "6080 --log a.log -v host:5900 -D --web=. --prefer",
            "-6Dv --web . --log a.log -- 6080 host:5900",
        ] {
            let args = read(line);
            assert_eq!(args.positional, ["6080", "host:5900"], "{line}");
            assert_eq!(args.log_file, Some("a.log".into()), "{line}");
            assert_eq!(args.web, Some(".".into()), "{line}");
            assert!(args.verbose && args.daemon && args.prefer_ipv6, "{line}");
        }
    }

    #[test]
    fn the_last_of_two_counts_and_a_value_may_look_like_an_option() {
        assert_eq!(read("--timeout 1 --timeout=2 1 a:1").timeout, 2);
        assert_eq!(read("--auth-source -x 1 a:1").auth_source.as_deref(), Some("-x"));
        assert_eq!(read("--unix-listen-mode 0660 a:1").unix_listen_mode, 0o660);
        assert_eq!(read("--unix-listen-mode 600 a:1").unix_listen_mode, 0o600);
    }

    #[test]
    fn what_is_no_option_is_a_usage_error() {
        for line in [
            "--nonsense 1 a:1",
            "--ssl 1 a:1",
            "--timeout x 1 a:1",
            "--timeout -1 1 a:1",
            "--wrap-mode never 1 a:1",
            "--unix-listen-mode 0999 a:1",
            "--unix-listen-mode 4755 a:1",
            "--web",
        ] {
            let error = Args::read(line.split_whitespace()).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
