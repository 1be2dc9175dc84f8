//! The handle a test holds: control of a running server, all of it synchronous.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::builder::Builder;
use crate::faults::{Fault, FaultId};
use crate::log::{Request, Totals};
use crate::request::Operation;
use crate::seed::{self, PutOptions};
use crate::server::{Front, Running};
use crate::store::{Bucket, Condition, Restoring, StoredObject};

/// A running S3 server. It stops when this is dropped.
#[derive(Debug)]
pub struct Testbed {
    front: Arc<Front>,
    running: Running,
    scheme: &'static str,
    credentials: (String, String),
}

/// An open multipart upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    pub key: String,
    pub upload_id: String,
    /// Numbers of the parts uploaded so far.
    pub parts: Vec<u32>,
}

/// What of an unfinished upload becomes older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aged {
    Uploads,
    Parts,
}

/// Over which synthetic keys are spread.
const FOLDERS: usize = 100;

impl Testbed {
    /// A server with S3's own settings, for callers without a runtime.
    ///
    /// # Panics
    ///
    /// If there is no free port on the loopback interface.
    pub fn spawn() -> Self {
        Self::builder().spawn().expect("a free port on the loopback interface")
    }

    /// The same, for async callers.
    ///
    /// # Panics
    ///
    /// If there is no free port on the loopback interface.
    pub async fn start() -> Self {
        Self::builder().start().await.expect("a free port on the loopback interface")
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        front: Arc<Front>,
        running: Running,
        scheme: &'static str,
        credentials: (String, String),
    ) -> Self {
        Self { front, running, scheme, credentials }
    }

    /// `http://127.0.0.1:PORT`, or `https://…` under TLS.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.running.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    pub fn port(&self) -> u16 {
        self.running.address.port()
    }

    /// The environment of a child process that talks to this server and to nothing else.
    pub fn env(&self) -> Vec<(String, String)> {
        let (id, secret) = &self.credentials;
        [
            ("AWS_ACCESS_KEY_ID", id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
            ("AWS_REGION", self.front.backend.settings.region.as_str()),
            ("AWS_ENDPOINT_URL", self.endpoint().as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Accepts another key from now on.
    pub fn add_credentials(&self, id: impl Into<String>, secret: impl Into<String>) {
        let credentials = &self.front.backend.settings.credentials;
        let mut credentials = credentials.write().unwrap_or_else(PoisonError::into_inner);
        credentials.insert(id.into(), secret.into());
    }

    /// Takes a key for expired from now on: `400 ExpiredToken`, and to a HEAD a bare 400.
    pub fn expire_credentials(&self, id: impl Into<String>) {
        let expired = &self.front.backend.settings.expired;
        expired.write().unwrap_or_else(PoisonError::into_inner).insert(id.into());
    }

    /// Refuses a key from now on: `InvalidAccessKeyId`.
    pub fn remove_credentials(&self, id: &str) {
        let credentials = &self.front.backend.settings.credentials;
        credentials.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// Buckets and objects.
impl Testbed {
    /// A bucket that answers requests signed for any region. One that exists is kept.
    pub fn create_bucket(&self, bucket: &str) {
        // The only failure is that it exists, which is what was asked for.
        self.front.backend.store.create_bucket(bucket, None).ok();
    }

    /// A bucket that answers `301 PermanentRedirect`, with `x-amz-bucket-region`, to requests that
    /// are signed for another region.
    pub fn create_bucket_in(&self, bucket: &str, region: &str) {
        // The only failure is that it exists, which is what was asked for.
        self.front.backend.store.create_bucket(bucket, Some(region.to_owned())).ok();
    }

    /// Keeps all versions of all objects from now on.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn keep_versions(&self, bucket: &str) {
        let kept = self.front.backend.store.with_mut(bucket, Bucket::keep_versions);
        kept.expect("the bucket must exist");
    }

    /// Keys and ids of all versions, delete markers included, by key and the newest first.
    pub fn versions(&self, bucket: &str) -> Vec<(String, String)> {
        let store = &self.front.backend.store;
        let versions = store.with(bucket, |bucket| {
            let versions = bucket.all_versions().into_iter();
            versions.map(|(key, version)| (key.to_owned(), version.id.clone())).collect()
        });
        versions.unwrap_or_default()
    }

    /// Puts an object, with an MD5 `ETag` and a CRC64NVME of the whole; gives the `ETag`.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn put_object(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        self.put_object_with(bucket, key, bytes, &PutOptions::default())
    }

    /// Puts an object that looks as told; gives the `ETag`.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn put_object_with(
        &self,
        bucket: &str,
        key: &str,
        bytes: impl Into<Bytes>,
        options: &PutOptions,
    ) -> String {
        self.store_object(bucket, key, seed::object(&self.front.backend, bytes.into(), options))
    }

    /// Puts other bytes under the key of an object and leaves its attributes; gives the new `ETag`.
    ///
    /// # Panics
    ///
    /// If there is no such object.
    pub fn replace_object(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        let old = self.object(bucket, key).expect("replace_object() needs an object");
        let attributes = (*old.attributes).clone();
        self.put_object_with(
            bucket,
            key,
            bytes,
            &PutOptions { attributes, ..PutOptions::default() },
        )
    }

    /// Puts an object of any size that costs next to no memory; gives the `ETag`.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn put_synthetic(&self, bucket: &str, key: &str, size: u64, seed: u64) -> String {
        self.store_object(bucket, key, seed::synthetic(&self.front.backend, size, seed))
    }

    /// Puts so many objects of one size, each with bytes of its own, under
    /// `{prefix}{folder:02}/{number:08}` in a hundred folders; costs some 400 bytes each beside
    /// the key.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn put_synthetic_keys(&self, bucket: &str, prefix: &str, count: usize, size: usize) {
        let objects = seed::synthetic_many(&self.front.backend, count, size).enumerate();
        let objects = objects.map(|(number, object)| {
            (format!("{prefix}{:02}/{number:08}", number % FOLDERS), Arc::new(object))
        });
        let put =
            self.front.backend.store.with_mut(bucket, |bucket| bucket.objects.extend(objects));
        put.expect("the bucket must exist before objects are put into it");
    }

    pub fn object(&self, bucket: &str, key: &str) -> Option<Arc<StoredObject>> {
        self.front.backend.store.object(bucket, key).ok()
    }

    /// All keys of a bucket in UTF-8 binary order; none if there is no such bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let store = &self.front.backend.store;
        store.with(bucket, |bucket| bucket.objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// Removes an object, if it is there.
    pub fn delete_object(&self, bucket: &str, key: &str) {
        // A bucket that is not there has no such object either.
        self.front.backend.store.delete(bucket, (key, None), |_| Ok(())).ok();
    }

    /// Lets all that was asked for out of an archive be there.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn finish_restores(&self, bucket: &str) {
        let finished = self.front.backend.store.with_mut(bucket, |bucket| {
            for object in bucket.objects.values_mut() {
                if object.attributes.restoring == Some(Restoring::UnderWay) {
                    let object = Arc::make_mut(object);
                    Arc::make_mut(&mut object.attributes).restoring = Some(Restoring::Done);
                }
            }
        });
        finished.expect("the bucket must exist");
    }

    /// The multipart uploads that were neither completed nor aborted.
    pub fn open_uploads(&self, bucket: &str) -> Vec<OpenUpload> {
        let uploads = self.front.backend.store.with(bucket, |bucket| {
            let uploads = bucket.uploads.iter();
            uploads
                .map(|((key, upload_id), upload)| OpenUpload {
                    key: key.clone(),
                    upload_id: upload_id.clone(),
                    parts: upload.parts.keys().copied().collect(),
                })
                .collect()
        });
        uploads.unwrap_or_default()
    }

    /// Makes all unfinished uploads, or their parts, older than they are.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn age_uploads(&self, bucket: &str, what: Aged, by: Duration) {
        let aged = self.front.backend.store.with_mut(bucket, |bucket| {
            for upload in bucket.uploads.values_mut() {
                match what {
                    Aged::Uploads => upload.initiated -= by,
                    Aged::Parts => {
                        upload.parts.values_mut().for_each(|part| part.last_modified -= by);
                    }
                }
            }
        });
        aged.expect("the bucket must exist");
    }

    fn store_object(&self, bucket: &str, key: &str, object: StoredObject) -> String {
        let etag = object.etag.clone();
        let put = self.front.backend.store.put(bucket, key, object, &Condition::None);
        put.expect("the bucket must exist before an object is put into it");
        etag
    }
}

/// The log.
impl Testbed {
    /// All requests since the start or the last [`Testbed::clear_requests`], in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.front.log.requests()
    }

    /// Those of one operation.
    pub fn requests_of(&self, operation: Operation) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.operation == operation);
        requests
    }

    pub fn clear_requests(&self) {
        self.front.log.clear();
    }

    pub fn count(&self, operation: Operation) -> usize {
        self.front.log.count(operation)
    }

    pub fn totals(&self) -> Totals {
        self.front.log.totals()
    }
}

/// Faults.
impl Testbed {
    /// Sets a fault. Faults that match the same request all act, in the order they were set, but
    /// only the first of those that take the place of the work.
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.front.faults.add(fault)
    }

    /// How often each fault fired, in the order they were set.
    pub fn fault_hits(&self) -> Vec<u64> {
        self.front.faults.hits()
    }

    pub fn hits(&self, fault: FaultId) -> u64 {
        self.front.faults.hits_of(fault)
    }

    /// No fault fires any more.
    pub fn clear_faults(&self) {
        self.front.faults.clear();
    }
}
