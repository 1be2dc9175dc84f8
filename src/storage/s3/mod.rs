//! S3 by the AWS SDK: the only place that knows it. One request in, one reply or one classified
//! error out; nothing here tries again.

pub mod connect;

mod bodies;
mod connector;
mod credentials;
mod profile;
mod proxy;
mod resolve;
mod tls;

mod notice;
mod recovery;
mod regions;
mod restore;
mod store;

mod direct;

mod asked;
mod buckets;
mod copy;
mod delete;
mod details;
mod list;
mod list_reply;
mod multipart;
mod parts;
mod presign;
mod quick_list;
mod read;
mod repeated;
mod unfinished;
mod versions;
mod write;

mod classify;
mod transport;

pub use connect::{
    Addressing, Certificates, ConnectError, EndpointVariant, Options, Payer, Payload, Replies,
    Signing, connect,
};
pub use notice::{Listener, Notice};
pub use presign::{CredentialsEnd, LONGEST_LINK, Link, LinkTo, Presigned};
pub use store::S3Store;
