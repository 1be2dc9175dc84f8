//! The engine on a store in memory that fails on command: what a summary counts, what a failure
//! stops and what it leaves alone. Bytes on real connections are for the end-to-end tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::cancel::Cancel;
use super::context::{Context, Limits, Tolerance};
use super::engine;
use super::event::Event;
use super::gate::Concurrency;
use super::gauge::Gauge;
use super::landing::Landing;
use super::outcome::{End, Summary};
use crate::domain::job::{
    Download, Expected, Fate, Job, LocalSource, LocalTarget, Refused, Task, Upload,
};
use crate::domain::location::{Bucket, Key, ObjectName};
use crate::domain::relative_path::RelativePath;
use crate::storage::error::{Kind, StoreError};
use crate::storage::memory::{Failure, MemoryStore, Operation};

type Planned = Result<Job, Refused>;

/// A store, a folder, and the limits of a run between them.
struct Scene {
    store: Arc<MemoryStore>,
    folder: TempDir,
    cancel: Arc<Cancel>,
    gauge: Arc<Gauge>,
    limits: Limits,
}

#[tokio::test]
async fn a_request_that_fails_twice_and_then_succeeds_is_counted_as_two_retries() {
    let scene = Scene::new();
    let job = scene.download(1, "a", "bytes");
    for _ in 0..2 {
        scene.refuse(Operation::Get, "a", Kind::Transient);
    }
    let (summary, events) = scene.run(stream::iter([Ok(job)])).await;
    assert_eq!((summary.done, summary.failed, summary.retries), (1, 0, 2));
    assert!(summary.is_success());
    assert_eq!(scene.read("a"), "bytes");
    let retries = events.iter().filter(|event| matches!(event, Event::Retrying { .. }));
    assert_eq!(retries.count(), 2, "each one is told");
}

#[tokio::test]
async fn a_request_is_tried_as_often_as_told_and_no_more() {
    let mut scene = Scene::new();
    scene.limits.max_attempts = 3;
    let job = scene.download(1, "a", "bytes");
    for _ in 0..10 {
        scene.refuse(Operation::Get, "a", Kind::Throttled);
    }
    let (summary, _) = scene.run(stream::iter([Ok(job)])).await;
    assert_eq!((summary.done, summary.failed), (0, 1));
    assert_eq!(scene.store.count(Operation::Get), 3);
}

#[tokio::test]
async fn a_failure_for_good_is_not_tried_again_and_leaves_the_others_alone() {
    let scene = Scene::new();
    let jobs = ["a", "b", "c"].into_iter().zip(1..);
    let jobs: Vec<_> = jobs.map(|(key, number)| Ok(scene.download(number, key, key))).collect();
    scene.refuse(Operation::Get, "b", Kind::Denied);
    let (summary, events) = scene.run(stream::iter(jobs)).await;
    assert_eq!((summary.done, summary.failed, summary.retries), (2, 1, 0));
    assert_eq!(summary.end, End::Complete);
    assert_eq!((scene.read("a"), scene.read("c")), ("a".to_owned(), "c".to_owned()));
    assert!(!scene.path("b").exists());
    let failed = events.iter().filter_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure),
        _ => None,
    });
    let failed: Vec<_> = failed.collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].message.contains("s3://bucket/b"), "{}", failed[0].message);
    assert!(!failed[0].may_pass);
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_behind_its_last_byte() {
    let scene = Scene::new();
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let job = scene.download(1, "a", bytes.clone());
    scene.store.break_body("a", 700_000, error("GetObject", Kind::Transient));
    let (summary, _) = scene.run(stream::iter([Ok(job)])).await;
    assert_eq!((summary.done, summary.retries, summary.bytes), (1, 1, bytes.len() as u64));
    assert!(std::fs::read(scene.path("a")).expect("a file") == bytes, "other bytes");
}

#[tokio::test]
async fn credentials_that_are_wrong_end_the_run_with_one_failure() {
    let mut scene = Scene::new();
    scene.limits.concurrency = Concurrency::Fixed(2);
    let jobs: Vec<_> = (1..=50).map(|number| scene.download(number, "a", "a")).collect();
    for _ in 0..50 {
        scene.refuse(Operation::Get, "a", Kind::BadCredentials);
    }
    let (summary, _) = scene.run(stream::iter(jobs.into_iter().map(Ok))).await;
    assert_eq!((summary.failed, summary.end), (1, End::GaveUp));
    assert!(scene.store.count(Operation::Get) <= 2, "the others were tried all the same");
}

#[tokio::test]
async fn a_run_that_drains_plans_no_more_and_finishes_what_it_began() {
    let mut scene = Scene::new();
    scene.limits.concurrency = Concurrency::Fixed(2);
    let job = scene.download(1, "a", "a");
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, cancel) = (Arc::clone(&asked), Arc::clone(&scene.cancel));
    // For ever: only a run that stops asking comes to an end.
    let jobs = stream::repeat_with(move || {
        if counter.fetch_add(1, Relaxed) == 9 {
            cancel.drain(End::Interrupted(2));
        }
        Ok(job.clone())
    });
    let (summary, events) = scene.run(jobs).await;
    assert_eq!(summary.end, End::Interrupted(2));
    assert_eq!(asked.load(Relaxed), 10, "a job was planned after the end was called");
    assert_eq!((summary.done, summary.failed), (10, 0));
    assert!(!events.iter().any(|event| matches!(event, Event::PlanComplete)));
}

#[tokio::test]
async fn so_many_errors_and_no_more() {
    let mut scene = Scene::new();
    scene.limits.concurrency = Concurrency::Fixed(1);
    scene.limits.tolerance = Tolerance::Errors(3);
    let jobs: Vec<_> = (1..=50).map(|number| scene.download(number, "a", "a")).collect();
    for _ in 0..50 {
        scene.refuse(Operation::Get, "a", Kind::Denied);
    }
    let (summary, _) = scene.run(stream::iter(jobs.into_iter().map(Ok))).await;
    assert_eq!((summary.failed, summary.end), (3, End::GaveUp));
}

#[tokio::test]
async fn an_upload_whose_reply_is_lost_is_found_and_not_sent_again() {
    for (size, operation) in [(10, Operation::Put), (12 << 20, Operation::CompleteUpload)] {
        let scene = Scene::new();
        let job = scene.upload(1, "a", size);
        let lost = error("a write", Kind::Transient);
        scene.store.fail_next(operation, Some("a"), Failure::LostReply(lost));
        let (summary, _) = scene.run(stream::iter([Ok(job)])).await;
        assert_eq!((summary.done, summary.failed), (1, 0), "{size} bytes");
        let stored = scene.store.bytes(&object("a")).expect("an object");
        assert_eq!(stored.len(), size, "{size} bytes");
        assert_eq!(scene.store.open_uploads(), 0, "{size} bytes");
    }
}

#[tokio::test]
async fn an_upload_that_fails_for_good_leaves_no_parts() {
    for operation in [Operation::PutPart, Operation::CompleteUpload] {
        let scene = Scene::new();
        let job = scene.upload(1, "a", 12 << 20);
        scene.refuse(operation, "a", Kind::Denied);
        // Cleaning up is worth a second try.
        scene.refuse(Operation::AbortUpload, "a", Kind::Transient);
        let (summary, _) = scene.run(stream::iter([Ok(job)])).await;
        assert_eq!((summary.done, summary.failed), (0, 1), "{operation:?}");
        assert_eq!(scene.store.open_uploads(), 0, "{operation:?}");
        assert_eq!(scene.store.bytes(&object("a")), None, "{operation:?}");
    }
}

#[tokio::test]
async fn what_is_started_again_is_counted_once() {
    let mut scene = Scene::new();
    scene.limits.max_attempts = 2;
    let mut unsized_job = scene.download(1, "a", "bytes");
    if let Task::Download(download) = &mut unsized_job.task {
        download.size = None;
    }
    let jobs = vec![Ok(unsized_job), Ok(scene.download(2, "b", "bytes"))];
    for _ in &jobs {
        scene.gauge.plan(None);
    }
    scene.gauge.discover(5);
    // The size is known before the body breaks off, and again.
    for _ in 0..2 {
        scene.store.break_body("a", 2, error("GetObject", Kind::Transient));
    }
    let (summary, events) = scene.run(stream::iter(jobs)).await;
    assert_eq!((summary.done, summary.failed, summary.bytes), (2, 0, 10));
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Postponed { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::PlanComplete)), 1);
    assert_eq!(count(|event| matches!(event, Event::Started { .. })), 3);
    let sample = scene.gauge.sample();
    assert_eq!((sample.bytes, sample.planned_bytes, sample.unsized_objects), (10, 10, 0));
}

#[tokio::test]
async fn those_that_wait_for_a_second_start_are_failures_so_far() {
    let mut scene = Scene::new();
    (scene.limits.concurrency, scene.limits.max_attempts) = (Concurrency::Fixed(1), 1);
    scene.limits.tolerance = Tolerance::Errors(3);
    let mut jobs = vec![scene.download(1, "b", "b")];
    jobs.extend((2..=50).map(|number| scene.download(number, "a", "a")));
    for _ in 0..50 {
        scene.refuse(Operation::Get, "a", Kind::Transient);
    }
    let (summary, events) = scene.run(stream::iter(jobs.into_iter().map(Ok))).await;
    assert_eq!((summary.done, summary.failed, summary.end), (1, 3, End::GaveUp));
    let failed = events.iter().filter(|event| matches!(event, Event::Failed { .. }));
    assert_eq!(failed.count(), 3, "each is told, those that waited too");
}

impl Scene {
    fn new() -> Self {
        Self {
            store: Arc::new(MemoryStore::with_bucket("bucket")),
            folder: TempDir::new().expect("a folder"),
            cancel: Arc::default(),
            gauge: Arc::default(),
            limits: Limits::for_reading(Duration::from_mins(1)),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    fn refuse(&self, operation: Operation, key: &str, kind: Kind) {
        let refused = Failure::Refused(error("a request", kind));
        self.store.fail_next(operation, Some(key), refused);
    }

    fn download(&self, number: u64, key: &str, bytes: impl Into<bytes::Bytes>) -> Job {
        let bytes = bytes.into();
        let size = Some(bytes.len() as u64);
        self.store.seed(&object(key), bytes);
        let path = RelativePath::new(key).expect("a path");
        let (target, expected) = (LocalTarget::Below(path), Expected::default());
        let object = object(key);
        let download = Download { object, size, etag: None, last_modified: None, target, expected };
        Job { number, line: None, task: Task::Download(download), fate: Fate::Kept }
    }

    fn upload(&self, number: u64, key: &str, size: usize) -> Job {
        let path = self.path("source");
        std::fs::write(&path, vec![7; size]).expect("written");
        let source = LocalSource::File { path, size: Some(size as u64), below: None };
        let (attributes, expected) = (Arc::default(), Expected::default());
        let upload = Upload { source, object: object(key), attributes, expected };
        Job { number, line: None, task: Task::Upload(upload), fate: Fate::Kept }
    }

    async fn run(&self, jobs: impl Stream<Item = Planned> + Send) -> (Summary, Vec<Event>) {
        let (sender, mut heard) = mpsc::channel(16);
        let store = Arc::clone(&self.store);
        let (cancel, gauge) = (Arc::clone(&self.cancel), Arc::clone(&self.gauge));
        let mut context = Context::new(store, self.limits.clone(), cancel, gauge, sender);
        context.landing = Some(Landing::new(self.folder.path().to_owned()));
        let listener = tokio::spawn(async move {
            let mut events = Vec::new();
            while let Some(event) = heard.recv().await {
                events.push(event);
            }
            events
        });
        let summary = engine::run(Arc::new(context), jobs.boxed()).await;
        (summary, listener.await.expect("it only listens"))
    }
}

fn object(key: &str) -> ObjectName {
    ObjectName::new(Bucket::new("bucket").expect("a name"), Key::new(key).expect("a key"))
}

fn error(operation: &'static str, kind: Kind) -> StoreError {
    StoreError::new(operation, kind)
}
