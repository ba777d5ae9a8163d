//! Where things lie below `DataDir` and what they are called there (PW1). Relative paths, as text.

use super::{PlanError, Task};

/// Whether each name that becomes part of a path is one plain component: nothing outside `DataDir`'s own
/// directories can be named (FS4).
pub(super) fn check(task: &Task) -> Result<(), PlanError> {
    for (what, value) in [
        ("content", task.content.as_str()),
        ("bundle", &task.bundle),
        ("job key", &task.job_key),
        ("result number", &task.rendering),
        ("spec.variant", variant(task)),
    ] {
        if !is_component(value) {
            return Err(PlanError::PathName {
                what,
                value: value.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether `name` is one plain path component.
pub(super) fn is_component(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(allowed)
}

pub(super) fn variant(task: &Task) -> &str {
    task.spec.variant.as_deref().unwrap_or("default")
}

/// The source as it was deployed.
pub(super) fn source(task: &Task) -> String {
    format!("apps/{}/{}", task.content, task.bundle)
}

/// The fresh copy of the source that one job works on (RD1).
pub(super) fn source_copy(task: &Task) -> String {
    format!(
        "reports/v2/{}/{}/temp.render.{}",
        task.content, task.bundle, task.job_key
    )
}

/// The output directory of one render (RD2).
pub(super) fn result(task: &Task) -> String {
    format!("reports/v2/{}/{}/{}", task.content, variant(task), task.rendering)
}

/// The log directory of the job (FS3).
pub(super) fn log(task: &Task) -> String {
    format!("jobs/{}/{}/log", task.content, task.job_key)
}

/// A Python environment (PK2). The first directory is `pip` whatever made it, as the products have it.
pub(super) fn python_environment(version: &str, key: &str) -> String {
    format!("python-environments/pip/{version}/{key}")
}

/// Where that environment is made: beside its place, so that one rename puts it there.
pub(super) fn python_staging(task: &Task, version: &str) -> String {
    format!("python-environments/pip/{version}/.staging-{}", task.job_key)
}

/// An environment of Node.js packages: `node_modules`, with the files it was made from beside it.
pub(super) fn node_environment(version: &str, key: &str) -> String {
    format!("node-environments/{version}/{key}")
}

/// Where that environment is made: beside its place, so that one rename puts it there.
pub(super) fn node_staging(task: &Task, version: &str) -> String {
    format!("node-environments/{version}/.staging-{}", task.job_key)
}

/// The cache of installed R packages: `PACKAGE/HASH/PACKAGE` below it (PK1).
pub(super) fn r_cache(version: &str) -> String {
    format!("packrat/{version}/v2/library")
}

/// A library of links into the cache.
pub(super) fn r_library(version: &str, key: &str) -> String {
    format!("packrat/{version}/libraries/{key}")
}

/// Where R packages are built.
pub(super) fn r_staging(task: &Task, version: &str) -> String {
    format!("R/{version}/staging.{}", task.job_key)
}

/// What a process sees of a path below `DataDir` that keeps its name below `MountDir` (PW1).
pub(super) fn mounted(data_path: &str) -> String {
    format!("{}/{data_path}", crate::names::MOUNT_DIR)
}
