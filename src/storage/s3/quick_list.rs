//! Takes the bodies of usual replies to ListObjectsV2 past the SDK's reader, which builds every key
//! several times over. Whatever is not usual, the SDK reads as it came; so are errors.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// What the SDK reads in the place of a reply that was read.
const EMPTY: Bytes = Bytes::from_static(b"<ListBucketResult></ListBucketResult>");

/// Goes with one request.
#[derive(Debug)]
pub(super) struct QuickList<T> {
    read: fn(&[u8]) -> Option<T>,
    found: Arc<Mutex<Option<T>>>,
}

impl<T> QuickList<T> {
    /// `read` says what a whole reply comes to, and nothing where it is not sure.
    pub(super) fn new(read: fn(&[u8]) -> Option<T>) -> Self {
        Self { read, found: Arc::default() }
    }

    /// What the reply came to. The SDK's output is empty then.
    pub(super) fn take(&self) -> Option<T> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for QuickList<T> {
    fn clone(&self) -> Self {
        Self { read: self.read, found: Arc::clone(&self.found) }
    }
}

impl<T: std::fmt::Debug + Send + 'static> Intercept for QuickList<T> {
    fn name(&self) -> &'static str {
        "QuickList"
    }

    /// Of a request's own interceptor, this comes last: the body is bounded already, and its end
    /// was looked for.
    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().status().as_u16() == 200 {
            let response = context.response_mut();
            let body = response.take_body();
            let quick = Quick { body, came: BytesMut::new(), list: self.clone(), is_over: false };
            *response.body_mut() = SdkBody::from_body_1_x(quick);
        }
        Ok(())
    }
}

/// A body that comes as a whole, at its end.
struct Quick<T> {
    body: SdkBody,
    came: BytesMut,
    list: QuickList<T>,
    is_over: bool,
}

impl<T: Send + 'static> Body for Quick<T> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if self.is_over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.came.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.is_over = true;
                    let came = std::mem::take(&mut self.came).freeze();
                    let found = (self.list.read)(&came);
                    let bytes = if found.is_some() { EMPTY } else { came };
                    *self.list.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
