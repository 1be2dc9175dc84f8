//! S3 by the AWS SDK: the only place that knows it. One request in, one reply or one classified
//! error out; nothing here tries again.

pub mod connect;

mod classify;
mod http;
mod list;
mod multipart;
mod parts;
mod read;
mod store;
mod write;

pub use connect::{
    Addressing, ConnectError, EndpointVariant, Options, Payer, Payload, Replies, Signing, connect,
};
pub use store::S3Store;
