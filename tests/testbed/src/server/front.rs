//! From a request to its reply: log, faults, then the S3 service.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use s3s::service::S3Service;

use super::connection::Wire;
use super::network::Lines;
use super::reply::{self, Reply};
use super::reply_body::{Hangup, ReplyBody, Spoil};
use super::request_body::RequestBody;
use crate::faults::{Callback, FaultKind, Faults, Script};
use crate::log::{InFlight, Log};
use crate::operations::{self, Backend, IgnoreRange, KeyFaults};
use crate::request::Target;
use crate::seed::{self, PutOptions};

/// Everything a connection needs to answer requests.
#[derive(Debug)]
pub(crate) struct Front {
    service: S3Service,
    pub(crate) backend: Backend,
    pub(crate) log: Arc<Log>,
    pub(crate) faults: Faults,
    lines: Lines,
}

impl Front {
    pub(crate) fn new(backend: Backend) -> Self {
        let log = Arc::new(Log::new(backend.settings.logging));
        let service = operations::service(backend.clone());
        let lines = Lines::new(backend.settings.network);
        Self { service, backend, log, faults: Faults::default(), lines }
    }

    pub(super) async fn answer(
        &self,
        wire: Arc<Wire>,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, Hangup> {
        let (head, incoming) = request.into_parts();
        let target = Target::new(&head.method, &head.uri, &head.headers);
        let in_flight = Arc::new(self.log.begin(wire.number, &target, &head));
        let script = self.faults.script(&target);
        let due = self.lines.reply_due(target.operation);
        self.run_before(&script, &target, &in_flight).await;

        let paces = self.lines.inward(request_pace(&script));
        let mut body = RequestBody::new(incoming, Arc::clone(&in_flight), paces);
        let is_head = head.method == Method::HEAD;
        let waits = head.headers.contains_key(EXPECT);
        let mut reply = match &script.instead {
            Some(kind) => Self::answer_instead(kind, &mut body, &wire).await?,
            None if !self.lines.admits() => {
                in_flight.refused();
                reply::slow_down()
            }
            None => self.serve(head, &target, &script, body.clone()).await?,
        };
        // A client that still waits for a 100 is told the end, and sends no body.
        if !(waits && body.is_untouched()) {
            body.drain().await;
        }
        for kind in &script.changes {
            if let FaultKind::CallbackAfter(callback) = kind {
                Self::call(callback, &in_flight).await;
            }
        }
        if script.changes.iter().any(|kind| matches!(kind, FaultKind::LostReply)) {
            wire.reset();
            return Err(Hangup);
        }
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
        Self::tidy(&mut reply, is_head);
        let mut spoil = Spoil::default();
        for kind in &script.changes {
            reply::change(kind, &mut reply, &mut spoil);
        }
        if let Some(clock) = self.backend.settings.clock {
            clock.date(reply.headers_mut());
        }
        in_flight.answered(reply.status().as_u16());
        let id = format!("{:016X}", in_flight.number());
        if let Ok(id) = HeaderValue::try_from(id) {
            reply.headers_mut().insert("x-amz-request-id", id);
        }
        let paces = self.lines.outward(spoil.bytes_per_second);
        Ok(reply.map(|body| ReplyBody::new(body, spoil, wire, in_flight, paces)))
    }

    async fn run_before(&self, script: &Script, target: &Target, in_flight: &InFlight) {
        for kind in &script.before {
            let object = target.bucket.as_deref().zip(target.key.as_deref());
            match (kind, object) {
                (FaultKind::Callback(callback), _) => Self::call(callback, in_flight).await,
                (FaultKind::Gate(gate), _) => gate.pass().await,
                (FaultKind::Delay(time), _) => tokio::time::sleep(*time).await,
                (FaultKind::ReplaceObject(bytes), Some((bucket, key))) => {
                    self.replace(bucket, key, bytes.clone());
                }
                (FaultKind::DeleteObject, Some((bucket, key))) => {
                    // A missing bucket is what the request itself will be told about.
                    self.backend.store.delete(bucket, (key, None), |_| Ok(())).ok();
                }
                _ => {}
            }
        }
    }

    async fn call(callback: &Callback, in_flight: &InFlight) {
        let (callback, request) = (callback.clone(), in_flight.snapshot());
        let run = tokio::task::spawn_blocking(move || callback.run(&request));
        // A panic in it was printed, and the test that wrote it asserts the outcome.
        run.await.ok();
    }

    fn replace(&self, bucket: &str, key: &str, bytes: Bytes) {
        let object = seed::object(&self.backend, bytes, &PutOptions::default());
        // A missing bucket is what the request itself will be told about.
        self.backend.store.put(bucket, key, object, &crate::store::Condition::None).ok();
    }

    async fn answer_instead(
        kind: &FaultKind,
        body: &mut RequestBody,
        wire: &Wire,
    ) -> Result<Reply, Hangup> {
        match kind {
            FaultKind::StallHeaders => std::future::pending().await,
            FaultKind::StallInRequest { after_bytes } => {
                body.take(*after_bytes).await;
                std::future::pending::<()>().await;
            }
            FaultKind::ResetInRequest { after_bytes } => body.take(*after_bytes).await,
            _ => {}
        }
        reply::instead(kind).ok_or_else(|| {
            wire.reset();
            Hangup
        })
    }

    async fn serve(
        &self,
        head: Parts,
        target: &Target,
        script: &Script,
        body: RequestBody,
    ) -> Result<Reply, Hangup> {
        if let Some(refusal) = self.refusal(&head, target) {
            return Ok(refusal);
        }
        let mut request = Request::from_parts(head, s3s::Body::http_body(body));
        if script.changes.iter().any(|kind| matches!(kind, FaultKind::WholeObjectForRange)) {
            request.extensions_mut().insert(IgnoreRange);
        }
        let mut keys = KeyFaults::default();
        for kind in &script.changes {
            match kind {
                FaultKind::RefuseKeys { s3_code, keys: refused } => {
                    keys.refused.extend(refused.iter().map(|key| (key.clone(), s3_code.clone())));
                }
                FaultKind::HideKeys { keys: hidden } => keys.hidden.extend(hidden.iter().cloned()),
                _ => {}
            }
        }
        request.extensions_mut().insert(keys);
        self.service.call(request).await.map_err(|_| Hangup)
    }

    /// What a signature is refused for besides being wrong, which the service itself checks.
    fn refusal(&self, head: &Parts, target: &Target) -> Option<Reply> {
        let settings = &self.backend.settings;
        if settings.clock.is_some_and(|clock| clock.refuses(&head.headers)) {
            return Some(reply::too_skewed());
        }
        let authorization = head.headers.get("authorization")?.to_str().ok()?;
        let mut scope = authorization.split("Credential=").nth(1)?.split(',').next()?.split('/');
        if settings.is_expired(scope.next()?) {
            return Some(reply::expired_token());
        }
        let region = self.backend.store.bucket_region(target.bucket.as_deref()?).ok()??;
        (scope.nth(1)? != region).then(|| reply::other_region(&region))
    }

    /// What S3 does not send: bodies where HTTP has none.
    fn tidy(reply: &mut Reply, is_head: bool) {
        let failed = reply.status().is_client_error()
            || reply.status().is_server_error()
            || reply.status().is_redirection();
        if reply.status() == StatusCode::NOT_MODIFIED || (is_head && failed) {
            *reply.body_mut() = s3s::Body::empty();
            for name in [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
                reply.headers_mut().remove(name);
            }
        }
    }
}

/// Bytes a second of the request's body, where a fault sets them.
fn request_pace(script: &Script) -> Option<u64> {
    script.changes.iter().find_map(|kind| match kind {
        FaultKind::SlowRequest { bytes_per_second } => Some(*bytes_per_second),
        _ => None,
    })
}
