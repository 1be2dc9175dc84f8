//! Names that have another meaning than that of a file: to a system, or to this program. Knows
//! names, touches no disk.

use std::ffi::OsStr;
use std::path::Path;

use super::error::{Kind, LocalError};
use super::temp_name::is_temp_name;
use crate::domain::naming::is_refused_by_windows;

/// Refuses to make `path`, whose last name is `name`, where that would make something else, or take
/// the place of a file on its way: an object may well have the name that belongs to another's.
pub(super) fn refuse_reserved(name: &OsStr, path: &Path) -> Result<(), LocalError> {
    if is_temp_name(name) {
        return Err(LocalError::refused(Kind::OwnName, "create", path));
    }
    if cfg!(windows) && name.to_str().is_some_and(is_refused_by_windows) {
        return Err(LocalError::refused(Kind::ReservedName, "create", path));
    }
    Ok(())
}
