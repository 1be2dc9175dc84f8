//! The faults, as tables: what happens, what it may cost, and what a person must be told.
//! It must never hold how a case is run.

use testbed::{Bytes, FaultKind, WrongRange};

/// One fault, as the tables list it.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) kind: FaultKind,
    pub(super) cost: Cost,
    /// What the error line says when it never ends.
    pub(super) cause: &'static str,
}

/// The most that one fault may cost, in bytes of bodies that are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// What has arrived is not asked for again.
    Nothing,
    OnePart,
    WholeObject,
}

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Often {
    Once,
    Always,
}

impl Trouble {
    pub(super) fn new(kind: FaultKind, cost: Cost, cause: &'static str) -> Self {
        Self { kind, cost, cause }
    }

    /// Seconds of silence that count as a fault: few where there will be silence, and so many
    /// elsewhere that a busy machine is not taken for one.
    pub(super) fn timeout(&self) -> &'static str {
        use FaultKind::{Stall, StallHeaders, StallInRequest};
        match self.kind {
            StallHeaders | Stall { .. } | StallInRequest { .. } => "1",
            _ => "60",
        }
    }
}

/// Replies that take the place of any operation's: errors that pass.
pub(super) fn error_replies() -> Vec<Trouble> {
    let too_many = FaultKind::Status {
        code: 429,
        s3_code: "TooManyRequests".to_owned(),
        message: "not so fast".to_owned(),
        retry_after: Some(1),
    };
    [
        (FaultKind::internal_error(), "500 InternalError"),
        (FaultKind::slow_down(), "503 SlowDown"),
        (FaultKind::request_timeout(), "400 RequestTimeout"),
        (FaultKind::expired_token(), "400 ExpiredToken"),
        (FaultKind::request_time_too_skewed(), "403 RequestTimeTooSkewed"),
        (FaultKind::HtmlBody, "502"),
        (too_many, "429 TooManyRequests"),
    ]
    .map(|(kind, cause)| Trouble::new(kind, Cost::Nothing, cause))
    .into()
}

/// Connections that break, or fall silent, before there is a reply.
pub(super) fn silences() -> Vec<Trouble> {
    vec![
        Trouble::new(FaultKind::ResetBeforeHeaders, Cost::Nothing, "reset by peer"),
        Trouble::new(FaultKind::StallHeaders, Cost::Nothing, "no reply within"),
    ]
}

/// Bodies of replies that end too early. What came before is good.
///
/// Where each reply brings a good piece, enough of them bring all: so a fault that is to last
/// comes early.
pub(super) fn broken_bodies(length: u64, often: Often) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let (middle, last) = match often {
        Often::Once => (length / 2, length - 1),
        Often::Always => (length / 8, length / 4),
    };
    for after_bytes in [0, 1, middle, last] {
        troubles.push((FaultKind::ResetInBody { after_bytes }, "the body broke off"));
        troubles.push((FaultKind::Truncate { after_bytes }, "the body broke off"));
    }
    for after_bytes in [0, middle] {
        troubles.push((FaultKind::Stall { after_bytes }, "no byte came for 1 s"));
    }
    let troubles = troubles.into_iter();
    troubles.map(|(kind, cause)| Trouble::new(kind, Cost::Nothing, cause)).collect()
}

/// Replies to a GET whose bytes, or what they say of them, are wrong.
pub(super) fn wrong_bodies(length: u64) -> Vec<Trouble> {
    use Cost::{OnePart, WholeObject};
    [
        (FaultKind::LostReply, OnePart, "reset by peer"),
        (FaultKind::ShortConsistent { length: 100 }, OnePart, "bytes follow"),
        (FaultKind::ExtraBytes { count: 10 }, OnePart, "bytes"),
        (FaultKind::FlipBit { at_byte: length / 2 }, WholeObject, "crc64nvme:"),
        (FaultKind::FlipBit { at_byte: 0 }, WholeObject, "crc64nvme:"),
    ]
    .map(|(kind, cost, cause)| Trouble::new(kind, cost, cause))
    .into()
}

/// Replies to a ranged GET that are not what the request asked for.
pub(super) fn wrong_ranges(part: u64) -> Vec<Trouble> {
    use Cost::{OnePart, WholeObject};
    [
        (FaultKind::WrongContentRange(WrongRange::Shifted(1)), OnePart, "`bytes "),
        (FaultKind::WrongContentRange(WrongRange::Total(99 * part)), WholeObject, ""),
        (FaultKind::MissingContentRange, OnePart, "without Content-Range"),
        (FaultKind::WholeObjectForRange, WholeObject, "asked for bytes="),
        (FaultKind::ChangedETag, WholeObject, "changed"),
    ]
    .map(|(kind, cost, cause)| Trouble::new(kind, cost, cause))
    .into()
}

/// A reply that is no S3: `200` with these words.
pub(super) fn nonsense(words: &str) -> FaultKind {
    FaultKind::Reply { status: 200, headers: Vec::new(), body: Bytes::from(words.to_owned()) }
}
