//! Limits of a process: what the job asks for, never more than the settings allow.

use std::collections::BTreeMap;

use super::{Limits, PlanError, QuantityError, Task, parse_millis, parse_units};
use crate::settings::Sandbox;
use crate::text::suggestion;

const NAMES: [&str; 4] = ["cpu", "memory", "pids", "ephemeral-storage"];

/// The limits of the content's process, with a note for each wish that was cut down to the settings' bound.
pub(super) fn of_task(task: &Task, bounds: &Sandbox) -> Result<(Limits, Vec<String>), PlanError> {
    let wanted = read("limits", &task.spec.resources.limits)?;
    for (name, request) in read("requests", &task.spec.resources.requests)? {
        if wanted.get(name).is_some_and(|limit| request > *limit) {
            return Err(PlanError::RequestAboveLimit {
                name: name.to_owned(),
            });
        }
    }
    let bounds = of_settings(bounds);
    let mut notes = Vec::new();
    let mut lower = |name: &str, bound: Option<u64>, setting: &str| {
        let wish = wanted.get(name).copied();
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
    Ok((limits, notes))
}

/// The settings' own limits: those of an installation, and the bounds of every other process.
pub(super) fn of_settings(sandbox: &Sandbox) -> Limits {
    let unless_zero = |value: u64| (value > 0).then_some(value);
    Limits {
        memory_bytes: unless_zero(sandbox.memory_limit),
        cpu_millis: unless_zero(sandbox.cpu_limit_millis),
        pids: unless_zero(sandbox.process_limit),
        file_size_bytes: unless_zero(sandbox.file_size_limit),
        open_files: unless_zero(sandbox.open_files_limit),
    }
}

/// The job's time limit.
pub(super) fn timeout(task: &Task) -> Result<Option<u64>, PlanError> {
    match task.spec.timeout_seconds {
        None => Ok(None),
        Some(seconds @ 1..=31_536_000) => Ok(Some(seconds.unsigned_abs())),
        Some(other) => Err(PlanError::Timeout(other)),
    }
}

fn read<'a>(
    list: &'static str,
    given: &'a BTreeMap<String, String>,
) -> Result<BTreeMap<&'a str, u64>, PlanError> {
    given
        .iter()
        .map(|(name, text)| {
            let value = value(name, text).ok_or_else(|| PlanError::Resource {
                name: name.clone(),
                suggestion: suggestion(name, NAMES),
            })?;
            let value = value.map_err(|source| PlanError::Quantity {
                list,
                name: name.clone(),
                source,
            })?;
            Ok((name.as_str(), value))
        })
        .collect()
}

fn value(name: &str, text: &str) -> Option<Result<u64, QuantityError>> {
    match name {
        "cpu" => Some(parse_millis(text)),
        "memory" | "pids" | "ephemeral-storage" => Some(parse_units(text)),
        _ => None,
    }
}
