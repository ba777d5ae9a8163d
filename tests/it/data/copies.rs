//! Fresh copies and removals: nothing outside is touched, whatever the tree holds.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use offhost::data::{
    CopyError, CopyOptions, Links, Modes, Owner, SourceCopy, copy_tree, remove_tree, tree_digest,
};
use rustix::fs::{CWD, FileType, Mode, RenameFlags};

use super::{as_root, content, deploy, files, new_data};

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Proves: RD1 (L)
#[test]
fn a_copy_has_the_same_bytes_modes_times_and_links() {
    let dir = tempfile::tempdir().unwrap();
    let (source, copy) = (dir.path().join("s"), dir.path().join("c"));
    files(&source, &[("a/b/one.R", "1"), ("run.sh", "#!"), ("empty", "")]);
    std::fs::create_dir(source.join("hollow")).unwrap();
    chmod(&source.join("run.sh"), 0o4755);
    chmod(&source.join("a"), 0o555);
    let big: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(source.join("big"), &big).unwrap();
    let sparse = std::fs::File::create(source.join("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", 50_000_000).unwrap();
    std::fs::hard_link(source.join("run.sh"), source.join("twin")).unwrap();
    symlink("/etc/hostname", source.join("out")).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    std::fs::File::open(source.join("big"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    std::fs::File::open(source.join("hollow"))
        .unwrap()
        .set_modified(old)
        .unwrap();

    let stats = copy_tree(&source, &copy, CopyOptions::default()).unwrap();
    assert_eq!((stats.files, stats.directories, stats.links), (6, 3, 1));
    assert_eq!(tree_digest(&copy).unwrap(), tree_digest(&source).unwrap());
    assert_eq!(std::fs::read(copy.join("big")).unwrap(), big);
    assert_eq!(
        std::fs::read_link(copy.join("out")).unwrap(),
        Path::new("/etc/hostname")
    );
    let meta = |name: &str| copy.join(name).symlink_metadata().unwrap();
    assert_eq!(meta("big").modified().unwrap(), old);
    assert_eq!(meta("hollow").modified().unwrap(), old);
    assert_eq!(meta("run.sh").mode() & 0o7777, 0o755, "set-uid is dropped");
    assert_eq!(meta("a").mode() & 0o7777, 0o755, "the owner can work in the copy");
    assert_ne!(
        meta("run.sh").ino(),
        meta("twin").ino(),
        "hard links become files of their own"
    );
    assert!(meta("sparse").blocks() * 512 < 10_000_000, "holes stay holes");
    assert_eq!(meta("sparse").len(), 50_000_003);
}

/// Proves: RD1 (L)
#[test]
fn many_files_in_one_directory_are_all_copied() {
    let dir = tempfile::tempdir().unwrap();
    let (source, copy) = (dir.path().join("s"), dir.path().join("c"));
    for n in 0..1500 {
        files(&source, &[(&format!("d{}/f{n}", n % 2), &n.to_string())]);
    }
    for threads in [1, 2, 7] {
        let stats = copy_tree(
            &source,
            &copy,
            CopyOptions {
                threads,
                ..CopyOptions::default()
            },
        )
        .unwrap();
        assert_eq!(stats.files, 1500);
        assert_eq!(tree_digest(&copy).unwrap(), tree_digest(&source).unwrap());
        remove_tree(&copy).unwrap();
    }
}

/// Proves: RD1 (L)
#[test]
fn what_is_no_content_is_refused_and_no_partial_copy_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (source, copy) = (dir.path().join("s"), dir.path().join("c"));
    files(&source, &[("a/one", "1"), ("b/two", "2")]);
    let fifo = source.join("b/pipe");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let error = copy_tree(&source, &copy, CopyOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "'{}' is a FIFO; content can have only files, directories and links, so remove it",
            fifo.display()
        )
    );
    assert!(!copy.exists());
    std::fs::remove_file(fifo).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("sock")).unwrap();
    assert!(
        copy_tree(&source, &copy, CopyOptions::default())
            .unwrap_err()
            .to_string()
            .contains("socket")
    );
    std::fs::create_dir(&copy).unwrap();
    std::fs::write(copy.join("mine"), "").unwrap();
    let error = copy_tree(&source, &copy, CopyOptions::default()).unwrap_err();
    assert!(matches!(error, CopyError::NotEmpty { .. }) && copy.join("mine").exists());
}

/// Proves: RD1 (L)
#[test]
fn a_deployment_refuses_links_that_lead_out() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("s");
    files(&source, &[("a/b/one", "1")]);
    symlink("../../a", source.join("a/b/fine")).unwrap();
    let options = CopyOptions {
        links: Links::Inside,
        modes: Modes::Normal,
        ..CopyOptions::default()
    };
    copy_tree(&source, &dir.path().join("ok"), options).unwrap();
    for target in ["../../../x", "/etc/passwd", "fine/../../x"] {
        symlink(target, source.join("a/b/out")).unwrap();
        let error = copy_tree(&source, &dir.path().join("no"), options).unwrap_err();
        assert!(matches!(error, CopyError::LinkOut { .. }), "{target}");
        assert!(error.to_string().contains("a/b/out") && error.to_string().contains(target));
        assert!(!dir.path().join("no").exists());
        std::fs::remove_file(source.join("a/b/out")).unwrap();
    }
}

/// Proves: TD1 (L)
#[test]
fn removal_follows_no_link_and_minds_no_mode() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    files(&outside, &[("keep/me", "1")]);
    let tree = dir.path().join("tree");
    files(&tree, &[("a/b/c", "1"), ("closed/x", "1")]);
    for n in 0..200 {
        symlink(&outside, tree.join(format!("link{n}"))).unwrap();
        symlink("../outside/keep", tree.join(format!("a/up{n}"))).unwrap();
    }
    chmod(&tree.join("closed"), 0o000);
    chmod(&tree.join("a/b"), 0o100);
    assert!(remove_tree(&tree).unwrap() > 400);
    assert!(!tree.exists());
    assert_eq!(std::fs::read_to_string(outside.join("keep/me")).unwrap(), "1");
    assert_eq!(remove_tree(&tree).unwrap(), 0);
    symlink(&outside, &tree).unwrap();
    remove_tree(&tree).unwrap();
    assert!(outside.join("keep/me").exists() && tree.symlink_metadata().is_err());
}

/// Proves: TD1 (L)
#[test]
fn removal_minds_no_depth() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let mut at = rustix::fs::open(&tree, rustix::fs::OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&at, "deeper", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "deeper", rustix::fs::OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    drop(at);
    let error = copy_tree(&tree, &dir.path().join("copy"), CopyOptions::default()).unwrap_err();
    assert!(matches!(error, CopyError::TooDeep { .. }) && !dir.path().join("copy").exists());
    assert_eq!(remove_tree(&tree).unwrap(), 3001);
}

/// A directory and a link to a tree outside change places all the time, while the tree is removed.
///
/// Proves: TD1 (L)
#[test]
fn removal_is_not_led_out_by_a_race() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    for n in 0..50 {
        files(&outside, &[(&format!("x/f{n}"), "1")]);
    }
    for round in 0..60 {
        let tree = dir.path().join(format!("tree{round}"));
        let (real, link) = (tree.join("x/real"), tree.join("x/link"));
        for n in 0..50 {
            files(&real, &[(&format!("x/f{n}"), "1")]);
        }
        symlink(&outside, &link).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // Fails once one of them is removed.
                    rustix::fs::renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE).ok();
                }
            });
            let removed = remove_tree(&tree);
            stop.store(true, Ordering::Relaxed);
            removed.unwrap();
        });
        assert!(!tree.exists());
        assert_eq!(std::fs::read_dir(outside.join("x")).unwrap().count(), 50);
    }
}

/// Proves: TD1 (L)
#[test]
fn removal_stops_at_a_mount() {
    if !as_root("removal_stops_at_a_mount") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    files(&outside, &[("keep", "1")]);
    let mount_point = dir.path().join("tree/mnt");
    std::fs::create_dir_all(&mount_point).unwrap();
    // The same file system, so that only the mount's own number tells them apart.
    rustix::mount::mount_bind(&outside, &mount_point).unwrap();
    let error = remove_tree(&dir.path().join("tree")).unwrap_err();
    rustix::mount::unmount(&mount_point, rustix::mount::UnmountFlags::empty()).unwrap();
    assert!(error.to_string().contains("unmount"), "{error}");
    assert!(outside.join("keep").exists());
    remove_tree(&dir.path().join("tree")).unwrap();
}

/// Proves: RD1 (L), AP2 (L)
#[test]
fn each_render_has_its_own_copy_and_the_bundle_stays() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let tree = dir.path().join("src");
    files(&tree, &[("report.Rmd", "x")]);
    let bundle = deploy(&data, &tree, true).record.bundle;
    let first = SourceCopy::make(&data, &content(), bundle, "k1", None).unwrap();
    let second = SourceCopy::make(&data, &content(), bundle, "k2", None).unwrap();
    assert!(first.path().ends_with("reports/v2/sales/1/temp.render.k1"));
    std::fs::write(first.path().join("report.Rmd"), "changed").unwrap();
    std::fs::write(first.path().join("new"), "").unwrap();
    assert_eq!(
        std::fs::read_to_string(second.path().join("report.Rmd")).unwrap(),
        "x"
    );
    assert!(!second.path().join("new").exists());
    let path = first.path().to_owned();
    first.remove().unwrap();
    second.remove().unwrap();
    assert!(!path.exists());
    assert_eq!(
        std::fs::read_to_string(data.path("apps/sales/1/report.Rmd")).unwrap(),
        "x"
    );
    assert!(SourceCopy::make(&data, &content(), 9, "k3", None).is_err());
    assert!(!data.path("reports/v2/sales/9/temp.render.k3").exists());
}

/// Proves: RD1 (L)
#[test]
fn a_copy_belongs_to_the_account_of_the_job() {
    if !as_root("a_copy_belongs_to_the_account_of_the_job") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, copy) = (dir.path().join("s"), dir.path().join("c"));
    files(&source, &[("a/one", "1")]);
    symlink("one", source.join("a/link")).unwrap();
    let owner = Some(Owner { uid: 4242, gid: 4243 });
    copy_tree(
        &source,
        &copy,
        CopyOptions {
            owner,
            ..CopyOptions::default()
        },
    )
    .unwrap();
    for name in ["", "a", "a/one", "a/link"] {
        let meta = copy.join(name).symlink_metadata().unwrap();
        assert_eq!((meta.uid(), meta.gid()), (4242, 4243), "{name}");
    }
}
