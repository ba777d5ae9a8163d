//! What is launched, and by whom.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use offhost::local::launcher::{Launcher, Streams};
use offhost::local::pam::Session;
use offhost::sandbox::{MaskPath, SandboxMode, SandboxSpec};

/// Masked directories.
pub(crate) const MASKS: usize = 10;
/// An account that needs no entry anywhere.
pub(crate) const ACCOUNT: u32 = 61_234;
pub(crate) const PROGRAM: &str = "/bin/true";
/// The service of PAM sessions, as `PAM.SessionService` has it by default, and an account that every machine knows.
const SERVICE: &str = "su";
const SESSION_ACCOUNT: &str = "nobody";

/// A launcher of ours and what it launches.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) masked: Vec<PathBuf>,
    /// The helper.
    pub(crate) helper: PathBuf,
    launcher: Launcher,
    spec: SandboxSpec,
}

impl Scene {
    /// Makes the masked directories below `below`, and copies the helper and this program there, where all accounts can
    /// reach them.
    pub(crate) fn make(below: &Path) -> Result<Self, String> {
        let fault = |error: std::io::Error| format!("make directories below {}: {error}", below.display());
        let below = below.canonicalize().map_err(fault)?;
        // Another account has to reach what it masks.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&below, open).map_err(fault)?;
        let masked: Vec<_> = (0..MASKS).map(|n| below.join(format!("masked-{n}"))).collect();
        masked.iter().try_for_each(std::fs::create_dir).map_err(fault)?;
        let helper = below.join("offhost-exec");
        std::fs::copy(super::helper(), &helper).map_err(fault)?;
        std::env::current_exe()
            .and_then(|own| std::fs::copy(own, Self::program_beside(&helper)))
            .map_err(fault)?;
        Self::of(helper, masked, SandboxMode::RootUserns)
    }

    /// This program, where all accounts can reach it.
    pub(crate) fn program_beside(helper: &Path) -> PathBuf {
        helper.with_file_name("launch")
    }

    /// A launch in this form that masks directories that are there.
    pub(crate) fn of(helper: PathBuf, masked: Vec<PathBuf>, mode: SandboxMode) -> Result<Self, String> {
        let launcher = Launcher::at(&helper).map_err(|error| error.to_string())?;
        let spec = specification(&masked, mode);
        Ok(Self {
            masked,
            helper,
            launcher,
            spec,
        })
    }

    /// The same in a PAM session, where one can be opened.
    pub(crate) fn in_session(&self) -> Result<Self, String> {
        let monitor = Path::new(env!("CARGO_BIN_EXE_offhost-pam"));
        let session = Session::of_service(monitor, SERVICE, SESSION_ACCOUNT);
        let mut scene = self.clone();
        scene.launcher = scene.launcher.in_session(session);
        let tried = scene.launch();
        tried
            .map(|()| scene)
            .map_err(|error| format!("no PAM session can be opened: {error}"))
    }

    /// From the start to the reaped exit.
    pub(crate) fn launch(&self) -> Result<(), String> {
        let streams = Streams {
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::inherit(),
        };
        let launch = || {
            let mut running = self.launcher.start(&self.spec, streams)?;
            let layers = running.wait_started()?;
            running.wait(layers)
        };
        match launch() {
            Ok(ended) if ended.succeeded() => Ok(()),
            Ok(ended) => Err(format!("offhost: {PROGRAM} ended with {ended:?}")),
            Err(error) => Err(format!("offhost: {error}")),
        }
    }
}

fn specification(masked: &[PathBuf], mode: SandboxMode) -> SandboxSpec {
    let mask = |path: &PathBuf| MaskPath {
        path: path.clone(),
        required: true,
    };
    SandboxSpec {
        mode,
        argv: vec![PROGRAM.to_owned()],
        env: vec!["PATH=/usr/bin:/bin".to_owned()],
        cwd: PathBuf::from("/"),
        uid: ACCOUNT,
        gid: ACCOUNT,
        groups: vec![ACCOUNT],
        masks: masked.iter().map(mask).collect(),
        binds: Vec::new(),
        rlimits: Vec::new(),
        cgroup: None,
        timeout_ms: Some(60_000),
        grace_ms: 1_000,
        serve: None,
    }
}

/// Where `PATH` finds a program.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// The same namespaces, account and masks, as bubblewrap's own options say them.
pub(crate) fn bubblewrap(program: &Path, masked: &[PathBuf], besides: &[&str]) -> Command {
    let mut command = Command::new(program);
    let account = ACCOUNT.to_string();
    command
        .args(besides)
        .args([
            "--bind",
            "/",
            "/",
            "--dev-bind",
            "/dev",
            "/dev",
            "--proc",
            "/proc",
        ])
        .args([
            "--unshare-user",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
        ])
        .args(["--uid", &account, "--gid", &account]);
    for path in masked {
        command.arg("--tmpfs").arg(path);
    }
    command.arg(PROGRAM);
    command
}

/// The same namespaces and nothing else.
pub(crate) fn unshare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-Urmpiuf", "--mount-proc", PROGRAM]);
    command
}

/// As the launcher spawns its helper: no environment, in `/`.
pub(crate) fn spawn(mut command: Command) -> Result<(), String> {
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command.get_program().display())),
        Err(error) => Err(format!("{}: {error}", command.get_program().display())),
    }
}
