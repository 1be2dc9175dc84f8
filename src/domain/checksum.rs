//! Checksums of whole objects, and how that of a whole is made from those of its parts.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use sha2::Digest as _;

/// The algorithms that S3 stores checksums of and that `haul` can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Crc64Nvme,
    Crc32C,
    Crc32,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub const ALL: [Self; 5] =
        [Self::Crc64Nvme, Self::Crc32C, Self::Crc32, Self::Sha1, Self::Sha256];

    /// The CRC whose parts can be folded, or `None` for a hash that must see all bytes in order.
    pub fn crc(self) -> Option<Crc> {
        match self {
            Self::Crc64Nvme => Some(Crc::Crc64Nvme),
            Self::Crc32C => Some(Crc::Crc32C),
            Self::Crc32 => Some(Crc::Crc32),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32C => "crc32c",
            Self::Crc32 => "crc32",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// Where each part has such a checksum, and the object one of those.
    pub fn name_of_parts(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme-parts",
            Self::Crc32C => "crc32c-parts",
            Self::Crc32 => "crc32-parts",
            Self::Sha1 => "sha1-parts",
            Self::Sha256 => "sha256-parts",
        }
    }

    /// Length of a value in bytes.
    fn width(self) -> usize {
        match self {
            Self::Crc64Nvme => 8,
            Self::Crc32C | Self::Crc32 => 4,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A cyclic redundancy check: the value of a whole can be computed from those of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Crc {
    Crc64Nvme,
    Crc32C,
    Crc32,
}

impl Crc {
    /// What S3 computes itself for objects that came without a checksum, and what is computed here
    /// while nobody knows which one the object has.
    pub const USUAL: Self = Self::Crc64Nvme;

    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Crc64Nvme => Algorithm::Crc64Nvme,
            Self::Crc32C => Algorithm::Crc32C,
            Self::Crc32 => Algorithm::Crc32,
        }
    }

    pub fn of(self, bytes: &[u8]) -> u64 {
        crc_fast::checksum(self.parameters(), bytes)
    }

    /// The value of `first` followed by the `second_length` bytes that have the value `second`.
    pub fn fold(self, first: u64, second: u64, second_length: u64) -> u64 {
        crc_fast::checksum_combine(self.parameters(), first, second, second_length)
    }

    /// The value of no bytes at all.
    pub fn empty(self) -> u64 {
        self.of(&[])
    }

    /// The value as a full-object checksum.
    pub fn checksum(self, value: u64) -> Checksum {
        let bytes = value.to_be_bytes();
        let algorithm = self.algorithm();
        Checksum { algorithm, value: bytes[bytes.len() - algorithm.width()..].into() }
    }

    fn parameters(self) -> CrcAlgorithm {
        match self {
            Self::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
            Self::Crc32C => CrcAlgorithm::Crc32Iscsi,
            Self::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
        }
    }
}

/// Computes the CRC of a part whose bytes come in order.
#[derive(Debug)]
pub struct CrcHasher(crc_fast::Digest);

impl CrcHasher {
    pub fn new(crc: Crc) -> Self {
        Self(crc_fast::Digest::new(crc.parameters()))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of the bytes so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

/// The checksum of all bytes of an object, in order.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Checksum {
    algorithm: Algorithm,
    value: Box<[u8]>,
}

impl Checksum {
    /// Reads the base64 of a checksum header. `None` if it is no value of this algorithm: a
    /// composite checksum (`…==-7`) is none either, it says nothing about bytes in order.
    pub fn from_base64(algorithm: Algorithm, text: &str) -> Option<Self> {
        let value = BASE64.decode(text).ok()?;
        (value.len() == algorithm.width()).then(|| Self { algorithm, value: value.into() })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.value
    }

    /// The value of a CRC, for folding.
    pub fn crc_value(&self) -> Option<u64> {
        self.algorithm.crc()?;
        Some(self.value.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.value)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm, self.to_base64())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads `crc64nvme:BASE64` or `sha256:HEX`, as manifests have it: either encoding for each.
impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let error = || ChecksumError(text.to_owned());
        let (name, value) = text.split_once(':').ok_or_else(error)?;
        let name = name.trim().to_ascii_lowercase();
        let algorithm = Algorithm::ALL.into_iter().find(|a| a.name() == name).ok_or_else(error)?;
        let value = value.trim();
        from_hex(value)
            .filter(|bytes| bytes.len() == algorithm.width())
            .map(|bytes| Self { algorithm, value: bytes.into() })
            .or_else(|| Self::from_base64(algorithm, value))
            .ok_or_else(error)
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| {
        (0..text.len())
            .step_by(2)
            .filter_map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
            .collect()
    })
}

/// A text that is no checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a checksum; checksums look like crc64nvme:BASE64 or sha256:HEX")]
pub struct ChecksumError(String);

/// Computes the checksum of bytes that come in order.
#[derive(Debug)]
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

#[derive(Debug)]
enum State {
    Crc(crc_fast::Digest),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm.crc() {
            Some(crc) => State::Crc(crc_fast::Digest::new(crc.parameters())),
            None if algorithm == Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            None => State::Sha256(sha2::Sha256::new()),
        };
        Self { algorithm, state }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
        }
    }

    pub fn finish(self) -> Checksum {
        let value: Box<[u8]> = match self.state {
            State::Crc(digest) => {
                let bytes = digest.finalize().to_be_bytes();
                bytes[bytes.len() - self.algorithm.width()..].into()
            }
            State::Sha1(digest) => digest.finalize().as_slice().into(),
            State::Sha256(digest) => digest.finalize().as_slice().into(),
        };
        Checksum { algorithm: self.algorithm, value }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn the_published_check_values_come_out() {
        let check = b"123456789";
        assert_eq!(Crc::Crc64Nvme.of(check), 0xae8b_1486_0a79_9888);
        assert_eq!(Crc::Crc32C.of(check), 0xe306_9283);
        assert_eq!(Crc::Crc32.of(check), 0xcbf4_3926);
        assert_eq!(of(Algorithm::Crc32C, check), Crc::Crc32C.checksum(0xe306_9283));
        assert_eq!(
            of(Algorithm::Sha256, b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
                .parse()
                .expect("hex")
        );
    }

    #[test]
    fn a_composite_checksum_is_none_of_ours() {
        assert_eq!(Checksum::from_base64(Algorithm::Crc32, "AAAAAA==-7"), None);
    }

    proptest! {
        #[test]
        fn folding_parts_gives_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..4000), cut in 0..4000usize,
        ) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            for crc in [Crc::Crc64Nvme, Crc::Crc32C, Crc::Crc32] {
                let folded = crc.fold(crc.of(first), crc.of(second), second.len() as u64);
                prop_assert_eq!(folded, crc.of(&bytes));
                prop_assert_eq!(crc.fold(crc.empty(), crc.of(&bytes), bytes.len() as u64), crc.of(&bytes));
            }
        }

        #[test]
        fn a_written_checksum_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            for algorithm in Algorithm::ALL {
                let checksum = of(algorithm, &bytes);
                prop_assert_eq!(checksum.to_string().parse(), Ok(checksum));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            let _read = text.parse::<Checksum>();
        }
    }
}
