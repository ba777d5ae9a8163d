//! Whole runs of the real programs while something goes wrong: kills at every stage, signals, full and read-only disks,
//! and many jobs at once. What is served must be a whole result at every moment, and nothing may be left behind.

mod codes;
mod disk;
mod installs;
mod kills;
pub(crate) mod mount;
pub(crate) mod place;
pub(crate) mod processes;
mod renders;
mod retention;
pub(crate) mod served;
mod signals;
mod supervisor;

/// Whether these tests may run: they make sandboxes for another account.
#[track_caller]
pub(crate) fn may_run() -> bool {
    crate::support::needs("OFFHOST_TEST_ROOT", "it starts content as another account")
}

/// Asks again until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, limit: std::time::Duration, ask: impl Fn() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "{what} did not come within {limit:?}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Holds a lock of the data directory, as another server's process would.
fn hold(path: &std::path::Path) -> std::fs::File {
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let file = file.expect("the lock can be opened");
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).expect("nobody holds it");
    file
}
