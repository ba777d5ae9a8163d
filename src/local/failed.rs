//! A process that did not succeed: how it ended, and what that says of the cause (PK10).

use std::fmt;
use std::path::PathBuf;

use super::launcher::Ended;
use super::met::{self, OF_JOBS};
use crate::data::IoFailure;
use crate::plan::Limits;
use crate::reason::Reason;
use crate::sandbox::EndCause;

/// A process that did not succeed.
#[derive(Debug)]
pub struct Failed {
    /// How it ended.
    pub ended: Ended,
    /// Its output.
    pub log: PathBuf,
    /// Its limits.
    pub limits: Limits,
    /// Its limit of time, in seconds.
    pub timeout: Option<u64>,
    /// Where no space was left when it ended: then what it has written may be cut off, whatever it says itself.
    pub full: Option<IoFailure>,
}

impl Failed {
    /// The reason, where the way it ended says one.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self.ended.cause {
            Some(EndCause::Timeout) => Some(Reason::DeadlineExceeded),
            Some(EndCause::Memory) => Some(Reason::OutOfMemory),
            Some(EndCause::Stopped) => Some(Reason::Interrupted),
            None if self.full.is_some() => Some(Reason::DataUnavailable),
            None => met::is_too_large(&self.ended, &self.limits).then_some(Reason::OutOfStorage),
        }
    }

    /// Its exit code, 128 and the number for a signal.
    #[must_use]
    pub fn code(&self) -> Option<u8> {
        let code = self.ended.code.or_else(|| Some(128 + self.ended.signal?))?;
        u8::try_from(code).ok()
    }

    /// Its exit code where it exited by itself.
    #[must_use]
    pub fn own_code(&self) -> Option<u8> {
        u8::try_from(self.ended.code?).ok()
    }
}

/// The end of a sentence that begins with the process.
impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ended.cause, self.ended.code, self.ended.signal) {
            (Some(EndCause::Timeout), ..) => {
                let seconds = self.timeout.unwrap_or_default();
                write!(
                    f,
                    "was ended when its time of {seconds} s was over (raise spec.timeoutSeconds)"
                )?;
            }
            (Some(EndCause::Memory), ..) => {
                f.write_str(&met::too_much_memory(&self.limits, OF_JOBS))?;
            }
            (Some(EndCause::Stopped), ..) => f.write_str("was stopped on request")?,
            (None, ..) if met::is_too_large(&self.ended, &self.limits) => {
                f.write_str(&met::too_large(&self.limits, OF_JOBS))?;
            }
            (None, Some(code), _) => write!(f, "ended with exit code {code}")?,
            (None, None, Some(signal)) => write!(f, "was ended by signal {signal}")?,
            (None, None, None) => f.write_str("ended in an unknown way")?,
        }
        if let (None, Some(full)) = (self.ended.cause, &self.full) {
            write!(f, ", but {}", full.advice())?;
        }
        for sentence in met::sentences(&self.ended, &self.limits) {
            write!(f, "; {sentence}")?;
        }
        write!(f, "; its output is in {}", self.log.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::met::amount;
    use crate::sandbox::Met;

    fn failed(code: Option<i32>, signal: Option<i32>, cause: Option<EndCause>) -> Failed {
        Failed {
            ended: Ended {
                code,
                signal,
                cause,
                layers: Vec::new(),
                met: Met::default(),
            },
            log: "/log".into(),
            limits: Limits {
                memory_bytes: Some(64 << 20),
                file_size_bytes: Some(1 << 20),
                pids: Some(20),
                ..Limits::default()
            },
            timeout: Some(5),
            full: None,
        }
    }

    /// Proves: PK10 (L), SB8 (L)
    #[test]
    fn a_limit_is_told_with_its_value_and_a_signal_with_its_number() {
        let said = |failed: Failed| failed.to_string();
        assert!(said(failed(None, Some(9), Some(EndCause::Memory))).contains("its limit of 64 MiB (raise"));
        assert!(said(failed(Some(1), None, Some(EndCause::Timeout))).contains("its time of 5 s was over"));
        assert_eq!(
            said(failed(None, Some(15), None)),
            "was ended by signal 15; its output is in /log"
        );
        assert_eq!(failed(None, Some(15), None).code(), Some(143));
        let mut met = failed(Some(1), None, None);
        met.ended.met.refused_processes = 3;
        assert!(said(met).starts_with("ended with exit code 1; it met its limit of 20 processes"));
        let too_large = failed(None, Some(libc::SIGXFSZ), None);
        assert_eq!(too_large.reason(), Some(Reason::OutOfStorage));
        assert!(
            said(too_large).starts_with("was ended for writing a file larger than its limit of 1 MiB (raise")
        );
        assert_eq!(amount(1_500_000), "1500000 bytes");
    }

    /// Proves: RD3 (L)
    #[test]
    fn a_full_disk_comes_before_what_the_process_says() {
        let mut full = failed(Some(0), None, None);
        full.full = Some(IoFailure::new(
            "write in",
            "/no/such/place",
            rustix::io::Errno::NOSPC,
        ));
        assert_eq!(full.reason(), Some(Reason::DataUnavailable));
        let said = full.to_string();
        assert!(
            said.starts_with("ended with exit code 0, but no space is left in '/' ("),
            "{said}"
        );
    }
}
