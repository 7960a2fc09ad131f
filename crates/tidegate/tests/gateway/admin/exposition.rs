//! A strict reader of the text format of OpenMetrics 1.0, as far as the gateway writes it.

use std::collections::BTreeMap;

/// Samples by their name with its labels, written as in the text.
#[derive(Debug)]
pub(crate) struct Exposition {
    samples: BTreeMap<String, f64>,
    /// Kind by name of the family.
    kinds: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads it.
    ///
    /// # Panics
    /// Something in it is not allowed.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.strip_suffix("# EOF\n").expect("it ends with the mark of its end");
        let mut read = Self { samples: BTreeMap::new(), kinds: BTreeMap::new() };
        let (mut family, mut has_help) = (String::new(), false);
        for line in lines.split_terminator('\n') {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, sentence) = help.split_once(' ').expect("a sentence follows the name");
                assert!(!sentence.is_empty() && !read.kinds.contains_key(name), "{line}");
                (family, has_help) = (name.to_owned(), true);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(
                    has_help && name == family && ["counter", "gauge", "histogram"].contains(&kind),
                    "{line}"
                );
                read.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                read.sample(line, &family);
            }
        }
        read.check_histograms();
        read
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (sample, value) = line.rsplit_once(' ').expect("a value follows");
        let name = sample.split('{').next().unwrap();
        let suffix =
            name.strip_prefix(family).unwrap_or_else(|| panic!("{line} does not belong to {family}"));
        let allowed: &[&str] = match self.kinds[family].as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            _ => &["_bucket", "_sum", "_count"],
        };
        assert!(allowed.contains(&suffix), "{line}");
        if let Some(labels) = sample.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let labels = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).expect(line);
            check_labels(labels);
        }
        let value: f64 = value.parse().expect(line);
        assert!(value >= 0.0, "{line}: nothing here is ever negative");
        assert!(self.samples.insert(sample.to_owned(), value).is_none(), "{line} stands twice");
    }

    /// Buckets are sums, and the last of them is all there is.
    fn check_histograms(&self) {
        for name in self.kinds.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let buckets =
                self.samples.iter().filter(|(sample, _)| sample.starts_with(&format!("{name}_bucket{{")));
            for (sample, value) in buckets {
                let (_, labels) = sample.split_once("{le=\"").expect("the bound is the first label");
                let (bound, others) = labels.split_once("\",").expect("each has a route");
                let all = self.samples[&format!("{name}_count{{{others}")];
                assert!(*value <= all, "{sample}");
                assert!(bound != "+Inf" || *value == all, "{sample}");
            }
        }
    }

    /// The value of a sample; `None` where it has not happened yet.
    pub(crate) fn find(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// The value of a sample that is there.
    #[track_caller]
    pub(crate) fn value(&self, sample: &str) -> f64 {
        self.find(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples.keys()))
    }

    /// Every sample that begins so, without the beginning.
    pub(crate) fn under(&self, start: &str) -> Vec<(&str, f64)> {
        let found =
            self.samples.iter().filter_map(|(sample, value)| Some((sample.strip_prefix(start)?, *value)));
        found.collect()
    }

    /// The names of all families, with their kinds.
    pub(crate) const fn kinds(&self) -> &BTreeMap<String, String> {
        &self.kinds
    }
}

/// `name="value",…`, with backslashes before quotes, backslashes and line breaks.
fn check_labels(labels: &str) {
    let mut rest = labels;
    loop {
        let (name, value) = rest.split_once("=\"").expect(labels);
        assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && !name.is_empty(),
            "{labels}"
        );
        let mut escaped = false;
        let end = value.find(|c: char| {
            let ends = c == '"' && !escaped;
            assert!(!escaped || ['\\', '"', 'n'].contains(&c), "{labels}");
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = &value[end.expect("every value ends") + 1..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return assert_eq!(rest, ""),
        }
    }
}
