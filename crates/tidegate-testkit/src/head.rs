//! A received HTTP head, of a request or of a response: read strictly, and kept as it came.

use tidegate_proto::handshake::AcceptKey;

/// The first line and the fields of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The request line or status line.
    pub line: String,
    /// Names and values in the order of arrival.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// Reads a head that ends with its empty line.
    ///
    /// # Panics
    /// It is no head of HTTP/1.1 with lines that end in CR LF.
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes)
            .unwrap_or_else(|_| panic!("a head in ASCII: {}", bytes.escape_ascii()));
        let text = text
            .strip_suffix("\r\n\r\n")
            .unwrap_or_else(|| panic!("a head ends with an empty line: {text:?}"));
        let mut lines = text.split("\r\n");
        let line = lines.next().expect("split yields at least one line").to_owned();
        let fields = lines.map(|line| {
            let (name, value) =
                line.split_once(':').unwrap_or_else(|| panic!("a field has a colon: {line:?}"));
            assert!(
                !line.contains(['\r', '\n', '\0']) && name.trim() == name,
                "a field on one line: {line:?}"
            );
            (name.to_owned(), value.trim().to_owned())
        });
        Self { fields: fields.collect(), line }
    }

    /// The status of a response.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn status(&self) -> u16 {
        let status = self.line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        status.unwrap_or_else(|| panic!("no status line: {:?}", self.line))
    }

    /// Whether it is an answer behind which none comes to the same request.
    pub(crate) fn is_last_of_its_request(&self) -> bool {
        let status = self.line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        status.is_some_and(|status: u16| status == 101 || status >= 200)
    }

    /// The target of a request.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_else(|| panic!("no request line: {:?}", self.line))
    }

    /// The value of a field that may stand once.
    ///
    /// # Panics
    /// It stands more than once.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} stands {} times in {self:?}", all.len());
        all.first().copied()
    }

    /// The values of all fields of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The `Sec-WebSocket-Accept` that answers the key of this request.
    ///
    /// # Panics
    /// It has no key.
    #[track_caller]
    pub fn accept_key(&self) -> String {
        let key = self.field("Sec-WebSocket-Key").unwrap_or_else(|| panic!("no key in {self:?}"));
        AcceptKey::from_key(key.as_bytes()).as_str().to_owned()
    }

    /// The response that opens the WebSocket which this request asks for, with `more` lines, each ended by CR LF.
    #[track_caller]
    pub fn answer_101(&self, more: &str) -> Vec<u8> {
        let accept = self.accept_key();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_answered() {
        let request = crate::Request::upgrade("/ws").with("A", "1").with("a", "2").encode();
        let head = Head::parse(&request);
        assert_eq!(head.target(), "/ws");
        assert_eq!(head.all("a"), ["1", "2"]);
        assert_eq!(head.accept_key(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let answer = Head::parse(&head.answer_101("B: 3\r\n"));
        assert_eq!((answer.status(), answer.field("b")), (101, Some("3")));
    }
}
