//! Floor 5: the composition root. Arguments → runtime → reporter → command → exit code; the only
//! floor that sees commands and screens together.

pub mod args;
pub mod exit;

mod described;
mod front;
mod line;
mod logging;
mod named_files;
mod pages;
mod places;
mod planned;
mod run;
mod script;
mod settings;
mod shell;
mod signals;
mod threads;

pub use run::run;
