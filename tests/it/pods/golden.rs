//! Whole Pods, as a person would read them, kept in `tests/golden`.

use k8s_openapi::api::core::v1::Pod;
use offhost::content::AppMode;
use offhost::pod::{Delivery, build};
use offhost::runtimes::{VolumeMount, VolumeSource, VolumeTarget};
use offhost::settings::values::parse_toleration;
use offhost::settings::{Amounts, Devices};

use super::{last, place};
use crate::plan_fixture::{World, application, env, node, notebook, report, script, site};

fn check(name: &str, pod: &Pod) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_yaml_snapshot!(name, pod));
}

fn first(world: &World) -> Pod {
    let plan = world.plan().unwrap();
    build(&plan, &plan.processes[0], &place())
}

/// Proves: PK3 (P), EN4 (P), SV2 (P)
#[test]
fn a_report_with_parameters_a_secret_and_a_supervisor() {
    check("pod-report", &last(&report().in_pod(), &place()).1);
}

/// Proves: PK5 (P), AP1 (P), OH4 (P)
#[test]
fn applications() {
    check(
        "pod-app-shiny",
        &last(&application(AppMode::Shiny, "").in_pod(), &place()).1,
    );
    let world = application(AppMode::PythonFastapi, "app").in_pod();
    check("pod-app-fastapi", &last(&world, &place()).1);
}

/// Proves: PK1 (P)
#[test]
fn an_installation_of_r_packages() {
    check("pod-install-r", &first(&report().in_pod()));
}

/// Proves: PK2 (P)
#[test]
fn an_installation_of_python_packages() {
    let mut world = notebook().in_pod();
    world.settings.scheduler.memory = Amounts {
        request: 1 << 30,
        limit: 4 << 30,
        ..Amounts::default()
    };
    check("pod-install-python", &first(&world));
}

/// Proves: PK5 (P)
#[test]
fn an_installation_of_node_packages_and_what_uses_them() {
    check("pod-install-node", &first(&node().in_pod()));
    check("pod-node", &last(&node().in_pod(), &place()).1);
}

/// Proves: PK3 (P)
#[test]
fn a_notebook() {
    let mut world = notebook().in_pod();
    world.settings.sandbox.mask_tmp = true;
    world.runtimes.runtimes[0].supervisor.clear();
    check("pod-notebook", &last(&world, &place()).1);
}

/// Proves: PK4 (P), ST1 (P)
#[test]
fn a_site_is_copied_by_an_init_container() {
    check("pod-site", &last(&site().in_pod(), &place()).1);
}

/// Proves: PK4 (P)
#[test]
fn a_site_on_a_cluster_without_image_volumes() {
    let mut place = place();
    place.delivery = Delivery::InitContainer;
    check(
        "pod-site-without-image-volumes",
        &last(&site().in_pod(), &place).1,
    );
}

/// Proves: PK8 (P), FS5 (P)
#[test]
fn a_script_whose_home_is_covered() {
    let mut world = script().in_pod();
    world.settings.applications.home_mounting = true;
    world.runtimes.runtimes[0].supervisor.clear();
    world.task.spec.command = ["/bin/sh", "-c", "echo $HOME $(date)"]
        .map(str::to_owned)
        .to_vec();
    check("pod-script", &last(&world, &place()).1);
}

/// Proves: SC7 (P), OH4 (P)
#[test]
fn everything_that_a_cluster_can_be_asked_for() {
    let mut world = report().in_pod();
    world.task.spec.run_as = Some("hadley".to_owned());
    world.task.spec.resources.limits = env(&[("nvidia.com/gpu", "2"), ("memory", "16Gi"), ("cpu", "8")]);
    world.task.spec.resources.requests = env(&[("memory", "8Gi")]);
    world.settings.scheduler.amd_gpu = Devices {
        limit: 1,
        max_limit: 1,
    };
    world.settings.scheduler.cpu.max_limit = 4000;
    world.settings.scheduler.ephemeral_storage.limit = 10 << 30;
    world.settings.sandbox.open_files_limit = 4096;
    world.runtimes.runtimes[0].volume_mounts = vec![VolumeMount {
        source: VolumeSource::Pvc {
            pvc_name: "driver-licences".to_owned(),
        },
        target: VolumeTarget {
            path: "/licences".to_owned(),
            read_only: true,
        },
    }];
    let mut place = place();
    place.attempt = 3;
    place.job.labels = env(&[
        ("kueue.x-k8s.io/queue-name", "night"),
        ("app.kubernetes.io/name", "another"),
    ]);
    place.priority_class_name = Some("urgent".to_owned());
    place.service_account_name = Some("reads-buckets".to_owned());
    place.scheduling_gates = vec!["queue.example.com/admission".to_owned()];
    let settings = &mut place.kubernetes;
    settings.data_dir_pvc_sub_path = Some("connect/data".to_owned());
    settings.image_pull_policy = Some("IfNotPresent");
    settings.image_pull_secrets = vec!["registry".to_owned()];
    settings.runtime_class_name = Some("gvisor".to_owned());
    settings.priority_class_name = Some("content".to_owned());
    settings.service_account = Some("content".to_owned());
    settings.user_namespaces = true;
    settings.node_selector = env(&[("pool", "content")]);
    settings.tolerations = vec![parse_toleration("gpu=yes:NoSchedule").unwrap()];
    check("pod-everything", &last(&world, &place).1);
}
