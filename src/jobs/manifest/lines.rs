//! Cuts bytes into lines, or into what lies between NULs. Must never hold more of a line than
//! [`LONGEST_RECORD`], however long it is.

use super::ManifestError;
use super::input::Input;

/// A line or record longer than this is not kept in memory.
///
/// A key has at most 1,024 bytes and an object's metadata 2 KiB, so that what is longer is not a row.
pub const LONGEST_RECORD: usize = 1 << 20;

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// `\n`, `\r\n` or a lone `\r`.
    Newline,
    /// A NUL. Line ends are data.
    Nul,
}

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Which it is, from 1.
    pub(super) number: u64,
    pub(super) content: Content<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Bytes(&'a [u8]),
    /// It was read to its end, but not kept.
    TooLong,
}

/// Reads lines one after the other.
#[derive(Debug)]
pub(super) struct Lines {
    input: Input,
    end: LineEnd,
    held: Vec<u8>,
    next_number: u64,
    /// The last line ended in `\r`, so that a `\n` that follows belongs to its end.
    after_cr: bool,
}

impl Lines {
    pub(super) fn new(input: Input, end: LineEnd) -> Self {
        Self { input, end, held: Vec::new(), next_number: 1, after_cr: false }
    }

    /// The next line, which may be empty. `None` is the end; a last line needs no line end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ManifestError> {
        self.held.clear();
        let mut too_long = false;
        loop {
            let mut chunk = self.input.fill(self.next_number)?;
            if self.after_cr && !chunk.is_empty() {
                self.after_cr = false;
                if chunk[0] == b'\n' {
                    self.input.consume(1);
                    chunk = self.input.fill(self.next_number)?;
                }
            }
            if chunk.is_empty() {
                if self.held.is_empty() && !too_long {
                    return Ok(None);
                }
                break;
            }
            let end = match self.end {
                LineEnd::Newline => chunk.iter().position(|&byte| matches!(byte, b'\n' | b'\r')),
                LineEnd::Nul => chunk.iter().position(|&byte| byte == 0),
            };
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if too_long || self.held.len() + part.len() > LONGEST_RECORD {
                too_long = true;
                self.held.clear();
            } else {
                self.held.extend_from_slice(part);
            }
            self.after_cr = end.is_some_and(|end| chunk[end] == b'\r');
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        let number = self.next_number;
        self.next_number += 1;
        let content = if too_long { Content::TooLong } else { Content::Bytes(&self.held) };
        Ok(Some(Line { number, content }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::Compression;
    use super::super::input::ByteOrderMark;
    use super::*;

    /// Gives its bytes one at a time, so that every place is a border between two buffers.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let Some(&byte) = self.0.get(self.1) else {
                return Ok(0);
            };
            buffer[0] = byte;
            self.1 += 1;
            Ok(1)
        }
    }

    fn lines(source: impl Read + Send + 'static, end: LineEnd) -> Lines {
        let input = Input::open(Box::new(source), Compression::None, ByteOrderMark::Verbatim);
        Lines::new(input.expect("opens"), end)
    }

    fn collect(mut lines: Lines) -> Vec<Option<String>> {
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("reads") {
            assert_eq!(line.number, all.len() as u64 + 1);
            all.push(match line.content {
                Content::Bytes(bytes) => Some(String::from_utf8(bytes.to_vec()).expect("UTF-8")),
                Content::TooLong => None,
            });
        }
        all
    }

    #[test]
    fn every_kind_of_line_end_is_one() {
        let text = b"a\nb\r\nc\rd\n\r\n\n\re\r\n";
        let want = ["a", "b", "c", "d", "", "", "", "e"].map(|line| Some(line.to_owned()));
        assert_eq!(collect(lines(&text[..], LineEnd::Newline)), want);
        assert_eq!(collect(lines(Drip(text.to_vec(), 0), LineEnd::Newline)), want);
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let want = ["a", "b "].map(|line| Some(line.to_owned()));
        assert_eq!(collect(lines(&b"a\nb "[..], LineEnd::Newline)), want);
        assert_eq!(collect(lines(&b"a\0b "[..], LineEnd::Nul)), want);
        assert_eq!(collect(lines(&b""[..], LineEnd::Newline)), []);
    }

    #[test]
    fn between_nuls_line_ends_are_data() {
        let want = ["a\r\nb", "", "\nc"].map(|line| Some(line.to_owned()));
        assert_eq!(collect(lines(&b"a\r\nb\0\0\nc\0"[..], LineEnd::Nul)), want);
    }

    #[test]
    fn an_endless_line_is_skipped_without_being_held() {
        let long = std::io::repeat(b'x').take(20 << 20);
        let mut lines = lines((&b"a\n"[..]).chain(long).chain(&b"\nb"[..]), LineEnd::Newline);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().expect("reads") {
            seen.push((line.number, line.content == Content::TooLong));
        }
        assert_eq!(seen, [(1, false), (2, true), (3, false)]);
        assert!(lines.held.capacity() <= 2 * LONGEST_RECORD);
    }

    #[test]
    fn the_longest_line_is_kept() {
        let text = [vec![b'x'; LONGEST_RECORD], b"\n".to_vec(), vec![b'x'; LONGEST_RECORD + 1]];
        let kept: Vec<bool> = collect(lines(std::io::Cursor::new(text.concat()), LineEnd::Newline))
            .iter()
            .map(Option::is_some)
            .collect();
        assert_eq!(kept, [true, false]);
    }
}
