//! Lines of text that are no rows, read as the lines of a manifest are: a file of commands.

use super::input::{ByteOrderMark, Input, Source};
use super::lines::{Content, Line, LineEnd, Lines};
use super::{Compression, LONGEST_RECORD, ManifestError};

/// Reads text line by line.
#[derive(Debug)]
pub struct Text(Lines);

/// A line, or why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// From 1.
    pub number: u64,
    pub content: Result<String, String>,
}

impl Text {
    /// Unpacks what is packed; `named` is what the name promises.
    pub fn open(source: Source, named: Compression) -> Result<Self, ManifestError> {
        let input = Input::open(source, named, ByteOrderMark::Text)?;
        Ok(Self(Lines::new(input, LineEnd::Newline)))
    }

    /// The next line, which may be empty; `None` is the end.
    pub fn next_line(&mut self) -> Result<Option<TextLine>, ManifestError> {
        let line = self.0.next()?;
        Ok(line.map(|Line { number, content }| {
            let content = match content {
                Content::TooLong => Err(format!("it is longer than {LONGEST_RECORD} bytes")),
                Content::Bytes(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) if text.contains('\0') => Err("it has a NUL in it".to_owned()),
                    Ok(text) => Ok(text.to_owned()),
                    Err(_) => Err("it is not UTF-8".to_owned()),
                },
            };
            TextLine { number, content }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn lines_are_told_whole_and_bad_ones_by_their_number() {
        let bytes = b"\xef\xbb\xbfone\r\n\ntwo \xff\nth\0ree\nlast".to_vec();
        let mut text = Text::open(Box::new(Cursor::new(bytes)), Compression::None).expect("text");
        let mut seen = Vec::new();
        while let Some(TextLine { number, content }) = text.next_line().expect("readable") {
            seen.push((number, content.map_err(drop)));
        }
        let expected = [Ok("one"), Ok(""), Err(()), Err(()), Ok("last")];
        let expected = expected.map(|line| line.map(str::to_owned));
        let numbered: Vec<_> = (1..).zip(expected).collect();
        assert_eq!(seen, numbered);
    }
}
