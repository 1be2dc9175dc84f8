//! What an upload, or a copy, says of its object besides the bytes.

use clap::{Args, ValueEnum};

use crate::commands::error::CommandError;
use crate::domain::attributes::{Attributes as Resolved, Encryption};
use crate::domain::checksum::Crc;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Attributes of new objects")]
pub struct Attributes {
    /// Media type [default: guessed from the key; copies keep theirs, as all else that is not given]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// How the content is encoded, such as gzip
    #[arg(long, value_name = "CODING")]
    content_encoding: Option<String>,

    /// How browsers present the content, such as attachment
    #[arg(long, value_name = "TEXT")]
    content_disposition: Option<String>,

    /// The content's language, such as en-GB
    #[arg(long, value_name = "TAG")]
    content_language: Option<String>,

    /// How long caches may keep the object, such as max-age=3600
    #[arg(long, value_name = "TEXT")]
    cache_control: Option<String>,

    /// When caches must ask again, such as 2030-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<jiff::Timestamp>,

    /// Where a bucket that is a website sends those who ask for the object: a URL, or a key behind a
    /// slash
    #[arg(long, value_name = "LOCATION")]
    website_redirect: Option<String>,

    /// Metadata of your own; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,

    /// A tag; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    tag: Vec<(String, String)>,

    /// Storage class, such as STANDARD_IA or GLACIER_IR
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,

    /// Canned access control list, such as public-read
    #[arg(long, value_name = "ACL")]
    acl: Option<String>,

    /// Encryption with keys that S3 holds
    #[arg(long, value_name = "METHOD", value_parser = ["AES256", "aws:kms", "aws:kms:dsse"])]
    sse: Option<String>,

    /// The key for --sse aws:kms
    #[arg(long, value_name = "ID", requires = "sse")]
    sse_kms_key_id: Option<String>,

    /// Checksum of the whole object that the store keeps, and that is compared [default: crc64nvme,
    /// and for copies what the source has]
    #[arg(long, value_name = "NAME", value_enum, ignore_case = true)]
    checksum_algorithm: Option<ChecksumAlgorithm>,
}

/// Those that parts in any order come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChecksumAlgorithm {
    Crc64nvme,
    Crc32c,
    Crc32,
}

impl ChecksumAlgorithm {
    fn resolve(self) -> Crc {
        match self {
            Self::Crc64nvme => Crc::Crc64Nvme,
            Self::Crc32c => Crc::Crc32C,
            Self::Crc32 => Crc::Crc32,
        }
    }
}

impl Attributes {
    pub fn resolve(&self) -> Result<Resolved, CommandError> {
        for (index, (name, _)) in self.metadata.iter().enumerate() {
            let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c);
            if name.is_empty() || !name.chars().all(is_token) {
                return Err(CommandError::misuse(format!(
                    "`{name}` can't be a name of metadata: it goes into a header"
                )));
            }
            // S3 does not tell names apart by case.
            if self.metadata[..index].iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                return Err(CommandError::misuse(format!("--metadata has `{name}` twice")));
            }
        }
        if let Some(text) = self.texts().find(|text| text.chars().any(char::is_control)) {
            let text = crate::domain::escape::Escaped(text);
            return Err(CommandError::misuse(format!(
                "`{text}` has a control character, which no header can hold"
            )));
        }
        Ok(Resolved {
            content_type: self.content_type.clone(),
            content_encoding: self.content_encoding.clone(),
            content_disposition: self.content_disposition.clone(),
            content_language: self.content_language.clone(),
            cache_control: self.cache_control.clone(),
            expires: self.expires.map(jiff::Timestamp::as_second),
            website_redirect: self.website_redirect.clone(),
            metadata: self.metadata.clone(),
            tags: self.tag.clone(),
            storage_class: self.storage_class.clone(),
            acl: self.acl.clone(),
            encryption: self
                .sse
                .clone()
                .map(|method| Encryption { method, kms_key_id: self.sse_kms_key_id.clone() }),
            crc: self.checksum_algorithm.map(ChecksumAlgorithm::resolve),
        })
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let options = [
            &self.content_type,
            &self.content_encoding,
            &self.content_disposition,
            &self.content_language,
            &self.cache_control,
            &self.website_redirect,
            &self.storage_class,
            &self.acl,
            &self.sse_kms_key_id,
        ];
        let values = self.metadata.iter().map(|(_, value)| value.as_str());
        options.into_iter().filter_map(Option::as_deref).chain(values)
    }
}

fn time(text: &str) -> Result<jiff::Timestamp, String> {
    text.parse().map_err(|_| "it must look like 2030-01-31T00:00:00Z".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must look like NAME=VALUE".to_owned()),
    }
}
