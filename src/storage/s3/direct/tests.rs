//! What is asked past the SDK is what the SDK asks, and what is not usual it reads.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::IdentityCache;
use testbed::{Fault, FaultKind, Operation, Testbed};

use super::{Direct, Draft, Endpoints, Settings};
use crate::domain::attributes::{Attributes, CustomerKey, Encryption};
use crate::domain::checksum::{Algorithm, Hasher};
use crate::domain::location::{Bucket, Key, ObjectName};
use crate::domain::object::ETag;
use crate::domain::range::ByteRange;
use crate::storage::error::Kind;
use crate::storage::object_store::{
    Body, ObjectStore as _, Read, Upload, UploadId, Write, WriteIf,
};
use crate::storage::s3::connect::{EndpointVariant, Options, Payer, Payload, Signing, connect};
use crate::storage::s3::credentials::SharedCredentials;
use crate::storage::s3::multipart::part_by_sdk;
use crate::storage::s3::notice::Listener;
use crate::storage::s3::read::get_by_sdk;
use crate::storage::s3::store::{Parts, S3Store};
use crate::storage::s3::write::put_by_sdk;

/// Say who asks, when and how often, and not what is asked. All of the rest is to be the same.
const OF_THE_ASKER: [&str; 6] = [
    "authorization",
    "x-amz-date",
    "user-agent",
    "x-amz-user-agent",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
];

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    method: String,
    /// With the query.
    path: String,
    headers: BTreeMap<String, String>,
}

/// The one request since the last look, and whose it was.
fn asked(testbed: &Testbed) -> (String, Asked) {
    let requests = testbed.requests();
    testbed.clear_requests();
    let [request] = requests.as_slice() else { panic!("not one request: {requests:#?}") };
    let headers = request.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
    let mut headers: BTreeMap<_, _> = headers.collect();
    let agent = headers.get("user-agent").cloned().unwrap_or_default();
    headers.retain(|name, _| !OF_THE_ASKER.contains(&name.as_str()));
    (agent, Asked { method: request.method.clone(), path: request.path.clone(), headers })
}

/// Compares the two requests that were made meanwhile: one past the SDK, and one by it.
struct Both<'a>(&'a Testbed);

impl Both<'_> {
    fn direct(&self) -> Asked {
        let (agent, asked) = asked(self.0);
        assert_eq!(agent, concat!("haul/", env!("CARGO_PKG_VERSION")), "left to the SDK");
        asked
    }

    fn sdk(&self) -> Asked {
        let (agent, asked) = asked(self.0);
        assert!(agent.contains("aws-sdk-rust"), "{agent}");
        asked
    }
}

fn testbed() -> Testbed {
    let testbed = Testbed::builder().credentials("KEY", "SECRET").spawn().expect("a testbed");
    testbed.create_bucket("bucket");
    testbed
}

fn options(testbed: &Testbed) -> Options {
    Options {
        endpoint_url: Some(testbed.endpoint()),
        region: Some("us-east-1".to_owned()),
        signing: Signing::Anonymous,
        ..Options::default()
    }
}

/// A store that signs, with credentials of its own and not those of whoever runs the tests.
async fn signed(options: &Options) -> S3Store {
    let store = connect(options).await.expect("a store");
    let credentials = Credentials::new("KEY", "SECRET", Some("TOKEN".to_owned()), None, "test");
    let source = SharedCredentialsProvider::new(credentials);
    let shared = SharedCredentials::new(source, Duration::from_mins(1), Listener::default());
    let config = store.first_client().config().to_builder();
    let config = config
        .identity_cache(IdentityCache::no_cache())
        .credentials_provider(SharedCredentialsProvider::new(shared.clone()))
        .build();
    let direct = Direct { credentials: Some(shared), ..store.direct };
    let endpoint = options.endpoint_url.clone();
    S3Store::new(Parts { config, endpoint, direct }, options)
}

fn object(key: &str) -> ObjectName {
    ObjectName::new(bucket("bucket"), Key::new(key).expect("a key"))
}

fn bucket(name: &str) -> Bucket {
    Bucket::new(name).expect("a name")
}

fn body(algorithm: Algorithm) -> Body {
    let bytes = b"some bytes";
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    Body::new(bytes.as_slice().into(), hasher.finish())
}

/// Names that are written in their own way in a path, and others.
fn keys() -> Vec<String> {
    let ascii: String = (1..=126).map(char::from).collect();
    let mut keys = vec![ascii, "/a//b/../c/./".to_owned(), "ä €/𝄞 %41+b".to_owned()];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..50 {
        let length = random.usize(1..40);
        keys.push((0..length).map(|_| random.char(..)).collect());
    }
    keys
}

#[tokio::test]
async fn keys_are_written_as_the_sdk_writes_them_and_the_signature_holds() {
    let testbed = testbed();
    let store = signed(&options(&testbed)).await;
    for key in keys() {
        let object = object(&key);
        testbed.put_object("bucket", &key, "bytes");
        let reply = store.get(&object, &Read::default()).await;
        assert_eq!(reply.expect("a reply").facts.size, 5, "{key:?}");
        let direct = Both(&testbed).direct();
        get_by_sdk(&store, &object, &Read::default(), None).await.expect("a reply");
        assert_eq!(direct, Both(&testbed).sdk());
    }
}

#[tokio::test]
async fn a_read_is_asked_for_as_the_sdk_asks() {
    let testbed = testbed();
    let (both, plain) = (Both(&testbed), options(&testbed));
    let key = Some(CustomerKey::new([7; 32]));
    let options = Options { payer: Payer::Requester, customer_key: key, ..plain.clone() };
    let version = ObjectName { version: Some("3/L4 kqtJ+=é".into()), ..object("a/key") };
    let range = ByteRange::new(3, 4);
    let some = Read { range, if_match: Some(ETag::new("\"an etag\"")) };
    let below = Options { endpoint_url: Some(testbed.endpoint() + "/base/"), ..plain.clone() };
    let stores = [
        connect(&plain).await.expect("a store"),
        signed(&options).await,
        connect(&below).await.expect("a store"),
    ];
    for store in &stores {
        for (object, what) in [(&object("key"), &Read::default()), (&version, &some)] {
            store.get(object, what).await.ok();
            let direct = both.direct();
            get_by_sdk(store, object, what, None).await.ok();
            assert_eq!(direct, both.sdk());
        }
    }
}

fn attributes() -> Attributes {
    let text = |text: &str| Some(text.to_owned());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Attributes {
        crc: None,
        content_type: text("text/plain; charset=utf-8"),
        content_encoding: text("gzip"),
        content_disposition: text("attachment; filename=\"a b\""),
        content_language: text("de"),
        website_redirect: text("/elsewhere"),
        cache_control: text("no-cache"),
        expires: None,
        metadata: vec![pair("one", "1"), pair("Two", "a b")],
        tags: vec![pair("a b", "1&2=3"), pair("c", "")],
        storage_class: text("GLACIER_IR"),
        acl: text("private"),
        encryption: Some(Encryption {
            method: "aws:kms".to_owned(),
            kms_key_id: text("arn:aws:kms:us-east-1:1:key/2"),
        }),
    }
}

#[tokio::test]
async fn a_write_is_asked_for_as_the_sdk_asks() {
    let testbed = testbed();
    let (both, plain) = (Both(&testbed), options(&testbed));
    let key = Some(CustomerKey::new([7; 32]));
    let full = Options { payer: Payer::Requester, customer_key: key, ..plain.clone() };
    let hashed = Options { payload: Payload::Signed, ..plain.clone() };
    let stores =
        [connect(&plain).await.expect("a store"), signed(&full).await, signed(&hashed).await];
    let writes = [
        Write { attributes: Attributes::default().into(), condition: WriteIf::Absent },
        Write { attributes: attributes().into(), condition: WriteIf::Always },
    ];
    let upload = Upload { object: object("a/key.html"), id: UploadId("2~a/b+c=é".into()) };
    for store in &stores {
        for (how, algorithm) in writes.iter().zip([Algorithm::Crc64Nvme, Algorithm::Sha256]) {
            let body = body(algorithm);
            store.put(&upload.object, body.clone(), how).await.ok();
            let direct = both.direct();
            put_by_sdk(store, &upload.object, &body, how, None).await.ok();
            assert_eq!(direct, both.sdk());
            store.put_part(&upload, 17, body.clone()).await.ok();
            let direct = both.direct();
            part_by_sdk(store, &upload, 17, &body, None).await.ok();
            assert_eq!(direct, both.sdk());
        }
    }
}

#[tokio::test]
async fn what_can_not_be_written_as_the_sdk_does_is_left_to_it() {
    let testbed = testbed();
    let store = signed(&options(&testbed)).await;
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let odd = [
        Attributes { expires: Some(1_700_000_000), ..Attributes::default() },
        Attributes { metadata: pair("empty", ""), ..Attributes::default() },
        Attributes { metadata: pair("word", "Grüße"), ..Attributes::default() },
        Attributes { metadata: pair("no name", "value"), ..Attributes::default() },
        Attributes {
            metadata: [pair("name", "1"), pair("Name", "2")].concat(),
            ..Attributes::default()
        },
    ];
    for attributes in odd {
        let how = Write { attributes: attributes.into(), condition: WriteIf::Always };
        let body = body(Algorithm::Crc64Nvme);
        let draft = Draft::put(&object("key"), &body, &how, store.extras());
        let sent = store.send("PutObject", &bucket("bucket"), draft, Some(&body)).await;
        assert!(sent.expect("no failure").is_none(), "{:?}", how.attributes);
    }
    assert!(testbed.requests().is_empty());
}

#[tokio::test]
async fn a_reply_that_is_not_usual_is_read_by_the_sdk_and_asked_for_once() {
    let testbed = testbed();
    let store = signed(&options(&testbed)).await;
    let missing = store.get(&object("nothing"), &Read::default()).await.expect_err("no object");
    assert_eq!((missing.kind, missing.code.as_deref()), (Kind::MissingKey, Some("NoSuchKey")));
    assert!(missing.request_id.is_some());
    let how = Write { attributes: Attributes::default().into(), condition: WriteIf::Always };
    let nowhere = ObjectName::new(bucket("nowhere"), Key::new("key").expect("a key"));
    let missing = store.put(&nowhere, body(Algorithm::Crc64Nvme), &how).await;
    assert_eq!(missing.expect_err("no bucket").kind, Kind::MissingBucket);
    testbed.fault(Fault::new(Operation::GetObject, FaultKind::ResetBeforeHeaders));
    let broken = store.get(&object("nothing"), &Read::default()).await.expect_err("no reply");
    assert_eq!(broken.kind, Kind::Transient);
    assert_eq!(testbed.requests().len(), 3);
}

/// The SDK's own rules, for buckets that are not usual.
#[tokio::test]
async fn buckets_that_need_more_than_a_signature_are_left_to_the_sdk() {
    let settings =
        Settings { endpoint: None, variant: EndpointVariant::default(), is_path_style: false };
    let endpoints = Endpoints::new(settings);
    let here = endpoints.of(&bucket("bucket"), "eu-west-1").await.expect("an endpoint");
    assert_eq!(here.base, "https://bucket.s3.eu-west-1.amazonaws.com");
    let there = endpoints.of(&bucket("bucket"), "eu-west-2").await.expect("an endpoint");
    assert_eq!((&*there.region, &*there.service), ("eu-west-2", "s3"));
    let again = endpoints.of(&bucket("bucket"), "eu-west-1").await.expect("an endpoint");
    assert_eq!(here, again);
    let special = [
        "bucket--use1-az5--x-s3",
        "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap",
        "arn:aws:s3:us-east-1:123456789012:accesspoint/point",
    ];
    for name in special {
        assert!(endpoints.of(&bucket(name), "us-east-1").await.is_none(), "{name}");
    }
}
