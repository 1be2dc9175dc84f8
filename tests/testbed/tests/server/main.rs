//! The testbed seen from outside: signed requests over TCP, and what the handle says of them.

mod client;
mod connections;
mod faults;
mod network;
mod objects;
mod program;
mod proxy;
mod trust;
mod uploads;
