//! Names to addresses: asked for once a minute and not once a connection, and handed out in turn,
//! so that connections are spread over all servers behind a name and a dead one costs one try of
//! many. It must never answer from memory for long: stores change their addresses.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper_util::client::legacy::connect::dns::Name as HostName;
use tower_service::Service;

/// S3's own answers are good for some seconds to a minute.
const KEPT: Duration = Duration::from_secs(30);
/// Thousands of requests that fail together ask once.
const FAILURE_KEPT: Duration = Duration::from_secs(1);
/// More names than a run has hosts; beyond it, answers are not kept.
const MOST_NAMES: usize = 1024;

type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Where answers come from: the system, or a test.
type Ask = dyn Fn(String) -> Answer + Send + Sync;

/// The resolver that all connections share.
#[derive(Clone)]
pub(super) struct Resolver {
    ask: Arc<Ask>,
    names: Arc<Mutex<HashMap<String, Name>>>,
}

/// Held by the one that asks: the others take what it finds.
type Name = Arc<tokio::sync::Mutex<Option<Known>>>;

struct Known {
    addresses: Result<Vec<IpAddr>, Unresolved>,
    until: Instant,
    /// How often it was handed out.
    turn: usize,
}

/// No address is known for a host.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot resolve {host}: {why}")]
pub(super) struct Unresolved {
    host: String,
    why: String,
}

impl Resolver {
    pub(super) fn system() -> Self {
        Self::asking(|host| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        })
    }

    pub(super) fn asking(ask: impl Fn(String) -> Answer + Send + Sync + 'static) -> Self {
        Self { ask: Arc::new(ask), names: Arc::default() }
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let mut known = self.name(host).lock_owned().await;
        let now = Instant::now();
        if let Some(known) = known.as_mut().filter(|known| known.until > now) {
            return known.next();
        }
        let (this, asked) = (self.clone(), host.to_owned());
        // A task of its own: a system that asks one dead server after the other may take longer
        // than a connection may, and what it finds in the end is for the next try.
        let looking = tokio::spawn(async move { known.insert(this.look_up(&asked).await).next() });
        let unresolved = |why: String| Unresolved { host: host.to_owned(), why };
        looking.await.unwrap_or_else(|error| Err(unresolved(error.to_string())))
    }

    async fn look_up(&self, host: &str) -> Known {
        let addresses = match (self.ask)(host.to_owned()).await {
            Ok(found) if found.is_empty() => Err("it has no address".to_owned()),
            Ok(found) => Ok(without_repetitions(found)),
            Err(error) => Err(error.to_string()),
        };
        let addresses = addresses.map_err(|why| Unresolved { host: host.to_owned(), why });
        let kept = if addresses.is_ok() { KEPT } else { FAILURE_KEPT };
        // Many machines that start at once must not all begin with the same server.
        Known { addresses, until: Instant::now() + kept, turn: fastrand::usize(..1 << 16) }
    }

    fn name(&self, host: &str) -> Name {
        let mut names = self.lock();
        if let Some(name) = names.get(host) {
            return Arc::clone(name);
        }
        let name = Name::default();
        if names.len() < MOST_NAMES {
            names.insert(host.to_owned(), Arc::clone(&name));
        }
        name
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As connections ask. The port is theirs to set.
impl Service<HostName> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unresolved>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: HostName) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.resolve(name.as_str()).await?.into_iter();
            Ok(found.map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Resolver(..)")
    }
}

impl Known {
    /// All addresses, each time beginning with the next one: the connector tries them in order.
    fn next(&mut self) -> Result<Vec<IpAddr>, Unresolved> {
        let mut addresses = self.addresses.clone()?;
        let first = self.turn % addresses.len();
        addresses.rotate_left(first);
        self.turn = self.turn.wrapping_add(1);
        Ok(addresses)
    }
}

/// The system names an address once for each kind of socket.
fn without_repetitions(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut addresses = Vec::with_capacity(found.len());
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

    /// Gives these answers, and counts how often it was asked.
    fn resolver(answer: &'static [u8]) -> (Resolver, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let resolver = Resolver::asking(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                tokio::task::yield_now().await;
                if answer.is_empty() {
                    return Err(io::Error::other("no such name"));
                }
                Ok(answer.iter().map(|last| address(*last)).collect())
            })
        });
        (resolver, asked)
    }

    #[tokio::test]
    async fn connections_are_spread_over_all_addresses() {
        let (resolver, asked) = resolver(&[1, 2, 1, 3]);
        let mut firsts = HashMap::new();
        for _ in 0..30 {
            let found = resolver.resolve("host").await.expect("an answer");
            assert_eq!(found.len(), 3, "each address once");
            *firsts.entry(found[0]).or_insert(0) += 1;
        }
        assert_eq!(firsts.into_values().collect::<Vec<_>>(), [10, 10, 10]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_by_all_who_want_it() {
        for answer in [&[1_u8][..], &[]] {
            let (resolver, asked) = resolver(answer);
            let all = (0..100).map(|_| resolver.resolve("host"));
            let found = futures::future::join_all(all).await;
            assert!(found.iter().all(|found| found.is_ok() != answer.is_empty()));
            assert_eq!(asked.load(Ordering::Relaxed), 1);
        }
    }

    #[tokio::test]
    async fn an_answer_is_not_kept_for_ever() {
        let (resolver, asked) = resolver(&[1]);
        for _ in 0..2 {
            resolver.resolve("host").await.expect("an answer");
            let name = resolver.name("host");
            name.lock().await.as_mut().expect("it is known").until = Instant::now();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_answer_is_kept_though_nobody_waits_for_it_any_more() {
        let (asked, slow) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
        let (counter, answers) = (Arc::clone(&asked), Arc::clone(&slow));
        let resolver = Resolver::asking(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            let answers = Arc::clone(&answers);
            Box::pin(async move {
                answers.notified().await;
                Ok(vec![address(1)])
            })
        });
        // The first one gives up: the time for a connection is over.
        let mut first = Box::pin(resolver.resolve("host"));
        while asked.load(Ordering::Relaxed) == 0 {
            assert!(futures::poll!(&mut first).is_pending());
            tokio::task::yield_now().await;
        }
        drop(first);
        slow.notify_one();
        assert_eq!(resolver.resolve("host").await.expect("an answer"), [address(1)]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn names_without_end_take_no_memory_without_end() {
        let (resolver, _) = resolver(&[1]);
        for number in 0..2 * MOST_NAMES {
            resolver.resolve(&format!("host-{number}")).await.expect("an answer");
        }
        assert_eq!(resolver.lock().len(), MOST_NAMES);
    }
}
