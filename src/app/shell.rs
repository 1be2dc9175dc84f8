//! A command as it can be typed again. Whatever is in a word, pasted into a shell it is that word
//! and nothing else, and on a terminal it is only text.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use crate::domain::escape::Escaped;

/// `haul` with its arguments, each quoted where it has to be.
pub(super) fn typed(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).map(|argument| quoted(argument));
    std::iter::once("haul".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        // What is shown as it is can stand between plain quotes.
        Some(text) if Escaped(text).to_string() == text => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => spelled_out(word),
    }
}

/// Byte by byte, in the quotes that bash, zsh and ksh know for it: for control characters, for
/// those that turn or hide text, and for bytes that are no text.
fn spelled_out(word: &OsStr) -> String {
    let mut spelled = "$'".to_owned();
    for byte in word.as_encoded_bytes() {
        match byte {
            b'\'' | b'\\' => {
                spelled.push('\\');
                spelled.push(char::from(*byte));
            }
            b' '..=b'~' => spelled.push(char::from(*byte)),
            // Three digits always: the next character may be one, too.
            _ => write!(spelled, "\\{byte:03o}").unwrap_or_default(),
        }
    }
    spelled + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        let quoted = |word: &str| quoted(OsStr::new(word));
        assert_eq!(quoted("s3://b/k"), "s3://b/k");
        assert_eq!(quoted("s3://b/*"), "'s3://b/*'");
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("日本"), "'日本'");
        assert_eq!(quoted("a\n'\\\u{1b}1"), r"$'a\012\'\\\0331'");
        assert_eq!(quoted("\u{202e}x"), r"$'\342\200\256x'");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_survive() {
        use std::os::unix::ffi::OsStrExt as _;
        assert_eq!(quoted(OsStr::from_bytes(b"a\xff")), r"$'a\377'");
    }
}
