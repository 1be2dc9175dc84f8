//! What downloads, uploads and copies are told alike.

use clap::Args;

use super::{
    Connection, Failure, Integrity, Jobs, Overwriting, Preserving, Resuming, Selection, Speed,
};

#[derive(Debug, Clone, Args)]
pub struct Transfer {
    #[command(flatten)]
    pub jobs: Jobs,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub preserving: Preserving,
    #[command(flatten)]
    pub overwriting: Overwriting,
    #[command(flatten)]
    pub integrity: Integrity,
    #[command(flatten)]
    pub failure: Failure,
    #[command(flatten)]
    pub resuming: Resuming,
    #[command(flatten)]
    pub speed: Speed,
    #[command(flatten)]
    pub connection: Connection,
}
