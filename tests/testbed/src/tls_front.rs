//! TLS in front of a server that speaks none, such as the proxy here. It hands bytes on and must
//! never look into them.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use crate::tls::Certificate;

/// Listens on the loopback interface until it is dropped.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl TlsFront {
    /// Shows `certificate`, and connects each client to `server`.
    ///
    /// # Panics
    ///
    /// If there is no free port on the loopback interface, or no thread to be had.
    pub fn before(server: SocketAddr, certificate: &Certificate) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a thread");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        runtime.spawn(accept(listener, certificate.acceptor(), server));
        Self { address, runtime: Some(runtime) }
    }

    /// `https://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, server: SocketAddr) {
    while let Ok((client, _)) = listener.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            // A client that trusts nobody, or leaves in the middle, is no news.
            if let Ok(mut client) = tls.accept(client).await
                && let Ok(mut server) = TcpStream::connect(server).await
            {
                copy_bidirectional(&mut client, &mut server).await.ok();
            }
        });
    }
}
