//! The framing of draft-ietf-hybi-thewebsocketprotocol-00 over a whole stream (§4.2), and its keys (§5.2).

use tidegate_proto::hybi00::Coding;

use super::super::trace::is_text;
use super::md5::md5;

/// A step of what a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Begin,
    /// Decoded; never empty, and never next to another.
    Payload(Vec<u8>),
    End,
    /// The end of a frame that has no meaning.
    Discarded,
    Close,
}

/// What a stream says, and whether something is wrong with it.
pub(crate) fn read(stream: &[u8], coding: Coding, bytes_max: u64) -> (Vec<Item>, bool) {
    let mut items = Vec::new();
    let mut rest = stream;
    while let Some((&first, behind)) = rest.split_first() {
        let len = if first & 0x80 == 0 {
            delimited(first, behind, coding, bytes_max, &mut items)
        } else {
            measured(first, behind, bytes_max, &mut items)
        };
        match len {
            Ok(Some(len)) if items.last() != Some(&Item::Close) => rest = &behind[len..],
            Ok(_) => break,
            Err(Wrong) => return (items, true),
        }
    }
    (items, false)
}

struct Wrong;

/// A frame up to FF, without its first byte: its length, or `None` where it does not end.
fn delimited(
    first: u8,
    bytes: &[u8],
    coding: Coding,
    bytes_max: u64,
    items: &mut Vec<Item>,
) -> Result<Option<usize>, Wrong> {
    let end = bytes.iter().position(|&byte| byte == 0xff);
    let content = &bytes[..end.unwrap_or(bytes.len())];
    if first == 0 {
        items.push(Item::Begin);
        let payload = decoded(content, coding, end.is_some());
        let Some(payload) = payload.filter(|_| content.len() as u64 <= bytes_max) else { return Err(Wrong) };
        if !payload.is_empty() {
            items.push(Item::Payload(payload));
        }
    } else if content.len() as u64 > bytes_max {
        return Err(Wrong);
    }
    let Some(end) = end else { return Ok(None) };
    items.push(if first == 0 { Item::End } else { Item::Discarded });
    Ok(Some(end + 1))
}

/// A frame with a length, without its first byte.
fn measured(first: u8, bytes: &[u8], bytes_max: u64, items: &mut Vec<Item>) -> Result<Option<usize>, Wrong> {
    let digits = bytes.iter().take_while(|&&byte| byte >= 0x80).count();
    let is_whole = digits < bytes.len();
    let shown = &bytes[..if is_whole { digits + 1 } else { digits }];
    let len = shown.iter().fold(0u128, |len, digit| (len << 7 | u128::from(digit & 0x7f)).min(1 << 100));
    if shown.len() > 9 || len > bytes_max.into() {
        return Err(Wrong);
    }
    if !is_whole {
        return Ok(None);
    }
    if first == 0xff && len == 0 {
        items.push(Item::Close);
        return Ok(Some(shown.len()));
    }
    let end = shown.len() + usize::try_from(len).unwrap_or(usize::MAX - 9);
    if end > bytes.len() {
        return Ok(None);
    }
    items.push(Item::Discarded);
    Ok(Some(end))
}

fn decoded(content: &[u8], coding: Coding, is_whole: bool) -> Option<Vec<u8>> {
    match coding {
        Coding::Text => is_text(content, is_whole).then(|| content.to_vec()),
        Coding::Base64 => base64(content, is_whole),
    }
}

/// RFC 4648 §4, with bits left over that may be set; of text that goes on, as many bytes as are decided.
fn base64(text: &[u8], is_whole: bool) -> Option<Vec<u8>> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padding_at = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
    let (digits, padding) = text.split_at(padding_at);
    let wanted: &[u8] = match digits.len() % 4 {
        0 => b"",
        2 => b"==",
        3 => b"=",
        _ if is_whole || !padding.is_empty() => return None,
        _ => b"",
    };
    if !wanted.starts_with(padding) || is_whole && padding != wanted {
        return None;
    }
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let mut bits = 0usize;
        for place in 0..4 {
            let value = match group.get(place) {
                Some(digit) => alphabet.iter().position(|known| known == digit)?,
                None => 0,
            };
            bits = bits << 6 | value;
        }
        let [.., a, b, c] = bits.to_be_bytes();
        bytes.extend(&[a, b, c][..group.len() * 3 / 4]);
    }
    Some(bytes)
}

/// The number in a key: its digits, divided by the number of its spaces.
pub(crate) fn part(key: &[u8]) -> Option<u32> {
    let digits = key.iter().filter(|byte| byte.is_ascii_digit());
    let text: String = digits.map(|&digit| char::from(digit)).collect();
    let number: u128 = text.get(text.len().saturating_sub(30)..)?.parse().ok()?;
    let is_longer = text.len() > 30 && text[..text.len() - 30].bytes().any(|digit| digit != b'0');
    let spaces = key.iter().filter(|&&byte| byte == b' ').count() as u128;
    let fits = !is_longer && number <= u32::MAX.into() && spaces > 0 && number.is_multiple_of(spaces);
    fits.then(|| u32::try_from(number / spaces).ok()).flatten()
}

pub(crate) fn proof(parts: [u32; 2], key3: [u8; 8]) -> [u8; 16] {
    md5(&[&parts[0].to_be_bytes()[..], &parts[1].to_be_bytes(), &key3].concat())
}
