//! A journal as a manifest: a row for the last line about each job, or only where that says
//! `failed`.
//!
//! Which line is the last is known at the end only: so lines wait in a file without a name, and
//! memory holds 16 bytes for each. A torn last line is no row; one that is damaged before that ends
//! the manifest before its first row.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write as _};

use super::input::Input;
use super::lines::{Content, LineEnd, Lines};
use super::row::Row;
use super::rows::{Measured, RowReader};
use super::{ManifestError, Problem, RowError};
use crate::domain::journal::{Binding, Entry, FORMAT, Outcome, Want, parse};
use crate::domain::location::S3Uri;
use crate::transfer::journal::Index;

/// Which jobs are rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    All,
    Failed,
}

/// Reads a journal.
#[derive(Debug)]
pub(super) struct JournalRows {
    state: State,
    taken: Taken,
    number: u64,
}

#[derive(Debug)]
enum State {
    Unread(Lines),
    Read(Kept),
    Ended,
}

impl JournalRows {
    pub(super) fn new(input: Input, taken: Taken) -> Self {
        Self { state: State::Unread(Lines::new(input, LineEnd::Newline)), taken, number: 0 }
    }

    fn next_entry(&mut self) -> Result<Option<(u64, Entry)>, ManifestError> {
        if let State::Unread(_) = &self.state
            && let State::Unread(lines) = std::mem::replace(&mut self.state, State::Ended)
        {
            self.state = State::Read(Kept::of(lines)?);
        }
        let State::Read(kept) = &mut self.state else { return Ok(None) };
        while let Some((line, entry)) = kept.next()? {
            if self.taken == Taken::All || entry.outcome == Outcome::Failed {
                self.number += 1;
                return Ok(Some((line, entry)));
            }
        }
        self.state = State::Ended;
        Ok(None)
    }
}

impl RowReader for JournalRows {
    fn next_row(&mut self) -> Result<Option<Row>, Problem> {
        let Some((line, entry)) = self.next_entry()? else { return Ok(None) };
        let number = self.number;
        match row(line, number, entry) {
            Ok(row) => Ok(Some(row)),
            Err(reason) => Err(RowError { line, number, reason }.into()),
        }
    }

    fn next_size(&mut self) -> Result<Option<Measured>, Problem> {
        let entry = self.next_entry()?;
        Ok(entry.map(|(_, entry)| Measured(entry.want.and_then(|want| want.size))))
    }

    fn ignored(&self) -> &[String] {
        &[]
    }
}

/// What a line names, verbatim on both sides.
fn row(line: u64, number: u64, entry: Entry) -> Result<Row, String> {
    let (Some(_), Some(destination)) = (entry.digest, entry.destination) else {
        let line = entry.line.map_or_else(String::new, |line| format!(" on line {line}"));
        let message = entry.message.unwrap_or_default();
        return Err(format!("the journal has no job{line} to be done again: {message}"));
    };
    let is_download = entry.source.starts_with(S3Uri::SCHEME);
    let uri = if is_download { &entry.source } else { &destination };
    let uri = S3Uri::parse(uri).map_err(|error| error.to_string())?;
    let path = if is_download { destination.clone() } else { entry.source.clone() };
    let Want { size, etag, checksum, content_type, storage_class, metadata } =
        entry.want.unwrap_or_default();
    Ok(Row {
        line,
        number,
        source: Some(entry.source),
        destination: Some(destination),
        bucket: Some(uri.bucket.as_str().to_owned()),
        key: Some(uri.rest),
        path: Some(path),
        // What a job that was done has got is not what was asked for.
        version_id: entry.version.filter(|_| entry.outcome == Outcome::Failed),
        size,
        etag,
        checksum,
        content_type,
        storage_class,
        metadata: metadata.into_iter().collect(),
    })
}

/// Lines in a file, in the order in which they were read.
#[derive(Debug)]
struct Kept {
    lines: BufReader<File>,
    /// Numbers of the lines that are the last about their jobs, the first one last.
    wanted: Vec<u64>,
    at: u64,
}

impl Kept {
    fn of(mut lines: Lines) -> Result<Self, ManifestError> {
        let keep = |source| ManifestError::Keep { source };
        let mut file = BufWriter::new(tempfile::tempfile().map_err(keep)?);
        let (mut index, mut wanted) = (Index::default(), Vec::new());
        let mut binding: Option<Binding> = None;
        let mut damaged = None;
        while let Some(line) = lines.next()? {
            if let Some(line) = damaged {
                return Err(ManifestError::DamagedJournal { line });
            }
            let bytes = if let Content::Bytes(bytes) = line.content { bytes } else { &[] };
            let Some(binding) = &binding else {
                let first = parse::<Binding>(bytes).ok();
                let first = first.filter(|first| first.format == FORMAT);
                binding = Some(first.ok_or(ManifestError::NoJournal)?);
                continue;
            };
            let Ok(entry) = parse::<Entry>(bytes) else {
                damaged = Some(line.number);
                continue;
            };
            file.write_all(bytes).and_then(|()| file.write_all(b"\n")).map_err(keep)?;
            match entry.key(binding) {
                Some(key) => index.push(key, line.number),
                None => wanted.push(line.number),
            }
        }
        wanted.extend(index.finish().offsets());
        wanted.sort_unstable_by_key(|line| std::cmp::Reverse(*line));
        let mut file = file.into_inner().map_err(|error| keep(error.into_error()))?;
        file.rewind().map_err(keep)?;
        // The first line is not kept.
        Ok(Self { lines: BufReader::new(file), wanted, at: 1 })
    }

    fn next(&mut self) -> Result<Option<(u64, Entry)>, ManifestError> {
        let Some(wanted) = self.wanted.pop() else { return Ok(None) };
        let mut bytes = Vec::new();
        while self.at < wanted {
            bytes.clear();
            let read = self.lines.read_until(b'\n', &mut bytes);
            read.map_err(|source| ManifestError::Keep { source })?;
            self.at += 1;
        }
        let entry = parse(bytes.trim_ascii_end());
        entry
            .map(|entry| Some((wanted, entry)))
            .map_err(|_| ManifestError::DamagedJournal { line: wanted })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::rows::tests::refused;
    use super::super::{Compression, Format, open, open_failed};
    use super::*;
    use crate::domain::journal::render;
    use crate::domain::journal::tests::{binding, entry};

    fn journal(binding: &Binding, entries: &[Entry]) -> String {
        let first = render(binding).expect("JSON");
        let lines = entries.iter().map(|entry| render(entry).expect("JSON"));
        std::iter::once(first).chain(lines).collect()
    }

    fn rows(text: &str, taken: Taken) -> Vec<Result<Row, RowError>> {
        let source = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let rows = match taken {
            Taken::All => open(source, Format::Journal, Compression::None),
            Taken::Failed => open_failed(source, Compression::None),
        };
        let rows = rows.expect("opens").map(|row| match row {
            Ok(row) => Ok(row),
            Err(Problem::Row(error)) => Err(error),
            Err(Problem::Fatal(error)) => panic!("{error}"),
        });
        rows.collect()
    }

    fn lines_of(rows: &[Result<Row, RowError>]) -> Vec<u64> {
        let line = |row: &Result<Row, RowError>| match row {
            Ok(row) => row.line,
            Err(error) => error.line,
        };
        rows.iter().map(line).collect()
    }

    #[test]
    fn only_the_last_line_about_a_job_counts() {
        use Outcome::{Done, Failed, Skipped};
        let of_rows = Binding { manifest: Some("/m.csv".to_owned()), ..binding() };
        let entries = [
            entry(Some(1), 1, Failed),
            entry(Some(2), 2, Failed),
            entry(Some(3), 3, Done),
            entry(Some(1), 1, Done),
            entry(Some(4), 4, Skipped),
            entry(Some(2), 2, Failed),
        ];
        let text = journal(&of_rows, &entries);
        assert_eq!(lines_of(&rows(&text, Taken::Failed)), [7]);
        assert_eq!(lines_of(&rows(&text, Taken::All)), [4, 5, 6, 7]);
        let by_digest = [entry(None, 1, Failed), entry(None, 2, Failed), entry(None, 1, Done)];
        assert_eq!(lines_of(&rows(&journal(&binding(), &by_digest), Taken::Failed)), [3]);
    }

    #[test]
    fn both_sides_are_named_verbatim_and_what_was_demanded_is() {
        let want = Want { etag: Some("e".to_owned()), size: Some(9), ..Want::default() };
        let download = Entry {
            source: "s3://b/a//../%41 ".to_owned(),
            version: Some("v".to_owned()),
            want: Some(want),
            ..entry(None, 1, Outcome::Failed)
        };
        let upload = Entry {
            source: "/f".to_owned(),
            destination: Some("s3://b/p/".to_owned()),
            ..entry(None, 2, Outcome::Failed)
        };
        let rows = rows(&journal(&binding(), &[download, upload]), Taken::Failed);
        let [Ok(down), Ok(up)] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((down.key.as_deref(), down.path.as_deref()), (Some("a//../%41 "), Some("k")));
        assert_eq!((down.size, down.etag.as_deref()), (Some(9), Some("e")));
        assert_eq!(down.version_id.as_deref(), Some("v"));
        assert_eq!((up.key.as_deref(), up.path.as_deref()), (Some("p/"), Some("/f")));
    }

    #[test]
    fn what_never_was_a_job_is_told_again() {
        let bad = Entry {
            digest: None,
            destination: None,
            message: Some("bad row: no".to_owned()),
            ..entry(Some(5), 1, Outcome::Failed)
        };
        let text = journal(&Binding { manifest: Some("m".to_owned()), ..binding() }, &[bad]);
        let rows = rows(&text, Taken::Failed);
        assert!(rows[0].as_ref().expect_err("no job").reason.contains("bad row: no"));
    }

    #[test]
    fn a_torn_end_is_nothing_and_a_damaged_middle_is_the_end() {
        let entries = [entry(None, 1, Outcome::Failed), entry(None, 2, Outcome::Failed)];
        let text = journal(&binding(), &entries);
        for cut in 1..20 {
            assert_eq!(lines_of(&rows(&text[..text.len() - 1 - cut], Taken::Failed)), [2], "{cut}");
        }
        let damaged = text.replacen("\"outcome\":\"failed\"", "\"outcome\":\"done\"", 1);
        let error = refused(damaged.as_bytes(), Format::Journal);
        assert!(matches!(error, ManifestError::DamagedJournal { line: 2 }), "{error}");
        let error = refused(b"{\"source\":\"s3://b/k\"}\n", Format::Journal);
        assert!(matches!(error, ManifestError::NoJournal), "{error}");
        assert!(rows("", Taken::All).is_empty());
    }
}
