//! What the system lets this process do with files: how many at a time, and how large.

/// Raises the number of files that may be open to what the system allows without asking, and
/// returns it. `None`: there is no limit, or none that can be known.
#[cfg(unix)]
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    // Apple's kernel refuses more than this, whatever the hard limit says.
    let apple = cfg!(target_vendor = "apple").then_some(10_240);
    let wanted = match (limit.maximum, apple) {
        (Some(maximum), Some(apple)) => Some(maximum.min(apple)),
        (maximum, apple) => maximum.or(apple),
    };
    match setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: limit.maximum }) {
        Ok(()) => wanted,
        // As before: the engine keeps below it.
        Err(_) => limit.current,
    }
}

#[cfg(not(unix))]
pub fn raise_open_files() -> Option<u64> {
    None
}

/// How many files may be open now. `None`: no limit, or none that can be known.
#[cfg(unix)]
pub fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
pub fn open_files() -> Option<u64> {
    None
}

/// With fewer no transfer works: the program's own, the runtime's, a connection, a file, its folder.
pub const LEAST_OPEN_FILES: u64 = 24;

/// Makes a write beyond `ulimit -f` an error of its own (`Kind::TooLarge`), where it would else
/// end the process.
#[cfg(unix)]
pub fn outlive_file_size_limit() -> std::io::Result<()> {
    // Nobody asks the flag: what counts is that the signal has a handler.
    let heard = std::sync::Arc::default();
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, heard).map(drop)
}

#[cfg(not(unix))]
pub fn outlive_file_size_limit() -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_signal_of_a_file_too_large_ends_nothing() {
        outlive_file_size_limit().expect("registered");
        signal_hook::low_level::raise(signal_hook::consts::SIGXFSZ).expect("raised");
    }

    #[test]
    fn raising_twice_gives_the_same_limit() {
        assert_eq!(raise_open_files(), raise_open_files());
        assert_eq!(raise_open_files(), open_files());
    }
}
