//! What a reader of a plan should know beside the plan: what was inferred, lowered, left out or already there.

use super::identity::Identities;
use super::process::Scope;
use super::work::Doing;
use super::{HomePlan, Mode, ProcessPlan, install, limits, masks};
use crate::api::job::{ContentJobSpec, TaskKind};
use crate::content::kinds::Served;
use crate::runtimes::{LanguageName, VolumeSource};

pub(super) fn of(scope: &Scope<'_>, identities: &Identities, processes: &[ProcessPlan]) -> Vec<String> {
    let mut notes = scope.task.facts.inferred.clone();
    notes.extend(identities.notes.iter().cloned());
    packages(scope, &mut notes);
    if let Ok(allowed) = limits::of_task(scope.task, scope.settings) {
        notes.extend(allowed.notes);
    }
    modes(scope, &mut notes);
    if let Some(process) = processes.last() {
        home(process, scope, &mut notes);
    }
    if scope.work.doing == Doing::Task(TaskKind::Deploy) {
        notes.push(idle(scope).to_owned());
    } else if processes.is_empty() {
        notes.push("nothing is to be done: every package is installed already".to_owned());
    } else if scope.work.doing == Doing::Task(TaskKind::Install) && scope.task.spec.run_as.is_some() {
        notes
            .push("spec.runAs has no effect: packages are always installed as Applications.RunAs".to_owned());
    }
    notes
}

/// Why nothing is run.
fn idle(scope: &Scope<'_>) -> &'static str {
    match scope
        .task
        .serve
        .as_ref()
        .and_then(|_| scope.work.app_mode.served())
    {
        Some(Served::Files) => "nothing is run: the files of the bundle are served",
        Some(Served::Result) => "nothing is run: the active result is served",
        _ => "nothing is run: the bundle is deployed",
    }
}

fn packages(scope: &Scope<'_>, notes: &mut Vec<String>) {
    let external = &scope.settings.packages_external;
    let locked = scope.task.facts.r.iter().flat_map(|lock| &lock.packages);
    let taken: Vec<&str> = locked
        .map(|package| package.name.as_str())
        .filter(|name| external.iter().any(|other| other == name))
        .collect();
    if !taken.is_empty() {
        notes.push(format!(
            "not installed, as Packages.External names them: {}; R takes them from its own library",
            taken.join(", ")
        ));
    }
    for (language, name, present) in [
        (LanguageName::R, "R", scope.task.facts.r.is_some()),
        (LanguageName::Python, "Python", scope.task.facts.python.is_some()),
        (LanguageName::Nodejs, "Node.js", scope.task.facts.node.is_some()),
    ] {
        if present && !install::is_managed(scope.task, language) {
            notes.push(format!("{name} packages are not installed: the manifest says so"));
        }
    }
    if install::lacks_uv(scope.task, scope.settings) {
        notes.push(match scope.task.mode {
            Mode::Local => "pip installs the Python packages: uv was not found".to_owned(),
            Mode::Pod => {
                "pip installs the Python packages: Python.PackageManager 'uv' has no effect in Pod mode"
                    .to_owned()
            }
        });
    }
}

fn modes(scope: &Scope<'_>, notes: &mut Vec<String>) {
    match scope.task.mode {
        Mode::Local => {
            let unused = of_pods(&scope.task.spec);
            if !unused.is_empty() {
                notes.push(format!(
                    "no effect in local mode, as they are for Pods: {}",
                    unused.join(", ")
                ));
            }
            if !scope.task.spec.resources.requests.is_empty() {
                notes.push("spec.resources.requests have no effect in local mode".to_owned());
            }
            if scope.task.spec.resources.limits.contains_key("ephemeral-storage") {
                notes.push(
                    "in local mode the limit of ephemeral-storage holds for each file, not for all"
                        .to_owned(),
                );
            }
        }
        Mode::Pod => {
            if !scope.settings.applications.supervisor.is_empty() {
                notes.push(
                    "Applications.Supervisor has no effect in Pod mode: each image names its own in runtimes.yaml"
                        .to_owned(),
                );
            }
            pods(scope, notes);
        }
    }
}

fn pods(scope: &Scope<'_>, notes: &mut Vec<String>) {
    let sandbox = &scope.settings.sandbox;
    for (name, value, instead) in [
        (
            "MemoryLimit",
            sandbox.memory_limit,
            "Scheduler.MemoryLimit and MaxMemoryLimit do",
        ),
        (
            "CPULimit",
            sandbox.cpu_limit_millis,
            "Scheduler.CPULimit and MaxCPULimit do",
        ),
        (
            "ProcessLimit",
            sandbox.process_limit,
            "the kubelet limits the processes of every Pod alike",
        ),
    ] {
        if value > 0 {
            notes.push(format!("Sandbox.{name} has no effect in Pod mode; {instead}"));
        }
    }
    for mount in &scope.choice.volume_mounts {
        if matches!(mount.source, VolumeSource::Nfs { .. }) {
            notes.push(format!(
                "the volume at '{}' is mounted from an NFS server, which namespaces of the Pod Security level \
                 'restricted' refuse; a claim (volume_type: pvc) is mounted everywhere",
                mount.target.path
            ));
        }
    }
}

/// The given fields that only say something of Pods.
fn of_pods(spec: &ContentJobSpec) -> Vec<&'static str> {
    // What the API server fills in by itself is not a wish.
    let asked_deadline = spec.start_deadline_seconds.is_some_and(|seconds| seconds != 3600);
    let given = [
        ("spec.suspended", spec.suspended),
        ("spec.retries", spec.retries > 0),
        ("spec.startDeadlineSeconds", asked_deadline),
        (
            "spec.ttlSecondsAfterFinished",
            spec.ttl_seconds_after_finished.is_some(),
        ),
        ("spec.priorityClassName", spec.priority_class_name.is_some()),
        ("spec.serviceAccountName", spec.service_account_name.is_some()),
        ("spec.schedulingGates", !spec.scheduling_gates.is_empty()),
    ];
    let given = given.into_iter().filter(|(_, given)| *given);
    given.map(|(field, _)| field).collect()
}

fn home(process: &ProcessPlan, scope: &Scope<'_>, notes: &mut Vec<String>) {
    let user = &process.identity.user;
    let masks = match scope.task.mode {
        Mode::Local => process.masks.clone(),
        Mode::Pod if process.home == HomePlan::Empty => return,
        Mode::Pod => masks::fs1(scope.settings),
    };
    let own = process.identity.home.as_ref();
    let hidden = own.and_then(|home| masks.iter().find(|mask| home.starts_with(&mask.path)));
    match (hidden, &process.home) {
        (Some(mask), _) => notes.push(format!(
            "the home of account '{user}' lies in {}, which is hidden; it has no home here",
            mask.setting
        )),
        (None, HomePlan::AsIs) if process.identity.home.is_none() => notes.push(format!(
            "account '{user}' has no home directory; HOME is its temporary directory"
        )),
        (None, HomePlan::Empty) => {
            notes.push(format!("account '{user}' has no home directory; /home is empty"));
        }
        _ => {}
    }
}
