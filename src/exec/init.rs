//! The first process of the sandbox: makes it, starts the content's process, reaps, and ends with it (SB7).

use std::ffi::CString;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::Mode;

use super::error::{Step, StepError};
use super::sys;
use super::{limits, masks, mounts, privileges, resolve, tree};
use crate::sandbox::{Report, SandboxMode, SandboxSpec};

/// Runs to the end of the content's process; never returns to the caller's code.
///
/// `orders` is read for one byte when the outside is ready, and then for the signals that it sends; `report` takes what
/// happens, one JSON object a line.
pub(crate) fn run(spec: &SandboxSpec, orders: OwnedFd, report: OwnedFd) -> ! {
    let mut report = std::fs::File::from(report);
    let code = match start(spec, &orders) {
        Ok(Started {
            payload,
            signals,
            layers,
        }) => {
            say(&mut report, &Report::Started { pid: 0, layers });
            let status = attend(payload, &signals, &orders);
            say(&mut report, &ended(status));
            0
        }
        Err(error) => {
            say(&mut report, &error.report());
            1
        }
    };
    sys::exit_now(code)
}

/// A report that can not be written means that nobody listens any more: the launcher is gone, and so are we soon.
fn say(report: &mut std::fs::File, what: &Report) {
    let line = serde_json::to_string(what).unwrap_or_default() + "\n";
    let _ = report.write_all(line.as_bytes());
}

/// What a raw wait status says.
fn ended(status: i32) -> Report {
    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
    Report::Ended {
        code,
        signal,
        cause: None,
    }
}

/// A process that runs.
struct Started {
    /// Its id.
    payload: i32,
    /// Where signals are read.
    signals: OwnedFd,
    /// The layers in force, for people.
    layers: Vec<String>,
}

/// Makes the sandbox and starts the process.
fn start(spec: &SandboxSpec, orders: &OwnedFd) -> Result<Started, StepError> {
    wait_for_go(orders)?;
    let signals = sys::signal_fd().step("block signals", "signalfd")?;
    let mut layers = namespaces(spec.mode);
    layers.extend(set_up_mounts(spec)?);
    limits::apply(spec)?;
    privileges::become_account(spec)?;
    layers.extend(privileges::lock_down()?);
    require_second_wall(spec.mode, &layers)?;
    // The launcher may have died before the death signal was set: then the pipe has no writer any more.
    still_wanted(orders)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let payload = start_payload(spec)?;
    Ok(Started {
        payload,
        signals,
        layers,
    })
}

fn wait_for_go(orders: &OwnedFd) -> Result<(), StepError> {
    let mut byte = [0u8];
    match rustix::io::read(orders, &mut byte).step("wait for the launcher", "pipe")? {
        1 => Ok(()),
        _ => Err(StepError::new("wait for the launcher", "it has ended", "")),
    }
}

fn still_wanted(orders: &OwnedFd) -> Result<(), StepError> {
    let mut poll = [PollFd::new(orders, PollFlags::HUP)];
    let now = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match rustix::event::poll(&mut poll, Some(&now)).step("wait for the launcher", "pipe")? {
        0 => Ok(()),
        _ => Err(StepError::new("wait for the launcher", "it has ended", "")),
    }
}

fn namespaces(mode: SandboxMode) -> Vec<String> {
    let mut names = vec![
        "mount namespace",
        "pid namespace",
        "ipc namespace",
        "uts namespace",
    ];
    if mode != SandboxMode::Root {
        names.insert(0, "user namespace");
    }
    names.into_iter().map(str::to_owned).collect()
}

/// Sources before masks before targets: a source lies below a masked directory, and a target may too.
fn set_up_mounts(spec: &SandboxSpec) -> Result<Vec<String>, StepError> {
    const STEP: &str = "expose";
    mounts::detach_from_machine().step("detach mounts from the machine", "/")?;
    let mut sources = Vec::new();
    for bind in &spec.binds {
        let mount = match &bind.source {
            Some(path) => {
                let source = resolve::open_path(path).step(STEP, path.display())?;
                mounts::copy_for_content(source, bind.read_only).step(STEP, path.display())?
            }
            None => empty_directory(bind.read_only).step(STEP, "tmpfs")?,
        };
        sources.push((mount, bind));
    }
    // In a user namespace the kernel lets nothing be reached through the machine's processes, nor does Landlock.
    let reachable = spec.mode == SandboxMode::Root && privileges::landlock().is_none();
    let masks = masks::find(&spec.masks, reachable)?;
    masks.apply()?;
    let mut tree = tree::Tree::default();
    for (mount, bind) in sources {
        let target = tree.directory(&bind.target)?;
        mounts::attach(mount, target).step(STEP, bind.target.display())?;
    }
    tree.seal()?;
    masks.verify()?;
    mount_proc(spec.mode)
}

/// A new empty directory: nothing can be put into a read-only one, everybody can write in the other.
fn empty_directory(read_only: bool) -> Result<OwnedFd, rustix::io::Errno> {
    if read_only {
        return mounts::tmpfs(&[("mode", "0755"), ("size", "4096")], true);
    }
    mounts::tmpfs(&[("mode", "1777")], false)
}

/// A /proc of this PID namespace: without it, `/proc/PID/root` of a process outside that runs as the same account
/// leads around every mask.
fn mount_proc(mode: SandboxMode) -> Result<Vec<String>, StepError> {
    const STEP: &str = "mount /proc";
    match mounts::procfs() {
        Ok(proc) => {
            let target = resolve::open_path(Path::new("/proc")).step(STEP, "/proc")?;
            mounts::attach(proc, target).step(STEP, "/proc")?;
            Ok(vec!["its own /proc".to_owned()])
        }
        // In most containers parts of /proc are covered, and a user namespace may then not mount a whole one.
        Err(_) if mode != SandboxMode::Root => Ok(Vec::new()),
        Err(error) => Err(error).step(STEP, "/proc"),
    }
}

/// Design decision 8: a mask needs a second wall.
fn require_second_wall(mode: SandboxMode, layers: &[String]) -> Result<(), StepError> {
    let has = |what: &str| layers.iter().any(|layer| layer.starts_with(what));
    if mode == SandboxMode::Root && !has("its own /proc") && !has("landlock") {
        let hint = "allow mounting /proc, or use a kernel with Landlock";
        return Err(StepError::new(
            "second wall",
            "neither an own /proc nor Landlock is to be had",
            hint,
        ));
    }
    Ok(())
}

/// Starts the process and waits until its program has really been executed.
fn start_payload(spec: &SandboxSpec) -> Result<i32, StepError> {
    let mut failure = None;
    let payload = sys::spawn(|| failure = prepare(spec).and_then(|()| exec(spec)).err())
        .step("start the process", "clone")?;
    failure.map_or(Ok(payload), Err)
}

/// The last steps, in the content's own process.
fn prepare(spec: &SandboxSpec) -> Result<(), StepError> {
    const STEP: &str = "start the process";
    // A session of its own has no controlling terminal, so nothing can be typed into the launcher's. As late as this,
    // because a session is a scheduling group too, and what wakes up in a new one waits for its turn on a busy machine.
    rustix::process::setsid().step(STEP, "setsid")?;
    rustix::process::chdir(&spec.cwd).step(STEP, format!("working directory {}", spec.cwd.display()))?;
    // A directory outside the root would be a way around every mask (CVE-2024-21626).
    let cwd = std::env::current_dir().step(STEP, format!("working directory {}", spec.cwd.display()))?;
    if !cwd.is_absolute() {
        return Err(StepError::new(
            STEP,
            "the working directory lies outside the sandbox",
            "",
        ));
    }
    sys::reset_signals().step(STEP, "signals")?;
    sys::cloexec_from(3).step(STEP, "descriptors")
}

/// Executes the program. Returns only on failure.
fn exec(spec: &SandboxSpec) -> Result<(), StepError> {
    const STEP: &str = "start the process";
    let strings = |words: &[String]| -> Result<Vec<CString>, StepError> {
        let all = words
            .iter()
            .map(|word| CString::new(word.as_str()))
            .collect::<Result<_, _>>();
        all.map_err(|_| StepError::new(STEP, "an argument or variable holds a NUL byte", "remove it"))
    };
    let (argv, env) = (strings(&spec.argv)?, strings(&spec.env)?);
    let Some(program) = spec.argv.first() else {
        return Err(StepError::new(STEP, "the command line is empty", ""));
    };
    let mut last = std::io::Error::from_raw_os_error(libc::ENOENT);
    for path in candidates(program, &spec.env) {
        let Ok(path) = CString::new(path) else { continue };
        let error = sys::exec(&path, &argv, &env);
        // As execvp does: a directory that can not be searched does not end the search.
        if error.raw_os_error() != Some(libc::ENOENT) {
            last = error;
        }
    }
    Err(last).step(STEP, program)
}

/// Where the program may be: itself when it is a path, else below each directory of the process's own `PATH`.
fn candidates(program: &str, env: &[String]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env
        .iter()
        .find_map(|line| line.strip_prefix("PATH="))
        .unwrap_or("/usr/bin:/bin");
    path.split(':')
        .filter(|dir| dir.starts_with('/'))
        .map(|dir| format!("{dir}/{program}"))
        .collect()
}

/// Reaps everything that ends here and passes signals on, until the content's process has ended.
/// When this process ends after it, the kernel ends all that is left in the PID namespace.
fn attend(payload: i32, signals: &OwnedFd, orders: &OwnedFd) -> i32 {
    loop {
        while let Some((pid, status)) = sys::reap() {
            if pid == payload {
                return status;
            }
        }
        let mut polled = [signals, orders].map(|fd| PollFd::new(fd, PollFlags::IN));
        match rustix::event::poll(&mut polled, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => sys::exit_now(1),
        }
        let ordered = !polled[1].revents().is_empty();
        while let Some(signal) = sys::next_signal(signals) {
            if signal != libc::SIGCHLD {
                pass_on(payload, signal);
            }
        }
        if ordered {
            pass_on(payload, next_order(orders));
        }
    }
}

/// A signal that the launcher sends. Through a pipe, because it may lack the right to signal another account's process,
/// and because the end of the pipe is the launcher's own, however it came.
fn next_order(orders: &OwnedFd) -> i32 {
    let mut byte = [0u8];
    match rustix::io::read(orders, &mut byte) {
        Ok(1) => i32::from(byte[0]),
        _ => sys::exit_now(1),
    }
}

/// The process leads a session, and so a group: what it started is told as well.
fn pass_on(payload: i32, signal: i32) {
    let _ = sys::kill(-payload, signal);
}
