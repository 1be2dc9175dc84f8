//! A small S3 client that shows exactly what arrived, resets and short bodies included.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sha2::{Digest, Sha256};
use testbed::{Proxy, Testbed};

pub(crate) struct Client {
    address: String,
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) region: String,
}

/// Names what the body is: its digest, or how it is framed.
const PAYLOAD: &str = "x-amz-content-sha256";

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Why the body is not as long as announced, if it is not.
    pub(crate) cut: Option<ErrorKind>,
}

/// A connection that can be used again.
pub(crate) struct Connection(pub(crate) BufReader<TcpStream>);

impl Client {
    pub(crate) fn new(testbed: &Testbed) -> Self {
        Self::at(&testbed.endpoint())
    }

    pub(crate) fn at(endpoint: &str) -> Self {
        Self {
            address: endpoint.trim_start_matches("http://").to_owned(),
            access_key: "AKIDTEST".to_owned(),
            secret: "SECRET".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }

    /// A client that takes the proxy for the server.
    pub(crate) fn through(proxy: &Proxy, testbed: &Testbed) -> Self {
        Self { address: proxy.address().to_string(), ..Self::new(testbed) }
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, b"").expect("a reply")
    }

    pub(crate) fn put(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send("PUT", path, headers, body).expect("a reply")
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.send("POST", path, headers, body.as_bytes()).expect("a reply")
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        self.connect()?.exchange(&self.signed(method, path, headers, body.len()), body)
    }

    pub(crate) fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.address)?;
        // Only a fault of the testbed itself can take this long.
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// The head of a signed request. `path` is encoded already, its query sorted.
    pub(crate) fn signed(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> String {
        let now = time::OffsetDateTime::now_utc();
        let date = format!("{}{:02}{:02}", now.year(), u8::from(now.month()), now.day());
        let time = format!("{date}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second());
        let mut all: Vec<(String, &str)> =
            headers.iter().map(|(name, value)| (name.to_lowercase(), *value)).collect();
        all.push(("host".to_owned(), &self.address));
        let payload = headers.iter().find(|(name, _)| *name == PAYLOAD);
        let payload = payload.map_or("UNSIGNED-PAYLOAD", |(_, value)| *value);
        if payload == "UNSIGNED-PAYLOAD" {
            all.push((PAYLOAD.to_owned(), payload));
        }
        all.push(("x-amz-date".to_owned(), &time));
        all.sort();
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let (path_only, query) = path.split_once('?').unwrap_or((path, ""));
        let with_value = |pair: &str| {
            if pair.contains('=') || pair.is_empty() { pair.to_owned() } else { format!("{pair}=") }
        };
        let query = query.split('&').map(with_value).collect::<Vec<_>>().join("&");
        let mut canonical = format!("{method}\n{path_only}\n{query}\n");
        for (name, value) in &all {
            writeln!(canonical, "{name}:{value}").expect("writing to a string");
        }
        write!(canonical, "\n{names}\n{payload}").expect("writing to a string");
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let digest = hex(&Sha256::digest(&canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for step in [date.as_str(), &self.region, "s3", "aws4_request", &to_sign] {
            key = hmac(&key, step.as_bytes());
        }
        let mut head = format!("{method} {path} HTTP/1.1\r\ncontent-length: {length}\r\n");
        for (name, value) in &all {
            write!(head, "{name}: {value}\r\n").expect("writing to a string");
        }
        write!(
            head,
            "authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, \
             Signature={}\r\n\r\n",
            self.access_key,
            hex(&key)
        )
        .expect("writing to a string");
        head
    }
}

impl Connection {
    pub(crate) fn exchange(&mut self, head: &str, body: &[u8]) -> io::Result<Reply> {
        self.0.get_mut().write_all(head.as_bytes())?;
        self.0.get_mut().write_all(body)?;
        self.read(head.starts_with("HEAD"))
    }

    pub(crate) fn read(&mut self, bodyless: bool) -> io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new(), cut: None };
        let length: usize =
            reply.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let length = if bodyless || status == 304 { 0 } else { length };
        let mut buffer = vec![0; 64 * 1024];
        while reply.body.len() < length {
            let wanted = buffer.len().min(length - reply.body.len());
            match self.0.read(&mut buffer[..wanted]) {
                Ok(0) => {
                    reply.cut = Some(ErrorKind::UnexpectedEof);
                    break;
                }
                Ok(read) => reply.body.extend_from_slice(&buffer[..read]),
                Err(error) => {
                    reply.cut = Some(error.kind());
                    break;
                }
            }
        }
        Ok(reply)
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(value, _)| value.to_owned())
    }

    /// The texts of all elements of that name.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let start = format!("<{name}>");
        let found = text.split(&start).skip(1);
        found.filter_map(|rest| Some(rest.split_once('<')?.0.to_owned())).collect()
    }

    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.element("Code").as_deref()), (status, Some(code)));
    }
}

pub(crate) fn encode(key: &str) -> String {
    let mut encoded = String::new();
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string");
        }
    }
    encoded
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(block.map(|b| b ^ 0x5C)).chain_update(inner.finalize());
    outer.finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}
