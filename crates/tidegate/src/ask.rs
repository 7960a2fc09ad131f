//! Asks another server one question: HTTP with one connection each, the answer bounded, redirects left to the caller; and
//! how many questions there may be at once, in whatever protocol.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::names;

/// Bytes of a response head, and of the body behind it.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Header fields of a response.
const FIELDS_MAX: usize = 128;

/// A client that keeps no connection: the next question may come from another thread.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// Why there is no answer. Of the URL it has host and port alone: a token may stand behind them, and a password before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the server that is asked, {0}, cannot be reached")]
    Connect(Box<str>),
    #[error("the server that is asked, {0}, answers with no HTTP")]
    Http(Box<str>),
    #[error("the answer is longer than 64 KiB, or broken off")]
    Body,
}

/// The questions of one route that are under way, to a server, a disk or whoever compares passwords. Whoever asks has a
/// place among the handshakes of the whole gateway: what answers nobody must not come to hold them all.
#[derive(Debug)]
pub(crate) struct Questions {
    places: Semaphore,
    max: usize,
}

/// As many questions of the route as `max_pending` says wait for their answer already: 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is asked has not answered {0} others yet")]
pub(crate) struct TooManyPending(usize);

impl Questions {
    /// At most `max` at once.
    pub(crate) fn new(max: usize) -> Self {
        Self { places: Semaphore::new(max.min(Semaphore::MAX_PERMITS)), max }
    }

    /// Counts one until what is returned is dropped.
    pub(crate) fn begin(&self) -> Result<SemaphorePermit<'_>, TooManyPending> {
        self.places.try_acquire().map_err(|_all_taken| TooManyPending(self.max))
    }
}

impl Asker {
    /// A client that believes the system's certificate authorities.
    pub(crate) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider's cipher suites serve TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .http1_max_buf_size(ANSWER_BYTES_MAX)
            .http1_max_headers(FIELDS_MAX)
            .build(connector);
        Self { client }
    }

    /// Asks, and reads the whole answer. The caller bounds the time.
    pub(crate) async fn ask(
        &self,
        question: http::Request<Empty<Bytes>>,
    ) -> Result<Response<Bytes>, AskError> {
        let uri = question.uri().clone();
        // The client's own resolver gives each question a thread, which stays behind where a server of names hangs.
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        names::addresses(host, 0).await.map_err(|_unresolved| AskError::Connect(server(&uri)))?;
        let answer = self.client.request(question).await.map_err(|error| {
            tracing::debug!(error = %error_chain(&error), "asking another server failed");
            let server = server(&uri);
            if error.is_connect() { AskError::Connect(server) } else { AskError::Http(server) }
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|_| AskError::Body)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

fn server(uri: &http::Uri) -> Box<str> {
    let host = uri.host().unwrap_or_default();
    uri.port().map_or_else(|| host.into(), |port| format!("{host}:{port}").into())
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
