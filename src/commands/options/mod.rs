//! Flags in groups, one file a group: what was typed, and `resolve` for what it means.

mod archives;
mod attributes;
mod bounds;
mod connection;
mod copies;
mod failure;
mod integrity;
mod machine;
mod overwriting;
mod patterns;
mod preserving;
mod resuming;
mod rules;
mod selection;
mod source;
mod speed;
mod transfer;
mod version;

pub use archives::Archives;
pub use attributes::Attributes;
pub use connection::Connection;
pub use copies::Copies;
pub use failure::Failure;
pub use integrity::Integrity;
pub use overwriting::Overwriting;
pub use preserving::Preserving;
pub use resuming::Resuming;
pub use selection::{FileNames, Filters, LiteralKeys, Selection};
pub use source::{Jobs, Only};
pub use speed::Speed;
pub use transfer::Transfer;
pub use version::{OneVersion, name_version};
