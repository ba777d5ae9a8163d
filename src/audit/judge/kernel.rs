//! What the kernel lets a process do.

use super::{Answer, REPORT, list};
use crate::audit::Subject;
use crate::names::LISTEN_FD;
use crate::sandbox::SandboxMode;

pub(in crate::audit) fn account(subject: &Subject) -> Answer {
    let (facts, wanted) = (&subject.facts.account, &subject.expected.identity);
    let is = |ids: &[u32], id: u32| ids.len() == 4 && ids.iter().all(|one| *one == id);
    if wanted.uid == 0 || wanted.gid == 0 {
        return Answer::broken("content would run as root", "name another account").by("Applications.RunAs");
    }
    if !is(&facts.uids, wanted.uid) || !is(&facts.gids, wanted.gid) {
        let found = format!(
            "runs as uid {} gid {} where uid {} gid {} was planned",
            list(&facts.uids),
            list(&facts.gids),
            wanted.uid,
            wanted.gid
        );
        return Answer::broken(found, REPORT).by("Applications.RunAs");
    }
    let sorted = |groups: &[u32]| {
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        groups
    };
    let same = sorted(&facts.groups) == sorted(&wanted.groups);
    // An ordinary user's groups are the kernel's affair: those that are not mapped all read as the same.
    if !same && subject.expected.mode != SandboxMode::Unprivileged {
        let found = format!(
            "has the groups {} where {} were planned",
            list(&facts.groups),
            list(&wanted.groups)
        );
        return Answer::broken(found, REPORT).by("Applications.RunAs");
    }
    Answer::kept(format!("uid {} gid {}", wanted.uid, wanted.gid))
}

pub(in crate::audit) fn capabilities(subject: &Subject) -> Answer {
    let sets = &subject.facts.status.capabilities;
    let full = sets.iter().filter(|(_, bits)| **bits != 0);
    let full: Vec<String> = full.map(|(name, bits)| format!("{name} {bits:x}")).collect();
    match (sets.len(), full.is_empty()) {
        (5, true) => Answer::kept("all five sets are empty"),
        (5, false) => Answer::broken(format!("not empty: {}", list(full)), REPORT),
        _ => Answer::untried("/proc/self/status tells none"),
    }
}

pub(in crate::audit) fn no_new_privs(subject: &Subject) -> Answer {
    match subject.facts.status.no_new_privs {
        true => Answer::kept("no_new_privs is set"),
        false => Answer::broken("no_new_privs is not set", REPORT),
    }
}

pub(in crate::audit) fn system_calls(subject: &Subject) -> Answer {
    let facts = &subject.facts;
    if facts.status.seccomp != 2 {
        let found = format!("no filter is in force (mode {})", facts.status.seccomp);
        return Answer::broken(found, REPORT);
    }
    let passed = facts.attempts.iter().filter_map(|attempt| {
        let answer = attempt.instead.as_ref()?;
        Some(format!("{} ({answer})", attempt.what))
    });
    let passed: Vec<String> = passed.collect();
    match (facts.attempts.len(), passed.is_empty()) {
        (0, _) => Answer::broken("no system call was tried", REPORT),
        (count, true) => Answer::kept(format!("{count} calls were refused as they should be")),
        (_, false) => Answer::broken(format!("not refused: {}", list(passed)), REPORT),
    }
}

pub(in crate::audit) fn descriptors(subject: &Subject) -> Answer {
    let allowed = |number: i32| number <= 2 || (number == LISTEN_FD && subject.expected.listens);
    let all = &subject.facts.descriptors;
    let more = all.iter().filter(|(number, _)| !allowed(**number));
    let more: Vec<String> = more.map(|(number, what)| format!("{number} ({what})")).collect();
    if !more.is_empty() {
        return Answer::broken(format!("inherited: {}", list(more)), REPORT);
    }
    if subject.expected.listens && !all.contains_key(&LISTEN_FD) {
        return Answer::broken("the listening socket is missing", REPORT);
    }
    Answer::kept(format!("open: {}", list(all.keys())))
}

pub(in crate::audit) fn terminal(subject: &Subject) -> Answer {
    match subject.facts.terminal {
        false => Answer::kept("/dev/tty can not be opened"),
        true => Answer::broken("/dev/tty can be opened", REPORT),
    }
}

pub(in crate::audit) fn core_dumps(subject: &Subject) -> Answer {
    match subject.facts.rlimits.get("core") {
        Some([Some(0), Some(0)]) => Answer::kept("core dumps are off"),
        Some(_) => Answer::broken("core dumps are possible", REPORT),
        None => Answer::untried("the limit could not be read"),
    }
}
