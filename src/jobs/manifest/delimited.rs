//! CSV and TSV: which columns there are, and rows from records.

use std::str;

use super::columns::{Column, Ignored, size};
use super::escape::quoted;
use super::input::Input;
use super::records::{Flaw, Record, Records};
use super::row::Row;
use super::rows::{Measured, RowReader};
use super::{LONGEST_RECORD, ManifestError, Problem, RowError};

/// Reads the rows of a table.
#[derive(Debug)]
pub(super) struct Delimited {
    records: Records,
    /// What each column stands for.
    columns: Vec<Option<Column>>,
    ignored: Ignored,
    first: First,
    number: u64,
}

/// The record that was read to learn the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Header,
    /// It is a row, and still to be given.
    Row,
}

impl Delimited {
    /// Reads the first record, which says what the columns are.
    ///
    /// It is a header when one of its names says what is moved or where, and when either a second
    /// name is known or no other cell looks like a path or URI (has one of `/ \ : .`). So a bucket
    /// that is called `source` or `key` does not make its row a header.
    pub(super) fn open(input: Input, delimiter: u8) -> Result<Self, ManifestError> {
        let mut table = Self {
            records: Records::new(input, delimiter),
            columns: Vec::new(),
            ignored: Ignored::default(),
            first: First::Header,
            number: 0,
        };
        let Some(record) = table.records.next()? else {
            return Ok(table);
        };
        if record.flaw == Some(Flaw::TooLong) {
            return Err(ManifestError::EndlessHeader { limit: LONGEST_RECORD });
        }
        let names: Vec<&str> =
            record.cells().map(|cell| str::from_utf8(cell).unwrap_or("\u{fffd}")).collect();
        if is_header(&names) {
            table.columns = header(&names, &mut table.ignored)?;
        } else {
            table.columns = without_header(&names, delimiter)?;
            table.first = First::Row;
        }
        Ok(table)
    }

    /// Goes to the next record; whether there is one.
    fn advance(&mut self) -> Result<bool, Problem> {
        if self.first == First::Row {
            self.first = First::Header;
        } else if self.records.next()?.is_none() {
            return Ok(false);
        }
        self.number += 1;
        check(self.records.current(), self.columns.len()).map_err(|reason| self.bad(reason))?;
        Ok(true)
    }

    fn bad(&self, reason: String) -> Problem {
        let line = self.records.current().line;
        RowError { line, number: self.number, reason }.into()
    }

    fn row(&self) -> Result<Row, String> {
        let record = self.records.current();
        let mut row = Row { line: record.line, number: self.number, ..Row::default() };
        for (column, cell) in self.columns.iter().zip(record.cells()) {
            let Some(column) = column else { continue };
            column.set(&mut row, text(*column, cell)?)?;
        }
        if row.names_something() {
            Ok(row)
        } else {
            Err("the row names nothing: source, key and path are empty".to_owned())
        }
    }

    fn size(&self) -> Result<Option<u64>, String> {
        let Some(index) = self.columns.iter().position(|&column| column == Some(Column::Size))
        else {
            return Ok(None);
        };
        size(text(Column::Size, self.records.current().cell(index))?)
    }
}

impl RowReader for Delimited {
    fn next_row(&mut self) -> Result<Option<Row>, Problem> {
        if !self.advance()? {
            return Ok(None);
        }
        self.row().map(Some).map_err(|reason| self.bad(reason))
    }

    fn next_size(&mut self) -> Result<Option<Measured>, Problem> {
        if !self.advance()? {
            return Ok(None);
        }
        self.size().map(|size| Some(Measured(size))).map_err(|reason| self.bad(reason))
    }

    fn ignored(&self) -> &[String] {
        self.ignored.names()
    }
}

fn check(record: &Record, columns: usize) -> Result<(), String> {
    match record.flaw {
        Some(Flaw::TooLong) => Err(format!("the row is longer than {LONGEST_RECORD} bytes")),
        Some(Flaw::TextAfterQuote { cell }) => {
            Err(format!("text after the closing quote of column {}", cell + 1))
        }
        None if record.len() != columns => {
            let s = if record.len() == 1 { "" } else { "s" };
            Err(format!("{} column{s} where {columns} are expected", record.len()))
        }
        None => Ok(()),
    }
}

fn text(column: Column, cell: &[u8]) -> Result<&str, String> {
    str::from_utf8(cell).map_err(|_| format!("{} is not UTF-8: {}", column.name(), quoted(cell)))
}

fn is_header(names: &[&str]) -> bool {
    let known = names.iter().filter_map(|name| Column::from_name(name));
    let (count, locating) = known.fold((0, 0), |(count, locating), column| {
        (count + 1, locating + usize::from(column.locates()))
    });
    let like_a_path = |name: &&&str| name.contains(['/', '\\', ':', '.', '\u{fffd}']);
    locating > 0 && (count > 1 || names.iter().find(like_a_path).is_none())
}

fn header(names: &[&str], ignored: &mut Ignored) -> Result<Vec<Option<Column>>, ManifestError> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = Column::from_name(name);
        let same = |known: &Option<Column>| {
            known.is_some_and(|known| column.is_some_and(|column| column.name() == known.name()))
        };
        if let (Some(column), Some(first)) = (column, columns.iter().position(same)) {
            let (first, second) = (names[first].trim().to_owned(), name.trim().to_owned());
            return Err(ManifestError::ColumnTwice { first, second, meaning: column.name() });
        }
        if column.is_none() && !name.trim().is_empty() {
            ignored.note(name.trim());
        }
        columns.push(column);
    }
    let says_what = [Column::Source, Column::Key, Column::Path];
    if says_what.iter().any(|&column| columns.contains(&Some(column))) {
        return Ok(columns);
    }
    let found = quoted(names.join(", ").as_bytes());
    Err(ManifestError::MissingColumn { found })
}

fn without_header(names: &[&str], delimiter: u8) -> Result<Vec<Option<Column>>, ManifestError> {
    let columns: &[Column] = match *names {
        [only] => {
            let other = [',', ';', '\t', '|'].into_iter().find(|&separator| {
                let names: Vec<&str> = only.split(separator).collect();
                names.len() > 1 && is_header(&names)
            });
            if let Some(found) = other {
                return Err(ManifestError::WrongSeparator { found, expected: delimiter.into() });
            }
            &[Column::Source]
        }
        [_, _] => &[Column::Source, Column::Destination],
        [bucket, _, _] if bucket.contains(['/', ':']) => {
            let bucket = quoted(bucket.as_bytes());
            return Err(ManifestError::NoBucket { bucket });
        }
        [_, _, _] => &[Column::Bucket, Column::Key, Column::Path],
        _ => {
            return Err(ManifestError::NoHeader { columns: names.len() });
        }
    };
    Ok(columns.iter().copied().map(Some).collect())
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::rows::tests::{Given, all, refused, row};
    use super::*;

    fn csv(text: &str) -> Vec<Given> {
        all(text.as_bytes(), Format::Csv)
    }

    fn sources(text: &str) -> Vec<Option<String>> {
        csv(text).into_iter().map(|given| given.expect("a good row").source).collect()
    }

    fn reason(text: &str) -> String {
        let bad = csv(text).into_iter().find_map(Result::err);
        bad.expect("one row is bad").to_string()
    }

    #[test]
    fn every_column_is_read_by_its_name_in_any_order() {
        let rows = csv("Metadata,size, Source ,destination,bucket,key,path,version_id,ETag,\
             checksum,content-type,Storage Class\n\
             a=1;b=2,7,s,d,b,k,p,v,e,crc32c:AA==,text/plain,GLACIER\n");
        let want = Row {
            line: 2,
            number: 1,
            size: Some(7),
            checksum: Some("crc32c:AA==".into()),
            content_type: Some("text/plain".into()),
            storage_class: Some("GLACIER".into()),
            version_id: Some("v".into()),
            etag: Some("e".into()),
            metadata: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
            bucket: Some("b".into()),
            key: Some("k".into()),
            path: Some("p".into()),
            source: Some("s".into()),
            destination: Some("d".into()),
        };
        assert_eq!(rows, [Ok(want)]);
    }

    #[test]
    fn without_a_header_the_number_of_columns_says_what_they_are() {
        let of = |line, number| Row { line, number, ..Row::default() };
        let three = Row {
            bucket: Some("b".into()),
            key: Some("k".into()),
            path: Some("p".into()),
            ..of(1, 1)
        };
        assert_eq!(csv("b,k,p"), [Ok(three)]);
        let two =
            Row { source: Some("s3://b/k".into()), destination: Some("d".into()), ..of(1, 1) };
        assert_eq!(csv("s3://b/k,d\n")[0], Ok(two));
        assert_eq!(csv("s3://b/k\r\nx y")[1], Ok(row(2, 2, "x y")));
    }

    #[test]
    fn a_row_that_only_resembles_a_header_is_a_row() {
        for text in ["source,a/b.txt,out/b.txt", "key,x.csv,y", "source,./file", "path"] {
            let header = csv(text).is_empty();
            assert_eq!(header, text == "path", "{text}");
        }
        // A second known name outweighs an unknown one that looks like a path.
        assert_eq!(csv("key,size,date/time\nk,1,x").len(), 1);
    }

    #[test]
    fn what_the_columns_are_is_never_guessed() {
        for (text, part) in [
            ("a,b,c,d\n", "4 columns"),
            ("s3://b/k,x,y\n", "\"s3://b/k\" is no bucket"),
            ("destination,size\n", "none of the columns"),
            ("key,src,url\n", "src and url both give the source"),
            ("sha256,key,Checksum\n", "sha256 and Checksum both give the checksum"),
            ("source;destination\n", "';' where ','"),
            ("key\tpath\n", "'\\t' where ','"),
        ] {
            let error = refused(text.as_bytes(), Format::Csv).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_bad_row_is_told_with_line_and_counts_and_the_others_go_on() {
        let text = "key,size\na,1\n\"b\nb\",2\nc\nd,1,2\r\ne,3\n";
        let given = csv(text);
        assert_eq!(given.len(), 5);
        assert_eq!(given[1].as_ref().expect("good").line, 3);
        let errors: Vec<String> =
            given.iter().filter_map(|row| row.as_ref().err().map(ToString::to_string)).collect();
        assert_eq!(
            errors,
            ["line 5: 1 column where 2 are expected", "line 6: 3 columns where 2 are expected"]
        );
        let last = given[4].as_ref().expect("good");
        assert_eq!((last.line, last.number, last.size), (7, 5, Some(3)));
    }

    #[test]
    fn every_flaw_of_a_cell_has_its_words() {
        assert_eq!(reason("key,size\na,12k\n"), "line 2: size is not a number of bytes: \"12k\"");
        assert!(reason("key,size\n\"a\"x,1\n").contains("closing quote of column 1"));
        assert!(reason("key,metadata\nk,v\n").contains("metadata has no `=`"));
        assert!(reason("key,size\n,1\n").contains("names nothing"));
        let given = all(b"key,size\ncaf\xe9,1\n", Format::Csv);
        let error = given[0].as_ref().expect_err("not UTF-8").to_string();
        assert_eq!(error, "line 2: key is not UTF-8: \"caf\\xe9\"");
        // Two cells that would be one character together are still two broken ones.
        let given = all(b"key,path\n\xc3,\xa9\n", Format::Csv);
        assert!(given[0].is_err());
    }

    #[test]
    fn cells_are_verbatim() {
        let text =
            "source\n# not a comment\n  spaces  \n%41$(rm)\n-rf\n\"a\"\"b\"\n\"1\r\n2\"\nq\"q\n";
        let want = ["# not a comment", "  spaces  ", "%41$(rm)", "-rf", "a\"b", "1\r\n2", "q\"q"];
        assert_eq!(sources(text), want.map(|source| Some(source.to_owned())));
    }

    #[test]
    fn line_ends_marks_and_blank_lines_make_no_difference() {
        let want: Vec<Option<String>> = vec![Some("a".into()), Some("b".into())];
        for text in [
            "source\na\nb",
            "source\r\na\r\nb\r\n",
            "source\ra\rb\r",
            "\u{feff}source\na\nb\n",
            "\n\nsource\n\na\n\r\nb\n\n",
        ] {
            assert_eq!(sources(text), want, "{text:?}");
        }
    }

    #[test]
    fn nothing_and_a_header_alone_are_no_rows() {
        for text in ["", "\n\r\n", "source,destination", "key\n", "\u{feff}"] {
            assert_eq!(csv(text), [], "{text:?}");
        }
    }

    #[test]
    fn an_overlong_row_is_one_bad_row_and_an_overlong_header_is_fatal() {
        let long = "x".repeat(LONGEST_RECORD + 1);
        let given = csv(&format!("key\na\n{long}\nb\n"));
        assert_eq!(given.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        let error = refused(long.as_bytes(), Format::Csv);
        assert!(matches!(error, ManifestError::EndlessHeader { .. }), "{error}");
    }

    #[test]
    fn tabs_separate_tsv_and_commas_are_data() {
        let given = all(b"source\tdestination\na,b\t\"c\td\"\n", Format::Tsv);
        let row = given[0].as_ref().expect("good");
        assert_eq!(row.source.as_deref(), Some("a,b"));
        assert_eq!(row.destination.as_deref(), Some("c\td"));
    }
}
