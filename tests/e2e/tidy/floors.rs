//! The floors of the house, and which imports climb. It must never know more of a floor than its
//! name and height; a new room in `src/` has to be given a floor here first.

use super::source::SourceFile;
use super::syntax::{self, Found};

/// Bottom first. Rooms on one floor do not import each other.
const FLOORS: [&[&str]; 6] =
    [&["domain"], &["storage"], &["transfer"], &["jobs"], &["commands", "ui"], &["app"]];

/// Imports of a room above this file's own, or beside it.
pub(super) fn upward_imports(file: &SourceFile) -> Vec<String> {
    let modules = modules_of(&file.path);
    let Some(own) = modules.first() else {
        return Vec::new();
    };
    let Some(own_height) = height(own) else {
        return vec![file.violation(1, &format!("{own} has no floor; give it one in tidy"))];
    };
    let climbs = |found: &Found| {
        height(&found.name).is_some_and(|height| height >= own_height && found.name != *own)
    };
    let complaint = |found: Found| {
        let name = &found.name;
        file.violation(found.line, &format!("{own} imports {name}, which is not below it"))
    };
    syntax::crate_paths(&file.code, modules.len())
        .into_iter()
        .filter(climbs)
        .map(complaint)
        .collect()
}

fn height(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

/// The module path of a file, empty for the crate's own roots.
fn modules_of(path: &str) -> Vec<&str> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let inside = inside.trim_end_matches(".rs");
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    match inside {
        "lib" | "main" => Vec::new(),
        _ => inside.split('/').collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn climbs(path: &str, text: &str) -> bool {
        !upward_imports(&SourceFile::new(path, text)).is_empty()
    }

    #[test]
    fn an_import_of_a_higher_floor_is_found_in_every_form() {
        for bad in [
            "use crate::transfer::plan;",
            "pub use crate::{domain::size, transfer};",
            "use crate::{\n    domain::{size, range},\n    jobs::{a, b},\n};",
            "fn f() -> crate::ui::Bar { x }",
            "use super::super::transfer::plan;",
            "use super::super::{domain, transfer::plan};",
            "macro_rules! m { () => { $crate::app::run() } }",
            "fn f() { crate :: transfer :: plan(); }",
        ] {
            assert!(climbs("src/storage/local.rs", bad), "not found: {bad}");
        }
    }

    #[test]
    fn imports_downward_and_within_are_fine() {
        for good in [
            "use crate::domain::size;",
            "use crate::storage::s3::connect;",
            "use super::transfer;",
            "pub(crate) mod transfer;",
            "// use crate::transfer;\nlet text = \"crate::transfer::x\";",
            "use other_crate::transfer::x;",
            "let crate_transfer = 1;",
        ] {
            assert!(!climbs("src/storage/local.rs", good), "found: {good}");
        }
        assert!(!climbs("src/storage/s3/read.rs", "use super::super::transfer;"));
        assert!(climbs("src/storage/s3/read.rs", "use super::super::super::transfer;"));
        assert!(climbs("src/storage/s3/mod.rs", "use super::super::transfer;"));
    }

    #[test]
    fn rooms_on_one_floor_do_not_know_each_other() {
        assert!(climbs("src/commands/ls.rs", "use crate::ui::bars;"));
        assert!(climbs("src/ui/bars.rs", "use crate::commands::ls;"));
        assert!(!climbs("src/app/run.rs", "use crate::{commands::ls, ui::bars};"));
    }

    #[test]
    fn a_room_without_a_floor_is_refused_and_the_roots_see_everything() {
        assert!(climbs("src/attic/a.rs", ""));
        assert!(!climbs("src/lib.rs", "use crate::app::run;"));
        assert!(!climbs("src/main.rs", "use crate::app::run;"));
    }
}
