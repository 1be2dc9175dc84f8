//! What a proxy can do to an exchange.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::exchange::Exchange;

/// What happens to an exchange that a rule hits.
#[derive(Clone, Debug)]
pub enum Disruption {
    /// Run a function before anything of the request is passed on.
    Before(Hook),
    /// Run a function once the server has answered, before anything of its reply is passed on.
    After(Hook),
    /// Wait, then pass the request on.
    Latency(Duration),

    /// Break the way from the client to the server. What the server got stays with it.
    Request(Break, Place),
    /// Break the way back.
    Reply(Break, Place),
    /// So many interim replies (`103`) before the real one; `u64::MAX` never ends.
    Interim(u64),
    /// So many spaces before the result, each after a pause: S3's way to keep a connection alive
    /// while it puts an object together. The server's reply must be a small one.
    Whitespace { spaces: u64, pause: Duration },
    /// Close the connection in good order behind a whole reply, unannounced.
    CloseBehindReply,

    /// Send exactly these bytes in place of a reply, then close the connection. The server never
    /// sees the request.
    Answer(Bytes),
    /// A `200` with so many headers of that length, and no body. The server never sees the request.
    HeaderBomb { headers: u64, length: usize },
    /// An S3 error whose message has so many bytes. The server never sees the request.
    OversizedError { status: u16, bytes: u64 },
}

/// How a way is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The client's connection is reset.
    Reset,
    /// The client's connection is closed in good order.
    Close,
    /// Nothing more passes; both connections stay open.
    Stall,
    /// The rest passes slowly.
    Drip { bytes_per_second: u64 },
}

/// Behind which byte a way is broken. Bytes are counted as they are on the wire, the framing of
/// chunks included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many bytes of the head have passed.
    Head(u64),
    /// The head and so many bytes of the body have passed.
    Body(u64),
    /// All but so many bytes of the body have passed; of a body of unknown length, none have.
    BeforeEnd(u64),
    /// Anywhere in the body, as the seed has it.
    Somewhere,
    /// All of a body in chunks has passed but the last chunk, which says that this was all.
    LastChunk,
}

/// A function that looks at an exchange and says how it goes on.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn(&Exchange) -> Verdict + Send + Sync>);

/// What a hook wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// Nothing more of the exchange passes, in either direction, and both connections are dropped.
    HangUp,
}

impl Disruption {
    pub fn before(run: impl Fn(&Exchange) -> Verdict + Send + Sync + 'static) -> Self {
        Self::Before(Hook(Arc::new(run)))
    }

    pub fn after(run: impl Fn(&Exchange) -> Verdict + Send + Sync + 'static) -> Self {
        Self::After(Hook(Arc::new(run)))
    }

    /// The server does its work, and the client hears nothing of it.
    pub fn lost_reply() -> Self {
        Self::Reply(Break::Reset, Place::Head(0))
    }

    /// An S3 error in place of a reply.
    pub fn error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Error><Code>{code}</Code><Message>Scripted fault: {code}</Message></Error>"
        );
        let length = body.len();
        Self::Answer(Bytes::from(format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/xml\r\n\
             connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )))
    }

    /// Whether the request never reaches the server.
    pub(super) fn is_instead(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::HeaderBomb { .. } | Self::OversizedError { .. })
    }
}

impl Hook {
    pub(super) fn run(&self, exchange: &Exchange) -> Verdict {
        (self.0)(exchange)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(..)")
    }
}
