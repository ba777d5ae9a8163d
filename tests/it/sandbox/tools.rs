//! What the tests ask of the machine around the sandbox: its processes, its programs, its time.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::PYTHON;

/// Writes a program by way of a shell: a file that this process, with its many threads that spawn others, has open for
/// writing can be inherited by one of those, and is then refused as "text file busy".
pub(crate) fn write_program(path: &Path, text: &str) {
    let status = Command::new("/bin/sh")
        .args(["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .arg(text)
        .status()
        .unwrap();
    assert!(status.success());
}

/// Words that start a program with this file open in so many descriptors, beyond those that the launcher uses.
pub(crate) fn holding_open(path: &str, count: usize) -> String {
    format!(
        "{PYTHON} -I -S -c \"import fcntl,os,sys\n\
         for n in range({count}): os.set_inheritable(fcntl.fcntl(os.open('{path}', os.O_RDONLY), 0, 100), True)\n\
         os.execvp(sys.argv[1], sys.argv[1:])\""
    )
}

/// Waits until this holds; how long that took.
pub(crate) fn wait_until(limit: Duration, what: &str, holds: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

/// The processes of an account, with their command lines, dead ones that nobody has reaped left out.
pub(crate) fn processes_of(uid: u32) -> Vec<String> {
    let marker = format!("Uid:\t{uid}\t");
    let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let alive = status.contains(&marker) && !status.contains("State:\tZ");
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        alive.then(|| {
            format!(
                "{} {}",
                entry.file_name().display(),
                String::from_utf8_lossy(&line).replace('\0', " ")
            )
        })
    })
    .collect()
}

/// The value after `name:` in the text of a `/proc/PID/status`.
pub(crate) fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
}
