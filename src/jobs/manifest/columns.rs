//! What the columns of a header, and the names in a JSON object, stand for.

use std::str;

use super::escape::quoted;
use super::metadata;
use super::row::Row;

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Source,
    Destination,
    Bucket,
    Key,
    Path,
    VersionId,
    Size,
    ETag,
    /// With the algorithm that the column's name gives, else empty.
    Checksum(&'static str),
    ContentType,
    StorageClass,
    Metadata,
}

impl Column {
    /// Names are read as people write them: `Version ID`, `versionId` and `version-id` are one.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        // No allocation: of JSON, every name of every row comes here.
        let mut plain = [0; 24];
        let mut length = 0;
        for byte in name.bytes().filter(|byte| !matches!(byte, b' ' | b'_' | b'-' | b'\t')) {
            *plain.get_mut(length)? = byte.to_ascii_lowercase();
            length += 1;
        }
        Some(match str::from_utf8(&plain[..length]).ok()? {
            "source" | "src" | "from" | "uri" | "url" | "s3uri" | "s3url" => Self::Source,
            "destination" | "dest" | "dst" | "to" | "target" => Self::Destination,
            "bucket" | "bucketname" => Self::Bucket,
            "key" | "objectkey" => Self::Key,
            "path" | "file" | "filename" | "filepath" | "localpath" => Self::Path,
            "versionid" | "version" => Self::VersionId,
            "size" | "bytes" | "sizebytes" | "sizeinbytes" | "length" | "contentlength" => {
                Self::Size
            }
            "etag" => Self::ETag,
            "checksum" => Self::Checksum(""),
            "crc64nvme" | "checksumcrc64nvme" => Self::Checksum("crc64nvme"),
            "crc32c" | "checksumcrc32c" => Self::Checksum("crc32c"),
            "crc32" | "checksumcrc32" => Self::Checksum("crc32"),
            "sha256" | "checksumsha256" => Self::Checksum("sha256"),
            "sha1" | "checksumsha1" => Self::Checksum("sha1"),
            "contenttype" | "mimetype" => Self::ContentType,
            "storageclass" => Self::StorageClass,
            "metadata" => Self::Metadata,
            _ => return None,
        })
    }

    /// The name in the documentation.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Bucket => "bucket",
            Self::Key => "key",
            Self::Path => "path",
            Self::VersionId => "version_id",
            Self::Size => "size",
            Self::ETag => "etag",
            Self::Checksum(_) => "checksum",
            Self::ContentType => "content_type",
            Self::StorageClass => "storage_class",
            Self::Metadata => "metadata",
        }
    }

    /// Whether it says what is moved, or where.
    pub(super) fn locates(self) -> bool {
        matches!(self, Self::Source | Self::Destination | Self::Bucket | Self::Key | Self::Path)
    }

    /// Whether the row already has it.
    pub(super) fn is_given(self, row: &Row) -> bool {
        match self {
            Self::Source => row.source.is_some(),
            Self::Destination => row.destination.is_some(),
            Self::Bucket => row.bucket.is_some(),
            Self::Key => row.key.is_some(),
            Self::Path => row.path.is_some(),
            Self::VersionId => row.version_id.is_some(),
            Self::Size => row.size.is_some(),
            Self::ETag => row.etag.is_some(),
            Self::Checksum(_) => row.checksum.is_some(),
            Self::ContentType => row.content_type.is_some(),
            Self::StorageClass => row.storage_class.is_some(),
            Self::Metadata => !row.metadata.is_empty(),
        }
    }

    /// Writes a cell into the row, or says what is wrong with it. An empty cell says nothing.
    ///
    /// Names are verbatim, spaces included; in all other cells, spaces around the text are not
    /// part of it.
    pub(super) fn set(self, row: &mut Row, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        let trimmed = text.trim();
        let (cell, text) = match self {
            Self::Source => (&mut row.source, text),
            Self::Destination => (&mut row.destination, text),
            Self::Bucket => (&mut row.bucket, text),
            Self::Key => (&mut row.key, text),
            Self::Path => (&mut row.path, text),
            Self::VersionId => (&mut row.version_id, trimmed),
            Self::ETag => (&mut row.etag, trimmed),
            Self::ContentType => (&mut row.content_type, trimmed),
            Self::StorageClass => (&mut row.storage_class, trimmed),
            Self::Checksum(algorithm) => {
                row.checksum = checksum(algorithm, trimmed);
                return Ok(());
            }
            Self::Size => {
                row.size = size(trimmed)?;
                return Ok(());
            }
            Self::Metadata => {
                row.metadata = metadata::parse(trimmed)?;
                return Ok(());
            }
        };
        if !text.is_empty() {
            *cell = Some(text.to_owned());
        }
        Ok(())
    }
}

fn checksum(algorithm: &str, trimmed: &str) -> Option<String> {
    if trimmed.is_empty() {
        None
    } else if algorithm.is_empty() || trimmed.contains(':') {
        Some(trimmed.to_owned())
    } else {
        Some(format!("{algorithm}:{trimmed}"))
    }
}

/// A number of bytes: digits and nothing else, since `1e3` and `12k` mean different things to
/// different programs.
pub(super) fn size(text: &str) -> Result<Option<u64>, String> {
    let digits = text.trim();
    if digits.is_empty() {
        return Ok(None);
    }
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(number) if only_digits => Ok(Some(number)),
        _ => Err(format!("size is not a number of bytes: {}", quoted(text.as_bytes()))),
    }
}

/// Names that stand for nothing here: they are ignored, but a user is told.
#[derive(Debug, Default)]
pub(super) struct Ignored(Vec<String>);

impl Ignored {
    /// Each JSON object could bring new ones, and memory must not grow with them.
    const MOST: usize = 16;

    pub(super) fn note(&mut self, name: &str) {
        if self.0.len() < Self::MOST && !self.0.iter().any(|known| known == name) {
            self.0.push(name.chars().take(64).collect());
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        for name in ["version_id", "VersionId", " Version ID ", "version-id", "VERSION"] {
            assert_eq!(Column::from_name(name), Some(Column::VersionId), "{name}");
        }
        assert_eq!(Column::from_name("ETag"), Some(Column::ETag));
        assert_eq!(Column::from_name("SHA256"), Some(Column::Checksum("sha256")));
        for name in ["", "keys", "a/key", "md5", "schlüssel"] {
            assert_eq!(Column::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn documented_names_are_known() {
        for name in [
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
        ] {
            assert_eq!(Column::from_name(name).map(Column::name), Some(name));
        }
    }

    #[test]
    fn spaces_are_part_of_names_and_of_nothing_else() {
        let mut row = Row::default();
        Column::Key.set(&mut row, " a ").expect("a key");
        Column::ETag.set(&mut row, " \"e\" ").expect("an etag");
        Column::Size.set(&mut row, " 12 ").expect("a size");
        Column::VersionId.set(&mut row, "  ").expect("nothing");
        assert_eq!(row.key.as_deref(), Some(" a "));
        assert_eq!(row.etag.as_deref(), Some("\"e\""));
        assert_eq!((row.size, row.version_id), (Some(12), None));
    }

    #[test]
    fn a_size_is_digits_only() {
        for text in ["12k", "-1", "+1", "1.5", "1e3", "0x10", "18446744073709551616", "٣"] {
            let error = size(text).expect_err(text);
            assert!(error.contains(text), "{error}");
        }
        assert_eq!(size("18446744073709551615"), Ok(Some(u64::MAX)));
    }

    #[test]
    fn a_checksum_column_may_name_its_algorithm() {
        for (column, text, want) in [
            (Column::Checksum(""), "crc32c:AAAAAA==", "crc32c:AAAAAA=="),
            (Column::Checksum("sha256"), "00ff", "sha256:00ff"),
            (Column::Checksum("sha256"), "sha256:00ff", "sha256:00ff"),
        ] {
            let mut row = Row::default();
            column.set(&mut row, text).expect("a checksum");
            assert_eq!(row.checksum.as_deref(), Some(want));
        }
    }

    #[test]
    fn ignored_names_do_not_pile_up() {
        let mut ignored = Ignored::default();
        for number in 0..1000 {
            ignored.note(&format!("x{}", number % 100));
        }
        assert_eq!(ignored.names().len(), Ignored::MOST);
    }
}
