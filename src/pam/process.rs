//! `offhost-exec`, started in the session and waited for.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType};
use rustix::process::{Pid, PidfdFlags};
use rustix::time::Timespec;

use super::NO_SESSION;
use super::streams::{self, UnderWay};
use crate::exec::{self, SignalPipe};
use crate::sandbox::SandboxSpec;

/// The kernel ends a sandbox whose launcher was killed faster than this, unless a process of it is stuck in a dead file
/// system.
const END: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// What the process gets of what this program was started with.
#[derive(Debug)]
pub(super) struct Given {
    /// Closed at the other end when the server is gone.
    lifeline: OwnedFd,
    /// Standard input, output and error, then what is held and what is listened on.
    set_aside: UnderWay,
    has_hold: bool,
}

impl Given {
    /// Puts it out of reach of modules, but for the lifeline. `hold` is kept open to the end, by the process and by this
    /// program; `listener` is a socket that the process inherits.
    pub(super) fn set_aside(
        lifeline: OwnedFd,
        hold: Option<OwnedFd>,
        listener: Option<OwnedFd>,
    ) -> io::Result<Self> {
        let has_hold = hold.is_some();
        let rest = hold.into_iter().chain(listener);
        let all = streams::take_standard()?.into_iter().chain(rest).collect();
        Ok(Self {
            lifeline,
            set_aside: UnderWay::send(all)?,
            has_hold,
        })
    }
}

/// The launcher of a process, running.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pidfd: OwnedFd,
    lifeline: Option<OwnedFd>,
    /// The other end of the launcher's own lifeline, which the first process of the sandbox has open too: the hang-up is
    /// heard when nothing is left of either.
    leash: OwnedFd,
    /// What is held until the session is closed.
    hold: Option<UnderWay>,
}

impl Process {
    pub(super) fn start(
        helper: &Path,
        spec: &SandboxSpec,
        report: OwnedFd,
        given: Given,
    ) -> io::Result<Self> {
        let spec = memory_file(spec)?;
        let (leash, lifeline) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let mut back = given.set_aside.receive()?.into_iter();
        let mut next = || {
            back.next()
                .ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
        };
        let (stdin, stdout, stderr) = (next()?, next()?, next()?);
        let hold = if given.has_hold { Some(next()?) } else { None };
        let listener = back.next();
        let passed: [Option<BorrowedFd<'_>>; 5] = [
            Some(spec.as_fd()),
            Some(report.as_fd()),
            Some(lifeline.as_fd()),
            hold.as_ref().map(AsFd::as_fd),
            listener.as_ref().map(AsFd::as_fd),
        ];
        for fd in passed.iter().flatten() {
            rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
        }
        let number =
            |fd: Option<BorrowedFd<'_>>| fd.map_or_else(|| "-".to_owned(), |fd| fd.as_raw_fd().to_string());
        let child = Command::new(helper)
            .args(passed.map(number))
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        Ok(Self {
            pidfd: rustix::process::pidfd_open(pid, PidfdFlags::empty())?,
            child,
            lifeline: Some(given.lifeline),
            leash,
            hold: hold.map(|hold| UnderWay::send(vec![hold])).transpose()?,
        })
    }

    /// Passes signals and the end of the server on until nothing is left of the process.
    pub(super) fn attend(mut self, signals: &SignalPipe) -> Ended {
        while let Some(happened) = self.next(signals) {
            match happened {
                Happened::Ended => break,
                Happened::Orphaned => {
                    self.lifeline = None;
                    // The launcher sees its own lifeline end, and kills the sandbox.
                    let _ = rustix::net::shutdown(&self.leash, Shutdown::Write);
                }
                Happened::Signalled => {
                    for signal in signals.noted() {
                        // It is not reaped yet: the number is still its own.
                        let _ = exec::kill(i32::try_from(self.child.id()).unwrap_or(0), signal);
                    }
                }
            }
        }
        let status = self.child.wait();
        self.wait_for_remains();
        let code = status.map_or(125, |status| {
            status
                .code()
                .or_else(|| Some(128 + status.signal()?))
                .unwrap_or(125)
        });
        Ended {
            code: u8::try_from(code).unwrap_or(125),
            _hold: self.hold,
        }
    }

    fn next(&self, signals: &SignalPipe) -> Option<Happened> {
        loop {
            let mut polled = vec![
                PollFd::new(&self.pidfd, PollFlags::IN),
                PollFd::new(signals, PollFlags::IN),
            ];
            polled.extend(self.lifeline.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            match rustix::event::poll(&mut polled, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return None,
                Ok(_) => {}
            }
            let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
            return Some(match ready.as_slice() {
                [true, ..] => Happened::Ended,
                [_, true, ..] => Happened::Signalled,
                _ => Happened::Orphaned,
            });
        }
    }

    /// Where the launcher was killed, the kernel kills the sandbox, which takes a moment: until then its processes use what
    /// the session has opened.
    fn wait_for_remains(&self) {
        let mut poll = [PollFd::new(&self.leash, PollFlags::empty())];
        while rustix::event::poll(&mut poll, Some(&END)) == Err(rustix::io::Errno::INTR) {}
    }
}

/// How the process ended, and what is held until the session is closed.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code, 128 and the number for a signal.
    pub(super) code: u8,
    _hold: Option<UnderWay>,
}

impl Ended {
    /// Where it was not started.
    pub(super) fn never_started() -> Self {
        Self {
            code: NO_SESSION,
            _hold: None,
        }
    }
}

enum Happened {
    /// The launcher has ended.
    Ended,
    /// The server is gone.
    Orphaned,
    /// Signals have come.
    Signalled,
}

fn memory_file(spec: &SandboxSpec) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("offhost-spec", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(spec).map_err(io::Error::other)?)?;
    Ok(file.into())
}
