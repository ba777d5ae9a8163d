//! The first process of the sandbox: makes it, starts the content's process, reaps, and ends with it (SB7).

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::Mode;
use rustix::io::Errno;

use super::ending::ended;
use super::error::{Step, StepError, say};
use super::payload::{self, Program, Surroundings};
use super::ready::ReadyWatch;
use super::{limits, masks, mounts, privileges, resolve, sys, tree};
use crate::sandbox::{Report, SandboxMode, SandboxSpec};

/// Runs to the end of the content's process; never returns to the caller's code. `listener` is what the process inherits.
///
/// `orders` is read for one byte when the outside is ready, and then for the signals that it sends; `report` takes what
/// happens, one JSON object a line.
pub(crate) fn run(spec: &SandboxSpec, orders: OwnedFd, report: OwnedFd, listener: Option<OwnedFd>) -> ! {
    let mut report = std::fs::File::from(report);
    let code = match start(spec, &orders, listener) {
        Ok(Started {
            payload,
            signals,
            layers,
            ready,
        }) => {
            say(&mut report, &Report::Started { pid: 0, layers });
            let status = attend(payload, &signals, &orders, ready, &mut report);
            say(&mut report, &ended(status, None));
            0
        }
        Err(error) => {
            say(&mut report, &error.report());
            1
        }
    };
    sys::exit_now(code)
}

/// A process that runs.
struct Started {
    /// Its id.
    payload: i32,
    /// Where signals are read.
    signals: OwnedFd,
    /// The layers in force, for people.
    layers: Vec<String>,
    /// Waits for its word that it can answer, if it serves.
    ready: Option<ReadyWatch>,
}

/// Makes the sandbox and starts the process.
fn start(spec: &SandboxSpec, orders: &OwnedFd, listener: Option<OwnedFd>) -> Result<Started, StepError> {
    wait_for_go(orders)?;
    let signals = sys::signal_fd().step("block signals", "signalfd")?;
    let mut layers = namespaces(spec.mode);
    let landlock = privileges::landlock();
    layers.extend(set_up_mounts(spec, landlock.is_some())?);
    layers.extend(limits::apply(&spec.rlimits)?);
    privileges::become_account(spec)?;
    layers.extend(privileges::lock_down(landlock)?);
    require_second_wall(spec.mode, &layers)?;
    // The launcher may have died before the death signal was set: then the pipe has no writer any more.
    still_wanted(orders)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let serve = spec.serve.as_ref();
    let ready = serve
        .map(|serve| ReadyWatch::begin(&serve.ready_file))
        .transpose()?;
    let program = Program::new(spec.argv.clone(), spec.env.clone())?;
    let surroundings = Surroundings {
        cwd: &spec.cwd,
        rlimits: &[],
        streams: None,
        listener: listener.as_ref().map(AsFd::as_fd),
    };
    let payload = payload::start(&program, &surroundings)?;
    Ok(Started {
        payload,
        signals,
        layers,
        ready,
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
/// `landlock` tells whether a domain will be entered.
fn set_up_mounts(spec: &SandboxSpec, landlock: bool) -> Result<Vec<String>, StepError> {
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
    let reachable = spec.mode == SandboxMode::Root && !landlock;
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
        Err(Errno::PERM) if mode != SandboxMode::Root => Ok(Vec::new()),
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

/// Reaps everything that ends here and passes signals on, until the content's process has ended.
/// When this process ends after it, the kernel ends all that is left in the PID namespace.
fn attend(
    payload: i32,
    signals: &OwnedFd,
    orders: &OwnedFd,
    mut ready: Option<ReadyWatch>,
    report: &mut std::fs::File,
) -> i32 {
    loop {
        while let Some((pid, status)) = sys::reap() {
            if pid == payload {
                return status;
            }
        }
        if ready.as_mut().is_some_and(ReadyWatch::is_ready) {
            // Its descriptor goes with it: a machine has few of them.
            ready = None;
            say(report, &Report::Ready);
        }
        let pause = ready.as_ref().and_then(ReadyWatch::pause);
        let mut polled = [signals, orders]
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .to_vec();
        polled.extend(ready.as_ref().and_then(ReadyWatch::polled));
        match rustix::event::poll(&mut polled, pause.as_ref()) {
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
