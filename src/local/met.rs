//! What is said of the limits that a process has met, with what raises them (PK10).

use super::launcher::Ended;
use crate::names::LIMIT_MISSING;
use crate::plan::Limits;

/// Less of it is no news: a process that starts has to wait now and then.
const WORTH_TELLING_MS: u64 = 1_000;
/// What shells and interpreters add to the number of the signal that has ended a child of theirs.
const BY_SIGNAL: i32 = 128;

/// What raises each limit, in the words of those who may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raise {
    pub(crate) memory: &'static str,
    pub(crate) cpu: &'static str,
    pub(crate) processes: &'static str,
    pub(crate) file_size: &'static str,
}

/// That of content.
pub(in crate::local) const OF_JOBS: Raise = Raise {
    memory: "spec.resources.limits.memory or Sandbox.MemoryLimit",
    cpu: "spec.resources.limits.cpu or Sandbox.CPULimit",
    processes: "spec.resources.limits.pids or Sandbox.ProcessLimit",
    file_size: "spec.resources.limits.ephemeral-storage or Sandbox.FileSizeLimit",
};

/// A sentence for each limit that content has met without being ended for it.
pub(in crate::local) fn sentences(ended: &Ended, limits: &Limits) -> Vec<String> {
    sentences_of(ended, limits, OF_JOBS)
}

/// The same, with what raises these limits.
pub(crate) fn sentences_of(ended: &Ended, limits: &Limits, raise: Raise) -> Vec<String> {
    let met = ended.met;
    let processes = limits.pids.filter(|_| met.refused_processes > 0).map(|most| {
        format!(
            "it met its limit of {most} processes and threads, so that {} could not be started (raise {})",
            met.refused_processes, raise.processes
        )
    });
    let waited = met.throttled_ms;
    let cpu = limits
        .cpu_millis
        .filter(|_| waited >= WORTH_TELLING_MS)
        .map(|most| {
            format!(
                "its processes waited {} s in all for a processor, of which it may use {} (raise {})",
                thousandths(waited),
                thousandths(most),
                raise.cpu
            )
        });
    processes.into_iter().chain(cpu).collect()
}

/// The same, after the limits that the machine could not give it.
pub(in crate::local) fn all(ended: &Ended, limits: &Limits) -> Vec<String> {
    let missing = ended.layers.iter().filter(|layer| layer.contains(LIMIT_MISSING));
    missing.cloned().chain(sentences(ended, limits)).collect()
}

/// Whether it was ended for writing a file larger than it may.
pub(crate) fn is_too_large(ended: &Ended, limits: &Limits) -> bool {
    let by_it = ended.signal == Some(libc::SIGXFSZ) || ended.code == Some(BY_SIGNAL + libc::SIGXFSZ);
    by_it && limits.file_size_bytes.is_some()
}

/// The end of a sentence about that.
pub(crate) fn too_large(limits: &Limits, raise: Raise) -> String {
    let limit = limits.file_size_bytes.map(amount).unwrap_or_default();
    format!(
        "was ended for writing a file larger than its limit of {limit} (raise {})",
        raise.file_size
    )
}

/// The end of a sentence about a process that the kernel has ended for want of memory.
pub(crate) fn too_much_memory(limits: &Limits, raise: Raise) -> String {
    let limit = limits.memory_bytes.map(|bytes| format!(" of {}", amount(bytes)));
    format!(
        "was ended for using more memory than its limit{} (raise {})",
        limit.unwrap_or_default(),
        raise.memory
    )
}

/// A number of thousandths, with as many digits as tell something.
pub(crate) fn thousandths(value: u64) -> String {
    let text = format!("{}.{:03}", value / 1000, value % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Bytes in the largest unit of which they are a whole number.
pub(crate) fn amount(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units
        .into_iter()
        .find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size));
    whole.map_or_else(
        || format!("{bytes} bytes"),
        |(size, unit)| format!("{} {unit}", bytes / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Met;

    fn ended(met: Met) -> Ended {
        Ended {
            code: Some(1),
            signal: None,
            cause: None,
            layers: Vec::new(),
            met,
        }
    }

    /// Proves: PK10 (L)
    #[test]
    fn a_limit_that_was_met_is_told_with_its_value_and_what_raises_it() {
        let limits = Limits {
            pids: Some(20),
            cpu_millis: Some(500),
            ..Limits::default()
        };
        let met = Met {
            refused_processes: 3,
            throttled_ms: 2_500,
        };
        let said = sentences(&ended(met), &limits);
        assert!(said[0].contains("limit of 20 processes") && said[0].contains("Sandbox.ProcessLimit"));
        assert!(
            said[1].contains("waited 2.5 s") && said[1].contains("use 0.5 (raise"),
            "{said:?}"
        );
        let mut told = ended(met);
        told.layers = vec![
            "seccomp filter".to_owned(),
            format!("memory {LIMIT_MISSING}: none"),
        ];
        assert_eq!(all(&told, &limits).len(), 3);
        // What nobody limited can not have been met.
        assert!(sentences(&ended(met), &Limits::default()).is_empty());
        let little = Met {
            refused_processes: 0,
            throttled_ms: 20,
        };
        assert!(sentences(&ended(little), &limits).is_empty());
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        assert_eq!(amount(512 << 20), "512 MiB");
        assert_eq!(thousandths(2_000), "2");
    }
}
