//! A full or read-only file system: one sentence, and what was there stays.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use offhost::data::{
    ContentId, DataDir, Deploy, Finish, Renders, SourceCopy, Store, StoreError, Variant, sweep,
};
use rustix::mount::{MountFlags, UnmountFlags};

use crate::support::wait_until_unlocked;

use super::{as_root, at, content, files, listing};

/// A file system of its own, unmounted at the end.
struct Small {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Small {
    fn mount(options: &CStr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("small");
        std::fs::create_dir(&path).unwrap();
        rustix::mount::mount("tmpfs", &path, "tmpfs", MountFlags::empty(), options).unwrap();
        Self { path, _dir: dir }
    }

    fn read_only(&self) {
        let flags = MountFlags::RDONLY;
        rustix::mount::mount_remount(&self.path, flags, c"").unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.path, UnmountFlags::DETACH).unwrap();
    }
}

fn order<'a>(id: &'a ContentId, tree: &'a Path) -> Deploy<'a> {
    Deploy {
        content: id,
        name: "",
        source: tree,
        tree,
        activate: true,
        job: None,
        now: at(0),
    }
}

fn fill(path: &Path) {
    let size = rustix::fs::statvfs(path.parent().unwrap()).unwrap();
    let room = size.f_bavail * size.f_frsize;
    std::fs::write(path, vec![1; usize::try_from(room).unwrap()]).unwrap();
}

/// Proves: RD3 (L), AP2 (L)
#[test]
fn a_disk_full_midway_changes_nothing() {
    if !as_root("a_disk_full_midway_changes_nothing") {
        return;
    }
    let small = Small::mount(c"size=4m,mode=755");
    let data = DataDir::open_or_make(&small.path.join("data")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let id = content();
    files(
        outside.path(),
        &[("v1/index.html", "one"), ("v2/index.html", "two")],
    );
    for n in 0..100 {
        files(outside.path(), &[(&format!("v2/d/f{n}"), &"x".repeat(60_000))]);
    }
    Store::new(&data)
        .deploy(&order(&id, &outside.path().join("v1")))
        .unwrap();
    let renders = Renders::new(&data, content(), Variant::default());
    let finish = Finish {
        bundle: 1,
        job: "k",
        site_output_dir: None,
        index: None,
        now: at(1),
    };
    let rendering = renders.begin(None).unwrap();
    files(rendering.path(), &[("index.html", "one")]);
    renders
        .activate(renders.finish(rendering, &finish).unwrap().number)
        .unwrap();
    let clean = listing(data.root());

    let error = Store::new(&data)
        .deploy(&order(&id, &outside.path().join("v2")))
        .unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(&error, StoreError::Copy(copy) if copy.is_storage()),
        "{message}"
    );
    assert!(
        message.contains("no space is left in '") && message.contains(" free of 4"),
        "{message}"
    );
    assert_eq!(listing(data.root()), clean);

    let rendering = renders.begin(None).unwrap();
    files(rendering.path(), &[("index.html", "two")]);
    let ballast = small.path.join("ballast");
    fill(&ballast);
    let error = renders.finish(rendering, &finish).unwrap_err();
    assert!(error.to_string().contains("no space is left"), "{error}");
    fill(&small.path.join("ballast2"));
    assert!(renders.begin(None).is_err());
    assert!(SourceCopy::make(&data, &content(), 1, "k", None).is_err());
    assert_eq!(renders.active().unwrap(), Some(1));
    std::fs::remove_file(&ballast).unwrap();
    std::fs::remove_file(small.path.join("ballast2")).unwrap();
    wait_until_unlocked(&small.path);
    let swept = sweep(&data, &small.path);
    assert!(swept.failed.is_empty(), "{swept:?}");
    let left: Vec<_> = listing(data.root())
        .into_iter()
        .filter(|path| !clean.contains(path))
        .collect();
    assert!(left.iter().all(|path| path == "reports/v2/sales/1/"), "{left:?}");
    let rendering = renders.begin(None).unwrap();
    files(rendering.path(), &[("index.html", "three")]);
    renders
        .activate(renders.finish(rendering, &finish).unwrap().number)
        .unwrap();
}

/// Proves: FS6 (L)
#[test]
fn a_read_only_data_directory_is_said_before_anything_is_started() {
    if !as_root("a_read_only_data_directory_is_said_before_anything_is_started") {
        return;
    }
    let small = Small::mount(c"size=1m,mode=755");
    let root = small.path.join("data");
    let data = DataDir::open_or_make(&root).unwrap();
    let tree = tempfile::tempdir().unwrap();
    files(tree.path(), &[("a", "1")]);
    small.read_only();
    let message = DataDir::open(&root).unwrap_err().to_string();
    assert!(
        message.contains("Server.DataDir") && message.contains("mounted read-only"),
        "{message}"
    );
    let id = content();
    let message = Store::new(&data)
        .deploy(&order(&id, tree.path()))
        .unwrap_err()
        .to_string();
    assert!(message.contains("mounted read-only"), "{message}");
}
