//! What the server holds: buckets, objects, open multipart uploads. Plain values behind one lock;
//! must never wait for anything while it holds it.

mod buckets;
mod checksum;
mod content;
mod listing;
mod multipart;
mod object;
mod versions;

pub(crate) use buckets::{Bucket, Condition, Store};
pub(crate) use checksum::Hasher;
pub use checksum::{Algorithm, Checksum, ChecksumType};
pub use content::Content;
pub(crate) use listing::{Entry, ListRequest};
pub(crate) use multipart::{Completion, ListedPart, NewUpload, UploadedPart, etag_of_parts, hex};
pub(crate) use object::CUSTOMER_KEY_MD5;
pub use object::{Attributes, Restoring, StoredObject, StoredPart};
pub(crate) use versions::{Gone, ONLY_VERSION, Version};
