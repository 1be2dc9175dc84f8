//! Percent-encoding as S3 does it in listings, and its reverse for paths and queries.
//!
//! Must never normalise: `..`, `//` and control characters are part of a key.

use std::fmt::Write as _;

/// A key as S3 writes it under `encoding-type=url`.
pub(crate) fn encode_key(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    encoded
}

/// A path component, in which `+` is itself.
pub(crate) fn decode_path(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = escape
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A query component, in which `+` is a space.
pub(crate) fn decode_query(text: &str) -> String {
    decode_path(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_survives_encoding_and_decoding() {
        for key in ["..", "a//b", "/abs", "a b+c%41", "\u{1}\n\r\t", "ünï/\u{10FFFF}", "*~'()"] {
            assert_eq!(decode_query(&encode_key(key)), key);
        }
        assert_eq!(encode_key("a b+\n"), "a+b%2B%0A");
    }
}
