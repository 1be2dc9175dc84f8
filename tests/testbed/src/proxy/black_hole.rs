//! An address that answers nothing, not even that nobody is there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;

/// A listener whose queue is full: the system drops the packets of all who want to connect.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

/// Loopback connections are made at once, or never.
const PATIENCE: Duration = Duration::from_millis(500);
/// A queue of none takes one or two, as the system has it.
const MOST: usize = 8;

impl BlackHole {
    /// Opens one. An error where the system does not drop packets.
    pub fn open() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _entered = runtime.enter();
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(0)?.into_std()?;
        let address = listener.local_addr()?;
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, PATIENCE) {
            queue.push(stream);
            if queue.len() > MOST {
                return Err(io::ErrorKind::Unsupported.into());
            }
        }
        Ok(Self { address, _listener: listener, _queue: queue })
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}
