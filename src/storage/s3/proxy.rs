//! The way to a server: straight, or through the proxy that the environment names for it, which is
//! decided for each host. Over a way for https, TLS is spoken by whoever takes it. It must never
//! show a proxy more than the proxy is for: neither its password in the clear where TLS was asked
//! for, nor credentials that this machine gives to itself.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_sdk_s3::error::BoxError;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::resolve::Resolver;

/// Which proxy is for which request.
#[derive(Clone)]
pub(super) struct Proxies {
    /// None where no host has a proxy.
    matcher: Option<Arc<Matcher>>,
    spared: Spared,
}

/// Hosts that are asked directly, whatever the environment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spared {
    Nobody,
    /// This machine, and what is on its own link.
    Local,
}

impl Proxies {
    /// For requests to a store.
    pub(super) fn of_environment() -> Self {
        // A lone `*` is for every host, numbers included, which the library does not know.
        let is_off = ["NO_PROXY", "no_proxy"]
            .iter()
            .any(|name| std::env::var(name).is_ok_and(|hosts| hosts.trim() == "*"));
        let matcher = (!is_off).then(|| Arc::new(Matcher::from_env()));
        Self { matcher, spared: Spared::Nobody }
    }

    /// For requests to whoever gives credentials. Containers and virtual machines have theirs from
    /// an address on their own link, which no proxy can reach; it would learn the token that is
    /// shown there, and the credentials.
    pub(super) fn sparing_local_hosts() -> Self {
        Self { spared: Spared::Local, ..Self::of_environment() }
    }

    /// The password for the proxy that is to hand on a request over plain http.
    pub(super) fn password_for(&self, uri: &Uri) -> Option<HeaderValue> {
        // Otherwise it was shown when the tunnel was asked for, and nobody else may have it.
        let is_plain = uri.scheme() == Some(&Scheme::HTTP);
        is_plain.then(|| self.between(uri)).flatten()?.basic_auth().cloned()
    }

    fn between(&self, uri: &Uri) -> Option<Intercept> {
        let matcher = self.matcher.as_ref()?;
        if self.spared == Spared::Local && uri.host().is_some_and(is_local) {
            return None;
        }
        matcher.intercept(uri)
    }
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // The last are those of the cloud's own, such as its metadata service.
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unicast_link_local()
                || address.segments().starts_with(&[0xfd00, 0xec2])
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

type Tcp = HttpConnector<Resolver>;

/// Makes the connections below HTTP and, for https, below TLS.
#[derive(Clone)]
pub(super) struct Route {
    proxies: Proxies,
    direct: Tcp,
    to_proxy: ToProxy,
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Route {
    /// `checked` is for proxies that speak TLS themselves: they always have to prove who they are.
    pub(super) fn new(resolver: Resolver, proxies: Proxies, checked: Arc<ClientConfig>) -> Self {
        let mut direct = HttpConnector::new_with_resolver(resolver);
        direct.enforce_http(false);
        direct.set_nodelay(true);
        let to_proxy = ToProxy(HttpsConnector::from((direct.clone(), checked)));
        Self { proxies, direct, to_proxy }
    }

    pub(super) fn proxies(&self) -> &Proxies {
        &self.proxies
    }
}

impl Service<Uri> for Route {
    type Response = Way;
    type Error = BoxError;
    type Future = Connecting<Way>;

    /// The resolver has no limit of its own.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.between(&to) else {
            let connecting = self.direct.call(to);
            return Box::pin(async move { Ok(Way::to_server(connecting.await?.into())) });
        };
        if to.scheme() == Some(&Scheme::HTTPS) {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy.clone());
            if let Some(password) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(password.clone());
            }
            let connecting = tunnel.call(to);
            return Box::pin(async move { Ok(Way::to_server(connecting.await?)) });
        }
        let connecting = self.to_proxy.call(proxy.uri().clone());
        Box::pin(async move { Ok(Way::to_proxy(connecting.await?)) })
    }
}

/// Connects to proxies, under TLS where their URL says https.
#[derive(Clone)]
struct ToProxy(HttpsConnector<Tcp>);

type ProxyStream = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for ToProxy {
    type Response = ProxyStream;
    type Error = BoxError;
    type Future = Connecting<ProxyStream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        if ![Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&proxy.scheme()) {
            let scheme = proxy.scheme_str().unwrap_or_default().to_owned();
            return Box::pin(async move { Err(ForeignProxy { scheme }.into()) });
        }
        let connecting = self.0.call(proxy);
        Box::pin(async move { connecting.await.map_err(|error| NoWayToProxy(error).into()) })
    }
}

/// It was the proxy that was not reached, and not the server behind it.
#[derive(Debug, thiserror::Error)]
#[error("no connection to the proxy")]
pub(super) struct NoWayToProxy(#[source] BoxError);

/// A proxy of a kind that is not spoken here.
#[derive(Debug, thiserror::Error)]
#[error("{scheme}:// proxies are not supported, only http:// and https://")]
pub(super) struct ForeignProxy {
    scheme: String,
}

/// A connection, and who reads the requests on it first.
pub(super) struct Way {
    stream: ProxyStream,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Server,
    /// Requests name the whole URI.
    Proxy,
}

impl Way {
    fn to_server(stream: ProxyStream) -> Self {
        Self { stream, end: End::Server }
    }

    fn to_proxy(stream: ProxyStream) -> Self {
        Self { stream, end: End::Proxy }
    }
}

impl Connection for Way {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.end == End::Proxy)
    }
}

impl Read for Way {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Way {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(spared: Spared, matcher: Matcher) -> Proxies {
        Proxies { matcher: Some(Arc::new(matcher)), spared }
    }

    fn uri(text: &str) -> Uri {
        text.parse().expect("a URI")
    }

    #[test]
    fn who_gives_credentials_on_this_machine_is_asked_directly() {
        let everywhere = || Matcher::builder().all("http://proxy").build();
        let sparing = proxies(Spared::Local, everywhere());
        let store = proxies(Spared::Nobody, everywhere());
        for host in [
            "127.0.0.1:9901",
            "127.8.9.1",
            "localhost",
            "LocalHost.:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
            "169.254.170.2",
            "[fd00:ec2::23]",
            "[fe80::1]",
        ] {
            for scheme in ["http", "https"] {
                let uri = uri(&format!("{scheme}://{host}/creds"));
                assert!(sparing.between(&uri).is_none(), "{uri}");
                assert!(store.between(&uri).is_some(), "{uri}");
            }
        }
        for host in ["sts.amazonaws.com", "128.0.0.1", "10.0.0.1", "[fd00::1]", "localhost.de"] {
            assert!(sparing.between(&uri(&format!("https://{host}/"))).is_some(), "{host}");
        }
    }

    #[test]
    fn a_password_goes_with_requests_that_the_proxy_hands_on_and_with_no_other() {
        let matcher = Matcher::builder().all("http://name:hush@proxy").no("near.test").build();
        let proxies = proxies(Spared::Nobody, matcher);
        let password = |text| proxies.password_for(&uri(text));
        assert_eq!(password("http://far.test/").expect("a password"), "Basic bmFtZTpodXNo");
        assert_eq!(password("https://far.test/"), None);
        assert_eq!(password("http://near.test/"), None);
        assert_eq!(password("http://bucket.near.test/"), None);
    }
}
