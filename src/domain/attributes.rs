//! What an upload says of its object besides the bytes.

use std::fmt;

use super::checksum::Crc;

/// Sent with a single PUT and with the start of a multipart upload alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Attributes {
    /// `None`: guessed from the file's name.
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_disposition: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
    /// Seconds since 1970.
    pub expires: Option<i64>,
    /// Where a bucket that is a website sends who asks for the object. No copy has its source's.
    pub website_redirect: Option<String>,
    pub metadata: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub storage_class: Option<String>,
    pub acl: Option<String>,
    pub encryption: Option<Encryption>,
    /// What the store is to keep of the bytes; `None`: the usual one, or that of a copy's source.
    pub crc: Option<Crc>,
}

impl Attributes {
    /// Whether one of those is given that a copy keeps or replaces all together: headers, metadata.
    pub fn has_headers(&self) -> bool {
        let headers = [
            &self.content_type,
            &self.content_encoding,
            &self.content_disposition,
            &self.content_language,
            &self.cache_control,
        ];
        headers.into_iter().any(Option::is_some)
            || self.expires.is_some()
            || !self.metadata.is_empty()
    }

    /// These, and where none is given the one that the source of a copy has. All metadata are one
    /// attribute, and so are all tags.
    #[must_use]
    pub fn or_kept(&self, kept: Self) -> Self {
        let list = |given: &Vec<(String, String)>, kept| {
            if given.is_empty() { kept } else { given.clone() }
        };
        Self {
            content_type: self.content_type.clone().or(kept.content_type),
            content_encoding: self.content_encoding.clone().or(kept.content_encoding),
            content_disposition: self.content_disposition.clone().or(kept.content_disposition),
            content_language: self.content_language.clone().or(kept.content_language),
            cache_control: self.cache_control.clone().or(kept.cache_control),
            expires: self.expires.or(kept.expires),
            website_redirect: self.website_redirect.clone().or(kept.website_redirect),
            metadata: list(&self.metadata, kept.metadata),
            tags: list(&self.tags, kept.tags),
            storage_class: self.storage_class.clone().or(kept.storage_class),
            acl: self.acl.clone().or(kept.acl),
            encryption: self.encryption.clone().or(kept.encryption),
            crc: self.crc.or(kept.crc),
        }
    }
}

/// Encryption at rest with keys that the store holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub method: String,
    pub kms_key_id: Option<String>,
}

/// A customer's own key (SSE-C): goes with every request for the object's bytes, and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerKey(Box<[u8; 32]>);

impl CustomerKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(Box::new(key))
    }

    /// The key itself, 32 bytes. Never to be printed.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Secrets appear nowhere, `-vv` included.
impl fmt::Debug for CustomerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CustomerKey(…)")
    }
}

/// The content type for a name, or the one that says nothing.
pub fn guess_content_type(name: &str) -> &'static str {
    mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_guessed_from_the_last_suffix() {
        assert_eq!(guess_content_type("a/b.html"), "text/html");
        assert_eq!(guess_content_type("a/b.unheard-of"), "application/octet-stream");
        assert_eq!(guess_content_type("noname"), "application/octet-stream");
    }

    #[test]
    fn what_is_given_goes_before_what_is_kept_and_lists_go_as_a_whole() {
        let pair = |name: &str| vec![(name.to_owned(), "v".to_owned())];
        let text = |text: &str| Some(text.to_owned());
        let kept = Attributes {
            content_type: text("a/b"),
            cache_control: text("no-cache"),
            metadata: pair("old"),
            tags: pair("old"),
            ..Attributes::default()
        };
        let given = Attributes {
            content_type: text("c/d"),
            metadata: pair("new"),
            ..Attributes::default()
        };
        assert!(given.has_headers());
        assert!(!Attributes { tags: pair("t"), ..Attributes::default() }.has_headers());
        let merged = given.or_kept(kept.clone());
        let wanted =
            Attributes { content_type: text("c/d"), metadata: pair("new"), ..kept.clone() };
        assert_eq!(merged, wanted);
        assert_eq!(Attributes::default().or_kept(kept.clone()), kept);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", CustomerKey::new([7; 32])), "CustomerKey(…)");
    }
}
