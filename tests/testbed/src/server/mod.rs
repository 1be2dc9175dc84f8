//! HTTP in front of the S3 service: connections, bodies, the log, and the faults.

mod clock;
mod connection;
mod front;
mod listen;
mod network;
mod pace;
mod reply;
mod reply_body;
mod request_body;
mod send_queue;
mod stream;

pub(crate) use clock::Clock;
pub(crate) use front::Front;
pub(crate) use listen::{Place, Running};
pub(crate) use send_queue::Ports;
