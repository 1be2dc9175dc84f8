//! S3's checksum algorithms: computing them, folding part checksums into the object's, and their
//! two forms (of the whole object, or a checksum of part checksums).
//!
//! Must never trust a checksum a client sent: everything here is computed from bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

/// A checksum algorithm S3 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What a checksum was computed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumType {
    /// All bytes of the object.
    FullObject,
    /// The checksums of its parts, one after the other.
    Composite,
}

/// A checksum as S3 stores it beside an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    pub algorithm: Algorithm,
    pub checksum_type: ChecksumType,
    /// Base64, with `-N` behind it when composite: what S3 puts into headers.
    pub value: String,
}

impl Algorithm {
    pub const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name S3 uses in XML and in `x-amz-checksum-algorithm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries a checksum of this kind.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    /// The type S3 gives a multipart upload that names the algorithm only.
    pub(crate) fn default_type(self) -> ChecksumType {
        match self {
            Self::Crc64Nvme => ChecksumType::FullObject,
            _ => ChecksumType::Composite,
        }
    }

    pub(crate) fn supports(self, checksum_type: ChecksumType) -> bool {
        match self {
            Self::Crc64Nvme => checksum_type == ChecksumType::FullObject,
            Self::Crc32 | Self::Crc32c => true,
            Self::Sha1 | Self::Sha256 => checksum_type == ChecksumType::Composite,
        }
    }

    /// The raw digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = Hasher::new(self);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The checksum of a whole made of parts, given each part's digest and length.
    pub(crate) fn fold<'a>(
        self,
        checksum_type: ChecksumType,
        parts: impl Iterator<Item = (&'a [u8], u64)>,
    ) -> Checksum {
        if let (ChecksumType::FullObject, Some(crc)) = (checksum_type, self.crc()) {
            let empty = crc_fast::Digest::new(crc).finalize();
            let whole = parts.fold(empty, |sum, (digest, length)| {
                crc_fast::checksum_combine(crc, sum, crc_from_bytes(digest), length)
            });
            return Checksum::full_object(self, &self.crc_bytes(whole));
        }
        let mut hasher = Hasher::new(self);
        let mut count = 0;
        for (digest, _) in parts {
            hasher.update(digest);
            count += 1;
        }
        Checksum {
            algorithm: self,
            checksum_type: ChecksumType::Composite,
            value: format!("{}-{count}", STANDARD.encode(hasher.finish())),
        }
    }

    fn crc(self) -> Option<crc_fast::CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(crc_fast::CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(crc_fast::CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn crc_bytes(self, crc: u64) -> Vec<u8> {
        let bytes = crc.to_be_bytes();
        match self {
            Self::Crc64Nvme => bytes.to_vec(),
            _ => bytes[4..].to_vec(),
        }
    }
}

impl ChecksumType {
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

impl Checksum {
    pub(crate) fn full_object(algorithm: Algorithm, digest: &[u8]) -> Self {
        let value = STANDARD.encode(digest);
        Self { algorithm, checksum_type: ChecksumType::FullObject, value }
    }
}

/// Computes one algorithm while bytes arrive.
pub(crate) struct Hasher {
    algorithm: Algorithm,
    state: HasherState,
}

enum HasherState {
    Crc(Box<crc_fast::Digest>),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let state = match (algorithm, algorithm.crc()) {
            (_, Some(crc)) => HasherState::Crc(Box::new(crc_fast::Digest::new(crc))),
            (Algorithm::Sha1, None) => HasherState::Sha1(sha1::Sha1::new()),
            (_, None) => HasherState::Sha256(sha2::Sha256::new()),
        };
        Self { algorithm, state }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            HasherState::Crc(digest) => digest.update(bytes),
            HasherState::Sha1(digest) => digest.update(bytes),
            HasherState::Sha256(digest) => digest.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        match self.state {
            HasherState::Crc(digest) => self.algorithm.crc_bytes(digest.finalize()),
            HasherState::Sha1(digest) => digest.finalize().to_vec(),
            HasherState::Sha256(digest) => digest.finalize().to_vec(),
        }
    }
}

fn crc_from_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_crc_is_the_crc_of_the_whole() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let digests: Vec<_> = bytes
                .chunks(30_000)
                .map(|part| (algorithm.digest(part), part.len() as u64))
                .collect();
            let folded = algorithm.fold(
                ChecksumType::FullObject,
                digests.iter().map(|(digest, length)| (digest.as_slice(), *length)),
            );
            assert_eq!(folded, Checksum::full_object(algorithm, &algorithm.digest(&bytes)));
        }
    }

    #[test]
    fn checksums_agree_with_published_check_values() {
        let check = |algorithm: Algorithm| STANDARD.encode(algorithm.digest(b"123456789"));
        assert_eq!(check(Algorithm::Crc32), "y/Q5Jg==");
        assert_eq!(check(Algorithm::Crc32c), "4waSgw==");
        assert_eq!(check(Algorithm::Crc64Nvme), "rosUhgp5mIg=");
    }
}
