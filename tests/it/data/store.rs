//! Deployments: each a directory of its own, whole or not there, kept while it is used.

use std::os::unix::fs::{MetadataExt, symlink};

use offhost::data::{BundleOwner, ContentDefaults, ContentId, CopyError, Deploy, Store, StoreError, sweep};

use crate::support::wait_until_unlocked;

use super::{at, content, deploy, files, listing, new_data, renders};

/// Proves: AP2 (L)
#[test]
fn a_new_deployment_is_a_new_directory_with_only_what_was_deployed() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let store = Store::new(&data);
    let tree = dir.path().join("src");
    files(&tree, &[("app.R", "1"), ("old.csv", "x")]);
    assert_eq!(deploy(&data, &tree, true).record.bundle, 1);
    // What an application has written there is not in the next one.
    files(&data.path("apps/sales/1"), &[("cache.rds", "")]);
    std::fs::remove_file(tree.join("old.csv")).unwrap();
    files(&tree, &[("app.R", "2")]);
    let second = deploy(&data, &tree, false);
    assert_eq!((second.record.bundle, second.reused), (2, false));
    assert_eq!(store.active(&content()).unwrap(), Some(1));
    assert_eq!(listing(&data.path("apps/sales/2")), ["app.R"]);
    assert!(data.path("apps/sales/1/old.csv").exists());
    store.activate(&content(), 2).unwrap();
    assert_eq!(
        std::fs::read_link(data.path("apps/sales/active"))
            .unwrap()
            .to_str(),
        Some("2")
    );
    assert!(matches!(
        store.activate(&content(), 3),
        Err(StoreError::NoBundle { .. })
    ));
}

/// Proves: AP1 (L), AP2 (L)
#[test]
fn a_bundle_that_an_application_has_had_is_not_taken_for_what_was_deployed() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let store = Store::new(&data);
    let tree = dir.path().join("src");
    files(&tree, &[("app.R", "1"), ("sub/data.csv", "x")]);
    symlink("sub/data.csv", tree.join("link")).unwrap();
    assert_eq!(deploy(&data, &tree, true).record.bundle, 1);
    let own = rustix::process::geteuid();
    let account = if own.is_root() {
        (4242, 4343)
    } else {
        (own.as_raw(), rustix::process::getegid().as_raw())
    };
    let outside = dir.path().join("outside");
    std::fs::write(&outside, "").unwrap();
    store
        .give_bundle(&content(), 1, BundleOwner::alone(account.0, account.1))
        .unwrap();
    let bundle = data.path("apps/sales/1");
    for name in ["", "app.R", "sub", "sub/data.csv", "link"] {
        let meta = std::fs::symlink_metadata(bundle.join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), account, "{name}");
    }
    // Only once: what content does there later is its own.
    symlink(&outside, bundle.join("planted")).unwrap();
    let planted = std::fs::symlink_metadata(bundle.join("planted")).unwrap();
    store
        .give_bundle(&content(), 1, BundleOwner::alone(account.0, account.1))
        .unwrap();
    let again = std::fs::symlink_metadata(bundle.join("planted")).unwrap();
    assert_eq!(planted.uid(), again.uid());
    if own.is_root() {
        store
            .give_bundle(&content(), 1, BundleOwner::alone(4244, 4343))
            .unwrap();
        assert_eq!(
            std::fs::metadata(&outside).unwrap().uid(),
            0,
            "no link is followed"
        );
        let app = std::fs::metadata(bundle.join("app.R")).unwrap();
        assert_eq!(app.uid(), 4244);
    }
    let next = deploy(&data, &tree, true);
    assert_eq!((next.record.bundle, next.reused), (2, false));
    assert!(deploy(&data, &tree, true).reused, "nobody has had that one");
}

/// Proves: AP2 (L)
#[test]
fn the_same_content_is_the_same_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let tree = dir.path().join("src");
    files(&tree, &[("a/app.R", "1")]);
    assert!(!deploy(&data, &tree, true).reused);
    let again = deploy(&data, &tree, true);
    assert_eq!((again.record.bundle, again.reused), (1, true));
    files(&tree, &[("a/app.R", "2")]);
    assert_eq!(deploy(&data, &tree, true).record.bundle, 2);
    files(&tree, &[("a/app.R", "1")]);
    assert_eq!(
        deploy(&data, &tree, true).record.bundle,
        3,
        "only the latest is compared"
    );
    assert!(listing(data.root()).iter().all(|path| !path.contains(".staging")));
    let mode = data.path("apps/sales/3/a/app.R").metadata().unwrap().mode();
    assert_eq!(mode & 0o777, 0o644, "every account of a job can read it");
}

/// Who deploys from elsewhere under the same name goes on from there.
#[test]
fn a_content_item_follows_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    for tree in [&here, &there] {
        files(tree, &[("app.R", "1")]);
        let deployed = deploy(&data, tree, true).record;
        assert_eq!(deployed.bundle, 1);
        let record = Store::new(&data).content(&content()).unwrap();
        assert_eq!(&record.source, tree);
    }
}

/// Proves: AP2 (L)
#[test]
fn a_killed_deployment_leaves_nothing_but_a_staging_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let tree = dir.path().join("src");
    files(&tree, &[("app.R", "1")]);
    deploy(&data, &tree, true);
    let clean = listing(data.root());
    files(&data.path("apps/sales/.staging-deploy"), &[("app.R", "half")]);
    std::fs::write(data.path("content/sales/bundles/2.json"), "{}").unwrap();
    assert_eq!(Store::new(&data).bundles(&content()).unwrap(), [1]);
    wait_until_unlocked(dir.path());
    assert_eq!(sweep(&data, dir.path()).removed.len(), 2);
    assert_eq!(listing(data.root()), clean);
    files(&data.path("apps/sales/.staging-deploy"), &[("app.R", "half")]);
    files(&tree, &[("app.R", "2")]);
    assert_eq!(deploy(&data, &tree, true).record.bundle, 2);
    assert_eq!(listing(&data.path("apps/sales/2")), ["app.R"]);
}

/// Proves: AP2 (L)
#[test]
fn a_refused_deployment_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let tree = dir.path().join("src");
    files(&tree, &[("app.R", "1")]);
    deploy(&data, &tree, true);
    let clean = listing(data.root());
    symlink("../../etc/passwd", tree.join("link")).unwrap();
    let id = content();
    let order = Deploy {
        content: &id,
        name: "",
        source: &tree,
        tree: &tree,
        activate: true,
        job: None,
        now: at(1),
    };
    let error = Store::new(&data).deploy(&order).unwrap_err();
    assert!(
        matches!(error, StoreError::Copy(CopyError::LinkOut { .. })),
        "{error}"
    );
    assert_eq!(listing(data.root()), clean);
}

/// Proves: AP2 (L)
#[test]
fn deployments_at_once_do_not_clash() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|n| {
                let tree = dir.path().join(format!("src{n}"));
                files(&tree, &[("app.R", &n.to_string())]);
                let data = &data;
                scope.spawn(move || deploy(data, &tree, true).record.bundle)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

/// Proves: AP2 (L)
#[test]
fn old_bundles_stay_while_they_are_active_or_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let store = Store::new(&data);
    let tree = dir.path().join("src");
    for n in 1..=5 {
        files(&tree, &[("app.R", &n.to_string())]);
        deploy(&data, &tree, n == 1);
    }
    let used = [
        store.use_bundle(&content(), 2).unwrap(),
        store.use_bundle(&content(), 2).unwrap(),
    ];
    assert_eq!(store.retain_bundles(&content(), 0).unwrap(), [0; 0]);
    assert_eq!(store.retain_bundles(&content(), 2).unwrap(), [3]);
    assert!(used[0].path().join("app.R").exists());
    let [first, second] = used;
    drop(first);
    assert_eq!(store.retain_bundles(&content(), 2).unwrap(), [0; 0]);
    assert!(matches!(store.remove(&content()), Err(StoreError::InUse { .. })));
    drop(second);
    wait_until_unlocked(&data.path("apps"));
    assert_eq!(store.retain_bundles(&content(), 2).unwrap(), [2]);
    assert_eq!(store.bundles(&content()).unwrap(), [1, 4, 5]);
    assert!(matches!(
        store.use_bundle(&content(), 2),
        Err(StoreError::NoBundle { .. })
    ));
}

/// Proves: FS4 (L)
#[test]
fn content_is_listed_and_removed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let store = Store::new(&data);
    let tree = dir.path().join("src");
    files(&tree, &[("app.R", "1")]);
    deploy(&data, &tree, true);
    drop(renders(&data).begin(None).unwrap());
    let defaults = ContentDefaults {
        image: Some("r:4".into()),
        run_as: None,
    };
    store.set_defaults(&content(), defaults.clone()).unwrap();
    let list = store.list().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(
        (list[0].record.name.as_str(), list[0].active, &list[0].bundles),
        ("Sales", Some(1), &vec![1])
    );
    assert_eq!(
        (list[0].record.created, &list[0].record.defaults),
        (at(0), &defaults)
    );
    store.remove(&content()).unwrap();
    assert!(store.list().unwrap().is_empty());
    assert!(listing(data.root()).iter().all(|path| !path.contains("sales")));
    assert!(matches!(
        store.remove(&content()),
        Err(StoreError::NoContent { .. })
    ));
    assert_eq!(deploy(&data, &tree, true).record.bundle, 1);
}

/// Proves: FS4 (L)
#[test]
fn a_removal_that_is_cut_off_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let tree = dir.path().join("src");
    files(&tree, &[("app.R", "1")]);
    for sweeps in [true, false] {
        deploy(&data, &tree, true);
        std::fs::rename(
            data.path("content/sales"),
            data.path("content/.staging-gone-sales"),
        )
        .unwrap();
        assert!(Store::new(&data).list().unwrap().is_empty());
        if sweeps {
            wait_until_unlocked(dir.path());
            let swept = sweep(&data, dir.path());
            assert!(
                swept.failed.is_empty() && !data.path("apps/sales").exists(),
                "{swept:?}"
            );
        } else {
            // A new deployment of that name ends the removal first.
            assert_eq!(deploy(&data, &tree, true).record.bundle, 1);
            assert!(!data.path("content/.staging-gone-sales").exists());
        }
    }
}

/// Proves: AP2 (L)
#[test]
fn a_missing_bundle_is_told_with_those_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let tree = dir.path().join("src");
    files(&tree, &[("app.R", "1")]);
    deploy(&data, &tree, true);
    let message = Store::new(&data)
        .use_bundle(&content(), 4)
        .unwrap_err()
        .to_string();
    assert_eq!(message, "'sales' has no bundle 4; deploy it, or name one of: 1");
    let other = ContentId::parse("other").unwrap();
    assert!(
        Store::new(&data)
            .content(&other)
            .unwrap_err()
            .to_string()
            .contains("no content 'other'")
    );
}
