//! What the API server makes of a content Pod: the very Pod that a job would get, offered in a dry run. Pod Security,
//! quotas, limit ranges, priority and runtime classes, policies of the cluster: whatever would refuse it says so.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;

use super::client::Connection;
use super::doctor::{Subject, said, unknown};
use crate::api::job::{ContentJobSpec, TaskKind};
use crate::check::Check;
use crate::content::{AppMode, BundleFacts};
use crate::gather;
use crate::identity::{Account, Accounts};
use crate::plan::{self, Mode, Task};
use crate::pod::{self, Delivery, Job, PodPlace};
use crate::runtimes::{ImageMatching, Runtime, Runtimes};
use crate::settings::{ImageVolumes, Settings};

/// Name of the Pod that is offered.
const POD: &str = "offhost-doctor";
const UID: &str = "00000000-0000-0000-0000-000000000000";
/// Stands for an account of the controller that this machine does not have.
const SOME_ID: u32 = 999;

/// Everything that a dry run tells.
pub(super) async fn check(connection: &Connection, subject: &Subject<'_>) -> Vec<Check> {
    const NAME: &str = "content Pods";
    let settings = subject.settings;
    let sample = |delivery| {
        sample(
            settings,
            subject.runtimes.as_ref().ok(),
            &connection.namespace,
            delivery,
        )
    };
    let plain = match sample(Delivery::InitContainer) {
        Ok(pod) => pod,
        Err(error) => return vec![Check::fail(NAME, error)],
    };
    match offer(connection, &plain).await {
        Err(error) if said(&error).contains(" cannot create ") => {
            vec![Check::warn(
                NAME,
                "they can not be tried, as you may not make Pods",
                said(&error),
            )]
        }
        Err(error @ kube::Error::Api(_)) => vec![refused(NAME, &said(&error))],
        Err(error) => vec![unknown(NAME, "create", "pods", connection, error)],
        Ok(taken) => {
            let mut checks = vec![Check::pass(NAME, "one is accepted (dry run)")];
            checks.push(image_volumes(connection, settings, sample(Delivery::ImageVolume)).await);
            checks.push(user_namespaces(settings, &taken));
            checks.push(pod_security(connection, plain).await);
            checks
        }
    }
}

async fn offer(connection: &Connection, pod: &Pod) -> Result<Pod, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    pods.create(&params, pod).await
}

/// What to do about a refusal, by what refuses.
fn refused(name: &'static str, said: &str) -> Check {
    let remedies = [
        (
            "exceeded quota",
            "raise the quota, or lower what content asks for: Scheduler.CPURequest, Scheduler.MemoryRequest",
        ),
        (
            "failed quota",
            "set what the quota asks for: Scheduler.CPURequest, CPULimit, MemoryRequest, MemoryLimit; or add a LimitRange with defaults",
        ),
        (
            "usage per Container",
            "change the LimitRange, or the requests and limits of [Scheduler]",
        ),
        (
            "usage per Pod",
            "change the LimitRange, or the requests and limits of [Scheduler]",
        ),
        (
            "PodSecurity",
            "content Pods keep to 'restricted'; see which setting of the Pod is named, or use another namespace",
        ),
        (
            "PriorityClass",
            "make it, or correct Kubernetes.PriorityClassName",
        ),
        ("RuntimeClass", "make it, or correct Kubernetes.RuntimeClassName"),
        ("serviceaccount", "make it, or correct Kubernetes.ServiceAccount"),
        ("service account", "make it, or correct Kubernetes.ServiceAccount"),
        (
            "denied the request",
            "ask whoever keeps that policy to let Pods with the label app.kubernetes.io/name=offhost-content pass",
        ),
    ];
    let remedy = remedies.into_iter().find(|(word, _)| said.contains(word));
    let remedy = remedy.map_or("change what refuses it", |(_, remedy)| remedy);
    Check {
        remedy: Some(remedy.to_owned()),
        ..Check::fail(name, format!("the API server refuses them: {said}"))
    }
}

async fn image_volumes(connection: &Connection, settings: &Settings, sample: Result<Pod, String>) -> Check {
    const NAME: &str = "image volumes";
    let wanted = settings.kubernetes.image_volumes;
    if wanted == ImageVolumes::Never {
        return Check::pass(
            NAME,
            "not used (Kubernetes.ImageVolumes = never): an init container copies the helper",
        );
    }
    let pod = match sample {
        Ok(pod) => pod,
        Err(error) => return Check::fail(NAME, error),
    };
    let problem = match offer(connection, &pod).await {
        Ok(taken) if has_image(&taken) => {
            return Check::pass(
                NAME,
                "the helper is mounted from its image; the nodes' container runtime has to know them too",
            );
        }
        Ok(_) => "this cluster has none".to_owned(),
        Err(error) => said(&error),
    };
    if wanted == ImageVolumes::Always {
        return Check::fail(
            NAME,
            format!(
                "{problem}, and Kubernetes.ImageVolumes is 'always'; set it to auto or never, or turn the feature on"
            ),
        );
    }
    Check::warn(
        NAME,
        format!("{problem}: an init container copies the helper"),
        "nothing to do; a start takes up to a second longer",
    )
}

fn has_image(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let mut volumes = spec.and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
    volumes.any(|volume| volume.image.is_some())
}

fn user_namespaces(settings: &Settings, taken: &Pod) -> Check {
    const NAME: &str = "user namespaces";
    if !settings.kubernetes.user_namespaces {
        return Check::pass(NAME, "off (Kubernetes.UserNamespaces)");
    }
    match taken.spec.as_ref().and_then(|spec| spec.host_users) {
        Some(false) => Check::pass(
            NAME,
            "content Pods have their own; the nodes' container runtime has to know them too",
        ),
        _ => Check::fail(
            NAME,
            "this cluster has none for Pods; turn the feature UserNamespacesSupport on, or set Kubernetes.UserNamespaces to false",
        ),
    }
}

/// Whether the namespace would refuse a Pod that is less closed than those of content.
async fn pod_security(connection: &Connection, mut pod: Pod) -> Check {
    const NAME: &str = "Pod Security";
    if let Some(spec) = &mut pod.spec {
        for container in spec
            .containers
            .iter_mut()
            .chain(spec.init_containers.iter_mut().flatten())
        {
            container.security_context = None;
        }
    }
    match offer(connection, &pod).await {
        Err(error) if said(&error).contains("PodSecurity") => {
            Check::pass(NAME, "the namespace takes nothing below 'restricted'")
        }
        Err(error) => Check::pass(NAME, format!("a less closed Pod is refused: {}", said(&error))),
        Ok(_) => Check::warn(
            NAME,
            "content Pods are 'restricted', but the namespace takes others too",
            format!(
                "kubectl label namespace {} pod-security.kubernetes.io/enforce=restricted",
                connection.namespace
            ),
        ),
    }
}

/// The Pod of a job that runs a command, with an image of the file.
fn sample(
    settings: &Settings,
    runtimes: Option<&Runtimes>,
    namespace: &str,
    delivery: Delivery,
) -> Result<Pod, String> {
    let mut settings = settings.clone();
    let exec_image = settings
        .kubernetes
        .exec_image
        .clone()
        .unwrap_or_else(|| "offhost-exec".to_owned());
    let claim = settings
        .kubernetes
        .data_dir_pvc_name
        .clone()
        .unwrap_or_else(|| "data".to_owned());
    // Accounts are another check's business.
    settings.applications.shared_run_as_unix_group = None;
    let known = runtimes.and_then(|runtimes| runtimes.runtimes.first()).cloned();
    let runtime = known.unwrap_or_else(|| Runtime {
        name: exec_image.clone(),
        title: None,
        description: None,
        matching: ImageMatching::Any,
        supervisor: Vec::new(),
        installations: BTreeMap::new(),
        volume_mounts: Vec::new(),
    });
    let task = task(&runtime);
    let runtimes = Runtimes {
        runtimes: vec![runtime],
    };
    let plan =
        plan::plan(&task, &settings, &runtimes, &accounts(&settings)).map_err(|error| error.to_string())?;
    let process = plan.processes.last().ok_or("a command has no process")?;
    let place = PodPlace {
        pod_name: POD.to_owned(),
        namespace: namespace.to_owned(),
        job: Job {
            name: POD.to_owned(),
            uid: UID.to_owned(),
            labels: BTreeMap::new(),
        },
        attempt: 1,
        key: task.job_key.clone(),
        claim,
        exec_image,
        delivery,
        priority_class_name: None,
        service_account_name: None,
        scheduling_gates: Vec::new(),
        kubernetes: settings.kubernetes.clone(),
    };
    Ok(pod::build(&plan, process, &place))
}

fn task(runtime: &Runtime) -> Task {
    let mut spec = ContentJobSpec {
        task: Some(TaskKind::Run),
        command: vec!["true".to_owned()],
        ..ContentJobSpec::default()
    };
    // Also one that is only taken when it is named.
    spec.runtime.name = Some(runtime.name.clone());
    Task {
        mode: Mode::Pod,
        spec,
        serve: None,
        content: POD.to_owned(),
        bundle: "1".to_owned(),
        job_key: "doctor-1".to_owned(),
        rendering: "1".to_owned(),
        facts: BundleFacts::of(AppMode::Script),
        content_image: None,
        server_env: BTreeMap::new(),
        installed: Vec::new(),
        r_cache: BTreeSet::new(),
        uv: None,
    }
}

/// The account of the settings, as it is known here; else one of the same name with the usual ids.
fn accounts(settings: &Settings) -> Accounts {
    let name = &settings.applications.run_as;
    let mut accounts = gather::accounts(Mode::Pod, settings, None).unwrap_or_default();
    accounts.accounts.entry(name.clone()).or_insert_with(|| Account {
        name: name.clone(),
        uid: SOME_ID,
        gid: SOME_ID,
        groups: vec![SOME_ID],
        home: None,
    });
    accounts
}
