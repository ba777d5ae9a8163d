//! A plan becomes what `offhost-exec` is told. Pure, and it can not fail: everything was checked by the plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Bind, CgroupSpec, MaskPath, Rlimit, RlimitName, SandboxMode, SandboxSpec, ServeSpec};
use crate::plan::{Access, EnvValue, HomePlan, Mask, ProcessPlan, SERVE_GRACE_SECONDS, Source};

/// Time between SIGTERM and SIGKILL.
const GRACE_MS: u64 = 5_000;
/// Where homes are (FS5).
const HOME: &str = "/home";

/// Where this machine has what a plan names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `Server.DataDir`.
    pub data_dir: PathBuf,
    /// The starters.
    pub runtime_dir: PathBuf,
    /// The directory with the process's input files.
    pub inputs_dir: PathBuf,
    /// How the sandbox is made.
    pub mode: SandboxMode,
    /// Values of the variables that the plan gives by reference, by variable name. The caller resolves them all
    /// beforehand; a variable without a value here is not set.
    pub secrets: BTreeMap<String, String>,
}

/// The sandbox of one process.
#[must_use]
pub fn build(plan: &ProcessPlan, place: &Place) -> SandboxSpec {
    SandboxSpec {
        mode: place.mode,
        argv: plan.command.clone(),
        env: env(plan, place),
        cwd: PathBuf::from(&plan.working_dir),
        uid: plan.identity.uid,
        gid: plan.identity.gid,
        groups: plan.identity.groups.clone(),
        masks: masks(plan),
        binds: binds(plan, place),
        rlimits: rlimits(plan),
        cgroup: cgroup(plan),
        timeout_ms: plan.timeout_seconds.map(|seconds| seconds.saturating_mul(1000)),
        grace_ms: match plan.serve {
            Some(_) => SERVE_GRACE_SECONDS * 1000,
            None => GRACE_MS,
        },
        serve: serve(plan),
    }
}

fn serve(plan: &ProcessPlan) -> Option<ServeSpec> {
    let serve = plan.serve.as_ref()?;
    Some(ServeSpec {
        ready_file: PathBuf::from(&serve.ready_file),
        interrupt_ms: serve.stop.interrupt_seconds().map(|seconds| seconds * 1000),
    })
}

fn env(plan: &ProcessPlan, place: &Place) -> Vec<String> {
    plan.env
        .iter()
        .filter_map(|(name, value)| {
            let value = match value {
                EnvValue::Value(value) => value,
                EnvValue::SecretKeyRef(_) | EnvValue::ConfigMapKeyRef(_) => place.secrets.get(name)?,
            };
            Some(format!("{name}={value}"))
        })
        .collect()
}

/// The outermost masks: what lies below one is gone already. A path is required if any mask of it is.
fn masks(plan: &ProcessPlan) -> Vec<MaskPath> {
    let covered = |mask: &Mask| {
        plan.masks
            .iter()
            .any(|other| mask.path != other.path && mask.path.starts_with(&other.path))
    };
    let mut masks: BTreeMap<&Path, bool> = BTreeMap::new();
    for mask in plan.masks.iter().filter(|mask| !covered(mask)) {
        *masks.entry(&mask.path).or_default() |= mask.required;
    }
    masks
        .into_iter()
        .map(|(path, required)| MaskPath {
            path: path.to_path_buf(),
            required,
        })
        .collect()
}

/// What is put in place, parents first.
fn binds(plan: &ProcessPlan, place: &Place) -> Vec<Bind> {
    let mut binds = home(plan);
    if plan.tmp.mask_tmp {
        binds.extend(["/tmp", "/var/tmp"].map(|target| bind(&plan.tmp.path, target, false)));
    } else {
        binds.push(bind(&plan.tmp.path, &plan.tmp.target, false));
    }
    for mount in &plan.mounts {
        let source = match &mount.source {
            Source::Data(path) => place.data_dir.join(path),
            Source::Runtime => place.runtime_dir.clone(),
            Source::Inputs => place.inputs_dir.clone(),
        };
        binds.push(bind(&source, &mount.target, mount.access == Access::ReadOnly));
    }
    // Shared memory of other processes of the account is none of the content's business; a Pod has its own as well.
    binds.push(Bind {
        source: None,
        target: PathBuf::from("/dev/shm"),
        read_only: false,
    });
    binds.sort_by(|a, b| a.target.cmp(&b.target));
    binds
}

fn bind(source: &Path, target: &str, read_only: bool) -> Bind {
    Bind {
        source: Some(source.to_path_buf()),
        target: PathBuf::from(target),
        read_only,
    }
}

/// What covers `/home`. The account's home is shown from before the masks, so whatever they hide below it
/// is hidden a second time at its new place.
fn home(plan: &ProcessPlan) -> Vec<Bind> {
    let empty = |target: PathBuf| Bind {
        source: None,
        target,
        read_only: true,
    };
    match &plan.home {
        HomePlan::AsIs => Vec::new(),
        HomePlan::Empty => vec![empty(PathBuf::from(HOME))],
        HomePlan::CoveredBy(home) => {
            let mut binds = vec![bind(home, HOME, false)];
            let inside = masks(plan).into_iter().filter_map(|mask| {
                let rest = mask.path.strip_prefix(home).ok()?;
                Some(empty(Path::new(HOME).join(rest)))
            });
            binds.extend(inside);
            binds
        }
    }
}

fn rlimits(plan: &ProcessPlan) -> Vec<Rlimit> {
    let limits = &plan.limits;
    // A core dump holds the environment, secrets included, and would be written beside the content's files.
    [
        (RlimitName::Core, Some(0)),
        (RlimitName::Fsize, limits.file_size_bytes),
        (RlimitName::Nofile, limits.open_files),
    ]
    .into_iter()
    .filter_map(|(resource, limit)| {
        Some(Rlimit {
            resource,
            limit: limit?,
        })
    })
    .collect()
}

/// The number of processes is limited here alone: the rlimit counts every process of the account.
fn cgroup(plan: &ProcessPlan) -> Option<CgroupSpec> {
    let limits = &plan.limits;
    let name = plan.tmp.path.file_name()?.to_str()?.to_owned();
    let limited = limits.memory_bytes.is_some() || limits.cpu_millis.is_some() || limits.pids.is_some();
    limited.then_some(CgroupSpec {
        name,
        memory_bytes: limits.memory_bytes,
        cpu_millis: limits.cpu_millis,
        pids: limits.pids,
    })
}
