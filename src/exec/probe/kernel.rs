//! What the kernel says of this process, and what it refuses it.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::process::Resource;

use crate::audit::{AccountFacts, Attempt, MountFact, StatusFacts};
use crate::exec::{mountinfo, seccomp_table, sys_tries};

/// A namespace of the machine's users, with a flag that no new process can have together with it: refused for the one by
/// the filter, for the other by a kernel that gets to see it.
const NAMESPACE_AND_SHARED_PLACE: i64 = (libc::CLONE_NEWUSER | libc::CLONE_FS) as i64;
/// Types a character into the terminal; the kernel ignores what stands above its low 32 bits.
const TYPES: [i64; 2] = [0x5412, 0x1_0000_5412];

pub(super) fn lines(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The values of a line of `/proc/self/status`.
fn values<'a>(status: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let line = status.lines().find_map(|line| {
        let (key, values) = line.split_once(':')?;
        (key == name).then_some(values)
    });
    line.unwrap_or_default().split_whitespace()
}

pub(super) fn account() -> AccountFacts {
    let status = lines("/proc/self/status").join("\n");
    let ids = |name: &str| values(&status, name).filter_map(|id| id.parse().ok()).collect();
    AccountFacts {
        uids: ids("Uid"),
        gids: ids("Gid"),
        groups: ids("Groups"),
    }
}

pub(super) fn status() -> StatusFacts {
    status_of(&lines("/proc/self/status").join("\n"))
}

fn status_of(status: &str) -> StatusFacts {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let bits = |name: &str| u64::from_str_radix(values(status, name).next()?, 16).ok();
    let number = |name: &str| values(status, name).next()?.parse::<u32>().ok();
    StatusFacts {
        capabilities: sets
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), bits(name)?)))
            .collect(),
        no_new_privs: number("NoNewPrivs") == Some(1),
        seccomp: number("Seccomp").unwrap_or_default(),
        filters: number("Seccomp_filters"),
    }
}

pub(super) fn namespaces() -> BTreeMap<String, String> {
    crate::exec::own_namespaces()
}

pub(super) fn mounts() -> Vec<MountFact> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let fact = |entry: mountinfo::MountEntry<'_>| MountFact {
        at: entry.mount_point.into_owned(),
        kind: entry.kind.to_owned(),
        root: entry.root.into_owned(),
        device: entry.device.to_owned(),
    };
    mountinfo::parse(&text).into_iter().map(fact).collect()
}

pub(super) fn rlimits() -> BTreeMap<String, [Option<u64>; 2]> {
    let all = [
        ("core", Resource::Core),
        ("cpu", Resource::Cpu),
        ("fsize", Resource::Fsize),
        ("memlock", Resource::Memlock),
        ("nofile", Resource::Nofile),
        ("nproc", Resource::Nproc),
        ("as", Resource::As),
        ("stack", Resource::Stack),
    ];
    all.into_iter()
        .map(|(name, resource)| {
            let limit = rustix::process::getrlimit(resource);
            (name.to_owned(), [limit.current, limit.maximum])
        })
        .collect()
}

/// Open descriptors, but for the one that this is read through.
pub(super) fn descriptors() -> BTreeMap<i32, String> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let fact = |entry: std::fs::DirEntry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        let is_own = target.starts_with("/proc") && target.ends_with(Path::new("fd"));
        (!is_own).then(|| (number, target.display().to_string()))
    };
    entries.filter_map(fact).collect()
}

/// Asks for every system call that the filter does not let through, with arguments of which none is valid: a kernel that got to
/// see them would answer otherwise, and do nothing.
pub(super) fn attempts() -> Vec<Attempt> {
    let calls = seccomp_table::refused().map(|(number, wanted)| {
        let what = format!("system call {number}");
        attempt(what, sys_tries::ask(number, [-1; 4]), wanted)
    });
    let injections = TYPES.map(|request| {
        let answer = sys_tries::ask(libc::SYS_ioctl, [-1, request, -1, -1]);
        attempt(format!("ioctl {request:#x} (TIOCSTI)"), answer, libc::EPERM)
    });
    let answer = sys_tries::ask(libc::SYS_clone, [NAMESPACE_AND_SHARED_PLACE, 0, 0, 0]);
    let namespace = attempt("clone with a user namespace".to_owned(), answer, libc::EPERM);
    calls.chain(injections).chain([namespace]).collect()
}

fn attempt(what: String, answer: Option<i32>, wanted: i32) -> Attempt {
    let instead = match answer {
        Some(errno) if errno == wanted => None,
        Some(errno) => Some(std::io::Error::from_raw_os_error(errno).to_string()),
        None => Some("allowed".to_owned()),
    };
    Attempt { what, instead }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_words_are_read() {
        let text = "Name:\tx y\nUid:\t7\t7\t7\t8\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\nCapInh:\t0000000000000000\n\
            CapPrm:\t0000000000000000\nCapEff:\t00000000000000ff\nCapBnd:\t0\nCapAmb:\t0\n";
        let status = status_of(text);
        assert!(status.no_new_privs);
        assert_eq!((status.seccomp, status.filters), (2, Some(1)));
        assert_eq!(status.capabilities["CapEff"], 255);
        assert_eq!(status.capabilities.len(), 5);
        assert_eq!(values(text, "Uid").collect::<Vec<_>>(), ["7", "7", "7", "8"]);
        assert_eq!(status_of("").capabilities.len(), 0);
    }

    #[test]
    fn an_answer_is_what_was_wanted_or_is_told() {
        let said = |answer| attempt("x".to_owned(), answer, libc::EPERM).instead;
        assert_eq!(said(Some(libc::EPERM)), None);
        assert_eq!(said(None), Some("allowed".to_owned()));
        assert!(said(Some(libc::EFAULT)).is_some());
    }
}
