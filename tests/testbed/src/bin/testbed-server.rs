//! The testbed as a program, for benchmarks and for trying things by hand.
//!
//! `testbed-server [--port N] [--bucket NAME]… [--no-md5] [--no-log] [--anonymous] [--threads N]
//! [--first-byte-ms N] [--bandwidth BYTES] [--synthetic BUCKET/KEY=SIZE]…`

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use testbed::Testbed;

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = Testbed::builder();
    let mut buckets = Vec::new();
    let mut synthetic = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        builder = match argument.as_str() {
            "--port" => builder.addr(SocketAddr::from((Ipv4Addr::LOCALHOST, value()?.parse()?))),
            "--threads" => builder.threads(value()?.parse()?),
            "--no-md5" => builder.md5_etags(false),
            "--no-log" => builder.without_log(),
            "--anonymous" => builder.anonymous(),
            "--min-part-size" => builder.min_part_size(value()?.parse()?),
            "--first-byte-ms" => builder.first_byte_delay(Duration::from_millis(value()?.parse()?)),
            "--bandwidth" => builder.per_request_bandwidth(value()?.parse()?),
            "--bucket" => {
                buckets.push(value()?);
                builder
            }
            "--synthetic" => {
                synthetic.push(value()?);
                builder
            }
            _ => return Err(format!("unknown argument {argument}").into()),
        };
    }
    let testbed = builder.spawn()?;
    for bucket in &buckets {
        testbed.create_bucket(bucket);
    }
    for object in &synthetic {
        let (place, size) = object.rsplit_once('=').ok_or("--synthetic BUCKET/KEY=SIZE")?;
        let (bucket, key) = place.split_once('/').ok_or("--synthetic BUCKET/KEY=SIZE")?;
        testbed.create_bucket(bucket);
        testbed.put_synthetic(bucket, key, size.parse()?, 1);
    }
    announce(&testbed);
    loop {
        std::thread::park();
    }
}

#[expect(clippy::print_stdout, reason = "what it prints is what it is started for")]
fn announce(testbed: &Testbed) {
    println!("{}", testbed.endpoint());
    for (name, value) in testbed.env() {
        println!("export {name}={value}");
    }
}
