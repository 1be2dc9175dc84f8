//! What was found of two sides, as a line, and all of it as counts. Pure.

use serde::Serialize;

use super::data::DataLine;
use super::lines::JobFields;
use crate::domain::comparison::Verdict;
use crate::domain::escape::Escaped;
use crate::domain::job::Job;
use crate::transfer::outcome::{Comparison, Comparisons};

/// One pair: data, on stdout. `docs/json.md` lists its fields.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename = "compared")]
pub struct CompareLine {
    #[serde(flatten)]
    job: JobFields,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Found<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sizes: Option<Found<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    bytes: u64,
    seconds: f64,
    retries: u32,
}

/// What each side has.
#[derive(Debug, Clone, Serialize)]
struct Found<T> {
    source: T,
    destination: T,
}

impl CompareLine {
    pub fn new(job: &Job, comparison: &Comparison) -> Self {
        let verdict = &comparison.verdict;
        let (mut found, mut sizes, mut reason) = (None, None, None);
        match verdict {
            Verdict::Size { source, destination } => {
                sizes = Some(Found { source: *source, destination: *destination });
            }
            Verdict::Content { source, destination, .. } => {
                let (source, destination) = (source.clone(), destination.clone());
                found = Some(Found { source, destination });
            }
            Verdict::NotComparable { reason: text } => reason = Some(text.clone()),
            Verdict::Same(_) | Verdict::Missing | Verdict::Extra => {}
        }
        Self {
            job: JobFields::new(job, None),
            result: verdict.name(),
            by: verdict.proof().map(crate::domain::comparison::Proof::name),
            found,
            sizes,
            reason,
            bytes: comparison.bytes,
            seconds: comparison.elapsed.as_secs_f64(),
            retries: comparison.retries,
        }
    }

    pub fn is_difference(&self) -> bool {
        self.result != "same"
    }
}

impl DataLine for CompareLine {
    /// `content         s3://b/k -> out/k  crc64nvme:…, crc64nvme:…`.
    fn text(&self) -> String {
        let kind = self.result.replace('_', " ");
        let more = match (&self.found, &self.sizes) {
            (Some(found), _) => format!("{}, {}", found.source, found.destination),
            (_, Some(sizes)) => format!("{} bytes, {} bytes", sizes.source, sizes.destination),
            _ => self.reason.as_deref().or(self.by).unwrap_or_default().to_owned(),
        };
        format!("{kind:<14}  {}  {}", self.job, Escaped(&more)).trim_end().to_owned()
    }
}

/// All comparisons of a run, as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct CompareCounts {
    same: u64,
    missing: u64,
    extra: u64,
    size: u64,
    content: u64,
    not_comparable: u64,
    same_by: SameByCounts,
}

#[derive(Debug, Clone, Serialize)]
struct SameByCounts {
    whole: u64,
    parts: u64,
    etag: u64,
    size: u64,
    read: u64,
}

impl CompareCounts {
    /// `None` where nothing was compared.
    pub fn new(compared: &Comparisons) -> Option<Self> {
        let same = &compared.same;
        (compared.total() > 0).then(|| Self {
            same: same.total(),
            missing: compared.missing,
            extra: compared.extra,
            size: compared.size,
            content: compared.content,
            not_comparable: compared.not_comparable,
            same_by: SameByCounts {
                whole: same.whole,
                parts: same.parts,
                etag: same.etag,
                size: same.empty,
                read: same.read,
            },
        })
    }
}

/// `998 the same (990 by whole checksums, 8 by those of parts)`, `1 missing`, `1 differs in content`.
pub fn facts(compared: &Comparisons) -> Vec<String> {
    if compared.total() == 0 {
        return Vec::new();
    }
    let same = &compared.same;
    let ways = counted([
        (same.whole, "by whole checksums"),
        (same.parts, "by those of parts"),
        (same.etag, "by ETags that are MD5s"),
        (same.read, "by reading"),
        (same.empty, "empty"),
    ]);
    let ways = if ways.is_empty() { String::new() } else { format!(" ({})", ways.join(", ")) };
    let mut facts = vec![format!("{} the same{ways}", same.total())];
    facts.extend(counted([
        (compared.missing, "missing"),
        (compared.extra, "extra"),
        (compared.size, "of another size"),
        (compared.content, "of other content"),
        (compared.not_comparable, "not comparable"),
    ]));
    facts
}

fn counted<const N: usize>(counts: [(u64, &str); N]) -> Vec<String> {
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, what)| format!("{count} {what}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::domain::checksum::Algorithm;
    use crate::domain::comparison::{Compare, Place, Presence, Proof, Unproven};
    use crate::domain::evidence::Basis;
    use crate::domain::job::{Expected, Fate, Task};
    use crate::domain::location::{Bucket, Key, ObjectName};
    use crate::transfer::outcome::SameBy;

    fn line(verdict: Verdict) -> CompareLine {
        let object =
            ObjectName::new(Bucket::new("b").expect("a name"), Key::new("k\n").expect("a key"));
        let pair = Compare {
            source: Place::Object(object),
            destination: Place::File(PathBuf::from("out/k\n")),
            size: Some(7),
            presence: Presence::Open,
            expected: Expected::default(),
            unproven: Unproven::Tell,
        };
        let job =
            Job { number: 3, line: None, task: Task::Compare(Box::new(pair)), fate: Fate::Kept };
        let elapsed = Duration::from_millis(250);
        CompareLine::new(&job, &Comparison { verdict, bytes: 7, elapsed, retries: 0 })
    }

    fn lines() -> Vec<CompareLine> {
        let proof = Proof::Stored(Basis::Parts(Algorithm::Crc32C));
        let found = || ("crc32c:AAAAAA==".to_owned(), "crc32c:BBBBBB==".to_owned());
        let (source, destination) = found();
        [
            Verdict::Same(Proof::Stored(Basis::Whole(Algorithm::Sha256))),
            Verdict::Missing,
            Verdict::Extra,
            Verdict::Size { source: 7, destination: 8 },
            Verdict::Content { source, destination, proof },
            Verdict::NotComparable { reason: "the object has no checksum".to_owned() },
        ]
        .map(line)
        .into()
    }

    #[test]
    fn text_says_what_where_and_by_what() {
        let text: Vec<_> = lines().iter().map(DataLine::text).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        same            s3://b/k\n -> out/k\n  sha256
        missing         s3://b/k\n -> out/k\n
        extra           s3://b/k\n -> out/k\n
        size            s3://b/k\n -> out/k\n  7 bytes, 8 bytes
        content         s3://b/k\n -> out/k\n  crc32c:AAAAAA==, crc32c:BBBBBB==
        not comparable  s3://b/k\n -> out/k\n  the object has no checksum
        "#);
        let differing = lines().iter().filter(|line| line.is_difference()).count();
        assert_eq!(differing, 5);
    }

    #[test]
    fn json_is_exact() {
        let json = |line: &CompareLine| serde_json::to_string(line).expect("JSON");
        let lines: Vec<_> = lines().iter().skip(3).map(json).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"event":"compared","number":3,"source":"s3://b/k\n","destination":"out/k\n","result":"size","sizes":{"source":7,"destination":8},"bytes":7,"seconds":0.25,"retries":0}
        {"event":"compared","number":3,"source":"s3://b/k\n","destination":"out/k\n","result":"content","by":"crc32c-parts","found":{"source":"crc32c:AAAAAA==","destination":"crc32c:BBBBBB=="},"bytes":7,"seconds":0.25,"retries":0}
        {"event":"compared","number":3,"source":"s3://b/k\n","destination":"out/k\n","result":"not_comparable","reason":"the object has no checksum","bytes":7,"seconds":0.25,"retries":0}
        "#);
    }

    #[test]
    fn counts_say_by_what() {
        let same = SameBy { whole: 990, parts: 8, ..SameBy::default() };
        let compared = Comparisons { same, missing: 1, not_comparable: 2, ..Comparisons::NONE };
        assert_eq!(
            facts(&compared),
            [
                "998 the same (990 by whole checksums, 8 by those of parts)",
                "1 missing",
                "2 not comparable"
            ]
        );
        assert_eq!(facts(&Comparisons::NONE), Vec::<String>::new());
        assert!(CompareCounts::new(&Comparisons::NONE).is_none());
    }
}
