//! Which region each bucket is in, learnt from the store's own replies, and one client for each
//! region. A name of a region that could name a host is never believed, and no client ever leaves
//! the endpoint that it was given.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use aws_sdk_s3::config::Region;
use aws_sdk_s3::{Client, Config};

use crate::domain::location::Bucket;

/// The clients of a run.
pub(super) struct Regions {
    config: Config,
    first: Client,
    /// Whether any bucket is elsewhere: until then nobody has to look.
    is_any_found: AtomicBool,
    found: RwLock<Found>,
}

#[derive(Default)]
struct Found {
    region_of: HashMap<Bucket, String>,
    clients: HashMap<String, Client>,
}

/// What a reply that names another region means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lesson {
    /// The next try goes to the right region; the first request that learns it is told so.
    Learnt { is_new: bool },
    /// The request was for that region already, or the name can't be one.
    Useless,
}

impl Regions {
    pub(super) fn new(config: Config) -> Self {
        let first = Client::from_conf(config.clone());
        let (is_any_found, found) = (AtomicBool::new(false), RwLock::default());
        Self { config, first, is_any_found, found }
    }

    /// For requests about no bucket.
    pub(super) fn first(&self) -> &Client {
        &self.first
    }

    pub(super) fn client(&self, bucket: &Bucket) -> Client {
        if !self.is_any_found.load(Ordering::Acquire) {
            return self.first.clone();
        }
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let client = found.region_of.get(bucket).and_then(|region| found.clients.get(region));
        client.unwrap_or(&self.first).clone()
    }

    /// The region that requests for a bucket are signed for now.
    pub(super) fn of(&self, bucket: &Bucket) -> Option<String> {
        if self.is_any_found.load(Ordering::Acquire) {
            let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(region) = found.region_of.get(bucket) {
                return Some(region.clone());
            }
        }
        self.config.region().map(|region| region.as_ref().to_owned())
    }

    /// The store says that a bucket is in `told`, to a request that was signed for `asked`.
    pub(super) fn learn(&self, bucket: &Bucket, asked: Option<&str>, told: &str) -> Lesson {
        if !is_region(told) || asked == Some(told) {
            return Lesson::Useless;
        }
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        match found.region_of.get(bucket) {
            // Another request was told the same before.
            Some(known) if known == told => return Lesson::Learnt { is_new: false },
            // Sent from one region to the next, and on: somebody is wrong, and it would not end.
            Some(_) => return Lesson::Useless,
            None => {}
        }
        found.clients.entry(told.to_owned()).or_insert_with(|| {
            let region = Region::new(told.to_owned());
            Client::from_conf(self.config.to_builder().region(region).build())
        });
        found.region_of.insert(bucket.clone(), told.to_owned());
        drop(found);
        self.is_any_found.store(true, Ordering::Release);
        Lesson::Learnt { is_new: true }
    }
}

impl fmt::Debug for Regions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Regions").finish_non_exhaustive()
    }
}

/// A region goes into a host name: one with other characters could name another host.
pub(super) fn is_region(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::BehaviorVersion;

    use super::*;

    fn regions() -> Regions {
        let region = Region::from_static("us-east-1");
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(region);
        Regions::new(config.build())
    }

    fn bucket(name: &str) -> Bucket {
        Bucket::new(name).expect("a name")
    }

    #[test]
    fn a_region_can_not_name_a_host() {
        assert!(is_region("eu-west-1"));
        for region in ["", "evil.example#", "a/b", "US-EAST-1", "x@y", "a.b", "a:1", "a b", "é"] {
            assert!(!is_region(region), "{region}");
        }
        assert!(!is_region(&"a".repeat(33)));
    }

    #[test]
    fn a_bucket_s_region_is_learnt_once_and_for_it_alone() {
        let regions = regions();
        let here = Some("us-east-1");
        assert_eq!(regions.of(&bucket("b")).as_deref(), here);
        assert_eq!(regions.learn(&bucket("b"), here, "eu-west-1"), Lesson::Learnt { is_new: true });
        assert_eq!(
            regions.learn(&bucket("b"), here, "eu-west-1"),
            Lesson::Learnt { is_new: false }
        );
        assert_eq!(regions.of(&bucket("b")).as_deref(), Some("eu-west-1"));
        let client = regions.client(&bucket("b"));
        assert_eq!(client.config().region().map(AsRef::as_ref), Some("eu-west-1"));
        assert_eq!(regions.of(&bucket("other")).as_deref(), here);
    }

    #[test]
    fn stores_that_contradict_themselves_are_not_followed() {
        let regions = regions();
        let here = Some("us-east-1");
        assert_eq!(regions.learn(&bucket("b"), here, "us-east-1"), Lesson::Useless);
        assert_eq!(regions.learn(&bucket("b"), here, "evil.example#"), Lesson::Useless);
        assert_eq!(regions.learn(&bucket("b"), here, "eu-west-1"), Lesson::Learnt { is_new: true });
        assert_eq!(regions.learn(&bucket("b"), Some("eu-west-1"), "us-east-1"), Lesson::Useless);
        assert_eq!(regions.learn(&bucket("b"), Some("eu-west-1"), "us-west-2"), Lesson::Useless);
    }
}
