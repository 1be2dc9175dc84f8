//! Counts a manifest's rows and bytes without keeping them, for a total before the first transfer.

use std::io::Read;

use super::rows::{Measured, reader};
use super::{Compression, Format, ManifestError, Problem};

/// What a whole manifest comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Rows that may be jobs. A few of them can still turn out bad when they are read in full.
    pub rows: u64,
    /// Rows that are no jobs.
    pub bad_rows: u64,
    /// The sum of the rows' sizes, unknown when one has none.
    pub bytes: Option<u64>,
}

/// Reads a manifest to its end, looking at nothing but sizes. The arguments are those of
/// [`open`](super::open).
pub fn totals(
    source: Box<dyn Read + Send>,
    format: Format,
    compression: Compression,
) -> Result<Totals, ManifestError> {
    let mut reader = reader(source, format, compression)?;
    let mut totals = Totals { rows: 0, bad_rows: 0, bytes: Some(0) };
    loop {
        match reader.next_size() {
            Ok(Some(Measured(size))) => {
                totals.rows += 1;
                totals.bytes = totals.bytes.zip(size).and_then(|(sum, size)| sum.checked_add(size));
            }
            Ok(None) => return Ok(totals),
            Err(Problem::Row(_)) => totals.bad_rows += 1,
            Err(Problem::Fatal(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn count(text: &'static str, format: Format) -> Totals {
        totals(Box::new(Cursor::new(text)), format, Compression::None).expect("reads")
    }

    #[test]
    fn sizes_are_summed_when_every_row_has_one() {
        let want = Totals { rows: 2, bad_rows: 0, bytes: Some(12) };
        assert_eq!(count("key,size\na,5\nb,7\n", Format::Csv), want);
        assert_eq!(count("size\tkey\n5\ta\n7\tb\n", Format::Tsv), want);
        assert_eq!(
            count("{\"key\":\"a\",\"size\":5}\n{\"size\":\"7\",\"key\":\"b\"}\n", Format::Jsonl),
            want
        );
    }

    #[test]
    fn one_row_without_a_size_makes_the_sum_unknown() {
        let want = Totals { rows: 2, bad_rows: 0, bytes: None };
        assert_eq!(count("key,size\na,5\nb,\n", Format::Csv), want);
        assert_eq!(count("{\"key\":\"a\",\"size\":5}\n\"b\"", Format::Jsonl), want);
        assert_eq!(count("a\nb\n", Format::Keys), want);
        assert_eq!(count("a\0b\0", Format::Keys0), want);
        let huge = "key,size\na,18446744073709551615\nb,1\n";
        assert_eq!(count(huge, Format::Csv), want);
    }

    #[test]
    fn bad_rows_are_counted_apart() {
        let want = Totals { rows: 1, bad_rows: 2, bytes: Some(5) };
        assert_eq!(count("key,size\na,5\nb,x\nc\n", Format::Csv), want);
        assert_eq!(count("{\"key\":\"a\",\"size\":5}\n{\n1\n", Format::Jsonl), want);
    }

    #[test]
    fn nothing_is_zero_bytes() {
        let want = Totals { rows: 0, bad_rows: 0, bytes: Some(0) };
        for format in Format::ALL {
            assert_eq!(count("", format), want, "{format}");
        }
    }

    #[test]
    fn what_ends_the_rows_ends_the_count() {
        let text = Box::new(Cursor::new("key,size\na,5\n\"b,7\n"));
        totals(text, Format::Csv, Compression::None).expect_err("the quote is never closed");
    }
}
