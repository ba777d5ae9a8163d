//! Shared environments: made once, whole or not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use offhost::data::{EnvironmentError, Environments, FileLock, Published, Stage, layout, sweep};

use super::{files, listing, new_data};
use crate::support::wait_until_unlocked;

fn target() -> PathBuf {
    layout::python_environment("3.11.2", "abc")
}

fn make(environments: &Environments<'_>, key: &str, waited: &AtomicU32) -> Stage {
    let staging = layout::staging_beside(&target(), key);
    let wait = |lock: &Path| {
        waited.fetch_add(1, Ordering::Relaxed);
        FileLock::exclusive_while(lock, || true)
    };
    environments.stage(&target(), &staging, None, wait).unwrap()
}

/// Proves: PK2 (L)
#[test]
fn two_installers_of_one_key_make_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let environments = Environments::new(&data);
    let (made, waited) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for n in 0..6 {
            let (environments, made, waited) = (&environments, &made, &waited);
            scope.spawn(move || match make(environments, &format!("k{n}"), waited) {
                Stage::GivenUp => panic!("it was waited for"),
                Stage::Present(path) => assert!(path.join("pyvenv.cfg").exists()),
                Stage::Make(staging) => {
                    made.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(std::time::Duration::from_millis(30));
                    files(staging.path(), &[("pyvenv.cfg", "home")]);
                    assert_eq!(environments.publish(staging).unwrap(), Published::Here);
                }
            });
        }
    });
    assert_eq!(made.into_inner(), 1);
    assert!(waited.into_inner() >= 1);
    assert_eq!(
        listing(&data.path("python-environments/pip/3.11.2")),
        ["abc/", "abc/pyvenv.cfg"]
    );
}

/// Proves: PK2 (L)
#[test]
fn a_killed_installation_is_not_present_and_does_not_block_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let environments = Environments::new(&data);
    let waited = AtomicU32::new(0);
    let Stage::Make(killed) = make(&environments, "k1", &waited) else {
        panic!("nothing is there yet")
    };
    files(killed.path(), &[("pyvenv.cfg", "half")]);
    assert!(sweep(&data, dir.path()).removed.is_empty(), "it lives");
    drop(killed);
    wait_until_unlocked(dir.path());
    assert!(!environments.is_present(&target()));
    let Stage::Make(next) = make(&environments, "k1", &waited) else {
        panic!("a half one is not there")
    };
    assert_eq!(listing(next.path()), [""; 0]);
    drop(next);
    wait_until_unlocked(dir.path());
    assert_eq!(sweep(&data, dir.path()).removed.len(), 1);
    assert_eq!(waited.into_inner(), 0);
    let Stage::Make(last) = make(&environments, "k3", &AtomicU32::new(0)) else {
        panic!("nothing is there")
    };
    environments.discard(last).unwrap();
    assert_eq!(
        listing(&data.path("python-environments")),
        ["pip/", "pip/3.11.2/"]
    );
}

/// Another machine may share the directory, but not the locks.
///
/// Proves: PK2 (L)
#[test]
fn losing_a_race_discards_the_own_environment() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let environments = Environments::new(&data);
    let Stage::Make(own) = make(&environments, "k1", &AtomicU32::new(0)) else {
        panic!("nothing is there yet")
    };
    files(own.path(), &[("pyvenv.cfg", "second")]);
    files(&data.path(target()), &[("pyvenv.cfg", "first")]);
    assert_eq!(environments.publish(own).unwrap(), Published::Before);
    assert_eq!(
        std::fs::read_to_string(data.path(target()).join("pyvenv.cfg")).unwrap(),
        "first"
    );
    assert_eq!(
        listing(&data.path("python-environments/pip/3.11.2")),
        ["abc/", "abc/pyvenv.cfg"]
    );
}

/// Proves: PK5 (L, P)
#[test]
fn packages_of_node_are_a_directory_and_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let environments = Environments::new(&data);
    let target = layout::node_environments().join("20.1.0/abc");
    let make = |key: &str| {
        let staging = layout::staging_beside(&target, key);
        match environments.stage(&target, &staging, None, |_| Ok(None)).unwrap() {
            Stage::Make(staging) => staging,
            other => panic!("{other:?}"),
        }
    };
    let linked = make("k1");
    files(linked.path(), &[("package.json", "{}")]);
    std::os::unix::fs::symlink("/etc", linked.path().join("node_modules")).unwrap();
    let refused = environments.publish(linked).unwrap_err();
    assert!(
        matches!(refused, EnvironmentError::NoEnvironment { .. }),
        "{refused}"
    );
    let whole = make("k2");
    files(whole.path(), &[("node_modules/ms/index.js", "")]);
    assert_eq!(environments.publish(whole).unwrap(), Published::Here);
    // What a kill leaves of another one is swept.
    let other = target.with_file_name("other");
    let staging = layout::staging_beside(&other, "k3");
    drop(environments.stage(&other, &staging, None, |_| Ok(None)).unwrap());
    wait_until_unlocked(dir.path());
    assert_eq!(sweep(&data, dir.path()).removed.len(), 1);
}

/// Proves: PK1 (L), PW1 (L)
#[test]
fn r_packages_are_published_one_by_one_and_linked_into_a_library() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let environments = Environments::new(&data);
    let stage = |job: &str| {
        let staging = layout::r_staging("4.2.2", job);
        environments
            .stage_library(&layout::r_library("4.2.2", "lib"), &staging, None, |_| Ok(None))
            .unwrap()
    };
    let Stage::Make(built) = stage("k1") else {
        panic!("nothing is there yet")
    };
    assert!(matches!(stage("k2"), Stage::GivenUp), "it is being made");
    let package = built.path().join("library/rlang");
    files(&package, &[("DESCRIPTION", "Package: rlang")]);
    let publish = |hash| environments.publish_package("4.2.2", "rlang", hash, &package);
    assert_eq!(publish("h1").unwrap(), Published::Here);
    assert!(
        data.path("packrat/4.2.2/v2/library/rlang/h1/rlang/DESCRIPTION")
            .is_file()
    );
    assert!(
        matches!(publish("h1"), Err(EnvironmentError::NoPackage { .. })),
        "nothing is built any more"
    );
    files(&package, &[("DESCRIPTION", "Package: rlang")]);
    assert_eq!(publish("h1").unwrap(), Published::Before);
    assert!(!package.exists());
    let packages = BTreeMap::from([("rlang".to_owned(), "h1".to_owned())]);
    assert_eq!(
        environments.publish_library("4.2.2", "lib", &packages).unwrap(),
        Published::Here
    );
    assert_eq!(
        environments.publish_library("4.2.2", "lib", &packages).unwrap(),
        Published::Before
    );
    let link = std::fs::read_link(data.path("packrat/4.2.2/libraries/lib/rlang")).unwrap();
    assert_eq!(
        link,
        Path::new("/opt/rstudio-connect/mnt/packrat/4.2.2/v2/library/rlang/h1/rlang")
    );
    drop(built);
    wait_until_unlocked(dir.path());
    assert_eq!(sweep(&data, dir.path()).removed.len(), 1);
    assert!(!data.path("R/4.2.2/staging.k1").exists());
}

/// Proves: FS4 (L)
#[test]
fn no_name_leads_out_of_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let environments = Environments::new(&data);
    for bad in ["", "..", ".x", "a/b", "a\nb"] {
        let packages = BTreeMap::from([(bad.to_owned(), "h".to_owned())]);
        assert!(
            environments.publish_library("4.2.2", "lib", &packages).is_err(),
            "{bad:?}"
        );
        assert!(
            environments
                .publish_package("4.2.2", "p", bad, dir.path())
                .is_err(),
            "{bad:?}"
        );
    }
    let stage = |target: &str, staging: &str| {
        environments
            .stage(Path::new(target), Path::new(staging), None, |_| Ok(None))
            .map(|_| ())
    };
    assert!(matches!(
        stage("a/../../x", "a/../../y"),
        Err(EnvironmentError::Name { .. })
    ));
    assert!(matches!(
        stage("/etc/x", "/etc/y"),
        Err(EnvironmentError::Name { .. })
    ));
    assert!(matches!(
        stage("a/x", "b/y"),
        Err(EnvironmentError::NotBeside { .. })
    ));
}
