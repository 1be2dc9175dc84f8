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
mod ls;
mod manifest;
mod output;
mod proofs;
mod real_servers;
mod refusals;
mod store_contract;
mod upload;
mod verify;
