//! The PROXY header, in one piece and in pieces, and read once more as plainly as the specification has it.

use std::net::{IpAddr, SocketAddr};

use crate::config::ProxyVersion;
use crate::proxy_header::{Announcement, ProxyInfo, Scan, TlsTold, scan};

/// Reads an input, and writes one that it describes.
pub fn run(data: &[u8]) {
    let whole = scan(data);
    for len in 0..data.len().min(300) {
        match scan(&data[..len]) {
            Ok(Scan::More) => {}
            early => assert_eq!(early, whole, "after {len} bytes"),
        }
    }
    assert_read(data);
    if let Some(header) = with_checksum(data) {
        assert_read(&header);
    }
    write_and_read(data);
}

/// Three answers, and each exactly where a plain reader of the specification has it.
fn assert_read(data: &[u8]) {
    match (scan(data), naive(data)) {
        (Ok(Scan::Whole(len, told)), Some((expected_len, expected))) => {
            assert_eq!((len, told), (expected_len, expected));
        }
        (Ok(Scan::Whole(len, told)), None) => panic!("{len} bytes are no header: {told:?}"),
        (found, Some(expected)) => panic!("{found:?} in place of {expected:?}"),
        (Ok(Scan::More), None) => assert!(may_become_one(data), "nothing can follow that makes it a header"),
        (Err(why), None) => assert!(!may_become_one(data), "{why}, before its end is there"),
    }
}

/// Whether bytes that could follow make a header of these, which are none: of those that follow nothing is known.
fn may_become_one(bytes: &[u8]) -> bool {
    let (line, signature) = (b"PROXY ".as_slice(), b"\r\n\r\n\0\r\nQUIT\n".as_slice());
    if line.starts_with(bytes) || signature.starts_with(bytes) {
        return true;
    }
    if bytes.starts_with(line) {
        return bytes.len() < 107 && !bytes.contains(&b'\n');
    }
    let Some(rest) = bytes.strip_prefix(signature) else { return false };
    let [command, family, high, low, rest @ ..] = rest else { return true };
    let len = usize::from(*high) * 256 + usize::from(*low);
    let is_kind = *command == 0x20 || *command == 0x21 && family / 16 < 4 && family % 16 < 3;
    is_kind && len <= 2048 && rest.len() < len
}

/// A header of version 2 with the fields of an input, and one more that has the checksum of it all: no fuzzer guesses that.
fn with_checksum(data: &[u8]) -> Option<Vec<u8>> {
    let (family, fields) = data.split_first()?;
    let (family, address_len) = [(0x00, 0), (0x11, 12), (0x21, 36), (0x31, 216)][usize::from(family % 4)];
    let len = u16::try_from(address_len + fields.len() + 7).ok().filter(|len| *len <= 2048)?;
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    header.push(family);
    header.extend(len.to_be_bytes());
    header.extend((0..address_len).map(|at| at as u8));
    header.extend(b"\x03\0\x04\0\0\0\0");
    header.extend(fields);
    let at = 16 + address_len + 3;
    let checksum = checksum(&header);
    header[at..at + 4].copy_from_slice(&checksum.to_be_bytes());
    Some(header)
}

/// What is written for others can be read here, and says what it was given, no more and nothing cut short.
fn write_and_read(data: &[u8]) {
    let Some((addresses, rest)) = data.split_first_chunk::<36>() else { return };
    let [a, b, c, d] = [addresses[32], addresses[33], addresses[34], addresses[35]];
    let address = |at: usize, port: [u8; 2]| {
        let octets: [u8; 16] = addresses[at..at + 16].try_into().expect("sixteen of them");
        let address = IpAddr::from(octets).to_canonical();
        SocketAddr::new(address, u16::from_be_bytes(port))
    };
    let (client, local) = (address(0, [a, b]), address(16, [c, d]));
    let text = String::from_utf8_lossy(rest);
    let (authority, path) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let told = TlsTold {
        version: (a & 1 == 1).then_some("TLSv1.3"),
        certified: a & 2 != 0,
        common_name: (a & 4 != 0).then_some(authority),
    };
    let tls = (b & 1 == 1).then_some(told);
    let client = (b & 2 == 0).then_some(client);
    let announced = Announcement { client, local: Some(local), authority, path, tls };
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let bytes = announced.encode(version);
        let Ok(Scan::Whole(len, told)) = scan(&bytes) else {
            panic!("{announced:?}: {}", bytes.escape_ascii())
        };
        assert_eq!(len, bytes.len(), "nothing follows it");
        assert_eq!(told.addresses.is_some(), client.is_some());
        if let (Some((from, to)), Some(client)) = (told.addresses, client) {
            let plain = |address: SocketAddr| (address.ip().to_canonical(), address.port());
            assert_eq!((plain(from), plain(to)), (plain(client), plain(local)));
        }
        if version == ProxyVersion::V2 {
            assert_eq!(told.secure, tls.is_some());
            let from = 16
                + match bytes[13] {
                    0x11 => 12,
                    0x21 => 36,
                    _ => 0,
                };
            assert_eq!(written_fields(&bytes[from..]), told_fields(&announced));
        }
    }
}

/// Type and value of each field up to the end.
fn written_fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (kind, value) = naive_field(bytes, 0).expect("a field ends where the header does");
        fields.push((kind, value.to_vec()));
        bytes = &bytes[3 + value.len()..];
    }
    fields
}

/// The fields that a header is to have: what is empty or too long is left out.
fn told_fields(announced: &Announcement<'_>) -> Vec<(u8, Vec<u8>)> {
    let field = |kind: u8, text: &str, max: usize| {
        (!text.is_empty() && text.len() <= max).then(|| (kind, text.as_bytes().to_vec()))
    };
    let tls = announced.tls.map(|tls| {
        let mut value = vec![if tls.certified { 3 } else { 1 }, 0, 0, 0, u8::from(!tls.certified)];
        let inner = [(0x21, tls.version), (0x22, tls.common_name)];
        for (kind, text) in inner.into_iter().filter_map(|(kind, text)| field(kind, text?, 255)) {
            value.extend([kind, 0, text.len() as u8]);
            value.extend(text);
        }
        (0x20, value)
    });
    let texts = [field(0x02, announced.authority, 255), field(0xe0, announced.path, 1024)];
    texts.into_iter().chain([tls]).flatten().collect()
}

/// A whole header at the front of these bytes.
fn naive(bytes: &[u8]) -> Option<(usize, ProxyInfo)> {
    if bytes.starts_with(b"PROXY ") { naive_line(bytes) } else { naive_binary(bytes) }
}

fn naive_line(bytes: &[u8]) -> Option<(usize, ProxyInfo)> {
    let len = bytes.iter().position(|byte| *byte == b'\n')? + 1;
    let line = std::str::from_utf8(&bytes[..len]).ok().filter(|_| len <= 107)?.strip_suffix("\r\n")?;
    let words: Vec<_> = line.split(' ').collect();
    let nothing = ProxyInfo { addresses: None, secure: false };
    if words[1] == "UNKNOWN" {
        return Some((len, nothing));
    }
    let [_, family @ ("TCP4" | "TCP6"), source, destination, source_port, destination_port] = words[..]
    else {
        return None;
    };
    let endpoint = |address: &str, port: &str| {
        let address: IpAddr = address.parse().ok()?;
        let number: u16 = port.parse().ok()?;
        let fits = address.is_ipv4() == (family == "TCP4") && number.to_string() == port;
        fits.then_some(SocketAddr::new(address, number))
    };
    let addresses = (endpoint(source, source_port)?, endpoint(destination, destination_port)?);
    Some((len, ProxyInfo { addresses: Some(addresses), secure: false }))
}

fn naive_binary(bytes: &[u8]) -> Option<(usize, ProxyInfo)> {
    let rest = bytes.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n")?;
    let [command, family, high, low, rest @ ..] = rest else { return None };
    let len = usize::from(*high) * 256 + usize::from(*low);
    let rest = rest.get(..len).filter(|_| len <= 2048)?;
    if *command == 0x20 {
        return Some((16 + len, ProxyInfo { addresses: None, secure: false }));
    }
    let address_len = match (command, family / 16, family % 16) {
        (0x21, 0, 0..=2) => 0,
        (0x21, 1, 0..=2) => 4,
        (0x21, 2, 0..=2) => 16,
        (0x21, 3, 0..=2) => 108,
        _ => return None,
    };
    let ports_len = if matches!(address_len, 4 | 16) { 4 } else { 0 };
    let mut at = 2 * address_len + ports_len;
    let told = rest.get(..at)?;
    let mut secure = false;
    while at < len {
        let (kind, value) = naive_field(rest, at)?;
        at += 3 + value.len();
        match kind {
            0x03 => naive_checksum(&bytes[..16 + len], 16 + at - value.len(), value)?,
            0x20 => {
                secure = value.get(..5)?[0] & 1 == 1;
                let mut inner = 5;
                while inner < value.len() {
                    inner += 3 + naive_field(value, inner)?.1.len();
                }
            }
            _ => {}
        }
    }
    let endpoint = |which: usize| {
        let octets = &told[which * address_len..][..address_len];
        let port = &told[2 * address_len + 2 * which..][..2];
        let address = match address_len {
            4 => IpAddr::from(<[u8; 4]>::try_from(octets).expect("four of them")),
            _ => IpAddr::from(<[u8; 16]>::try_from(octets).expect("sixteen of them")),
        };
        SocketAddr::new(address, u16::from(port[0]) * 256 + u16::from(port[1]))
    };
    let is_tcp = matches!(*family, 0x11 | 0x21);
    let addresses = is_tcp.then(|| (endpoint(0), endpoint(1)));
    Some((16 + len, ProxyInfo { addresses, secure }))
}

fn naive_field(bytes: &[u8], at: usize) -> Option<(u8, &[u8])> {
    let [kind, high, low] = *bytes.get(at..at + 3)? else { return None };
    Some((kind, bytes.get(at + 3..at + 3 + usize::from(high) * 256 + usize::from(low))?))
}

/// What the message has for its checksum, which counts its own four bytes as zeros.
fn naive_checksum(header: &[u8], at: usize, value: &[u8]) -> Option<()> {
    let mut zeroed = header.to_vec();
    zeroed.get_mut(at..at + 4)?.fill(0);
    (value == checksum(&zeroed).to_be_bytes()).then_some(())
}

/// CRC-32C by long division of the message.
fn checksum(message: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in message {
        for bit in 0..8 {
            let is_set = (remainder ^ u32::from(byte >> bit)) & 1 == 1;
            remainder >>= 1;
            if is_set {
                remainder ^= 0x82f6_3b78;
            }
        }
    }
    !remainder
}
