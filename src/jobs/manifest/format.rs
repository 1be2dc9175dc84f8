//! What a manifest is written in, told by its name or its first bytes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How the rows of a manifest are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Columns between commas, RFC 4180.
    Csv,
    /// Columns between tabs, quoted as in CSV.
    Tsv,
    /// One JSON object (or string, which is a source) a line.
    Jsonl,
    /// One source a line, verbatim.
    Keys,
    /// One source up to each NUL, verbatim: what `find -print0` writes.
    Keys0,
    /// What `--journal` wrote: the last line about each job.
    Journal,
}

impl Format {
    /// Every format, in the order in which help texts list them.
    pub const ALL: [Self; 6] =
        [Self::Csv, Self::Tsv, Self::Jsonl, Self::Keys, Self::Keys0, Self::Journal];

    /// The name that `--manifest-format` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Jsonl => "jsonl",
            Self::Keys => "keys",
            Self::Keys0 => "keys0",
            Self::Journal => "journal",
        }
    }

    /// The format that a file name's extension stands for, below `.gz` or `.zst`.
    ///
    /// `.json` is none of them: it may be an S3 Inventory's `manifest.json` or an array.
    pub fn from_name(file_name: &str) -> Option<Self> {
        let (stem, _) = Compression::split_name(file_name);
        match extension(stem)?.as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "journal" => Some(Self::Journal),
            "keys" | "txt" | "list" | "lst" => Some(Self::Keys),
            "keys0" => Some(Self::Keys0),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// A name that is no format's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown manifest format {0:?}: known are csv, tsv, jsonl, keys, keys0 and journal")]
pub struct UnknownFormat(pub String);

/// How the bytes of a manifest are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
}

impl Compression {
    /// What a file name's last extension promises.
    pub fn from_name(file_name: &str) -> Self {
        Self::split_name(file_name).1
    }

    /// What the first bytes show. Neither mark is valid UTF-8, so no text is taken for packed.
    pub fn from_magic(head: &[u8]) -> Self {
        if head.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::None
        }
    }

    fn split_name(file_name: &str) -> (&str, Self) {
        let packed = match extension(file_name).as_deref() {
            Some("gz" | "gzip") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => return (file_name, Self::None),
        };
        let dot = file_name.rfind('.').unwrap_or(file_name.len());
        (&file_name[..dot], packed)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

fn extension(file_name: &str) -> Option<String> {
    let base = file_name.rsplit(['/', '\\']).next()?;
    let (_, extension) = base.rsplit_once('.')?;
    Some(extension.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_tells_format_and_compression() {
        for (name, format, compression) in [
            ("m.csv", Some(Format::Csv), Compression::None),
            ("dir.keys/m.TSV", Some(Format::Tsv), Compression::None),
            ("s3://b/p/m.jsonl.gz", Some(Format::Jsonl), Compression::Gzip),
            ("m.ndjson.zst", Some(Format::Jsonl), Compression::Zstd),
            ("list.txt", Some(Format::Keys), Compression::None),
            ("m.keys0", Some(Format::Keys0), Compression::None),
            ("run.journal", Some(Format::Journal), Compression::None),
            ("manifest.json", None, Compression::None),
            ("m.gz", None, Compression::Gzip),
            ("a.csv/m", None, Compression::None),
            ("", None, Compression::None),
        ] {
            assert_eq!(Format::from_name(name), format, "{name}");
            assert_eq!(Compression::from_name(name), compression, "{name}");
        }
    }

    #[test]
    fn a_format_is_written_as_it_is_read() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let error = "xml".parse::<Format>().expect_err("xml is no format");
        assert!(error.to_string().contains("\"xml\""), "{error}");
    }

    #[test]
    fn the_first_bytes_tell_the_compression() {
        assert_eq!(Compression::from_magic(b"\x1f\x8b\x08"), Compression::Gzip);
        assert_eq!(Compression::from_magic(b"\x28\xb5\x2f\xfd"), Compression::Zstd);
        assert_eq!(Compression::from_magic(b"source"), Compression::None);
        assert_eq!(Compression::from_magic(b""), Compression::None);
    }
}
