//! Objects put into the store directly, without a request.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::operations::{Backend, etag_of};
use crate::store::{
    Algorithm, Attributes, Checksum, ChecksumType, Content, StoredObject, StoredPart, etag_of_parts,
};

/// How an object that is put directly should look.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    pub attributes: Attributes,
    pub checksum: ObjectChecksum,
    /// Look as if uploaded in parts of this size: parts, and an `ETag` with `-N`.
    pub part_size: Option<u64>,
    /// Instead of the MD5 one.
    pub etag: Option<String>,
    pub last_modified: Option<SystemTime>,
}

/// The checksum an object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectChecksum {
    None,
    FullObject(Algorithm),
    /// Of the parts' checksums; needs `part_size`, else there is one part.
    Composite(Algorithm),
}

impl Default for ObjectChecksum {
    fn default() -> Self {
        Self::FullObject(Algorithm::Crc64Nvme)
    }
}

impl PutOptions {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn content_type(mut self, value: impl Into<String>) -> Self {
        self.attributes.content_type = Some(value.into());
        self
    }

    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.metadata.insert(name.into(), value.into());
        self
    }

    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.tags.insert(name.into(), value.into());
        self
    }

    /// `GLACIER` and `DEEP_ARCHIVE` cannot be read: `403 InvalidObjectState`.
    #[must_use]
    pub fn storage_class(mut self, class: impl Into<String>) -> Self {
        self.attributes.storage_class = Some(class.into());
        self
    }

    #[must_use]
    pub fn checksum(mut self, checksum: ObjectChecksum) -> Self {
        self.checksum = checksum;
        self
    }

    #[must_use]
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.part_size = Some(bytes);
        self
    }

    #[must_use]
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self
    }

    #[must_use]
    pub fn last_modified(mut self, time: SystemTime) -> Self {
        self.last_modified = Some(time);
        self
    }
}

/// An object of these bytes.
pub(crate) fn object(backend: &Backend, bytes: Bytes, options: &PutOptions) -> StoredObject {
    let content = Content::from(bytes);
    let algorithm = match options.checksum {
        ObjectChecksum::None => None,
        ObjectChecksum::FullObject(algorithm) | ObjectChecksum::Composite(algorithm) => {
            Some(algorithm)
        }
    };
    let in_parts =
        options.part_size.is_some() || matches!(options.checksum, ObjectChecksum::Composite(_));
    let pieces = match options.part_size {
        Some(size) => split(&content, size.max(1)),
        None => vec![content.clone()],
    };
    let digests: Vec<Option<Vec<u8>>> =
        pieces.iter().map(|piece| algorithm.map(|a| a.digest(&piece.bytes()))).collect();
    let etag = match (&options.etag, in_parts) {
        (Some(etag), _) => etag.clone(),
        (None, false) => etag_of(backend, &content),
        (None, true) => {
            let etags: Vec<_> = pieces.iter().map(|piece| etag_of(backend, piece)).collect();
            etag_of_parts(etags.iter().map(String::as_str))
        }
    };
    let parts =
        (1..).zip(pieces.iter().zip(&digests)).map(|(number, (piece, digest))| StoredPart {
            number,
            size: piece.len(),
            checksum: algorithm.zip(digest.as_deref()).map(|(a, d)| Checksum::full_object(a, d)),
        });
    let parts: Arc<[StoredPart]> = if in_parts { parts.collect() } else { Arc::default() };
    StoredObject {
        checksum: whole_checksum(options.checksum, &content, &pieces, &digests),
        etag,
        parts,
        last_modified: options.last_modified.unwrap_or_else(SystemTime::now),
        attributes: Arc::new(options.attributes.clone()),
        content,
    }
}

fn whole_checksum(
    wanted: ObjectChecksum,
    content: &Content,
    pieces: &[Content],
    digests: &[Option<Vec<u8>>],
) -> Option<Checksum> {
    match wanted {
        ObjectChecksum::None => None,
        ObjectChecksum::FullObject(algorithm) => {
            Some(Checksum::full_object(algorithm, &algorithm.digest(&content.bytes())))
        }
        ObjectChecksum::Composite(algorithm) => {
            let parts = pieces.iter().zip(digests);
            let parts = parts.map(|(piece, d)| (d.as_deref().unwrap_or_default(), piece.len()));
            Some(algorithm.fold(ChecksumType::Composite, parts))
        }
    }
}

fn split(content: &Content, size: u64) -> Vec<Content> {
    let count = content.len().div_ceil(size).max(1);
    (0..count)
        .map(|index| content.slice(index * size..((index + 1) * size).min(content.len())))
        .collect()
}

/// Bytes a synthetic object is made of, again and again.
const BLOCK: usize = 8 << 20;

/// An object of `size` bytes that costs little memory: one block of noise, repeated.
pub(crate) fn synthetic(backend: &Backend, size: u64, seed: u64) -> StoredObject {
    let block = noise(BLOCK.min(usize::try_from(size).unwrap_or(BLOCK)), seed);
    let block_size = block.len().max(1) as u64;
    let algorithm = Algorithm::Crc64Nvme;
    let digest = algorithm.digest(&block);
    let whole = usize::try_from(size / block_size).unwrap_or(0);
    let rest = block.slice(..usize::try_from(size % block_size).unwrap_or(0));
    let rest_digest = algorithm.digest(&rest);
    let digests = std::iter::repeat_n((digest.as_slice(), block_size), whole);
    let digests = digests.chain([(rest_digest.as_slice(), rest.len() as u64)]);
    StoredObject {
        checksum: Some(algorithm.fold(ChecksumType::FullObject, digests)),
        etag: crate::operations::opaque_etag(backend.store.next_number()),
        content: std::iter::repeat_n(block.clone(), whole).chain([rest.clone()]).collect(),
        parts: Arc::default(),
        last_modified: SystemTime::now(),
        attributes: Arc::default(),
    }
}

/// Objects of `size` bytes, no two alike, that share one piece of memory.
pub(crate) fn synthetic_many(
    backend: &Backend,
    count: usize,
    size: usize,
) -> impl Iterator<Item = StoredObject> {
    const STEP: usize = size_of::<u64>();
    let noise = noise(count * STEP + size, 1);
    let attributes = Arc::<Attributes>::default();
    let parts = Arc::<[StoredPart]>::default();
    let (now, algorithm) = (SystemTime::now(), Algorithm::Crc64Nvme);
    (0..count).map(move |number| {
        let bytes = noise.slice(number * STEP..number * STEP + size);
        StoredObject {
            checksum: Some(Checksum::full_object(algorithm, &algorithm.digest(&bytes))),
            etag: crate::operations::opaque_etag(backend.store.next_number()),
            content: Content::from(bytes),
            parts: Arc::clone(&parts),
            last_modified: now,
            attributes: Arc::clone(&attributes),
        }
    })
}

/// Bytes that do not compress and differ with the seed.
fn noise(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    Bytes::from(bytes)
}
