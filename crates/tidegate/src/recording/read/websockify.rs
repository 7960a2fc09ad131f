//! Reads what websockify writes with `--record`, line by line.

use std::time::Duration;

use tidegate_proto::MessageType;

use super::super::{Message, Part, Side};
use super::{ReadError, Recording};

pub(super) fn read(bytes: &[u8]) -> Result<Recording, ReadError> {
    let mut recording = Recording { messages: Vec::new(), is_cut: true, others: 0 };
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    for (number, text) in lines {
        match line(text) {
            Ok(Line::Message(message)) => recording.messages.push(message),
            Ok(Line::Nothing) => {}
            Ok(Line::End) => {
                recording.is_cut = false;
                break;
            }
            // The last line of a file that was cut off, or is still written.
            Err(_) if !text.ends_with(b"\n") && number > 0 => break,
            Err(problem) => return Err(ReadError::Wrong { line: number + 1, column: 1, problem }),
        }
    }
    Ok(recording)
}

/// What one line of a file holds.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Message(Message),
    /// The end of the recording.
    End,
    /// The beginning, a comment, or nothing.
    Nothing,
}

/// Reads one line of a file.
///
/// # Errors
/// What is wrong with it.
fn line(line: &[u8]) -> Result<Line, String> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"/*") || line.starts_with(b"//") {
        return Ok(Line::Nothing);
    }
    if line.starts_with(b"var ") {
        return declaration(line);
    }
    if matches!(line, b"'EOF'];" | b"\"EOF\"];" | b"];") {
        return Ok(Line::End);
    }
    let entry = line.strip_suffix(b",").unwrap_or(line);
    let [quote @ (b'\'' | b'"'), text @ .., last] = entry else {
        return Err("a string in quotes was expected".to_owned());
    };
    if quote != last {
        return Err("the string has no closing quote".to_owned());
    }
    entry_of(text).map(Line::Message)
}

/// `var VNC_frame_data = [`, or what noVNC may have before it.
fn declaration(line: &[u8]) -> Result<Line, String> {
    let has = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
    if has(b"VNC_frame_encoding") && has(b"base64") {
        return Err("recordings in base64 are not read; write them with encoding \"binary\"".to_owned());
    }
    Ok(Line::Nothing)
}

fn entry_of(text: &[u8]) -> Result<Message, String> {
    let (side, mark) = match text.first() {
        Some(b'{') => (Side::Backend, b'{'),
        Some(b'}') => (Side::Client, b'}'),
        Some(_) | None => return Err("a message begins with { or }".to_owned()),
    };
    let rest = &text[1..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let millis = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse::<u64>().ok());
    let (Some(millis), Some(found)) = (millis, rest.get(digits)) else {
        return Err("behind the first sign a number of milliseconds was expected".to_owned());
    };
    if *found != mark {
        let mark = char::from(mark);
        return Err(format!("behind the milliseconds a second {mark} was expected"));
    }
    let payload = unescape(&rest[digits + 1..])?;
    let at = Duration::from_millis(millis);
    Ok(Message { side, at, part: Part::First(MessageType::Binary), payload })
}

fn unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            if !first.is_ascii() {
                return Err(format!("the byte {first:#04x} is not escaped"));
            }
            bytes.push(*first);
            continue;
        }
        let [kind, after @ ..] = rest else { return Err("a \\ at the end of the string".to_owned()) };
        rest = after;
        match kind {
            b't' => bytes.push(b'\t'),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b'\\' | b'\'' | b'"' => bytes.push(*kind),
            b'x' => {
                let digits = rest.split_at_checked(2);
                let Some((byte, after)) = digits.and_then(|(digits, after)| Some((hex(digits)?, after)))
                else {
                    return Err("\\x without two hexadecimal digits".to_owned());
                };
                bytes.push(byte);
                rest = after;
            }
            other => return Err(format!("\\{} is unknown", other.escape_ascii())),
        }
    }
    Ok(bytes)
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let [high, low] = digits else { return None };
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}
