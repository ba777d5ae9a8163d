//! Requests and limits (SC7).

use std::collections::BTreeMap;

use offhost::plan::PodResources;
use offhost::settings::{Amounts, Devices};

use crate::plan_fixture::{World, env, report, script};
use crate::plan_rules::task_of;

fn resources(world: &World) -> PodResources {
    task_of(world).resources
}

fn asks(requests: &[(&str, &str)], limits: &[(&str, &str)]) -> World {
    let mut world = script().in_pod();
    world.task.spec.resources.requests = env(requests);
    world.task.spec.resources.limits = env(limits);
    world
}

fn amounts(request: u64, limit: u64, max_request: u64, max_limit: u64) -> Amounts {
    Amounts {
        request,
        limit,
        max_request,
        max_limit,
    }
}

fn notes(world: &World) -> String {
    world.plan().unwrap().notes.join("\n")
}

/// Proves: SC7 (P)
#[test]
fn content_comes_before_the_defaults() {
    let mut world = asks(
        &[("cpu", "500m")],
        &[("memory", "1Gi"), ("ephemeral-storage", "100G")],
    );
    world.settings.scheduler.cpu = amounts(250, 2000, 0, 0);
    world.settings.scheduler.memory = amounts(512 << 20, 4 << 30, 0, 0);
    let resources = resources(&world);
    assert_eq!(resources.requests, env(&[("cpu", "500m"), ("memory", "512Mi")]));
    assert_eq!(
        resources.limits,
        env(&[("cpu", "2"), ("memory", "1Gi"), ("ephemeral-storage", "100G")])
    );
    assert!(super::resources::resources(&script().in_pod()).is_empty());
}

/// Proves: SC7 (P)
#[test]
fn nothing_passes_the_bounds_of_the_settings() {
    let mut world = asks(&[("memory", "8Gi")], &[("memory", "16Gi"), ("cpu", "8")]);
    world.settings.scheduler.cpu = amounts(0, 0, 0, 4000);
    world.settings.scheduler.memory = amounts(0, 0, 2 << 30, 8 << 30);
    let cut = resources(&world);
    assert_eq!(cut.requests, env(&[("memory", "2Gi")]));
    assert_eq!(cut.limits, env(&[("cpu", "4"), ("memory", "8Gi")]));
    let notes = notes(&world);
    for note in [
        "the limit of cpu is lowered to Scheduler.MaxCPULimit",
        "the limit of memory is lowered to Scheduler.MaxMemoryLimit",
        "the request of memory is lowered to Scheduler.MaxMemoryRequest",
    ] {
        assert!(notes.contains(note), "{notes}");
    }
    // What names no limit gets the bound, and not the request that Kubernetes would make of that.
    let mut world = asks(&[], &[]);
    world.settings.scheduler.cpu = amounts(0, 0, 500, 4000);
    assert_eq!(resources(&world).limits, env(&[("cpu", "4")]));
    assert_eq!(resources(&world).requests, env(&[("cpu", "500m")]));
    assert!(world.plan().unwrap().notes.is_empty());
}

/// Proves: SC7 (P)
#[test]
fn a_request_is_never_above_its_limit() {
    let refused = |world: &World| world.refusal();
    let world = asks(&[("cpu", "2")], &[("cpu", "1")]);
    assert!(refused(&world).contains("asks for more cpu than its limit allows"));
    let mut world = asks(&[("memory", "2Gi")], &[]);
    world.settings.scheduler.memory = amounts(0, 1 << 30, 0, 0);
    let message = refused(&world);
    assert!(
        message.contains("asks for more memory than Scheduler.MemoryLimit gives")
            && message.ends_with("set spec.resources.limits.memory"),
        "{message}"
    );
    // A default gives way to what the content says, and a request to the bound of limits.
    let mut world = asks(&[], &[("cpu", "1")]);
    world.settings.scheduler.cpu = amounts(2000, 0, 0, 0);
    assert_eq!(resources(&world).requests, env(&[("cpu", "1")]));
    let mut world = asks(&[("cpu", "6")], &[("cpu", "8")]);
    world.settings.scheduler.cpu = amounts(0, 0, 0, 4000);
    assert_eq!(resources(&world).requests, env(&[("cpu", "4")]));
}

/// Proves: SC7 (P)
#[test]
fn a_gpu_is_of_the_vendor_that_was_asked_for() {
    let defaults = |mut world: World| {
        world.settings.scheduler.nvidia_gpu = Devices {
            limit: 1,
            max_limit: 2,
        };
        world
    };
    let gpus = |world: &World| {
        let resources = resources(world);
        assert_eq!(resources.requests, resources.limits, "devices are given whole");
        resources.limits
    };
    assert_eq!(gpus(&defaults(asks(&[], &[]))), env(&[("nvidia.com/gpu", "1")]));
    assert_eq!(
        gpus(&defaults(asks(&[], &[("amd.com/gpu", "1")]))),
        env(&[("amd.com/gpu", "1")])
    );
    assert_eq!(
        gpus(&defaults(asks(&[("nvidia.com/gpu", "2")], &[]))),
        env(&[("nvidia.com/gpu", "2")])
    );
    assert_eq!(
        gpus(&defaults(asks(&[], &[("nvidia.com/gpu", "0")]))),
        BTreeMap::new()
    );
    let many = defaults(asks(&[], &[("nvidia.com/gpu", "8")]));
    assert_eq!(gpus(&many), env(&[("nvidia.com/gpu", "2")]));
    assert!(notes(&many).contains("the limit of nvidia.com/gpu is lowered to Scheduler.MaxNvidiaGPULimit"));
    let other = asks(&[], &[("example.com/fpga", "1"), ("nvidia.com/mig-1g.5gb", "3")]);
    assert_eq!(
        gpus(&other),
        env(&[("example.com/fpga", "1"), ("nvidia.com/mig-1g.5gb", "3")])
    );
}

/// Proves: SC7 (P)
#[test]
fn wrong_resources_are_refused_alike_in_both_modes() {
    for (requests, limits, said) in [
        (
            ("cpu", "1"),
            ("gpu", "1"),
            "did you mean 'nvidia.com/gpu' or 'amd.com/gpu'?",
        ),
        (("memroy", "1"), ("cpu", "1"), "did you mean 'memory'?"),
        (("cpu", "1"), ("nvidia.com/gpu", "0.5"), "write a whole number"),
        (
            ("nvidia.com/gpu", "1"),
            ("nvidia.com/gpu", "2"),
            "write it once, under limits",
        ),
        (("cpu", "1"), ("kubernetes.io/batch", "1"), "can not be limited"),
        (
            ("cpu", "1"),
            ("requests.example.com/x", "1"),
            "can not be limited",
        ),
        (("cpu", "1"), ("Example.com/x", "1"), "can not be limited"),
        (("cpu", "one"), ("cpu", "1"), "spec.resources.requests.cpu"),
    ] {
        let world = asks(&[requests], &[limits]);
        let message = world.refusal();
        assert!(message.contains(said), "{message}");
        let mut local = script();
        local.task.spec = world.task.spec.clone();
        assert_eq!(local.refusal(), message);
    }
}

/// Proves: SC7 (P)
#[test]
fn installations_get_the_defaults_and_no_device() {
    let mut world = report().in_pod();
    world.settings.scheduler.memory = amounts(0, 2 << 30, 0, 0);
    world.settings.scheduler.nvidia_gpu.limit = 1;
    let plan = world.plan().unwrap();
    assert_eq!(plan.processes[0].resources.limits, env(&[("memory", "2Gi")]));
    assert!(plan.processes[0].resources.requests.is_empty());
    assert_eq!(plan.processes[1].resources.limits.len(), 3);
}

#[test]
fn what_a_mode_can_not_limit_is_said() {
    let pids = asks(&[], &[("pids", "100")]);
    assert!(notes(&pids).contains("pids have no effect in Pod mode"));
    let mut local = script();
    local.task.spec.resources.limits = env(&[("nvidia.com/gpu", "1")]);
    assert!(notes(&local).contains("nvidia.com/gpu has no effect in local mode"));
    assert!(task_of(&local).resources.is_empty());
    let mut sandbox = script().in_pod();
    sandbox.settings.sandbox.memory_limit = 1 << 30;
    assert!(notes(&sandbox).contains("Sandbox.MemoryLimit has no effect in Pod mode; Scheduler.MemoryLimit"));
}
