//! What a request said of itself, for the line that is written in the end: a WebSocket keeps it for hours.

use std::fmt::{Display, Write as _};

use http::Method;

/// Client, method, host and path, in one piece of memory of just their size.
#[derive(Debug)]
pub(super) struct Said {
    text: Box<str>,
    /// Where the first three of them end.
    ends: [u32; 3],
}

impl Said {
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

    /// Its address, and its port where that is known.
    pub(super) fn client(&self) -> &str {
        self.part(0, self.ends[0])
    }

    /// Empty where there was no request.
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

/// Of an address with its port.
const CLIENT_BYTES_USUAL: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_what_it_was() {
        let said = Said::new("192.0.2.1:4711", Some(&Method::GET), "h\u{fc}", "/path");
        assert_eq!(
            (said.client(), said.method(), said.host(), said.path()),
            ("192.0.2.1:4711", "GET", "h\u{fc}", "/path")
        );
        let said = Said::new("unix:", None, "", "");
        assert_eq!((said.client(), said.method(), said.host(), said.path()), ("unix:", "", "", ""));
    }
}
