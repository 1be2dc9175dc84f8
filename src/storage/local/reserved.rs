//! Names that have another meaning than that of a file: to a system, or to this program. Knows
//! names, touches no disk.

use std::ffi::OsStr;
use std::path::Path;

use super::error::{Kind, LocalError};
use super::temp_name::is_temp_name;

/// Refuses to make `path`, whose last name is `name`, where that would make something else, or take
/// the place of a file on its way: an object may well have the name that belongs to another's.
pub(super) fn refuse_reserved(name: &OsStr, path: &Path) -> Result<(), LocalError> {
    if is_temp_name(name) {
        return Err(LocalError::refused(Kind::OwnName, "create", path));
    }
    if cfg!(windows) && name.to_str().is_some_and(is_reserved_on_windows) {
        return Err(LocalError::refused(Kind::ReservedName, "create", path));
    }
    Ok(())
}

/// Names that are devices there, or that lose their end and so meet another name.
fn is_reserved_on_windows(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let is_device = match stem.as_bytes() {
        b"con" | b"prn" | b"aux" | b"nul" | b"conin$" | b"conout$" => true,
        [b'c', b'o', b'm', digit] | [b'l', b'p', b't', digit] => digit.is_ascii_digit(),
        _ => false,
    };
    is_device
        || name.ends_with(['.', ' '])
        || name.contains(|c: char| c < ' ' || "<>:\"|?*".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_reserves_are_known() {
        for name in ["nul", "CON.txt", "com1", "a.", "a ", "a?b", "LPT9.x.y", "b\u{1}"] {
            assert!(is_reserved_on_windows(name), "{name:?}");
        }
        for name in ["null", "console", "com", "comma", "a.b", ".a", "x nul"] {
            assert!(!is_reserved_on_windows(name), "{name:?}");
        }
    }
}
