use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::content::archive::{Limits, unpack};

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/b.csv"), "1\n").unwrap();
    fs::write(dir.path().join("data/a.csv"), "2\n").unwrap();
    fs::write(dir.path().join("index.qmd"), "# A\n").unwrap();
    fs::write(dir.path().join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(dir.path().join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("../index.qmd", dir.path().join("data/link")).unwrap();
    dir
}

/// Proves: AP2 (P)
#[test]
fn the_same_content_gives_the_same_bytes() {
    let (first, second) = (tree(), tree());
    fs::set_permissions(second.path().join("index.qmd"), fs::Permissions::from_mode(0o600)).unwrap();
    let (first, second) = (pack(first.path()).unwrap(), pack(second.path()).unwrap());
    assert_eq!((&first.sha256, first.bytes), (&second.sha256, second.bytes));
    assert_eq!(first.file.metadata().unwrap().len(), first.bytes);
    let other = tree();
    fs::write(other.path().join("index.qmd"), "# B\n").unwrap();
    assert_ne!(pack(other.path()).unwrap().sha256, first.sha256);
}

#[test]
fn what_is_unpacked_is_what_was_packed() {
    let dir = tree();
    let mut packed = pack(dir.path()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("a.tar.gz");
    io::copy(&mut packed.file, &mut File::create(&archive).unwrap()).unwrap();
    let taken = take(&archive).unwrap();
    assert_eq!((taken.sha256, taken.bytes), (packed.sha256, packed.bytes));
    let into = place.path().join("into");
    fs::create_dir(&into).unwrap();
    unpack(&archive, &into, Limits::default()).unwrap();
    assert_eq!(fs::read_to_string(into.join("data/link")).unwrap(), "# A\n");
    assert_eq!(fs::read_to_string(into.join("data/a.csv")).unwrap(), "2\n");
    assert_ne!(
        fs::metadata(into.join("run.sh")).unwrap().permissions().mode() & 0o111,
        0
    );
}

/// A single directory is the content's own, and is still there when it was unpacked.
#[test]
fn a_single_directory_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("docs")).unwrap();
    fs::write(dir.path().join("docs/a.md"), "a").unwrap();
    let mut packed = pack(dir.path()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("a.tar.gz");
    io::copy(&mut packed.file, &mut File::create(&archive).unwrap()).unwrap();
    let into = place.path().join("into");
    fs::create_dir(&into).unwrap();
    unpack(&archive, &into, Limits::default()).unwrap();
    assert!(into.join("docs/a.md").is_file());
}

#[test]
fn links_that_lead_out_and_special_files_are_refused() {
    let dir = tree();
    symlink("../../etc/passwd", dir.path().join("data/out")).unwrap();
    let message = pack(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("data/out: the link leads to '../../etc/passwd'"),
        "{message}"
    );
    fs::remove_file(dir.path().join("data/out")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let message = pack(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("socket: is neither a file nor a directory"),
        "{message}"
    );
    drop(socket);
    let message = pack(&dir.path().join("missing")).unwrap_err().to_string();
    assert!(message.contains("missing: No such file"), "{message}");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    for (text, length, changed) in [("abc", 3, false), ("abc", 2, true), ("abc", 4, true)] {
        let mut exact = Exact {
            stream: text.as_bytes(),
            left: length,
            changed: false,
        };
        let mut read = Vec::new();
        exact.read_to_end(&mut read).unwrap();
        assert_eq!(read.len() as u64, length);
        assert_eq!(exact.is_changed().unwrap(), changed, "{text} {length}");
    }
}
