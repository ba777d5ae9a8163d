//! Where a process may make control groups: root below the top of each hierarchy, an account in what was handed to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::names::CGROUP_PARENT;

/// Where every distribution mounts control groups.
pub(super) const ROOT: &str = "/sys/fs/cgroup";
/// Where a machine with both versions has the second.
pub(super) const HYBRID: &str = "unified";
/// The controllers of a group of version 2; no other version has the file.
const CONTROLLERS: &str = "cgroup.controllers";
/// The processes of a group, in both versions.
pub(super) const PROCESSES: &str = "cgroup.procs";
/// What can be limited.
pub(super) const LIMITED: [&str; 3] = ["memory", "cpu", "pids"];
/// Where a server goes that has a group of version 2 to itself: one with processes can hand no controller down.
const ASIDE: &str = "offhost-server";
/// What is told where nothing was handed to the account.
const NOTHING_HANDED: &str =
    "no control group was handed to this account, as Delegate=yes in the unit of a service does";

/// The group in which groups of one controller are made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base: PathBuf,
    pub(super) unified: bool,
}

/// The control groups of a machine, as one process sees them.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    root: &'a Path,
    /// `/proc/self/cgroup` of a process that is not root's.
    own: Option<String>,
}

impl Machine<'static> {
    /// This one.
    pub(super) fn this() -> Self {
        let is_root = rustix::process::geteuid().is_root();
        Self {
            root: Path::new(ROOT),
            own: (!is_root).then(own_groups),
        }
    }
}

impl<'a> Machine<'a> {
    #[cfg(test)]
    pub(super) fn of_root(root: &'a Path) -> Self {
        Self { root, own: None }
    }

    #[cfg(test)]
    pub(super) fn of_account(root: &'a Path, own: &str) -> Self {
        let own = Some(own.to_owned());
        Self { root, own }
    }

    /// Where the groups of a controller are made.
    ///
    /// # Errors
    /// The machine does not have it, or nothing of it may be changed by this account.
    pub(super) fn place(&self, controller: &str) -> io::Result<Place> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "the machine has no such controller");
        let top = self.hierarchy(controller).ok_or_else(missing)?;
        let Some(own) = &self.own else {
            return Ok(top);
        };
        let unified = top.unified;
        let open = handed(&top, controller, own)
            .into_iter()
            .find(|base| is_open(base, unified));
        let closed = || io::Error::new(io::ErrorKind::PermissionDenied, NOTHING_HANDED);
        Ok(Place {
            base: open.ok_or_else(closed)?,
            unified,
        })
    }

    /// Where a controller is: in the only hierarchy of version 2, in one of its own in version 1, or in that of version 2
    /// beside those.
    fn hierarchy(&self, controller: &str) -> Option<Place> {
        let has = |base: &Path| {
            let text = fs::read_to_string(base.join(CONTROLLERS)).unwrap_or_default();
            text.split_whitespace().any(|one| one == controller)
        };
        let (own, hybrid) = (self.root.join(controller), self.root.join(HYBRID));
        let (base, unified) = if self.root.join(CONTROLLERS).exists() {
            has(self.root).then(|| (self.root.to_owned(), true))?
        } else if own.join(PROCESSES).exists() {
            (own, false)
        } else {
            has(&hybrid).then_some((hybrid, true))?
        };
        Some(Place { base, unified })
    }

    /// Every group of this name that there can be.
    pub(super) fn every(&self, name: &str) -> Vec<PathBuf> {
        let tops = ["", HYBRID].map(|top| self.root.join(top));
        let places = LIMITED
            .iter()
            .filter_map(|controller| self.place(controller).ok());
        let bases = tops.into_iter().chain(places.map(|place| place.base));
        let older = LIMITED.iter().map(|controller| self.root.join(controller));
        bases
            .chain(older)
            .map(|base| base.join(CGROUP_PARENT).join(name))
            .collect()
    }
}

/// Where groups may have been handed to an account, in the order in which they are taken. In version 2 above its own one,
/// which has processes.
fn handed(top: &Place, controller: &str, own: &str) -> Vec<PathBuf> {
    let Some(own) = group_of(own, controller, top.unified) else {
        return vec![top.base.clone()];
    };
    let own = top.base.join(own.trim_start_matches('/'));
    match top.unified {
        true => {
            let above = own.parent().filter(|above| above.starts_with(&top.base));
            above.into_iter().map(Path::to_owned).collect()
        }
        false => vec![own, top.base.clone()],
    }
}

/// Whether groups can be made and joined there: in it, or in the directory that all of ours are in.
fn is_open(base: &Path, unified: bool) -> bool {
    let may_write = |path: &Path| rustix::fs::access(path, Access::WRITE_OK).is_ok();
    match unified {
        // Who joins a group from another must be allowed to change what is above both.
        true => may_write(base) && may_write(&base.join(PROCESSES)),
        false => may_write(base) || may_write(&base.join(CGROUP_PARENT)),
    }
}

/// The group of a controller in the text of `/proc/PID/cgroup`.
fn group_of<'t>(text: &'t str, controller: &str, unified: bool) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = match unified {
            true => controllers.is_empty(),
            false => controllers.split(',').any(|one| one == controller),
        };
        is_it.then_some(path)
    })
}

/// The control groups that this process is in.
pub(super) fn own_groups() -> String {
    fs::read_to_string("/proc/self/cgroup").unwrap_or_default()
}

/// The controllers whose limits can not be had by this process.
#[must_use]
pub(crate) fn controllers_out_of_reach() -> Vec<&'static str> {
    let machine = Machine::this();
    let is_open = |controller: &&str| {
        let place = machine.place(controller);
        place.is_ok_and(|place| is_open(&place.base, place.unified))
    };
    let all = LIMITED.into_iter();
    all.filter(|controller| !is_open(controller)).collect()
}

/// Leaves a group of version 2 that was handed to this account with nothing above it, for one below: a group with
/// processes can hand no controller down to those of builds. Where that can not be done, the limits say what is missing.
pub(crate) fn leave_own_group() {
    let machine = Machine::this();
    let Some(own) = &machine.own else { return };
    // One hierarchy has all controllers of version 2.
    let unified = LIMITED
        .iter()
        .filter_map(|controller| machine.hierarchy(controller));
    for top in unified.filter(|top| top.unified).take(1) {
        drop(step_aside(&top, own));
    }
}

fn step_aside(top: &Place, own: &str) -> io::Result<()> {
    let Some(group) = group_of(own, "", true) else {
        return Ok(());
    };
    let group = top.base.join(group.trim_start_matches('/'));
    let above_is_open = group.parent().is_some_and(|above| is_open(above, true));
    if above_is_open || !is_open(&group, true) || group == top.base {
        return Ok(());
    }
    let aside = group.join(ASIDE);
    super::make_directory(&aside)?;
    fs::write(aside.join(PROCESSES), std::process::id().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    /// Proves: PK10 (L), GB1 (B)
    #[test]
    fn an_account_makes_groups_in_what_was_handed_to_it() {
        let root = machine(&[
            ("cgroup.controllers", "cpu memory"),
            ("system/pm.service/cgroup.procs", ""),
        ]);
        let own = "0::/system/pm.service/server\n";
        let place = Machine::of_account(root.path(), own).place("memory").unwrap();
        assert_eq!(place.base, root.path().join("system/pm.service"));
        // A group that has no processes file beside it is nobody's to hand down.
        let nothing = Machine::of_account(root.path(), "0::/system/other\n");
        let refusal = nothing.place("memory").unwrap_err();
        assert!(refusal.to_string().contains("Delegate=yes"), "{refusal}");
        // The top has nothing above it.
        assert!(
            Machine::of_account(root.path(), "0::/\n")
                .place("memory")
                .is_err()
        );
        assert!(nothing.place("pids").unwrap_err().to_string().contains("no such"));
    }

    /// Proves: PK10 (L), GB1 (B)
    #[test]
    fn in_version_one_it_is_its_own_group() {
        let root = machine(&[("memory/cgroup.procs", ""), ("memory/pm/cgroup.procs", "")]);
        let own = "4:memory:/pm\n3:cpu,cpuacct:/\n";
        let machine = Machine::of_account(root.path(), own);
        assert_eq!(
            machine.place("memory").unwrap().base,
            root.path().join("memory/pm")
        );
        assert!(
            machine
                .every("x")
                .contains(&root.path().join("memory/pm/offhost/x"))
        );
    }

    /// Proves: PK10 (L), GB1 (B)
    #[test]
    fn a_server_with_a_group_to_itself_makes_room_in_it() {
        let root = machine(&[
            ("cgroup.controllers", "cpu"),
            ("pm/cgroup.procs", ""),
            ("pm/cgroup.controllers", "cpu"),
        ]);
        let top = Place {
            base: root.path().to_owned(),
            unified: true,
        };
        step_aside(&top, "0::/pm\n").unwrap();
        let moved = fs::read_to_string(root.path().join("pm/offhost-server/cgroup.procs")).unwrap();
        assert_eq!(moved, std::process::id().to_string());
        let place = Machine::of_account(root.path(), "0::/pm/offhost-server\n").place("cpu");
        assert_eq!(place.unwrap().base, root.path().join("pm"));
        // Not where it has something above already, nor out of the top.
        step_aside(&top, "0::/pm/offhost-server\n").unwrap();
        assert!(!root.path().join("pm/offhost-server/offhost-server").exists());
    }
}
