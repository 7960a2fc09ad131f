//! Which characters can be shown in a log or on a terminal without doing something there.

/// Whether a character is seen, and moves nothing but the cursor by its own width. Not so: controls (C0, DEL and C1), the
/// two separators that end a line, and what has no width of its own and changes how others are shown or compared, such as
/// the marks that turn their direction.
pub(crate) fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text with what is not shown in it written as Rust writes it in a string: `\u{1b}`.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_shown(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t235_controls_and_what_turns_text_around_are_not_shown() {
        assert!(" a\"~\u{e9}\u{4e2d}\u{1f600}\u{301}".chars().all(is_shown));
        for hidden in
            "\0\t\n\u{1b}\u{7f}\u{85}\u{9b}\u{200b}\u{200e}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}".chars()
        {
            assert!(!is_shown(hidden), "{hidden:?}");
        }
        assert_eq!(escaped("a\u{1b}\u{e9}\u{202e}\n\""), "a\\u{1b}\u{e9}\\u{202e}\\n\"");
    }
}
