//! Tokens that another server knows: `http` and `json`.

use bytes::Bytes;
use http::header::LOCATION;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::LookupError;
use super::target::Target;
use crate::ask::Asker;
use crate::config::UrlTemplate;

/// What is left as it is of a token in a URL: the unreserved characters (RFC 3986 §2.3). All others would be syntax.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Redirects that are followed for one token, at most. All of them together have the time of one look-up.
const REDIRECTS_MAX: usize = 5;

/// What the server says about a token; `None` where it says 404 or the like.
pub(super) async fn look(
    asker: &Asker,
    template: &UrlTemplate,
    token: &str,
    read: fn(&[u8]) -> Option<Target>,
) -> Result<Option<Target>, LookupError> {
    // Dots would be taken for steps in the path.
    if matches!(token, "." | "..") {
        return Ok(None);
    }
    let answer = ask_on(asker, question(template, token)?).await?;
    match answer.status() {
        status if status.is_success() => read(answer.body()).map(Some).ok_or(LookupError::NoTarget),
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => Ok(None),
        status => Err(LookupError::Answered(status.as_u16())),
    }
}

fn question(template: &UrlTemplate, token: &str) -> Result<Request<Empty<Bytes>>, LookupError> {
    let UrlTemplate { before, after } = template;
    let url = format!("{before}{}{after}", utf8_percent_encode(token, UNRESERVED));
    // A token may be too long for a URL.
    Request::get(url).body(Empty::new()).map_err(|_| LookupError::NoToken)
}

/// Asks, and goes where the answer leads on the same server: to a path with its slash, or to TLS.
async fn ask_on(asker: &Asker, mut question: Request<Empty<Bytes>>) -> Result<Response<Bytes>, LookupError> {
    for _ in 0..=REDIRECTS_MAX {
        let from = question.uri().clone();
        let answer = asker.ask(question).await?;
        let location = match answer.status() {
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => answer.headers().get(LOCATION),
            _ => None,
        };
        let Some(location) = location else { return Ok(answer) };
        let to = location.to_str().ok().and_then(|location| redirected(&from, location));
        question = Request::get(to.ok_or(LookupError::LedAway)?)
            .body(Empty::new())
            .expect("a URL, and nothing else, is no wrong request");
    }
    Err(LookupError::RedirectedTooOften(REDIRECTS_MAX))
}

/// Where a redirect leads, if that is the server that was meant: the same host and port, or the same host with TLS in
/// the place of HTTP. Whoever can make it redirect must not choose whom the gateway asks.
fn redirected(from: &Uri, location: &str) -> Option<Uri> {
    if location.starts_with('/') && !location.starts_with("//") {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = Some(location.parse::<PathAndQuery>().ok()?);
        return Uri::from_parts(parts).ok();
    }
    let to: Uri = location.parse().ok()?;
    let is_same_host = to.host().zip(from.host()).is_some_and(|(to, from)| to.eq_ignore_ascii_case(from));
    let is_fit = match (server(from)?, server(&to)?) {
        ((false, 80), (true, 443)) => true,
        (from, to) => from == to,
    };
    (is_same_host && is_fit).then_some(to)
}

/// Whether it is asked over TLS, and on which port; `None` for what is no `http` or `https`.
fn server(uri: &Uri) -> Option<(bool, u16)> {
    let is_secure = match uri.scheme()? {
        scheme if *scheme == Scheme::HTTP => false,
        scheme if *scheme == Scheme::HTTPS => true,
        _ => return None,
    };
    Some((is_secure, uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 })))
}

/// The body is `host:port`.
pub(super) fn plain(body: &[u8]) -> Option<Target> {
    Target::parse(std::str::from_utf8(body).ok()?)
}

/// The body is an object with `host` and `port`.
pub(super) fn json(body: &[u8]) -> Option<Target> {
    serde_json::from_slice::<Place>(body).ok()?.target()
}

/// `host` and `port` in JSON, whatever else stands beside them. The port may be a string.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    host: String,
    port: Port,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

impl Place {
    pub(super) fn target(&self) -> Option<Target> {
        match &self.port {
            Port::Number(port) => Target::of(&self.host, &port.to_string()),
            Port::Text(port) => Target::of(&self.host, port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t231_a_token_stays_one_piece_of_the_url() {
        let template = UrlTemplate { before: "http://a.test/t/".into(), after: "/x?y=1".into() };
        for (token, expected) in [
            ("abc", "/t/abc/x?y=1"),
            ("../../admin", "/t/..%2F..%2Fadmin/x?y=1"),
            ("a?b=c&d#e", "/t/a%3Fb%3Dc%26d%23e/x?y=1"),
            ("@evil.test", "/t/%40evil.test/x?y=1"),
            ("a b%2fä", "/t/a%20b%252f%C3%A4/x?y=1"),
        ] {
            let question = question(&template, token).unwrap();
            assert_eq!(question.uri().host(), Some("a.test"));
            assert_eq!(question.uri().path_and_query().unwrap().as_str(), expected);
        }
    }

    #[test]
    fn a_redirect_stays_on_the_server_that_was_meant() {
        let followed = |from: &str, location: &str| {
            redirected(&from.parse().unwrap(), location).map(|uri| uri.to_string())
        };
        let plain = "http://a.test/t/x?y=1";
        for (location, to) in [
            ("/t/x/", Some("http://a.test/t/x/")),
            ("/u?y=2", Some("http://a.test/u?y=2")),
            ("http://A.test/u", Some("http://A.test/u")),
            ("http://a.test:80/u", Some("http://a.test:80/u")),
            ("https://a.test/t/x", Some("https://a.test/t/x")),
            ("https://a.test:8443/t/x", None),
            ("http://a.test:81/u", None),
            ("http://b.test/u", None),
            ("//b.test/u", None),
            ("http://a.test.b.test/u", None),
            ("http://a.test@b.test/u", None),
            ("ftp://a.test/u", None),
            ("u", None),
            ("a.test:80", None),
            ("", None),
            ("http://", None),
        ] {
            assert_eq!(followed(plain, location).as_deref(), to, "{location:?}");
        }
        assert_eq!(followed("https://a.test/t", "http://a.test/t"), None, "never from TLS to HTTP");
        assert_eq!(
            followed("http://a.test:8080/t", "https://a.test/t"),
            None,
            "another program listens there"
        );
    }

    #[test]
    fn answers() {
        let tcp = Target::of("vnc", "5900");
        for body in [r#"{"host":"vnc","port":5900}"#, r#"{"port":"5900","host":"vnc","more":[1]}"#] {
            assert_eq!(json(body.as_bytes()), tcp, "{body}");
        }
        for body in
            ["", "{}", "[]", r#"{"host":"vnc"}"#, r#"{"host":"vnc","port":0}"#, r#"{"host":1,"port":1}"#]
        {
            assert_eq!(json(body.as_bytes()), None, "{body}");
        }
        assert_eq!(plain(b"vnc:5900\n"), tcp);
        assert_eq!(plain(b"<html>"), None);
        assert_eq!(plain(b"\xff:1"), None);
    }
}
