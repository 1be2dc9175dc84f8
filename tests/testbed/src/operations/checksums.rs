//! Between `s3s`'s five checksum fields a structure and the store's one checksum.

use http::HeaderMap;
use s3s::dto;

use crate::store::{Algorithm, Checksum, ChecksumType};

/// The checksum a structure of `s3s` carries, if any.
macro_rules! given_checksum {
    ($from:expr) => {{
        use $crate::store::Algorithm;
        let from = &$from;
        [
            (Algorithm::Crc64Nvme, &from.checksum_crc64nvme),
            (Algorithm::Crc32c, &from.checksum_crc32c),
            (Algorithm::Crc32, &from.checksum_crc32),
            (Algorithm::Sha256, &from.checksum_sha256),
            (Algorithm::Sha1, &from.checksum_sha1),
        ]
        .into_iter()
        .find_map(|(algorithm, value)| Some((algorithm, value.clone()?)))
    }};
}

/// Puts a checksum into the field of its algorithm.
macro_rules! set_checksum {
    ($into:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            use $crate::store::Algorithm;
            let field = match checksum.algorithm {
                Algorithm::Crc64Nvme => &mut $into.checksum_crc64nvme,
                Algorithm::Crc32c => &mut $into.checksum_crc32c,
                Algorithm::Crc32 => &mut $into.checksum_crc32,
                Algorithm::Sha256 => &mut $into.checksum_sha256,
                Algorithm::Sha1 => &mut $into.checksum_sha1,
            };
            *field = Some(checksum.value.clone());
        }
    };
}

pub(super) use {given_checksum, set_checksum};

pub(super) fn type_dto(checksum_type: ChecksumType) -> dto::ChecksumType {
    dto::ChecksumType::from_static(checksum_type.name())
}

pub(super) fn type_of(checksum: Option<&Checksum>) -> Option<dto::ChecksumType> {
    checksum.map(|checksum| type_dto(checksum.checksum_type))
}

pub(super) fn algorithm_dto(algorithm: Algorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from_static(algorithm.name())
}

/// A checksum header or trailer among `headers`.
pub(super) fn in_headers(headers: &HeaderMap) -> Option<(Algorithm, String)> {
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let value = headers.get(algorithm.header())?.to_str().ok()?;
        Some((algorithm, value.to_owned()))
    })
}

/// The algorithm whose checksum the body's trailer will carry.
pub(super) fn announced_trailer(headers: &HeaderMap) -> Option<Algorithm> {
    let announced = headers.get("x-amz-trailer")?.to_str().ok()?;
    Algorithm::ALL.into_iter().find(|algorithm| {
        announced.split(',').any(|name| name.trim().eq_ignore_ascii_case(algorithm.header()))
    })
}
