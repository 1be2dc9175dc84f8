//! What a store learns from its failures before the engine hears of them: fresh credentials, a
//! bucket's region, the time. It must never send a request itself: it says that another try is
//! worth it, and sees to it that the next one is different.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::Config;

use super::credentials::{Remedy, SharedCredentials};
use super::notice::{Listener, Notice};
use super::regions::{Lesson, Regions};
use crate::domain::location::Bucket;
use crate::storage::error::{ClockOff, Kind, StoreError};
use crate::storage::object_store::Result;

/// Shared by all requests of a store.
pub(super) struct Recovery {
    pub(super) regions: Regions,
    credentials: Option<SharedCredentials>,
    /// None: S3's own.
    endpoint: Option<String>,
    listener: Listener,
    is_clock_told: AtomicBool,
}

/// What was known when a request was sent.
pub(super) struct Sent<'a> {
    bucket: Option<&'a Bucket>,
    region: Option<String>,
    generation: u64,
    is_clock_known: bool,
}

impl Recovery {
    pub(super) fn new(
        config: Config,
        endpoint: Option<String>,
        credentials: Option<SharedCredentials>,
        listener: Listener,
    ) -> Self {
        let (regions, is_clock_told) = (Regions::new(config), AtomicBool::new(false));
        Self { regions, credentials, endpoint, listener, is_clock_told }
    }

    /// To be called before a request is made, so that what is learnt meanwhile is not held
    /// against it.
    pub(super) fn sending<'a>(&self, bucket: Option<&'a Bucket>) -> Sent<'a> {
        Sent {
            bucket,
            region: bucket.and_then(|bucket| self.regions.of(bucket)),
            generation: self.credentials.as_ref().map_or(0, SharedCredentials::generation),
            is_clock_known: self.is_clock_off(),
        }
    }

    /// What became of the request, as the engine is to see it.
    pub(super) fn judge<T>(&self, sent: &Sent<'_>, reply: Result<T>) -> Result<T> {
        match reply {
            Ok(reply) => {
                if let Some(shared) = &self.credentials {
                    shared.accepted(sent.generation);
                }
                Ok(reply)
            }
            Err(error) => Err(self.weigh(sent, error)),
        }
    }

    fn weigh(&self, sent: &Sent<'_>, error: StoreError) -> StoreError {
        let error = seen_by_its_clock(sent, seen_by_its_region(sent, error));
        let error = self.seen_by_its_date(error);
        match &error.kind {
            Kind::Expired => self.expired(sent, error),
            Kind::WrongRegion { .. } => self.elsewhere(sent, error),
            Kind::ClockSkew { off: Some(off) } => self.off_by(*off, error),
            Kind::Denied if self.credentials.is_none() => {
                StoreError { kind: Kind::NotPublic, ..error }
            }
            Kind::Unreachable | Kind::UnknownHost | Kind::Tls => self.located(error),
            _ => error,
        }
    }

    /// A HEAD is answered without words: S3 says 400 to one whose token is too old.
    fn seen_by_its_date(&self, error: StoreError) -> StoreError {
        let is_wordless =
            error.kind == Kind::Refused && error.status == Some(400) && error.code.is_none();
        let is_past = |shared: &SharedCredentials| shared.are_past_their_end();
        if is_wordless && self.credentials.as_ref().is_some_and(is_past) {
            StoreError { kind: Kind::Expired, ..error }
        } else {
            error
        }
    }

    fn expired(&self, sent: &Sent<'_>, error: StoreError) -> StoreError {
        let remedy = self.credentials.as_ref().map(|shared| shared.refused(sent.generation));
        match remedy {
            Some(Remedy::TryAgain) => error,
            Some(Remedy::Nothing) | None => self.signed_out(error),
        }
    }

    fn signed_out(&self, mut error: StoreError) -> StoreError {
        if let Some(why) = self.credentials.as_ref().and_then(SharedCredentials::why_ended) {
            let said = error.message.take().unwrap_or_default();
            error.message = Some(format!("{said} ({why})").into());
        }
        StoreError { kind: Kind::SignedOut, ..error }
    }

    fn elsewhere(&self, sent: &Sent<'_>, error: StoreError) -> StoreError {
        let told = match &error.kind {
            Kind::WrongRegion { region } => region.clone(),
            _ => None,
        };
        let (Some(bucket), Some(told)) = (sent.bucket, told) else { return self.astray(error) };
        match self.regions.learn(bucket, sent.region.as_deref(), &told) {
            Lesson::Learnt { is_new } => {
                if is_new {
                    let (bucket, region) = (bucket.clone(), told);
                    self.listener.tell(Notice::RegionFound { bucket, region });
                }
                StoreError { kind: Kind::Moved, ..error }
            }
            Lesson::Useless => self.astray(error),
        }
    }

    /// The SDK has seen the store's date, too, and signs the next request with it.
    fn off_by(&self, off: ClockOff, mut error: StoreError) -> StoreError {
        if !self.is_clock_told.swap(true, Ordering::Relaxed) {
            self.listener.tell(Notice::ClockOff(off));
        }
        let said = error.message.take().unwrap_or_default();
        error.message = Some(format!("{said} ({off})").into());
        error
    }

    /// The bucket can't be reached by way of this endpoint: says so.
    fn astray(&self, mut error: StoreError) -> StoreError {
        let endpoint = self.endpoint();
        let region = match &error.kind {
            Kind::WrongRegion { region: Some(region) } => format!(" ({region})"),
            _ => String::new(),
        };
        let said = error.message.take().map_or_else(String::new, |said| format!(": {said}"));
        let text = format!("the bucket is in another region{region} than {endpoint} is for{said}");
        error.message = Some(text.into());
        error
    }

    /// Says where no connection could be made to: the error below does not know.
    fn located(&self, mut error: StoreError) -> StoreError {
        let cause = error.message.take().unwrap_or_default();
        let what =
            if error.kind == Kind::Tls { "no secure connection to" } else { "cannot connect to" };
        error.message = Some(format!("{what} {}: {cause}", self.endpoint()).into());
        error
    }

    /// Whether the clock here was found to be off. Only the SDK knows by how much.
    pub(super) fn is_clock_off(&self) -> bool {
        self.is_clock_told.load(Ordering::Relaxed)
    }

    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or("S3")
    }
}

/// A wordless 403 is about the clock only where the request was signed by the one here.
fn seen_by_its_clock(sent: &Sent<'_>, error: StoreError) -> StoreError {
    let is_wordless = matches!(error.kind, Kind::ClockSkew { .. }) && error.code.is_none();
    if is_wordless && sent.is_clock_known {
        StoreError { kind: Kind::Denied, ..error }
    } else {
        error
    }
}

/// A 400 that names the region which the request was signed for is about something else.
fn seen_by_its_region(sent: &Sent<'_>, error: StoreError) -> StoreError {
    let is_same = match &error.kind {
        Kind::WrongRegion { region: Some(told) } => sent.region.as_ref() == Some(told),
        _ => false,
    };
    match (&error.code, error.status) {
        (Some(_), Some(400)) if is_same => StoreError { kind: Kind::BadCredentials, ..error },
        (None, Some(400)) if is_same => StoreError { kind: Kind::Refused, ..error },
        _ => error,
    }
}
