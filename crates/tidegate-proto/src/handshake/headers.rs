use alloc::string::String;

/// Read access to the header fields of a request or response, whatever HTTP library holds them.
///
/// Implemented here for slices of name and value pairs, where names are compared without regard to case.
pub trait Headers {
    /// The value of each field line called `name`, in order, lines never merged.
    ///
    /// `name` is lower-case; field names have no case (RFC 9110 §5.1). Values may keep the blanks around
    /// them, and may be any bytes.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(field, _)| field.as_ref().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }
}

/// A header field to send: its name as RFC 6455 writes it, and a value that is safe to put on the wire.
///
/// Names are not lower-case, because hand-made peers exist that compare them by case.
pub type Field = (&'static str, String);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn lines_of_a_name_keep_their_order_and_their_bytes() {
        let fields = [("Upgrade", " h2c"), ("Host", "a"), ("uPGRADE", "websocket ")];
        let values: Vec<&[u8]> = fields.as_slice().values("upgrade").collect();
        assert_eq!(values, [b" h2c".as_slice(), b"websocket "]);
        assert_eq!(fields.as_slice().values("origin").count(), 0);
    }
}
