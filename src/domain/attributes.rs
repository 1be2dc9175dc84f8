//! What an upload says of its object besides the bytes.

use std::fmt;

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
    pub metadata: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub storage_class: Option<String>,
    pub acl: Option<String>,
    pub encryption: Option<Encryption>,
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
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", CustomerKey::new([7; 32])), "CustomerKey(…)");
    }
}
