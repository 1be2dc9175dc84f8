//! Each fault that the testbed knows, once and for ever. Once: the job is done, byte-equal, and
//! costs at most one part more. For ever: exit 1, a line that names the object and the cause, what
//! was there before is still there, and nothing half-done is left on either side.
//! It must never pass without the fault: every case asserts that its fault fired.

mod bodies;
mod connections;
mod downloads;
mod listings;
mod pages;
mod replies;
mod scene;
mod throttling;
mod trouble;
mod uploads;
