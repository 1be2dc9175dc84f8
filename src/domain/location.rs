//! Where things are: buckets, keys, S3 URIs, local paths, standard streams.
//!
//! Text becomes one of these types once, at the edge; nothing below parses a name again.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::escape::Escaped;

/// The longest key that S3 accepts, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;

/// A bucket's name, or the ARN of an access point.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(Arc<str>);

impl Bucket {
    /// Checks `name` against what any S3 accepts, so that a hostile name can't become part of a
    /// host or of another path.
    pub fn new(name: &str) -> Result<Self, LocationError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_name = (1..=255).contains(&name.len())
            && name.chars().all(is_allowed)
            && !name.starts_with(['-', '.'])
            && !name.contains("..");
        if is_name || is_access_point(name) {
            Ok(Self(name.into()))
        } else {
            Err(LocationError::BucketName(name.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_access_point(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '/' | '.');
    name.starts_with("arn:") && name.chars().all(is_allowed) && !name.contains("..")
}

/// An object's key, taken verbatim: `//`, `.`, `..` and `%` mean nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    pub fn new(key: &str) -> Result<Self, LocationError> {
        if key.is_empty() {
            Err(LocationError::EmptyKey)
        } else if key.len() > MAX_KEY_BYTES {
            Err(LocationError::LongKey(key.len()))
        } else {
            Ok(Self(key.into()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of the key behind its last `/`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether this is the marker that consoles make for a folder.
    pub fn is_folder_marker(&self) -> bool {
        self.0.ends_with('/')
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0).fmt(formatter)
    }
}

/// What S3 calls the version of an object that was there before versions were kept.
pub const ONLY_VERSION: &str = "null";

/// One object, and one version of it where a version was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectName {
    pub bucket: Bucket,
    pub key: Key,
    pub version: Option<Arc<str>>,
}

impl ObjectName {
    pub fn new(bucket: Bucket, key: Key) -> Self {
        Self { bucket, key, version: None }
    }

    /// Whether a reply that tells this version is about what was asked for. Some stores answer with
    /// what there is now, whatever version was asked for.
    pub fn is_answered_by(&self, version: Option<&str>) -> bool {
        let asked = self.version.as_deref();
        asked.is_none_or(|asked| asked == version.unwrap_or(ONLY_VERSION))
    }

    /// The exact URI, for programs. `Display` is for people.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key.as_str())
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.key)?;
        match &self.version {
            Some(version) => write!(formatter, " (version {})", Escaped(version)),
            None => Ok(()),
        }
    }
}

/// `s3://bucket/rest`, where `rest` may be a key, a prefix, a pattern, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3Uri {
    pub bucket: Bucket,
    pub rest: String,
}

impl S3Uri {
    pub const SCHEME: &'static str = "s3://";

    /// Reads `s3://bucket[/rest]`. The rest is verbatim: not decoded, not normalised.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let Some(body) = text.strip_prefix(Self::SCHEME) else {
            return Err(LocationError::Scheme(text.to_owned()));
        };
        let (bucket, rest) = split_bucket(body);
        if bucket.is_empty() {
            return Err(LocationError::NoBucket(text.to_owned()));
        }
        if rest.len() > MAX_KEY_BYTES {
            return Err(LocationError::LongKey(rest.len()));
        }
        Ok(Self { bucket: Bucket::new(bucket)?, rest: rest.to_owned() })
    }

    /// Whether the URI names a whole bucket or everything below a prefix.
    pub fn is_prefix(&self) -> bool {
        self.rest.is_empty() || self.rest.ends_with('/')
    }

    /// Whether the object has exactly this name.
    pub fn is_of(&self, object: &ObjectName) -> bool {
        self.bucket == object.bucket && self.rest == object.key.as_str()
    }

    /// The object of exactly this key.
    pub fn object(&self) -> Result<ObjectName, LocationError> {
        Ok(ObjectName::new(self.bucket.clone(), Key::new(&self.rest)?))
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, Escaped(&self.rest))
    }
}

/// An access point's ARN has a `/` of its own before the one that starts the key.
fn split_bucket(body: &str) -> (&str, &str) {
    let skip = if body.starts_with("arn:") { body.find('/').map_or(0, |at| at + 1) } else { 0 };
    match body[skip..].find('/') {
        Some(at) => (&body[..skip + at], &body[skip + at + 1..]),
        None => (body, ""),
    }
}

/// What a source or a destination on the command line, or in a manifest, names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    S3(S3Uri),
    Local(PathBuf),
    /// `-`: standard input as a source, standard output as a destination.
    Stream,
}

impl Location {
    /// Reads an argument. Anything with the scheme `s3` is S3; another scheme is refused, since a
    /// local folder named `https:` is never what was meant.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if text == "-" {
            Ok(Self::Stream)
        } else if text.starts_with(S3Uri::SCHEME) {
            S3Uri::parse(text).map(Self::S3)
        } else if text.is_empty() {
            Err(LocationError::Empty)
        } else if let Some(rest) = text.strip_prefix("s3:") {
            // As a path it would be a folder of that name: never what was meant.
            let meant = format!("{}{}", S3Uri::SCHEME, rest.trim_start_matches('/'));
            Err(LocationError::Slashes(text.to_owned(), meant))
        } else if let Some(at) = text.find("://").filter(|at| is_scheme(&text[..*at])) {
            Err(LocationError::ForeignScheme(text[..at].to_owned()))
        } else {
            Ok(Self::Local(PathBuf::from(text)))
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(uri) => uri.fmt(formatter),
            Self::Local(path) => Escaped(&path.to_string_lossy()).fmt(formatter),
            Self::Stream => formatter.write_str("-"),
        }
    }
}

/// A link without its query, as it may be shown: a signed one is as good as a password. Anything
/// else as it is.
pub fn without_signature(text: &str) -> &str {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme != "s3" && is_scheme(scheme) => {
            let end = rest.find(['?', '#']).unwrap_or(rest.len());
            &text[..scheme.len() + 3 + end]
        }
        _ => text,
    }
}

fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Why a text names no place that `haul` knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    #[error("an empty name is no path and no S3 URI")]
    Empty,
    #[error("`{}` does not start with s3://", Escaped(.0))]
    Scheme(String),
    #[error("`{}://` is not supported; S3 objects are named s3://bucket/key", Escaped(.0))]
    ForeignScheme(String),
    #[error("`{}` is no S3 URI; did you mean `{}`?", Escaped(.0), Escaped(.1))]
    Slashes(String, String),
    #[error("`{}` names no bucket; S3 objects are named s3://bucket/key", Escaped(.0))]
    NoBucket(String),
    #[error("`{}` is not a bucket name", Escaped(.0))]
    BucketName(String),
    #[error("the key is empty")]
    EmptyKey,
    #[error("the key has {0} bytes, S3 allows {MAX_KEY_BYTES}")]
    LongKey(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_verbatim() {
        for rest in ["a//b", "../e", "/abs", "%41", "x y+z", ".", "a?b#c"] {
            let uri = S3Uri::parse(&format!("s3://bucket/{rest}")).expect("a legal key");
            assert_eq!(uri.object().expect("a key").key.as_str(), rest);
        }
    }

    #[test]
    fn hostile_bucket_names_are_refused() {
        for name in ["", "a/../b", "b@evil", "x?y", "-x", "..", "a b", "b:80", "b\n"] {
            assert!(Bucket::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_bucket_alone_and_a_slash_at_the_end_are_prefixes() {
        for (text, is_prefix) in
            [("s3://b", true), ("s3://b/", true), ("s3://b/p/", true), ("s3://b/p", false)]
        {
            assert_eq!(S3Uri::parse(text).expect("a URI").is_prefix(), is_prefix, "{text}");
        }
    }

    #[test]
    fn an_access_point_keeps_its_own_slash() {
        let uri = S3Uri::parse("s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/point/a/b")
            .expect("a URI");
        assert_eq!(uri.bucket.as_str(), "arn:aws:s3:eu-west-1:123456789012:accesspoint/point");
        assert_eq!(uri.rest, "a/b");
    }

    #[test]
    fn a_link_is_shown_without_its_signature() {
        let link = "https://h/b/k?X-Amz-Signature=hush#hush";
        assert_eq!(without_signature(link), "https://h/b/k");
        for text in ["s3://b/k?x=y", "a?b", "?://?", "k#1"] {
            assert_eq!(without_signature(text), text);
        }
    }

    #[test]
    fn other_schemes_are_refused_and_windows_drives_are_not() {
        assert!(matches!(Location::parse("https://h/x"), Err(LocationError::ForeignScheme(_))));
        assert!(matches!(Location::parse("c:/x"), Ok(Location::Local(_))));
        assert!(matches!(Location::parse("-"), Ok(Location::Stream)));
    }

    #[test]
    fn a_uri_with_a_slash_too_few_or_too_many_is_no_path() {
        for text in ["s3:/b/k", "s3:b/k"] {
            let error = Location::parse(text).expect_err("refused");
            assert!(error.to_string().ends_with("did you mean `s3://b/k`?"), "{error}");
        }
        let error = Location::parse("s3:///b/k").expect_err("refused");
        assert!(error.to_string().contains("`s3:///b/k` names no bucket"), "{error}");
        assert!(matches!(Location::parse("./s3:/b"), Ok(Location::Local(_))));
    }
}
