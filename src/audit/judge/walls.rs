//! The walls around a process: namespaces, masks, other processes.

use std::path::PathBuf;

use super::{Answer, REPORT, list};
use crate::audit::Subject;
use crate::sandbox::SandboxMode;

pub(in crate::audit) fn namespaces(subject: &Subject) -> Answer {
    let mut wanted = vec!["mnt", "pid", "ipc", "uts"];
    if subject.expected.mode != SandboxMode::Root {
        wanted.insert(0, "user");
    }
    let shared = wanted.iter().filter(|name| {
        let inside = subject.facts.namespaces.get(**name);
        inside.is_none() || inside == subject.seen.namespaces.get(**name)
    });
    let shared: Vec<&&str> = shared.collect();
    if !shared.is_empty() {
        return Answer::broken(
            format!("not of its own: {}", list(shared)),
            "run offhost doctor, which tries each form of the sandbox and names what the machine refuses",
        );
    }
    Answer::kept(format!("of its own: {}", list(wanted)))
}

pub(in crate::audit) fn masks(subject: &Subject) -> Answer {
    let masks = &subject.facts.masks;
    let open = masks.iter().filter(|mask| mask.bare || !mask.entries.is_empty());
    let open: Vec<String> = open.map(|mask| mask.path.display().to_string()).collect();
    if masks.is_empty() {
        return Answer::untried("nothing of the server's is masked");
    }
    if open.is_empty() {
        let paths = masks.iter().map(|mask| mask.path.display());
        return Answer::kept(format!("empty: {}", list(paths)));
    }
    Answer::broken(format!("not hidden: {}", list(open)), REPORT).by("Server.DataDir")
}

pub(in crate::audit) fn no_way_round(subject: &Subject) -> Answer {
    let facts = &subject.facts;
    let aliases = facts.masks.iter().flat_map(|mask| &mask.found_at);
    let aliases: Vec<&PathBuf> = aliases.collect();
    if let Some(first) = aliases.first() {
        let all = list(aliases.iter().map(|path| path.display()));
        let remedy = format!("unmount {}, or move the data directory", first.display());
        return Answer::broken(format!("a masked directory is seen at {all}"), remedy).by("Server.DataDir");
    }
    if facts.canary_ways.is_empty() {
        return Answer::kept("a file behind a mask was found by none of the ways that were tried");
    }
    let found = format!(
        "a file behind a mask was read through {}",
        list(&facts.canary_ways)
    );
    Answer::broken(found, REPORT)
}

pub(in crate::audit) fn strangers(subject: &Subject) -> Answer {
    let facts = &subject.facts;
    if !facts.looked_into.is_empty() {
        let found = format!("opened of processes outside: {}", list(&facts.looked_into));
        return Answer::broken(found, "use a kernel with Landlock or a user namespace")
            .by("Sandbox.UserNamespace");
    }
    match (facts.signalled, facts.strangers.len()) {
        (Some(true), _) => Answer::broken(
            "a process outside of the same account can be signalled",
            "use a kernel with Landlock from version 6, or let /proc be mounted",
        ),
        (None, 0) => Answer::untried("no process of the account could be started outside"),
        (_, 0) => Answer::kept("no process outside is seen"),
        (_, seen) => Answer::kept(format!(
            "{seen} processes outside are seen, and none can be looked into"
        )),
    }
}

pub(in crate::audit) fn survivors(subject: &Subject) -> Answer {
    match subject.seen.nothing_left {
        Some(true) => Answer::kept("what the probe had left running ended with it"),
        Some(false) => Answer::broken("what the probe had left running goes on", REPORT),
        None => Answer::untried("the probe could leave nothing running"),
    }
}
