//! The iterator over a manifest's rows, whatever its format.

use std::fmt;
use std::io::Read;

use super::delimited::Delimited;
use super::input::{ByteOrderMark, Input};
use super::journal::{JournalRows, Taken};
use super::jsonl::Jsonl;
use super::keys::Keys;
use super::lines::LineEnd;
use super::{Compression, Format, ManifestError, Problem, Row};

/// Begins to read a manifest.
///
/// `compression` is what the name promises ([`Compression::from_name`]); what the first bytes show
/// counts more, so that [`Compression::None`] is right where there is no name. Blocks until the
/// first bytes are there, of CSV and TSV the first record.
pub fn open(
    source: Box<dyn Read + Send>,
    format: Format,
    compression: Compression,
) -> Result<Rows, ManifestError> {
    Ok(Rows { reader: reader(source, format, compression)?, ended: Ended::No })
}

/// Begins to read a journal, of which only the jobs that failed are rows.
pub fn open_failed(
    source: Box<dyn Read + Send>,
    compression: Compression,
) -> Result<Rows, ManifestError> {
    let input = Input::open(source, compression, ByteOrderMark::Verbatim)?;
    let reader = Box::new(JournalRows::new(input, Taken::Failed));
    Ok(Rows { reader, ended: Ended::No })
}

/// The rows of a manifest in their order.
///
/// Bad rows come as [`Problem::Row`] and the next ones follow; after a [`Problem::Fatal`] nothing
/// follows. Blocks while the source of the bytes does.
pub struct Rows {
    reader: Box<dyn RowReader>,
    ended: Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

impl Rows {
    /// Names of columns that stand for nothing and are ignored, each once, the first sixteen. All
    /// are known from the start but in `jsonl`, where each row may bring more.
    pub fn ignored_columns(&self) -> &[String] {
        self.reader.ignored()
    }
}

impl Iterator for Rows {
    type Item = Result<Row, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended == Ended::Yes {
            return None;
        }
        let next = self.reader.next_row();
        if matches!(next, Ok(None) | Err(Problem::Fatal(_))) {
            self.ended = Ended::Yes;
        }
        next.transpose()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// The size of a row that is otherwise not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured(pub(super) Option<u64>);

/// What each format implements. `Ok(None)` is the end.
pub(super) trait RowReader: Send {
    fn next_row(&mut self) -> Result<Option<Row>, Problem>;

    /// Like `next_row`, but only the size is looked at.
    fn next_size(&mut self) -> Result<Option<Measured>, Problem>;

    /// Names that were met and stand for nothing.
    fn ignored(&self) -> &[String];
}

pub(super) fn reader(
    source: Box<dyn Read + Send>,
    format: Format,
    compression: Compression,
) -> Result<Box<dyn RowReader>, ManifestError> {
    let mark = match format {
        Format::Keys0 | Format::Journal => ByteOrderMark::Verbatim,
        Format::Csv | Format::Tsv | Format::Jsonl | Format::Keys => ByteOrderMark::Text,
    };
    let input = Input::open(source, compression, mark)?;
    Ok(match format {
        Format::Csv => Box::new(Delimited::open(input, b',')?),
        Format::Tsv => Box::new(Delimited::open(input, b'\t')?),
        Format::Jsonl => Box::new(Jsonl::new(input)),
        Format::Keys => Box::new(Keys::new(input, LineEnd::Newline)),
        Format::Keys0 => Box::new(Keys::new(input, LineEnd::Nul)),
        Format::Journal => Box::new(JournalRows::new(input, Taken::All)),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write as _};

    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::super::RowError;
    use super::*;

    pub(in super::super) type Given = Result<Row, RowError>;

    /// All rows, where nothing fatal is expected.
    pub(in super::super) fn all(text: &[u8], format: Format) -> Vec<Given> {
        let source = Box::new(Cursor::new(text.to_vec()));
        let rows = open(source, format, Compression::None).expect("opens");
        rows.map(|row| {
            row.map_err(|problem| match problem {
                Problem::Row(error) => error,
                Problem::Fatal(error) => panic!("{error}"),
            })
        })
        .collect()
    }

    /// The error that ends reading, at the start or later.
    pub(in super::super) fn refused(text: &[u8], format: Format) -> ManifestError {
        let source = Box::new(Cursor::new(text.to_vec()));
        let mut rows = match open(source, format, Compression::None) {
            Ok(rows) => rows,
            Err(error) => return error,
        };
        let fatal = rows.find_map(|row| match row {
            Err(Problem::Fatal(error)) => Some(error),
            _ => None,
        });
        assert!(rows.next().is_none(), "nothing follows a fatal error");
        fatal.expect("something fatal")
    }

    pub(in super::super) fn row(line: u64, number: u64, source: &str) -> Row {
        Row { line, number, source: Some(source.to_owned()), ..Row::default() }
    }

    #[test]
    fn rows_can_be_read_on_another_thread() {
        let rows = open(Box::new(Cursor::new("a\nb")), Format::Keys, Compression::None);
        let counting = std::thread::spawn(move || rows.expect("opens").count());
        assert_eq!(counting.join().expect("no panic"), 2);
    }

    #[test]
    fn names_that_stand_for_nothing_are_known() {
        let text = Cursor::new("key,md5,size,Owner\na,b,1,c\n");
        let rows = open(Box::new(text), Format::Csv, Compression::None).expect("opens");
        assert_eq!(rows.ignored_columns(), ["md5", "Owner"]);
        let text = Cursor::new("{\"key\":\"a\",\"x\":1}\n{\"key\":\"b\",\"y\":1,\"x\":2}\n");
        let mut rows = open(Box::new(text), Format::Jsonl, Compression::None).expect("opens");
        assert_eq!(rows.by_ref().count(), 2);
        assert_eq!(rows.ignored_columns(), ["x", "y"]);
    }

    #[test]
    fn rows_before_a_truncation_are_given_and_then_the_error() {
        let mut text = String::from("key\n");
        for number in 0..200_000 {
            text.push_str(&(number * 7919 % 1_000_003).to_string());
            text.push('\n');
        }
        let packed = zstd::encode_all(text.as_bytes(), 1).expect("memory can be written");
        let cut = Cursor::new(packed[..packed.len() - 9].to_vec());
        let mut rows = open(Box::new(cut), Format::Csv, Compression::None).expect("opens");
        let good = rows.by_ref().take_while(Result::is_ok).count();
        assert!(good > 1000, "{good}");
        assert!(rows.next().is_none());
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z/]{1,8}", "[ a,;\"#\n\r\t%é日]{1,8}", any::<String>()]
            .prop_filter("an empty cell is no cell", |name| !name.is_empty())
    }

    /// Text that has no spaces around it, since those are not kept.
    fn word() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9/,\"é]{1,8}"
    }

    prop_compose! {
        fn some_row()(
            source in name(),
            rest in vec(option::of(name()), 4),
            words in vec(option::of(word()), 4),
            checksum in option::of("crc32c:[a-zA-Z0-9+/]{6}=="),
            size in option::of(any::<u64>()),
            metadata in vec((word(), name()), 0..3),
        ) -> Row {
            let mut metadata = metadata;
            metadata.sort();
            metadata.dedup_by(|a, b| a.0.eq_ignore_ascii_case(&b.0));
            let [destination, bucket, key, path] = rest.try_into().expect("four");
            let [version_id, etag, content_type, storage_class] = words.try_into().expect("four");
            Row {
                source: Some(source), destination, bucket, key, path, version_id, etag,
                content_type, storage_class, checksum, size, metadata, ..Row::default()
            }
        }
    }

    fn json_metadata(row: &Row) -> serde_json::Value {
        row.metadata
            .iter()
            .map(|(name, value)| (name.clone(), serde_json::Value::from(value.clone())))
            .collect()
    }

    fn write_table(rows: &[Row], delimiter: u8, terminator: csv::Terminator) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(terminator)
            .from_writer(Vec::new());
        writer
            .write_record([
                "source",
                "destination",
                "bucket",
                "key",
                "path",
                "version_id",
                "size",
                "etag",
                "checksum",
                "content_type",
                "storage_class",
                "metadata",
            ])
            .expect("memory can be written");
        for row in rows {
            let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
            let metadata = json_metadata(row);
            writer
                .write_record([
                    text(&row.source),
                    text(&row.destination),
                    text(&row.bucket),
                    text(&row.key),
                    text(&row.path),
                    text(&row.version_id),
                    row.size.map(|size| size.to_string()).unwrap_or_default(),
                    text(&row.etag),
                    text(&row.checksum),
                    text(&row.content_type),
                    text(&row.storage_class),
                    metadata.to_string(),
                ])
                .expect("memory can be written");
        }
        writer.into_inner().expect("memory can be written")
    }

    fn write_json(rows: &[Row]) -> Vec<u8> {
        let mut text = Vec::new();
        for row in rows {
            let json = serde_json::json!({
                "source": row.source, "destination": row.destination, "bucket": row.bucket,
                "key": row.key, "path": row.path, "version_id": row.version_id,
                "size": row.size, "etag": row.etag, "checksum": row.checksum,
                "content_type": row.content_type, "storage_class": row.storage_class,
                "metadata": json_metadata(row),
            });
            writeln!(text, "{json}").expect("memory can be written");
        }
        text
    }

    /// Takes away what the writers do not write.
    fn without_places(given: Vec<Given>) -> Vec<Row> {
        let mut rows = Vec::new();
        for (index, row) in given.into_iter().enumerate() {
            let row = row.expect("a good row");
            assert_eq!(row.number, index as u64 + 1);
            rows.push(Row { line: 0, number: 0, ..row });
        }
        rows
    }

    proptest! {
        #[test]
        fn rows_that_are_written_are_read_back(rows in vec(some_row(), 0..6)) {
            for (delimiter, format) in [(b',', Format::Csv), (b'\t', Format::Tsv)] {
                for end in [csv::Terminator::Any(b'\n'), csv::Terminator::CRLF] {
                    let text = write_table(&rows, delimiter, end);
                    prop_assert_eq!(without_places(all(&text, format)), rows.clone());
                }
            }
            prop_assert_eq!(without_places(all(&write_json(&rows), Format::Jsonl)), rows);
        }

        #[test]
        fn lists_that_are_written_are_read_back(names in vec(name(), 0..9)) {
            let want = |names: &[String]| -> Vec<Given> {
                let numbered = names.iter().zip(1..);
                numbered.map(|(name, number)| Ok(row(number, number, name))).collect()
            };
            let strip = |ends: &[char]| -> Vec<String> {
                let names = names.iter().map(|name| name.replace(ends, ""));
                names.filter(|name| !name.is_empty()).collect()
            };
            let lines = strip(&['\n', '\r', '\0', '\u{feff}']);
            prop_assert_eq!(all(lines.join("\n").as_bytes(), Format::Keys), want(&lines));
            let entries = strip(&['\0']);
            prop_assert_eq!(all(entries.join("\0").as_bytes(), Format::Keys0), want(&entries));
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in vec(any::<u8>(), 0..200),
            text in "[a,\"\\\\{}:=;\n\r\0\\[\\]1éſ key]{0,60}",
            head in prop_oneof![
                Just(&b""[..]), Just(&b"\x1f\x8b\x08\0\0\0\0\0"[..]), Just(&b"\x28\xb5\x2f\xfd"[..]),
                Just(&b"key,size,metadata\n"[..]), Just(&b"{\"source\":"[..]),
            ],
        ) {
            for format in Format::ALL {
                for tail in [&bytes[..], text.as_bytes()] {
                    let source = || Box::new(Cursor::new([head, tail].concat()));
                    if let Ok(rows) = open(source(), format, Compression::None) {
                        prop_assert!(rows.take(1000).count() < 1000);
                    }
                    let _counted = super::super::totals(source(), format, Compression::Zstd);
                }
            }
        }
    }
}
