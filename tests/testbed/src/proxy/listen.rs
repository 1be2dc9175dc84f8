//! The proxy's socket, on a runtime of its own, and how connections end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::exchange::{Conversation, Shared, Side, close};
use super::valve::End;
use crate::server::Ports;

/// More connections than any test opens at once; a full queue would cost clients a second each.
const BACKLOG: u32 = 4096;
/// A client that does not close its end is not waited for any longer.
const LINGER: Duration = Duration::from_secs(5);

/// A proxy that listens until it is dropped.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    pub(super) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()?;
        let listener = listen(&runtime)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, address, shared) => {}
                    // Dropped or sent, it says the same.
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say, and a panic in it was printed.
            thread.join().ok();
        }
    }
}

fn listen(runtime: &Runtime) -> io::Result<TcpListener> {
    let _entered = runtime.enter();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let ports = Ports(address.port(), peer.port());
                tokio::spawn(converse(stream, ports, Arc::clone(&shared)));
            }
            // Out of descriptors, say: the next client may fare better.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: TcpStream, ports: Ports, shared: Arc<Shared>) {
    let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let client = Side::new(stream);
    let mut conversation = Conversation { shared, number, client, server: None, exchanges: 0 };
    match conversation.run().await {
        End::Gone => {}
        // Both connections stay as they are until the proxy goes.
        End::Stall => std::future::pending().await,
        End::Reset => {
            // A reset throws away what has not arrived; the client is to see every byte up to it.
            ports.drained().await;
            // Without it the client sees an orderly end, and the test that asked for more fails.
            conversation.client.stream.set_zero_linger().ok();
        }
        End::Close => {
            // The server may be told at once: the client is not to have any more of it.
            drop(conversation.server.take());
            tokio::time::timeout(LINGER, close(&mut conversation.client.stream)).await.ok();
        }
    }
}
