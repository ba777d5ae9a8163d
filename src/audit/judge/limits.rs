//! The limits of the settings, as they are in force.

use super::{Answer, list};
use crate::audit::Subject;
use crate::names::{CGROUP_PARENT, LIMIT_MISSING};

pub(in crate::audit) fn memory(subject: &Subject) -> Answer {
    let wanted = subject.expected.limits.memory_bytes;
    group(subject, "memory", "Sandbox.MemoryLimit", wanted)
}

pub(in crate::audit) fn cpu(subject: &Subject) -> Answer {
    let wanted = subject.expected.limits.cpu_millis;
    group(subject, "cpu", "Sandbox.CPULimit", wanted)
}

pub(in crate::audit) fn processes(subject: &Subject) -> Answer {
    let wanted = subject.expected.limits.pids;
    group(subject, "pids", "Sandbox.ProcessLimit", wanted)
}

pub(in crate::audit) fn file_size(subject: &Subject) -> Answer {
    let wanted = subject.expected.limits.file_size_bytes;
    own(subject, "fsize", "Sandbox.FileSizeLimit", wanted)
}

pub(in crate::audit) fn open_files(subject: &Subject) -> Answer {
    let wanted = subject.expected.limits.open_files;
    own(subject, "nofile", "Sandbox.OpenFilesLimit", wanted)
}

/// A limit that a control group keeps.
fn group(subject: &Subject, controller: &str, setting: &'static str, wanted: Option<u64>) -> Answer {
    if wanted.is_none() {
        return Answer::untried(format!("{setting} is not set")).by(setting);
    }
    let missing = format!("{controller} {LIMIT_MISSING}");
    let said = subject
        .seen
        .layers
        .iter()
        .find(|layer| layer.starts_with(&missing));
    if let Some(said) = said {
        let remedy =
            "run the server as root on a machine that has the controller; offhost doctor tells which";
        return Answer::broken(said.clone(), remedy).by(setting);
    }
    // Where the process sees the machine's control groups, it must be in one of ours.
    let of_it = |line: &&String| {
        let mut parts = line.splitn(3, ':');
        let controllers = parts.nth(1).unwrap_or_default();
        controllers.is_empty() || controllers.split(',').any(|one| one == controller)
    };
    let lines: Vec<&String> = subject.facts.cgroups.iter().filter(of_it).collect();
    let ours = |line: &&&String| line.contains(&format!("/{CGROUP_PARENT}/"));
    if lines.iter().any(|line| ours(&line)) {
        return Answer::kept(format!("a control group of its own keeps {controller}")).by(setting);
    }
    let found = format!("it is in none of the server's control groups ({})", list(lines));
    Answer::broken(found, "run offhost doctor, which tells of control groups").by(setting)
}

/// A limit that the process itself has.
fn own(subject: &Subject, name: &str, setting: &'static str, wanted: Option<u64>) -> Answer {
    let Some(wanted) = wanted else {
        return Answer::untried(format!("{setting} is not set")).by(setting);
    };
    match subject.facts.rlimits.get(name) {
        Some([Some(soft), Some(hard)]) if *soft <= wanted && *hard <= wanted => {
            Answer::kept(format!("{hard} is in force")).by(setting)
        }
        Some(_) => Answer::broken(
            format!("more than {wanted} is possible"),
            "report it: the limit is not in force on this kernel",
        )
        .by(setting),
        None => Answer::untried("the limit could not be read").by(setting),
    }
}
