//! Tokens that another server knows: `http` and `json`.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::LookupError;
use super::target::Target;
use crate::ask::Asker;
use crate::config::UrlTemplate;

/// What is left as it is of a token in a URL: the unreserved characters (RFC 3986 §2.3). All others would be syntax.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
    let answer = asker.ask(question(template, token)?).await?;
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
