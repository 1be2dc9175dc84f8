//! Floor 1: files. The only place that writes them.
//!
//! A download: `destination` (or `spot`, for a path the user typed) → `staged_file`, which alone
//! gives bytes their final name. An upload: `walk` finds, `source` reads and notices changes.

pub mod destination;
pub mod durability;
pub mod error;
pub mod existing;
pub mod folder;
pub mod journal_file;
pub mod leftover;
pub mod likeness;
pub mod limits;
pub mod mounted;
pub mod record;
pub mod source;
pub mod spot;
pub mod staged_file;
pub mod state;
pub mod stdin;
pub mod walk;

mod beneath;
mod claim;
mod handle;
mod name_length;
mod positional;
mod prune;
mod reserved;
mod temp_name;

pub use destination::Destination;
pub use durability::SyncCost;
pub use error::{Change, Kind, LocalError, exact};
pub use existing::{Existing, ExistingKind};
pub use folder::Folder;
pub use journal_file::{JournalFile, Tail};
pub use leftover::{Leftover, leftovers};
pub use likeness::{Alike, Likeness, likeness};
pub use mounted::is_by_program;
pub use name_length::{check_name, check_names};
pub use prune::AsListed;
pub use record::{Earlier, Recorded};
pub use source::{SourceFile, open_without_waiting};
pub use spot::{SpecialFile, Spot, special};
pub use staged_file::{IfExists, Publish, Published, StagedFile, SyncMode};
pub use state::{Left, StateFile, state_folder};
pub use stdin::is_stdin;
pub use temp_name::is_temp_name;
pub use walk::{FollowLinks, Found, Named, UNFINISHED, WalkError, walk, walk_matching, walk_names};
