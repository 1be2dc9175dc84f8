//! How to reach the store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, ValueEnum};

use crate::commands::error::CommandError;
use crate::domain::attributes::CustomerKey;
use crate::domain::endpoint;
use crate::storage::s3::{
    Addressing, Certificates, EndpointVariant, Listener, Options, Payer, Payload, Replies, Signing,
};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag as it was typed; `resolve` makes enums of them"
)]
pub struct Connection {
    /// Talk to this server instead of S3; also from AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,

    /// The bucket's region; also from AWS_REGION and the profile
    #[arg(long, value_name = "NAME")]
    region: Option<String>,

    /// Take credentials and region from this profile, and not from the environment
    ///
    /// AWS_PROFILE names one, too, whose credentials and region come after those of the environment.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Send no credentials: for public buckets
    #[arg(long)]
    no_sign_request: bool,

    /// Where the bucket's name stands: `auto` is the path with --endpoint-url, the host with S3
    #[arg(long, value_name = "STYLE", value_enum, default_value_t = AddressingStyle::Auto)]
    addressing_style: AddressingStyle,

    /// Pay for the requests yourself
    #[arg(long)]
    request_payer: bool,

    /// Trust the certificates in this PEM file, besides the system's; also from AWS_CA_BUNDLE
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,

    /// Take any certificate: whoever is in between can read and change everything
    #[arg(long)]
    no_verify_ssl: bool,

    /// Use S3 Transfer Acceleration
    #[arg(long)]
    accelerate: bool,

    /// Use S3's hosts that have IPv6
    #[arg(long)]
    dualstack: bool,

    /// Use S3's FIPS 140 hosts
    #[arg(long)]
    fips: bool,

    /// Read and write with the customer's key in this file: 32 bytes, or their base64; from S3 to S3,
    /// write with it alone
    #[arg(long, value_name = "FILE")]
    sse_c_key_file: Option<PathBuf>,

    /// Try again when a connection was silent for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AddressingStyle {
    Auto,
    Path,
    Virtual,
}

impl Connection {
    /// Whether a customer's key is said, which may not be that of what is read.
    pub fn has_customer_key(&self) -> bool {
        self.sse_c_key_file.is_some()
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    pub fn is_anonymous(&self) -> bool {
        self.no_sign_request
    }

    /// What was typed that each request has to say in a header.
    pub fn named_in_headers(&self) -> Option<&'static str> {
        match (self.request_payer, &self.sse_c_key_file) {
            (true, _) => Some("--request-payer"),
            (false, Some(_)) => Some("--sse-c-key-file"),
            (false, None) => None,
        }
    }

    pub fn resolve(&self) -> Result<Options, CommandError> {
        Ok(Options {
            endpoint_url: self.endpoint_url.clone(),
            region: self.region.clone(),
            profile: self.profile.clone(),
            signing: if self.no_sign_request { Signing::Anonymous } else { Signing::Signed },
            addressing: match self.addressing_style {
                AddressingStyle::Auto => Addressing::Auto,
                AddressingStyle::Path => Addressing::Path,
                AddressingStyle::Virtual => Addressing::Virtual,
            },
            payer: if self.request_payer { Payer::Requester } else { Payer::Owner },
            payload: Payload::Unsigned,
            replies: Replies::Compared,
            endpoint: EndpointVariant {
                accelerate: self.accelerate,
                dual_stack: self.dualstack,
                fips: self.fips,
            },
            ca_bundle: self.ca_bundle.clone(),
            certificates: if self.no_verify_ssl {
                Certificates::Unchecked
            } else {
                Certificates::Checked
            },
            customer_key: customer_key(self.sse_c_key_file.as_deref())?,
            source_key: None,
            connect_timeout: Some(self.timeout().min(Duration::from_secs(10))),
            credentials_timeout: Some(2 * self.timeout()),
            listener: Listener::default(),
        })
    }

    /// Whether this is the server that was typed.
    pub fn is_at(&self, url: &str) -> bool {
        self.endpoint_url.as_deref().is_some_and(|typed| endpoint::is_same(typed, url))
    }
}

/// From a file, since a key on the command line is in every list of processes.
pub(super) fn customer_key(path: Option<&Path>) -> Result<Option<CustomerKey>, CommandError> {
    let Some(path) = path else { return Ok(None) };
    let content = std::fs::read(path).map_err(|error| {
        let text = format!("could not read the key in `{}`", path.display());
        CommandError::usage(anyhow::Error::new(error).context(text))
    })?;
    let key = <[u8; 32]>::try_from(content.as_slice()).ok().or_else(|| {
        let decoded = BASE64.decode(content.trim_ascii()).ok()?;
        <[u8; 32]>::try_from(decoded).ok()
    });
    match key {
        Some(key) => Ok(Some(CustomerKey::new(key))),
        None => Err(CommandError::misuse(format!("`{}` holds no key of 32 bytes", path.display()))),
    }
}
