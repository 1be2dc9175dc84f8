//! The requests that a run has thousands of, past the SDK: GetObject, PutObject and UploadPart. What
//! the SDK does around each of them takes as long as all the rest of a small object's way. The
//! request is the one that the SDK would send, signed by its signer, over the same connections. No
//! reply is judged here but a usual one: the SDK is given all others, as if it had asked itself.

mod draft;
mod endpoint;
mod replay;
mod send;

#[cfg(test)]
mod tests;

pub(super) use draft::{Draft, Extras, checksum_header};
pub(super) use endpoint::{Endpoints, Settings};
pub(super) use replay::Replay;
pub(super) use send::{Direct, Sent, header};
