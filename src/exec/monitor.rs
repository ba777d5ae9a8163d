//! The launcher: stays outside, makes the namespaces, watches the first process, and ends it when it must.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::cgroup::Cgroup;
use super::ending::{Act, Ending, exit_code};
use super::error::{Step, StepError, say};
use super::sys::{self, Forked};
use super::{idmap, init, privileges};
use crate::sandbox::{EndCause, Met, Report, SandboxMode, SandboxSpec};

/// What the launcher was started with.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Takes the reports.
    pub(crate) report: fs::File,
    /// Closed at the other end when the server is gone.
    pub(crate) lifeline: OwnedFd,
    /// The listening socket that the process inherits, if it does.
    pub(crate) listener: Option<OwnedFd>,
}

/// Launches one process and waits for its end. Gives the launcher's own exit code: the process's, 128 and the signal's
/// number, or 125 where the sandbox could not be made.
#[must_use]
pub(crate) fn run(spec: &SandboxSpec, mut outside: Outside) -> u8 {
    match launch(spec, &mut outside) {
        Ok(ended) => {
            let code = exit_code(&ended);
            say(&mut outside.report, &ended);
            code
        }
        Err(error) => {
            say(&mut outside.report, &error.report());
            125
        }
    }
}

fn launch(spec: &SandboxSpec, outside: &mut Outside) -> Result<Report, StepError> {
    sys::expect_children().step("block signals", "SIGCHLD")?;
    sys::block_signals().step("block signals", "all")?;
    let signals = sys::signal_fd().step("block signals", "signalfd")?;
    let cgroup = spec.cgroup.as_ref().map(Cgroup::create).transpose()?;
    // Before there is anybody to wait for it.
    let maps = match spec.mode {
        SandboxMode::Root => Vec::new(),
        SandboxMode::RootUserns => idmap::whole()?,
        SandboxMode::Unprivileged => idmap::single(spec.uid, spec.gid),
    };
    let (orders, giver) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).step("make a pipe", "orders")?;
    let (said_read, said_write) =
        rustix::pipe::pipe_with(PipeFlags::CLOEXEC).step("make a pipe", "report")?;
    match sys::clone(namespaces(spec.mode)).step("create namespaces", "clone3")? {
        Forked::Child => {
            drop((giver, said_read, signals));
            init::run(spec, orders, said_write, outside.listener.take())
        }
        Forked::Parent(pid, pidfd) => {
            // Content that closes its socket has closed it.
            drop((orders, said_write, outside.listener.take()));
            let mut first = First {
                pid,
                pidfd,
                orders: Some(giver),
            };
            let answer = first.let_go(&maps, cgroup.as_ref()).and_then(|()| {
                first.watch(
                    spec,
                    outside,
                    &signals,
                    BufReader::new(said_read.into()),
                    cgroup.as_ref(),
                )
            });
            first.end_and_reap();
            answer
        }
    }
}

fn namespaces(mode: SandboxMode) -> u64 {
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    let user = if mode == SandboxMode::Root {
        0
    } else {
        libc::CLONE_NEWUSER
    };
    u64::from((flags | user).cast_unsigned())
}

/// How the process is ended.
fn ending(spec: &SandboxSpec) -> Ending {
    let timeout = spec.timeout_ms.map(Duration::from_millis);
    let interrupt = spec.serve.as_ref().and_then(|serve| serve.interrupt_ms);
    Ending::new(timeout, Duration::from_millis(spec.grace_ms), Instant::now())
        .interrupting(interrupt.map(Duration::from_millis))
}

/// Reads one report of the first process, if it is that of being ready. Another one, or none, is its last: that is left
/// for its end.
fn pass_ready_on(said: &mut BufReader<fs::File>, report: &mut fs::File) -> Result<(), StepError> {
    const STEP: &str = "read the sandbox's report";
    // A report is written at once, and is whole.
    let held = said.fill_buf().step(STEP, "pipe")?;
    let end = held.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if matches!(serde_json::from_slice(&held[..end]), Ok(Report::Ready)) {
        said.consume(end);
        say(report, &Report::Ready);
    }
    Ok(())
}

/// The first process of the sandbox, seen from outside.
struct First {
    pid: Pid,
    pidfd: OwnedFd,
    /// Takes signals to pass on, a byte each; when it is closed, the first process ends at once.
    orders: Option<OwnedFd>,
}

impl First {
    /// Writes the id maps and the control groups, then lets the first process go on.
    fn let_go(&self, maps: &idmap::Maps, cgroup: Option<&Cgroup>) -> Result<(), StepError> {
        let pid = self.pid.as_raw_nonzero().get();
        idmap::write(pid, maps)?;
        // Only now: in the unprivileged form the maps of an undumpable process belong to root.
        privileges::hide()?;
        if let Some(cgroup) = cgroup {
            cgroup.add(pid)?;
        }
        match self.order(b'g') {
            // It has ended already, and its report says why.
            Err(rustix::io::Errno::PIPE) => Ok(()),
            answer => answer.step("let the first process go", "pipe"),
        }
    }

    fn order(&self, byte: u8) -> Result<(), rustix::io::Errno> {
        let orders = self.orders.as_ref().ok_or(rustix::io::Errno::PIPE)?;
        rustix::io::write(orders, &[byte]).map(drop)
    }

    /// Passes reports and signals on until the first process has ended.
    fn watch(
        &mut self,
        spec: &SandboxSpec,
        outside: &mut Outside,
        signals: &OwnedFd,
        mut said: BufReader<fs::File>,
        cgroup: Option<&Cgroup>,
    ) -> Result<Report, StepError> {
        let mut line = String::new();
        // The set-up has no time limit of its own: it waits for nothing but the kernel.
        said.read_line(&mut line)
            .step("read the sandbox's report", "pipe")?;
        match serde_json::from_str(&line) {
            Ok(Report::Started { mut layers, .. }) => {
                layers.extend(cgroup.into_iter().flat_map(|group| group.missing.clone()));
                say(
                    &mut outside.report,
                    &Report::Started {
                        pid: self.pid.as_raw_nonzero().get(),
                        layers,
                    },
                );
            }
            Ok(Report::Failed { step, message, hint }) => {
                return Err(StepError::new(
                    "make the sandbox",
                    format!("{step}: {message}"),
                    hint,
                ));
            }
            _ => {
                return Err(StepError::new(
                    "make the sandbox",
                    "its first process ended without a word",
                    "it was ended from outside, or a security policy forbids a system call that never fails \
                     otherwise: see the kernel's log",
                ));
            }
        }
        let cause = self.wait(spec, outside, signals, &mut said)?;
        line.clear();
        said.read_line(&mut line)
            .step("read the sandbox's report", "pipe")?;
        if matches!(serde_json::from_str(&line), Ok(Report::Ready)) {
            // It came with the end.
            line.clear();
            said.read_line(&mut line)
                .step("read the sandbox's report", "pipe")?;
        }
        let oom = cgroup.is_some_and(Cgroup::out_of_memory);
        let cause = if oom { Some(EndCause::Memory) } else { cause };
        let met = cgroup.map(Cgroup::met).unwrap_or_default();
        if met != Met::default() {
            say(&mut outside.report, &Report::Met(met));
        }
        Ok(match serde_json::from_str(&line) {
            Ok(Report::Ended { code, signal, .. }) => Report::Ended { code, signal, cause },
            // Ended from outside, before it could say anything.
            _ => Report::Ended {
                code: None,
                signal: Some(libc::SIGKILL),
                cause,
            },
        })
    }

    /// Waits for the end of the first process; tells it to end when time is over, when told to, or when the server
    /// is gone, and kills it if it does not.
    fn wait(
        &mut self,
        spec: &SandboxSpec,
        outside: &mut Outside,
        signals: &OwnedFd,
        said: &mut BufReader<fs::File>,
    ) -> Result<Option<EndCause>, StepError> {
        let Outside { report, lifeline, .. } = outside;
        let mut lifeline = Some(&*lifeline);
        let mut unready = spec.serve.is_some();
        let mut ending = ending(spec);
        loop {
            let waited = Waited {
                lifeline,
                signals,
                said: unready.then_some(&*said),
            };
            let act = match self.next_event(&waited, ending.deadline())? {
                Event::Ended => return Ok(ending.cause()),
                Event::Said => {
                    unready = false;
                    pass_ready_on(said, report)?;
                    continue;
                }
                Event::Orphaned => {
                    lifeline = None;
                    ending.orphaned()
                }
                Event::Deadline => ending.time_is_over(Instant::now()),
                Event::Signal(signal) => ending.signal(signal, Instant::now()),
            };
            match act {
                Act::Pass(signal) => self.signal(signal),
                Act::Kill => self.kill(),
            }
        }
    }

    fn next_event(&self, waited: &Waited<'_>, deadline: Option<Instant>) -> Result<Event, StepError> {
        let Waited { signals, .. } = waited;
        if waited.said.is_some_and(|said| !said.buffer().is_empty()) {
            return Ok(Event::Said);
        }
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| rustix::time::Timespec::try_from(left).ok());
            let mut polled = vec![
                PollFd::new(*signals, PollFlags::IN),
                PollFd::new(&self.pidfd, PollFlags::IN),
            ];
            let others = [
                waited.lifeline.map(AsFd::as_fd),
                waited.said.map(|said| said.get_ref().as_fd()),
            ];
            let wanted = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
            polled.extend(others.into_iter().flatten().map(wanted));
            match rustix::event::poll(&mut polled, left.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                Ok(0) => return Ok(Event::Deadline),
                answer => drop(answer.step("wait for the process", "poll")?),
            }
            let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready[1] {
                return Ok(Event::Ended);
            }
            let lifelines = usize::from(waited.lifeline.is_some());
            if lifelines > 0 && ready[2] {
                return Ok(Event::Orphaned);
            }
            if ready.get(2 + lifelines) == Some(&true) {
                return Ok(Event::Said);
            }
            match sys::next_signal(signals) {
                // Its end is seen through the pidfd; a pipe that nobody reads is our own affair.
                None | Some(libc::SIGCHLD | libc::SIGPIPE) => {}
                Some(signal) => return Ok(Event::Signal(signal)),
            }
        }
    }

    /// Has a signal passed on to the content's process and its group.
    fn signal(&self, signal: i32) {
        // It may have ended in the meantime; the pidfd tells.
        let _ = self.order(u8::try_from(signal).unwrap_or(0));
    }

    /// Ends the first process and with it all others.
    fn kill(&mut self) {
        // Without CAP_KILL the signal is refused, and the closed pipe does it.
        self.orders = None;
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Ends what is left and waits until the kernel has taken the whole PID namespace down.
    fn end_and_reap(&mut self) {
        self.kill();
        let _ = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

/// What tells the launcher of something, beside the end of the first process.
struct Waited<'a> {
    lifeline: Option<&'a OwnedFd>,
    signals: &'a OwnedFd,
    /// Until the process is ready.
    said: Option<&'a BufReader<fs::File>>,
}

/// What the launcher waits for.
enum Event {
    /// The first process has said something.
    Said,
    /// The first process has ended.
    Ended,
    /// The server is gone.
    Orphaned,
    /// A signal came.
    Signal(i32),
    /// The time is over.
    Deadline,
}
