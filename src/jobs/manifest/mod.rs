//! Manifests: bytes in, one row a job out, whatever the format.
//!
//! Everything is synchronous and streams: memory does not depend on the length of the manifest, nor
//! on that of its longest line. What a row means (which side is S3, what a relative path is relative
//! to) is decided elsewhere; here a cell is only text, taken verbatim.

mod columns;
mod delimited;
mod escape;
mod format;
mod gzip;
mod input;
mod journal;
mod jsonl;
mod keys;
mod lines;
mod metadata;
mod problem;
mod records;
mod row;
mod rows;
mod text;
mod totals;

pub use format::{Compression, Format, UnknownFormat};
pub use lines::LONGEST_RECORD;
pub use problem::{ManifestError, Problem, RowError};
pub use row::Row;
pub use rows::{Rows, open, open_failed};
pub use text::{Text, TextLine};
pub use totals::{Totals, totals};
