//! Going on with a download where an earlier run ended. What is on the disk counts only if the
//! object is still the same one and the checksum of the bytes, read again, says so: never for its
//! length, and never because a record says it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::context::{FRAMES, Work};
use super::error::JobError;
use super::fetch::Pin;
use super::plan;
use crate::domain::checksum::{Algorithm, Crc, CrcHasher};
use crate::domain::job::Download;
use crate::domain::object::ETag;
use crate::domain::range::ByteRange;
use crate::storage::local::{Earlier, LocalError, Recorded, StagedFile};

/// Whether what can be continued is kept, and continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    Kept,
    Off,
}

/// Which object a partial file is of, as its record has it: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    endpoint: String,
    bucket: String,
    key: String,
    version: Option<String>,
    etag: String,
    size: u64,
    crc: String,
}

/// Bytes that are on the disk and proven, of an object that is still to be asked for.
#[derive(Debug)]
pub(super) struct Have {
    pub(super) pin: Pin,
    /// The algorithm of the pieces' values.
    pub(super) crc: Crc,
    /// By offset, without overlap.
    pub(super) pieces: Vec<Recorded>,
}

/// The identity of what a download writes. `None` where nothing pins it to one version.
pub(super) fn identity(work: &Work, job: &Download, pin: &Pin, crc: Crc) -> Option<String> {
    let identity = Identity {
        endpoint: work.context.source.endpoint().to_owned(),
        bucket: job.object.bucket.to_string(),
        key: job.object.key.as_str().to_owned(),
        version: job.object.version.as_deref().map(str::to_owned),
        etag: pin.etag.as_ref()?.as_str().to_owned(),
        size: pin.size,
        crc: crc.algorithm().name().to_owned(),
    };
    serde_json::to_string(&identity).ok()
}

/// Reads again what an earlier run wrote, and keeps of it what is of the job's object and right.
pub(super) async fn check(
    work: &Work,
    job: &Download,
    file: &Arc<StagedFile>,
    earlier: Earlier,
) -> Result<Option<Have>, JobError> {
    let Some((pin, crc)) = understood(work, job, &earlier.identity) else { return Ok(None) };
    let pieces = disjoint(earlier.pieces, pin.size);
    let _in_flight = work.pass(FRAMES).await?;
    let (file, cancel) = (Arc::clone(file), Arc::clone(&work.context.cancel));
    // Awaited to its end, whatever happens: the file must have no other owner afterwards.
    let proven = tokio::task::spawn_blocking(move || {
        let mut proven = Vec::new();
        for piece in pieces {
            if cancel.is_stopping() {
                return Err(JobError::Stopped);
            }
            // What can't be read is fetched again, too.
            if value_of(&file, crc, piece).is_ok_and(|value| value == piece.crc) {
                proven.push(piece);
            }
        }
        Ok(proven)
    });
    let pieces = proven.await.map_err(|error| JobError::Internal(error.to_string()))??;
    Ok((!pieces.is_empty()).then_some(Have { pin, crc, pieces }))
}

/// What a record's identity says, if it is of this job's object.
fn understood(work: &Work, job: &Download, identity: &str) -> Option<(Pin, Crc)> {
    let found: Identity = serde_json::from_str(identity).ok()?;
    let crc = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == found.crc)?.crc()?;
    let is_same = found.endpoint == work.context.source.endpoint()
        && found.bucket == job.object.bucket.as_str()
        && found.key == job.object.key.as_str()
        && found.version.as_deref() == job.object.version.as_deref()
        && job.size.is_none_or(|size| size == found.size);
    is_same.then(|| (Pin { etag: Some(ETag::new(&found.etag)), size: found.size }, crc))
}

/// By offset, each byte at most once, none behind the object's end.
fn disjoint(mut pieces: Vec<Recorded>, size: u64) -> Vec<Recorded> {
    pieces.sort_unstable_by_key(|piece| (piece.offset, piece.length));
    let mut end = 0;
    pieces.retain(|piece| {
        let fits = piece.offset >= end && piece.offset + piece.length <= size;
        if fits {
            end = piece.offset + piece.length;
        }
        fits
    });
    pieces
}

fn value_of(file: &StagedFile, crc: Crc, piece: Recorded) -> Result<u64, LocalError> {
    let mut hasher = CrcHasher::new(crc);
    let mut buffer = vec![0; 512 * 1024];
    for range in plan::ranges(0, piece.length, buffer.len() as u64) {
        let length = usize::try_from(range.length()).unwrap_or(buffer.len());
        file.read_at(piece.offset + range.start(), &mut buffer[..length])?;
        hasher.update(&buffer[..length]);
    }
    Ok(hasher.value())
}

/// The ranges that `pieces`, in order, leave out, each of at most `part_size` bytes.
pub(super) fn missing(pieces: &[Recorded], size: u64, part_size: u64) -> Vec<ByteRange> {
    let mut done = 0;
    let mut missing = Vec::new();
    let end = Recorded { offset: size, length: 0, crc: 0 };
    for piece in pieces.iter().chain([&end]) {
        missing.extend(plan::ranges(done, piece.offset, part_size));
        done = piece.offset + piece.length;
    }
    missing
}

/// The CRC of the whole, if the pieces are all of it.
pub(super) fn fold(crc: Crc, mut pieces: Vec<Recorded>, size: u64) -> Result<u64, JobError> {
    pieces.sort_unstable_by_key(|piece| piece.offset);
    let mut whole = crc.empty();
    let mut done = 0;
    for piece in pieces {
        if piece.offset != done {
            break;
        }
        // To fold two values costs as much as the CRC of some hundred KiB: small objects are one
        // piece, and must not pay for it.
        whole = if done == 0 { piece.crc } else { crc.fold(whole, piece.crc, piece.length) };
        done += piece.length;
    }
    if done == size {
        return Ok(whole);
    }
    Err(JobError::Internal(format!("the bytes behind {done} of {size} were never fetched")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(offset: u64, length: u64) -> Recorded {
        Recorded { offset, length, crc: 0 }
    }

    #[test]
    fn what_overlaps_or_lies_behind_the_end_does_not_count() {
        let pieces = vec![piece(8, 4), piece(0, 4), piece(2, 4), piece(10, 4)];
        assert_eq!(disjoint(pieces, 12), [piece(0, 4), piece(8, 4)]);
    }

    #[test]
    fn a_hole_is_no_whole() {
        let crc = Crc::Crc64Nvme;
        let of = |offset, bytes: &[u8]| Recorded {
            offset,
            length: bytes.len() as u64,
            crc: crc.of(bytes),
        };
        let pieces = vec![of(3, b"def"), of(0, b"abc")];
        assert_eq!(fold(crc, pieces.clone(), 6).expect("whole"), crc.of(b"abcdef"));
        for (pieces, size) in [(pieces.clone(), 7), (pieces[..1].to_vec(), 6), (Vec::new(), 1)] {
            fold(crc, pieces, size).expect_err("a hole");
        }
    }

    proptest! {
        #[test]
        fn pieces_and_what_is_missing_cover_each_byte_once(
            size in 1..5_000u64,
            part_size in 1..700u64,
            found in proptest::collection::vec((0..5_500u64, 1..900u64), 0..12),
        ) {
            let pieces = found.into_iter().map(|(offset, length)| piece(offset, length)).collect();
            let pieces = disjoint(pieces, size);
            let mut all: Vec<_> = pieces.iter().map(|piece| (piece.offset, piece.length)).collect();
            for range in missing(&pieces, size, part_size) {
                prop_assert!(range.length() <= part_size);
                all.push((range.start(), range.length()));
            }
            all.sort_unstable();
            let mut end = 0;
            for (offset, length) in all {
                prop_assert_eq!(offset, end);
                end += length;
            }
            prop_assert_eq!(end, size);
        }
    }
}
