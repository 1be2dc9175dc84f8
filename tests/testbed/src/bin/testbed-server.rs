//! The testbed as a program, for benchmarks and for trying things by hand.
//!
//! `testbed-server [OPTION]…`, and what it serves:
//! - `--bucket NAME`, again and again.
//! - `--synthetic BUCKET/KEY=SIZE`: an object of any size that costs no memory.
//! - `--synthetic-keys BUCKET/PREFIX=COUNT`: so many objects of `--synthetic-size` bytes (1,024),
//!   in a hundred folders.
//!
//! How it serves it:
//! - `--port N`, `--threads N`, `--min-part-size BYTES`, `--anonymous`.
//! - `--tls FILE`: https; writes what a client has to trust into the file, as PEM.
//! - `--no-md5`, `--no-log`: for benchmarks, no work but what is asked for.
//! - `--stats`: says for each line on stdin what was served since the last one, as a line of JSON
//!   on stdout; ends with stdin.
//!
//! What a network and a real service would add (nothing by default):
//! - `--first-byte-ms N`: no reply is earlier than this after its request's head.
//! - `--list-ms N`: no page of a listing is.
//! - `--get-bandwidth BYTES`, `--put-bandwidth BYTES`: a second, of one body; `--bandwidth` is both.
//! - `--total-bandwidth BYTES`: a second, of all bodies together, each way.
//! - `--request-rate N`: a second; what is beyond is answered `503 SlowDown`.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use testbed::{Builder, Certificate, Testbed, Totals};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let testbed = options.builder.spawn()?;
    for bucket in &options.buckets {
        testbed.create_bucket(bucket);
    }
    for (bucket, key, size) in &options.objects {
        testbed.create_bucket(bucket);
        testbed.put_synthetic(bucket, key, *size, 1);
    }
    for (bucket, prefix, count) in &options.keys {
        testbed.create_bucket(bucket);
        testbed.put_synthetic_keys(bucket, prefix, *count, options.size_of_keys);
    }
    announce(&testbed);
    if options.tells_stats {
        return tell_stats(&testbed);
    }
    loop {
        std::thread::park();
    }
}

/// What was typed.
struct Options {
    builder: Builder,
    buckets: Vec<String>,
    objects: Vec<(String, String, u64)>,
    keys: Vec<(String, String, usize)>,
    size_of_keys: usize,
    tells_stats: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut builder = Testbed::builder();
        let (mut buckets, mut objects, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let (mut size_of_keys, mut tells_stats) = (1024, false);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--bucket" => buckets.push(value()?),
                "--synthetic" => objects.push(place(&value()?)?),
                "--synthetic-keys" => keys.push(place(&value()?)?),
                "--synthetic-size" => size_of_keys = value()?.parse()?,
                "--stats" => tells_stats = true,
                "--tls" => {
                    let certificate = Certificate::valid();
                    std::fs::write(value()?, certificate.authority())?;
                    builder = builder.tls(certificate);
                }
                other => builder = set(builder, other, value)?,
            }
        }
        Ok(Self { builder, buckets, objects, keys, size_of_keys, tells_stats })
    }
}

fn set(
    builder: Builder,
    argument: &str,
    mut value: impl FnMut() -> Result<String, String>,
) -> Result<Builder, Box<dyn Error>> {
    let mut milliseconds = || Ok::<_, Box<dyn Error>>(Duration::from_millis(value()?.parse()?));
    Ok(match argument {
        "--first-byte-ms" => builder.first_byte_delay(milliseconds()?),
        "--list-ms" => builder.listing_delay(milliseconds()?),
        "--port" => builder.addr(SocketAddr::from((Ipv4Addr::LOCALHOST, value()?.parse()?))),
        "--threads" => builder.threads(value()?.parse()?),
        "--min-part-size" => builder.min_part_size(value()?.parse()?),
        "--bandwidth" => builder.per_request_bandwidth(value()?.parse()?),
        "--get-bandwidth" => builder.get_bandwidth(value()?.parse()?),
        "--put-bandwidth" => builder.put_bandwidth(value()?.parse()?),
        "--total-bandwidth" => builder.total_bandwidth(value()?.parse()?),
        "--request-rate" => builder.request_rate(value()?.parse()?),
        "--no-md5" => builder.md5_etags(false),
        "--no-log" => builder.without_log(),
        "--anonymous" => builder.anonymous(),
        _ => return Err(format!("unknown argument {argument}").into()),
    })
}

/// `BUCKET/NAME=NUMBER`
fn place<N: FromStr>(text: &str) -> Result<(String, String, N), Box<dyn Error>> {
    let parsed = text.rsplit_once('=').and_then(|(place, number)| {
        let (bucket, name) = place.split_once('/')?;
        Some((bucket.to_owned(), name.to_owned(), number.parse().ok()?))
    });
    parsed.ok_or_else(|| format!("{text} is not BUCKET/NAME=NUMBER").into())
}

#[expect(clippy::print_stdout, reason = "what it prints is what it is started for")]
fn announce(testbed: &Testbed) {
    println!("{}", testbed.endpoint());
    for (name, value) in testbed.env() {
        println!("export {name}={value}");
    }
}

#[expect(clippy::print_stdout, reason = "what it prints is what it is started for")]
fn tell_stats(testbed: &Testbed) -> Result<(), Box<dyn Error>> {
    let mut before = Totals::default();
    for line in std::io::stdin().lines() {
        line?;
        let now = testbed.totals();
        testbed.clear_requests();
        println!("{}", stats(&before, &now));
        before = now;
    }
    Ok(())
}

/// What was served between two moments.
fn stats(before: &Totals, now: &Totals) -> String {
    let figures = [
        ("requests", now.requests - before.requests),
        ("refused", now.refused - before.refused),
        ("max_in_flight", now.max_in_flight),
        ("connections", now.connections - before.connections),
        ("max_open_connections", now.max_open_connections),
        ("bytes_received", now.bytes_received - before.bytes_received),
        ("bytes_sent", now.bytes_sent - before.bytes_sent),
    ];
    let figures = figures.map(|(name, figure)| format!("\"{name}\": {figure}"));
    format!("{{{}}}", figures.join(", "))
}
