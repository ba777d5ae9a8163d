//! Control group limits, version 1 and 2, where the machine has the controllers and this process may use them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Step, StepError};
use crate::names::{CGROUP_PARENT, LIMIT_MISSING};
use crate::sandbox::CgroupSpec;

/// Steps carry this name in messages.
const STEP: &str = "set control group limits";
/// Where every distribution mounts control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// The groups of one process; removed when dropped.
#[derive(Debug, Default)]
pub(crate) struct Cgroup {
    directories: Vec<PathBuf>,
    memory: Option<PathBuf>,
    /// Limits that were asked for and can not be had here, for people.
    pub(crate) missing: Vec<String>,
}

impl Cgroup {
    /// Makes the groups and writes the limits.
    ///
    /// # Errors
    /// A controller that is there but refuses the limit.
    pub(crate) fn create(spec: &CgroupSpec) -> Result<Self, StepError> {
        let mut group = Self::default();
        let unified = Path::new(ROOT).join("cgroup.controllers").exists();
        for (controller, settings) in wanted(spec, unified) {
            match group.make(controller, &spec.name, unified) {
                Ok(directory) => {
                    for (file, value) in &settings {
                        let path = directory.join(file);
                        fs::write(&path, value).step(STEP, path.display())?;
                    }
                    if controller == "memory" {
                        group.memory = Some(directory);
                    }
                }
                Err(error) => group
                    .missing
                    .push(format!("{controller} {LIMIT_MISSING}: {error}")),
            }
        }
        Ok(group)
    }

    fn make(&mut self, controller: &str, name: &str, unified: bool) -> io::Result<PathBuf> {
        let base = if unified {
            PathBuf::from(ROOT)
        } else {
            Path::new(ROOT).join(controller)
        };
        if !base.join("cgroup.procs").exists() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the machine has no such controller",
            ));
        }
        let parent = base.join(CGROUP_PARENT);
        if unified {
            delegate(&base, controller)?;
            make_directory(&parent)?;
            delegate(&parent, controller)?;
        } else {
            make_directory(&parent)?;
        }
        let directory = parent.join(name);
        make_directory(&directory)?;
        if !self.directories.contains(&directory) {
            self.directories.push(directory.clone());
        }
        Ok(directory)
    }

    /// Puts a process into the groups.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn add(&self, pid: i32) -> Result<(), StepError> {
        for directory in &self.directories {
            let path = directory.join("cgroup.procs");
            fs::write(&path, pid.to_string()).step(STEP, path.display())?;
        }
        Ok(())
    }

    /// Whether the kernel ended a process of the group for want of memory.
    #[must_use]
    pub(crate) fn out_of_memory(&self) -> bool {
        let kills = self.memory.as_deref().and_then(out_of_memory_kills);
        kills.is_some_and(|kills| kills > 0)
    }
}

/// How many processes of a control group the kernel has ended for want of memory; `None` where it does not say.
#[must_use]
pub(crate) fn out_of_memory_kills(directory: &Path) -> Option<u64> {
    ["memory.events", "memory.oom_control"].iter().find_map(|file| {
        let text = fs::read_to_string(directory.join(file)).ok()?;
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
        count.trim().parse().ok()
    })
}

/// The control group, with a memory controller, that this process is in. A container usually sees its own as the root.
#[must_use]
pub(crate) fn own_memory_group() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let below = memory_groups(&text);
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
        for directory in &self.directories {
            remove(directory);
        }
    }
}

/// Removes the groups of a process whose helper was killed.
pub(crate) fn remove_control_groups(name: &str) {
    for controller in ["", "memory", "cpu", "pids"] {
        remove(&Path::new(ROOT).join(controller).join(CGROUP_PARENT).join(name));
    }
}

fn remove(directory: &Path) {
    // The last process may still be on its way out; the kernel answers EBUSY until it is gone.
    for _ in 0..50 {
        match fs::remove_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
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
    fs::write(directory.join("cgroup.subtree_control"), format!("+{controller}"))
}

/// Controller → files to write, of the version in use.
fn wanted(spec: &CgroupSpec, unified: bool) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    const PERIOD: u64 = 100_000;
    let mut all = Vec::new();
    if let Some(bytes) = spec.memory_bytes {
        let bytes = bytes.to_string();
        all.push((
            "memory",
            if unified {
                vec![("memory.max", bytes), ("memory.oom.group", "1".to_owned())]
            } else {
                vec![("memory.limit_in_bytes", bytes)]
            },
        ));
    }
    if let Some(millis) = spec.cpu_millis {
        let quota = (millis * PERIOD / 1000).max(1000);
        all.push((
            "cpu",
            if unified {
                vec![("cpu.max", format!("{quota} {PERIOD}"))]
            } else {
                vec![
                    ("cpu.cfs_period_us", PERIOD.to_string()),
                    ("cpu.cfs_quota_us", quota.to_string()),
                ]
            },
        ));
    }
    if let Some(pids) = spec.pids {
        all.push(("pids", vec![("pids.max", pids.to_string())]));
    }
    all
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

    #[test]
    fn both_versions_get_their_own_files() {
        let spec = CgroupSpec {
            name: "x".into(),
            memory_bytes: Some(1 << 20),
            cpu_millis: Some(500),
            pids: Some(7),
        };
        let v1 = wanted(&spec, false);
        assert_eq!(v1[0].1, [("memory.limit_in_bytes", "1048576".to_owned())]);
        assert_eq!(v1[1].1[1], ("cpu.cfs_quota_us", "50000".to_owned()));
        let v2 = wanted(&spec, true);
        assert_eq!(v2[1].1, [("cpu.max", "50000 100000".to_owned())]);
        assert_eq!(v2[2].1, [("pids.max", "7".to_owned())]);
    }
}
