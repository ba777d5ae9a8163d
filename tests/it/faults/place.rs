//! A server of its own for one test: programs, settings, data directory, interpreters and content.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::{processes, served, wait_for};

/// Nothing that these tests start takes this long, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
const INTERPRETER: &str = include_str!("interpreter.sh");
/// Present in the environment of everything that a place starts; its value is the place.
pub(crate) const MARK: &str = "FAULTS_PLACE";

/// A server; dropped, it is removed.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    /// The mount namespace in which commands run, where it is not the test's own.
    namespace: Option<u32>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code, 128 and the number for a signal, as a shell tells it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = output.status.signal().map(|signal| 128 + signal);
        Self {
            code: output.status.code().or(signal).unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    /// The one line that says why it failed.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        let mut lines = self
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("error: "));
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("no error is told: {}", self.stderr));
        assert_eq!(lines.next(), None, "{}", self.stderr);
        line
    }
}

fn make(path: &Path, mode: u32) {
    fs::create_dir_all(path).expect("a directory can be made");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

pub(crate) fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("a file can be written");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// A server with these settings besides.
    pub(crate) fn with(settings: &str) -> Self {
        // Not in /tmp: a server's own TMPDIR may be closed to other accounts.
        let dir = tempfile::Builder::new()
            .prefix("offhost-faults-")
            .tempdir_in("/var/tmp")
            .expect("a directory can be made");
        make(dir.path(), 0o755);
        let place = Self { dir, namespace: None };
        for (name, mode) in [
            ("bin", 0o755),
            ("data", 0o711),
            ("temp", 0o1777),
            ("config", 0o755),
            ("sync", 0o777),
            ("interpreters", 0o755),
            ("content", 0o755),
        ] {
            make(&place.path(name), mode);
        }
        for name in ["python3", "R"] {
            write(&place.path("interpreters").join(name), INTERPRETER, 0o755);
        }
        place.take_programs();
        place.configure(settings);
        place
    }

    /// Programs at paths of their own, by which their processes are told from those of other tests.
    fn take_programs(&self) {
        let offhost = Path::new(env!("CARGO_BIN_EXE_offhost"));
        for program in ["offhost", "offhost-exec", "offhost-pam"] {
            let (from, to) = (offhost.with_file_name(program), self.path("bin").join(program));
            fs::hard_link(&from, &to)
                .or_else(|_| fs::copy(&from, &to).map(drop))
                .expect("the programs are built");
        }
    }

    pub(crate) fn configure(&self, settings: &str) {
        let at = |name: &str| self.path(name).display().to_string();
        let text = format!(
            "[Server]\nDataDir = {}\nTempDir = {}\n[R]\nExecutable = {}/R\nExecutableScanning = false\n\
             [Python]\nEnabled = true\nExecutable = {}/python3\nExecutableScanning = false\n{settings}\n",
            at("data"),
            at("temp"),
            at("interpreters"),
            at("interpreters"),
        );
        write(&self.path("config").join("rstudio-connect.gcfg"), &text, 0o644);
    }

    /// The place in the mount namespace of this process.
    pub(crate) fn within(mut self, holder: u32) -> Self {
        self.namespace = Some(holder);
        self
    }

    /// A path as the commands see it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path of the data directory as this test sees it.
    pub(crate) fn data(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.seen("data").join(relative)
    }

    /// A path as this test sees it, in the namespace of the commands.
    pub(crate) fn seen(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        match self.namespace {
            Some(pid) => PathBuf::from(format!("/proc/{pid}/root{}", path.display())),
            None => path,
        }
    }

    /// `offhost` with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program = self.path("bin/offhost");
        let mut command = match self.namespace {
            Some(pid) => {
                let mut command = Command::new("nsenter");
                command
                    .arg(format!("--mount=/proc/{pid}/ns/mnt"))
                    .arg("--")
                    .arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .args(arguments)
            .arg("--config")
            .arg(self.path("config/rstudio-connect.gcfg"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("FAULTS_SYNC", self.path("sync"))
            .env(MARK, self.dir.path())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("offhost starts")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().expect("offhost starts"))
    }

    /// A notebook whose packages are installed first; `code` is the interpreter's own shell.
    pub(crate) fn notebook(&self, name: &str, stamp: &str, code: &str) -> String {
        self.notebook_with(name, stamp, "example==1.0", code)
    }

    /// A notebook with a requirement of its own.
    pub(crate) fn notebook_with(&self, name: &str, stamp: &str, requirement: &str, code: &str) -> String {
        let notebook = r#"{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#;
        let manifest = r#"{"version": 1, "metadata": {"appmode": "jupyter-static", "entrypoint": "notebook.ipynb"},
            "python": {"version": "3.11.2", "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
            "files": {}}"#;
        self.content(
            name,
            &[
                ("manifest.json", manifest),
                ("notebook.ipynb", notebook),
                ("requirements.txt", &format!("{requirement}\n")),
                ("stamp.txt", stamp),
                ("code.sh", code),
            ],
        )
    }

    /// A directory with these files, made anew.
    pub(crate) fn content(&self, name: &str, files: &[(&str, &str)]) -> String {
        let directory = self.path("content").join(name);
        let _ = fs::remove_dir_all(&directory);
        make(&directory, 0o755);
        for (file, text) in files {
            write(&directory.join(file), text, 0o644);
        }
        directory.display().to_string()
    }

    /// A job file with this specification, one `key: value` a line.
    pub(crate) fn job(&self, name: &str, spec: &str) -> String {
        let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata:\n  name: {name}\nspec:\n{spec}"
        );
        let path = self.path("content").join(format!("{name}.yaml"));
        write(&path, &text, 0o644);
        path.display().to_string()
    }

    /// Waits until a process has come to `meet NAME`.
    pub(crate) fn reached(&self, name: &str) {
        let path = self.path("sync").join(format!("{name}.reached"));
        wait_for(name, LIMIT, || path.exists().then_some(()));
    }

    /// Lets processes that wait in `meet NAME` go on.
    pub(crate) fn go(&self, name: &str) {
        write(&self.path("sync").join(format!("{name}.go")), "", 0o644);
    }

    /// Forgets who was where.
    pub(crate) fn forget(&self) {
        for entry in fs::read_dir(self.path("sync")).expect("it is there").flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Nothing that this place has started runs any more; the kernel may take a moment.
    #[track_caller]
    pub(crate) fn assert_no_process(&self, moment: Duration) {
        let start = std::time::Instant::now();
        loop {
            let left = processes::of(self.dir.path());
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < moment, "still running: {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Nothing that this place has started runs any more, but its server.
    #[track_caller]
    pub(crate) fn assert_no_process_but_server(&self) {
        wait_for("the end of the processes", LIMIT, || {
            let left = processes::of(self.dir.path());
            left.iter().all(|process| process.name == "offhost").then_some(())
        });
    }

    /// Nothing of a job that is over is left, but results, bundles, environments and records.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        let left = served::leftovers(&self.seen("data"), &self.seen("temp"));
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

/// The output of a child, once it has ended.
pub(crate) fn wait(child: Child) -> Done {
    Done::of(child.wait_with_output().expect("it was started"))
}
