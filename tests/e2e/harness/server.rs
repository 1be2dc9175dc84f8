//! What every S3 server of the tests can tell: where it is and who may use it.
//! It must never hold how a server is started or stopped; the testbed's own crate and the files
//! of the others know that.

use testbed::{Proxy, Testbed};

/// The testbed's credentials, which the other servers are told, or don't ask for.
pub(crate) const ACCESS_KEY: &str = "AKIDTEST";
pub(crate) const SECRET_KEY: &str = "SECRET";
pub(crate) const REGION: &str = "us-east-1";

pub(crate) trait Server {
    /// Such as `http://127.0.0.1:8333`.
    fn endpoint(&self) -> String;

    /// The environment with which `haul` finds the server and its credentials.
    fn env(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

impl Server for Testbed {
    fn endpoint(&self) -> String {
        Testbed::endpoint(self)
    }

    fn env(&self) -> Vec<(String, String)> {
        Testbed::env(self)
    }
}

impl Server for Proxy {
    fn endpoint(&self) -> String {
        Proxy::endpoint(self)
    }

    fn env(&self) -> Vec<(String, String)> {
        Proxy::env(self)
    }
}
