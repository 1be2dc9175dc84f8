//! Names that a system gives another meaning than that of a file. Knows names, touches no disk.

use std::path::Path;

use super::error::{Kind, LocalError};

/// Refuses to make `path`, whose last name is `name`, where that would make something else.
pub(super) fn refuse_reserved(name: &str, path: &Path) -> Result<(), LocalError> {
    if cfg!(windows) && is_reserved_on_windows(name) {
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
