//! Whoever gives credentials to a container, on this machine: it gives the testbed's to everyone, and
//! keeps what it was shown.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::harness::{ACCESS_KEY, SECRET_KEY};

pub(super) struct Giver {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Giver {
    /// It listens until the process ends.
    pub(super) fn spawn() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let hearing = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let request = answer(&client);
                hearing.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            }
        });
        Self { address, heard }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/credentials", self.address)
    }

    /// Heads of the requests that came.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(mut client: &TcpStream) -> String {
    let lines = BufReader::new(client).lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let body = format!(
        "{{\"AccessKeyId\":\"{ACCESS_KEY}\",\"SecretAccessKey\":\"{SECRET_KEY}\",\
         \"Token\":\"token\",\"Expiration\":\"2099-01-01T00:00:00Z\"}}"
    );
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    client.write_all(reply.as_bytes()).ok();
    head.join("\n")
}
