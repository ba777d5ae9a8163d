//! A place that the helper's account can reach, and the helper run in it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use offhost::sandbox::{EndCause, Report};

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_offhost-exec");
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// One container to try things in, without the container.
#[derive(Debug)]
pub(crate) struct Rig {
    /// The account of the helper.
    pub(crate) uid: u32,
    /// A word that only processes of this rig have on their command lines.
    pub(crate) marker: String,
    directory: tempfile::TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The helper's exit code; none where it was ended by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// What stands in the termination log.
    pub(crate) message: Option<Report>,
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What it printed; it must have ended well.
    pub(crate) fn good(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.ended(), (Some(0), None, None));
        self.text()
    }

    /// Exit code, signal and cause of the process, as the termination log has them.
    pub(crate) fn ended(&self) -> (Option<i32>, Option<i32>, Option<EndCause>) {
        match self.message {
            Some(Report::Ended { code, signal, cause }) => (code, signal, cause),
            _ => panic!("it did not run: {self:?}"),
        }
    }

    /// Step and sentence of a failure, after which nothing of the content may have run.
    pub(crate) fn failed(&self) -> (String, String) {
        assert_eq!(self.code, Some(125), "{self:?}");
        match &self.message {
            Some(Report::Failed { step, message, hint }) => {
                let sentence = format!("{message}; {hint}");
                assert!(self.stderr.contains(message), "{self:?}");
                (step.clone(), sentence)
            }
            _ => panic!("it ran: {self:?}"),
        }
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = std::process::id() % 10_000 * 100 + NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let own = rustix::process::geteuid();
        let rig = Self {
            uid: if own.is_root() {
                3_000_000 + number
            } else {
                own.as_raw()
            },
            marker: format!("pod-test-{number}-"),
            directory,
        };
        // The build directory need not be open to other accounts. By another process: one that another thread starts
        // could inherit the file while it is open for writing, and it could not be executed then.
        let made = Command::new("cp")
            .arg(HELPER)
            .arg(rig.path("offhost-exec"))
            .status();
        assert!(made.unwrap().success());
        fs::write(rig.message_path(), "").unwrap();
        fs::set_permissions(rig.message_path(), fs::Permissions::from_mode(0o666)).unwrap();
        rig
    }

    /// A place that all accounts can reach.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    /// A new directory that belongs to the account.
    pub(crate) fn own_directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        self.give(&path);
        path
    }

    pub(crate) fn give(&self, path: &Path) {
        if rustix::process::geteuid().is_root() {
            chown(path, Some(self.uid), Some(self.uid)).unwrap();
        }
    }

    fn message_path(&self) -> PathBuf {
        self.path("termination-log")
    }

    /// The termination log.
    pub(crate) fn message(&self) -> Option<Report> {
        let text = fs::read_to_string(self.message_path()).unwrap();
        assert!(text.lines().count() <= 1, "{text}");
        text.lines()
            .next()
            .map(|line| serde_json::from_str(line).unwrap())
    }

    /// The helper with these words, as the account.
    pub(crate) fn helper(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.path("offhost-exec"));
        let (name, rest) = words.split_first().unwrap();
        command
            .arg(name)
            .arg("--termination-log")
            .arg(self.message_path());
        command.args(rest);
        self.as_account(&mut command);
        command
    }

    /// Words for root that start a program as the account.
    pub(crate) fn setpriv(&self) -> String {
        format!("setpriv --reuid {0} --regid {0} --clear-groups", self.uid)
    }

    /// The helper as the first process of a PID namespace; `None` where this machine does not let us make one.
    pub(crate) fn first(&self, words: &[&str]) -> Option<Command> {
        let mut command = Command::new("unshare");
        let root = rustix::process::geteuid().is_root();
        let own = self.uid.to_string();
        if !root {
            let user = format!("--map-user={own}");
            let group = format!("--map-group={}", rustix::process::getegid().as_raw());
            let ways = ["-U", user.as_str(), group.as_str()];
            let mut tried = Command::new("unshare");
            tried.args(ways).args(["-pf", "--mount-proc", "true"]);
            let tried = tried.stderr(Stdio::null()).status();
            if !tried.is_ok_and(|status| status.success()) {
                return None;
            }
            command.args(ways);
        }
        command.args(["-pf", "--mount-proc", "--kill-child", "--"]);
        if root {
            command.args([
                "setpriv",
                "--reuid",
                &own,
                "--regid",
                &own,
                "--clear-groups",
                "--",
            ]);
        }
        let helper = self.helper(words);
        command.arg(helper.get_program()).args(helper.get_args());
        command.env_clear().envs(surroundings()).current_dir("/");
        Some(command)
    }

    /// Has a command run as the account, with what a container's runtime sets.
    pub(crate) fn as_account(&self, command: &mut Command) {
        if rustix::process::geteuid().is_root() {
            // Supplementary groups are given up with it.
            command.uid(self.uid).gid(self.uid);
        }
        command.env_clear().envs(surroundings()).current_dir("/");
    }

    /// Runs a shell line as the content.
    pub(crate) fn sh(&self, script: &str) -> Outcome {
        self.run_with(&[], script)
    }

    /// The same, with flags.
    pub(crate) fn run_with(&self, flags: &[&str], script: &str) -> Outcome {
        let words = [&["pod"], flags, &["--", "/bin/sh", "-c", script, &self.marker]].concat();
        self.finish(self.start(&mut self.helper(&words)))
    }

    /// Starts a command with pipes to read from.
    pub(crate) fn start(&self, command: &mut Command) -> Child {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits for the end.
    pub(crate) fn finish(&self, mut child: Child) -> Outcome {
        let mut errors = child.stderr.take();
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            errors.as_mut().map(|pipe| pipe.read_to_end(&mut text).unwrap());
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut stdout = Vec::new();
        child
            .stdout
            .take()
            .map(|mut pipe| pipe.read_to_end(&mut stdout).unwrap());
        let status = child.wait().unwrap();
        Outcome {
            code: status.code(),
            stdout,
            stderr: stderr.join().unwrap(),
            message: self.message(),
        }
    }

    /// What runs with the marker on its command line, dead processes that nobody has reaped left out.
    pub(crate) fn processes(&self) -> Vec<String> {
        let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let lines = all.filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&self.marker)
                .then(|| format!("{} {line}", entry.file_name().display()))
        });
        lines.collect()
    }

    pub(crate) fn assert_none_left(&self) {
        wait_until(&format!("all ended, but {:?}", self.processes()), || {
            self.processes().is_empty()
        });
    }
}

/// A program that starts the helper in its place, with its words.
pub(crate) fn through(words: &[&str], helper: &Command) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command.arg(helper.get_program()).args(helper.get_args());
    command
}

/// What a container's runtime sets.
fn surroundings() -> [(&'static str, &'static str); 2] {
    [("PATH", "/usr/bin:/bin:/usr/sbin:/sbin"), ("LANG", "C")]
}

/// The one child of a process.
pub(crate) fn child_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Waits until this holds, but not for long.
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Reads a line that the content prints when it is ready.
pub(crate) fn wait_for_line(child: &mut Child) -> String {
    let mut line = Vec::new();
    let pipe = child.stdout.as_mut().unwrap();
    let mut byte = [0];
    while line.last() != Some(&b'\n') && pipe.read(&mut byte).unwrap() == 1 {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}
