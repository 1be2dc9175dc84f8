//! The exchanges of one connection: a request in, its reply back, and what the rules do to both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::answer::{self, Counted};
use super::disruption::{Hook, Verdict};
use super::framing::Head;
use super::rules::{Before, Rules, Script};
use super::valve::{End, Valve, broken};

/// One request, as the proxy saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Counts from 1 over the proxy's life, in the order of arrival.
    pub number: u64,
    /// Which connection it came over, counted from 1.
    pub connection: u64,
    /// Which request of its connection it is, counted from 1.
    pub nth_on_connection: u64,
    pub method: String,
    /// Path and query as received.
    pub target: String,
    pub range: Option<String>,
}

impl Exchange {
    /// What is asked for, whenever and over whichever connection.
    pub(super) fn question(&self) -> String {
        format!("{} {} {}", self.method, self.target, self.range.as_deref().unwrap_or_default())
    }
}

/// What all connections of a proxy share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) upstream: SocketAddr,
    pub(super) rules: Rules,
    pub(super) exchanges: AtomicU64,
    pub(super) connections: AtomicU64,
    /// Bytes that clients took of what the proxy said itself.
    pub(super) answered: AtomicU64,
}

/// One end of a connection, and what was read from it and not used yet.
pub(super) struct Side {
    pub(super) stream: TcpStream,
    buffer: BytesMut,
}

impl Side {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Latency only; a socket that cannot do it still works.
        stream.set_nodelay(true).ok();
        Self { stream, buffer: BytesMut::new() }
    }
}

/// A client's connection, and the one to the server behind it.
pub(super) struct Conversation {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u64,
    pub(super) client: Side,
    pub(super) server: Option<Side>,
    pub(super) exchanges: u64,
}

impl Conversation {
    /// Passes exchanges on until one of the two leaves, or a rule ends it.
    pub(super) async fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.exchange().await {
                return end;
            }
        }
    }

    async fn exchange(&mut self) -> Result<(), End> {
        let (mut from, _) = self.client.stream.split();
        let head = Head::read(&mut from, &mut self.client.buffer).await;
        let head = head.map_err(|_| End::Gone)?.ok_or(End::Gone)?;
        let exchange = self.describe(&head);
        let mut script = self.shared.rules.script(&exchange);
        for before in std::mem::take(&mut script.before) {
            match before {
                Before::Wait(time) => tokio::time::sleep(time).await,
                Before::Run(hook) => run(hook, &exchange).await?,
            }
        }
        if let Some(instead) = &script.instead {
            return self.answer(&head, instead).await;
        }
        self.forward(head, script, exchange).await
    }

    fn describe(&mut self, head: &Head) -> Exchange {
        self.exchanges += 1;
        let mut words = head.line.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        Exchange {
            number: self.shared.exchanges.fetch_add(1, Ordering::Relaxed) + 1,
            connection: self.number,
            nth_on_connection: self.exchanges,
            method: word(),
            target: word(),
            range: head.header("range").map(str::to_owned),
        }
    }

    /// Takes the request in, and answers it here.
    async fn answer(
        &mut self,
        head: &Head,
        instead: &super::disruption::Disruption,
    ) -> Result<(), End> {
        let (mut from, mut to) = self.client.stream.split();
        // A client that waits for a 100 sends no body before it has the answer.
        if head.header("expect").is_none() {
            let mut open = Valve::new(None, head, head.request_body());
            let mut nowhere = tokio::io::sink();
            let body = head.request_body();
            open.pump(&mut from, &mut self.client.buffer, &mut nowhere, body).await?;
        }
        let mut counted = Counted { to: &mut to, bytes: &self.shared.answered };
        answer::send(&mut counted, instead).await
    }

    async fn forward(&mut self, head: Head, script: Script, exchange: Exchange) -> Result<(), End> {
        let server = match self.server.take() {
            Some(server) => server,
            None => {
                Side::new(TcpStream::connect(self.shared.upstream).await.map_err(|_| End::Reset)?)
            }
        };
        let server = self.server.insert(server);
        let (mut from_client, mut to_client) = self.client.stream.split();
        let (mut from_server, mut to_server) = server.stream.split();
        let up = up(&head, &script, &mut from_client, &mut self.client.buffer, &mut to_server);
        let back = Back { script: &script, exchange: &exchange };
        let down = back.pass(&mut from_server, &mut server.buffer, &mut to_client);
        tokio::try_join!(up, down).map(|_| ())
    }
}

/// Passes a request on.
async fn up(
    head: &Head,
    script: &Script,
    from: &mut ReadHalf<'_>,
    buffer: &mut BytesMut,
    to: &mut WriteHalf<'_>,
) -> Result<(), End> {
    let body = head.request_body();
    let mut valve = Valve::new(script.request, head, body);
    valve.pass(to, &head.bytes).await?;
    valve.pump(from, buffer, to, body).await
}

/// The way back of one exchange.
struct Back<'a> {
    script: &'a Script,
    exchange: &'a Exchange,
}

impl Back<'_> {
    async fn pass(
        &self,
        from: &mut ReadHalf<'_>,
        buffer: &mut BytesMut,
        to: &mut WriteHalf<'_>,
    ) -> Result<(), End> {
        let head = loop {
            let head = Head::read(from, buffer).await.map_err(|error| broken(&error))?;
            let head = head.ok_or(End::Close)?;
            if !(100..200).contains(&head.status()) {
                break head;
            }
            to.write_all(&head.bytes).await.map_err(|_| End::Gone)?;
        };
        for hook in &self.script.after {
            run(hook.clone(), self.exchange).await?;
        }
        answer::interim(to, self.script.interim).await?;
        let body = head.reply_body(&self.exchange.method);
        if let Some(padding) = self.script.padding {
            padding.pass((&head, body), (from, buffer), to).await?;
        } else {
            let mut valve = Valve::new(self.script.reply, &head, body);
            valve.pass(to, &head.bytes).await?;
            valve.pump(from, buffer, to, body).await?;
        }
        let says_close = head.header("connection").is_some_and(|value| value == "close");
        if says_close || self.script.closes { Err(End::Close) } else { Ok(()) }
    }
}

/// On a thread of its own: a hook may wait for a process to end.
async fn run(hook: Hook, exchange: &Exchange) -> Result<(), End> {
    let exchange = exchange.clone();
    let verdict = tokio::task::spawn_blocking(move || hook.run(&exchange)).await;
    match verdict {
        Ok(Verdict::GoOn) => Ok(()),
        // A panic in it was printed, and the test that wrote it asserts the outcome.
        Ok(Verdict::HangUp) | Err(_) => Err(End::Gone),
    }
}

/// Ends a client's connection in good order: what it still sends is read, since closing over
/// unread bytes would be a reset.
pub(super) async fn close(client: &mut TcpStream) {
    let (mut from, mut to) = client.split();
    if to.shutdown().await.is_ok() {
        let mut rest = vec![0; 16 << 10];
        while matches!(from.read(&mut rest).await, Ok(1..)) {}
    }
}
