//! Launches in circumstances that a process of their own has: another account, another table of mounts. That process is
//! this program again. It launches once for each line that it reads, and answers with the nanoseconds.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use offhost::sandbox::SandboxMode;

use crate::contestants::{ACCOUNT, MASKS, PROGRAM, Scene, program, spawn};

/// Stands before the circumstance on the command line.
pub(crate) const OPTION: &str = "--apart";
/// Stands before a program that may mount what it likes.
pub(crate) const OWN_MOUNTS: [&str; 4] = ["unshare", "--mount", "--propagation", "private"];
/// Mounts of an ordinary machine, and of one with many containers.
const FEW: usize = 25;
const MANY: usize = 1000;

/// Where a launch happens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circumstance {
    /// Ours, by an account that is not root.
    Unprivileged,
    /// Ours, where the mount namespace has 25 mounts.
    FewMounts,
    /// Ours, where it has 1,000.
    ManyMounts,
    /// Not ours: runc, with the machine's root as its own.
    Runc,
}

impl Circumstance {
    pub(crate) const ALL: [Self; 4] = [Self::Unprivileged, Self::FewMounts, Self::ManyMounts, Self::Runc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unprivileged => "unprivileged",
            Self::FewMounts => "25 mounts",
            Self::ManyMounts => "1,000 mounts",
            Self::Runc => "runc",
        }
    }
}

/// The process of a circumstance.
pub(crate) struct Apart {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Apart {
    /// Starts it, and launches once.
    pub(crate) fn start(circumstance: Circumstance, scene: &Scene) -> Result<Self, String> {
        let named = |error: std::io::Error| format!("{}: {error}", circumstance.name());
        let own = Scene::program_beside(&scene.helper);
        let mut command = if circumstance == Circumstance::Unprivileged {
            let mut command = Command::new(own);
            command.uid(ACCOUNT).gid(ACCOUNT);
            command
        } else {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private"]).arg(own);
            command
        };
        command.args([OPTION, circumstance.name()]);
        command.arg(&scene.helper).args(&scene.masked);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(named)?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("{}: no pipes", circumstance.name()));
        };
        let answers = BufReader::new(answers);
        let mut apart = Self {
            process,
            orders,
            answers,
        };
        let tried = apart.launch();
        tried
            .map(|_| apart)
            .map_err(|error| format!("{}: {error}", circumstance.name()))
    }

    /// The time of one launch.
    pub(crate) fn launch(&mut self) -> Result<Duration, String> {
        let fault = |error: std::io::Error| error.to_string();
        self.orders.write_all(b"\n").map_err(fault)?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(fault)?;
        let nanoseconds = line.trim().parse();
        nanoseconds
            .map(Duration::from_nanos)
            .map_err(|_| "it has ended, and has said why".to_owned())
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It is between two launches, and has nothing to finish.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What that process does: `arguments` are the helper and the masked directories.
pub(crate) fn serve(name: &str, mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let helper = PathBuf::from(arguments.next().ok_or("no helper is named")?);
    let masked: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let circumstance = Circumstance::ALL.into_iter().find(|one| one.name() == name);
    match circumstance.ok_or("no such circumstance")? {
        Circumstance::Unprivileged => {
            let scene = Scene::of(helper, masked, SandboxMode::Unprivileged)?;
            answer(|| scene.launch())
        }
        Circumstance::FewMounts => with_mounts(helper, masked, FEW),
        Circumstance::ManyMounts => with_mounts(helper, masked, MANY),
        Circumstance::Runc => runc(&masked),
    }
}

fn answer(launch: impl Fn() -> Result<(), String>) -> Result<(), String> {
    for line in std::io::stdin().lines() {
        line.map_err(|error| error.to_string())?;
        let start = Instant::now();
        launch()?;
        println!("{}", start.elapsed().as_nanos());
    }
    Ok(())
}

/// Brings the table of mounts of this process to a length, and launches there.
fn with_mounts(helper: PathBuf, masked: Vec<PathBuf>, wanted: usize) -> Result<(), String> {
    let table = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
    let there = table.lines().count();
    if there > FEW {
        eprintln!("bench launch: this machine has {there} mounts already");
    }
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    for number in there..wanted {
        let point = place.path().join(number.to_string());
        let made = fs::create_dir(&point).map_err(|error| error.to_string());
        let flags = rustix::mount::MountFlags::empty();
        made.and_then(|()| {
            rustix::mount::mount("none", &point, "tmpfs", flags, None).map_err(|error| error.to_string())
        })
        .map_err(|error| format!("mount {}: {error}", point.display()))?;
    }
    let scene = Scene::of(helper, masked, SandboxMode::RootUserns)?;
    answer(|| scene.launch())
}

/// A bundle for runc, whose root is the machine's as all others see it.
fn runc(masked: &[PathBuf]) -> Result<(), String> {
    let named = std::env::var_os("OFFHOST_BENCH_RUNC").map(PathBuf::from);
    let runc = named
        .or_else(|| program("runc"))
        .ok_or("runc is not installed; install the package runc, or name it in OFFHOST_BENCH_RUNC")?;
    let bundle = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = bundle.path().join("rootfs");
    let prepared = fs::create_dir(&root).and_then(|()| {
        rustix::mount::mount_bind_recursive("/", &root)?;
        fs::write(bundle.path().join("config.json"), container(masked).to_string())
    });
    prepared.map_err(|error| format!("{}: {error}", bundle.path().display()))?;
    answer(|| spawn(container_run(&runc, bundle.path())))
}

fn container_run(runc: &Path, bundle: &Path) -> Command {
    let mut command = Command::new(runc);
    let state = bundle.join("state");
    command
        .args([OsStr::new("--root"), state.as_os_str(), OsStr::new("run")])
        .args([
            OsStr::new("--bundle"),
            bundle.as_os_str(),
            OsStr::new("offhost-bench"),
        ]);
    command
}

fn container(masked: &[PathBuf]) -> serde_json::Value {
    let every = serde_json::json!([{"containerID": 0, "hostID": 0, "size": u32::MAX}]);
    let mut mounts = vec![
        serde_json::json!({"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}),
        serde_json::json!({"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"]}),
    ];
    mounts.extend(masked.iter().take(MASKS).map(|path| {
        serde_json::json!({"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "ro", "size=4k"]})
    }));
    let namespaces = ["user", "pid", "ipc", "uts", "mount"].map(|kind| serde_json::json!({"type": kind}));
    serde_json::json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "mounts": mounts,
        "linux": {"uidMappings": every, "gidMappings": every, "namespaces": namespaces},
        "process": {
            "user": {"uid": ACCOUNT, "gid": ACCOUNT}, "args": [PROGRAM], "env": [], "cwd": "/",
            "capabilities": {}, "noNewPrivileges": true
        }
    })
}
