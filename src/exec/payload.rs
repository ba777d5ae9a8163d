//! The content's own process: its last steps before its program is executed, the same in a sandbox and in a Pod.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::io::FdFlags;

use super::error::{Step, StepError};
use super::{limits, sys};
use crate::names::LISTEN_FD;
use crate::sandbox::Rlimit;

/// Steps carry this name in messages.
const STEP: &str = "start the process";

/// A program with its arguments and environment, as the kernel takes them.
#[derive(Debug)]
pub(crate) struct Program {
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Program {
    /// A command line, of which the first word is an absolute path or is looked for in the `PATH` of `env`, and a
    /// complete environment, `NAME=value`.
    ///
    /// # Errors
    /// There are no words, or one holds a NUL byte.
    pub(crate) fn new<A: Into<Vec<u8>>, E: Into<Vec<u8>>>(
        argv: impl IntoIterator<Item = A>,
        env: impl IntoIterator<Item = E>,
    ) -> Result<Self, StepError> {
        let fault = |_| StepError::new(STEP, "an argument or variable holds a NUL byte", "remove it");
        let argv: Result<Vec<_>, _> = argv.into_iter().map(CString::new).collect();
        let env: Result<Vec<_>, _> = env.into_iter().map(CString::new).collect();
        let program = Self {
            argv: argv.map_err(fault)?,
            env: env.map_err(fault)?,
        };
        if program.argv.is_empty() {
            return Err(StepError::new(STEP, "the command line is empty", ""));
        }
        Ok(program)
    }

    /// The first word.
    fn name(&self) -> &CStr {
        self.argv.first().map_or(c"", CString::as_c_str)
    }

    /// Where the program may be: itself when it is a path, else below each directory of the process's own `PATH`.
    fn candidates(&self) -> Vec<CString> {
        let name = self.name().to_bytes();
        if name.contains(&b'/') {
            return vec![self.name().to_owned()];
        }
        let path = self
            .env
            .iter()
            .find_map(|line| line.to_bytes().strip_prefix(b"PATH="))
            .unwrap_or(b"/usr/bin:/bin");
        path.split(|byte| *byte == b':')
            .filter(|dir| dir.starts_with(b"/"))
            .filter_map(|dir| CString::new([dir, name].join(&b'/')).ok())
            .collect()
    }

    /// Executes the program. Returns only on failure.
    fn exec(&self) -> Result<(), StepError> {
        let mut last = io::Error::from_raw_os_error(libc::ENOENT);
        for path in self.candidates() {
            let error = sys::exec(&path, &self.argv, &self.env);
            // As execvp does: a directory that can not be searched does not end the search.
            if error.raw_os_error() != Some(libc::ENOENT) {
                last = error;
            }
        }
        Err(last).step(STEP, self.name().to_string_lossy())
    }
}

/// What the process has beside its program.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    /// Its working directory.
    pub(crate) cwd: &'a Path,
    /// Its resource limits, where it has others than this process.
    pub(crate) rlimits: &'a [Rlimit],
    /// Its standard output and error, where they are others than this process's.
    pub(crate) streams: Option<[BorrowedFd<'a>; 2]>,
    /// The listening socket that it inherits, the only descriptor beside those.
    pub(crate) listener: Option<BorrowedFd<'a>>,
}

/// Starts the process and waits until its program has really been executed: its process id.
///
/// # Errors
/// Any of its last steps, the execution among them.
pub(crate) fn start(program: &Program, surroundings: &Surroundings<'_>) -> Result<i32, StepError> {
    let mut failure = None;
    let pid = sys::spawn(|| failure = prepare(surroundings).and_then(|()| program.exec()).err())
        .step(STEP, "clone")?;
    failure.map_or(Ok(pid), Err)
}

/// The last steps, in the content's own process.
fn prepare(surroundings: &Surroundings<'_>) -> Result<(), StepError> {
    // A session of its own has no controlling terminal, so nothing can be typed into the launcher's. As late as this,
    // because a session is a scheduling group too, and what wakes up in a new one waits for its turn on a busy machine.
    rustix::process::setsid().step(STEP, "setsid")?;
    let directory = || format!("working directory {}", surroundings.cwd.display());
    rustix::process::chdir(surroundings.cwd).step(STEP, directory())?;
    // A directory outside the root would be a way around every mask (CVE-2024-21626).
    let cwd = std::env::current_dir().step(STEP, directory())?;
    if !cwd.is_absolute() {
        return Err(StepError::new(
            STEP,
            "the working directory lies outside the sandbox",
            "",
        ));
    }
    // What is lowered here, in a Pod, is the container's own limit.
    drop(limits::apply(surroundings.rlimits)?);
    if let Some([stdout, stderr]) = surroundings.streams {
        rustix::stdio::dup2_stdout(stdout).step(STEP, "standard output")?;
        rustix::stdio::dup2_stderr(stderr).step(STEP, "standard error")?;
    }
    sys::reset_signals().step(STEP, "signals")?;
    sys::cloexec_from(3).step(STEP, "descriptors")?;
    match surroundings.listener {
        Some(listener) => hand_over(listener).step(STEP, "the listening socket"),
        None => Ok(()),
    }
}

/// Makes [`LISTEN_FD`] a name of the socket that is not closed by exec, whatever had that number until now.
fn hand_over(socket: BorrowedFd<'_>) -> io::Result<()> {
    if socket.as_raw_fd() == LISTEN_FD {
        return Ok(rustix::io::fcntl_setfd(socket, FdFlags::empty())?);
    }
    let mut name = match sys::inherited(LISTEN_FD) {
        Ok(taken) => taken,
        // It is free, and so it is the lowest that can be had.
        Err(_) => rustix::io::fcntl_dupfd_cloexec(socket, LISTEN_FD)?,
    };
    let made = rustix::io::dup2(socket, &mut name);
    // It is for the program; and what had it belongs to the memory that this process shares.
    std::mem::forget(name);
    Ok(made?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, env: &[&str]) -> Vec<CString> {
        Program::new([name], env.iter().copied()).unwrap().candidates()
    }

    #[test]
    fn a_program_is_looked_for_as_a_shell_would() {
        assert_eq!(program("./x", &["PATH=/a"]), [c"./x".to_owned()]);
        assert_eq!(
            program("x", &["A=b", "PATH=/a:b::/c"]),
            [c"/a/x".to_owned(), c"/c/x".to_owned()]
        );
        assert_eq!(
            program("x", &[]),
            [c"/usr/bin/x".to_owned(), c"/bin/x".to_owned()]
        );
    }

    #[test]
    fn words_that_the_kernel_can_not_take_are_refused() {
        let none: [&str; 0] = [];
        assert!(Program::new(["a\0b"], none).is_err());
        assert!(Program::new(["a"], ["X=\0"]).is_err());
        assert!(Program::new(none, none).is_err());
    }
}
