//! Runs that end before their time: by a signal, by too many failures, by a reader that left. What
//! was begun is cleaned away or named, within five seconds. It must never time a signal by the
//! clock: the server holds requests, so that it surely comes in the middle.

mod giving_up;
mod idle_pipes;
mod signals;
mod stalled;
