//! What a process sees of the data, and whether it may write there (FS3, FS4, PW1, PW3).

use std::path::Path;

use super::install::{Environments, NodeEnvironment, PythonEnvironment, RLibrary};
use super::work::{Doing, Work};
use super::{Access, EnvironmentKey, Mount, Source, Task, paths};
use crate::api::job::TaskKind;
use crate::names;

/// The mounts of the content's own process: its code, its output, the environments it needs, its log.
pub(super) fn of_task(task: &Task, work: &Work, environments: &Environments, inputs: bool) -> Vec<Mount> {
    let mut mounts = Vec::new();
    match work.doing {
        Doing::Task(TaskKind::RenderSite) => {}
        Doing::Task(_) => mounts.push(data(
            paths::source_copy(task),
            names::MOUNT_APP,
            Access::ReadWrite,
            "a fresh copy of the source",
        )),
        // Shared by the processes of the application (AP1).
        Doing::Serve => mounts.push(data(
            paths::source(task),
            names::MOUNT_APP,
            Access::ReadWrite,
            "the directory of the application",
        )),
    }
    match work.doing {
        Doing::Task(TaskKind::Render) => {
            mounts.push(data(
                paths::result(task),
                names::MOUNT_REPORT,
                Access::ReadWrite,
                "the output directory",
            ));
        }
        Doing::Task(TaskKind::RenderSite) => mounts.push(data(
            paths::result(task),
            names::MOUNT_REPORT,
            Access::ReadWrite,
            "a fresh copy of the source, which becomes the output",
        )),
        Doing::Task(TaskKind::Deploy | TaskKind::Install | TaskKind::Run) | Doing::Serve => {}
    }
    if let Some(python) = &environments.python {
        mounts.push(same_name(
            &python.key.path,
            Access::ReadOnly,
            "the Python environment",
        ));
    }
    if let Some(library) = &environments.r {
        mounts.push(r_cache(library));
        mounts.push(same_name(
            &library.key.path,
            Access::ReadOnly,
            "the library of R packages",
        ));
    }
    if let Some(node) = &environments.node {
        mounts.push(data(
            format!("{}/node_modules", node.key.path),
            names::MOUNT_NODE_MODULES,
            Access::ReadOnly,
            "the packages of Node.js",
        ));
    }
    finish(mounts, task, inputs)
}

/// The mounts of an installation of Node.js packages: only the environment that is being made can be written.
pub(super) fn of_node_install(task: &Task, node: &NodeEnvironment) -> Vec<Mount> {
    let staging = Mount {
        source: Source::Data(paths::node_staging(task, &node.version)),
        target: paths::mounted(&node.key.path),
        access: Access::ReadWrite,
        what: "the packages of Node.js, until they are complete".to_owned(),
    };
    finish(vec![source(task), staging], task, false)
}

/// The mounts of an installation of Python packages: only the environment that is being made can be written.
pub(super) fn of_python_install(task: &Task, python: &PythonEnvironment) -> Vec<Mount> {
    let staging = Mount {
        source: Source::Data(paths::python_staging(task, &python.version)),
        target: paths::mounted(&python.key.path),
        access: Access::ReadWrite,
        what: "the Python environment, until it is complete".to_owned(),
    };
    finish(vec![source(task), staging], task, false)
}

/// The mounts of an installation, for a probe that looks around in it.
pub(super) fn of_probe_install(task: &Task, key: &EnvironmentKey) -> Vec<Mount> {
    let staging = Mount {
        source: Source::Data(format!("{}/.staging-{}", names::PROBE, task.job_key)),
        target: paths::mounted(&key.path),
        access: Access::ReadWrite,
        what: "the environment, until it is complete".to_owned(),
    };
    finish(vec![source(task), staging], task, true)
}

/// The mounts of an installation of R packages: packages are built in a staging area, and put into the cache
/// by the server.
pub(super) fn of_r_install(task: &Task, library: &RLibrary) -> Vec<Mount> {
    let staging = data(
        paths::r_staging(task, &library.version),
        names::MOUNT_R,
        Access::ReadWrite,
        "where R packages are built",
    );
    finish(vec![source(task), r_cache(library), staging], task, true)
}

fn source(task: &Task) -> Mount {
    data(
        paths::source(task),
        names::MOUNT_APP,
        Access::ReadOnly,
        "the source as it was deployed",
    )
}

fn r_cache(library: &RLibrary) -> Mount {
    same_name(
        &paths::r_cache(&library.version),
        Access::ReadOnly,
        "the shared cache of R packages",
    )
}

fn same_name(path: &str, access: Access, what: &str) -> Mount {
    data(path.to_owned(), &paths::mounted(path), access, what)
}

fn data(path: String, target: &str, access: Access, what: &str) -> Mount {
    Mount {
        source: Source::Data(path),
        target: target.to_owned(),
        access,
        what: what.to_owned(),
    }
}

/// Adds what every process has, and puts parents before what lies below them.
fn finish(mut mounts: Vec<Mount>, task: &Task, inputs: bool) -> Vec<Mount> {
    mounts.push(data(
        paths::log(task),
        names::MOUNT_LOG,
        Access::ReadWrite,
        "the log directory",
    ));
    mounts.push(Mount {
        source: Source::Runtime,
        target: names::MOUNT_RUNTIME.to_owned(),
        access: Access::ReadOnly,
        what: "the starters".to_owned(),
    });
    if inputs {
        mounts.push(Mount {
            source: Source::Inputs,
            target: names::MOUNT_INPUTS.to_owned(),
            access: Access::ReadOnly,
            what: "files made for this process".to_owned(),
        });
    }
    mounts.sort_by(|a, b| Path::new(&a.target).cmp(Path::new(&b.target)));
    mounts
}
