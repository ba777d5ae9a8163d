//! The settings of Pod mode: `[Kubernetes]`, in part the products' own, in part this system's. One a line.

use super::Feeds::{Alias, Field};
use super::Kind::{Bool, Choice, Count, Labels, Object, Objects, Size, SubPath, Text, Tolerations};
use super::{Setting, setting};

/// How the helper comes into a Pod.
pub(super) const IMAGE_VOLUMES: &[&str] = &["auto", "always", "never"];
/// When images are pulled, in Kubernetes' words.
pub(super) const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting("Kubernetes", "Namespace", Object, "", Field("kubernetes.namespace"), "Where jobs are looked for and Pods are made; the controller's own namespace when empty."),
    setting("Launcher", "KubernetesNamespace", Object, "", Alias("Kubernetes", "Namespace"), "Older name of `Kubernetes.Namespace`."),
    setting("Kubernetes", "DataDirPVCName", Object, "", Field("kubernetes.data_dir_pvc_name"), "The claim that holds the data directory, in that namespace. Pod mode needs it."),
    setting("Launcher", "DataDirPVCName", Object, "", Alias("Kubernetes", "DataDirPVCName"), "Older name of `Kubernetes.DataDirPVCName`."),
    setting("Kubernetes", "DataDirPVCSubPath", SubPath, "", Field("kubernetes.data_dir_pvc_sub_path"), "The directory of that volume which is the data directory; its root when empty."),
    setting("Kubernetes", "ExecImage", Text, "", Field("kubernetes.exec_image"), "The image with the helper and the starters. Pod mode needs it."),
    setting("Kubernetes", "ImageVolumes", Choice(IMAGE_VOLUMES), "auto", Field("kubernetes.image_volumes"), "Whether that image is mounted as it is (`always`), or copied by an init container (`never`); `auto` asks the cluster."),
    setting("Kubernetes", "ImagePullPolicy", Choice(PULL_POLICIES), "", Field("kubernetes.image_pull_policy"), "When images are pulled; Kubernetes' own rule when empty."),
    setting("Kubernetes", "ImagePullSecret", Objects, "", Field("kubernetes.image_pull_secrets"), "Name of a Secret with the credentials of a registry."),
    setting("Kubernetes", "ServiceAccount", Object, "", Field("kubernetes.service_account"), "Service account of Pods whose job names none; its token is not mounted."),
    setting("Kubernetes", "RuntimeClassName", Object, "", Field("kubernetes.runtime_class_name"), "Runtime class of Pods."),
    setting("Kubernetes", "PriorityClassName", Object, "", Field("kubernetes.priority_class_name"), "Priority class of Pods whose job names none."),
    setting("Kubernetes", "UserNamespaces", Bool, "false", Field("kubernetes.user_namespaces"), "Runs each Pod in a user namespace of its own. Accounts and groups then need ids up to 65535."),
    setting("Kubernetes", "NodeSelector", Labels, "", Field("kubernetes.node_selector"), "Label that nodes must have, as `pool=content`."),
    setting("Kubernetes", "Toleration", Tolerations, "", Field("kubernetes.tolerations"), "Taint that Pods tolerate, as `gpu:NoSchedule`, `pool=content:NoSchedule` or `spot:NoExecute:300` (seconds)."),
    setting("Kubernetes", "TmpSizeLimit", Size, "1Gi", Field("kubernetes.tmp_size_limit"), "Most that a process may keep in its temporary directory, and in each of `/tmp`, `/var/tmp` and `/dev/shm`; 0 is no limit."),
    setting("Kubernetes", "HomeSizeLimit", Size, "1Gi", Field("kubernetes.home_size_limit"), "Most that a process may keep in its home directory, which goes with it; 0 is no limit."),
    setting("Kubernetes", "NodeLostSeconds", Count, "30", Field("kubernetes.node_lost_seconds"), "How long a process is waited for on a node that does not answer, before it is started on another."),
    setting("Kubernetes", "TTLSecondsAfterFinished", Count, "604800", Field("kubernetes.ttl_seconds_after_finished"), "How long a finished job, with the log of its Pod, can be looked at before it is deleted; 0 keeps it. Results and logs in the data directory stay."),
];
