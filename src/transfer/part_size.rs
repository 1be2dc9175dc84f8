//! How an object is cut. Pure.

use super::error::JobError;
use crate::domain::quantity::{ByteSize, GIB, MIB};

/// S3's limits for the parts of a multipart upload.
pub const MAX_PARTS: u64 = 10_000;
pub const MIN_PART: u64 = 5 * MIB;
pub const MAX_PART: u64 = 5 * GIB;

/// What is taken where nothing was asked for: large enough that a request's cost vanishes, small
/// enough that an object is spread over many requests.
pub const DEFAULT_PART: u64 = 8 * MIB;

/// Parts of a large download grow up to this: each request costs, here and there.
const LARGE_PART: u64 = 32 * MIB;
/// So many parts are enough to keep all connections of one object busy to its end.
const ENOUGH_PARTS: u64 = 32;

/// Who chose the part size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartChoice {
    /// It may be more for larger objects.
    Usual,
    /// It was typed, and holds.
    Typed,
}

/// The part size for a download of `size` bytes.
pub fn download_part_size(size: u64, part_size: u64, choice: PartChoice) -> u64 {
    match choice {
        PartChoice::Typed => part_size,
        PartChoice::Usual => {
            (size / ENOUGH_PARTS).div_ceil(MIB).saturating_mul(MIB).min(LARGE_PART).max(part_size)
        }
    }
}

/// So many parts keep an upload busy at S3's pace for each connection, and its last part short.
const ENOUGH_PARTS_UP: u64 = 256;

/// The part size that an upload of `size` bytes would like, before S3's limits: each part is in
/// memory while it is sent.
pub fn usual_upload_part(size: u64, part_size: u64, choice: PartChoice) -> u64 {
    match choice {
        PartChoice::Typed => part_size,
        PartChoice::Usual => {
            let even = (size / ENOUGH_PARTS_UP).div_ceil(MIB).saturating_mul(MIB);
            even.clamp(MIN_PART.min(part_size), part_size)
        }
    }
}

/// The least part of a copy that the store makes by itself, unless typed: nothing passes here, and
/// what is small costs a request.
const PART_OF_COPY: u64 = 256 * MIB;

/// The part size that a copy of an object of more than `copy_whole` bytes would like.
pub fn usual_copy_part(part_size: u64, copy_whole: u64, choice: PartChoice) -> u64 {
    match choice {
        PartChoice::Typed => part_size,
        PartChoice::Usual => PART_OF_COPY.min(copy_whole),
    }
    .clamp(MIN_PART, MAX_PART)
}

/// The largest object that S3 takes: 48.8 TiB, 10,000 parts of 5 GiB.
pub const MAX_OBJECT: u64 = MAX_PARTS * MAX_PART;

/// The part size for an upload of `size` bytes: `wanted`, or as much more as the limit of 10,000
/// parts needs, in whole MiB. `None` for an object that no part size makes possible.
pub fn upload_part_size(size: u64, wanted: u64) -> Option<u64> {
    let needed = size.div_ceil(MAX_PARTS).div_ceil(MIB) * MIB;
    let part = wanted.max(needed);
    (size <= MAX_OBJECT && part <= MAX_PART).then_some(part)
}

/// The same of what has a name, for people: one that is too large makes no object.
pub(super) fn part_size_of(name: &str, size: u64, wanted: u64) -> Result<u64, JobError> {
    upload_part_size(size, wanted).ok_or_else(|| {
        let (size, most) = (ByteSize(size), ByteSize(MAX_OBJECT));
        JobError::Impossible(format!("{name} has {size}, S3 takes {most} at most"))
    })
}

/// The size of part `number` (from 1) of a stream whose length nobody knows: doubled every 1,000
/// parts, so that 10,000 are enough for 8 TiB and a short stream still starts with small parts.
pub fn stream_part_size(number: u32, first: u64) -> u64 {
    let doublings = (number.saturating_sub(1)) / 1000;
    first.saturating_mul(1 << doublings.min(20)).min(MAX_PART)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_large_is_said_by_its_name() {
        assert_eq!(part_size_of("the file", 1, MIN_PART).ok(), Some(MIN_PART));
        let most = part_size_of("the object", MAX_OBJECT, MIN_PART);
        assert_eq!(most.ok(), Some(MAX_PART));
        let error = part_size_of("the object", MAX_OBJECT + 1, MIN_PART).expect_err("too large");
        assert!(error.to_string().starts_with("the object has 48"), "{error}");
    }

    #[test]
    fn a_stream_without_a_length_can_have_terabytes() {
        let total: u64 = (1..=10_000).map(|number| stream_part_size(number, DEFAULT_PART)).sum();
        assert!(total > 7_900 * GIB);
        assert_eq!(stream_part_size(1, DEFAULT_PART), DEFAULT_PART);
        assert_eq!(stream_part_size(1001, DEFAULT_PART), 2 * DEFAULT_PART);
    }

    #[test]
    fn parts_of_downloads_grow_with_the_object_unless_typed() {
        let usual = |size| download_part_size(size, DEFAULT_PART, PartChoice::Usual);
        assert_eq!(
            (usual(20 * MIB), usual(GIB / 2), usual(100 * GIB)),
            (DEFAULT_PART, 16 * MIB, LARGE_PART)
        );
        assert_eq!(download_part_size(100 * GIB, MIB, PartChoice::Typed), MIB);
    }

    #[test]
    fn parts_of_uploads_are_small_until_there_are_many() {
        let usual = |size| usual_upload_part(size, DEFAULT_PART, PartChoice::Usual);
        assert_eq!(
            (usual(9 * MIB), usual(GIB), usual(100 * GIB)),
            (MIN_PART, MIN_PART, DEFAULT_PART)
        );
        assert_eq!(usual_upload_part(GIB, 64 * MIB, PartChoice::Typed), 64 * MIB);
        assert_eq!(usual_upload_part(GIB, MIB, PartChoice::Usual), MIB);
    }

    #[test]
    fn what_is_too_large_has_no_part_size() {
        assert_eq!(upload_part_size(MAX_OBJECT + 1, DEFAULT_PART), None);
        assert_eq!(upload_part_size(MAX_OBJECT, DEFAULT_PART), Some(MAX_PART));
    }

    proptest! {
        #[test]
        fn parts_are_few_enough_and_large_enough(size in 1..MAX_OBJECT, wanted in MIN_PART..MAX_PART) {
            if let Some(part) = upload_part_size(size, wanted) {
                prop_assert!(size.div_ceil(part) <= MAX_PARTS);
                prop_assert!((MIN_PART..=MAX_PART).contains(&part));
            }
        }
    }
}
