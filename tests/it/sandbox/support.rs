//! A data directory with a secret in it, a specification of a sandbox that masks it, and programs run in there.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use offhost::local::launcher::{Ended, LaunchError, Launcher, Running, Streams};
use offhost::sandbox::{Bind, MaskPath, SandboxMode, SandboxSpec};

use super::tools::write_program;

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_offhost-exec");
pub(crate) const PYTHON: &str = "/usr/bin/python3";
const MODES: [SandboxMode; 3] = [
    SandboxMode::RootUserns,
    SandboxMode::Root,
    SandboxMode::Unprivileged,
];

/// Whether the tests that need root were asked for; says so where not.
pub(crate) fn asked_for(test: &str) -> bool {
    let asked = std::env::var_os("OFFHOST_TEST_ROOT").is_some_and(|value| value == "1");
    if !asked {
        println!("SKIPPED {test}: needs root and OFFHOST_TEST_ROOT=1, as set by make test");
    } else {
        assert!(
            rustix::process::geteuid().is_root(),
            "OFFHOST_TEST_ROOT=1 needs root"
        );
    }
    asked
}

/// Runs a test once in each mode, and says which one when it fails.
pub(crate) fn in_each_mode(test: &str, body: impl Fn(Rig)) {
    in_modes(test, &MODES, body);
}

/// Runs a test in some modes.
pub(crate) fn in_modes(test: &str, modes: &[SandboxMode], body: impl Fn(Rig)) {
    struct Says<'a>(&'a str, SandboxMode);
    impl Drop for Says<'_> {
        fn drop(&mut self) {
            let word = if std::thread::panicking() {
                "FAILED"
            } else {
                "passed"
            };
            println!("{word} {} in mode {:?}", self.0, self.1);
        }
    }
    if !asked_for(test) {
        return;
    }
    for mode in modes {
        let _says = Says(test, *mode);
        body(Rig::new(*mode));
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) ended: Result<Ended, LaunchError>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What it printed; it must have ended well.
    pub(crate) fn good(self) -> String {
        let text = self.text();
        match &self.ended {
            Ok(ended) if ended.succeeded() => text,
            other => panic!("{other:?}\nstdout: {text}\nstderr: {}", self.stderr),
        }
    }

    /// Why the sandbox was not made; it must not have been.
    pub(crate) fn refusal(&self) -> String {
        match &self.ended {
            Err(error) => error.to_string(),
            Ok(ended) => panic!("it ran: {ended:?}\n{}{}", self.text(), self.stderr),
        }
    }
}

/// One sandbox to try things in.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) mode: SandboxMode,
    /// An account of its own that has no entry anywhere, so that tests do not see each other's processes.
    pub(crate) uid: u32,
    /// What must not be read.
    pub(crate) secret: String,
    directory: tempfile::TempDir,
    /// Runs the whole launch in another program, for example `unshare -m`; a shell line that ends where the program and
    /// its arguments follow.
    around: Option<String>,
    /// Shell lines run as root before the helper is.
    before: String,
    /// How the helper is started, in front of its path.
    with: String,
}

impl Rig {
    pub(crate) fn new(mode: SandboxMode) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let uid = 100_000 + std::process::id() % 10_000 * 100 + NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let rig = Self {
            mode,
            uid,
            secret: format!("s3cr3t-{uid}-{nanos:016x}"),
            directory,
            around: None,
            before: String::new(),
            with: match mode {
                SandboxMode::Unprivileged => format!("setpriv --reuid {uid} --regid {uid} --clear-groups"),
                _ => String::new(),
            },
        };
        fs::create_dir(rig.data()).unwrap();
        // Readable by all: only the mask stands before it.
        fs::write(rig.data().join("secret"), &rig.secret).unwrap();
        rig
    }

    /// A place that all accounts can reach.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    /// The masked directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A new directory that belongs to the account.
    pub(crate) fn own_directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        chown(&path, Some(self.uid), Some(self.uid)).unwrap();
        path
    }

    pub(crate) fn around(mut self, line: &str) -> Self {
        self.around = Some(line.to_owned());
        self
    }

    pub(crate) fn before(mut self, lines: &str) -> Self {
        self.before.push_str(lines);
        self.before.push('\n');
        self
    }

    pub(crate) fn with(mut self, words: &str) -> Self {
        self.with = format!("{words} {}", self.with);
        self
    }

    /// Between everything else and the helper.
    pub(crate) fn innermost(mut self, words: &str) -> Self {
        self.with = format!("{} {words}", self.with);
        self
    }

    /// The ordinary user's groups, where the mode has one.
    pub(crate) fn in_groups(mut self, groups: &[u32]) -> Self {
        let words: Vec<String> = groups.iter().map(u32::to_string).collect();
        self.with = self
            .with
            .replace("--clear-groups", &format!("--groups {}", words.join(",")));
        self
    }

    /// A sandbox in which the data directory is masked, that runs this.
    pub(crate) fn spec(&self, argv: &[&str]) -> SandboxSpec {
        SandboxSpec {
            mode: self.mode,
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: vec![
                "PATH=/usr/bin:/bin:/usr/sbin:/sbin".to_owned(),
                "LANG=C".to_owned(),
            ],
            cwd: PathBuf::from("/"),
            uid: self.uid,
            gid: self.uid,
            groups: vec![self.uid],
            masks: vec![mask(&self.data())],
            binds: Vec::new(),
            rlimits: Vec::new(),
            cgroup: None,
            // No test hangs for longer than this.
            timeout_ms: Some(60_000),
            grace_ms: 500,
            serve: None,
        }
    }

    pub(crate) fn sh(&self, script: &str) -> SandboxSpec {
        self.spec(&["/bin/sh", "-c", script])
    }

    pub(crate) fn python(&self, script: &str, arguments: &[&str]) -> SandboxSpec {
        let words: Vec<&str> = [PYTHON, "-I", "-S", "-c", script]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.spec(&words)
    }

    /// Starts it with these streams.
    pub(crate) fn launch(&self, spec: &SandboxSpec, streams: Streams) -> Result<Running, LaunchError> {
        Launcher::at(&self.helper()).unwrap().start(spec, streams)
    }

    /// Starts it, with pipes to read from, and waits until it runs.
    pub(crate) fn start(&self, spec: &SandboxSpec) -> (Running, Vec<String>) {
        let mut running = self.launch(spec, pipes()).unwrap();
        let layers = running.wait_started().unwrap();
        (running, layers)
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, spec: &SandboxSpec) -> Outcome {
        let mut running = self.launch(spec, pipes()).unwrap();
        let (mut stdout, mut stderr) = (running.take_stdout().unwrap(), running.take_stderr().unwrap());
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let ended = std::thread::spawn(move || {
            let layers = running.wait_started()?;
            running.wait(layers)
        });
        let mut text = Vec::new();
        stdout.read_to_end(&mut text).unwrap();
        Outcome {
            ended: ended.join().unwrap(),
            stdout: text,
            stderr: errors.join().unwrap(),
        }
    }

    /// The helper of this rig, for a launcher.
    pub(crate) fn launcher(&self) -> PathBuf {
        self.helper()
    }

    /// The helper, or a script that starts it in the surroundings asked for.
    fn helper(&self) -> PathBuf {
        if self.around.is_none() && self.before.is_empty() && self.with.is_empty() {
            return PathBuf::from(HELPER);
        }
        let around = self.around.as_ref().map(|line| {
            format!("[ \"$OFFHOST_INSIDE\" ] || {{ export OFFHOST_INSIDE=1; exec {line} \"$0\" \"$@\"; }}\n")
        });
        let script = format!(
            "#!/bin/sh\n{}{}exec {} {} \"$@\"\n",
            around.unwrap_or_default(),
            self.before,
            self.with,
            self.reachable_helper().display()
        );
        let path = self.path("launch.sh");
        write_program(&path, &script);
        path
    }
}

impl Rig {
    /// The helper where an ordinary account can reach it, which need not hold for the build directory.
    fn reachable_helper(&self) -> PathBuf {
        let path = self.path("offhost-exec");
        let made = "[ -e \"$1\" ] || ln \"$0\" \"$1\" 2>/dev/null || cp \"$0\" \"$1\"";
        let status = Command::new("/bin/sh")
            .args(["-c", made, HELPER])
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
        path
    }
}

/// A required mask.
pub(crate) fn mask(path: &Path) -> MaskPath {
    MaskPath {
        path: path.to_owned(),
        required: true,
    }
}

pub(crate) fn bind(source: &Path, target: impl Into<PathBuf>, read_only: bool) -> Bind {
    Bind {
        source: Some(source.to_owned()),
        target: target.into(),
        read_only,
    }
}

pub(crate) fn pipes() -> Streams {
    Streams {
        stdin: Stdio::null(),
        stdout: Stdio::piped(),
        stderr: Stdio::piped(),
    }
}
