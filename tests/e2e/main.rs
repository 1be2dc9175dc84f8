//! End-to-end tests: the real binary against real servers, one file a subject.

mod harness;
mod tidy;

mod changes;
mod faults;
mod interrupts;
mod real_servers;
