//! From options and the AWS environment to a client: credentials, region, endpoint.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::http;
use super::read::StatusInRange;
use super::store::S3Store;
use crate::domain::attributes::CustomerKey;

/// Where no region is named: what S3 itself and most S3-compatible servers take.
const DEFAULT_REGION: &str = "us-east-1";

/// How to reach a store. Everything left out comes from the environment and the files that every
/// AWS tool reads.
#[derive(Debug, Clone, Default)]
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
    pub customer_key: Option<CustomerKey>,
    /// Longest silence of a connection that is being made.
    pub connect_timeout: Option<Duration>,
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
    let client = http::client(options.ca_bundle.as_deref())?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client);
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(check_region(region)?));
    }
    if options.signing == Signing::Anonymous {
        loader = loader.no_credentials();
    }
    let shared = loader.load().await;
    let endpoint =
        options.endpoint_url.clone().or_else(|| shared.endpoint_url().map(str::to_owned));
    if let Some(endpoint) = &endpoint {
        check_endpoint(endpoint)?;
    }
    let shown = endpoint.clone().unwrap_or_else(|| "S3".to_owned());
    let has_region = shared.region().is_some();
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        // One retry place: `transfer::retry`. The SDK's own has a budget of tokens that no time
        // refills, after which every error of a long run is final.
        .retry_config(RetryConfig::disabled())
        // Deadlines for silent bodies are the engine's, too; the SDK's misfire on replies that may
        // take minutes, such as CompleteMultipartUpload's.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(options.connect_timeout.unwrap_or(Duration::from_secs(10)))
                .build(),
        )
        // `haul` computes and compares checksums itself, while the bytes are hot. The SDK's
        // trailers are refused by many S3-compatible servers.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(is_path_style(options.addressing, endpoint.is_some()))
        .accelerate(options.endpoint.accelerate)
        .interceptor(StatusInRange);
    if options.endpoint.dual_stack {
        config = config.use_dual_stack(true);
    }
    if options.endpoint.fips {
        config = config.use_fips(true);
    }
    if let Some(endpoint) = endpoint {
        config = config.endpoint_url(endpoint);
    }
    if !has_region {
        config = config.region(Region::from_static(DEFAULT_REGION));
    }
    Ok(S3Store::new(Client::from_conf(config.build()), shown, options))
}

fn is_path_style(addressing: Addressing, has_own_endpoint: bool) -> bool {
    match addressing {
        Addressing::Auto => has_own_endpoint,
        Addressing::Path => true,
        Addressing::Virtual => false,
    }
}

/// A region goes into a host name: one with other characters could name another host.
fn check_region(region: &str) -> Result<String, ConnectError> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=32).contains(&region.len()) && region.bytes().all(is_allowed) {
        Ok(region.to_owned())
    } else {
        Err(ConnectError::Region(region.to_owned()))
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), ConnectError> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    match rest {
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
    #[error("could not read the certificates of `{}`", .path.display())]
    CaBundle { path: PathBuf, source: std::io::Error },
    #[error("`{}` holds no certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("could not set up connections")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_can_not_name_a_host() {
        assert!(check_region("eu-west-1").is_ok());
        for region in ["", "evil.example#", "a/b", "US-EAST-1", "x@y"] {
            assert!(check_region(region).is_err(), "{region}");
        }
    }

    #[test]
    fn an_endpoint_needs_scheme_and_host() {
        assert!(check_endpoint("http://127.0.0.1:9000").is_ok());
        for endpoint in ["", "localhost:9000", "ftp://x", "http://", "https:///x"] {
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
}
