//! What is written is what is read.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use tidegate_proto::MessageType;

use super::encoder::Encoder;
use super::file::RecordingFile;
use super::{About, Format, Message, Part, Side, read};

const MOMENT: Duration = Duration::from_millis(1500);

/// The text of a recording in which both sides speak while a message is under way, and something is missing.
fn recorded(format: Format) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let about = About { url: "ws://gw.test/".to_owned(), started: UNIX_EPOCH + Duration::from_secs(1) };
    let encoder = Encoder::new(format, about);
    let mut recording =
        RecordingFile::begin(file.reopen().unwrap(), PathBuf::from("x"), encoder, 1 << 20).unwrap();
    let mut say = |side, text: &str, ends_message| {
        recording.take(side, MOMENT, MessageType::Text, text.as_bytes().to_vec(), ends_message).unwrap();
    };
    say(Side::Client, "first ", false);
    say(Side::Backend, "\u{e9}\u{1f600}\0'\"\\", true);
    say(Side::Client, "half", true);
    say(Side::Backend, "begun", false);
    recording.gap(MOMENT, 2, 300).unwrap();
    recording.take(Side::Backend, MOMENT, MessageType::Binary, vec![0xff], true).unwrap();
    drop(recording);
    let text = fs::read_to_string(file.path()).unwrap();
    (file, text)
}

#[test]
fn what_is_written_is_read_back() {
    for format in [Format::Websockify, Format::Har] {
        let (file, _) = recorded(format);
        let text = if format == Format::Har { MessageType::Text } else { MessageType::Binary };
        let said = |side, message, bytes: &[u8]| Message {
            side,
            at: MOMENT,
            part: Part::First(message),
            payload: bytes.to_vec(),
        };
        let expected = [
            said(Side::Backend, text, "\u{e9}\u{1f600}\0'\"\\".as_bytes()),
            said(Side::Client, text, b"first half"),
            said(Side::Backend, text, b"begun"),
            said(Side::Backend, MessageType::Binary, &[0xff]),
        ];
        for told in [None, Some(format)] {
            let recording = read(file.path(), told).unwrap();
            assert_eq!((recording.is_cut, recording.others), (false, 0), "{format}");
            assert_eq!(recording.messages, expected, "{format}");
        }
    }
}

#[test]
fn a_gap_stands_where_something_is_missing() {
    let (_, text) = recorded(Format::Websockify);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[3], "'{1500{begun',");
    assert_eq!(lines[4], "/* gap: 300 bytes in 2 pieces are missing, the disk was too slow */");
    let (_, text) = recorded(Format::Har);
    let note = r#"{"type":"error","time":2.5,"opcode":-1,"data":"gap: 300 bytes in 2 pieces are missing, the disk was too slow"},"#;
    assert_eq!(text.lines().nth(4), Some(note));
}
