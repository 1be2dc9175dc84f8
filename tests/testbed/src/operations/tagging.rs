//! An object's tags.

use std::sync::Arc;

use s3s::S3Response;
use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput,
    GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};

use super::{Answer, Backend};

pub(super) fn get(
    backend: &Backend,
    input: &GetObjectTaggingInput,
) -> Answer<GetObjectTaggingOutput> {
    let version = input.version_id.as_deref();
    let (object, version_id) = backend.store.version(&input.bucket, &input.key, version)?;
    let tags = object.attributes.tags.iter();
    let tag_set =
        tags.map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) });
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set: tag_set.collect(), version_id }))
}

pub(super) fn put(
    backend: &Backend,
    input: PutObjectTaggingInput,
) -> Answer<PutObjectTaggingOutput> {
    let tags = input.tagging.tag_set.into_iter();
    let tags = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    let tags = tags.collect();
    backend.store.edit(&input.bucket, &input.key, |object| {
        Arc::make_mut(&mut object.attributes).tags = tags;
    })?;
    Ok(S3Response::new(PutObjectTaggingOutput::default()))
}

pub(super) fn delete(
    backend: &Backend,
    input: &DeleteObjectTaggingInput,
) -> Answer<DeleteObjectTaggingOutput> {
    backend.store.edit(&input.bucket, &input.key, |object| {
        Arc::make_mut(&mut object.attributes).tags.clear();
    })?;
    Ok(S3Response::new(DeleteObjectTaggingOutput::default()))
}
