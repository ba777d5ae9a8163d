//! The Pod of a process is its sandbox (OH6): the same command line, variables, account, directories and limits, and
//! the differences are those that stand here.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use offhost::plan::{HomePlan, Mode, ProcessPlan};
use offhost::pod::build;
use offhost::sandbox::{self, RlimitName, SandboxSpec};
use proptest::prelude::*;

use super::random_jobs::random_jobs;
use super::{arguments, content, environment, flag, mounts, spec};
use crate::plan_fixture::{World, place};

/// Where something can be seen, and whether it can only be read.
type View = BTreeMap<String, bool>;

/// What a process sees in its Pod, without what only a Pod has.
fn in_pod(world: &World, process: &ProcessPlan, pod: &Pod) -> View {
    let mut view: View = mounts(content(pod))
        .iter()
        .map(|mount| (mount.mount_path.clone(), mount.read_only == Some(true)))
        .collect();
    // The helper, with the starters in it, and the source that it copies.
    view.remove("/opt/offhost");
    view.insert("/opt/offhost/runtime".to_owned(), true);
    view.remove("/opt/offhost/source");
    for mount in &world.runtimes.runtimes[0].volume_mounts {
        view.remove(&mount.target.path);
    }
    // A sandbox has the machine's own directories for temporary files, and the account's home.
    if !process.tmp.mask_tmp {
        view.remove("/tmp");
        view.remove("/var/tmp");
    }
    let home = mounts(content(pod)).iter().find(|mount| mount.name == "home");
    if let Some(home) = home {
        view.remove(&home.mount_path);
    }
    view
}

/// What the same process sees in its sandbox, without what stands for a home that is not there.
fn in_sandbox(process: &ProcessPlan, spec: &SandboxSpec) -> View {
    let text = |path: &std::path::Path| path.to_str().expect("paths are text").to_owned();
    let mut view: View = spec
        .binds
        .iter()
        .map(|bind| (text(&bind.target), bind.read_only))
        .collect();
    if process.home == HomePlan::Empty {
        view.remove("/home");
    }
    view
}

fn limits(spec: &SandboxSpec) -> [Option<String>; 4] {
    let limit = |name| {
        let mut limits = spec.rlimits.iter();
        limits
            .find(|limit| limit.resource == name)
            .map(|limit| limit.limit.to_string())
    };
    [
        spec.timeout_ms.map(|ms| (ms / 1000).to_string()),
        Some((spec.grace_ms / 1000).to_string()),
        limit(RlimitName::Nofile),
        limit(RlimitName::Fsize),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Proves: OH6 (P), RA5 (P), RA6 (P), EN1 (P), SV3 (P)
    #[test]
    fn a_pod_is_the_sandbox_of_the_same_process(job in random_jobs()) {
        let Some(plan) = job.plan() else { return Ok(()) };
        for process in &plan.processes {
            let local = sandbox::build(process, &place());
            let pod = build(&plan, process, &job.place);
            let container = content(&pod);
            prop_assert_eq!(environment(container, &place().secrets), local.env.clone());
            prop_assert_eq!(&arguments(container).1, &local.argv);
            prop_assert_eq!(container.working_dir.as_deref(), local.cwd.to_str());
            let account = spec(&pod).security_context.clone().expect("an account");
            prop_assert_eq!((account.run_as_user, account.run_as_group), (Some(local.uid.into()), Some(local.gid.into())));
            let groups: Vec<i64> = local.groups.iter().map(|gid| i64::from(*gid)).collect();
            prop_assert_eq!(account.supplemental_groups, Some(groups));
            prop_assert_eq!(in_pod(&job.world, process, &pod), in_sandbox(process, &local));
            let told = ["--timeout-seconds", "--grace-seconds", "--open-files", "--file-size"];
            prop_assert_eq!(told.map(|name| flag(container, name)), limits(&local));
        }
    }

    /// Proves: OH6 (P)
    #[test]
    fn a_job_is_planned_alike_in_both_modes(job in random_jobs()) {
        let mut local = job.world.clone();
        local.task.mode = Mode::Local;
        // What an image names itself is the server's in local mode.
        local.settings.applications.supervisor = local.runtimes.runtimes[0].supervisor.clone();
        let (Some(pod), Ok(local)) = (job.plan(), local.plan()) else { return Ok(()) };
        prop_assert_eq!(pod.processes.len(), local.processes.len());
        for (pod, local) in pod.processes.iter().zip(&local.processes) {
            prop_assert_eq!(&pod.command, &local.command);
            prop_assert_eq!((&pod.working_dir, &pod.identity), (&local.working_dir, &local.identity));
            prop_assert_eq!((&pod.mounts, &pod.inputs, &pod.output), (&local.mounts, &local.inputs, &local.output));
            // The home of the server's machine covers the others there, and is not to be had in a Pod.
            if !matches!(local.home, HomePlan::CoveredBy(_)) {
                prop_assert_eq!((&pod.tmp, &pod.env), (&local.tmp, &local.env));
                prop_assert_eq!(&pod.home, &local.home);
            }
        }
    }
}
