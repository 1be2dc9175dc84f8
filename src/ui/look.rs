//! How the lines of a listing look to people. JSON has everything always.

use crate::domain::escape::Escaped;
use crate::domain::quantity::ByteSize;

/// What of a record is shown, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    pub sizes: Sizes,
    pub columns: Columns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Columns {
    #[default]
    Few,
    /// Storage class and ETag, too.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sizes {
    #[default]
    Bytes,
    /// `1.2 MiB`.
    Readable,
}

impl Look {
    /// The columns between size and name: a storage class has 19 letters at most, the ETag of an
    /// object in 10,000 parts 38.
    pub(super) fn more(self, class: Option<&str>, etag: Option<&str>) -> String {
        if self.columns == Columns::Few {
            return String::new();
        }
        let [class, etag] = [class, etag].map(|text| Escaped(text.unwrap_or("")).to_string());
        format!("{class:<19}  {etag:<38}  ")
    }
}

impl Sizes {
    pub(super) fn text(self, size: u64) -> String {
        match self {
            Self::Bytes => size.to_string(),
            Self::Readable => ByteSize(size).to_string(),
        }
    }
}
