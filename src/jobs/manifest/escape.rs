//! Shows a cell in a message: short, on one line, and exact about bytes that are no text.

use std::fmt::Write as _;

const LONGEST: usize = 80;

/// The bytes between double quotes, control characters and broken UTF-8 escaped, cut when long.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            text.extend(character.escape_debug());
            if text.len() > LONGEST {
                break;
            }
        }
        if text.len() > LONGEST {
            text.push_str("…\"");
            return text;
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ok = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_escaped_and_text_is_not() {
        assert_eq!(quoted("naïve 日本".as_bytes()), "\"naïve 日本\"");
        assert_eq!(quoted(b"caf\xe9\t\x1b[1m"), "\"caf\\xe9\\t\\u{1b}[1m\"");
    }

    #[test]
    fn long_cells_are_cut() {
        assert!(quoted(&vec![b'x'; 100_000]).len() < 120);
        assert!(quoted(&vec![0xff; 100_000]).len() < 120);
    }
}
