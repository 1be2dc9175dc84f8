//! The lines of a journal: what they say and how they are written. Pure.
//!
//! A journal is JSON Lines. The first line binds it to what its command means; each other one says
//! what became of one job. Every line ends in `"sum":"…"`, the CRC32C of what stands before it, so
//! that a line that was edited or damaged is known as such. It must never hold a secret:
//! attributes and options are there by their names, or in a digest.
//!
//! | field | is |
//! |---|---|
//! | `number` | counts the jobs of the run, from 1 |
//! | `line` | where the job stands in its manifest |
//! | `digest` | what the job asks for: source, destination, version, what must hold, attributes |
//! | `outcome` | `done`, `skipped` or `failed` |
//! | `source`, `destination` | exact; paths of downloads are below the first line's `folder` |
//! | `version`, `size`, `etag`, `checksum` | of the object, as it was read or is now stored |
//! | `mtime` | of the local file, when it was published or read |
//! | `source_etag` | of the object that was copied |
//! | `source_mtime` | of a move: when the object that was read was written |
//! | `source_mtime` | of a move: when the object that was read was written |
//! | `source_is` | of a move: `there` when its bytes had arrived, `removed` when it was gone |
//! | `verified` | `crc64nvme`, … or `length` |
//! | `reason` | why it was skipped |
//! | `cause`, `message`, `may_pass` | of a failure |
//! | `want` | what must hold, and attributes of its own: for a failed job, which may be fed back |
//! | `attempts` | 1, and one more for each request that was tried again |
//! | `seconds`, `time` | how long it took, and when it ended |

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checksum::Crc;
use super::digest::Digest;
use super::escape::Escaped;

/// The format that is written and read.
pub const FORMAT: u32 = 1;
/// What every journal starts with.
pub const MAGIC: &str = "{\"haul_journal\":";
/// No line is longer: a key has at most 1,024 bytes, messages are cut, and so is an entry that comes
/// to more all the same.
pub const LONGEST_LINE: usize = 1 << 20;
/// A message of a store, or of a system, need not be kept whole.
const LONGEST_MESSAGE: usize = 2048;

const SUM: &str = ",\"sum\":\"";
/// Of `,"sum":"01234567"}`.
const SUM_LENGTH: usize = SUM.len() + 8 + 2;

/// The first line: what the command means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    #[serde(rename = "haul_journal")]
    pub format: u32,
    /// `download`, `upload`, `mv`, or `cp` between objects and where each row says its own.
    pub verb: String,
    /// URIs and absolute paths; with a manifest, what its rows are joined to.
    pub sources: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    pub destination: String,
    /// The absolute folder that paths in the lines are below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    pub endpoint: String,
    /// What selects jobs, or decides what becomes of their names.
    pub options: Vec<String>,
}

/// In what two commands differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub what: &'static str,
    pub recorded: String,
    pub asked: String,
}

impl Binding {
    /// Whether lines are those of a manifest's rows, which have a place, and not of a listing.
    pub fn has_rows(&self) -> bool {
        self.manifest.is_some()
    }

    /// The first thing in which `asked` means something else.
    pub fn difference(&self, asked: &Self) -> Option<Difference> {
        let none = || "none".to_owned();
        let sides = [
            ("verb", self.verb.clone(), asked.verb.clone()),
            (
                "manifest",
                self.manifest.clone().unwrap_or_else(none),
                asked.manifest.clone().unwrap_or_else(none),
            ),
            ("source", self.sources.join(" "), asked.sources.join(" ")),
            ("destination", self.destination.clone(), asked.destination.clone()),
            ("endpoint", self.endpoint.clone(), asked.endpoint.clone()),
            ("selection", self.options.join(" "), asked.options.join(" ")),
            (
                "folder",
                self.folder.clone().unwrap_or_else(none),
                asked.folder.clone().unwrap_or_else(none),
            ),
        ];
        let found = sides.into_iter().find(|(_, recorded, asked)| recorded != asked);
        found.map(|(what, recorded, asked)| Difference { what, recorded, asked })
    }
}

/// `its destination is /a, this command's is /b`, safe to show.
impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| {
            let text = if text.is_empty() { "none" } else { text };
            Escaped(text).to_string()
        };
        let (recorded, asked) = (shown(&self.recorded), shown(&self.asked));
        write!(formatter, "its {} is {recorded}, this command's is {asked}", self.what)
    }
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    Skipped,
    Failed,
}

/// What became of the source of a move whose bytes are at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceIs {
    /// It is still to go.
    There,
    Removed,
}

/// What a failed job demanded, to be demanded again when it is fed back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Want {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// One job's line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// None of what was refused before it became a job.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "digest")]
    pub digest: Option<Digest>,
    pub outcome: Outcome,
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<String>,
    /// The tag of a copy's source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_etag: Option<String>,
    /// Of a move: when the object that was read was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_mtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
    /// Of a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_is: Option<SourceIs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_pass: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub want: Option<Want>,
    pub attempts: u32,
    pub seconds: f64,
    pub time: String,
}

impl Entry {
    /// By what a later line is known to be about the same job: its place in a manifest, or what it
    /// asks for.
    pub fn key(&self, binding: &Binding) -> Option<u64> {
        if binding.has_rows() { self.line } else { self.digest.map(Digest::value) }
    }

    /// The same for a line that must be shorter. It says what became of the job, and no more which
    /// job that is: nobody may feed back, or take for done, what is not there as a whole.
    #[must_use]
    pub fn shortened(&self) -> Self {
        let cut = |text: &Option<String>| text.as_deref().map(Self::cut);
        Self {
            digest: None,
            source: Self::cut(&self.source),
            destination: cut(&self.destination),
            version: cut(&self.version),
            etag: cut(&self.etag),
            checksum: cut(&self.checksum),
            message: cut(&self.message),
            want: None,
            ..self.clone()
        }
    }

    /// A message of a length that a line can hold.
    pub fn cut(message: &str) -> String {
        let end = message.floor_char_boundary(LONGEST_MESSAGE);
        message[..end].to_owned()
    }
}

mod digest {
    //! A digest as its text.

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Digest;

    #[expect(clippy::ref_option, reason = "what serde calls")]
    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.collect_str(digest),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// A line as it is written, its end included.
pub fn render(line: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(line)?;
    text.truncate(text.len() - 1);
    let sum = sum(text.as_bytes());
    text.push_str(SUM);
    text.push_str(&sum);
    text.push_str("\"}\n");
    Ok(text)
}

/// Reads a line, given without its end.
pub fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, Damaged> {
    let at = line.len().checked_sub(SUM_LENGTH).ok_or(Damaged)?;
    let (content, end) = line.split_at(at);
    if end != format!("{SUM}{}\"}}", sum(content)).as_bytes() {
        return Err(Damaged);
    }
    serde_json::from_slice(&[content, b"}"].concat()).map_err(|_| Damaged)
}

/// A line that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is damaged, or was edited")]
pub struct Damaged;

fn sum(content: &[u8]) -> String {
    format!("{:08x}", Crc::Crc32C.of(content))
}

#[cfg(test)]
pub mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    pub fn binding() -> Binding {
        Binding {
            format: FORMAT,
            verb: "download".to_owned(),
            sources: vec!["s3://b/p/".to_owned()],
            manifest: None,
            destination: "/out".to_owned(),
            folder: Some("/out".to_owned()),
            endpoint: "S3".to_owned(),
            options: Vec::new(),
        }
    }

    pub fn entry(line: Option<u64>, digest: u64, outcome: Outcome) -> Entry {
        Entry {
            number: line,
            line,
            digest: Some(Digest::from(digest)),
            outcome,
            source: "s3://b/p/k".to_owned(),
            destination: Some("k".to_owned()),
            version: None,
            size: Some(3),
            etag: Some("e".to_owned()),
            checksum: None,
            mtime: None,
            source_etag: None,
            source_mtime: None,
            verified: None,
            source_is: None,
            reason: None,
            cause: None,
            message: None,
            may_pass: None,
            want: None,
            attempts: 1,
            seconds: 0.25,
            time: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn a_line_is_what_the_documentation_says() {
        let line = render(&entry(Some(7), 0x1f, Outcome::Done)).expect("JSON");
        insta::assert_snapshot!(line, @r#"{"number":7,"line":7,"digest":"000000000000001f","outcome":"done","source":"s3://b/p/k","destination":"k","size":3,"etag":"e","attempts":1,"seconds":0.25,"time":"2026-01-01T00:00:00Z","sum":"a598ded8"}"#);
        assert!(render(&binding()).expect("JSON").starts_with(MAGIC));
    }

    #[test]
    fn the_first_difference_is_said() {
        let (one, mut other) = (binding(), binding());
        assert_eq!(one.difference(&other), None);
        other.destination = "/else\u{1b}".to_owned();
        let said = one.difference(&other).expect("another destination").to_string();
        assert_eq!(said, "its destination is /out, this command's is /else\\u{1b}");
        other = Binding { options: vec!["--flatten".to_owned()], ..binding() };
        let said = one.difference(&other).expect("another selection").to_string();
        assert_eq!(said, "its selection is none, this command's is --flatten");
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let cut = Entry::cut(&"é".repeat(2000));
        assert!(cut.len() <= LONGEST_MESSAGE && cut.ends_with('é'));
        assert_eq!(Entry::cut("short"), "short");
    }

    prop_compose! {
        fn some_entry()(
            number in option::of(any::<u64>()),
            line in option::of(any::<u64>()),
            digest in option::of(any::<u64>()),
            outcome in prop_oneof![
                Just(Outcome::Done), Just(Outcome::Skipped), Just(Outcome::Failed)
            ],
            texts in proptest::collection::vec(any::<String>(), 4),
            metadata in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3),
            size in option::of(any::<u64>()),
            milliseconds in any::<u32>(),
        ) -> Entry {
            let [source, etag, message, time] = texts.try_into().expect("four");
            Entry {
                number,
                digest: digest.map(Digest::from),
                size,
                source,
                etag: Some(etag.clone()),
                source_etag: size.map(|size| size.to_string()),
                source_mtime: size.map(|size| size.to_string()),
                source_is: number.map(|_| SourceIs::There),
                message: Some(message),
                may_pass: size.map(|size| size % 2 == 0),
                want: size.map(|_| Want { etag: Some(etag), metadata, ..Want::default() }),
                seconds: f64::from(milliseconds) / 1000.0,
                time,
                ..entry(line, 0, outcome)
            }
        }
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_it_was_written(entry in some_entry()) {
            let line = render(&entry).expect("JSON");
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(parse::<Entry>(line.trim_end_matches('\n').as_bytes()), Ok(entry));
        }

        #[test]
        fn no_change_of_a_byte_goes_unseen(
            entry in some_entry(), at in any::<prop::sample::Index>(), flip in 1..=255_u8,
        ) {
            let mut line = render(&entry).expect("JSON").trim_end().as_bytes().to_vec();
            let at = at.index(line.len());
            line[at] ^= flip;
            prop_assert_eq!(parse::<Entry>(&line), Err(Damaged));
            line[at] ^= flip;
            prop_assert!(parse::<Entry>(&line).is_ok());
            line.truncate(at);
            prop_assert_eq!(parse::<Entry>(&line), Err(Damaged));
        }

        #[test]
        fn arbitrary_bytes_are_no_line_and_no_panic(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            prop_assert!(parse::<Entry>(&bytes).is_err());
            // With a sum that holds, too.
            let summed = format!("{{{text}{SUM}{}\"}}", sum(format!("{{{text}").as_bytes()));
            let _parsed = (parse::<Entry>(summed.as_bytes()), parse::<Binding>(summed.as_bytes()));
        }
    }
}
