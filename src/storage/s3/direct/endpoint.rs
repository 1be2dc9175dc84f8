//! Where requests about a bucket go, and for whom they are signed: the SDK's own rules, asked once
//! a bucket and not once a request.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sdk_s3::error::BoxError;
use aws_smithy_types::Document;
use aws_smithy_types::endpoint::{Endpoint as Resolved, EndpointAuthScheme};

use crate::domain::location::Bucket;
use crate::storage::s3::connect::EndpointVariant;

/// More buckets than most runs have; beyond it, the rules are asked for each request.
const MOST_BUCKETS: usize = 1024;

/// What decides about endpoints besides the bucket and its region.
#[derive(Debug, Clone)]
pub(in crate::storage::s3) struct Settings {
    /// None: S3's own.
    pub(in crate::storage::s3) endpoint: Option<String>,
    pub(in crate::storage::s3) variant: EndpointVariant,
    pub(in crate::storage::s3) is_path_style: bool,
}

impl Settings {
    /// What the SDK's rules say of a bucket.
    pub(in crate::storage::s3) async fn resolve(
        &self,
        bucket: &str,
        region: &str,
    ) -> Result<Resolved, BoxError> {
        let params = Params::builder()
            .bucket(bucket)
            .region(region)
            .set_endpoint(self.endpoint.clone())
            .use_fips(self.variant.fips)
            .use_dual_stack(self.variant.dual_stack)
            .accelerate(self.variant.accelerate)
            .force_path_style(self.is_path_style)
            .build()?;
        DefaultResolver::new().resolve_endpoint(&params).await
    }
}

/// Where requests about one bucket go.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::storage::s3) struct Endpoint {
    /// Without a slash at its end.
    pub(super) base: String,
    /// Both of the signature.
    pub(super) region: String,
    pub(super) service: String,
}

impl Endpoint {
    /// `None` where requests need more than a signature: those are left to the SDK.
    fn new(resolved: &Resolved, region: &str) -> Option<Self> {
        let needs_headers = resolved.headers().next().is_some();
        // Directory buckets have sessions, which are signed for in another way.
        let scheme = resolved.auth_schemes().first();
        let is_usual = scheme.is_none_or(|scheme| scheme.name() == "sigv4") && !needs_headers;
        let said = |name| scheme.and_then(|scheme| text(scheme, name)).map(str::to_owned);
        is_usual.then(|| Self {
            base: resolved.url().trim_end_matches('/').to_owned(),
            region: said("signingRegion").unwrap_or_else(|| region.to_owned()),
            service: said("signingName").unwrap_or_else(|| "s3".to_owned()),
        })
    }
}

fn text<'a>(scheme: &'a EndpointAuthScheme, name: &str) -> Option<&'a str> {
    scheme.get(name).and_then(Document::as_string)
}

/// The endpoints of a run, each found once.
pub(in crate::storage::s3) struct Endpoints {
    settings: Settings,
    known: RwLock<HashMap<Bucket, Known>>,
}

#[derive(Clone)]
struct Known {
    region: String,
    endpoint: Option<Arc<Endpoint>>,
}

impl Endpoints {
    pub(in crate::storage::s3) fn new(settings: Settings) -> Self {
        Self { settings, known: RwLock::default() }
    }

    /// `None` where only the SDK knows how to send requests.
    pub(in crate::storage::s3) async fn of(
        &self,
        bucket: &Bucket,
        region: &str,
    ) -> Option<Arc<Endpoint>> {
        if let Some(known) = self.read(bucket, region) {
            return known.endpoint;
        }
        let endpoint = self.find(bucket, region).await.map(Arc::new);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_BUCKETS {
            let found = Known { region: region.to_owned(), endpoint: endpoint.clone() };
            known.insert(bucket.clone(), found);
        }
        endpoint
    }

    fn read(&self, bucket: &Bucket, region: &str) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        // A bucket's region may be learnt meanwhile.
        known.get(bucket).filter(|known| known.region == region).cloned()
    }

    async fn find(&self, bucket: &Bucket, region: &str) -> Option<Endpoint> {
        if is_access_point(bucket) {
            return None;
        }
        let found = self.settings.resolve(bucket.as_str(), region).await.ok()?;
        Endpoint::new(&found, region)
    }
}

/// Access points are named by ARNs, whose regions may be others than the client's.
fn is_access_point(bucket: &Bucket) -> bool {
    bucket.as_str().contains(':')
}
