//! PUT of an object.

use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{ETag, PutObjectInput, PutObjectOutput};
use s3s::{S3Request, S3Response};

use super::checksums::{set_checksum, type_of};
use super::conditions::write_condition;
use super::receive::{Incoming, receive};
use super::{Answer, Backend};
use crate::store::{Attributes, Checksum, Content, StoredObject};

pub(super) async fn put(
    backend: &Backend,
    r: S3Request<PutObjectInput>,
) -> Answer<PutObjectOutput> {
    let input = r.input;
    backend.store.bucket_region(&input.bucket)?;
    let condition = write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let attributes = Attributes::from_headers(&r.headers);
    let incoming = Incoming {
        body: input.body,
        length: input.content_length,
        headers: r.headers,
        trailers: r.trailing_headers,
        content_md5: input.content_md5,
        algorithm: backend.settings.default_checksum,
    };
    let received = receive(backend, incoming).await?;
    let checksum =
        received.digest.map(|(algorithm, digest)| Checksum::full_object(algorithm, &digest));
    let object = StoredObject {
        content: Content::from(received.bytes),
        etag: received.etag.clone(),
        checksum: checksum.clone(),
        parts: Arc::default(),
        last_modified: SystemTime::now(),
        attributes: Arc::new(attributes),
    };
    let version_id = backend.store.put(&input.bucket, &input.key, object, &condition)?;
    let e_tag = Some(ETag::Strong(received.etag));
    let mut output = PutObjectOutput { e_tag, version_id, ..Default::default() };
    set_checksum!(output, &checksum);
    output.checksum_type = type_of(checksum.as_ref());
    Ok(S3Response::new(output))
}
