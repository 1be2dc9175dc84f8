//! An S3 server in memory for tests, benchmarks and the quickstart.
//!
//! Protocol, XML and signatures are checked by `s3s`; what is stored, and how a request fails on
//! command, is ours. It must never be used for data anyone wants to keep.
//!
//! ```
//! use testbed::{Fault, FaultKind, Operation, Testbed};
//!
//! let testbed = Testbed::spawn();
//! testbed.create_bucket("bucket");
//! testbed.put_object("bucket", "../a//b", "any key is legal");
//! testbed.fault(Fault::new(Operation::GetObject, FaultKind::slow_down()).times(2));
//! // Run a program with `testbed.env()`, then look at what it asked for:
//! assert_eq!(testbed.count(Operation::GetObject), 0);
//! ```
//!
//! The house, from the door inward:
//! - `testbed`, `builder`: the handle a test holds, and how it is made.
//! - `server`: connections and bodies; runs the faults and writes the log.
//! - `proxy`: a raw TCP proxy that breaks connections, for what no server would do by itself.
//! - `faults`, `log`, `request`: what is scripted, what was asked, how a request is understood.
//! - `operations`: the S3 operations, one file a concern.
//! - `tls`, `tls_front`, `http_proxy`: what stands between a client and a real store.
//! - `store`: buckets, objects, multipart uploads, checksums. Knows nothing of HTTP.

mod builder;
mod faults;
mod http_proxy;
mod log;
mod operations;
mod proxy;
mod request;
mod seed;
mod server;
mod settings;
mod store;
mod testbed;
mod tls;
mod tls_front;
mod url;

pub use builder::Builder;
pub use bytes::Bytes;
pub use faults::{Callback, Fault, FaultId, FaultKind, Gate, WrongRange};
pub use http_proxy::{HttpProxy, ProxyConduct};
pub use log::{Request, Totals};
pub use proxy::{
    BlackHole, Break, Disruption, Exchange, Hook, Injected, Place, Proxy, Rule, RuleId, Verdict,
};
pub use request::Operation;
pub use seed::{ObjectChecksum, PutOptions};
pub use store::{
    Algorithm, Attributes, Checksum, ChecksumType, Content, Restoring, StoredObject, StoredPart,
};
pub use testbed::{Aged, OpenUpload, Testbed};
pub use tls::Certificate;
pub use tls_front::TlsFront;
