//! From options and the AWS environment to a client: credentials, region, endpoint.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::{
    IdentityCache, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use rustls::ClientConfig;

use super::bodies::WatchBodies;
use super::connector::{Connectors, Limits};
use super::credentials::SharedCredentials;
use super::direct::{Direct, Endpoints, Settings};
use super::notice::{Listener, Notice};
use super::proxy::{Proxies, Route};
use super::read::StatusInRange;
use super::regions::is_region;
use super::repeated::SaidOnce;
use super::resolve::Resolver;
use super::store::{Parts, S3Store};
use super::{connector, profile, tls};
use crate::domain::attributes::CustomerKey;

/// Where no region is named: what S3 itself and most S3-compatible servers take.
const DEFAULT_REGION: &str = "us-east-1";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that reading credentials may take: some wait for a person to sign in.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_mins(1);

/// How to reach a store. Everything left out comes from the environment and the files that every
/// AWS tool reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    pub profile: Option<String>,
    pub signing: Signing,
    pub addressing: Addressing,
    pub payer: Payer,
    pub payload: Payload,
    pub replies: Replies,
    pub endpoint: EndpointVariant,
    /// PEM file of certificates to trust besides the system's.
    pub ca_bundle: Option<PathBuf>,
    pub certificates: Certificates,
    pub customer_key: Option<CustomerKey>,
    /// What the objects are encrypted with that are copied on the server.
    pub source_key: Option<CustomerKey>,
    /// Longest silence of a connection that is being made.
    pub connect_timeout: Option<Duration>,
    /// Longest wait for whoever gives credentials.
    pub credentials_timeout: Option<Duration>,
    /// Hears what the store does by itself.
    pub listener: Listener,
}

impl Options {
    /// Whether the same server is reached with the same credentials, whatever is asked of it.
    #[must_use]
    pub fn reach_the_same(&self, other: &Self) -> bool {
        let as_asked = Self {
            payer: other.payer,
            payload: other.payload,
            replies: other.replies,
            customer_key: other.customer_key.clone(),
            source_key: other.source_key.clone(),
            connect_timeout: other.connect_timeout,
            credentials_timeout: other.credentials_timeout,
            listener: other.listener.clone(),
            ..self.clone()
        };
        as_asked == *other
    }
}

/// Whether a server has to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Certificates {
    #[default]
    Checked,
    Unchecked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    #[default]
    Signed,
    /// Public buckets, without credentials.
    Anonymous,
}

/// Whether a bucket's name stands in the host or in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    /// Path with an endpoint of one's own, host with S3 itself.
    #[default]
    Auto,
    Path,
    Virtual,
}

/// What to do with the checksum that a store says it has of what it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replies {
    /// Another one than was sent is a failed request.
    #[default]
    Compared,
    /// A few stores tell wrong ones.
    Ignored,
}

/// Who pays for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payer {
    #[default]
    Owner,
    Requester,
}

/// Whether a request's signature covers its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Payload {
    /// The body has a CRC that the store checks: hashing it a second time, with SHA-256, costs more
    /// than everything else that an upload does.
    #[default]
    Unsigned,
    Signed,
}

/// Which of S3's own hosts are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointVariant {
    pub accelerate: bool,
    pub dual_stack: bool,
    pub fips: bool,
}

/// Makes the store. No request is sent: what is wrong with credentials shows with the first one.
pub async fn connect(options: &Options) -> Result<S3Store, ConnectError> {
    connect_by(options, Resolver::system()).await
}

async fn connect_by(options: &Options, resolver: Resolver) -> Result<S3Store, ConnectError> {
    let tls = tls::checked(options.ca_bundle.as_deref())?;
    let route = |proxies| Route::new(resolver.clone(), proxies, Arc::clone(&tls));
    let client = connector::client(route(Proxies::sparing_local_hosts()), Arc::clone(&tls));
    let shared = environment(options, client).await?;
    let endpoint = options.endpoint_url.clone().or_else(|| configured_endpoint(&shared));
    if let Some(endpoint) = &endpoint {
        check_endpoint(endpoint)?;
    }
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        // One retry place: `transfer::retry`. The SDK's own has a budget of tokens that no time
        // refills, after which every error of a long run is final.
        .retry_config(RetryConfig::disabled())
        // Deadlines for silent bodies are the engine's, too; the SDK's misfire on replies that may
        // take minutes, such as CompleteMultipartUpload's.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(connect_timeout(options)).build())
        // `haul` computes and compares checksums itself, while the bytes are hot. The SDK's
        // trailers are refused by many S3-compatible servers.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(is_path_style(options.addressing, endpoint.is_some()))
        .accelerate(options.endpoint.accelerate)
        .interceptor(StatusInRange)
        .interceptor(SaidOnce)
        .interceptor(WatchBodies);
    if options.endpoint.dual_stack {
        config = config.use_dual_stack(true);
    }
    if options.endpoint.fips {
        config = config.use_fips(true);
    }
    config.set_endpoint_url(endpoint.clone());
    if shared.region().is_none() {
        config = config.region(Region::from_static(DEFAULT_REGION));
    }
    let settings = Settings {
        endpoint: endpoint.clone(),
        variant: EndpointVariant {
            fips: options.endpoint.fips || shared.use_fips() == Some(true),
            dual_stack: options.endpoint.dual_stack || shared.use_dual_stack() == Some(true),
            ..options.endpoint
        },
        is_path_style: is_path_style(options.addressing, endpoint.is_some()),
    };
    refuse_impossible(&settings, &shared).await?;
    let tls_of_store = tls_of_store(options, endpoint.as_deref(), &tls)?;
    let connectors = Connectors::new(route(Proxies::of_environment()), tls_of_store);
    config = config.http_client(connectors.clone());
    let credentials = shared.credentials_provider().map(|source| share(source, options));
    if let Some(credentials) = credentials.clone() {
        config = config
            // Ours keeps them, and lets go of those that the store refuses before their time.
            .identity_cache(IdentityCache::no_cache())
            .credentials_provider(SharedCredentialsProvider::new(credentials));
    }
    let limits = Limits { connect: Some(connect_timeout(options)), reply: None };
    let direct = Direct {
        connector: connectors.within(limits),
        credentials,
        payload: options.payload,
        endpoints: Endpoints::new(settings),
    };
    Ok(S3Store::new(Parts { config: config.build(), endpoint, direct }, options))
}

/// What every AWS tool reads: region, endpoint, and where credentials come from.
async fn environment(
    options: &Options,
    client: SharedHttpClient,
) -> Result<SdkConfig, ConnectError> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client.clone());
    if let Some(name) = &options.profile {
        profile::check(name).await?;
        // Without credentials: those that the loader would find first are the environment's.
        let region = profile::region(name, client.clone());
        loader = loader.profile_name(name).region(region).no_credentials();
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(check_region(region)?));
    }
    if options.signing == Signing::Anonymous {
        loader = loader.no_credentials();
    }
    let shared = loader.load().await;
    match &options.profile {
        Some(name) if options.signing == Signing::Signed => {
            let credentials = profile::credentials(name, &shared, client);
            Ok(shared.into_builder().credentials_provider(credentials).build())
        }
        _ => Ok(shared),
    }
}

/// The endpoint of the environment and the files: S3's own setting goes before the one for all
/// services. The SDK looks it up by itself, too, but tells nobody what it found, and all that hangs
/// on having an endpoint of one's own must be about the same one.
fn configured_endpoint(shared: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let of_s3 = shared.service_config().and_then(|settings| settings.load_config(key));
    let of_s3 = of_s3.filter(|endpoint| !endpoint.is_empty());
    of_s3.or_else(|| shared.endpoint_url().map(str::to_owned))
}

/// What no request can be sent with is wrong usage, and would otherwise be tried again and again. The
/// SDK's own rules are asked, for any bucket.
async fn refuse_impossible(settings: &Settings, shared: &SdkConfig) -> Result<(), ConnectError> {
    let region = shared.region().map_or(DEFAULT_REGION, AsRef::as_ref);
    let found = settings.resolve("bucket", region).await;
    found.map(drop).map_err(|error| ConnectError::Impossible(error.to_string()))
}

/// The flag is for the store alone: who gives credentials has to prove who it is, and so has a proxy.
fn tls_of_store(
    options: &Options,
    endpoint: Option<&str>,
    checked: &Arc<ClientConfig>,
) -> Result<Arc<ClientConfig>, ConnectError> {
    // Only TLS has certificates. Without an endpoint it is S3's own.
    let is_secure = endpoint.is_none_or(|endpoint| endpoint.starts_with("https://"));
    if options.certificates == Certificates::Checked || !is_secure {
        return Ok(Arc::clone(checked));
    }
    options.listener.tell(Notice::CertificatesUnchecked);
    tls::unchecked()
}

fn share(source: SharedCredentialsProvider, options: &Options) -> SharedCredentials {
    let limit = options.credentials_timeout.unwrap_or(CREDENTIALS_TIMEOUT);
    SharedCredentials::new(source, limit, options.listener.clone())
}

fn connect_timeout(options: &Options) -> Duration {
    options.connect_timeout.unwrap_or(CONNECT_TIMEOUT)
}

fn is_path_style(addressing: Addressing, has_own_endpoint: bool) -> bool {
    match addressing {
        Addressing::Auto => has_own_endpoint,
        Addressing::Path => true,
        Addressing::Virtual => false,
    }
}

fn check_region(region: &str) -> Result<String, ConnectError> {
    if is_region(region) {
        Ok(region.to_owned())
    } else {
        Err(ConnectError::Region(region.to_owned()))
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), ConnectError> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    match rest {
        // It would come before the key.
        Some(rest) if rest.contains(['?', '#']) => Err(ConnectError::EndpointWithQuery),
        // It would be shown with every error.
        Some(rest) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
            Err(ConnectError::EndpointWithPassword)
        }
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(()),
        _ => Err(ConnectError::Endpoint(endpoint.to_owned())),
    }
}

/// Options that name no store.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("`{0}` is not a region")]
    Region(String),
    #[error("`{0}` is not an endpoint; endpoints look like https://host or http://host:port")]
    Endpoint(String),
    #[error("an endpoint holds no name and no password")]
    EndpointWithPassword,
    #[error("an endpoint ends before its `?` or `#`: it is a host, and perhaps a path")]
    EndpointWithQuery,
    #[error("these options fit no host: {0}")]
    Impossible(String),
    #[error("there is no profile `{0}`")]
    NoProfile(String),
    #[error("could not read the profiles")]
    Profiles(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("could not read the certificates of `{}`", .path.display())]
    CaBundle { path: PathBuf, source: std::io::Error },
    #[error("`{}` holds no certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("a certificate in `{}` is broken: {why}", .path.display())]
    BadCertificate { path: PathBuf, why: String },
    #[error("could not set up connections")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::domain::location::{Bucket, Key, ObjectName};
    use crate::storage::object_store::ObjectStore as _;

    #[test]
    fn an_endpoint_needs_scheme_and_host() {
        assert!(check_endpoint("http://127.0.0.1:9000").is_ok());
        for endpoint in [
            "",
            "localhost:9000",
            "ftp://x",
            "http://",
            "https:///x",
            "http://a:b@c",
            "http://a/?b",
            "http://a#b",
        ] {
            assert!(check_endpoint(endpoint).is_err(), "{endpoint}");
        }
    }

    #[test]
    fn own_endpoints_get_the_bucket_in_the_path() {
        assert!(is_path_style(Addressing::Auto, true) && !is_path_style(Addressing::Auto, false));
        assert!(
            is_path_style(Addressing::Path, false) && !is_path_style(Addressing::Virtual, true)
        );
    }

    /// Two servers behind one name, of which one is dead: whichever comes first.
    #[tokio::test]
    async fn a_dead_address_is_passed_over() {
        let testbed = testbed::Testbed::builder().anonymous().spawn().expect("a testbed");
        testbed.create_bucket("bucket");
        testbed.put_object("bucket", "key", "bytes");
        // The port is open on the first address only.
        let (alive, dead) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
        let resolver = Resolver::asking(move |_| {
            Box::pin(async move { Ok(vec![dead.into(), alive.into(), dead.into()]) })
        });
        let options = Options {
            endpoint_url: Some(format!("http://store.test:{}", testbed.port())),
            region: Some("us-east-1".to_owned()),
            signing: Signing::Anonymous,
            ..Options::default()
        };
        let bucket = Bucket::new("bucket").expect("a name");
        let object = ObjectName::new(bucket, Key::new("key").expect("a key"));
        for _ in 0..4 {
            // A pool of its own, so that each has to connect.
            let store = connect_by(&options, resolver.clone()).await.expect("a store");
            assert_eq!(store.head(&object).await.expect("an answer").size, 5);
        }
    }
}
