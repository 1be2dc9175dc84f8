//! End-to-end tests: the real binary against real servers, one file a subject.

mod harness;
mod stage;
mod tidy;

mod attributes;
mod bounds;
mod buckets;
mod cat;
mod changes;
mod checksums;
mod clean;
mod copies;
mod cp;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod crash;
mod disk;
mod documented;
mod download;
mod dry_run;
mod du;
mod faults;
mod front;
mod hostile_keys;
mod interrupts;
mod journal;
mod ls;
mod manifest;
mod mv;
mod names;
mod output;
mod pace;
mod parity;
mod patterns;
mod preserving;
mod presign;
mod proofs;
mod ranges;
mod real_servers;
mod refusals;
mod restore;
mod resume;
mod rm;
mod run;
mod settings;
#[cfg(target_os = "linux")]
mod soak;
mod stat;
mod store_contract;
mod sync;
mod trust;
mod upload;
mod verify;
mod versions;
