//! Objects and files that change while they are moved. What arrives is all of one version, or
//! nothing arrives and what was there before stays. It must never leave to chance when the change
//! happens: the server makes it, at a request that the test names.

mod downloads;
mod unpinned;
mod uploads;
mod writers;
