//! The directories of a Pod that begin empty and go with it: for temporary files, HOME, shared memory (TD1, FS5).

use std::path::{Component, Path};

use super::PodPlace;
use crate::names;
use crate::plan::{EnvValue, HomePlan, Plan, ProcessPlan};

/// Where homes are (FS5).
const HOME: &str = "/home";
/// Where programs that know no TMPDIR write.
const TMP: &str = "/tmp";
const VAR_TMP: &str = "/var/tmp";
const SHM: &str = "/dev/shm";

/// Directories without which no image works.
const SYSTEM: [&str; 11] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr",
];

/// One empty directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scratch {
    /// Name of its volume.
    pub(super) volume: &'static str,
    /// Where it is mounted; a volume can be mounted in several places.
    pub(super) paths: Vec<String>,
    /// The most it can hold, in bytes; 0 is no limit.
    pub(super) size_limit: u64,
    /// Whether it is memory rather than disk.
    pub(super) in_memory: bool,
}

/// The empty directories of a process.
pub(super) fn of(plan: &Plan, process: &ProcessPlan, place: &PodPlace) -> Vec<Scratch> {
    let settings = &place.kubernetes;
    let scratch = |volume, paths: &[&str], size_limit| Scratch {
        volume,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        size_limit,
        in_memory: volume == "shm",
    };
    let tmp = settings.tmp_size_limit;
    let mut all = if process.tmp.mask_tmp {
        vec![scratch("tmp", &[TMP, VAR_TMP], tmp)]
    } else {
        vec![
            scratch("tmp", &[&process.tmp.target], tmp),
            // The image's own can not be written, and much writes there without asking.
            scratch("slash-tmp", &[TMP], tmp),
            scratch("var-tmp", &[VAR_TMP], tmp),
        ]
    };
    all.push(scratch("shm", &[SHM], tmp));
    if let Some(home) = home(plan, process, &all) {
        all.push(scratch("home", &[&home], settings.home_size_limit));
    }
    all
}

/// Where HOME needs a directory of its own: not where it lies in one that the Pod has anyway, and not where a directory
/// there would hide the image's programs, as for accounts whose home is `/usr/sbin`.
fn home(plan: &Plan, process: &ProcessPlan, others: &[Scratch]) -> Option<String> {
    let value = match &process.home {
        HomePlan::Empty | HomePlan::CoveredBy(_) => HOME,
        HomePlan::AsIs => match process.env.get("HOME")? {
            EnvValue::Value(value) => value.as_str(),
            EnvValue::SecretKeyRef(_) | EnvValue::ConfigMapKeyRef(_) => return None,
        },
    };
    let home = plain(value)?;
    let home_path = Path::new(&home);
    let mounted = process
        .mounts
        .iter()
        .map(|mount| mount.target.as_str())
        .chain(
            plan.runtime
                .volume_mounts
                .iter()
                .map(|mount| mount.target.path.as_str()),
        )
        .chain(others.iter().flat_map(|other| &other.paths).map(String::as_str))
        .chain([names::MOUNT_DIR, names::MOUNT_OFFHOST]);
    if mounted.chain(SYSTEM).any(|place| home_path.starts_with(place)) {
        return None;
    }
    let programs = plan
        .runtime
        .interpreters
        .values()
        .map(|found| found.path.as_str());
    let started = [0, process.supervisor_words];
    let started = started.into_iter().filter_map(|word| process.command.get(word));
    let mut needed = programs
        .chain(started.map(String::as_str))
        .chain([names::MOUNT_DIR, names::MOUNT_OFFHOST])
        .chain(others.iter().flat_map(|other| &other.paths).map(String::as_str));
    (!needed.any(|path| Path::new(path).starts_with(home_path))).then_some(home)
}

/// A path as mounts have it: absolute, without needless slashes, and not the root.
fn plain(path: &str) -> Option<String> {
    let mut plain = String::new();
    for part in Path::new(path).components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => {
                plain.push('/');
                plain.push_str(name.to_str()?);
            }
            Component::Prefix(_) | Component::CurDir | Component::ParentDir => return None,
        }
    }
    (path.starts_with('/') && !plain.is_empty()).then_some(plain)
}
