//! The files of the repository, for the tests that look at the repository itself.

use std::path::{Path, PathBuf};

/// What is made by running things, not kept. `.git` is a file in a worktree.
const NOT_KEPT: [&str; 4] = [".git", ".demo", "__pycache__", "target"];

/// The top of the repository. Read when the test runs, so that a moved clone is looked at where it is.
pub(crate) fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Every kept file below a directory, as paths relative to the top, sorted. A directory that is not there has none.
pub(crate) fn files(directory: &str) -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut waiting = vec![root.join(directory)];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let entry = entry.expect("a directory can be read");
            let kind = entry.file_type().expect("an entry has a type");
            if NOT_KEPT.contains(&entry.file_name().to_string_lossy().as_ref()) {
                continue;
            }
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                found.push(relative(&root, &entry.path()));
            }
        }
    }
    found.sort();
    found
}

fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).expect("the walk began at the top");
    below.to_string_lossy().into_owned()
}

/// The text of a file; bytes that are no UTF-8 are replaced.
pub(crate) fn text(path: &str) -> String {
    let bytes = std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Compares a generated page with what is kept; `UPDATE_DOCS=1` writes it instead.
///
/// # Panics
/// When they differ.
pub(crate) fn assert_page(path: &str, generated: &str) {
    if std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1") {
        std::fs::write(root().join(path), generated).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let kept = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    let differs = kept.lines().zip(generated.lines()).position(|(a, b)| a != b);
    let line = differs.unwrap_or_else(|| kept.lines().count().min(generated.lines().count())) + 1;
    assert!(
        kept == generated,
        "{path} is out of date from line {line} on; run `make docs` and commit what it changes"
    );
}
