//! Where options come from that were not typed: the environment, then a file. What was typed goes
//! before both, and the default is what is left.

mod apply;
mod environment;
mod file;
pub(super) mod overruled;
mod setting;

pub(super) use apply::Settings;
pub(super) use overruled::{Misread, Parsed, Rank};
pub(super) use setting::{Setting, settable};
