//! Why there is no WebSocket.

use std::io;
use std::time::Duration;

use tidegate_proto::handshake::ResponseViolation;

use super::head::HeadError;
use super::mistake::ProxyError;
use super::place::RedirectError;
use crate::certificate::{explained, is_plain, is_unknown_issuer};

/// Why a WebSocket could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The name does not resolve, or no address takes the connection.
    #[error("cannot reach {to}: {error}")]
    Unreachable {
        /// Server or proxy.
        to: String,
        /// What the system says.
        error: io::Error,
    },
    /// A step took too long.
    #[error("{step} took longer than {} ({flag})", humantime::format_duration(*limit))]
    TooLong {
        /// Which step.
        step: &'static str,
        /// How long it may take.
        limit: Duration,
        /// What changes that.
        flag: &'static str,
    },
    /// The environment names a proxy that cannot be used.
    #[error("the environment names a proxy that cannot be used: {0}; mend it, or give --no-proxy")]
    Proxy(#[from] ProxyError),
    /// The SOCKS5 proxy refused, or is none.
    #[error("the proxy does not connect us: {0}")]
    Socks(tokio_socks::Error),
    /// The HTTP proxy did not answer the CONNECT as HTTP.
    #[error("the proxy {0}")]
    ProxyHead(#[source] HeadError),
    /// The HTTP proxy answered the CONNECT with something else than success.
    #[error("the proxy refuses to connect us: status {0}{advice}", advice = proxy_advice(*.0))]
    ProxyRefused(u16),
    /// The proxy sent bytes before any of ours had reached the server.
    #[error("the proxy sent something before the server could")]
    ProxyAhead,
    /// No TLS with the server.
    #[error("no TLS with the server: {}{advice}", explained(error), advice = tls_advice(error))]
    Tls {
        /// What is wrong with it.
        error: io::Error,
    },
    /// The request could not be sent.
    #[error("the server broke the connection while it was asked: {0}")]
    Send(#[source] io::Error),
    /// The server did not answer as HTTP.
    #[error("the server {0}")]
    Head(#[source] HeadError),
    /// The server answered, but not with 101.
    #[error("the server answered with status {status} and not 101{advice}")]
    Refused {
        /// The status.
        status: u16,
        /// What it means and what to do; begins with a colon, or is empty.
        advice: String,
    },
    /// A redirect that is not followed.
    #[error("the server redirects with status {status}, which {error}")]
    Redirect {
        /// The status.
        status: u16,
        /// Why it is not followed.
        error: RedirectError,
    },
    /// More redirects than are followed.
    #[error("the server redirects more than {0} times")]
    RedirectedTooOften(usize),
    /// A redirect to another server, to which a client certificate would be shown.
    #[error(
        "the server redirects to another one, {0}, which is not shown our client certificate; name it as the URL"
    )]
    RedirectedWithCertificate(String),
    /// It answered 101, but not to what was asked.
    #[error("the server does not open the WebSocket that was asked for: {0}")]
    Violation(#[from] ResponseViolation),
}

impl Failure {
    /// Whether the same would come of another try a little later.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TooLong { .. }
            | Self::Socks(_)
            | Self::ProxyHead(_)
            | Self::ProxyAhead
            | Self::Send(_)
            | Self::Head(_) => false,
            Self::ProxyRefused(status) | Self::Refused { status, .. } => !may_pass(*status),
            Self::Tls { error } => is_certificate(error),
            Self::Proxy(_)
            | Self::Redirect { .. }
            | Self::RedirectedTooOften(_)
            | Self::RedirectedWithCertificate(_)
            | Self::Violation(_) => true,
        }
    }

    /// Whether the server itself has said no, and not the way to it.
    pub(super) const fn is_refusal(&self) -> bool {
        match self {
            Self::Head(error) => !matches!(error, HeadError::Ended | HeadError::Broken(_)),
            Self::Refused { .. }
            | Self::Redirect { .. }
            | Self::RedirectedTooOften(_)
            | Self::RedirectedWithCertificate(_)
            | Self::Violation(_) => true,
            Self::Unreachable { .. }
            | Self::TooLong { .. }
            | Self::Proxy(_)
            | Self::Socks(_)
            | Self::ProxyHead(_)
            | Self::ProxyRefused(_)
            | Self::ProxyAhead
            | Self::Tls { .. }
            | Self::Send(_) => false,
        }
    }
}

/// Statuses that tell of a passing state: a time-out, too many requests, a server that is not there just now.
const fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

const fn proxy_advice(status: u16) -> &'static str {
    match status {
        407 => "; it wants credentials: give --proxy-user and --proxy-password-file",
        403 => "; it does not allow this host or port",
        _ => "",
    }
}

/// Whether it is the server's certificate that is not believed.
fn is_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

fn tls_advice(error: &io::Error) -> &'static str {
    if is_unknown_issuer(error) {
        "; name its authority with --ca FILE if it is your own (--insecure trusts anybody)"
    } else if is_plain(error) {
        "; write ws:// in place of wss:// if it is to be without"
    } else {
        ""
    }
}
