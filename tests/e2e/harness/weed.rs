//! SeaweedFS, an S3 server with real volumes on disk, where `HAUL_TEST_WEED` names its binary.
//! It must never be given many buckets: each takes several of its few volumes.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::json;

use super::server::{ACCESS_KEY, SECRET_KEY, Server};
use super::supervised::{Recipe, Supervised};

pub(crate) struct Weed {
    server: Supervised,
}

impl Weed {
    pub(crate) fn start() -> Self {
        Self { server: Supervised::start(&Recipe { name: "weed", ports: 8, command, sockets }) }
    }

    /// The one that all tests of this process use, each below a prefix of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Weed> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }
}

impl Server for Weed {
    fn endpoint(&self) -> String {
        self.server.endpoint()
    }
}

fn command(folder: &Path, ports: &[u16]) -> Vec<String> {
    let binary = std::env::var("HAUL_TEST_WEED")
        .expect("HAUL_TEST_WEED names the weed binary (tests/run.sh sets it)");
    let data = folder.join("data");
    fs::create_dir(&data).expect("the server's folder is writable");
    let identities = folder.join("identities.json");
    fs::write(&identities, self::identities()).expect("the server's folder is writable");
    let [s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc] = *ports else {
        unreachable!("the recipe asks for eight ports");
    };
    vec![
        binary,
        "server".to_owned(),
        format!("-dir={}", data.display()),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
        "-s3".to_owned(),
        format!("-s3.port={s3}"),
        format!("-s3.port.grpc={s3_grpc}"),
        format!("-s3.config={}", identities.display()),
        format!("-master.port={master}"),
        format!("-master.port.grpc={master_grpc}"),
        format!("-volume.port={volume}"),
        format!("-volume.port.grpc={volume_grpc}"),
        format!("-filer.port={filer}"),
        format!("-filer.port.grpc={filer_grpc}"),
        "-master.volumeSizeLimitMB=1024".to_owned(),
        "-volume.max=20".to_owned(),
        // No other services on fixed ports, and no word about the run to anyone.
        "-s3.port.iceberg=0".to_owned(),
        "-s3.port.lance=0".to_owned(),
        "-master.telemetry=false".to_owned(),
    ]
}

/// It makes Unix sockets in `/tmp`, named by port, and leaves them when it is killed.
fn sockets(ports: &[u16]) -> String {
    let pattern = |port: &u16| format!("/tmp/seaweedfs-*-{port}.sock");
    let patterns: Vec<_> = ports.iter().map(pattern).collect();
    patterns.join(" ")
}

fn identities() -> String {
    let actions = ["Admin", "Read", "Write", "List", "Tagging"];
    let credentials = [json!({"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY})];
    let identity = json!({"name": "test", "credentials": credentials, "actions": actions});
    json!({ "identities": [identity] }).to_string()
}
