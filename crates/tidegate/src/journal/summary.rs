//! What the access line will say of a request: a WebSocket keeps it for hours, so it is small.

use std::fmt::{Display, Write as _};

use http::Method;

/// Client, method, host and path, in one piece of memory of just their size.
#[derive(Debug)]
pub(super) struct RequestSummary {
    text: Box<str>,
    /// Where the first three of these parts end.
    ends: [u32; 3],
}

impl RequestSummary {
    pub(super) fn new(client: impl Display, method: Option<&Method>, host: &str, path: &str) -> Self {
        Self::of(client, method.map_or("", Method::as_str), host, path)
    }

    /// The same with a method as [`Self::method`] says it.
    pub(super) fn of(client: impl Display, method: &str, host: &str, path: &str) -> Self {
        let mut text = String::with_capacity(CLIENT_BYTES_USUAL + method.len() + host.len() + path.len());
        write!(text, "{client}").expect("a string takes everything");
        let mut end_behind = |part: &str| {
            text.push_str(part);
            u32::try_from(text.len()).expect("no request head has four gigabytes")
        };
        let ends = [end_behind(""), end_behind(method), end_behind(host)];
        text.push_str(path);
        Self { text: text.into(), ends }
    }

    /// The client's address, and its port where that is known.
    pub(super) fn client(&self) -> &str {
        self.part(0, self.ends[0])
    }

    /// Empty where nothing could be read as a request.
    pub(super) fn method(&self) -> &str {
        self.part(self.ends[0], self.ends[1])
    }

    pub(super) fn host(&self) -> &str {
        self.part(self.ends[1], self.ends[2])
    }

    pub(super) fn path(&self) -> &str {
        &self.text[self.ends[2] as usize..]
    }

    fn part(&self, start: u32, end: u32) -> &str {
        &self.text[start as usize..end as usize]
    }
}

/// Bytes of an address with its port.
const CLIENT_BYTES_USUAL: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_what_it_was() {
        let summary = RequestSummary::new("192.0.2.1:4711", Some(&Method::GET), "h\u{fc}", "/path");
        assert_eq!(
            (summary.client(), summary.method(), summary.host(), summary.path()),
            ("192.0.2.1:4711", "GET", "h\u{fc}", "/path")
        );
        let summary = RequestSummary::new("unix:", None, "", "");
        assert_eq!(
            (summary.client(), summary.method(), summary.host(), summary.path()),
            ("unix:", "", "", "")
        );
    }
}
