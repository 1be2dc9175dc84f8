//! One suite for all stores: memory, the testbed, and servers that others wrote. What one of them
//! can't do is stated below, never left out in silence; what the engine leans on without asking,
//! all of them must do.

mod copying;
mod reading;
mod removing;
mod restoring;
mod writing;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use haul::domain::attributes::Attributes;
use haul::domain::checksum::Crc;
use haul::domain::location::{Bucket, Key, ObjectName};
use haul::storage::error::Kind;
use haul::storage::memory::MemoryStore;
use haul::storage::object_store::{
    Body, GetReply, ObjectStore, Read, Result, Write, WriteIf, Written,
};
use haul::storage::s3;
use testbed::Testbed;

use crate::harness::{self, Moto, Server, Weed};

/// Where the checks run: below a prefix, since a real server may be able to have few buckets.
struct Contract {
    store: Arc<dyn ObjectStore>,
    bucket: Bucket,
    prefix: String,
    can: Capabilities,
}

/// What the engine can do without, and not every store does.
#[derive(Clone, Copy, Debug)]
struct Capabilities {
    /// Keeps the CRC64NVME that came with an object, and tells it.
    keeps_checksums: Can,
    /// Refuses bytes that do not have the checksum that came with them.
    compares_checksums: Can,
    /// Refuses to complete an upload whose size or checksum is not what was sent.
    compares_wholes: Can,
    /// Tells the parts that an object was uploaded in, and their checksums.
    tells_parts: Can,
    /// Has keys such as `a//b` and `..`, and `x` beside `x/y`.
    takes_any_key: Can,
    /// Heeds `If-None-Match: *` when an upload is completed, too.
    completes_on_condition: Can,
    /// Says so when a completed upload is completed again.
    forgets_completed_uploads: Can,
    /// Says so when an aborted upload is used again.
    forgets_aborted_uploads: Can,
    /// Starts no upload in a bucket that does not exist.
    misses_buckets_of_uploads: Can,
    /// Leaves an object alone where another version than the only one is to be removed.
    tells_versions_apart: Can,
    /// Copies only the version of a source that was asked for.
    pins_copies: Can,
    /// Heeds `If-None-Match: *` when an object is copied, too.
    copies_on_condition: Can,
    /// Has archives, from which objects are brought back.
    restores: Can,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Can {
    Yes,
    No,
}

const EVERYTHING: Capabilities = Capabilities {
    keeps_checksums: Can::Yes,
    compares_checksums: Can::Yes,
    compares_wholes: Can::Yes,
    tells_parts: Can::Yes,
    takes_any_key: Can::Yes,
    completes_on_condition: Can::Yes,
    forgets_completed_uploads: Can::Yes,
    forgets_aborted_uploads: Can::Yes,
    misses_buckets_of_uploads: Can::Yes,
    tells_versions_apart: Can::Yes,
    pins_copies: Can::Yes,
    copies_on_condition: Can::Yes,
    restores: Can::Yes,
};

/// To it a key is a path: `..` and empty names are refused, and `\` is `/`.
const SEAWEEDFS: Capabilities = Capabilities {
    compares_wholes: Can::No,
    tells_parts: Can::No,
    takes_any_key: Can::No,
    forgets_completed_uploads: Can::No,
    misses_buckets_of_uploads: Can::No,
    tells_versions_apart: Can::No,
    restores: Can::No,
    ..EVERYTHING
};

/// A mock: it takes what comes, and what it calls a CRC64NVME of parts is none.
const MOTO: Capabilities = Capabilities {
    keeps_checksums: Can::No,
    compares_checksums: Can::No,
    compares_wholes: Can::No,
    tells_parts: Can::No,
    takes_any_key: Can::No,
    forgets_completed_uploads: Can::No,
    forgets_aborted_uploads: Can::No,
    tells_versions_apart: Can::No,
    pins_copies: Can::No,
    copies_on_condition: Can::No,
    ..EVERYTHING
};

const BUCKET: &str = "contract";

#[test]
fn memory_keeps_the_contract() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::with_bucket(BUCKET));
    check_all(&store, BUCKET, EVERYTHING);
}

#[test]
fn the_testbed_keeps_the_contract() {
    let testbed = Testbed::spawn();
    testbed.create_bucket(BUCKET);
    check_elsewhere(&testbed, "testbed");
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn seaweedfs_keeps_the_contract() {
    let bucket = harness::Bucket::make(Weed::shared(), crate::real_servers::BUCKET);
    bucket.remove("contract/");
    check_elsewhere(Weed::shared(), "seaweedfs");
    bucket.remove("contract/");
}

#[test]
#[ignore = "needs real servers: run tests/run.sh"]
fn moto_keeps_the_contract() {
    let bucket = harness::Bucket::make(Moto::shared(), BUCKET);
    bucket.remove("");
    check_elsewhere(Moto::shared(), "moto");
}

/// Names the server whose capabilities are meant.
const SERVER: &str = "HAUL_TEST_CONTRACT";

/// `connect` finds server and credentials in the environment, as in the program, and that of a
/// process with many threads must stay as it is: so a server's suite runs in a process of its own.
fn check_elsewhere(server: &(impl Server + ?Sized), name: &str) {
    let this = std::env::current_exe().expect("a test has a path");
    let suite = "store_contract::the_server_of_the_environment_keeps_the_contract";
    let mut command = Command::new(this);
    command.args(["--exact", suite, "--nocapture"]).env(SERVER, name).envs(server.env());
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    let ended = command.output().expect("a test can be started");
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ended.status.success(), "{name} breaks the contract:\n{said}");
    assert!(said.contains("1 passed"), "the suite did not run:\n{said}");
}

/// Does nothing by itself: the tests above run it, each with its server.
#[test]
fn the_server_of_the_environment_keeps_the_contract() {
    let (bucket, can) = match std::env::var(SERVER).as_deref() {
        Ok("testbed") => (BUCKET, EVERYTHING),
        Ok("seaweedfs") => (crate::real_servers::BUCKET, SEAWEEDFS),
        Ok("moto") => (BUCKET, MOTO),
        Ok(other) => panic!("no capabilities of {other} are known"),
        Err(_) => return,
    };
    let store = runtime().block_on(s3::connect(&s3::Options::default()));
    let store: Arc<dyn ObjectStore> = Arc::new(store.expect("the environment names a server"));
    check_all(&store, bucket, can);
}

/// Every check, each below a prefix of its own, also after one that failed: a new server is known
/// after one run.
fn check_all(store: &Arc<dyn ObjectStore>, bucket: &str, can: Capabilities) {
    let runtime = runtime();
    let contract = |name: &str| Contract {
        store: Arc::clone(store),
        bucket: Bucket::new(bucket).expect("a name"),
        prefix: format!("contract/{name}/"),
        can,
    };
    let mut broken = Vec::new();
    macro_rules! check {
        ($($room:ident :: $name:ident),* $(,)?) => {$(
            let check = || runtime.block_on($room::$name(&contract(stringify!($name))));
            if catch_unwind(AssertUnwindSafe(check)).is_err() {
                broken.push(stringify!($name));
            }
        )*};
    }
    check!(
        copying::a_copy_is_like_its_source,
        copying::a_copy_has_what_it_is_told,
        copying::a_pinned_copy_notices_another_version,
        copying::a_conditional_copy_leaves_what_is_there,
        copying::ranges_become_parts,
        copying::a_pinned_part_notices_another_version,
        reading::get_head_and_list_tell_the_same,
        reading::an_empty_object_has_no_range,
        reading::ranges_are_exact,
        reading::a_pinned_read_notices_another_version,
        reading::what_is_missing_is_told_by_its_kind,
        reading::pages_make_one_listing,
        reading::a_listing_stops_at_the_next_slash,
        reading::versions_are_listed,
        reading::odd_keys_come_back_verbatim,
        reading::buckets_are_listed,
        writing::the_last_write_wins,
        writing::other_bytes_than_promised_are_refused,
        writing::a_conditional_write_leaves_what_is_there,
        writing::parts_become_one_object,
        writing::parts_are_told,
        writing::a_part_sent_again_replaces_the_first,
        writing::a_whole_that_does_not_add_up_is_refused,
        writing::a_conditional_upload_leaves_what_is_there,
        writing::an_aborted_upload_is_gone,
        writing::an_upload_needs_its_bucket,
        writing::what_the_connection_takes_is_counted,
        removing::what_is_removed_is_gone_and_nothing_else,
        removing::a_pinned_removal_leaves_another_version,
        removing::many_are_removed_with_one_request,
        removing::odd_keys_are_removed_and_not_their_neighbours,
        removing::a_bucket_comes_and_goes,
        restoring::an_archived_object_is_asked_for_and_no_other,
        removing::another_version_than_the_one_that_is_there_stays,
    );
    assert!(broken.is_empty(), "broken: {broken:?}");
}

impl Contract {
    fn name(&self, key: &str) -> ObjectName {
        let key = Key::new(&format!("{}{key}", self.prefix)).expect("a key");
        ObjectName::new(self.bucket.clone(), key)
    }

    async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Written {
        let put = self.try_put(key, body(bytes), WriteIf::Always).await;
        put.unwrap_or_else(|error| panic!("could not put {key:?}: {error}"))
    }

    async fn try_put(&self, key: &str, body: Body, condition: WriteIf) -> Result<Written> {
        let write = Write { attributes: Arc::new(Attributes::default()), condition };
        self.store.put(&self.name(key), body, &write).await
    }

    async fn read(&self, key: &str) -> Bytes {
        let reply = self.store.get(&self.name(key), &Read::default()).await;
        bytes_of(reply.unwrap_or_else(|error| panic!("could not get {key:?}: {error}"))).await
    }

    async fn is_missing(&self, key: &str) -> bool {
        let head = self.store.head(&self.name(key)).await;
        matches!(head, Err(error) if error.kind == Kind::MissingKey)
    }
}

/// Bytes with the checksum that is right for them.
fn body(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    let checksum = Crc::Crc64Nvme.checksum(Crc::Crc64Nvme.of(&bytes));
    Body::new(bytes, checksum)
}

async fn bytes_of(mut reply: GetReply) -> Bytes {
    let mut bytes = BytesMut::new();
    while let Some(frame) = reply.body.next().await {
        bytes.extend_from_slice(&frame.expect("the body comes to its end"));
    }
    bytes.freeze()
}

#[track_caller]
fn kind<T: std::fmt::Debug>(result: Result<T>) -> Kind {
    result.expect_err("it must fail").kind
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made")
}
