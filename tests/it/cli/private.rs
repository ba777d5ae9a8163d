//! What other accounts of the machine can learn of a job: nothing.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::place::Place;
use crate::support::needs;

const ROOT: &str = "it runs jobs as another account";

/// The files of the one job, by name.
fn job_files(place: &Place) -> Vec<PathBuf> {
    let children = |path: PathBuf| {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    children(place.path("data/jobs"))
        .flat_map(children)
        .filter(|path| path.is_dir())
        .flat_map(children)
        .collect()
}

/// A data directory that is closed to everybody else does: content reaches what it may through its mounts alone.
///
/// Proves: FS4 (L), SB8 (L)
#[test]
fn the_data_directory_and_the_output_of_jobs_are_the_servers_own() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    std::fs::set_permissions(place.path("data"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let job = place.shell_job("echo private; ls; df /dev/shm | tail -n 1", "");
    let done = place.offhost(["run".as_ref(), job.as_os_str()]).go();
    done.succeeded();
    let files = job_files(&place);
    let log = files.iter().find(|path| path.ends_with("task.log")).unwrap();
    let meta = std::fs::metadata(log).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (0, 0o600));
    assert!(std::fs::read_to_string(log).unwrap().starts_with("private\n"));
    let inputs = files.iter().find(|path| path.ends_with("task.inputs")).unwrap();
    let meta = std::fs::metadata(inputs).unwrap();
    assert_ne!(meta.uid(), 0, "the process's own account reads its inputs");
    assert_eq!(meta.mode() & 0o777, 0o500);
}
