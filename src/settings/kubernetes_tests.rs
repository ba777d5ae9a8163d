//! `[Kubernetes]`, and the resources of `[Scheduler]`.

use super::*;
use crate::settings::{Amounts, Devices, ImageVolumes};

const CLUSTER: &str = r#"
[Kubernetes]
Enabled = true
ConnectRuntimeDir = /opt/rstudio-connect-runtime
Namespace = content
DataDirPVCName = connect-data
DataDirPVCSubPath = connect/data/
ExecImage = registry.example.com/offhost/exec:1
ImageVolumes = Never
ImagePullPolicy = ifnotpresent
ImagePullSecret = one
ImagePullSecret = two
UserNamespaces = true
NodeSelector = pool=content
NodeSelector = example.com/zone = a
Toleration = gpu:NoSchedule
Toleration = pool=content:NoExecute:30
TmpSizeLimit = 5Gi
HomeSizeLimit = 0
TTLSecondsAfterFinished = 0
[Scheduler]
CPURequest = 0.25
MaxCPULimit = 8
MemoryLimit = 4 GiB
EphemeralStorageLimit = 10Gi
MaxEphemeralStorageRequest = 2Gi
NvidiaGPULimit = 1
MaxAMDGPULimit = 2
"#;

/// Proves: CN1 (L, P)
#[test]
fn cn1_the_settings_of_a_cluster_are_typed() {
    let loaded = loaded(CLUSTER, &[]);
    let kubernetes = &loaded.settings.kubernetes;
    assert_eq!(kubernetes.namespace.as_deref(), Some("content"));
    assert_eq!(kubernetes.data_dir_pvc_name.as_deref(), Some("connect-data"));
    assert_eq!(kubernetes.data_dir_pvc_sub_path.as_deref(), Some("connect/data"));
    assert_eq!(kubernetes.image_volumes, ImageVolumes::Never);
    assert_eq!(kubernetes.image_pull_policy, Some("IfNotPresent"));
    assert_eq!(kubernetes.image_pull_secrets, ["one", "two"]);
    assert!(kubernetes.user_namespaces && kubernetes.service_account.is_none());
    let labels: Vec<_> = kubernetes.node_selector.iter().collect();
    let expected = [("example.com/zone", "a"), ("pool", "content")];
    assert_eq!(labels.len(), 2);
    assert!(
        labels
            .iter()
            .zip(expected)
            .all(|((key, value), pair)| (key.as_str(), value.as_str()) == pair)
    );
    let tolerations: Vec<String> = kubernetes.tolerations.iter().map(ToString::to_string).collect();
    assert_eq!(tolerations, ["gpu:NoSchedule", "pool=content:NoExecute:30"]);
    assert_eq!(
        (kubernetes.tmp_size_limit, kubernetes.home_size_limit),
        (5 << 30, 0)
    );
    assert_eq!(
        (
            kubernetes.node_lost_seconds,
            kubernetes.ttl_seconds_after_finished
        ),
        (30, None)
    );
    let notes = loaded.notes.join("\n");
    assert!(
        notes.contains("Kubernetes.ConnectRuntimeDir, Kubernetes.Enabled"),
        "{notes}"
    );
    let settings = self::loaded("", &[]).settings;
    assert_eq!(settings.kubernetes.image_volumes, ImageVolumes::Auto);
    assert_eq!(settings.kubernetes.ttl_seconds_after_finished, Some(604_800));
}

/// Proves: SC7 (P)
#[test]
fn sc7_the_resources_of_processes_are_typed() {
    let scheduler = loaded(CLUSTER, &[]).settings.scheduler;
    let amounts = |request, limit, max_request, max_limit| Amounts {
        request,
        limit,
        max_request,
        max_limit,
    };
    assert_eq!(scheduler.cpu, amounts(250, 0, 0, 8000));
    assert_eq!(scheduler.memory, amounts(0, 4 << 30, 0, 0));
    assert_eq!(scheduler.ephemeral_storage, amounts(0, 10 << 30, 2 << 30, 0));
    assert_eq!(
        scheduler.nvidia_gpu,
        Devices {
            limit: 1,
            max_limit: 0
        }
    );
    assert_eq!(
        scheduler.amd_gpu,
        Devices {
            limit: 0,
            max_limit: 2
        }
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_lists_of_a_cluster_come_from_variables_too() {
    let loaded = loaded(
        "[Launcher]\nKubernetesNamespace = older\nDataDirPVCName = claim\n",
        &[
            (
                "OFFHOST_KUBERNETES_TOLERATION",
                "gpu:NoSchedule, pool=content:NoExecute:30",
            ),
            ("OFFHOST_KUBERNETES_NODESELECTOR", "a=b:c=d"),
            ("OFFHOST_KUBERNETES_IMAGEPULLSECRET", ""),
        ],
    );
    let kubernetes = &loaded.settings.kubernetes;
    assert_eq!(kubernetes.tolerations.len(), 2);
    assert_eq!(kubernetes.node_selector.len(), 2);
    assert!(kubernetes.image_pull_secrets.is_empty());
    assert_eq!(kubernetes.namespace.as_deref(), Some("older"));
    assert_eq!(kubernetes.data_dir_pvc_name.as_deref(), Some("claim"));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_what_kubernetes_would_refuse_is_refused_with_its_line() {
    for (line, said) in [
        (
            "Toleration = gpu:Never",
            "Kubernetes.Toleration: 'gpu:Never' is no toleration: 'Never' is none of",
        ),
        (
            "NodeSelector = pool",
            "Kubernetes.NodeSelector: 'pool' is no label: it has no '='",
        ),
        (
            "DataDirPVCName = My_Claim",
            "Kubernetes.DataDirPVCName: 'My_Claim' can not be the name of an object",
        ),
        (
            "ImagePullSecret = a b",
            "Kubernetes.ImagePullSecret: 'a b' can not be the name of an object",
        ),
        (
            "DataDirPVCSubPath = ../x",
            "Kubernetes.DataDirPVCSubPath: '../x' is no path inside a volume",
        ),
        (
            "ImageVolumes = sometimes",
            "Kubernetes.ImageVolumes: 'sometimes' is not one of auto, always, never",
        ),
        ("ImagePullPolicy = Alway", "did you mean 'Always'?"),
        (
            "NodeLostSeconds = 31536001",
            "Kubernetes.NodeLostSeconds: '31536001' is too large",
        ),
        (
            "Nodeselector = a=b\nNodeSelector = a=c",
            "'a=c' gives a second value to one label",
        ),
        (
            "ExecImages = x",
            "[Kubernetes] has no key 'ExecImages'; did you mean 'ExecImage'?",
        ),
    ] {
        let machine = Machine::new();
        let file = machine.file(&format!("[Kubernetes]\n{line}\n"));
        let message = load(options(Some(file), &[])).expect_err("refused").to_string();
        let number = line.lines().count() + 1;
        assert!(message.contains(said), "{message}");
        assert!(
            message.contains(&format!("rstudio-connect.gcfg:{number}: ")),
            "{message}"
        );
    }
}
