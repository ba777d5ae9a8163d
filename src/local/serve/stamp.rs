//! Tells whether the source of a bundle may have changed, without reading it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::data::BYTECODE;

/// A tree with more is looked at no further: it is deployed when its manifest is written again.
const MOST: usize = 200_000;

/// What the names, sizes and times of a tree come to. The same tree has the same, within one run of this program.
pub type Stamp = u64;

/// Of a directory or an archive; none where there is none.
#[must_use]
pub fn of(path: &Path) -> Option<Stamp> {
    let mut hash = DefaultHasher::new();
    let root = std::fs::metadata(path).ok()?;
    note(&root, &mut hash);
    let mut waiting = Vec::new();
    if root.is_dir() {
        waiting.push(path.to_owned());
    }
    let mut seen = 0;
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            seen += 1;
            if seen > MOST {
                return Some(hash.finish());
            }
            let path = directory.join(&name);
            let Ok(metadata) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_dir() && name == BYTECODE {
                continue;
            }
            name.hash(&mut hash);
            note(&metadata, &mut hash);
            if metadata.is_dir() {
                waiting.push(path);
            }
        }
    }
    Some(hash.finish())
}

fn note(metadata: &std::fs::Metadata, hash: &mut DefaultHasher) {
    // The time of a directory says nothing that the names in it do not.
    let time = (!metadata.is_dir()).then(|| (metadata.mtime(), metadata.mtime_nsec(), metadata.size()));
    (metadata.mode(), metadata.ino(), time).hash(hash);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_of_a_tree_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/app.py"), "1").unwrap();
        let first = of(dir.path());
        assert_eq!(of(dir.path()), first);
        std::fs::write(dir.path().join("sub/app.py"), "12").unwrap();
        let second = of(dir.path());
        assert_ne!(second, first);
        std::fs::rename(dir.path().join("sub/app.py"), dir.path().join("sub/main.py")).unwrap();
        assert_ne!(of(dir.path()), second);
        assert_eq!(of(&dir.path().join("nowhere")), None);
    }

    #[test]
    fn what_python_compiles_is_no_change() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("app.py"), "1").unwrap();
        let first = of(dir.path());
        std::fs::create_dir(dir.path().join("__pycache__")).unwrap();
        std::fs::write(dir.path().join("__pycache__/app.cpython-311.pyc"), "1").unwrap();
        assert_eq!(of(dir.path()), first);
        std::fs::write(dir.path().join("app.pyc"), "1").unwrap();
        assert_ne!(of(dir.path()), first);
    }
}
