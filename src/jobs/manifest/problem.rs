//! What can be wrong with one row, and with a manifest as a whole.

use std::io;

use thiserror::Error;

use super::Compression;

/// What an iterator over rows may give instead of a row.
#[derive(Debug, Error)]
pub enum Problem {
    /// This row is bad; the next one may be good.
    #[error(transparent)]
    Row(#[from] RowError),
    /// Nothing more can be read. No row follows.
    #[error(transparent)]
    Fatal(#[from] ManifestError),
}

/// A row that is no job.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct RowError {
    /// The line on which the row starts, from 1. Of a NUL-separated list: the entry.
    pub line: u64,
    /// Which row it is, from 1, as in [`Row::number`](super::Row::number).
    pub number: u64,
    /// What is wrong, printable: control characters and broken UTF-8 are escaped.
    pub reason: String,
}

/// Why a manifest cannot be read, or not any further.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The bytes did not come.
    #[error("could not read the manifest beyond line {line}")]
    Read {
        /// The line that was being read.
        line: u64,
        /// What the source of the bytes said.
        source: io::Error,
    },
    /// The compressed data stops in the middle.
    #[error("the {compression} data of the manifest is cut off after line {line}")]
    Truncated {
        /// What it is compressed with.
        compression: Compression,
        /// The line that was being read.
        line: u64,
    },
    /// The compressed data is damaged.
    #[error("could not decode the {compression} data of the manifest beyond line {line}")]
    Corrupt {
        /// What it is compressed with.
        compression: Compression,
        /// The line that was being read.
        line: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// The name promises compressed data, the content is something else.
    #[error("the manifest is named like {0} data but does not start like it")]
    NotCompressed(Compression),
    /// The text is not UTF-8 but UTF-16.
    #[error("the manifest is UTF-16, which is not read: save it as UTF-8")]
    Utf16,
    /// A quote is opened and the file ends.
    #[error("line {line}: the quoted cell that starts here is never closed")]
    UnterminatedQuote {
        /// The line of the opening quote.
        line: u64,
    },
    /// A quote is opened and not closed for so long that it will not be.
    #[error("line {line}: the quoted cell that starts here is not closed within {limit} bytes")]
    EndlessQuote {
        /// The line of the opening quote.
        line: u64,
        /// The longest record that is read.
        limit: usize,
    },
    /// Too long a first row to tell the columns from.
    #[error("the first row is longer than {limit} bytes, so that the columns are not known")]
    EndlessHeader {
        /// The longest record that is read.
        limit: usize,
    },
    /// A header without a name for what is to be moved.
    #[error("the header has none of the columns source, key and path: it has {found}")]
    MissingColumn {
        /// The columns that it has.
        found: String,
    },
    /// Two columns with one meaning.
    #[error("the header's columns {first} and {second} both give the {meaning}")]
    ColumnTwice {
        /// The name of the first.
        first: String,
        /// The name of the second.
        second: String,
        /// The name of what both stand for.
        meaning: &'static str,
    },
    /// No header, and a number of columns that does not say what they are.
    #[error(
        "the first row is no header and has {columns} columns: without a header a row is \
         source,destination or bucket,key,path"
    )]
    NoHeader {
        /// How many there are.
        columns: usize,
    },
    /// Three columns without header whose first cannot be a bucket.
    #[error(
        "the first row is no header, and {bucket} is no bucket: without a header three columns \
         are bucket,key,path"
    )]
    NoBucket {
        /// What stands in its place, quoted.
        bucket: String,
    },
    /// The header is one cell because another character separates the names.
    #[error("the header's names are separated by {found:?} where {expected:?} is expected")]
    WrongSeparator {
        /// The one that the file uses.
        found: char,
        /// The one that the format has.
        expected: char,
    },
    /// A journal's first line is missing, or is another's.
    #[error("the manifest is no journal of this version of haul: its first line is not one's")]
    NoJournal,
    /// A line that does not have its sum, and is not the last.
    #[error("line {line} of the journal is damaged, or was edited")]
    DamagedJournal {
        /// Which one.
        line: u64,
    },
    /// What is read of a journal is kept in a file until its end is known.
    #[error("could not keep the rows of the journal in a temporary file")]
    Keep {
        /// What the system said.
        source: io::Error,
    },
    /// JSON, but not a value a line.
    #[error("the manifest is a JSON array: write one object a line (jq -c '.[]')")]
    JsonArray,
}
