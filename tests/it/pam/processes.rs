//! Who is whose child below a server that runs a process in a session.

use crate::faults::place::Place;
use crate::faults::processes;

/// The processes between the server and the content; those that are not there yet, or any more, are missing.
#[derive(Debug, Default)]
pub(super) struct Kin {
    /// `offhost-pam`, which has the session.
    pub(super) monitor: Option<i32>,
    /// `offhost-exec`, outside the sandbox.
    pub(super) launcher: Option<i32>,
    /// The first process of the sandbox.
    pub(super) first: Option<i32>,
    /// What runs in it.
    pub(super) content: Option<i32>,
}

impl Kin {
    pub(super) fn of(place: &Place, server: i32) -> Self {
        let bin = place.path("bin");
        let all = processes::of(bin.parent().expect("it lies in the place"));
        let child = |parent: i32| {
            all.iter()
                .find(|process| process.parent == parent)
                .map(|process| process.pid)
        };
        let named = |parent: i32, name: &str| {
            let is_it =
                |process: &&processes::Process| process.parent == parent && process.name.starts_with(name);
            all.iter().find(is_it).map(|process| process.pid)
        };
        let monitor = named(server, "offhost-pam");
        let launcher = monitor.and_then(|monitor| named(monitor, "offhost-exec"));
        let first = launcher.and_then(child);
        Self {
            monitor,
            launcher,
            first,
            content: first.and_then(child),
        }
    }
}
