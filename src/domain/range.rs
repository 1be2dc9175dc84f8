//! Ranges of an object's bytes, and the headers that speak of them.

use std::fmt;
use std::str::FromStr;

/// `length` bytes from `start`; never empty, since HTTP has no way to ask for nothing: some servers
/// answer `bytes=5-4` with the whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByteRange {
    start: u64,
    length: u64,
}

impl ByteRange {
    /// `None` when the range would be empty or pass the end of what a `u64` counts.
    pub fn new(start: u64, length: u64) -> Option<Self> {
        (length > 0 && start.checked_add(length).is_some()).then_some(Self { start, length })
    }

    pub fn start(self) -> u64 {
        self.start
    }

    pub fn length(self) -> u64 {
        self.length
    }

    /// The first byte behind the range.
    pub fn end(self) -> u64 {
        self.start + self.length
    }

    /// What is left of the range behind its first `done` bytes.
    pub fn rest(self, done: u64) -> Option<Self> {
        Self::new(self.start.checked_add(done)?, self.length.checked_sub(done)?)
    }
}

/// As in a `Range` header.
impl fmt::Display for ByteRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "bytes={}-{}", self.start, self.end() - 1)
    }
}

/// Bytes that a person asks for, of an object of whatever size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From the first to the last, both included, or to the end.
    From { first: u64, last: Option<u64> },
    /// The last so many.
    Last(u64),
}

impl Span {
    /// Those of an object of this size; `None`: there are none.
    pub fn of(self, size: u64) -> Option<ByteRange> {
        let (start, end) = match self {
            Self::From { first, last } => {
                (first, last.map_or(size, |last| last.saturating_add(1).min(size)))
            }
            Self::Last(length) => (size.saturating_sub(length), size),
        };
        ByteRange::new(start, end.checked_sub(start)?)
    }
}

/// `0-99`, `100-`, `-100`, also with `bytes=` before it, as in a `Range` header.
impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = "it must be like 0-99, 100- or -100";
        let text = text.strip_prefix("bytes=").unwrap_or(text);
        let (first, last) = text.split_once('-').ok_or(error)?;
        let filled = |text: &str| if text.is_empty() { None } else { Some(number(text)) };
        match (filled(first), filled(last)) {
            (None, Some(Some(length))) if length > 0 => Ok(Self::Last(length)),
            (Some(Some(first)), None) => Ok(Self::From { first, last: None }),
            (Some(Some(first)), Some(Some(last))) if first <= last => {
                Ok(Self::From { first, last: Some(last) })
            }
            _ => Err(error),
        }
    }
}

/// What a `Content-Range` header says: the bytes that follow, and how many the object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    pub range: ByteRange,
    pub total: u64,
}

impl ContentRange {
    /// Reads `bytes 0-7/16`. `None` for anything else, `bytes 0-7/*` and ranges beyond the total
    /// included: without a total nothing can be planned.
    pub fn parse(text: &str) -> Option<Self> {
        let (span, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let (first, last, total) = (number(first)?, number(last)?, number(total)?);
        let length = last.checked_sub(first)?.checked_add(1)?;
        let range = ByteRange::new(first, length)?;
        (range.end() <= total).then_some(Self { range, total })
    }
}

/// Digits only: `parse` alone would take `+5`.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_range_does_not_exist() {
        assert_eq!(ByteRange::new(5, 0), None);
        assert_eq!(ByteRange::new(u64::MAX, 1), None);
        assert_eq!(ByteRange::new(0, 8).and_then(|range| range.rest(8)), None);
    }

    #[test]
    fn nonsense_is_no_content_range() {
        for text in [
            "",
            "bytes",
            "bytes 0-7",
            "bytes 0-7/*",
            "bytes 8-7/16",
            "bytes 0-16/16",
            "bytes +0-7/16",
            "0-7/16",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_range_is_read_back(start in 0..u64::MAX / 4, length in 1..u64::MAX / 4, more in 0..1000u64) {
            let range = ByteRange::new(start, length).expect("not empty");
            let total = range.end() + more;
            let text = format!("bytes {}-{}/{total}", start, range.end() - 1);
            prop_assert_eq!(ContentRange::parse(&text), Some(ContentRange { range, total }));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            let _read = ContentRange::parse(&text);
        }
    }

    #[test]
    fn what_a_person_asks_for_is_cut_to_what_there_is() {
        let of = |text: &str, size| {
            let range = text.parse::<Span>().expect("a span").of(size);
            range.map(|range| (range.start(), range.end()))
        };
        assert_eq!(of("0-0", 10), Some((0, 1)));
        assert_eq!(of("bytes=2-4", 10), Some((2, 5)));
        assert_eq!(of("8-99", 10), Some((8, 10)));
        assert_eq!(of("3-", 10), Some((3, 10)));
        assert_eq!(of("-3", 10), Some((7, 10)));
        assert_eq!(of("-30", 10), Some((0, 10)));
        assert_eq!(of("0-18446744073709551615", 10), Some((0, 10)));
        assert_eq!((of("10-", 10), of("0-", 0), of("-1", 0)), (None, None, None));
        for text in
            ["", "-", "x", "1", "5-4", "-0", "+1-2", "1-2,4-5", "1--2", "99999999999999999999-"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
