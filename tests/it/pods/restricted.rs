//! The Pod Security Standard `restricted`, and what this project promises beyond it, as a check of its own.

use k8s_openapi::api::core::v1::{Container, ContainerPort, Pod, PodSpec, Volume};

use super::spec;

/// What a Pod does that the level does not allow; empty where it is allowed.
pub(crate) fn violations(pod: &Pod) -> Vec<String> {
    let spec = spec(pod);
    let mut found = Vec::new();
    let mut check = |allowed: bool, what: &str| {
        if !allowed {
            found.push(what.to_owned());
        }
    };
    for (set, what) in [
        (spec.host_network, "hostNetwork"),
        (spec.host_pid, "hostPID"),
        (spec.host_ipc, "hostIPC"),
    ] {
        check(set != Some(true), what);
    }
    let context = spec.security_context.as_ref();
    check(
        context.is_some_and(|context| context.run_as_non_root == Some(true)),
        "runAsNonRoot",
    );
    check(
        context.is_some_and(|context| {
            context
                .run_as_user
                .is_some_and(|uid| (1..=0x7fff_ffff).contains(&uid))
        }),
        "runAsUser",
    );
    check(
        context.is_some_and(|context| context.sysctls.is_none()),
        "sysctls",
    );
    let seccomp = context.and_then(|context| context.seccomp_profile.as_ref());
    check(
        seccomp.is_some_and(|profile| profile.type_ == "RuntimeDefault"),
        "seccomp",
    );
    for volume in spec.volumes.iter().flatten() {
        check(is_allowed(volume), &format!("volume {}", volume.name));
    }
    for container in containers(spec) {
        for what in of_container(container) {
            check(false, &format!("{}: {what}", container.name));
        }
    }
    found
}

pub(crate) fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

fn is_allowed(volume: &Volume) -> bool {
    let kinds = serde_json::to_value(volume).expect("a volume is JSON");
    let kinds = kinds.as_object().expect("an object").keys();
    kinds.filter(|key| *key != "name").all(|kind| {
        matches!(
            kind.as_str(),
            "configMap"
                | "csi"
                | "downwardAPI"
                | "emptyDir"
                | "ephemeral"
                | "image"
                | "persistentVolumeClaim"
                | "projected"
                | "secret"
        )
    })
}

/// An application has two ports, and none of them at its node.
fn is_own_port(port: &ContainerPort) -> bool {
    matches!(port.name.as_deref(), Some("app" | "status"))
        && port.container_port > 1024
        && port.host_port.is_none()
        && port.host_ip.is_none()
}

fn of_container(container: &Container) -> Vec<&'static str> {
    let Some(context) = &container.security_context else {
        return vec!["no securityContext"];
    };
    let capabilities = context.capabilities.as_ref();
    let drop = capabilities.and_then(|capabilities| capabilities.drop.as_deref());
    let checks = [
        (
            context.allow_privilege_escalation == Some(false),
            "allowPrivilegeEscalation",
        ),
        (context.privileged != Some(true), "privileged"),
        (drop == Some(&["ALL".to_owned()][..]), "capabilities.drop"),
        (
            capabilities.is_some_and(|capabilities| capabilities.add.is_none()),
            "capabilities.add",
        ),
        (
            context.read_only_root_filesystem == Some(true),
            "readOnlyRootFilesystem",
        ),
        (
            context.run_as_user.is_none() && context.run_as_non_root.is_none(),
            "an account of its own",
        ),
        (
            context.proc_mount.is_none() && context.seccomp_profile.is_none(),
            "procMount or seccomp",
        ),
        (
            container.ports.iter().flatten().all(is_own_port) && container.lifecycle.is_none(),
            "ports or hooks",
        ),
        (container.stdin.is_none() && container.tty.is_none(), "a terminal"),
    ];
    checks
        .into_iter()
        .filter(|(allowed, _)| !allowed)
        .map(|(_, what)| what)
        .collect()
}
