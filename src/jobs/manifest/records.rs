//! Cuts bytes into records of cells, RFC 4180, and knows on which line each one starts.
//!
//! Not the `csv` crate, because that one holds a record however long it is and its line numbers do
//! not count lone `\r`; the tests hold the two against each other.

use super::input::Input;
use super::{LONGEST_RECORD, ManifestError};

/// The cells of one record. Kept between records, so that its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The line on which it starts.
    pub(super) line: u64,
    pub(super) flaw: Option<Flaw>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Why the cells of a record are not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not held.
    TooLong,
    /// Something stands between a closing quote and the end of its cell, the first of them 0.
    TextAfterQuote { cell: usize },
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn cell(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.cell(index))
    }

    fn start(&mut self, line: u64) {
        self.line = line;
        self.flaw = None;
        self.bytes.clear();
        self.ends.clear();
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.make_room(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn end_cell(&mut self) {
        // The comma counts as well: a line of nothing but commas is long, too.
        if self.make_room(1) {
            self.ends.push(self.bytes.len());
        }
    }

    fn make_room(&mut self, bytes: usize) -> bool {
        if self.bytes.len() + self.ends.len() + bytes > LONGEST_RECORD {
            self.flaw = Some(Flaw::TooLong);
        }
        if self.flaw == Some(Flaw::TooLong) {
            self.bytes.clear();
            self.ends.clear();
            return false;
        }
        true
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between two records; blank lines are skipped.
    Between,
    CellStart,
    Plain,
    Quoted,
    /// After a quote within quotes: it closed them, or the next one makes it a quote.
    MaybeClosed,
}

/// Reads records one after the other.
#[derive(Debug)]
pub(super) struct Records {
    input: Input,
    machine: Machine,
}

impl Records {
    pub(super) fn new(input: Input, delimiter: u8) -> Self {
        let machine = Machine {
            delimiter,
            state: State::Between,
            record: Record::default(),
            line: 1,
            after_cr: false,
            quote_line: 0,
            quoted: 0,
        };
        Self { input, machine }
    }

    /// The next record, which has at least one cell unless it has a flaw. `None` is the end.
    pub(super) fn next(&mut self) -> Result<Option<&Record>, ManifestError> {
        loop {
            let chunk = self.input.fill(self.machine.line)?;
            if chunk.is_empty() {
                return self.machine.finish();
            }
            let (used, fed) = self.machine.feed(chunk);
            self.input.consume(used);
            match fed {
                Fed::Wants => {}
                Fed::Record => return Ok(Some(&self.machine.record)),
                Fed::EndlessQuote => {
                    let line = self.machine.quote_line;
                    return Err(ManifestError::EndlessQuote { line, limit: LONGEST_RECORD });
                }
            }
        }
    }

    /// The record that [`next`](Self::next) gave last.
    pub(super) fn current(&self) -> &Record {
        &self.machine.record
    }
}

/// What came of a buffer.
enum Fed {
    /// All of it is used and the record goes on.
    Wants,
    Record,
    EndlessQuote,
}

#[derive(Debug)]
struct Machine {
    delimiter: u8,
    state: State,
    record: Record,
    /// The line that is being read.
    line: u64,
    /// The last byte was a `\r` that counted as a line end.
    after_cr: bool,
    quote_line: u64,
    /// How many bytes the open quote holds so far.
    quoted: usize,
}

impl Machine {
    fn feed(&mut self, chunk: &[u8]) -> (usize, Fed) {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            match self.state {
                State::Between => {
                    at += usize::from(self.between(byte));
                }
                State::CellStart if byte == b'"' => {
                    self.state = State::Quoted;
                    self.quote_line = self.line;
                    self.quoted = 0;
                    at += 1;
                }
                State::CellStart => self.state = State::Plain,
                State::Plain => {
                    let rest = &chunk[at..];
                    let plain = rest.iter().position(|&byte| self.ends_cell(byte));
                    self.record.push(&rest[..plain.unwrap_or(rest.len())]);
                    let Some(plain) = plain else {
                        return (chunk.len(), Fed::Wants);
                    };
                    at += plain + 1;
                    if self.end_cell(rest[plain]) {
                        return (at, Fed::Record);
                    }
                }
                State::Quoted => {
                    at += self.quoted(&chunk[at..]);
                    if self.quoted > LONGEST_RECORD {
                        return (at, Fed::EndlessQuote);
                    }
                }
                State::MaybeClosed if byte == b'"' => {
                    self.record.push(b"\"");
                    self.quoted += 1;
                    self.state = State::Quoted;
                    at += 1;
                }
                State::MaybeClosed => {
                    if !self.ends_cell(byte) && self.record.flaw.is_none() {
                        let cell = self.record.len();
                        self.record.flaw = Some(Flaw::TextAfterQuote { cell });
                    }
                    self.state = State::Plain;
                }
            }
        }
        (at, Fed::Wants)
    }

    /// Whether the byte is used up: it is not when it begins a record.
    fn between(&mut self, byte: u8) -> bool {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' => self.line += u64::from(!after_cr),
            b'\r' => self.line += 1,
            _ => {
                self.record.start(self.line);
                self.state = State::CellStart;
                return false;
            }
        }
        true
    }

    fn quoted(&mut self, rest: &[u8]) -> usize {
        let close = rest.iter().position(|&byte| byte == b'"');
        let inside = &rest[..close.unwrap_or(rest.len())];
        for &byte in inside {
            self.line += u64::from(byte == b'\r' || (byte == b'\n' && !self.after_cr));
            self.after_cr = byte == b'\r';
        }
        self.record.push(inside);
        self.quoted += inside.len();
        if close.is_some() {
            self.after_cr = false;
            self.state = State::MaybeClosed;
        }
        inside.len() + usize::from(close.is_some())
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }

    /// Whether the record ends, too.
    fn end_cell(&mut self, byte: u8) -> bool {
        self.record.end_cell();
        if byte == self.delimiter {
            self.state = State::CellStart;
            return false;
        }
        self.line += 1;
        self.after_cr = byte == b'\r';
        self.state = State::Between;
        true
    }

    fn finish(&mut self) -> Result<Option<&Record>, ManifestError> {
        match self.state {
            State::Between => Ok(None),
            State::Quoted => Err(ManifestError::UnterminatedQuote { line: self.quote_line }),
            State::CellStart | State::Plain | State::MaybeClosed => {
                self.record.end_cell();
                self.state = State::Between;
                Ok(Some(&self.record))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use proptest::prelude::*;

    use super::super::Compression;
    use super::super::input::ByteOrderMark;
    use super::*;

    fn records(source: impl Read + Send + 'static) -> Records {
        let input = Input::open(Box::new(source), Compression::None, ByteOrderMark::Verbatim);
        Records::new(input.expect("opens"), b',')
    }

    type Seen = (u64, Vec<Vec<u8>>, Option<Flaw>);

    fn collect(text: &[u8]) -> Result<Vec<Seen>, ManifestError> {
        let mut records = records(Cursor::new(text.to_vec()));
        let mut all = Vec::new();
        while let Some(record) = records.next()? {
            all.push((record.line, record.cells().map(<[u8]>::to_vec).collect(), record.flaw));
        }
        Ok(all)
    }

    fn lines_and_cells(text: &str) -> Vec<(u64, Vec<String>)> {
        let text_of = |cell: Vec<u8>| String::from_utf8(cell).expect("UTF-8");
        let all = collect(text.as_bytes()).expect("reads");
        all.into_iter()
            .map(|(line, cells, flaw)| {
                assert_eq!(flaw, None);
                (line, cells.into_iter().map(text_of).collect())
            })
            .collect()
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_ends() {
        let rows = lines_and_cells("\"a\"\"b\",\"x,y\"\n\"1\r\n2\n3\r4\",z\r\nq\"q,\"\"\n");
        assert_eq!(rows[0], (1, vec!["a\"b".into(), "x,y".into()]));
        assert_eq!(rows[1], (2, vec!["1\r\n2\n3\r4".into(), "z".into()]));
        assert_eq!(rows[2], (6, vec!["q\"q".into(), String::new()]));
    }

    #[test]
    fn line_numbers_hold_after_every_kind_of_line_end_and_blank_lines() {
        let lines = |text| lines_and_cells(text).into_iter().map(|row| row.0).collect::<Vec<_>>();
        assert_eq!(lines("a\nb\nc"), [1, 2, 3]);
        assert_eq!(lines("a\r\nb\r\nc"), [1, 2, 3]);
        assert_eq!(lines("a\rb\rc\r"), [1, 2, 3]);
        assert_eq!(lines("\n\na\r\n\r\n\r\nb\n\r\rc"), [3, 6, 9]);
        assert_eq!(lines("\"a\r\"\n\"\nb\"\nc"), [1, 3, 5]);
        assert_eq!(lines("\"a\r\",\"\nb\"\nc"), [1, 4]);
    }

    #[test]
    fn an_open_quote_is_reported_with_the_line_where_it_opens() {
        let error = collect(b"a,b\nc,\"d\ne,f\n").expect_err("never closed");
        assert!(matches!(error, ManifestError::UnterminatedQuote { line: 2 }), "{error}");
        let mut endless = records((&b"a\n\"b"[..]).chain(std::io::repeat(b'\n').take(2 << 20)));
        assert!(endless.next().expect("reads").is_some());
        let error = endless.next().expect_err("never closed");
        assert!(matches!(error, ManifestError::EndlessQuote { line: 2, .. }), "{error}");
    }

    #[test]
    fn text_after_a_closing_quote_spoils_only_its_record() {
        let rows = collect(b"a,\"b\"c,d\ne,f\n").expect("reads");
        assert_eq!(rows[0].2, Some(Flaw::TextAfterQuote { cell: 1 }));
        assert_eq!((rows[1].0, rows[1].2), (2, None));
    }

    #[test]
    fn an_endless_line_is_skipped_without_being_held() {
        for byte in [b'x', b','] {
            let long = std::io::repeat(byte).take(20 << 20);
            let mut records = records((&b"a,b\n"[..]).chain(long).chain(&b"\nc,d"[..]));
            let mut seen = Vec::new();
            while let Some(record) = records.next().expect("reads") {
                seen.push((record.line, record.flaw));
            }
            assert_eq!(seen, [(1, None), (2, Some(Flaw::TooLong)), (3, None)]);
            let record = records.current();
            let held = record.bytes.capacity() + 8 * record.ends.capacity();
            assert!(held <= 17 * LONGEST_RECORD, "{held}");
        }
    }

    /// Gives few bytes at a time, so that records straddle buffers.
    struct Drip(Cursor<Vec<u8>>, usize);

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(self.1);
            self.0.read(&mut buffer[..length])
        }
    }

    proptest! {
        #[test]
        fn cells_are_those_that_the_csv_crate_reads(text in "[a,\"\r\né ]{0,40}") {
            let Ok(ours) = collect(text.as_bytes()) else { return Ok(()) };
            prop_assume!(ours.iter().all(|row| row.2.is_none()));
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let theirs: Vec<Vec<Vec<u8>>> = reader
                .byte_records()
                .map(|record| record.expect("reads").iter().map(<[u8]>::to_vec).collect())
                .collect();
            let ours: Vec<Vec<Vec<u8>>> = ours.into_iter().map(|row| row.1).collect();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn where_buffers_end_makes_no_difference(text in "[a,\"\r\n]{0,40}", step in 1..4_usize) {
            let whole = collect(text.as_bytes()).ok();
            let mut dripping = records(Drip(Cursor::new(text.into_bytes()), step));
            let mut all = Vec::new();
            let dripped = loop {
                match dripping.next() {
                    Ok(Some(record)) => {
                        let cells = record.cells().map(<[u8]>::to_vec).collect();
                        all.push((record.line, cells, record.flaw));
                    }
                    Ok(None) => break Some(all),
                    Err(_) => break None,
                }
            };
            prop_assert_eq!(whole, dripped);
        }
    }
}
