//! Connections under the SDK: one client for http and https, which speaks HTTP/1.1 alone and keeps
//! connections for the next request. It must never follow a redirect: that is for `regions`,
//! within the endpoint that was given.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper::body::Incoming;
use hyper::header::PROXY_AUTHORIZATION;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

use super::proxy::{Proxies, Route, Way};
use super::transport::chain;

/// S3 closes idle connections after a few seconds; one that it closed under us costs a retry.
const IDLE_TIMEOUT: Duration = Duration::from_secs(8);

/// A client for the SDK, on this way to servers and with this TLS above it.
pub(super) fn client(route: Route, tls: Arc<ClientConfig>) -> SharedHttpClient {
    SharedHttpClient::new(Connectors::new(route, tls))
}

/// One connector, with connections of its own, for each set of limits: the SDK tells them with each
/// request, there are a handful, and connections are made within them. Clones are the same.
#[derive(Clone)]
pub(super) struct Connectors(Arc<Shared>);

struct Shared {
    secure: HttpsConnector<Route>,
    proxies: Proxies,
    made: Mutex<Vec<(Limits, Connector)>>,
    last: LastConnection,
}

/// When a connection was ready last.
#[derive(Clone, Default)]
struct LastConnection(Arc<Mutex<Option<Instant>>>);

impl LastConnection {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// For a connection: the look-up of its host, the proxy and TLS included.
    pub(super) connect: Option<Duration>,
    /// For a request, until the head of its reply is there.
    pub(super) reply: Option<Duration>,
}

impl HttpClient for Connectors {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let limits = Limits { connect: settings.connect_timeout(), reply: settings.read_timeout() };
        SharedHttpConnector::new(self.within(limits))
    }
}

impl Connectors {
    pub(super) fn new(route: Route, tls: Arc<ClientConfig>) -> Self {
        let proxies = route.proxies().clone();
        let secure = HttpsConnector::from((route, tls));
        let (made, last) = (Mutex::default(), LastConnection::default());
        Self(Arc::new(Shared { secure, proxies, made, last }))
    }

    /// The connector of these limits, always the same one.
    pub(super) fn within(&self, limits: Limits) -> Connector {
        let mut made = self.0.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = made.iter().find(|(of, _)| *of == limits) {
            return connector.clone();
        }
        let connector = self.connector(limits);
        made.push((limits, connector.clone()));
        connector
    }

    fn connector(&self, limits: Limits) -> Connector {
        let last = self.0.last.clone();
        let (secure, limit) = (self.0.secure.clone(), limits.connect);
        let timed = Timed { secure, limit, last: last.clone() };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .build(timed);
        Connector { client, proxies: self.0.proxies.clone(), limit: limits.reply, last }
    }
}

impl fmt::Debug for Connectors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connectors(..)")
    }
}

/// Makes a connection in time, or says that it took too long.
#[derive(Clone)]
struct Timed {
    secure: HttpsConnector<Route>,
    limit: Option<Duration>,
    last: LastConnection,
}

impl Service<Uri> for Timed {
    type Response = MaybeHttpsStream<Way>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.secure.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.secure.call(to);
        let (limit, last) = (self.limit, self.last.clone());
        Box::pin(async move {
            let connected = match limit {
                None => connecting.await,
                Some(limit) => {
                    let connected = tokio::time::timeout(limit, connecting).await;
                    connected.unwrap_or_else(|_| Err(TooLate { what: "connection", limit }.into()))
                }
            };
            last.note();
            connected
        })
    }
}

/// What did not come, and for how long.
#[derive(Debug, thiserror::Error)]
#[error("no {what} within {} s", .limit.as_secs_f64())]
struct TooLate {
    what: &'static str,
    limit: Duration,
}

/// Hyper's client, and the SDK's view of it. Clones are the same.
#[derive(Clone)]
pub(super) struct Connector {
    client: Client<Timed, SdkBody>,
    proxies: Proxies,
    limit: Option<Duration>,
    last: LastConnection,
}

impl Connector {
    /// When a connection was ready last, TLS included.
    pub(super) fn last_connection(&self) -> Option<Instant> {
        *self.last.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request. Tells its connection, too, once there is one.
    pub(super) fn send(
        &self,
        mut request: Request<SdkBody>,
    ) -> (CaptureConnection, impl Future<Output = Result<Response<Incoming>, ConnectorError>> + use<>)
    {
        if let Some(password) = self.proxies.password_for(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, password);
        }
        let connection = capture_connection(&mut request);
        let (reply, limit) = (self.client.request(request), self.limit);
        let reply = async move {
            let reply = match limit {
                None => reply.await,
                Some(limit) => tokio::time::timeout(limit, reply).await.map_err(|_| {
                    ConnectorError::timeout(TooLate { what: "reply", limit }.into())
                })?,
            };
            reply.map_err(failure)
        };
        (connection, reply)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let shown = request.extensions().get::<CaptureSmithyConnection>().cloned();
        let (connection, reply) = self.send(request);
        show_connection(shown.as_ref(), connection);
        HttpConnectorFuture::new(async move { for_sdk(reply.await) })
    }
}

/// A reply as the SDK takes it.
pub(super) fn for_sdk(
    reply: Result<Response<Incoming>, ConnectorError>,
) -> Result<HttpResponse, ConnectorError> {
    HttpResponse::try_from(reply?.map(SdkBody::from_body_1_x))
        .map_err(|error| ConnectorError::other(error.into(), None))
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector(..)")
    }
}

/// For the requests to whoever gives credentials, which the SDK tries again by itself. Ours are
/// judged by the errors inside.
fn failure(error: ClientError) -> ConnectorError {
    let is_late = chain(&error).any(<dyn std::error::Error>::is::<TooLate>);
    let error = error.into();
    if is_late { ConnectorError::timeout(error) } else { ConnectorError::io(error) }
}

/// Lets the SDK give up a connection behind which a server is out of order: the next request is to
/// try its luck with another one.
pub(super) fn show_connection(to: Option<&CaptureSmithyConnection>, connection: CaptureConnection) {
    if let Some(to) = to {
        to.set_connection_retriever(move || metadata(connection.clone()));
    }
}

fn metadata(captured: CaptureConnection) -> Option<ConnectionMetadata> {
    let is_proxied = captured.connection_metadata().as_ref()?.is_proxied();
    let give_up = move || {
        if let Some(connection) = captured.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(is_proxied).poison_fn(give_up).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::s3::resolve::Resolver;
    use crate::storage::s3::tls;

    /// The SDK asks for credentials within limits of its own, which are short where nobody may be.
    #[tokio::test]
    async fn a_reply_that_does_not_come_is_not_waited_for_beyond_its_limit() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", silent.local_addr().expect("it is bound"));
        let tls = tls::checked(None).expect("TLS");
        let proxies = Proxies::sparing_local_hosts();
        let route = Route::new(Resolver::system(), proxies, Arc::clone(&tls));
        let connectors = Connectors::new(route, tls);
        let limit = Some(Duration::from_millis(20));
        let connector = connectors.connector(Limits { connect: None, reply: limit });
        let request = HttpRequest::get(url).expect("a request");
        let error = connector.call(request).await.expect_err("nobody answers");
        assert!(error.is_timeout(), "{error:?}");
    }
}
