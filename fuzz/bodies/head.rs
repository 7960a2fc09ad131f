//! Heads of HTTP, made from an input.

/// A first line and fields, a line each; what has no colon is no field. Names are UTF-8, values any bytes.
pub(crate) struct Head<'a> {
    pub(crate) first: &'a [u8],
    pub(crate) fields: Vec<(&'a str, Vec<u8>)>,
}

impl<'a> Head<'a> {
    pub(crate) fn read(data: &'a [u8]) -> Self {
        let mut lines = data.split(|&byte| byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let fields = lines.filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].to_vec()))
        });
        Self { first, fields: fields.collect() }
    }

    /// The values of a field, lines never merged.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        self.fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
            .collect()
    }
}
