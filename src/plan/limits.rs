//! Limits of a process: what the job asks for, never more than the settings allow. In local mode those of `[Sandbox]`;
//! in a Pod the resources are the cluster's to give, see [`super::resources`].

use super::{Limits, Mode, PlanError, PodResources, Task, asked, resources};
use crate::settings::{Sandbox, Settings};

/// What a process may use.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    pub(super) limits: Limits,
    pub(super) resources: PodResources,
    /// A sentence for each wish that was cut down to a bound or that has no effect.
    pub(super) notes: Vec<String>,
}

/// What the content's process may use.
pub(super) fn of_task(task: &Task, settings: &Settings) -> Result<Allowed, PlanError> {
    let asked = asked::read(&task.spec.resources)?;
    match task.mode {
        Mode::Local => Ok(local(&asked, &settings.sandbox)),
        Mode::Pod => {
            let (resources, notes) = resources::of_task(&asked, &settings.scheduler)?;
            Ok(Allowed {
                limits: of_process(&settings.sandbox),
                resources,
                notes,
            })
        }
    }
}

/// What an installation may use: nothing that a job asks for, as what it makes is shared.
pub(super) fn of_install(mode: Mode, settings: &Settings) -> (Limits, PodResources) {
    match mode {
        Mode::Local => (of_settings(&settings.sandbox), PodResources::default()),
        Mode::Pod => (
            of_process(&settings.sandbox),
            resources::of_install(&settings.scheduler),
        ),
    }
}

fn local(asked: &asked::Asked<'_>, bounds: &Sandbox) -> Allowed {
    let bounds = of_settings(bounds);
    let mut notes = Vec::new();
    let mut lower = |name: &str, bound: Option<u64>, setting: &str| {
        let wish = asked.limits.get(name).copied();
        if let (Some(wish), Some(bound)) = (wish, bound)
            && wish > bound
        {
            notes.push(format!("the limit of {name} is lowered to {setting}"));
        }
        wish.into_iter().chain(bound).min()
    };
    let limits = Limits {
        memory_bytes: lower("memory", bounds.memory_bytes, "Sandbox.MemoryLimit"),
        cpu_millis: lower("cpu", bounds.cpu_millis, "Sandbox.CPULimit"),
        pids: lower("pids", bounds.pids, "Sandbox.ProcessLimit"),
        // No file can be larger than everything together; a local process has no tighter measure.
        file_size_bytes: lower(
            "ephemeral-storage",
            bounds.file_size_bytes,
            "Sandbox.FileSizeLimit",
        ),
        open_files: bounds.open_files,
    };
    let devices = asked.devices();
    let devices = devices.keys();
    notes.extend(devices.map(|name| {
        format!("{name} has no effect in local mode: a process sees the devices of this machine")
    }));
    Allowed {
        limits,
        resources: PodResources::default(),
        notes,
    }
}

/// The settings' own limits: those of an installation, and the bounds of every other process.
fn of_settings(sandbox: &Sandbox) -> Limits {
    Limits {
        memory_bytes: unless_zero(sandbox.memory_limit),
        cpu_millis: unless_zero(sandbox.cpu_limit_millis),
        pids: unless_zero(sandbox.process_limit),
        ..of_process(sandbox)
    }
}

/// The limits that the helper sets by itself, in both modes.
fn of_process(sandbox: &Sandbox) -> Limits {
    Limits {
        file_size_bytes: unless_zero(sandbox.file_size_limit),
        open_files: unless_zero(sandbox.open_files_limit),
        ..Limits::default()
    }
}

pub(super) fn unless_zero(value: u64) -> Option<u64> {
    (value > 0).then_some(value)
}

/// The job's time limit.
pub(super) fn timeout(task: &Task) -> Result<Option<u64>, PlanError> {
    match task.spec.timeout_seconds {
        None => Ok(None),
        Some(seconds @ 1..=31_536_000) => Ok(Some(seconds.unsigned_abs())),
        Some(other) => Err(PlanError::Timeout(other)),
    }
}
