//! The listening socket, and a runtime of the server's own on threads of its own: a test that
//! blocks, or has no runtime, is served all the same.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::connection::{Connection, Wire};
use super::front::Front;
use super::send_queue::Ports;
use super::stream::Stream;

/// More connections than any test opens at once; a full queue would cost clients a second each.
const BACKLOG: u32 = 4096;

/// Where to listen, and whether under TLS.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsAcceptor>,
    /// Bytes of a request's body that are under way at once; `None`: as many as the system takes
    /// in, which is all of a part.
    pub(crate) window: Option<u32>,
}

/// A server that listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(front: Arc<Front>, place: Place, threads: usize) -> io::Result<Self> {
        let Place { address, tls, window } = place;
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("testbed")
            .enable_all()
            .build()?;
        let listener = listen(&runtime, address, window)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("testbed".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, Place { address, tls, window }, front) => {}
                    // Dropped or sent, it says the same.
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say, and a panic in it was printed.
            thread.join().ok();
        }
    }
}

fn listen(runtime: &Runtime, address: SocketAddr, window: Option<u32>) -> io::Result<TcpListener> {
    let _entered = runtime.enter();
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    if let Some(window) = window {
        socket.set_recv_buffer_size(window)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, place: Place, front: Arc<Front>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let ports = Ports(place.address.port(), peer.port());
                tokio::spawn(converse(stream, place.tls.clone(), ports, Arc::clone(&front)));
            }
            // Out of descriptors, say: the next client may fare better.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: TcpStream, tls: Option<TlsAcceptor>, ports: Ports, front: Arc<Front>) {
    // Latency only; a socket that cannot do it still works.
    stream.set_nodelay(true).ok();
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Stream::Tls(Box::new(stream)),
            // A client that does not trust the certificate, as a test wants it.
            Err(_) => return,
        },
    };
    let connected = front.log.connected();
    let wire = Arc::new(Wire::new(connected.number, ports));
    let connection = Connection::new(stream, Arc::clone(&wire));
    let service = service_fn(move |request| {
        let (front, wire) = (Arc::clone(&front), Arc::clone(&wire));
        async move { front.answer(wire, request).await }
    });
    // Errors are clients that left, and connections that a fault ended.
    http1::Builder::new().serve_connection(TokioIo::new(connection), service).await.ok();
    drop(connected);
}
