//! End-to-end tests: the real binary against real servers, one file a subject.

mod harness;
mod stage;
mod tidy;

mod attributes;
mod changes;
mod cp;
mod download;
mod faults;
mod hostile_keys;
mod interrupts;
mod journal;
mod ls;
mod manifest;
mod output;
mod real_servers;
mod refusals;
mod store_contract;
mod upload;
