//! S3 by the AWS SDK: the only place that knows it. One request in, one reply or one classified
//! error out; nothing here tries again.

pub mod connect;

mod bodies;
mod classify;
mod http;
mod list;
mod multipart;
mod read;
mod store;
mod unfinished;
mod write;

pub use connect::{
    Addressing, ConnectError, EndpointVariant, Options, Payer, Payload, Signing, connect,
};
pub use store::S3Store;
