//! What several integration tests share.

use std::io::Write;
use std::panic::Location;
use std::path::Path;
use std::time::{Duration, Instant};

use offhost::data::{FileLock, Probe};

/// Whether a test may run that needs more than every machine has: true where the variable is `1`. Else it says that
/// the test is skipped and why, on its output and in the file that `OFFHOST_TEST_SKIPS` names, from which `make test`
/// counts.
#[track_caller]
pub(crate) fn needs(variable: &str, why: &str) -> bool {
    if std::env::var(variable).is_ok_and(|value| value == "1") {
        return true;
    }
    let line = format!(
        "{}: {why}; set {variable}=1 to run it",
        test_name(Location::caller())
    );
    // Past the capture of the test harness, so that it is seen; in one write, because tests run side by side.
    let _ = std::io::stderr().write_all(format!("\nSKIPPED {line}\n").as_bytes());
    if let Some(path) = std::env::var_os("OFFHOST_TEST_SKIPS") {
        let mut file = std::fs::File::options()
            .append(true)
            .create(true)
            .open(path)
            .expect("OFFHOST_TEST_SKIPS names a file that can be written");
        // One write: tests run at once, and lines that are appended whole do not mix.
        file.write_all(format!("{line}\n").as_bytes())
            .expect("the line is written");
    }
    false
}

/// A test's thread has its name, unless tests run one at a time.
fn test_name(caller: &Location<'_>) -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => format!("{}:{}", caller.file(), caller.line()),
    }
}

/// Waits until nobody holds a lock below `root`. A child that another test is just starting has, until its exec, what this
/// process had: a lock that was dropped stays held for that moment.
pub(crate) fn wait_until_unlocked(root: &Path) {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until && is_locked(root) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_locked(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return is_locked(&path);
        }
        let is_lock = path.extension().is_some_and(|end| end == "lock");
        is_lock && matches!(FileLock::probe(&path), Ok(Probe::Held))
    })
}

/// Set in the process that the test below starts.
const CHILD: &str = "OFFHOST_TEST_SUPPORT_CHILD";

/// `make test` can only refuse skipped tests if none of them stays unseen.
#[test]
fn a_skipped_test_is_written_down() {
    if std::env::var_os(CHILD).is_some() {
        assert!(!needs("OFFHOST_TEST_NEVER_SET", "it is an example"));
        return;
    }
    let skips = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let own_name = "support::a_skipped_test_is_written_down";
    let child = std::process::Command::new(std::env::current_exe().expect("a test has a program"))
        .args(["--exact", own_name])
        .env(CHILD, "1")
        .env("OFFHOST_TEST_SKIPS", skips.path())
        .output()
        .expect("the test can start itself");
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success() && text.contains("1 passed"), "{text}");
    let written = std::fs::read_to_string(skips.path()).expect("the file can be read");
    assert!(
        written.ends_with(": it is an example; set OFFHOST_TEST_NEVER_SET=1 to run it\n"),
        "{written}"
    );
    assert_eq!(written.lines().count(), 1);
}
