//! Waiting until the peer has taken everything that was sent.
//!
//! A reset throws away what the kernel still holds, so without this a client would see some number
//! of bytes, and not the number the test asked for.

use std::time::Duration;

/// How often the kernel is asked.
const INTERVAL: Duration = Duration::from_millis(1);
/// A client that does not read is not waited for any longer: a second in all.
const ATTEMPTS: u32 = 1000;

/// The ports of a connection: ours, then the peer's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports(pub(crate) u16, pub(crate) u16);

impl Ports {
    /// Waits until the peer has acknowledged every byte. Where the kernel does not tell, at once.
    pub(crate) async fn drained(self) {
        for _ in 0..ATTEMPTS {
            match self.unacknowledged() {
                None | Some(0) => return,
                Some(_) => tokio::time::sleep(INTERVAL).await,
            }
        }
    }

    fn unacknowledged(self) -> Option<u64> {
        let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
        table.lines().skip(1).find_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let local = port(fields.next()?)?;
            let remote = port(fields.next()?)?;
            let queues = fields.nth(1)?;
            let unsent = u64::from_str_radix(queues.split_once(':')?.0, 16).ok()?;
            (local == self.0 && remote == self.1).then_some(unsent)
        })
    }
}

/// The port of an address such as `0100007F:1F90`.
fn port(address: &str) -> Option<u16> {
    u16::from_str_radix(address.split_once(':')?.1, 16).ok()
}
