//! The files that the house rules are about, read once: their text, and their code with comments
//! and literals blanked. It must never miss a file, so it walks the folders instead of modules.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use super::syntax;

/// What a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `src/`, the program.
    Library,
    /// `tests/`, the testbed included.
    Tests,
    Examples,
    Benches,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [Self::Library, Self::Tests, Self::Examples, Self::Benches];

    fn folder(self) -> &'static str {
        match self {
            Self::Library => "src",
            Self::Tests => "tests",
            Self::Examples => "examples",
            Self::Benches => "benches",
        }
    }
}

#[derive(Debug)]
pub(super) struct SourceFile {
    /// From the repository's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments, strings and characters turned to blanks, line by line.
    pub(super) code: String,
}

/// Every Rust file of these parts.
pub(super) fn rust_files(parts: &[Part]) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = parts.iter().map(|part| root.join(part.folder()));
    let entries = folders
        .filter(|folder| folder.exists())
        .flat_map(|folder| WalkDir::new(folder).sort_by_file_name());
    let paths = entries.map(|entry| entry.expect("the sources are readable").into_path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let relative = path.strip_prefix(root).expect("it was found below");
            let relative = relative.to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            SourceFile::new(&relative, &text)
        })
        .collect()
}

impl SourceFile {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: syntax::blank_words_and_comments(text),
        }
    }

    pub(super) fn is_below(&self, folder: &str) -> bool {
        let rest = self.path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    }

    /// By its name: `tests.rs`, or anything in a folder of that name.
    pub(super) fn is_test_only(&self) -> bool {
        let mut names = self.path.trim_end_matches(".rs").split('/');
        names.any(|name| name == "tests")
    }

    pub(super) fn violation(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_found_where_it_exists() {
        let files = rust_files(&Part::ALL);
        for wanted in
            ["src/lib.rs", "src/main.rs", "tests/e2e/tidy/source.rs", "tests/testbed/src/lib.rs"]
        {
            let found = files.iter().any(|file| file.path == wanted);
            assert!(found, "{wanted} is not among the checked files");
        }
        assert!(rust_files(&[Part::Library]).iter().all(|file| file.is_below("src")));
    }

    #[test]
    fn a_folder_is_not_another_that_starts_with_its_name() {
        assert!(SourceFile::new("src/ui/a.rs", "").is_below("src/ui"));
        assert!(SourceFile::new("src/ui.rs", "").is_below("src/ui"));
        assert!(!SourceFile::new("src/uis/a.rs", "").is_below("src/ui"));
    }
}
