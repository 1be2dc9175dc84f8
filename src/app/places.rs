//! Where the lines of `haul run` write, as far as a line alone tells. Two lines that write to one
//! place may both be meant, but not where one of them moves: the bytes of the first would be nowhere
//! any more.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Component, Path, PathBuf};

use super::args::Command;
use super::line::{Bad, Parser};
use crate::commands::typed::Typed as _;
use crate::domain::location::S3Uri;
use crate::domain::pattern::Wildcard;

/// The places of all lines so far: some twenty bytes for each.
#[derive(Debug, Default)]
pub(super) struct Places {
    seen: HashMap<u64, Manner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Copies,
    Moves,
}

impl Places {
    /// A line as a command; one that must not be beside an earlier one is none.
    pub(super) fn parse(
        &mut self,
        parser: &mut Parser,
        line: &str,
    ) -> Result<Option<Command>, Bad> {
        match parser.parse(line)? {
            Some(command) if !self.take(&command) => {
                Err(Bad::new("another line writes there, and one of both moves"))
            }
            command => Ok(command),
        }
    }

    /// Takes note of where a command writes; `false` where it and an earlier one must not both.
    fn take(&mut self, command: &Command) -> bool {
        let (manner, paths) = match command {
            Command::Mv(args) => (Manner::Moves, args.paths()),
            Command::Cp(args) => (Manner::Copies, args.paths()),
            Command::Upload(args) => (Manner::Copies, args.paths()),
            Command::Download(args) => (Manner::Copies, args.paths()),
            _ => return true,
        };
        let [sources @ .., destination] = paths else { return true };
        sources.iter().filter_map(|source| place(source, destination)).all(|place| {
            let mut hasher = DefaultHasher::new();
            place.hash(&mut hasher);
            let earlier = self.seen.insert(hasher.finish(), manner);
            earlier.is_none_or(|earlier| earlier == Manner::Copies && manner == Manner::Copies)
        })
    }
}

/// Where one object or file ends; `None` of those that are many.
fn place(source: &Path, destination: &Path) -> Option<String> {
    let (source, destination) = (source.to_str()?, destination.to_str()?);
    let rest = source.strip_prefix(S3Uri::SCHEME);
    if source.ends_with('/') || rest.is_some_and(|rest| Wildcard::parse(rest).is_some()) {
        return None;
    }
    let name = source.rsplit('/').next()?;
    let place = match destination.strip_prefix(S3Uri::SCHEME) {
        Some(rest) if rest.ends_with('/') => format!("{destination}{name}"),
        Some(rest) if !rest.contains('/') => format!("{destination}/{name}"),
        Some(_) => destination.to_owned(),
        None => {
            let path = Path::new(destination);
            let is_folder = destination.ends_with('/') || path.is_dir();
            let path = if is_folder { path.join(name) } else { path.to_owned() };
            let plain: PathBuf =
                path.components().filter(|part| *part != Component::CurDir).collect();
            plain.to_str()?.to_owned()
        }
    };
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, destination: &str) -> Option<String> {
        place(Path::new(source), Path::new(destination))
    }

    #[test]
    fn a_place_is_where_one_object_lands() {
        for (source, destination, wanted) in [
            ("s3://b/d/k", "s3://c/p/", Some("s3://c/p/k")),
            ("s3://b/d/k", "s3://c", Some("s3://c/k")),
            ("s3://b/d/k", "s3://c/p/name", Some("s3://c/p/name")),
            ("s3://b/d/k", "./out/", Some("out/k")),
            ("s3://b/d/k", "out/./name", Some("out/name")),
            ("s3://b/d/k", "/", Some("/k")),
            ("file", "s3://c/p/", Some("s3://c/p/file")),
            ("s3://b/d/*", "s3://c/p/", None),
            ("s3://b/d/", "s3://c/p/", None),
            ("folder/", "s3://c/p/", None),
        ] {
            assert_eq!(of(source, destination).as_deref(), wanted, "{source} {destination}");
        }
    }
}
