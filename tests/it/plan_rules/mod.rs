//! Rules of the plan, one at a time.

mod accounts;
mod commands;
mod environment;
mod node;
mod packages;
mod pods;
mod results;
mod serving;
mod view;

use std::path::Path;

use offhost::plan::{Access, EnvValue, Plan, ProcessPlan, Purpose, Source};
use offhost::sandbox::build;

use crate::plan_fixture::{
    World, applications, node, notebook, place, quarto_document, quarto_site, report, script, site,
};

pub(crate) fn task_of(world: &World) -> ProcessPlan {
    let mut processes = world.plan().expect("it can be planned").processes;
    processes.pop().expect("a task has a process")
}

pub(crate) fn value<'a>(process: &'a ProcessPlan, name: &str) -> Option<&'a str> {
    match process.env.get(name)? {
        EnvValue::Value(value) => Some(value),
        other => panic!("{name} is {other:?}"),
    }
}

pub(crate) fn path_of(purpose: &Purpose) -> &str {
    match purpose {
        Purpose::Install(key) => &key.path,
        Purpose::Task(_) | Purpose::Serve | Purpose::Build => panic!("{purpose:?} installs nothing"),
    }
}

pub(crate) fn install_path(world: &World) -> String {
    path_of(&world.plan().expect("it can be planned").processes[0].purpose).to_owned()
}

/// Every kind of content in both modes.
pub(crate) fn everything() -> Vec<World> {
    let local = || {
        [
            notebook(),
            report(),
            site(),
            quarto_document(),
            quarto_site(),
            script(),
            node(),
        ]
    };
    let all = || local().into_iter().chain(applications());
    all().chain(all().map(World::in_pod)).collect()
}

/// What holds for every plan, whatever it is for.
pub(crate) fn check_invariants(plan: &Plan) {
    for process in &plan.processes {
        assert!(
            process.identity.uid != 0 && process.identity.gid != 0 && !process.identity.groups.contains(&0)
        );
        assert!(process.identity.groups.contains(&process.identity.gid));
        assert!(!process.command.is_empty() && process.supervisor_words < process.command.len());
        let targets: Vec<&Path> = process
            .mounts
            .iter()
            .map(|mount| Path::new(&mount.target))
            .collect();
        for (index, target) in targets.iter().enumerate() {
            assert!(
                !Path::new("/opt/rstudio-connect/mnt").starts_with(target),
                "PW3: {target:?}"
            );
            assert!(
                targets[index + 1..]
                    .iter()
                    .all(|later| !target.starts_with(later)),
                "{targets:?}"
            );
        }
        for mount in &process.mounts {
            if let Source::Data(path) = &mount.source {
                assert!(
                    Path::new(path).is_relative()
                        && !path.split('/').any(|part| part == ".." || part.is_empty())
                );
            }
        }
        let writable = process
            .mounts
            .iter()
            .filter(|mount| mount.access == Access::ReadWrite);
        for mount in writable {
            let inside = |other: &offhost::plan::Mount| match (&other.source, &mount.source) {
                (Source::Data(other), Source::Data(own)) => other != own && Path::new(other).starts_with(own),
                _ => false,
            };
            assert!(
                !process.mounts.iter().any(inside),
                "a writable parent of another mount: {mount:?}"
            );
        }
        let spec = build(process, &place());
        for (index, bind) in spec.binds.iter().enumerate() {
            assert!(
                spec.binds[index + 1..]
                    .iter()
                    .all(|later| !bind.target.starts_with(&later.target))
            );
        }
        for mask in &spec.masks {
            assert!(!Path::new("/opt/rstudio-connect/mnt").starts_with(&mask.path));
            assert!(!Path::new("/usr/bin/R").starts_with(&mask.path));
        }
        assert!(spec.env.iter().all(|entry| !entry.contains('\0')));
    }
}
