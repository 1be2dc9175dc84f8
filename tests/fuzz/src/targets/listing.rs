//! Replies to ListObjectsV2, through the SDK's XML reader: a page is read as it was written, and a
//! damaged one is an error or a page, never a panic and never a key that S3 can't have.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use haul::domain::location::{Bucket, MAX_KEY_BYTES};
use haul::storage::object_store::{Depth, ListRequest, ObjectStore as _};
use haul::storage::s3::{Options, S3Store, Signing, connect::connect};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::Checked;
use crate::mutation::mutate;
use crate::runner::show;
use crate::words;

const TOKENS: [&[u8]; 16] = [
    b"<",
    b">",
    b"</",
    b"/>",
    b"&#0;",
    b"&amp;",
    b"%",
    b"%00",
    b"%ff",
    b"-1",
    b"<Key>",
    b"</Key>",
    b"<!DOCTYPE x [",
    b"<![CDATA[",
    b"<IsTruncated>true</IsTruncated>",
    b"<Contents>",
];
const TOKEN: &str = "token";

type Listed = Vec<(String, u64)>;

thread_local! {
    static LAB: RefCell<Option<Lab>> = const { RefCell::new(None) };
}

/// A server that answers whatever it is told to, and a store that asks it.
struct Lab {
    runtime: Runtime,
    store: S3Store,
    body: Arc<Mutex<Vec<u8>>>,
}

pub(super) fn pages(random: &mut Rng) -> Checked {
    let listed: Listed = (0..random.usize(0..5))
        .map(|_| (format!("k{}", words::text(random)), random.u64(..) >> random.u32(1..64)))
        .collect();
    let next = ["", "", "other", TOKEN][random.usize(0..4)];
    let written = write(next, &listed).into_bytes();
    let mut bytes = written.clone();
    mutate(random, &mut bytes, &TOKENS);
    show(|| bytes.escape_ascii().to_string());
    LAB.with_borrow_mut(|lab| {
        let lab = match lab {
            Some(lab) => lab,
            None => lab.insert(Lab::open()?),
        };
        // A server that repeats its token is refused whatever else it says.
        let is_good = bytes == written && next != TOKEN;
        lab.check(&bytes, is_good.then_some(&listed))
    })
}

impl Lab {
    fn open() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let body: Arc<Mutex<Vec<u8>>> = Arc::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let replies = Arc::clone(&body);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&replies)));
            }
        });
        let options = Options {
            endpoint_url: Some(format!("http://{address}")),
            region: Some("us-east-1".to_owned()),
            signing: Signing::Anonymous,
            ..Options::default()
        };
        let store = runtime.block_on(connect(&options)).map_err(|error| error.to_string())?;
        Ok(Self { runtime, store, body })
    }

    fn check(&self, bytes: &[u8], written: Option<&Listed>) -> Checked {
        bytes.clone_into(&mut self.body.lock().expect("no holder panics"));
        let bucket = Bucket::new("bucket").map_err(|error| error.to_string())?;
        let request = ListRequest::new(bucket, "", Depth::Everything);
        let request = ListRequest { token: Some(TOKEN.to_owned()), ..request };
        let page = match (self.runtime.block_on(self.store.list(&request)), written) {
            (Err(error), Some(_)) => return Err(format!("a good page is refused: {error:?}")),
            (Err(_), None) => return Ok(1),
            (Ok(page), _) => page,
        };
        // A token that comes round again is for the one who asks page by page to notice.
        let found: Listed =
            page.objects.iter().map(|it| (it.key.as_str().to_owned(), it.size)).collect();
        let is_key = |key: &str| (1..=MAX_KEY_BYTES).contains(&key.len());
        if let Some((key, _)) = found.iter().find(|(key, _)| !is_key(key)) {
            return Err(format!("{key:?} is listed"));
        }
        match written {
            Some(listed) if *listed != found => Err(format!("{listed:?} is read as {found:?}")),
            _ => Ok(1),
        }
    }
}

/// Requests have no bodies: each ends with an empty line.
async fn serve(mut stream: TcpStream, body: Arc<Mutex<Vec<u8>>>) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..length]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            let body = body.lock().expect("no holder panics").clone();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(&[head.as_bytes(), &body].concat()).await?;
        }
    }
}

fn write(next: &str, listed: &Listed) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>",
    );
    if !next.is_empty() {
        write!(xml, "<IsTruncated>true</IsTruncated>").ok();
        write!(xml, "<NextContinuationToken>{next}</NextContinuationToken>").ok();
    }
    for (key, size) in listed {
        write!(xml, "<Contents><Key>{}</Key><Size>{size}</Size>", encoded(key)).ok();
        write!(xml, "<LastModified>2026-01-02T03:04:05.000Z</LastModified>").ok();
        write!(xml, "<ETag>&quot;0123&quot;</ETag></Contents>").ok();
    }
    xml.push_str("</ListBucketResult>");
    xml
}

/// As S3 encodes keys: a space is a `+`.
fn encoded(key: &str) -> String {
    let mut text = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                text.push(char::from(byte));
            }
            b' ' => text.push('+'),
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}
