//! The plan of one process of a build in a Pod, made from the very sandbox that it would have on a machine. Pure.
//!
//! Command line, variables, directories, limits and time are the sandbox's own (`view::sandbox`); nothing is decided here but
//! how each is said to a cluster. What a sandbox hides needs no word: nothing of it is in a Pod.

use std::path::{Path, PathBuf};

use crate::names::{MOUNT_LOG, MOUNT_OFFHOST};
use crate::plan::{
    self, Access, EnvValue, HomePlan, Identity, Limits, Mode, Mount, Output, Plan, PodResources, ProcessPlan,
    Purpose, Source, TmpDir,
};
use crate::runtimes::Choice;
use crate::sandbox::{Bind, RlimitName, SandboxSpec};
use crate::settings::Scheduler;

/// Where the temporary directory of a build is, which is also `/var/tmp` and HOME.
const TMP: &str = "/tmp";

/// What a Pod has beside the sandbox.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The image, and its supervisor (SV3).
    pub choice: &'a Choice,
    /// `Server.DataDir`, links followed: the claim.
    pub root: &'a Path,
    /// Directory for what the process says.
    pub log: &'a Path,
    /// Requests and limits of builds that have none of their own.
    pub scheduler: &'a Scheduler,
}

/// Why a process can not be a Pod's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A directory that is not on the volume.
    #[error("'{}' is not below Server.DataDir, of which alone build Pods see parts; correct Server.DataDir", .0.display())]
    Outside(PathBuf),
    /// A supervisor that may be another program than was meant.
    #[error(
        "the supervisor of runtime '{runtime}' begins with '{program}', which is no absolute path; correct it in runtimes.yaml"
    )]
    Supervisor {
        /// The entry of `runtimes.yaml`.
        runtime: String,
        /// The word.
        program: String,
    },
}

/// The plan of the process of `sandbox`.
///
/// # Errors
/// [`PlanError`].
pub fn plan(sandbox: &SandboxSpec, setting: &Setting<'_>) -> Result<Plan, PlanError> {
    let supervisor = supervisor(setting.choice)?;
    let process = ProcessPlan {
        purpose: Purpose::Build,
        command: supervisor.iter().chain(&sandbox.argv).cloned().collect(),
        supervisor_words: supervisor.len(),
        working_dir: text(&sandbox.cwd),
        identity: identity(sandbox),
        mounts: mounts(sandbox, setting)?,
        masks: Vec::new(),
        tmp: TmpDir {
            path: PathBuf::from(TMP),
            target: TMP.to_owned(),
            mask_tmp: true,
        },
        home: HomePlan::AsIs,
        limits: limits(sandbox),
        resources: resources(sandbox, setting.scheduler),
        timeout_seconds: sandbox.timeout_ms.map(|time| time.div_ceil(1000)),
        serve: None,
        output: Output::None,
        env: sandbox.env.iter().filter_map(|entry| variable(entry)).collect(),
        inputs: Vec::new(),
    };
    Ok(Plan {
        mode: Mode::Pod,
        content: String::new(),
        bundle: String::new(),
        notes: Vec::new(),
        runtime: setting.choice.clone(),
        processes: vec![process],
    })
}

fn supervisor(choice: &Choice) -> Result<&[String], PlanError> {
    match choice.supervisor.first() {
        Some(program) if !program.starts_with('/') => Err(PlanError::Supervisor {
            runtime: choice.runtime.clone(),
            program: program.clone(),
        }),
        _ => Ok(&choice.supervisor),
    }
}

/// The account of the builder, without any other group of its.
fn identity(sandbox: &SandboxSpec) -> Identity {
    let user = sandbox.env.iter().find_map(|entry| entry.strip_prefix("USER="));
    Identity {
        user: user.map_or_else(|| sandbox.uid.to_string(), str::to_owned),
        uid: sandbox.uid,
        gid: sandbox.gid,
        groups: vec![sandbox.gid],
        home: None,
    }
}

/// The directories of the build, and the one of its log. Its temporary directory and `/dev/shm` are every Pod's own.
fn mounts(sandbox: &SandboxSpec, setting: &Setting<'_>) -> Result<Vec<Mount>, PlanError> {
    let mount = |source: &Path, target: String, read_only| {
        let below = source.strip_prefix(setting.root);
        let below = below.map_err(|_| PlanError::Outside(source.to_owned()))?;
        Ok(Mount {
            what: "a directory of the build".to_owned(),
            access: if read_only {
                Access::ReadOnly
            } else {
                Access::ReadWrite
            },
            source: Source::Data(text(below)),
            target,
        })
    };
    let own = sandbox
        .binds
        .iter()
        .filter(|bind| bind.target.starts_with(MOUNT_OFFHOST));
    let binds = own.filter_map(
        |Bind {
             source,
             target,
             read_only,
         }| { Some(mount(source.as_deref()?, text(target), *read_only)) },
    );
    binds
        .chain([mount(setting.log, MOUNT_LOG.to_owned(), false)])
        .collect()
}

/// Those of the settings, but for the limits that the build itself has. Its processes are counted by the kubelet alone.
fn resources(sandbox: &SandboxSpec, scheduler: &Scheduler) -> PodResources {
    let mut scheduler = scheduler.clone();
    if let Some(group) = &sandbox.cgroup {
        scheduler.memory.limit = group.memory_bytes.unwrap_or(scheduler.memory.limit);
        scheduler.cpu.limit = group.cpu_millis.unwrap_or(scheduler.cpu.limit);
    }
    plan::build_resources(&scheduler)
}

/// The limits that the helper sets in a Pod as in the sandbox; of memory and processors the resources are.
fn limits(sandbox: &SandboxSpec) -> Limits {
    let of = |name| {
        let mut limits = sandbox.rlimits.iter();
        limits
            .find(|limit| limit.resource == name)
            .map(|limit| limit.limit)
    };
    Limits {
        file_size_bytes: of(RlimitName::Fsize),
        open_files: of(RlimitName::Nofile),
        ..Limits::default()
    }
}

fn variable(entry: &str) -> Option<(String, EnvValue)> {
    let (name, value) = entry.split_once('=')?;
    Some((name.to_owned(), EnvValue::Value(value.to_owned())))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
