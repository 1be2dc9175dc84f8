//! The handle a test holds: where the proxy listens, its rules, and what they did.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::exchange::Shared;
use super::listen::Listening;
use super::rule::Rule;
use super::rules::{Injected, RuleId, Rules};
use crate::testbed::Testbed;

/// A running proxy. It stops, and drops its connections, when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    listening: Listening,
    env: Vec<(String, String)>,
}

impl Proxy {
    /// A proxy to any server that speaks HTTP/1.1; what is left to chance follows from `seed`.
    pub fn start(upstream: SocketAddr, seed: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            upstream,
            rules: Rules::new(seed),
            exchanges: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        });
        let listening = Listening::start(Arc::clone(&shared))?;
        let mut proxy = Self { shared, listening, env: Vec::new() };
        proxy.env = vec![("AWS_ENDPOINT_URL".to_owned(), proxy.endpoint())];
        Ok(proxy)
    }

    /// A proxy to a testbed.
    ///
    /// # Panics
    ///
    /// If there is no free port on the loopback interface.
    pub fn before(testbed: &Testbed, seed: u64) -> Self {
        let proxy = Self::start(testbed.address(), seed);
        let mut proxy = proxy.expect("a free port on the loopback interface");
        let mut env = testbed.env();
        env.retain(|(name, _)| name != "AWS_ENDPOINT_URL");
        env.append(&mut proxy.env);
        Self { env, ..proxy }
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.listening.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// The environment of a child process that talks to the server through this proxy.
    pub fn env(&self) -> Vec<(String, String)> {
        self.env.clone()
    }

    /// Sets a rule. All rules that match an exchange act, in the order they were set, but only the
    /// first of those that break the same way or answer in the server's place.
    pub fn rule(&self, rule: Rule) -> RuleId {
        self.shared.rules.add(rule)
    }

    /// No rule acts any more.
    pub fn clear_rules(&self) {
        self.shared.rules.clear();
    }

    /// How often a rule acted.
    pub fn hits(&self, rule: RuleId) -> u64 {
        self.shared.rules.hits_of(rule)
    }

    /// Every fault so far, in order.
    pub fn injected(&self) -> Vec<Injected> {
        self.shared.rules.injected()
    }

    /// Requests so far.
    pub fn exchanges(&self) -> u64 {
        self.shared.exchanges.load(Ordering::Relaxed)
    }

    /// Bytes that clients took so far of what the proxy said in the server's place.
    pub fn answered_bytes(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}
