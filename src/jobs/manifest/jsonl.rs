//! JSON Lines: an object a line, or a string, which is a source.
//!
//! Values go straight from the text into the row: no tree of values is built.

use std::{fmt, str};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::columns::{Column, Ignored};
use super::escape::quoted;
use super::input::Input;
use super::lines::{Content, LineEnd, Lines};
use super::metadata;
use super::row::Row;
use super::rows::{Measured, RowReader};
use super::{LONGEST_RECORD, ManifestError, Problem, RowError};

/// Reads a JSON value a line. Names are those of columns; `null` and `""` are empty cells.
#[derive(Debug)]
pub(super) struct Jsonl {
    lines: Lines,
    ignored: Ignored,
    number: u64,
}

impl Jsonl {
    pub(super) fn new(input: Input) -> Self {
        Self { lines: Lines::new(input, LineEnd::Newline), ignored: Ignored::default(), number: 0 }
    }

    fn next(&mut self, wanted: Wanted) -> Result<Option<Row>, Problem> {
        loop {
            let Some(line) = self.lines.next()? else {
                return Ok(None);
            };
            if matches!(line.content, Content::Bytes(bytes) if bytes.trim_ascii().is_empty()) {
                continue;
            }
            self.number += 1;
            if self.number == 1 && is_array(&line.content) {
                return Err(ManifestError::JsonArray.into());
            }
            let mut row = Row { line: line.number, number: self.number, ..Row::default() };
            let into = RowSeed { row: &mut row, ignored: &mut self.ignored, wanted };
            return match read(&line.content, into) {
                Ok(()) => Ok(Some(row)),
                Err(reason) => Err(RowError { line: row.line, number: row.number, reason }.into()),
            };
        }
    }
}

impl RowReader for Jsonl {
    fn next_row(&mut self) -> Result<Option<Row>, Problem> {
        self.next(Wanted::Everything)
    }

    fn next_size(&mut self) -> Result<Option<Measured>, Problem> {
        Ok(self.next(Wanted::Size)?.map(|row| Measured(row.size)))
    }

    fn ignored(&self) -> &[String] {
        self.ignored.names()
    }
}

/// The pairs of a JSON object of texts.
pub(super) fn metadata_object(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    parse(text, Pairs(&mut pairs))?;
    Ok(pairs)
}

fn is_array(content: &Content<'_>) -> bool {
    matches!(content, Content::Bytes(bytes) if bytes.trim_ascii_start().starts_with(b"["))
}

fn read(content: &Content<'_>, into: RowSeed<'_>) -> Result<(), String> {
    let &Content::Bytes(bytes) = content else {
        return Err(format!("the row is longer than {LONGEST_RECORD} bytes"));
    };
    let text =
        str::from_utf8(bytes).map_err(|_| format!("the row is not UTF-8: {}", quoted(bytes)))?;
    parse(text, into)
}

fn parse<'a>(text: &'a str, into: impl DeserializeSeed<'a, Value = ()>) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = into.deserialize(&mut json).and_then(|()| json.end());
    parsed.map_err(|error| {
        // It is always line 1 of the text, and another one of the manifest.
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = error.to_string();
        let message = message.strip_suffix(&place).unwrap_or(&message);
        format!("{message} (byte {})", error.column())
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Everything,
    Size,
}

struct RowSeed<'a> {
    row: &'a mut Row,
    ignored: &'a mut Ignored,
    wanted: Wanted,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a string")
    }

    fn visit_str<E: Error>(self, source: &str) -> Result<(), E> {
        if source.is_empty() {
            return Err(E::custom("the row names nothing: the string is empty"));
        }
        Column::Source.set(self.row, source).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(column) = map.next_key_seed(ColumnSeed(self.ignored))? {
            match column {
                Some(column) if self.wanted == Wanted::Everything || column == Column::Size => {
                    if column.is_given(self.row) {
                        return Err(A::Error::custom(format!("{} is given twice", column.name())));
                    }
                    map.next_value_seed(Cell { column, row: self.row })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if self.wanted == Wanted::Everything && !self.row.names_something() {
            return Err(A::Error::custom("the row names nothing: no source, key or path"));
        }
        Ok(())
    }
}

struct ColumnSeed<'a>(&'a mut Ignored);

impl<'de> DeserializeSeed<'de> for ColumnSeed<'_> {
    type Value = Option<Column>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ColumnSeed<'_> {
    type Value = Option<Column>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let column = Column::from_name(name);
        if column.is_none() {
            self.0.note(name);
        }
        Ok(column)
    }
}

struct Cell<'a> {
    column: Column,
    row: &'a mut Row,
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.column {
            Column::Size => "a number of bytes",
            Column::Metadata => "an object of strings",
            _ => "a string",
        };
        write!(f, "{kind} as {}", self.column.name())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.column.set(self.row, text).map_err(E::custom)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        if self.column != Column::Size {
            return Err(E::invalid_type(serde::de::Unexpected::Unsigned(number), &self));
        }
        self.row.size = Some(number);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.column != Column::Metadata {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self));
        }
        Pairs(&mut self.row.metadata).visit_map(map)
    }
}

struct Pairs<'a>(&'a mut Vec<(String, String)>);

impl<'de> DeserializeSeed<'de> for Pairs<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings as metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            metadata::push(self.0, &name, &value).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::rows::tests::{Given, all, refused, row};
    use super::*;

    fn jsonl(text: &str) -> Vec<Given> {
        all(text.as_bytes(), Format::Jsonl)
    }

    #[test]
    fn an_object_gives_every_column() {
        let text = r#"{"metadata":{"a":"1","b":"x;y=z"},"size":7,"Key":" k\n","etag":"\"e\"",
            "sha256":"00","version_id":null,"path":"","bucket":"b","extra":[1,{"a":2}]}"#;
        let want = Row {
            line: 1,
            number: 1,
            bucket: Some("b".into()),
            key: Some(" k\n".into()),
            size: Some(7),
            etag: Some("\"e\"".into()),
            checksum: Some("sha256:00".into()),
            metadata: vec![("a".into(), "1".into()), ("b".into(), "x;y=z".into())],
            ..Row::default()
        };
        assert_eq!(jsonl(&text.replace('\n', " ")), [Ok(want)]);
    }

    #[test]
    fn a_string_is_a_source_and_blank_lines_are_nothing() {
        let given = jsonl("\r\n\"s3://b/k\"\r\n  \n  {\"source\":\"x\",\"size\":\"5\"}  ");
        assert_eq!(given[0], Ok(row(2, 1, "s3://b/k")));
        assert_eq!(given[1], Ok(Row { size: Some(5), ..row(4, 2, "x") }));
    }

    #[test]
    fn every_bad_row_has_its_words_and_the_others_go_on() {
        for (text, part) in [
            (r#"{"source":"a""#, "EOF"),
            (r#"{"source":"a"} x"#, "trailing characters (byte 16)"),
            (r#"{"source":"a","size":-1}"#, "expected a number of bytes as size"),
            (r#"{"source":"a","size":1.5}"#, "expected a number of bytes as size"),
            (r#"{"source":"a","size":"1k"}"#, "size is not a number of bytes: \"1k\""),
            (r#"{"key":12}"#, "expected a string as key"),
            (r#"{"key":{}}"#, "expected a string as key"),
            (r#"{"key":"a","metadata":[]}"#, "expected an object of strings as metadata"),
            (r#"{"key":"a","metadata":{"a":1}}"#, "expected a string"),
            (r#"{"key":"a","metadata":{"a":"1","A":"2"}}"#, "metadata has \"A\" twice"),
            (r#"{"source":"a","src":"b"}"#, "source is given twice"),
            (r#"{"destination":"a"}"#, "names nothing"),
            (r#"{"source":""}"#, "names nothing"),
            ("\"\"", "names nothing"),
            ("12", "expected an object or a string"),
            ("[\"a\"]", "expected an object or a string"),
            (r#"{"source":"\ud800"}"#, "(byte "),
        ] {
            let given = jsonl(&format!("\"x\"\n{text}\n\"y\"\n"));
            let error = given[1].as_ref().expect_err(text);
            assert_eq!((error.line, error.number), (2, 2));
            assert!(error.reason.contains(part), "{text}: {error}");
            assert!(!error.reason.contains("line 1"), "{error}");
            assert_eq!(given[2], Ok(row(3, 3, "y")), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_spoil_their_row_only() {
        let given = all(b"\"caf\xe9\"\n\"b\"\n", Format::Jsonl);
        assert!(given[0].as_ref().expect_err("not UTF-8").reason.contains("caf\\xe9"));
        assert_eq!(given[1], Ok(row(2, 2, "b")));
    }

    #[test]
    fn a_deep_value_is_skipped_without_a_stack_to_match() {
        let deep = format!("{{\"source\":\"a\",\"x\":{}{}}}", "[".repeat(9999), "]".repeat(9999));
        assert_eq!(jsonl(&deep), [Ok(row(1, 1, "a"))]);
    }

    #[test]
    fn an_array_is_refused_as_a_whole() {
        let error = refused(b" [\n{\"source\":\"a\"}\n]\n", Format::Jsonl);
        assert!(matches!(error, ManifestError::JsonArray), "{error}");
    }
}
