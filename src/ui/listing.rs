//! Listings: the records of `ls` as lines of stdout.
//!
//! As JSON (`--json`) they are told apart by `event`; `docs/json.md` lists their fields. Names are
//! exact there, and escaped as text.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

use super::data::{DataLine, DataLines, Format};
use super::look::Look;
use super::streams::Output;
use super::style;
use crate::domain::escape::Escaped;
use crate::domain::location::{Bucket, ObjectName, S3Uri};
use crate::domain::object::{ListedObject, ListedVersion, ObjectDetails, VersionKind};
use crate::domain::quantity::{ByteSize, KIB};
use crate::domain::record::{Cleaning, OutputError, Record, RecordSink, Restored};

/// How a listing looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub format: Format,
    pub look: Look,
}

/// A sink that writes to stdout.
#[derive(Debug)]
pub struct Listing {
    lines: DataLines,
    options: Options,
}

impl Listing {
    pub fn new(options: Options) -> Self {
        Self::to(Output::stdout(), options)
    }

    pub fn to(output: Output, options: Options) -> Self {
        Self { lines: DataLines::new(output, options.format), options }
    }

    /// Writes what is left. A listing that does not end with this may have lost lines.
    pub fn finish(mut self) -> Result<(), OutputError> {
        self.lines.flush()
    }
}

impl RecordSink for Listing {
    fn push(&mut self, record: &Record<'_>) -> Result<(), OutputError> {
        self.lines.push(&RecordLine::new(record, self.options.look))
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.lines.flush()
    }
}

/// A record as a line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RecordLine {
    Object(ObjectFields),
    Version(VersionFields),
    Prefix {
        source: String,
        prefix: String,
        #[serde(skip)]
        look: Look,
    },
    Bucket {
        source: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        created: Option<String>,
    },
    Stat(StatFields),
    Usage(UsageFields),
    Link {
        source: String,
        method: String,
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires: Option<String>,
    },
    Made {
        source: String,
    },
    Restore {
        source: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        version_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        storage_class: Option<String>,
        outcome: &'static str,
    },
    Unfinished {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        upload_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        outcome: &'static str,
    },
}

#[derive(Debug, Clone, Serialize)]
pub struct ObjectFields {
    source: String,
    key: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<String>,
    #[serde(skip)]
    look: Look,
}

#[derive(Debug, Clone, Serialize)]
pub struct VersionFields {
    source: String,
    key: String,
    version_id: String,
    is_latest: bool,
    is_delete_marker: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<String>,
    #[serde(skip)]
    look: Look,
}

impl VersionFields {
    fn new(bucket: &Bucket, version: &ListedVersion, look: Look) -> Self {
        let object = &version.object;
        let is_delete_marker = version.kind == VersionKind::DeleteMarker;
        Self {
            source: uri(bucket.as_str(), object.key.as_str()),
            key: object.key.as_str().to_owned(),
            version_id: (*version.version).to_owned(),
            is_latest: version.is_latest,
            is_delete_marker,
            size: (!is_delete_marker).then_some(object.size),
            last_modified: object.last_modified.and_then(utc),
            etag: object.etag.as_ref().map(|etag| etag.unquoted().to_owned()),
            storage_class: object.storage_class.as_deref().map(ToOwned::to_owned),
            look,
        }
    }

    /// As of an object, with the version before the name, which may hold anything.
    fn text(&self) -> String {
        let size = self.size.map_or("delete marker".to_owned(), |size| self.look.sizes.text(size));
        let latest = if self.is_latest { "latest" } else { "" };
        let version = Escaped(&self.version_id).to_string();
        let time = self.last_modified.as_deref().unwrap_or("");
        let more = self.look.more(self.storage_class.as_deref(), self.etag.as_deref());
        let key = Escaped(&self.key);
        format!("{time:<20} {size:>13}  {more}{version:<32}  {latest:<6}  {key}")
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct StatFields {
    source: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
    #[serde(flatten)]
    told: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checksums: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

impl StatFields {
    fn new(object: &ObjectName, details: &ObjectDetails) -> Self {
        let facts = &details.facts;
        let checksums = details.checksums.iter();
        Self {
            source: object.uri(),
            size: facts.size,
            last_modified: facts.last_modified.and_then(utc),
            etag: facts.etag.as_ref().map(|etag| etag.unquoted().to_owned()),
            version_id: facts.version.as_deref().map(ToOwned::to_owned),
            parts: details.parts,
            told: details.told.iter().cloned().collect(),
            checksums: checksums.map(|(kind, value)| (kind.name(), value.clone())).collect(),
            metadata: details.metadata.clone(),
        }
    }

    /// A line for each fact below the name.
    fn text(&self) -> String {
        let size = match ByteSize(self.size).to_string() {
            size if self.size < KIB => size,
            size => format!("{} B ({size})", self.size),
        };
        let parts = self.parts.map(|parts| parts.to_string());
        let known = [
            ("size", Some(size.as_str())),
            ("last modified", self.last_modified.as_deref()),
            ("etag", self.etag.as_deref()),
            ("version id", self.version_id.as_deref()),
            ("parts", parts.as_deref()),
        ];
        let mut lines = vec![Escaped(&self.source).to_string()];
        let mut push = |name: &str, value: &str| {
            lines.push(format!("  {:<20} {}", Escaped(name).to_string(), Escaped(value)));
        };
        for (name, value) in known {
            if let Some(value) = value {
                push(name, value);
            }
        }
        for name in ObjectDetails::TOLD {
            if let Some(value) = self.told.get(name) {
                push(&name.replace('_', " "), value);
            }
        }
        self.checksums.iter().for_each(|(name, value)| push(name, value));
        self.metadata.iter().for_each(|(name, value)| push(&format!("meta {name}"), value));
        lines.join("\n")
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct UsageFields {
    source: String,
    objects: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "is_none_of_them")]
    delete_markers: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<String>,
    #[serde(skip)]
    look: Look,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_none_of_them(count: &u64) -> bool {
    *count == 0
}

impl UsageFields {
    /// `1234567       12  s3://b/p/`: bytes, objects, name.
    fn text(&self) -> String {
        let size = self.look.sizes.text(self.bytes);
        let class = self.storage_class.as_deref().map(|class| format!("  {}", Escaped(class)));
        let markers = match self.delete_markers {
            0 => String::new(),
            count => format!("  and {}", style::count(count, "delete marker")),
        };
        let (name, class) = (Escaped(&self.source), class.unwrap_or_default());
        format!("{size:>15} {:>12}  {name}{class}{markers}", self.objects)
    }
}

impl RecordLine {
    pub fn new(record: &Record<'_>, look: Look) -> Self {
        match record {
            Record::Object { bucket, object } => Self::object(bucket, object, look),
            Record::Version { bucket, version } => {
                Self::Version(VersionFields::new(bucket, version, look))
            }
            Record::Prefix { bucket, prefix } => {
                let (source, prefix) = (uri(bucket.as_str(), prefix), (*prefix).to_owned());
                Self::Prefix { source, prefix, look }
            }
            Record::Bucket { name, created } => Self::Bucket {
                source: uri(name, ""),
                name: (*name).to_owned(),
                created: created.and_then(utc),
            },
            Record::Stat { object, details } => Self::Stat(StatFields::new(object, details)),
            Record::Link { object, method, url, expires } => Self::Link {
                source: object.uri(),
                method: (*method).to_owned(),
                url: (*url).to_owned(),
                expires: expires.and_then(utc),
            },
            Record::Made { bucket } => Self::Made { source: uri(bucket.as_str(), "") },
            Record::Restore { object, storage_class, outcome } => Self::Restore {
                source: object.uri(),
                version_id: object.version.as_deref().map(ToOwned::to_owned),
                storage_class: storage_class.map(ToOwned::to_owned),
                outcome: match outcome {
                    Restored::Asked => "asked",
                    Restored::WouldAsk => "would_ask",
                    Restored::Restoring => "restoring",
                    Restored::Restored => "restored",
                    Restored::Readable => "readable",
                },
            },
            Record::Usage { bucket, name, storage_class, usage } => Self::Usage(UsageFields {
                source: uri(bucket.as_str(), name),
                objects: usage.objects,
                bytes: usage.bytes,
                delete_markers: usage.delete_markers,
                storage_class: storage_class.map(ToOwned::to_owned),
                look,
            }),
            Record::Unfinished { name, upload_id, size, since, outcome } => Self::Unfinished {
                name: (*name).to_owned(),
                upload_id: upload_id.map(ToOwned::to_owned),
                size: *size,
                since: since.and_then(utc),
                outcome: match outcome {
                    Cleaning::Found => "found",
                    Cleaning::Removed => "removed",
                    Cleaning::Young => "young",
                    Cleaning::InUse => "in_use",
                    Cleaning::Failed => "failed",
                },
            },
        }
    }

    fn object(bucket: &Bucket, object: &ListedObject, look: Look) -> Self {
        Self::Object(ObjectFields {
            source: uri(bucket.as_str(), object.key.as_str()),
            key: object.key.as_str().to_owned(),
            size: object.size,
            last_modified: object.last_modified.and_then(utc),
            etag: object.etag.as_ref().map(|etag| etag.unquoted().to_owned()),
            storage_class: object.storage_class.as_deref().map(ToOwned::to_owned),
            look,
        })
    }
}

impl DataLine for RecordLine {
    fn text(&self) -> String {
        match self {
            Self::Object(object) => {
                let size = object.look.sizes.text(object.size);
                let more =
                    object.look.more(object.storage_class.as_deref(), object.etag.as_deref());
                columns(object.last_modified.as_deref(), &size, &more, &object.key)
            }
            Self::Version(version) => version.text(),
            Self::Stat(fields) => fields.text(),
            Self::Usage(fields) => fields.text(),
            // To be pasted, and nothing else.
            Self::Link { url, .. } => Escaped(url).to_string(),
            Self::Made { source } => format!("made {}", Escaped(source)),
            Self::Restore { source, storage_class, outcome, .. } => {
                let class = storage_class.as_deref().unwrap_or_default();
                let outcome = outcome.replace('_', " ");
                format!("{outcome:<10} {:<20} {}", Escaped(class).to_string(), Escaped(source))
            }
            Self::Prefix { prefix, look, .. } => {
                columns(None, "PRE", &look.more(None, None), prefix)
            }
            Self::Bucket { name, created, .. } => columns(created.as_deref(), "", "", name),
            Self::Unfinished { name, upload_id, size, since, outcome } => {
                let size = size.map_or_else(String::new, |size| size.to_string());
                let line = columns(since.as_deref(), &size, "", name);
                let id = upload_id.as_deref().map(|id| format!("  upload id {}", Escaped(id)));
                format!("{:<8} {line}{}", outcome.replace('_', " "), id.unwrap_or_default())
            }
        }
    }
}

/// `2026-11-22T19:43:44Z       1234567  key`: the name last, since it may hold anything.
fn columns(time: Option<&str>, size: &str, more: &str, name: &str) -> String {
    format!("{:<20} {size:>13}  {more}{}", time.unwrap_or(""), Escaped(name))
}

fn uri(bucket: &str, rest: &str) -> String {
    format!("{}{bucket}/{rest}", S3Uri::SCHEME)
}

/// `2026-11-22T19:43:44Z`: sorts as text, and is the same everywhere.
fn utc(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(Timestamp::from_second(time.as_second()).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::look::{Columns, Sizes};
    use super::*;
    use crate::domain::location::Key;
    use crate::domain::object::ETag;
    use crate::ui::streams::tests::Shared;

    const READABLE: Look = Look { sizes: Sizes::Readable, columns: Columns::Few };

    fn listed(format: Format, look: Look) -> String {
        let bucket = Bucket::new("bucket").expect("a name");
        let object = ListedObject {
            key: Key::new("p/a\nb\u{1b}[2J").expect("a key"),
            size: 1_234_567,
            etag: Some(ETag::new("abc-2")),
            last_modified: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_376_624_500)),
            storage_class: Some("STANDARD".into()),
        };
        let bytes = Shared::default();
        let options = Options { format, look };
        let mut listing = Listing::to(Output::to(Box::new(bytes.clone())), options);
        let marker = ListedVersion {
            object: ListedObject { etag: None, storage_class: None, ..object.clone() },
            version: "v\n2".into(),
            kind: VersionKind::DeleteMarker,
            is_latest: true,
        };
        let version = ListedVersion {
            object: object.clone(),
            version: "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrH".into(),
            kind: VersionKind::Object,
            is_latest: false,
        };
        for record in [
            Record::Prefix { bucket: &bucket, prefix: "p/q/" },
            Record::Object { bucket: &bucket, object: &object },
            Record::Version { bucket: &bucket, version: &marker },
            Record::Version { bucket: &bucket, version: &version },
            Record::Bucket { name: "bucket", created: None },
        ] {
            listing.push(&record).expect("written");
        }
        listing.finish().expect("flushed");
        bytes.text()
    }

    #[test]
    fn text_is_aligned_and_escaped() {
        insta::assert_snapshot!(listed(Format::Text, Look::default()), @r#"
                                       PRE  p/q/
        2026-11-22T19:43:44Z       1234567  p/a\nb\u{1b}[2J
        2026-11-22T19:43:44Z delete marker  v\n2                              latest  p/a\nb\u{1b}[2J
        2026-11-22T19:43:44Z       1234567  3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrH          p/a\nb\u{1b}[2J
                                            bucket
        "#);
        assert!(listed(Format::Text, READABLE).contains("  1.2 MiB  p/a\\nb"));
    }

    #[test]
    fn json_is_exact() {
        insta::assert_snapshot!(listed(Format::Json, READABLE), @r#"
        {"event":"prefix","source":"s3://bucket/p/q/","prefix":"p/q/"}
        {"event":"object","source":"s3://bucket/p/a\nb\u001b[2J","key":"p/a\nb\u001b[2J","size":1234567,"last_modified":"2026-11-22T19:43:44Z","etag":"abc-2","storage_class":"STANDARD"}
        {"event":"version","source":"s3://bucket/p/a\nb\u001b[2J","key":"p/a\nb\u001b[2J","version_id":"v\n2","is_latest":true,"is_delete_marker":true,"last_modified":"2026-11-22T19:43:44Z"}
        {"event":"version","source":"s3://bucket/p/a\nb\u001b[2J","key":"p/a\nb\u001b[2J","version_id":"3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrH","is_latest":false,"is_delete_marker":false,"size":1234567,"last_modified":"2026-11-22T19:43:44Z","etag":"abc-2","storage_class":"STANDARD"}
        {"event":"bucket","source":"s3://bucket/","name":"bucket"}
        "#);
    }
}
