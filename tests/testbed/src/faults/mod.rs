//! Faults on command: which request they hit, how often, and what then happens.
//!
//! Must never fire by chance or by time: every fault is decided by the request alone, by
//! its number and by a seed, and counted.

mod fault;
mod gate;
mod kind;
mod registry;

pub use fault::Fault;
pub use gate::Gate;
pub use kind::{Callback, FaultKind, WrongRange};
pub use registry::FaultId;
pub(crate) use registry::{Faults, Script};
