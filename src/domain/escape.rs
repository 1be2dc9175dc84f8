//! Names as they may be shown to a person: no byte of a key can reach a terminal as a command.

use std::fmt;

/// Shows a name with control characters, and characters that reorder or hide text, escaped.
///
/// The result holds no byte below 0x20, no DEL and no bidirectional override. It is for people;
/// programs get names exact, in JSON.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in self.0.char_indices() {
            if !is_unsafe(character) {
                continue;
            }
            formatter.write_str(&self.0[plain..at])?;
            write!(formatter, "{}", character.escape_default())?;
            plain = at + character.len_utf8();
        }
        formatter.write_str(&self.0[plain..])
    }
}

/// Characters that move the cursor, start an escape sequence, or make a name look like another.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn plain_and_foreign_names_stay_as_they_are() {
        assert_eq!(Escaped("a b/ü/日本").to_string(), "a b/ü/日本");
    }

    #[test]
    fn control_and_direction_characters_are_escaped() {
        assert_eq!(
            Escaped("a\x1b[2J\nb\u{202e}c\u{9b}").to_string(),
            "a\\u{1b}[2J\\nb\\u{202e}c\\u{9b}"
        );
    }
}
