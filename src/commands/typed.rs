//! What is to be known of a command before it runs, from what was typed alone.

use std::path::{Path, PathBuf};

use super::error::CommandError;
use super::session::Purpose;

/// A command that goes over many objects.
pub trait Typed {
    /// Sources, and the destination last.
    fn paths(&self) -> &[PathBuf];

    fn purpose(&self) -> Purpose;

    /// Whether standard input is a source, or the manifest.
    fn reads_stdin(&self) -> bool;

    /// The file that it writes down what it did in.
    fn journal(&self) -> Option<&Path> {
        None
    }

    /// What somebody has to agree to first, such as "remove everything in s3://bucket".
    fn question(&self) -> Result<Option<String>, CommandError> {
        Ok(None)
    }

    /// What is wrong with it, as far as that shows from what was typed.
    fn check(&self) -> Result<(), CommandError> {
        Ok(())
    }

    /// Whether `*`, `?` and a final `/` mean nothing in keys.
    fn takes_keys_literally(&self) -> bool {
        false
    }

    /// The folder to which destinations are relative, as it was typed, or as a journal that is the
    /// manifest tells it; `-` for standard output.
    fn base(&self) -> Option<String> {
        None
    }

    /// Whether the bytes go through standard input or output: once, and not again.
    fn moves_a_stream(&self) -> bool {
        self.paths().iter().any(|path| path.as_os_str() == "-")
    }
}
