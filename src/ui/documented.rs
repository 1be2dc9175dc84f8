//! Whether `docs/json.md` lists what `--json` writes: each event, and each of its fields, no more
//! and no fewer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::comparison::CompareLine;
use super::failure::Failures;
use super::lines::{EventLine, FailedFields, JobFields, PlanLine};
use super::listing::RecordLine;
use super::look::Look;
use super::setting::SettingLine;
use super::state::tests::{failure, job};
use super::summary::{Account, Planned};
use crate::domain::checksum::Algorithm;
use crate::domain::comparison::{Proof, Verdict};
use crate::domain::job::{Job, Remove, Task};
use crate::domain::location::{Bucket, Key, ObjectName};
use crate::domain::object::{
    ETag, ListedObject, ListedVersion, ObjectDetails, ObjectFacts, StoredChecksum, VersionKind,
};
use crate::domain::preserved::Preserved;
use crate::domain::record::{Cleaning, Record, Restored, Usage};
use crate::transfer::event::Skip;
use crate::transfer::gauge::Sample;
use crate::transfer::outcome::{Comparison, Comparisons, End, Failure, SameBy, Summary};

type Fields = BTreeMap<String, BTreeSet<String>>;

/// From sections that are headed `name`, and tables whose first cells are names of fields.
fn documented() -> Fields {
    let text = include_str!("../../docs/json.md");
    let names = |text: &str| -> Vec<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut fields = Fields::new();
    let mut event = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            event = names(heading).pop();
            fields.insert(event.clone().expect("a name"), BTreeSet::new());
        } else if line.starts_with("## ") {
            event = None;
        } else if let (Some(event), Some(row)) = (&event, line.strip_prefix("| `")) {
            let (cell, _) = row.split_once(" |").expect("a cell");
            fields.entry(event.clone()).or_default().extend(names(&format!("`{cell}")));
        }
    }
    fields
}

/// `a.b` for what is inside, of arrays too.
fn add(fields: &mut BTreeSet<String>, value: &Value, above: &str) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
                add(fields, value, &name);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| add(fields, value, above)),
        _ => {
            fields.insert(above.to_owned());
        }
    }
}

fn written() -> Fields {
    let mut all = Fields::new();
    for line in lines() {
        let event = line["event"].as_str().expect("a name").to_owned();
        let fields = all.entry(event).or_default();
        add(fields, &line, "");
        fields.remove("event");
    }
    all
}

/// One or more of each event, with every field that it can have.
fn lines() -> Vec<Value> {
    let mut job = Job::clone(&job(7, "k", Some(5)));
    job.line = Some(3);
    let mut lines: Vec<Value> = events(&job).iter().map(to_value).collect();
    lines.push(to_value(&PlanLine::new(&job, None)));
    let object = ObjectName {
        version: Some("x".into()),
        ..ObjectName::new(Bucket::new("b").expect("a name"), Key::new("k").expect("a key"))
    };
    let task = Task::Remove(Remove { object, size: Some(5) });
    lines.push(to_value(&PlanLine::new(&Job { task, ..job.clone() }, None)));
    let text = || "x".to_owned();
    for verdict in [
        Verdict::Same(Proof::Read),
        Verdict::Size { source: 1, destination: 2 },
        Verdict::Content { source: text(), destination: text(), proof: Proof::Read },
        Verdict::NotComparable { reason: text() },
    ] {
        let elapsed = Duration::from_secs(1);
        let comparison = Comparison { verdict, bytes: 5, elapsed, retries: 0 };
        lines.push(to_value(&CompareLine::new(&job, &comparison)));
    }
    lines.extend(records());
    lines.push(to_value(&SettingLine {
        option: text(),
        command: Some(text()),
        values: vec![text()],
        origin: text(),
    }));
    lines.push(summary());
    lines
}

fn to_value(line: &impl serde::Serialize) -> Value {
    serde_json::to_value(line).expect("JSON")
}

fn events(job: &Job) -> Vec<EventLine> {
    let text = || "x".to_owned();
    let job = JobFields::new(job, None);
    vec![
        EventLine::Start { job: job.clone(), size: Some(5) },
        EventLine::Retry {
            job: Some(job.clone()),
            attempt: 1,
            part: Some(2),
            wait_seconds: 0.5,
            reason: text(),
        },
        EventLine::Done {
            job: job.clone(),
            bytes: 5,
            resumed: 0,
            verified: "length",
            seconds: 1.0,
            retries: 0,
        },
        EventLine::Removed {
            job: job.clone(),
            version_id: Some(text()),
            size: Some(5),
            marker: Some(text()),
        },
        EventLine::Skipped { job: job.clone(), reason: "exists", why: Skip::Exists },
        EventLine::Postponed { job: job.clone(), cause: text(), message: text() },
        EventLine::Failed(FailedFields {
            number: Some(job.number),
            line: job.line,
            source: job.source,
            destination: job.destination,
            cause: text(),
            message: text(),
            hint: Some(text()),
            may_pass: false,
        }),
        EventLine::Pruned { destination: text(), size: 5 },
        EventLine::Notice { message: text() },
    ]
}

fn records() -> Vec<Value> {
    let bucket = Bucket::new("bucket").expect("a name");
    let now = Some(SystemTime::UNIX_EPOCH);
    let object = ListedObject {
        key: Key::new("k").expect("a key"),
        size: 5,
        etag: Some(ETag::new("abc")),
        last_modified: now,
        storage_class: Some("STANDARD".into()),
    };
    let name = ObjectName::new(bucket.clone(), object.key.clone());
    let version = ObjectName { version: Some("x".into()), ..name.clone() };
    let listed = ListedVersion {
        object: object.clone(),
        version: "x".into(),
        kind: VersionKind::Object,
        is_latest: true,
    };
    let text = || "x".to_owned();
    let details = ObjectDetails {
        facts: ObjectFacts {
            size: 5,
            etag: object.etag.clone(),
            version: Some("x".into()),
            last_modified: now,
            checksum: StoredChecksum::None,
            preserved: Preserved::default(),
        },
        parts: Some(1),
        told: ObjectDetails::TOLD.map(|name| (name, text())).into(),
        checksums: Algorithm::ALL.map(|algorithm| (algorithm, text())).into(),
        metadata: [("name".to_owned(), text())].into(),
    };
    let records = [
        Record::Object { bucket: &bucket, object: &object },
        Record::Version { bucket: &bucket, version: &listed },
        Record::Prefix { bucket: &bucket, prefix: "p/" },
        Record::Bucket { name: "bucket", created: now },
        Record::Link { object: &name, method: "GET", url: "https://h/k?x", expires: now },
        Record::Made { bucket: &bucket },
        Record::Restore {
            object: &version,
            storage_class: Some("GLACIER"),
            outcome: Restored::Asked,
        },
        Record::Stat { object: &name, details: &details },
        Record::Usage {
            bucket: &bucket,
            name: "p/",
            storage_class: Some("STANDARD"),
            usage: Usage { objects: 1, bytes: 2, delete_markers: 3 },
        },
        Record::Unfinished {
            name: "s3://bucket/k",
            upload_id: Some("id"),
            size: Some(5),
            since: now,
            outcome: Cleaning::Found,
        },
    ];
    records.iter().map(|record| to_value(&RecordLine::new(record, Look::default()))).collect()
}

fn summary() -> Value {
    let same = SameBy { read: 1, ..SameBy::default() };
    let summary = Summary {
        compared: Comparisons { same, ..Comparisons::NONE },
        end: End::Interrupted(2),
        ..Summary::default()
    };
    let mut failures = Failures::default();
    failures.add(&Failure { hint: Some("x".to_owned()), ..failure("x", "y") });
    let (sample, planned) = (Sample::default(), Some(Planned::default()));
    to_value(&Account { summary: &summary, sample, failures: &failures, planned }.json())
}

#[test]
fn each_field_of_the_json_is_documented_and_no_other() {
    let (documented, written) = (documented(), written());
    for event in documented.keys().chain(written.keys()) {
        assert_eq!(documented.get(event), written.get(event), "{event}");
    }
}
