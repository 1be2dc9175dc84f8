//! What is known of content without having it: checksums of wholes and of parts, and what two of
//! them say of each other. Nothing here may call two contents different because it can't tell.

use std::fmt::Write as _;

use md5::Digest as _;

use super::checksum::{Algorithm, Checksum, Hasher};
use super::composite::{Composite, PartSum, PartSums};
use super::object::ETag;

/// One thing that is known of all bytes of an object or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// Of all bytes in order.
    Whole(Checksum),
    /// Of each part.
    Parts(PartSums),
    /// Of the checksums of parts whose sizes are not known.
    Composite(Composite),
    /// An `ETag` that looks like an MD5, in hexadecimal, or the MD5 of a file. An equal one can't
    /// be chance; another one says nothing, since not every such tag is an MD5.
    Md5(Box<str>),
}

impl Evidence {
    /// A tag that may be the MD5 of the bytes: those of several parts have a `-`.
    pub fn of_etag(etag: &ETag) -> Option<Self> {
        let text = etag.unquoted();
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self::Md5(text.to_ascii_lowercase().into()))
    }

    /// What computes the same of other bytes. `None` where nothing but the store knows how.
    pub fn witness(&self) -> Option<Witness> {
        let state = match self {
            Self::Whole(checksum) => State::Whole(Hasher::new(checksum.algorithm())),
            Self::Parts(sums) => State::Parts(PartHasher::new(sums)),
            Self::Md5(_) => State::Md5(md5::Md5::new()),
            Self::Composite(_) => return None,
        };
        Some(Witness(state))
    }

    fn compare(&self, other: &Self) -> Option<Finding> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => whole(one, other),
            (Self::Parts(one), Self::Whole(other)) => whole(&one.folded()?, other),
            (Self::Whole(one), Self::Parts(other)) => whole(one, &other.folded()?),
            (Self::Parts(one), Self::Parts(other)) => parts(one, other),
            (Self::Composite(one), Self::Composite(other)) => composite(one, other),
            (Self::Parts(one), Self::Composite(other)) => composite(&one.composite(), other),
            (Self::Composite(one), Self::Parts(other)) => composite(one, &other.composite()),
            (Self::Md5(one), Self::Md5(other)) => {
                (one == other).then_some(Finding::Same(Basis::ETag))
            }
            _ => None,
        }
    }
}

/// What two contents are to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Same(Basis),
    /// With what each side has, for people.
    Different {
        one: String,
        other: String,
        basis: Basis,
    },
}

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// A checksum of all bytes.
    Whole(Algorithm),
    /// A checksum of each part, or of those.
    Parts(Algorithm),
    /// Tags that are MD5s.
    ETag,
    /// There are no bytes that could differ.
    Empty,
}

impl Basis {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole(algorithm) => algorithm.name(),
            Self::Parts(algorithm) => algorithm.name_of_parts(),
            Self::ETag => "etag",
            Self::Empty => "size",
        }
    }
}

/// Compares what is known of two contents of one length. The first pair that can tell decides;
/// `None` if none can.
pub fn judge(one: &[Evidence], other: &[Evidence]) -> Option<Finding> {
    one.iter().find_map(|one| other.iter().find_map(|other| one.compare(other)))
}

fn whole(one: &Checksum, other: &Checksum) -> Option<Finding> {
    if one.algorithm() != other.algorithm() {
        return None;
    }
    let basis = Basis::Whole(one.algorithm());
    Some(if one == other {
        Finding::Same(basis)
    } else {
        Finding::Different { one: one.to_string(), other: other.to_string(), basis }
    })
}

fn parts(one: &PartSums, other: &PartSums) -> Option<Finding> {
    if one.algorithm() != other.algorithm() {
        return None;
    }
    let is_cut_alike = one.sizes().eq(other.sizes());
    if !is_cut_alike {
        return whole(&one.folded()?, &other.folded()?);
    }
    let basis = Basis::Parts(one.algorithm());
    let differing = (1..).zip(one.parts().iter().zip(other.parts()));
    let differing = differing.into_iter().find(|(_, (one, other))| one != other);
    Some(match differing {
        None => Finding::Same(basis),
        Some((number, (one, other))) => {
            let said = |part: &PartSum| format!("{} in part {number}", part.checksum);
            Finding::Different { one: said(one), other: said(other), basis }
        }
    })
}

/// Different values may be those of other parts of the same bytes.
fn composite(one: &Composite, other: &Composite) -> Option<Finding> {
    (one == other).then_some(Finding::Same(Basis::Parts(one.algorithm())))
}

/// Computes evidence of bytes that come in order.
#[derive(Debug)]
pub struct Witness(State);

#[derive(Debug)]
enum State {
    Whole(Hasher),
    Parts(PartHasher),
    Md5(md5::Md5),
}

impl Witness {
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Whole(hasher) => hasher.update(bytes),
            State::Parts(hasher) => hasher.update(bytes),
            State::Md5(digest) => digest.update(bytes),
        }
    }

    pub fn finish(self) -> Evidence {
        match self.0 {
            State::Whole(hasher) => Evidence::Whole(hasher.finish()),
            State::Parts(hasher) => Evidence::Parts(hasher.finish()),
            State::Md5(digest) => {
                let hex = digest.finalize().iter().fold(String::new(), |mut text, byte| {
                    // Writing into a text never fails.
                    write!(text, "{byte:02x}").ok();
                    text
                });
                Evidence::Md5(hex.into())
            }
        }
    }
}

/// Sums each part by itself.
#[derive(Debug)]
struct PartHasher {
    algorithm: Algorithm,
    /// Of the parts to come, the last one first.
    sizes: Vec<u64>,
    current: Hasher,
    /// Bytes that the current part still lacks.
    left: u64,
    /// Bytes behind the last part.
    excess: u64,
    done: Vec<PartSum>,
}

impl PartHasher {
    fn new(wanted: &PartSums) -> Self {
        let algorithm = wanted.algorithm();
        let mut sizes: Vec<u64> = wanted.sizes().collect();
        sizes.reverse();
        let left = sizes.last().copied().unwrap_or(0);
        let current = Hasher::new(algorithm);
        Self { algorithm, sizes, current, left, excess: 0, done: Vec::new() }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !self.sizes.is_empty() {
            let taken = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let (now, later) = bytes.split_at(taken);
            self.current.update(now);
            self.left -= now.len() as u64;
            bytes = later;
            if self.left > 0 {
                return;
            }
            self.end_part();
        }
        self.excess += bytes.len() as u64;
    }

    fn end_part(&mut self) {
        let current = std::mem::replace(&mut self.current, Hasher::new(self.algorithm));
        if let Some(size) = self.sizes.pop() {
            self.done.push(PartSum { size, checksum: current.finish() });
        }
        self.left = self.sizes.last().copied().unwrap_or(0);
    }

    /// What came of a part that was cut off, and what came too much, are parts of that length:
    /// they are like none that was wanted.
    fn finish(mut self) -> PartSums {
        if let Some(size) = self.sizes.pop() {
            let size = size - self.left;
            self.done.push(PartSum { size, checksum: self.current.finish() });
        } else if self.excess > 0 {
            self.done.push(PartSum { size: self.excess, checksum: self.current.finish() });
        }
        PartSums::of(self.algorithm, self.done)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole_of(algorithm: Algorithm, bytes: &[u8]) -> Evidence {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        Evidence::Whole(hasher.finish())
    }

    fn parts_of(algorithm: Algorithm, bytes: &[u8], size: usize) -> Evidence {
        let parts = bytes.chunks(size).map(|part| {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(part);
            PartSum { size: part.len() as u64, checksum: hasher.finish() }
        });
        Evidence::Parts(PartSums::of(algorithm, parts.collect()))
    }

    fn composite_of(evidence: &Evidence) -> Evidence {
        let Evidence::Parts(sums) = evidence else { panic!("of parts only") };
        Evidence::Composite(sums.composite())
    }

    fn is_same(one: &Evidence, other: &Evidence) -> Option<bool> {
        let found = judge(std::slice::from_ref(one), std::slice::from_ref(other));
        found.map(|found| matches!(found, Finding::Same(_)))
    }

    #[test]
    fn what_can_not_tell_is_silent() {
        let (one, other) = (b"some bytes".as_slice(), b"some other".as_slice());
        let crc = whole_of(Algorithm::Crc32, one);
        assert_eq!(is_same(&crc, &whole_of(Algorithm::Crc32C, one)), None);
        assert_eq!(is_same(&crc, &Evidence::Md5("0".into())), None);
        let hashes = parts_of(Algorithm::Sha256, one, 3);
        assert_eq!(is_same(&hashes, &parts_of(Algorithm::Sha256, one, 4)), None, "cut elsewhere");
        assert_eq!(is_same(&hashes, &whole_of(Algorithm::Sha256, one)), None);
        let others = parts_of(Algorithm::Sha256, other, 3);
        assert_eq!(is_same(&composite_of(&hashes), &composite_of(&others)), None);
        assert_eq!(is_same(&Evidence::Md5("a".into()), &Evidence::Md5("b".into())), None);
        assert!(composite_of(&hashes).witness().is_none());
    }

    #[test]
    fn the_first_pair_that_can_tell_decides() {
        let tag = Evidence::Md5("same".into());
        let one = [whole_of(Algorithm::Crc32, b"x"), tag.clone()];
        let other = [whole_of(Algorithm::Crc32, b"y"), tag.clone()];
        assert!(matches!(judge(&one, &other), Some(Finding::Different { .. })));
        assert_eq!(judge(&one, &[tag]), Some(Finding::Same(Basis::ETag)));
    }

    #[test]
    fn only_a_tag_that_can_be_an_md5_is_evidence() {
        let of = |text| Evidence::of_etag(&ETag::new(text));
        let md5 = "900150983CD24FB0D6963F7D28E17F72";
        assert_eq!(of(md5), Some(Evidence::Md5(md5.to_ascii_lowercase().into())));
        assert_eq!(of("900150983cd24fb0d6963f7d28e17f72-3"), None);
        assert_eq!(of("opaque"), None);
        assert_eq!(of("abcdef"), None, "another length");
        assert_eq!(of("90150983cd24fb0d6963f7d28e17f7zz"), None, "not hexadecimal");
        let mut witness = of(md5).and_then(|tag| tag.witness()).expect("it can be computed");
        witness.update(b"abc");
        assert_eq!(Some(witness.finish()), of(md5));
    }

    proptest! {
        #[test]
        fn the_same_bytes_are_the_same_and_one_flipped_bit_is_not(
            bytes in proptest::collection::vec(any::<u8>(), 1..600),
            at in any::<prop::sample::Index>(), bit in 0..8u8,
            size in 1..200usize, cut in 1..200usize, piece in 1..100usize,
        ) {
            let mut flipped = bytes.clone();
            flipped[at.index(bytes.len())] ^= 1 << bit;
            for algorithm in Algorithm::ALL {
                let parts = parts_of(algorithm, &bytes, size);
                for wanted in [whole_of(algorithm, &bytes), parts.clone()] {
                    for (content, is_equal) in [(&bytes, true), (&flipped, false)] {
                        let mut witness = wanted.witness().expect("it can be computed");
                        content.chunks(piece).for_each(|piece| witness.update(piece));
                        prop_assert_eq!(is_same(&witness.finish(), &wanted), Some(is_equal));
                    }
                }
                // A CRC tells whatever the cut; a hash never tells them apart by the cut alone.
                for (content, is_equal) in [(&bytes, true), (&flipped, false)] {
                    let other = parts_of(algorithm, content, cut);
                    let told = is_same(&parts, &other);
                    prop_assert!(told == Some(is_equal) || told.is_none() && algorithm.crc().is_none());
                }
            }
        }

        #[test]
        fn bytes_that_are_missing_or_too_many_are_never_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 1..300), size in 1..100usize,
            left in 0..300usize,
        ) {
            let wanted = parts_of(Algorithm::Sha1, &bytes, size);
            for content in [bytes[..left.min(bytes.len() - 1)].to_vec(), [&bytes[..], b"x"].concat()] {
                let mut witness = wanted.witness().expect("it can be computed");
                witness.update(&content);
                prop_assert_ne!(is_same(&witness.finish(), &wanted), Some(true));
            }
        }
    }
}
