//! Limits of builds: how they are put on a process, and what is told of them.

use crate::local::launcher::Ended;
use crate::local::met::{self, Raise, amount, thousandths};
use crate::names::LIMIT_MISSING;
use crate::plan::Limits;
use crate::reason::Reason;
use crate::sandbox::{CgroupSpec, EndCause, Rlimit, RlimitName, SandboxSpec};
use crate::settings::{BuildLimits, BuildSettings};

/// The first kernel that counts the processes of an account in each user namespace for itself.
const COUNTS_BY_NAMESPACE: (u32, u32) = (5, 14);
/// Blocks in which a shell counts the size of files.
const BLOCK: u64 = 512;
const RAISE: Raise = Raise {
    memory: "limits.memory of the builder or Sandbox.MemoryLimit",
    cpu: "limits.cpu of the builder or Sandbox.CPULimit",
    processes: "limits.processes of the builder or Sandbox.ProcessLimit",
    file_size: "limits.fileSize of the builder or Sandbox.FileSizeLimit",
};
/// What the system library says for a file that may not grow, and shells for a program that was ended for it.
const TOO_LARGE: [&str; 2] = ["File too large", "File size limit exceeded"];
/// What the system library, a shell and R say for a process that may not be started.
const TOO_MANY: [&str; 3] = ["Resource temporarily unavailable", "Cannot fork", "cannot fork"];

/// The largest of each that the settings and these builders ask for; none where one of them asks for none.
#[must_use]
pub fn largest(settings: &BuildSettings, builders: impl Iterator<Item = BuildLimits>) -> BuildLimits {
    builders.fold(settings.limits, |most, one| BuildLimits {
        memory: most.memory.max(one.memory),
        cpu_millis: most.cpu_millis.max(one.cpu_millis),
        processes: most.processes.max(one.processes),
        file_size: most.file_size.max(one.file_size),
        open_files: most.open_files.max(one.open_files),
    })
}

/// All of them in words.
#[must_use]
pub fn describe(limits: BuildLimits) -> String {
    let limits = of(limits);
    let words = [
        limits
            .memory_bytes
            .map(|bytes| format!("{} of memory", amount(bytes))),
        limits
            .cpu_millis
            .map(|cpu| format!("{} processors", thousandths(cpu))),
        limits.pids.map(|count| format!("{count} processes")),
        limits
            .file_size_bytes
            .map(|bytes| format!("files of {}", amount(bytes))),
        limits.open_files.map(|count| format!("{count} open files")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    match words.is_empty() {
        true => "none are set".to_owned(),
        false => format!("at most {}", words.join(", ")),
    }
}

fn of(limits: BuildLimits) -> Limits {
    let unless_zero = |value: u64| (value > 0).then_some(value);
    Limits {
        memory_bytes: unless_zero(limits.memory),
        cpu_millis: unless_zero(limits.cpu_millis),
        pids: unless_zero(limits.processes),
        file_size_bytes: unless_zero(limits.file_size),
        open_files: unless_zero(limits.open_files),
    }
}

/// Whether a kernel of this release counts the processes of a sandbox by themselves, and not with all of the account's.
#[must_use]
pub fn counts_processes(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    matches!((next(), next()), (Some(major), Some(minor)) if (major, minor) >= COUNTS_BY_NAMESPACE)
}

/// Puts limits on a process; `group` is the name of its control group. The limit of processes is set twice where the
/// kernel `counts_processes`: without a control group it is in force all the same, with one it is told when it is met.
pub fn put_on(spec: &mut SandboxSpec, limits: BuildLimits, group: &str, counts_processes: bool) {
    let limits = of(limits);
    // One more, so that the control group refuses first, and counts.
    let processes = limits.pids.filter(|_| counts_processes);
    let processes = processes.map(|most| most.saturating_add(1));
    let own = [
        (RlimitName::Fsize, limits.file_size_bytes),
        (RlimitName::Nofile, limits.open_files),
        (RlimitName::Nproc, processes),
    ];
    let own = own.into_iter();
    spec.rlimits.extend(own.filter_map(|(resource, limit)| {
        Some(Rlimit {
            resource,
            limit: limit?,
        })
    }));
    let is_grouped = [limits.memory_bytes, limits.cpu_millis, limits.pids]
        .iter()
        .any(Option::is_some);
    spec.cgroup = is_grouped.then(|| CgroupSpec {
        name: group.to_owned(),
        memory_bytes: limits.memory_bytes,
        cpu_millis: limits.cpu_millis,
        pids: limits.pids,
    });
}

/// Code for a shell that sets what can be set without a sandbox and then becomes the program of its arguments.
pub(super) fn in_shell(limits: BuildLimits) -> String {
    let limits = of(limits);
    let size = limits.file_size_bytes.map(|bytes| ("f", bytes.div_ceil(BLOCK)));
    let files = limits.open_files.map(|count| ("n", count));
    let set = size.into_iter().chain(files);
    // One above the account's own limit is refused, and then that is in force.
    let set: String = set
        .map(|(option, limit)| format!("ulimit -{option} {limit} 2>/dev/null; "))
        .collect();
    format!("ulimit -c 0; {set}exec \"$@\"")
}

/// Those that a process without a sandbox does not have.
pub(super) fn missing_outside(limits: BuildLimits) -> Vec<String> {
    let asked = [
        ("memory", limits.memory),
        ("cpu", limits.cpu_millis),
        ("pids", limits.processes),
    ];
    let asked = asked.into_iter().filter(|(_, limit)| *limit > 0);
    asked
        .map(|(name, _)| format!("{name} {LIMIT_MISSING}: builds run without a sandbox"))
        .collect()
}

/// Of the layers of a sandbox, the limits that were asked for and can not be had.
pub(super) fn not_in_force(layers: &[String], limits: BuildLimits, counts_processes: bool) -> Vec<String> {
    let in_force_all_the_same = |layer: &&String| {
        let is_of_account = layer.starts_with("nproc ");
        layer.starts_with("pids ") && counts_processes || is_of_account && limits.processes == 0
    };
    let missing = layers.iter().filter(|layer| layer.contains(LIMIT_MISSING));
    missing
        .filter(|layer| !in_force_all_the_same(layer))
        .cloned()
        .collect()
}

/// A sentence for each limit that a process has met without being ended for it.
pub(super) fn met(ended: &Ended, limits: BuildLimits) -> Vec<String> {
    met::sentences_of(ended, &of(limits), RAISE)
}

/// How a process ended that was ended for a limit, and the reason. What wrote too large a file is mostly a child of its own
/// that it speaks for.
pub(super) fn ended_by(ended: &Ended, limits: BuildLimits, said: &str) -> Option<(String, Reason)> {
    let limits = of(limits);
    match ended.cause {
        Some(EndCause::Memory) => Some((met::too_much_memory(&limits, RAISE), Reason::OutOfMemory)),
        Some(_) => None,
        None if met::is_too_large(ended, &limits) => {
            Some((met::too_large(&limits, RAISE), Reason::OutOfStorage))
        }
        None if ended.succeeded() => None,
        None => {
            let limit = limits.file_size_bytes?;
            let word = TOO_LARGE.iter().find(|word| said.contains(**word))?;
            let how = format!(
                "failed with '{word}', and no file of it may be larger than {} (raise {})",
                amount(limit),
                RAISE.file_size
            );
            Some((how, Reason::OutOfStorage))
        }
    }
}

/// The same with the limits that it has met on its way.
pub(super) fn with_met(how: String, ended: &Ended, limits: BuildLimits, said: &str) -> String {
    let met = met(ended, limits);
    let counted = ended.met.refused_processes > 0;
    let word = TOO_MANY.into_iter().find(|word| !counted && said.contains(word));
    let supposed = of(limits).pids.zip(word).map(|(most, word)| {
        format!(
            "it says '{word}', and may have {most} processes and threads (raise {})",
            RAISE.processes
        )
    });
    let all = std::iter::once(how).chain(met).chain(supposed);
    all.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
