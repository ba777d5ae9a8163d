//! What the end of a process says of the application: a sentence that every visitor may read, without paths and output.

use std::net::SocketAddr;
use std::time::Duration;

use crate::apps::{EndCause, Failure, ProcessId};
use crate::data::JobState;
use crate::local::error::LocalError;
use crate::local::launcher::Ended;
use crate::local::met;
use crate::local::pam::PamError;
use crate::plan::Limits;
use crate::reason::Reason;
use crate::sandbox::EndCause as HelperCause;

/// How a process came to its end.
#[derive(Debug)]
pub enum Course {
    /// It never ran.
    NotStarted(LocalError),
    /// It ran.
    Ran {
        /// How it ended.
        ended: Ended,
        /// Whether it was ready before.
        was_ready: bool,
        /// Its limits.
        limits: Limits,
    },
}

/// What is told and written down of a process that is gone.
#[derive(Debug)]
pub struct Verdict {
    /// For the hub: none where it was told to end and did.
    pub failure: Option<Failure>,
    /// For the record.
    pub state: JobState,
    /// For the record.
    pub exit_code: Option<u8>,
    /// For the record: the reason and the sentence.
    pub because: Option<(Reason, String)>,
}

/// A process that was not ready in time, and where it listens instead.
#[derive(Clone, Debug)]
pub struct Late {
    /// How long it was waited for.
    pub after: Duration,
    /// The addresses at which it listens.
    pub listens: Vec<SocketAddr>,
}

/// Judges the end of a process that was asked for because of `asked`, if it was.
#[must_use]
pub fn judge(process: &ProcessId, course: &Course, asked: Option<EndCause>, late: Option<&Late>) -> Verdict {
    let code = match course {
        Course::Ran { ended, .. } => ended.code,
        Course::NotStarted(error) => error.process_code().map(i32::from),
    };
    let because = match (asked, late) {
        (Some(EndCause::NotReady), Some(late)) => Some((Reason::StartFailed, late.sentence())),
        (Some(EndCause::NotReady), None) | (None, _) => Some(by_itself(course)),
        (Some(_), _) => None,
    };
    let failure = because.clone().map(|(reason, message)| Failure {
        reason: reason.name().to_owned(),
        message,
        process: Some(process.clone()),
        exit_code: code,
    });
    Verdict {
        failure,
        state: if because.is_some() {
            JobState::Failed
        } else {
            JobState::Succeeded
        },
        exit_code: code.and_then(|code| u8::try_from(code).ok()),
        because,
    }
}

fn by_itself(course: &Course) -> (Reason, String) {
    let (ended, was_ready, limits) = match course {
        Course::NotStarted(error) => {
            let reason = error.reason();
            return (
                reason,
                format!(
                    "the application's process could not be started: {}",
                    public(error)
                ),
            );
        }
        Course::Ran {
            ended,
            was_ready,
            limits,
        } => (ended, *was_ready, limits),
    };
    let when = if was_ready { "" } else { " before it could answer" };
    match (ended.cause, ended.code, ended.signal) {
        (Some(HelperCause::Memory), ..) => {
            let limit = limits.memory_bytes.map(met::amount);
            let limit = limit.map_or_else(String::new, |amount| format!(" of {amount}"));
            let message = format!(
                "the application's process was ended{when}, because it used more memory than its limit{limit}; raise \
                 spec.resources.limits.memory or Sandbox.MemoryLimit"
            );
            (Reason::OutOfMemory, message)
        }
        _ if met::is_too_large(ended, limits) => (
            Reason::OutOfStorage,
            format!(
                "the application's process {}",
                met::too_large(limits, met::OF_JOBS)
            ),
        ),
        (_, Some(code), _) => {
            let met = met::sentences(ended, limits).into_iter();
            let met: String = met.map(|sentence| format!("; {sentence}")).collect();
            let message = format!(
                "the application's process ended by itself{when}, with exit code {code}{met}; its log says why"
            );
            (Reason::ProcessFailed, message)
        }
        (_, None, Some(signal)) => (
            Reason::ProcessFailed,
            format!("the application's process was ended by signal {signal}{when}; its log may say why"),
        ),
        (_, None, None) => (
            Reason::ProcessFailed,
            format!("the application's process ended{when} in an unknown way; see its log"),
        ),
    }
}

/// What of an error is no business of visitors stays in the server's own log.
pub(super) fn public(error: &LocalError) -> &'static str {
    if let LocalError::Pam(PamError::NoPassword(_)) = error {
        return "your log-in is too old for it; log out and in again";
    }
    match error.reason() {
        Reason::SandboxUnavailable => "its sandbox could not be made; the server's log says why",
        Reason::DataUnavailable => "the server's storage does not work or is full; the server's log says why",
        Reason::InstallFailed => "its packages could not be installed; the log of the installation says why",
        Reason::RuntimeNotFound => {
            "no interpreter of this server fits it; the server's log says what it needs"
        }
        Reason::SessionRefused => "no PAM session could be opened for its account; the server's log says why",
        Reason::AccountRefused => "its account can not be used; the server's log says why",
        _ => "something that it needs is wrong or missing; the server's log says what",
    }
}

impl Late {
    fn sentence(&self) -> String {
        let seconds = self.after.as_secs();
        match self.listens.as_slice() {
            [] => format!(
                "the application did not get ready within {seconds} s; see its log, or raise spec.initTimeoutSeconds or \
                 Scheduler.InitTimeout"
            ),
            addresses => {
                let list: Vec<String> = addresses.iter().take(3).map(ToString::to_string).collect();
                format!(
                    "the application listens at {} instead of the address it was given, so it can not be reached; let \
                     the server start it, and take the code out that starts a server of its own",
                    list.join(" and ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Met;

    fn ran(code: Option<i32>, signal: Option<i32>, cause: Option<HelperCause>, was_ready: bool) -> Course {
        Course::Ran {
            ended: Ended {
                code,
                signal,
                cause,
                layers: Vec::new(),
                met: Met::default(),
            },
            was_ready,
            limits: Limits {
                memory_bytes: Some(256 << 20),
                file_size_bytes: Some(1 << 20),
                ..Limits::default()
            },
        }
    }

    fn message(course: &Course, asked: Option<EndCause>, late: Option<&Late>) -> String {
        let verdict = judge(&"k1".into(), course, asked, late);
        verdict
            .failure
            .map_or_else(String::new, |failure| failure.message)
    }

    /// Proves: SC3 (L)
    #[test]
    fn the_sentence_says_what_happened_and_what_to_do() {
        let exited = ran(Some(3), None, None, false);
        assert!(message(&exited, None, None).contains("before it could answer, with exit code 3"));
        let killed = ran(None, Some(11), None, true);
        assert!(message(&killed, None, None).contains("by signal 11;"));
        let memory = ran(None, Some(9), Some(HelperCause::Memory), true);
        let said = message(&memory, None, None);
        assert!(
            said.contains("limit of 256 MiB") && said.contains("limits.memory"),
            "{said}"
        );
        let too_large = ran(None, Some(libc::SIGXFSZ), None, true);
        assert!(message(&too_large, None, None).contains("larger than its limit of 1 MiB"));
        let stopped = ran(Some(0), None, Some(HelperCause::Stopped), true);
        assert_eq!(message(&stopped, Some(EndCause::Idle), None), "");
        let late = Late {
            after: Duration::from_secs(60),
            listens: Vec::new(),
        };
        assert!(message(&stopped, Some(EndCause::NotReady), Some(&late)).contains("within 60 s"));
        let elsewhere = Late {
            listens: vec!["127.0.0.1:5000".parse().unwrap()],
            ..late
        };
        let said = message(&stopped, Some(EndCause::NotReady), Some(&elsewhere));
        assert!(said.contains("listens at 127.0.0.1:5000 instead"), "{said}");
    }

    #[test]
    fn visitors_learn_no_path() {
        let source = std::io::Error::from_raw_os_error(28);
        let error = LocalError::Io(crate::data::IoFailure::new("make", "/secret/place", source));
        let verdict = judge(&"k1".into(), &Course::NotStarted(error), None, None);
        assert!(!verdict.failure.unwrap().message.contains("/secret"));
        assert_eq!(verdict.state, JobState::Failed);
    }
}
