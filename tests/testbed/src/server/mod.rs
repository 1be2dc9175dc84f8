//! HTTP in front of the S3 service: connections, bodies, the log, and the faults.

mod connection;
mod front;
mod listen;
mod pace;
mod reply;
mod reply_body;
mod request_body;
mod send_queue;

pub(crate) use front::Front;
pub(crate) use listen::Running;
pub(crate) use send_queue::Ports;
