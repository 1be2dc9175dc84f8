//! moto, a mock of S3 in Python, where `HAUL_TEST_MOTO` names its server program.
//! It must never be used for large objects (it holds all in memory) or for credentials, which
//! it does not check.

use std::path::Path;
use std::sync::OnceLock;

use super::server::Server;
use super::supervised::{Recipe, Supervised};

pub(crate) struct Moto {
    server: Supervised,
}

impl Moto {
    pub(crate) fn start() -> Self {
        Self {
            server: Supervised::start(&Recipe {
                name: "moto",
                ports: 1,
                command,
                sockets: |_| String::new(),
            }),
        }
    }

    /// The one that all tests of this process use, each with a bucket of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }
}

impl Server for Moto {
    fn endpoint(&self) -> String {
        self.server.endpoint()
    }
}

fn command(_folder: &Path, ports: &[u16]) -> Vec<String> {
    let binary = std::env::var("HAUL_TEST_MOTO")
        .expect("HAUL_TEST_MOTO names moto_server (tests/run.sh sets it)");
    let port = ports[0].to_string();
    [&binary, "-H", "127.0.0.1", "-p", &port].map(str::to_owned).into()
}
