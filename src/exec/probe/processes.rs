//! Processes outside, and the ways that lead through them and past the masks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::audit::{MountFact, Orders};
use crate::exec::sys;

/// What of a process can not be opened by others.
const PARTS: [&str; 8] = ["environ", "mem", "maps", "cwd", "root", "fd/0", "fd/1", "fd/2"];

/// A process, as a file system shows it: `/proc/1`.
#[derive(Debug)]
struct Shown {
    pid: i32,
    directory: PathBuf,
}

/// Processes that are seen and are not of this sandbox.
#[derive(Debug)]
pub(super) struct Family {
    strangers: Vec<Shown>,
}

impl Family {
    /// Looks through every mounted procfs.
    pub(super) fn look(mounts: &[MountFact]) -> Self {
        let procs = mounts.iter().filter(|mount| mount.kind == "proc");
        let mut places: Vec<&Path> = procs.map(|mount| mount.at.as_path()).collect();
        places.sort_unstable();
        places.dedup();
        Self {
            strangers: places.into_iter().flat_map(strangers_in).collect(),
        }
    }

    pub(super) fn strangers(&self) -> Vec<i32> {
        self.strangers.iter().map(|shown| shown.pid).collect()
    }

    /// What of them could be opened.
    pub(super) fn looked_into(&self) -> Vec<String> {
        let parts = self
            .strangers
            .iter()
            .flat_map(|shown| PARTS.map(|part| shown.directory.join(part)));
        let open = parts.filter(|path| can_open(path));
        open.map(|path| path.display().to_string()).collect()
    }
}

/// A directory is opened by its first entry: the kernel looks at rights when the link is followed.
fn can_open(path: &Path) -> bool {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("cwd" | "root") => fs::read_dir(path).is_ok(),
        _ => File::open(path).is_ok(),
    }
}

fn strangers_in(place: &Path) -> Vec<Shown> {
    let own = |part: &str| fs::read_link(place.join("self").join(part));
    // In a procfs of this PID namespace everything is of this sandbox.
    let itself = fs::read_link(place.join("self")).ok();
    let number = std::process::id().to_string();
    if itself.is_some_and(|name| name == Path::new(&number)) && place == Path::new("/proc") {
        return Vec::new();
    }
    let namespace = own("ns/pid").ok();
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let shown = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let directory = entry.path();
        let its = fs::read_link(directory.join("ns/pid")).ok();
        let same = its.is_some() && its == namespace;
        (!same).then_some(Shown { pid, directory })
    });
    shown.collect()
}

/// Whether a process outside can be told something; 0 is no signal, and asks for the right alone.
pub(super) fn can_signal(pid: i32) -> bool {
    sys::kill(pid, 0).is_ok()
}

/// Ways that led to the canary: none should.
pub(super) fn canary_ways(orders: &Orders, family: &Family) -> Vec<String> {
    let path = &orders.canary;
    let below_root = path.strip_prefix("/").unwrap_or(path);
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let mut ways = vec![path.clone()];
    for shown in &family.strangers {
        ways.push(shown.directory.join("root").join(below_root));
        ways.push(shown.directory.join("cwd").join(&name));
    }
    // A descriptor or a working directory from before the masks.
    for number in 0..64 {
        let descriptor = PathBuf::from(format!("/proc/self/fd/{number}"));
        ways.extend([descriptor.join(&name), descriptor.join(below_root)]);
    }
    ways.push(Path::new("../".repeat(40).as_str()).join(below_root));
    for shown in &orders.exposures {
        // What is shown lies beside the canary; the way up from it must not lead there.
        ways.extend(["..", "../..", "../../.."].map(|up| shown.path.join(up).join(&name)));
    }
    let aliases = orders.masks.iter().flat_map(|mask| {
        let rest = path.strip_prefix(&mask.path).ok();
        let rest = rest.map(Path::to_owned);
        mask.aliases
            .iter()
            .filter_map(move |alias| Some(alias.join(rest.as_ref()?)))
    });
    ways.extend(aliases);
    let leads = |way: &PathBuf| fs::read(way).is_ok_and(|text| text == orders.token.as_bytes());
    ways.retain(leads);
    ways.into_iter().map(|way| way.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: SB5 (L)
    #[test]
    fn a_canary_that_is_not_hidden_is_found() {
        let place = tempfile::tempdir().unwrap();
        let canary = place.path().join("canary");
        fs::create_dir(place.path().join("shown")).unwrap();
        fs::write(&canary, "token").unwrap();
        let orders = |token: &str| Orders {
            canary: canary.clone(),
            token: token.to_owned(),
            exposures: vec![crate::audit::Exposed {
                path: place.path().join("shown"),
                read_only: true,
            }],
            ..Orders::default()
        };
        let family = Family {
            strangers: Vec::new(),
        };
        let ways = canary_ways(&orders("token"), &family);
        assert!(ways.contains(&canary.display().to_string()), "{ways:?}");
        assert!(
            ways.iter().any(|way| way.ends_with("shown/../canary")),
            "{ways:?}"
        );
        assert!(canary_ways(&orders("another"), &family).is_empty());
    }

    #[test]
    fn whoever_can_be_looked_into_is_told() {
        let own = Shown {
            pid: 1,
            directory: PathBuf::from("/proc/self"),
        };
        let family = Family { strangers: vec![own] };
        let open = family.looked_into();
        assert!(open.contains(&"/proc/self/environ".to_owned()), "{open:?}");
        assert!(open.contains(&"/proc/self/root".to_owned()), "{open:?}");
    }
}
