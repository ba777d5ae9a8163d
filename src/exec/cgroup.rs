//! Control group limits, version 1 and 2, where the machine has the controllers and this process may use them.

mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use place::{Machine, PROCESSES, Place, ROOT};
pub(crate) use place::{controllers_out_of_reach, leave_own_group};

use super::error::{Step, StepError};
use crate::names::{CGROUP_PARENT, LIMIT_MISSING};
use crate::sandbox::{CgroupSpec, Met};

/// Steps carry this name in messages.
const STEP: &str = "set control group limits";
/// The largest page of memory that a machine has, in bytes.
const PAGE: u64 = 64 << 10;

/// The groups of one process; removed when dropped.
#[derive(Debug, Default)]
pub(crate) struct Cgroup {
    /// Controller → group.
    groups: BTreeMap<&'static str, PathBuf>,
    /// Limits that were asked for and can not be had here, for people.
    pub(crate) missing: Vec<String>,
}

impl Cgroup {
    /// Makes the groups and writes the limits.
    ///
    /// # Errors
    /// A controller that is there but refuses the limit.
    pub(crate) fn create(spec: &CgroupSpec) -> Result<Self, StepError> {
        Self::create_at(&Machine::this(), spec)
    }

    fn create_at(machine: &Machine<'_>, spec: &CgroupSpec) -> Result<Self, StepError> {
        let mut group = Self::default();
        for (controller, limit) in wanted(spec) {
            let place = machine.place(controller);
            let made = place.and_then(|place| Ok((make(&place, controller, &spec.name)?, place.unified)));
            match made {
                Ok((directory, unified)) => {
                    // Known before anything is written: what was made is removed if that fails.
                    group.groups.insert(controller, directory.clone());
                    write_limits(&directory, controller, limit, unified)?;
                }
                Err(error) => group
                    .missing
                    .push(format!("{controller} {LIMIT_MISSING}: {}", because(&error))),
            }
        }
        Ok(group)
    }

    /// Each group once: in version 2 all controllers have the same.
    fn directories(&self) -> BTreeSet<&Path> {
        self.groups.values().map(PathBuf::as_path).collect()
    }

    /// Puts a process into the groups.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn add(&self, pid: i32) -> Result<(), StepError> {
        for directory in self.directories() {
            let path = directory.join(PROCESSES);
            fs::write(&path, pid.to_string()).step(STEP, path.display())?;
            let members = fs::read_to_string(&path).step(STEP, path.display())?;
            if !members.lines().any(|member| member == pid.to_string()) {
                let problem = format!("{} does not take the process in", path.display());
                return Err(StepError::new(
                    STEP,
                    problem,
                    "look what else moves processes between groups",
                ));
            }
        }
        Ok(())
    }

    /// Whether the kernel ended a process of the group for want of memory.
    #[must_use]
    pub(crate) fn out_of_memory(&self) -> bool {
        let memory = self.groups.get("memory");
        let kills = memory.and_then(|directory| out_of_memory_kills(directory));
        kills.is_some_and(|kills| kills > 0)
    }

    /// The limits that were met without ending anything.
    #[must_use]
    pub(crate) fn met(&self) -> Met {
        let count = |controller, file, key| count(&self.groups.get(controller)?.join(file), key);
        let nanoseconds = count("cpu", "cpu.stat", "throttled_time ");
        let microseconds = count("cpu", "cpu.stat", "throttled_usec ");
        let throttled = nanoseconds
            .map(|time| time / 1_000_000)
            .or_else(|| microseconds.map(|time| time / 1_000));
        Met {
            refused_processes: count("pids", "pids.events", "max ").unwrap_or_default(),
            throttled_ms: throttled.unwrap_or_default(),
        }
    }
}

fn make(place: &Place, controller: &str, name: &str) -> io::Result<PathBuf> {
    let parent = place.base.join(CGROUP_PARENT);
    if place.unified {
        delegate(&place.base, controller)?;
        make_directory(&parent)?;
        delegate(&parent, controller)?;
    } else {
        make_directory(&parent)?;
    }
    let directory = parent.join(name);
    make_directory(&directory)?;
    Ok(directory)
}

/// Writes the limits of one controller. Files that not every kernel has are written where they are.
fn write_limits(directory: &Path, controller: &str, limit: u64, unified: bool) -> Result<(), StepError> {
    for (file, value) in files(controller, limit, unified) {
        let path = directory.join(file);
        fs::write(&path, &value).step(STEP, path.display())?;
        let now = fs::read_to_string(&path).step(STEP, path.display())?;
        if !is_in_force(controller, &value, now.trim()) {
            let problem = format!("{} is {} and not {value}", path.display(), now.trim());
            return Err(StepError::new(STEP, problem, "look what else sets it"));
        }
    }
    for (file, value) in optional_files(controller, limit, unified) {
        let path = directory.join(file);
        if path.exists() {
            fs::write(&path, value).step(STEP, path.display())?;
        }
    }
    Ok(())
}

/// Whether a file of a controller says what was written to it; memory comes in whole pages.
fn is_in_force(controller: &str, written: &str, now: &str) -> bool {
    let numbers = (written.parse::<u64>(), now.parse::<u64>());
    let is_rounded = matches!(numbers, (Ok(written), Ok(now)) if now < written && written - now < PAGE);
    written == now || controller == "memory" && is_rounded
}

/// A refusal in words that help.
fn because(error: &io::Error) -> String {
    match error.raw_os_error() {
        // Version 2: a group with processes of its own can hand no controller down.
        Some(libc::EBUSY) => {
            "the control group that this server sees as the root has processes of its own; start them in a \
                              group below it"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// The number behind a word of a file with a word and a number a line.
fn count(file: &Path, word: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let number = text.lines().find_map(|line| line.strip_prefix(word))?;
    number.trim().parse().ok()
}

/// How many processes of a control group the kernel has ended for want of memory; `None` where it does not say.
#[must_use]
pub(crate) fn out_of_memory_kills(directory: &Path) -> Option<u64> {
    ["memory.events", "memory.oom_control"]
        .iter()
        .find_map(|file| count(&directory.join(file), "oom_kill "))
}

/// The control group, with a memory controller, that this process is in. A container usually sees its own as the root.
#[must_use]
pub(crate) fn own_memory_group() -> Option<PathBuf> {
    let below = memory_groups(&place::own_groups());
    let roots = [PathBuf::from(ROOT), Path::new(ROOT).join("memory")];
    let mut candidates = below.into_iter().chain(roots);
    candidates.find(|directory| out_of_memory_kills(directory).is_some())
}

/// Where the groups of a `/proc/PID/cgroup` are that may have a memory controller, in both versions.
fn memory_groups(text: &str) -> Vec<PathBuf> {
    let lines = text.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let base = match controllers {
            "" => PathBuf::from(ROOT),
            list if list.split(',').any(|one| one == "memory") => Path::new(ROOT).join("memory"),
            _ => return None,
        };
        Some(base.join(path.trim_start_matches('/')))
    });
    lines.collect()
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in self.directories() {
            remove(directory);
        }
    }
}

/// Removes the groups of a process whose helper was killed.
pub(crate) fn remove_control_groups(name: &str) {
    for directory in Machine::this().every(name) {
        remove(&directory);
    }
}

fn remove(directory: &Path) {
    // The last process may still be on its way out; the kernel answers EBUSY until it is gone.
    for _ in 0..50 {
        match fs::remove_dir(directory) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ResourceBusy | io::ErrorKind::Interrupted
                ) =>
            {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            _ => break,
        }
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        answer => answer,
    }
}

/// Version 2 hands a controller down one level at a time.
fn delegate(directory: &Path, controller: &str) -> io::Result<()> {
    let file = directory.join("cgroup.subtree_control");
    let down = fs::read_to_string(&file).unwrap_or_default();
    if down.split_whitespace().any(|one| one == controller) {
        return Ok(());
    }
    fs::write(file, format!("+{controller}"))
}

/// Controller → limit.
fn wanted(spec: &CgroupSpec) -> Vec<(&'static str, u64)> {
    let all = [
        ("memory", spec.memory_bytes),
        ("cpu", spec.cpu_millis),
        ("pids", spec.pids),
    ];
    let given = all.into_iter();
    given
        .filter_map(|(controller, limit)| Some((controller, limit?)))
        .collect()
}

/// The files of a limit, with what is written to them, in this order.
fn files(controller: &str, limit: u64, unified: bool) -> Vec<(&'static str, String)> {
    const PERIOD: u64 = 100_000;
    let quota = (limit.saturating_mul(PERIOD) / 1000).max(1000);
    match (controller, unified) {
        ("memory", true) => vec![
            ("memory.max", limit.to_string()),
            ("memory.oom.group", "1".to_owned()),
        ],
        ("memory", false) => vec![("memory.limit_in_bytes", limit.to_string())],
        ("cpu", true) => vec![("cpu.max", format!("{quota} {PERIOD}"))],
        ("cpu", false) => vec![
            ("cpu.cfs_period_us", PERIOD.to_string()),
            ("cpu.cfs_quota_us", quota.to_string()),
        ],
        _ => vec![("pids.max", limit.to_string())],
    }
}

/// Files that a kernel has only where it counts swap: what may not be used of memory is not to be had there either.
fn optional_files(controller: &str, limit: u64, unified: bool) -> Vec<(&'static str, String)> {
    match (controller, unified) {
        ("memory", true) => vec![("memory.swap.max", "0".to_owned())],
        ("memory", false) => vec![("memory.memsw.limit_in_bytes", limit.to_string())],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_group_of_a_process_is_found_in_both_versions() {
        let first = "7:cpu,cpuacct:/a\n4:memory:/kube/pod\n0::/unified\n";
        assert_eq!(
            memory_groups(first),
            [
                PathBuf::from("/sys/fs/cgroup/memory/kube/pod"),
                PathBuf::from("/sys/fs/cgroup/unified")
            ]
        );
        assert_eq!(memory_groups("0::/\n"), [PathBuf::from("/sys/fs/cgroup/")]);
    }

    fn spec() -> CgroupSpec {
        CgroupSpec {
            name: "x".into(),
            memory_bytes: Some(1 << 20),
            cpu_millis: Some(500),
            pids: Some(7),
        }
    }

    /// A directory with files as the kernel has them; it does not do what the kernel does when one is written.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn read(root: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(root.path().join(name)).unwrap()
    }

    /// Proves: PK10 (L)
    #[test]
    fn version_two_hands_controllers_down_and_has_one_group() {
        let root = machine(&[
            ("cgroup.controllers", "cpuset cpu memory pids"),
            ("offhost/x/memory.swap.max", "max"),
            (
                "offhost/x/cpu.stat",
                "usage_usec 9\nnr_throttled 2\nthrottled_usec 2500000\n",
            ),
            ("offhost/x/pids.events", "max 3\n"),
            ("offhost/x/memory.events", "low 0\noom_kill 1\n"),
        ]);
        let group = Cgroup::create_at(&Machine::of_root(root.path()), &spec()).unwrap();
        assert_eq!(group.missing, [""; 0]);
        assert_eq!(read(&root, "offhost/x/memory.max"), "1048576");
        assert_eq!(read(&root, "offhost/x/memory.oom.group"), "1");
        assert_eq!(read(&root, "offhost/x/memory.swap.max"), "0");
        assert_eq!(read(&root, "offhost/x/cpu.max"), "50000 100000");
        assert_eq!(read(&root, "offhost/x/pids.max"), "7");
        // The last that was handed down.
        assert_eq!(read(&root, "cgroup.subtree_control"), "+pids");
        assert_eq!(read(&root, "offhost/cgroup.subtree_control"), "+pids");
        group.add(4711).unwrap();
        assert_eq!(read(&root, "offhost/x/cgroup.procs"), "4711");
        assert!(group.out_of_memory());
        let met = Met {
            refused_processes: 3,
            throttled_ms: 2_500,
        };
        assert_eq!(group.met(), met);
        assert_eq!(group.directories().len(), 1);
    }

    /// Proves: PK10 (L)
    #[test]
    fn version_one_has_a_group_in_each_hierarchy() {
        let root = machine(&[
            ("memory/cgroup.procs", ""),
            ("memory/offhost/x/memory.memsw.limit_in_bytes", ""),
            (
                "memory/offhost/x/memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
            ),
            ("cpu/cgroup.procs", ""),
            (
                "cpu/offhost/x/cpu.stat",
                "nr_throttled 1\nthrottled_time 1500000000\n",
            ),
            // The second version beside the first, with a controller that the first does not have.
            ("unified/cgroup.controllers", "hugetlb pids"),
        ]);
        let group = Cgroup::create_at(&Machine::of_root(root.path()), &spec()).unwrap();
        assert_eq!(group.missing, [""; 0]);
        assert_eq!(read(&root, "memory/offhost/x/memory.limit_in_bytes"), "1048576");
        assert_eq!(
            read(&root, "memory/offhost/x/memory.memsw.limit_in_bytes"),
            "1048576"
        );
        assert_eq!(read(&root, "cpu/offhost/x/cpu.cfs_quota_us"), "50000");
        assert_eq!(read(&root, "unified/offhost/x/pids.max"), "7");
        assert_eq!(group.directories().len(), 3);
        assert!(!group.out_of_memory());
        assert_eq!(group.met().throttled_ms, 1_500);
    }

    /// Proves: PK10 (L), SB9 (L)
    #[test]
    fn an_operation_that_fails_is_refused_or_told_and_never_passed_over() {
        let told = [
            ("offhost", "memory"),
            ("cgroup.subtree_control/y", "memory"),
            ("offhost/cgroup.subtree_control/y", "pids"),
        ];
        for (obstacle, controller) in told {
            let root = machine(&[("cgroup.controllers", "cpu memory pids"), (obstacle, "")]);
            let group = Cgroup::create_at(&Machine::of_root(root.path()), &spec()).unwrap();
            assert_eq!(group.missing.len(), 3, "{obstacle}: {group:?}");
            let one = group
                .missing
                .iter()
                .find(|missing| missing.starts_with(controller));
            assert!(one.unwrap().contains(LIMIT_MISSING), "{group:?}");
        }
        // What has the name of the group is none.
        let root = machine(&[("cgroup.controllers", "cpu memory pids"), ("offhost/x", "")]);
        Cgroup::create_at(&Machine::of_root(root.path()), &spec()).unwrap_err();
        let refused = [
            "memory.max",
            "memory.oom.group",
            "memory.swap.max",
            "cpu.max",
            "pids.max",
            "cgroup.procs",
        ];
        for file in refused {
            let name = format!("offhost/x/{file}/y");
            let root = machine(&[("cgroup.controllers", "cpu memory pids"), (&name, "")]);
            let group = Cgroup::create_at(&Machine::of_root(root.path()), &spec());
            let error = group.and_then(|group| group.add(1)).unwrap_err();
            assert!(error.step == STEP && error.message.contains(file), "{error:?}");
        }
    }

    /// Proves: PK10 (L)
    #[test]
    fn a_controller_that_is_not_there_is_told() {
        let root = machine(&[("cgroup.controllers", "cpu pids")]);
        let group = Cgroup::create_at(&Machine::of_root(root.path()), &spec()).unwrap();
        assert_eq!(
            group.missing,
            ["memory limit not in force: the machine has no such controller"]
        );
        assert_eq!(group.met(), Met::default());
        let busy = because(&io::Error::from_raw_os_error(libc::EBUSY));
        assert!(busy.contains("processes of its own"), "{busy}");
        // Half of it is not it, but for the rest of a page of memory.
        assert!(is_in_force("memory", "1048577", "1048576") && !is_in_force("memory", "1048576", "524288"));
        assert!(!is_in_force("pids", "7", "6") && !is_in_force("cpu", "50000 100000", "max 100000"));
        // What can not be written is refused by the kernel, and ends the start: a limit is in force or told.
        let root = machine(&[("pids/cgroup.procs", ""), ("pids/offhost/x/pids.max/y", "")]);
        let error = Cgroup::create_at(&Machine::of_root(root.path()), &spec()).unwrap_err();
        assert_eq!(error.step, STEP);
    }
}
