//! A forward proxy as companies have them: CONNECT for https, whole URIs for http. It hands bytes
//! on and must never look into them.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What a proxy does to those who ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyConduct {
    Forward,
    /// `407` to everyone who brings no such `Proxy-Authorization`.
    Demand(String),
    /// Answer with this status.
    Refuse(u16),
    /// Answer with headers that never end.
    EndlessHeaders,
}

/// A proxy on the loopback interface. It takes no new connection once this is dropped.
#[derive(Debug)]
pub struct HttpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    conduct: ProxyConduct,
    asked: Mutex<Vec<String>>,
    flood: AtomicU64,
    is_over: AtomicBool,
}

impl HttpProxy {
    /// # Panics
    ///
    /// If there is no free port on the loopback interface.
    pub fn spawn(conduct: ProxyConduct) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            conduct,
            asked: Mutex::default(),
            flood: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if serving.is_over.load(Ordering::Acquire) {
                    return;
                }
                let Ok(client) = client else { continue };
                let shared = Arc::clone(&serving);
                // A client that leaves in the middle is no news.
                thread::spawn(move || shared.serve(client).ok());
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// First lines of what it was asked, one for each connection, such as `CONNECT host:443 HTTP/1.1`.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes of headers without end that clients have taken.
    pub fn flood(&self) -> u64 {
        self.shared.flood.load(Ordering::Relaxed)
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Wakes the one who listens; where that fails, it waits for the process to end.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(Duration::from_mins(2)))?;
        let head = read_head(&mut client)?;
        let text = String::from_utf8_lossy(&head).into_owned();
        let first = text.lines().next().unwrap_or_default().to_owned();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(first.clone());
        match &self.conduct {
            ProxyConduct::Refuse(status) => return refuse(&mut client, *status),
            ProxyConduct::EndlessHeaders => return self.flood_with_headers(&mut client),
            ProxyConduct::Demand(password) if !text.contains(password) => {
                return refuse(&mut client, 407);
            }
            ProxyConduct::Demand(_) | ProxyConduct::Forward => {}
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut server = TcpStream::connect(host_of(target))?;
        if method == "CONNECT" {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        } else {
            server.write_all(&head)?;
        }
        join(client, server)
    }

    fn flood_with_headers(&self, client: &mut TcpStream) -> io::Result<()> {
        client.write_all(b"HTTP/1.1 200 OK\r\n")?;
        let line = [b"X-Filler: ".as_slice(), &[b'a'; 1000], b"\r\n"].concat();
        loop {
            client.write_all(&line)?;
            self.flood.fetch_add(line.len() as u64, Ordering::Relaxed);
        }
    }
}

fn read_head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    // One byte at a time: what follows the head is for the server.
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 || head.len() > 1 << 16 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    Ok(head)
}

fn refuse(client: &mut TcpStream, status: u16) -> io::Result<()> {
    let reply = format!(
        "HTTP/1.1 {status} Refused\r\nProxy-Authenticate: Basic realm=\"testbed\"\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    client.write_all(reply.as_bytes())
}

/// `host:port` of `host:port`, or of `http://host:port/path`.
fn host_of(target: &str) -> &str {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn join(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    let (mut to_server, mut from_client) = (server.try_clone()?, client.try_clone()?);
    let up = thread::spawn(move || {
        // Either end may leave first; then so does the other.
        io::copy(&mut from_client, &mut to_server).ok();
        to_server.shutdown(Shutdown::Write).ok();
    });
    io::copy(&mut server, &mut client).ok();
    client.shutdown(Shutdown::Write).ok();
    up.join().ok();
    Ok(())
}
