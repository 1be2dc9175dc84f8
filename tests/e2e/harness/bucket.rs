//! A look into a bucket, and a hand in it, that does not go through `haul`: what a test puts
//! there or finds there must never depend on the program under test.

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region, ResponseChecksumValidation};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{
    BucketVersioningStatus, Delete, ObjectIdentifier, VersioningConfiguration,
};
use tokio::runtime::Runtime;

use super::server::{ACCESS_KEY, REGION, SECRET_KEY, Server};

pub(crate) struct Bucket {
    name: String,
    client: Client,
    runtime: Runtime,
}

impl Bucket {
    /// The bucket of that name, made when it is missing.
    pub(crate) fn make(server: &(impl Server + ?Sized), name: &str) -> Self {
        let bucket = Self::open(server, name);
        let made = bucket.client.create_bucket().bucket(name).send();
        let made = bucket.runtime.block_on(made);
        if let Err(error) = made.map_err(aws_sdk_s3::Error::from) {
            use aws_sdk_s3::Error::{BucketAlreadyExists, BucketAlreadyOwnedByYou};
            let there = matches!(error, BucketAlreadyExists(_) | BucketAlreadyOwnedByYou(_));
            assert!(there, "could not make bucket {name}: {error:?}");
        }
        bucket
    }

    /// The bucket of that name, which may not exist.
    pub(crate) fn open(server: &(impl Server + ?Sized), name: &str) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(server.endpoint())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "tests"))
            .force_path_style(true)
            // moto sends checksums of one algorithm as those of another; tests compare bytes.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            name: name.to_owned(),
            client: Client::from_conf(config),
            runtime: runtime.expect("a runtime can be made"),
        }
    }

    /// Such as `s3://bucket/key`.
    pub(crate) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    /// Gives the version that it made, where the bucket keeps them.
    pub(crate) fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) -> Option<String> {
        let request = self.client.put_object().bucket(&self.name).key(key);
        let sent = request.body(bytes.into().into()).send();
        let reply = self.runtime.block_on(sent);
        let reply = reply.unwrap_or_else(|error| panic!("could not put {key}: {error:?}"));
        reply.version_id().map(str::to_owned)
    }

    /// The versions that there are of a key, the newest first; no delete markers.
    pub(crate) fn versions_of(&self, key: &str) -> Vec<String> {
        let request = self.client.list_object_versions().bucket(&self.name).prefix(key);
        let reply = self.runtime.block_on(request.send()).expect("the listing works");
        let versions = reply.versions().iter().filter(|version| version.key() == Some(key));
        versions.filter_map(|version| version.version_id()).map(str::to_owned).collect()
    }

    pub(crate) fn get(&self, key: &str) -> Vec<u8> {
        let request = self.client.get_object().bucket(&self.name).key(key).send();
        let bytes = self.runtime.block_on(async {
            let reply =
                request.await.unwrap_or_else(|error| panic!("could not get {key}: {error:?}"));
            reply.body.collect().await
        });
        bytes.expect("the body arrives").to_vec()
    }

    /// What the server knows of an object.
    pub(crate) fn head(&self, key: &str) -> HeadObjectOutput {
        let request = self.client.head_object().bucket(&self.name).key(key).send();
        let reply = self.runtime.block_on(request);
        reply.unwrap_or_else(|error| panic!("could not ask for {key}: {error:?}"))
    }

    /// All keys below a prefix, in the order of the listing.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        self.runtime.block_on(async {
            while let Some(page) = pages.next().await {
                let page = page.expect("the listing works");
                keys.extend(
                    page.contents().iter().filter_map(|object| object.key()).map(str::to_owned),
                );
            }
        });
        keys
    }

    /// Removes all objects below a prefix.
    pub(crate) fn remove(&self, prefix: &str) {
        let identifier = |key| ObjectIdentifier::builder().key(key).build().expect("it has a key");
        for keys in self.keys(prefix).chunks(1000) {
            let objects = keys.iter().map(identifier).collect();
            let delete = Delete::builder().set_objects(Some(objects)).build();
            let request = self.client.delete_objects().bucket(&self.name);
            let sent = request.delete(delete.expect("it has objects")).send();
            self.runtime.block_on(sent).expect("objects can be removed");
        }
    }

    /// Aborts a multipart upload.
    pub(crate) fn abort(&self, key: &str, upload: &str) {
        let request = self.client.abort_multipart_upload().bucket(&self.name).key(key);
        let sent = request.upload_id(upload).send();
        self.runtime.block_on(sent).expect("the upload can be aborted");
    }

    /// How many parts the unfinished uploads of a key have.
    pub(crate) fn open_parts(&self, key: &str) -> usize {
        let uploads = self.client.list_multipart_uploads().bucket(&self.name).prefix(key);
        let uploads = self.runtime.block_on(uploads.send()).expect("the listing works");
        let ids = uploads.uploads().iter().filter_map(|upload| upload.upload_id());
        let parts = ids.map(|id| {
            let request = self.client.list_parts().bucket(&self.name).key(key).upload_id(id);
            // It may be complete by now.
            self.runtime.block_on(request.send()).map_or(0, |reply| reply.parts().len())
        });
        parts.sum()
    }

    /// Keys of multipart uploads that were neither completed nor aborted.
    pub(crate) fn open_uploads(&self, prefix: &str) -> Vec<String> {
        let request = self.client.list_multipart_uploads().bucket(&self.name).prefix(prefix);
        let reply = self.runtime.block_on(request.send());
        let reply = reply.expect("the listing works");
        let keys = reply.uploads().iter().filter_map(|upload| upload.key());
        keys.map(str::to_owned).collect()
    }

    /// Keeps all versions from now on.
    pub(crate) fn keep_versions(&self) {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let request = self.client.put_bucket_versioning().bucket(&self.name);
        let sent = request.versioning_configuration(on).send();
        self.runtime.block_on(sent).expect("versions can be kept");
    }

    /// Keys of all versions and delete markers, in order.
    pub(crate) fn keys_of_versions(&self) -> Vec<String> {
        let request = self.client.list_object_versions().bucket(&self.name).send();
        let reply = self.runtime.block_on(request).expect("the listing works");
        let markers = reply.delete_markers().iter().filter_map(|marker| marker.key());
        let versions = reply.versions().iter().filter_map(|version| version.key());
        let mut keys: Vec<_> = versions.chain(markers).map(str::to_owned).collect();
        keys.sort();
        keys
    }
}
