//! Bodies on their way: those that go out are counted as the connection takes them, and those that
//! come in are bounded, for whatever is read whole into memory could be any length. It must never
//! bound the bytes of an object: they are not kept.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::read::GET;
use crate::storage::object_store::Taken;

/// Small enough that a slow link is seen to move, large enough to cost nothing on a fast one: the
/// client holds sixteen of them, half a megabyte.
const FRAME: usize = 32 * 1024;
/// A page of a listing has a thousand keys of up to three kilobytes as they are written there.
const LARGEST_REPLY: u64 = 16 * 1024 * 1024;
/// S3's own errors have less than one kilobyte.
const LARGEST_ERROR: u64 = 64 * 1024;

/// Goes with a request whose body is to be counted.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) bytes: Bytes,
    pub(super) taken: Taken,
}

/// A body on its way out, as far as its bandwidth lets it.
struct Sending {
    rest: Outgoing,
    wait: Option<Pin<Box<Sleep>>>,
}

/// A body that is counted as the connection takes it.
pub(super) fn sending(body: Outgoing) -> SdkBody {
    SdkBody::from_body_1_x(Sending { rest: body, wait: None })
}

/// Counts what goes out, and bounds what comes in.
#[derive(Debug)]
pub(super) struct WatchBodies;

impl Intercept for WatchBodies {
    fn name(&self) -> &'static str {
        "WatchBodies"
    }

    /// After the signature, which may need all of the body's bytes.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if let Some(outgoing) = request.extension::<Outgoing>().cloned() {
            *request.body_mut() = sending(outgoing);
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_error = !context.response().status().is_success();
        let operation = settings.load::<Metadata>().map_or("", Metadata::name);
        if operation == GET && !is_error {
            return Ok(());
        }
        let most = if is_error { LARGEST_ERROR } else { LARGEST_REPLY };
        let end = if is_error { None } else { end_of(operation) };
        let response = context.response_mut();
        let body = response.take_body();
        let bounded = Bounded { body, most, came: 0, end, last: Vec::new() };
        *response.body_mut() = SdkBody::from_body_1_x(bounded);
        Ok(())
    }
}

/// What stands at the end of a whole listing. The SDK takes XML that is cut off for all there is,
/// and nobody may act on the keys that a listing does not show.
fn end_of(operation: &str) -> Option<&'static [u8]> {
    match operation {
        "ListObjectsV2" => Some(b"ListBucketResult>"),
        "ListBuckets" => Some(b"ListAllMyBucketsResult>"),
        "ListMultipartUploads" => Some(b"ListMultipartUploadsResult>"),
        "ListParts" => Some(b"ListPartsResult>"),
        "ListObjectVersions" => Some(b"ListVersionsResult>"),
        "DeleteObjects" => Some(b"DeleteResult>"),
        _ => None,
    }
}

/// A frame is taken when the client asks for the next one: what it holds is bounded.
impl Body for Sending {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.bytes.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        let length = self.rest.bytes.len().min(FRAME);
        let frame = self.rest.bytes.split_to(length);
        let wait = self.rest.taken.add(length as u64);
        if !wait.is_zero() {
            self.wait = Some(Box::pin(sleep(wait)));
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.bytes.len() as u64)
    }
}

struct Bounded {
    body: SdkBody,
    most: u64,
    came: u64,
    /// What the body must end with, but for white space.
    end: Option<&'static [u8]>,
    /// The last bytes that came.
    last: Vec<u8>,
}

/// Of the last bytes that are kept: an end, and some white space behind it.
const LAST: usize = 64;

impl Bounded {
    fn note(&mut self, frame: &Bytes) {
        self.came += frame.len() as u64;
        if self.end.is_some() {
            self.last.extend_from_slice(&frame[frame.len().saturating_sub(LAST)..]);
            let excess = self.last.len().saturating_sub(LAST);
            self.last.drain(..excess);
        }
    }

    /// Whether the body may end here. Says no once: then there is nothing more to say.
    fn is_whole(&mut self) -> bool {
        let Some(end) = self.end.take() else { return true };
        let last = self.last.trim_ascii_end();
        let tag = last.iter().rposition(|byte| *byte == b'<').map_or(last, |at| &last[at..]);
        tag.starts_with(b"</") && tag.ends_with(end)
    }
}

/// What a reply is that would not end.
#[derive(Debug, thiserror::Error)]
#[error("the reply is longer than {0} bytes")]
struct Oversized(u64);

#[derive(Debug, thiserror::Error)]
#[error("the reply was cut off after {0} bytes")]
struct CutOff(u64);

impl Body for Bounded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.note(data);
            if self.came > self.most {
                return Poll::Ready(Some(Err(Oversized(self.most).into())));
            }
        }
        if frame.is_none() && !self.is_whole() {
            return Poll::Ready(Some(Err(CutOff(self.came).into())));
        }
        Poll::Ready(frame)
    }
}
