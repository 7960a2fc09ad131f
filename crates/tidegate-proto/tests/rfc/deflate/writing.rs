//! The writing half: RFC 7692 §7.2.1.

use super::*;

#[test]
fn c085_without_takeover_equal_messages_make_equal_payloads() {
    let message = b"{\"temperature\":21.5,\"station\":\"harbour\"}".repeat(20);
    for level in 0..=9 {
        let config = |context| DeflaterConfig { window: WindowBits::MAX, context, level, mem_level: 8 };
        let mut fresh = Deflater::new(config(Context::Fresh));
        let first = deflate(&mut fresh, &message);
        for _ in 0..3 {
            assert_eq!(deflate(&mut fresh, &message), first, "level {level}");
        }
        // The test can fail: with takeover they do not.
        let mut takeover = Deflater::new(config(Context::Takeover));
        assert_eq!(
            inflate(&mut inflater(Context::Fresh), &deflate(&mut takeover, &message)),
            Ok(message.clone())
        );
        if level > 0 {
            assert!(deflate(&mut takeover, &message).len() < first.len() / 2, "level {level}");
        }
    }
}

#[test]
fn c086_each_message_of_a_fresh_half_stands_alone() {
    let mut writer = deflater(Context::Fresh);
    for message in [b"Hello".as_slice(), b"Hello", b"Hello, Hello, Hello"] {
        let payload = deflate(&mut writer, message);
        assert_eq!(inflate(&mut inflater(Context::Fresh), &payload), Ok(message.to_vec()));
    }
}

#[test]
fn c087_no_distance_leaves_the_window() {
    // What repeats after 300 bytes is out of reach of 256, and what repeats after 200 is not.
    for (distance, bits) in [(200, 8), (300, 8), (300, 9), (500, 9), (600, 9), (900, 10), (20_000, 14)] {
        let message = noise(distance).repeat(40);
        for level in 1..=9 {
            let mut writer = Deflater::new(DeflaterConfig {
                window: window(bits),
                context: Context::Takeover,
                level,
                mem_level: 8,
            });
            let mut reader = Inflater::new(window(bits), Context::Takeover, InflateLimits::NONE);
            for _ in 0..3 {
                let payload = deflate(&mut writer, &message);
                assert_eq!(inflate(&mut reader, &payload), Ok(message.clone()), "{distance} {bits} {level}");
            }
        }
    }
}

/// What is flushed in the middle of a message is there for the reader, whatever the room, and any half may go on.
#[test]
fn c086_a_message_is_gone_on_with_by_another_half() {
    let message = [noise(5000), b"Hello, hello, hello. ".repeat(300)].concat();
    for piece in [1, 7, 1000, 4096, usize::MAX] {
        for room in [1, 2, 5, 16, 17, 4096] {
            let (mut payload, mut writer) = (Vec::new(), deflater(Context::Fresh));
            let mut put = |step: &mut dyn FnMut(&mut [u8]) -> Progress| loop {
                let mut output = vec![0; room];
                let progress = step(&mut output);
                payload.extend_from_slice(&output[..progress.produced]);
                if progress.done {
                    return;
                }
            };
            for part in message[..6000].chunks(piece.min(6000)) {
                let mut rest = part;
                put(&mut |output| {
                    let progress = writer.deflate(rest, output, false);
                    rest = &rest[progress.consumed..];
                    progress
                });
                put(&mut |output| writer.flush(output));
                put(&mut |output| writer.flush(output)); // once more is nothing
                writer = deflater(Context::Fresh);
                assert!(!writer.holds_memory());
            }
            let mut rest = &message[6000..];
            put(&mut |output| {
                let progress = writer.deflate(rest, output, true);
                rest = &rest[progress.consumed..];
                progress
            });
            let inflated = inflate(&mut inflater(Context::Fresh), &payload);
            assert!(inflated.as_ref() == Ok(&message), "pieces of {piece}, room for {room}");
        }
    }
}

#[test]
fn c086_a_message_may_end_behind_a_flush() {
    for room in [1, 5, 4096] {
        let mut writer = deflater(Context::Fresh);
        let mut payload = vec![0; 64];
        let len = writer.deflate(b"Hello", &mut payload, false).produced;
        payload.truncate(len);
        for ends_message in [false, true] {
            loop {
                let mut output = vec![0; room];
                let progress = if ends_message {
                    writer.deflate(b"", &mut output, true)
                } else {
                    writer.flush(&mut output)
                };
                payload.extend_from_slice(&output[..progress.produced]);
                if progress.done {
                    break;
                }
            }
        }
        assert_eq!(inflate(&mut inflater(Context::Fresh), &payload), Ok(b"Hello".to_vec()), "{room}");
    }
}

#[test]
fn c090_the_tail_is_taken_off_wherever_the_room_ends() {
    let message = b"Hello, hello, hello; and one more: hello. ".repeat(3);
    let expected = deflate(&mut deflater(Context::Fresh), &message);
    assert!(!expected.ends_with(b"\x00\x00\xff\xff"));
    let mut longest = 0;
    for room in 1..=expected.len() + 20 {
        let mut writer = deflater(Context::Fresh);
        for _ in 0..2 {
            let payload = deflate_cut(&mut writer, &message, &[usize::MAX], &[room]);
            assert_eq!(
                inflate(&mut inflater(Context::Fresh), &payload),
                Ok(message.clone()),
                "rooms of {room}"
            );
            longest = longest.max(payload.len() - expected.len());
        }
    }
    assert!(longest <= 5, "at most one flush of nothing, in {longest} bytes");
}

#[test]
fn c093_an_empty_message_is_one_byte() {
    for context in [Context::Takeover, Context::Fresh] {
        let mut writer = deflater(context);
        assert_eq!(deflate(&mut writer, b""), b"\x00", "as the first");
        let payload = deflate(&mut writer, b"Hello");
        assert_eq!(deflate(&mut writer, b""), b"\x00", "after another");
        assert_eq!(inflate(&mut inflater(Context::Fresh), &payload), Ok(b"Hello".to_vec()));
        let no_room = Progress { consumed: 0, produced: 0, done: false };
        assert_eq!(writer.deflate(b"", &mut [], true), no_room);
        assert_eq!(writer.deflate(b"", &mut [], false), Progress { done: true, ..no_room });
    }
}

#[test]
fn c094_a_message_may_end_after_its_last_byte() {
    let mut writer = deflater(Context::Fresh);
    let mut room = [0; 64];
    let open = writer.deflate(b"Hello", &mut room, false);
    assert!(open.done && open.consumed == 5);
    let end = writer.deflate(b"", &mut room[open.produced..], true);
    assert!(end.done);
    let payload = &room[..open.produced + end.produced];
    assert_eq!(inflate(&mut inflater(Context::Fresh), payload), Ok(b"Hello".to_vec()));
}

#[test]
fn a_half_that_is_reset_owes_nothing_to_what_it_did_before() {
    let messages = [b"Hello, hello, hello".to_vec(), noise(50_000), b"Hello, ".repeat(30_000)];
    for level in [0, 1, 2, 6, 9] {
        let config =
            DeflaterConfig { window: WindowBits::MAX, context: Context::Takeover, level, mem_level: 4 };
        let expected: Vec<_> =
            messages.iter().map(|message| deflate(&mut Deflater::new(config), message)).collect();
        for before in &messages {
            for (room, ends) in [(200_000, true), (200_000, false), (10, true), (10, false), (3, true)] {
                for (message, expected) in messages.iter().zip(&expected) {
                    let mut writer = Deflater::new(config);
                    writer.deflate(before, &mut vec![0; room], ends);
                    writer.reset();
                    assert!(deflate(&mut writer, message) == *expected, "level {level}, {room}, {ends}");
                }
            }
        }
    }
}
