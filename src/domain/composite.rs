//! Checksums of objects that were uploaded in parts: one of each part, and one of all of those.

use std::fmt;

use super::checksum::{Algorithm, Checksum, Hasher};

/// A checksum of the checksums of parts: says nothing without the sizes of those parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Composite {
    value: Checksum,
    /// Not every server says it.
    parts: Option<usize>,
}

impl Composite {
    /// Reads `AAAAAA==-7`, the base64 of a header and the number of parts.
    pub fn from_base64(algorithm: Algorithm, text: &str) -> Option<Self> {
        let (value, parts) = match text.rsplit_once('-') {
            Some((value, count)) => (value, Some(count.parse().ok().filter(|count| *count > 0)?)),
            None => (text, None),
        };
        Some(Self { value: Checksum::from_base64(algorithm, value)?, parts })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.value.algorithm()
    }
}

/// `crc32:AAAAAA==-7`, as S3 writes it.
impl fmt::Display for Composite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(formatter)?;
        match self.parts {
            Some(parts) => write!(formatter, "-{parts}"),
            None => Ok(()),
        }
    }
}

/// A part as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    pub size: u64,
    pub checksum: Option<Checksum>,
}

/// A part and what it sums up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSum {
    pub size: u64,
    pub checksum: Checksum,
}

/// The checksums of all parts of an object, in order, of one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSums {
    algorithm: Algorithm,
    parts: Vec<PartSum>,
}

impl PartSums {
    /// Takes what a store lists of the parts of an object of `size` bytes that has the checksum
    /// `composite`. `None` for a list that does not add up to both: it is no witness, whichever of
    /// them is wrong.
    pub fn listed(parts: Vec<StoredPart>, size: u64, composite: &Composite) -> Option<Self> {
        let algorithm = composite.algorithm();
        let parts = parts.into_iter().map(|part| {
            let checksum = part.checksum.filter(|sum| sum.algorithm() == algorithm)?;
            Some(PartSum { size: part.size, checksum })
        });
        let sums = Self { algorithm, parts: parts.collect::<Option<_>>()? };
        let total = sums.sizes().try_fold(0, u64::checked_add);
        let is_whole = total == Some(size)
            && composite.parts.is_none_or(|parts| parts == sums.parts.len())
            && sums.composite().value == composite.value;
        is_whole.then_some(sums)
    }

    /// Of parts that were summed here.
    pub(super) fn of(algorithm: Algorithm, parts: Vec<PartSum>) -> Self {
        Self { algorithm, parts }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn parts(&self) -> &[PartSum] {
        &self.parts
    }

    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().map(|part| part.size)
    }

    /// The checksum of all bytes in order, which only CRCs of parts give.
    pub fn folded(&self) -> Option<Checksum> {
        let crc = self.algorithm.crc()?;
        let whole = self.parts.iter().try_fold(crc.empty(), |whole, part| {
            Some(crc.fold(whole, part.checksum.crc_value()?, part.size))
        });
        whole.map(|value| crc.checksum(value))
    }

    /// The checksum of the checksums.
    pub fn composite(&self) -> Composite {
        let mut hasher = Hasher::new(self.algorithm);
        for part in &self.parts {
            hasher.update(part.checksum.as_bytes());
        }
        Composite { value: hasher.finish(), parts: Some(self.parts.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    fn summed_parts(parts: Vec<StoredPart>) -> Vec<PartSum> {
        let summed = |part: StoredPart| Some(PartSum { size: part.size, checksum: part.checksum? });
        parts.into_iter().map(summed).collect::<Option<_>>().expect("each has its sum")
    }

    fn part(bytes: &[u8]) -> StoredPart {
        StoredPart { size: bytes.len() as u64, checksum: Some(sum(bytes)) }
    }

    #[test]
    fn a_composite_is_a_value_and_a_count() {
        let read = |text| Composite::from_base64(Algorithm::Crc32, text);
        assert_eq!(read("AAAAAA==-7").expect("read").to_string(), "crc32:AAAAAA==-7");
        assert_eq!(read("AAAAAA==").expect("read").parts, None);
        for text in ["AAAAAA==-", "AAAAAA==-0", "AAAAAA==-x", "-7", "", "AAAAAAAA-7"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_list_that_does_not_add_up_is_no_list() {
        let parts = || vec![part(b"one"), part(b"three"), part(b"five!")];
        let right = PartSums::of(Algorithm::Sha256, summed_parts(parts()));
        let composite = right.composite();
        assert_eq!(PartSums::listed(parts(), 13, &composite), Some(right));
        assert_eq!(PartSums::listed(parts(), 14, &composite), None, "another size");
        assert_eq!(PartSums::listed(parts()[..2].to_vec(), 8, &composite), None, "a part less");
        let mut swapped = parts();
        swapped.swap(0, 2);
        assert_eq!(PartSums::listed(swapped, 13, &composite), None, "another order");
        let mut unsummed = parts();
        unsummed[1].checksum = None;
        assert_eq!(PartSums::listed(unsummed, 13, &composite), None, "a part without a sum");
        let miscounted = Composite { parts: Some(4), ..composite.clone() };
        assert_eq!(PartSums::listed(parts(), 13, &miscounted), None, "another count");
        let uncounted = Composite { parts: None, ..composite.clone() };
        assert!(PartSums::listed(parts(), 13, &uncounted).is_some(), "not every server counts");
        let other = Composite::from_base64(Algorithm::Crc32, "AAAAAA==-3").expect("read");
        assert_eq!(PartSums::listed(parts(), 13, &other), None, "another algorithm");
        // The bytes of the checksums add up, but they are not what they are called.
        let misnamed = PartSums::of(Algorithm::Sha1, summed_parts(parts()));
        assert_eq!(PartSums::listed(parts(), 13, &misnamed.composite()), None, "misnamed");
        let huge = StoredPart { size: u64::MAX, ..part(b"one") };
        assert_eq!(PartSums::listed(vec![huge.clone(), huge], 13, &composite), None, "overflow");
    }

    #[test]
    fn hashes_of_parts_do_not_fold() {
        let sums = PartSums::of(Algorithm::Sha256, vec![PartSum { size: 1, checksum: sum(b"x") }]);
        assert_eq!(sums.folded(), None);
    }
}
