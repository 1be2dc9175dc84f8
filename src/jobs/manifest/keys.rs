//! Plain lists: a line, or what lies up to a NUL, is a source and nothing else. Spaces, quotes and
//! `#` are data; empty lines are nothing.

use std::str;

use super::escape::quoted;
use super::input::Input;
use super::lines::{Content, LineEnd, Lines};
use super::row::Row;
use super::rows::{Measured, RowReader};
use super::{LONGEST_RECORD, Problem, RowError};

/// Reads a list of names.
#[derive(Debug)]
pub(super) struct Keys {
    lines: Lines,
    end: LineEnd,
    number: u64,
}

impl Keys {
    pub(super) fn new(input: Input, end: LineEnd) -> Self {
        Self { lines: Lines::new(input, end), end, number: 0 }
    }

    fn next<T>(&mut self, make: fn(&str) -> T) -> Result<Option<(u64, u64, T)>, Problem> {
        loop {
            let Some(line) = self.lines.next()? else {
                return Ok(None);
            };
            if line.content == Content::Bytes(b"") {
                continue;
            }
            self.number += 1;
            return match name(&line.content, self.end) {
                Ok(name) => Ok(Some((line.number, self.number, make(name)))),
                Err(reason) => {
                    Err(RowError { line: line.number, number: self.number, reason }.into())
                }
            };
        }
    }
}

impl RowReader for Keys {
    fn next_row(&mut self) -> Result<Option<Row>, Problem> {
        let next = self.next(|name| Some(name.to_owned()))?;
        Ok(next.map(|(line, number, source)| Row { line, number, source, ..Row::default() }))
    }

    fn next_size(&mut self) -> Result<Option<Measured>, Problem> {
        Ok(self.next(|_| ())?.map(|_| Measured(None)))
    }

    fn ignored(&self) -> &[String] {
        &[]
    }
}

fn name<'a>(content: &Content<'a>, end: LineEnd) -> Result<&'a str, String> {
    let &Content::Bytes(bytes) = content else {
        return Err(format!("the name is longer than {LONGEST_RECORD} bytes"));
    };
    if end == LineEnd::Newline && bytes.contains(&0) {
        return Err("a NUL is in the line: a list of names up to NULs is keys0".to_owned());
    }
    str::from_utf8(bytes).map_err(|_| format!("the name is not UTF-8: {}", quoted(bytes)))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::rows::tests::{all, row};

    #[test]
    fn a_line_is_a_name_verbatim() {
        let text = "# a\r\n  b  \n\n\"c\",d\r%41\t\nsource\n \nlast";
        let want = [
            row(1, 1, "# a"),
            row(2, 2, "  b  "),
            row(4, 3, "\"c\",d"),
            row(5, 4, "%41\t"),
            row(6, 5, "source"),
            row(7, 6, " "),
            row(8, 7, "last"),
        ];
        assert_eq!(all(text.as_bytes(), Format::Keys), want.map(Ok));
    }

    #[test]
    fn between_nuls_everything_is_data() {
        let want = [row(1, 1, "a\nb"), row(2, 2, "\u{feff}c\r\n"), row(4, 3, "d")];
        let text = "a\nb\0\u{feff}c\r\n\0\0d".as_bytes();
        assert_eq!(all(text, Format::Keys0), want.map(Ok));
    }

    #[test]
    fn a_nul_in_a_line_points_to_the_other_format() {
        let given = all(b"a1\0b2\0\nc", Format::Keys);
        assert!(given[0].as_ref().expect_err("a NUL").reason.contains("keys0"));
        assert_eq!(given[1], Ok(row(2, 2, "c")));
    }

    #[test]
    fn a_bad_name_is_told_and_the_others_go_on() {
        let given = all(b"a\ncaf\xe9\nb", Format::Keys);
        let error = given[1].as_ref().expect_err("not UTF-8");
        assert_eq!(error.to_string(), "line 2: the name is not UTF-8: \"caf\\xe9\"");
        assert_eq!(given[2], Ok(row(3, 3, "b")));
        let long = [&b"a\n"[..], &vec![b'x'; (1 << 20) + 1], b"\nb\n"].concat();
        let given = all(&long, Format::Keys);
        assert!(given[1].as_ref().expect_err("too long").reason.contains("longer than"));
        assert_eq!(given[2], Ok(row(3, 3, "b")));
    }

    #[test]
    fn nothing_is_no_rows() {
        for format in [Format::Keys, Format::Keys0] {
            assert_eq!(all(b"", format), []);
        }
        assert_eq!(all(b"\n\r\n\n", Format::Keys), []);
        assert_eq!(all(b"\0\0", Format::Keys0), []);
    }
}
