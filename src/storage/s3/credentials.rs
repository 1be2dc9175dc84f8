//! The credentials of a run: read once, shared by all requests, and read again, once for all of
//! them, when they are about to expire or when the store says that they have. They must never be
//! shown, nor be read again and again when that does not help.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use tokio::time::Instant;

use super::notice::{Listener, Notice};
use super::transport::{cause, is_of_the_network};
use crate::storage::error::Kind;

/// So long before they expire they are read again: a request may wait in a queue.
const AHEAD: Duration = Duration::from_mins(1);
/// Nothing is asked for credentials more often, unless the store refuses those that it gave.
const PAUSE: Duration = Duration::from_secs(5);
/// Where reading them fails in a way that may pass, so often at most in the time that it may take.
const READINGS: u32 = 12;

/// A source of credentials, with what it gave. Clones are the same.
#[derive(Clone)]
pub(super) struct SharedCredentials(Arc<Shared>);

struct Shared {
    source: SharedCredentialsProvider,
    /// The longest that reading them may take, tries and all.
    limit: Duration,
    listener: Listener,
    /// Held by the one that reads, so that the others wait for what it finds.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// Why there will be no fresh ones any more. Found out once, for thousands of requests.
    ended: Option<Ended>,
}

struct Current {
    credentials: Credentials,
    generation: u64,
    /// Not read again before.
    look_again: Option<Instant>,
    trust: Trust,
}

impl Current {
    fn is_good(&self) -> bool {
        let is_over = self.credentials.expiry().is_some_and(|end| end <= SystemTime::now());
        self.trust != Trust::Refused && !is_over
    }
}

/// What the store thinks of the credentials in use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Unrefused,
    /// The store took them for expired: they are to be read again.
    Refused,
    /// Read again, and they are the same.
    Unchanged,
}

#[derive(Clone, Debug)]
enum Ended {
    /// There never were any.
    None(String),
    Expired(CannotRenew),
}

/// The credentials have expired, and there are no fresh ones.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the credentials have expired{}: {why}", .at.as_deref().unwrap_or_default())]
pub(super) struct CannotRenew {
    /// ` at 2026-11-24T10:00:00Z`
    at: Option<String>,
    why: String,
}

/// There are no credentials.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoCredentials(String);

/// What to do about a request that the store refused since its credentials had expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The next try reads them again, or finds that another one did.
    TryAgain,
    /// They were read again, are the same, and were refused again.
    Nothing,
}

impl SharedCredentials {
    pub(super) fn new(
        source: SharedCredentialsProvider,
        limit: Duration,
        listener: Listener,
    ) -> Self {
        let (turn, state) = (tokio::sync::Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { source, limit, listener, turn, state }))
    }

    /// Which of the credentials a request that starts now is signed with, or later ones.
    pub(super) fn generation(&self) -> u64 {
        self.0.lock().current.as_ref().map_or(0, |current| current.generation)
    }

    /// Whether the credentials in use say of themselves that they are too old.
    pub(super) fn are_past_their_end(&self) -> bool {
        let end = self.in_use().and_then(|credentials| credentials.expiry());
        end.is_some_and(|end| end <= SystemTime::now())
    }

    /// Those in use.
    pub(super) fn in_use(&self) -> Option<Credentials> {
        self.0.lock().current.as_ref().map(|current| current.credentials.clone())
    }

    /// The store accepted a request: one refusal before was its mistake.
    pub(super) fn accepted(&self, generation: u64) {
        let mut state = self.0.lock();
        if let Some(current) = &mut state.current
            && current.generation == generation
            && current.trust == Trust::Unchanged
        {
            current.trust = Trust::Unrefused;
        }
    }

    /// The store took the credentials of a request for expired. Of thousands of requests that are
    /// told so at once, the first one counts.
    pub(super) fn refused(&self, generation: u64) -> Remedy {
        let mut state = self.0.lock();
        let State { current: Some(current), ended } = &mut *state else { return Remedy::Nothing };
        if ended.is_some() {
            return Remedy::Nothing;
        }
        match current.trust {
            // Signed with those before: somebody has read them again since.
            _ if current.generation != generation => Remedy::TryAgain,
            Trust::Unrefused | Trust::Refused => {
                current.trust = Trust::Refused;
                Remedy::TryAgain
            }
            Trust::Unchanged => {
                let why = "they were read again and are the same".to_owned();
                *ended = Some(Ended::Expired(CannotRenew { at: None, why }));
                Remedy::Nothing
            }
        }
    }

    /// Why there will be no fresh ones any more.
    pub(super) fn why_ended(&self) -> Option<String> {
        match &self.0.lock().ended {
            Some(Ended::Expired(end)) => Some(end.why.clone()),
            Some(Ended::None(_)) | None => None,
        }
    }

    pub(super) async fn provide(&self) -> provider::Result {
        if let Some(answer) = self.0.at_hand() {
            return answer;
        }
        // A task of its own: the request may be given up, and others wait for the answer.
        let reading = tokio::spawn(Arc::clone(&self.0).read());
        reading.await.map_err(CredentialsError::unhandled)?
    }
}

impl Shared {
    async fn read(self: Arc<Self>) -> provider::Result {
        let _turn = self.turn.lock().await;
        if let Some(answer) = self.at_hand() {
            return answer;
        }
        let mut is_told = false;
        let last = Instant::now() + self.limit;
        loop {
            let error = match self.ask().await {
                Ok(credentials) => return Ok(self.take(credentials)),
                Err(error) => error,
            };
            let pause = self.limit / READINGS;
            let is_over = Instant::now() + pause >= last;
            if is_over || self.is_good_for_now() || !self.may_pass(&error) {
                return self.do_without(&error);
            }
            // The network is down, or a person has yet to sign in: the store is waited for in such
            // a case, too, and one failure must not end a run of hours.
            if !std::mem::replace(&mut is_told, true) {
                self.listener.tell(Notice::CredentialsAwaited(reason(&error)));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask(&self) -> provider::Result {
        let read = tokio::time::timeout(self.limit, self.source.provide_credentials()).await;
        read.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", self.limit.as_secs());
            Err(CredentialsError::provider_error(why))
        })
    }

    /// Whether asking again soon may help. What has worked before in this run may work again; what
    /// never did is told at once, unless it was for the network.
    fn may_pass(&self, error: &CredentialsError) -> bool {
        let is_renewal = self.lock().current.is_some();
        let is_wrong = matches!(error, CredentialsError::InvalidConfiguration(_));
        !is_wrong && (is_renewal || is_of_the_network(error))
    }

    /// Whether the old ones will do until they are read again.
    fn is_good_for_now(&self) -> bool {
        self.lock().current.as_ref().is_some_and(Current::is_good)
    }

    /// What needs no reading: credentials that are good, or the knowledge that there are none.
    fn at_hand(&self) -> Option<provider::Result> {
        let state = self.lock();
        let current = match (&state.ended, &state.current) {
            (Some(ended), None) => return Some(Err(ended.error())),
            // The store is the judge, and what is to be cleaned away may still be.
            (Some(_), Some(current)) => return Some(Ok(current.credentials.clone())),
            (None, current) => current.as_ref()?,
        };
        let is_due = current.look_again.is_some_and(|time| time <= Instant::now());
        let is_good = current.trust != Trust::Refused && !is_due;
        is_good.then(|| Ok(current.credentials.clone()))
    }

    fn take(&self, credentials: Credentials) -> Credentials {
        let mut state = self.lock();
        let before = state.current.take();
        let is_same = before.as_ref().is_some_and(|old| is_same(&old.credentials, &credentials));
        let was_refused = before.as_ref().is_some_and(|old| old.trust == Trust::Refused);
        state.current = Some(Current {
            look_again: look_again(&credentials),
            credentials: credentials.clone(),
            generation: before.as_ref().map_or(1, |old| old.generation + 1),
            trust: if is_same && was_refused { Trust::Unchanged } else { Trust::Unrefused },
        });
        drop(state);
        if before.is_some() && !is_same {
            self.listener.tell(Notice::CredentialsRenewed);
        }
        credentials
    }

    /// Goes on with the old ones while they are good for anything.
    fn do_without(&self, error: &CredentialsError) -> provider::Result {
        let mut state = self.lock();
        let ended = match &mut state.current {
            Some(current) if current.is_good() => {
                current.look_again = Some(Instant::now() + PAUSE);
                return Ok(current.credentials.clone());
            }
            Some(current) => Ended::Expired(CannotRenew {
                at: current.credentials.expiry().map(|end| format!(" at {}", timestamp(end))),
                why: reason(error),
            }),
            None => Ended::None(reason(error)),
        };
        let answer = ended.error();
        state.ended = Some(ended);
        Err(answer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for SharedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

impl fmt::Debug for SharedCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedCredentials(..)")
    }
}

impl Ended {
    fn error(&self) -> CredentialsError {
        match self {
            Self::None(why) => CredentialsError::not_loaded(NoCredentials(why.clone())),
            Self::Expired(end) => CredentialsError::provider_error(end.clone()),
        }
    }
}

fn is_same(old: &Credentials, new: &Credentials) -> bool {
    old.access_key_id() == new.access_key_id()
        && old.secret_access_key() == new.secret_access_key()
        && old.session_token() == new.session_token()
}

/// When to read them again: before they expire, and soon where they say that they have, for it may
/// be the clock here that is wrong, and the store is the judge.
fn look_again(credentials: &Credentials) -> Option<Instant> {
    let left = credentials.expiry()?.duration_since(SystemTime::now()).unwrap_or_default();
    Some(Instant::now() + left.saturating_sub(AHEAD.min(left / 4)).max(PAUSE))
}

fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(
        |_| "an unknown time".to_owned(),
        |time| {
            jiff::fmt::temporal::DateTimePrinter::new()
                .precision(Some(0))
                .timestamp_to_string(&time)
        },
    )
}

/// Why the source gave none: the root of the chain, cut short, since some of it is what a program
/// of the user's said.
fn reason(error: &CredentialsError) -> String {
    const LONGEST: usize = 300;
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        return "none in the environment, the profile (~/.aws/config, ~/.aws/credentials), a web \
                identity token, or the metadata service of a container or machine"
            .to_owned();
    }
    cause(error, Kind::Transient)
        .message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(24);

    /// Gives answers in turn, the last one for ever, and counts how often it was asked.
    #[derive(Debug)]
    struct Source {
        answers: Vec<Option<Credentials>>,
        asked: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                tokio::task::yield_now().await;
                let turn = self.asked.fetch_add(1, Ordering::Relaxed);
                let answer = self.answers.get(turn).or(self.answers.last()).cloned().flatten();
                answer.ok_or_else(|| CredentialsError::provider_error("the vault is closed"))
            })
        }
    }

    fn key(id: &str, left: Option<Duration>) -> Credentials {
        let end = left.map(|left| SystemTime::now() + left);
        Credentials::new(id, "secret", Some("token".to_owned()), end, "test")
    }

    fn shared(answers: Vec<Option<Credentials>>) -> (SharedCredentials, Arc<AtomicUsize>) {
        let asked = Arc::<AtomicUsize>::default();
        let source = Source { answers, asked: Arc::clone(&asked) };
        let source = SharedCredentialsProvider::new(source);
        (SharedCredentials::new(source, LIMIT, Listener::default()), asked)
    }

    async fn id(shared: &SharedCredentials) -> Result<String, CredentialsError> {
        shared.provide().await.map(|credentials| credentials.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn all_requests_share_one_reading() {
        let (shared, asked) = shared(vec![Some(key("1", None)), Some(key("2", None))]);
        let all = futures::future::join_all((0..100).map(|_| id(&shared))).await;
        assert!(all.iter().all(|id| id.as_deref().is_ok_and(|id| id == "1")));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        // A hundred requests are told at once that the token is too old.
        for _ in 0..100 {
            assert_eq!(shared.refused(1), Remedy::TryAgain);
        }
        let all = futures::future::join_all((0..100).map(|_| id(&shared))).await;
        assert!(all.iter().all(|id| id.as_deref().is_ok_and(|id| id == "2")));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        // The slowest of them hears of it only now.
        assert_eq!(shared.refused(1), Remedy::TryAgain);
        assert_eq!(id(&shared).await.expect("a key"), "2");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_does_not_change_is_refused_twice_at_most() {
        let (shared, asked) = shared(vec![Some(key("1", None))]);
        id(&shared).await.expect("a key");
        assert_eq!(shared.refused(1), Remedy::TryAgain);
        id(&shared).await.expect("the same");
        // It was the store's mistake.
        shared.accepted(2);
        assert_eq!(shared.refused(2), Remedy::TryAgain);
        id(&shared).await.expect("the same");
        assert_eq!(shared.refused(3), Remedy::Nothing);
        assert_eq!(id(&shared).await.expect("the same, for what is to be cleaned away"), "1");
        assert_eq!(shared.refused(3), Remedy::Nothing);
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_to_renew_is_found_out_once() {
        let (shared, asked) = shared(vec![Some(key("1", None)), None]);
        id(&shared).await.expect("a key");
        shared.refused(1);
        let all = futures::future::join_all((0..100).map(|_| id(&shared))).await;
        assert_eq!(all.iter().filter(|id| id.is_err()).count(), 1, "the one that asked");
        assert_eq!(shared.refused(1), Remedy::Nothing);
        assert_eq!(shared.why_ended().as_deref(), Some("the vault is closed"));
        assert_eq!(asked.load(Ordering::Relaxed), 1 + READINGS as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn a_vault_that_is_closed_for_a_while_is_waited_for_by_all() {
        let answers = vec![Some(key("1", None)), None, None, Some(key("2", None))];
        let (shared, asked) = shared(answers);
        id(&shared).await.expect("a key");
        shared.refused(1);
        let all = futures::future::join_all((0..100).map(|_| id(&shared))).await;
        assert!(all.iter().all(|id| id.as_deref().is_ok_and(|id| id == "2")));
        assert_eq!(asked.load(Ordering::Relaxed), 4);
        assert_eq!(shared.why_ended(), None);
    }

    #[tokio::test]
    async fn what_never_worked_is_asked_for_once() {
        let (shared, asked) = shared(vec![None, Some(key("1", None))]);
        for _ in 0..2 {
            assert!(id(&shared).await.is_err());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn old_credentials_do_while_new_ones_can_not_be_had() {
        let (shared, asked) = shared(vec![Some(key("1", Some(Duration::from_mins(10)))), None]);
        id(&shared).await.expect("a key");
        shared.0.lock().current.as_mut().expect("it was read").look_again = Some(Instant::now());
        for _ in 0..10 {
            assert_eq!(id(&shared).await.expect("the old one"), "1");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn they_are_read_again_before_they_end_but_not_all_the_time() {
        let wait = |left| {
            let credentials = key("1", Some(Duration::from_secs(left)));
            let again = look_again(&credentials).expect("they end");
            again.duration_since(Instant::now()).as_secs_f64().round()
        };
        assert!((wait(3600) - 3540.0).abs() < 2.0);
        assert!((wait(100) - 75.0).abs() < 2.0);
        assert!((wait(0) - 5.0).abs() < 2.0);
        assert!(look_again(&key("1", None)).is_none());
    }
}
