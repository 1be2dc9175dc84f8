//! Where copies between objects come from, and how they are made.

use std::path::PathBuf;

use clap::Args;

use super::Connection;
use crate::commands::error::CommandError;
use crate::commands::session::KeyIs;
use crate::domain::quantity::ByteSize;
use crate::storage::s3::Options;
use crate::transfer::context::Way;
use crate::transfer::part_size::{MAX_PART, MIN_PART};

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Copies from S3 to S3")]
pub struct Copies {
    /// Read from this server: what is copied goes through here then, part by part
    #[arg(long, value_name = "URL")]
    source_endpoint_url: Option<String>,

    /// The region of what is read [default: as --region]
    #[arg(long, value_name = "NAME")]
    source_region: Option<String>,

    /// Read with the credentials of this profile: what is copied goes through here then
    #[arg(long, value_name = "NAME")]
    source_profile: Option<String>,

    /// Read with the customer's key in this file; --sse-c-key-file is then the key of what is written
    #[arg(long, value_name = "FILE")]
    source_sse_c_key_file: Option<PathBuf>,

    /// Copy larger objects in parts, several at once; at most, and as a rule, 5GiB
    #[arg(long, value_name = "SIZE", value_parser = above)]
    copy_parts_above: Option<ByteSize>,
}

impl Copies {
    /// Whether something is said of the source that is not so of the destination.
    pub fn names_a_source(&self) -> bool {
        self.source_endpoint_url.is_some()
            || self.source_region.is_some()
            || self.source_profile.is_some()
            || self.source_sse_c_key_file.is_some()
    }

    /// Bytes that one request may copy.
    pub fn copy_whole(&self) -> u64 {
        self.copy_parts_above.map_or(MAX_PART, ByteSize::bytes)
    }

    /// Whether the destination's store can read the source by itself.
    pub fn way(&self, connection: &Connection) -> Way {
        let is_elsewhere =
            self.source_endpoint_url.as_deref().is_some_and(|url| !connection.is_at(url));
        if is_elsewhere || self.source_profile.is_some() { Way::Here } else { Way::OnServer }
    }

    /// What the source is read by: `like` the destination is written, where nothing else is said, but
    /// for the key of what is written.
    pub fn source(&self, like: Options, key_is: KeyIs) -> Result<Options, CommandError> {
        let named = super::connection::customer_key(self.source_sse_c_key_file.as_deref())?;
        let customer_key = match key_is {
            KeyIs::OfWritten => named,
            KeyIs::OfBoth => named.or(like.customer_key),
        };
        let region = match (&self.source_region, &self.source_profile) {
            (Some(region), _) => Some(region.clone()),
            // A profile has its own.
            (None, Some(_)) => None,
            (None, None) => like.region,
        };
        Ok(Options {
            endpoint_url: self.source_endpoint_url.clone().or(like.endpoint_url),
            region,
            profile: self.source_profile.clone().or(like.profile),
            customer_key,
            ..like
        })
    }
}

fn above(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize =
        text.parse().map_err(|error: crate::domain::quantity::QuantityError| error.to_string())?;
    let is_possible = (MIN_PART..=MAX_PART).contains(&size.bytes());
    let wanted = || format!("must be from {} to {}", ByteSize(MIN_PART), ByteSize(MAX_PART));
    is_possible.then_some(size).ok_or_else(wanted)
}
