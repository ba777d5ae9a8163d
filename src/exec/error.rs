//! One failure of one step, with what was refused and what to do about it.

use std::io::{self, Write};

use rustix::io::Errno;

use crate::sandbox::Report;

/// A step of the set-up that failed. Nothing of the content has run.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {message}")]
pub struct StepError {
    /// The step, in a few words.
    pub step: &'static str,
    /// What was refused, with path and cause.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// The kernel's answer, where there was one.
    #[source]
    pub source: Option<io::Error>,
}

impl StepError {
    /// A failure that is not a system call's.
    pub fn new(step: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            step,
            message: message.into(),
            hint: hint.into(),
            source: None,
        }
    }

    /// What the launcher's caller is told.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::Failed {
            step: self.step.to_owned(),
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }
}

/// Writes a report, one line. Nobody may be listening any more; what goes on does not depend on it.
pub(crate) fn say(report: &mut std::fs::File, what: &Report) {
    let line = serde_json::to_string(what).unwrap_or_default() + "\n";
    let _ = report.write_all(line.as_bytes());
}

/// Names the step that an operating system error belongs to.
pub(crate) trait Step<T> {
    /// Turns the error into a [`StepError`]; `what` is a path or a name.
    ///
    /// # Errors
    /// The error it was called on.
    fn step(self, step: &'static str, what: impl std::fmt::Display) -> Result<T, StepError>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, step: &'static str, what: impl std::fmt::Display) -> Result<T, StepError> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            let hint = hint(step, &error);
            StepError {
                step,
                message: format!("{what}: {error}"),
                hint,
                source: Some(error),
            }
        })
    }
}

/// What an administrator can do about the usual refusals.
fn hint(step: &str, error: &io::Error) -> String {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match (step, errno) {
        ("create namespaces", Some(Errno::NOSPC)) => {
            "raise user.max_user_namespaces with sysctl, or set Sandbox.UserNamespace = never when running as root"
        }
        ("create namespaces", Some(Errno::PERM)) => {
            "the process lacks CAP_SYS_ADMIN: run as root, and in a container add the capability SYS_ADMIN or \
             run it privileged"
        }
        ("map ids", Some(Errno::PERM | Errno::ACCESS)) => {
            "user namespaces are restricted here (kernel.apparmor_restrict_unprivileged_userns or a seccomp \
             profile): allow them for offhost-exec, or run as root"
        }
        (_, Some(Errno::NOSYS)) => "this kernel is too old: Linux 5.12 or later is needed",
        (_, Some(Errno::LOOP)) => "a symbolic link stands where a directory is expected; remove it",
        ("lock down", Some(Errno::PERM | Errno::ACCESS)) => {
            "a security policy of this machine forbids it: allow prctl(2) and seccomp(2), as the seccomp profile \
             RuntimeDefault of a Pod does"
        }
        (_, Some(Errno::PERM)) => {
            "a security policy of this machine forbids it: in a container allow mount(2), for example with \
             AppArmor and seccomp unconfined"
        }
        (_, Some(Errno::NOSPC)) => {
            "a limit of the kernel is reached: raise fs.mount-max, fs.inotify.max_user_watches or \
             user.max_*_namespaces with sysctl"
        }
        (_, Some(Errno::INVAL)) => {
            "the kernel does not take it in this form: Linux 5.12 or later is needed, and its log may say more"
        }
        (_, Some(Errno::INTR)) => "it was interrupted: start the process again",
        _ => "",
    }
    .to_owned()
}
