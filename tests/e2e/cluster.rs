//! What the suite finds in its environment, and the programs that it runs.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support;

/// Whether there is a cluster. Without one the test is skipped, and says so.
#[track_caller]
pub(crate) fn there() -> bool {
    std::env::var_os("KUBECONFIG").is_some()
        || support::needs("OFFHOST_TEST_CLUSTER", "there is no cluster (KUBECONFIG)")
}

/// What the names of images begin with.
pub(crate) fn registry() -> String {
    std::env::var("OFFHOST_TEST_IMAGES").unwrap_or_else(|_| "registry.offhost.test:5000".to_owned())
}

/// An image of the project, as it was loaded: `offhost`, `offhost-exec`, `offhost-content`.
pub(crate) fn image(name: &str) -> String {
    format!("{}/{name}:test", registry())
}

/// A directory that this machine and all nodes have under the same path.
pub(crate) fn volumes() -> PathBuf {
    std::env::var_os("OFFHOST_TEST_VOLUME").map_or_else(
        || PathBuf::from("/var/lib/offhost-cluster/test/volume"),
        PathBuf::from,
    )
}

/// Runs a program; it must succeed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = try_run(command);
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a program to its end.
#[track_caller]
pub(crate) fn try_run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} can not be started: {error}"))
}

/// `helm4` where there is one, else `helm`.
pub(crate) fn helm() -> Command {
    let on_path = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| directory.join(name).exists())
    };
    Command::new(if on_path("helm4") { "helm4" } else { "helm" })
}

/// The program of this project.
pub(crate) fn offhost() -> Command {
    Command::new(env!("CARGO_BIN_EXE_offhost"))
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
