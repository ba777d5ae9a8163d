//! Rules of Pods, one at a time.

use std::path::PathBuf;

use offhost::pod::{Delivery, PodPlace, build, label_value};
use offhost::runtimes::{VolumeMount, VolumeSource, VolumeTarget};
use offhost::settings::values::parse_toleration;

use super::restricted::violations;
use super::{arguments, content, flag, init, last, mount, mounts, place, spec};
use crate::plan_fixture::{World, account, notebook, quarto_site, report, script, site, variable};
use crate::plan_rules::{task_of, value};

fn volume(path: &str, claim: &str) -> VolumeMount {
    VolumeMount {
        source: VolumeSource::Pvc {
            pvc_name: claim.to_owned(),
        },
        target: VolumeTarget {
            path: path.to_owned(),
            read_only: false,
        },
    }
}

fn with_volume(path: &str, claim: &str) -> World {
    let mut world = script().in_pod();
    world.runtimes.runtimes[0].volume_mounts = vec![volume(path, claim)];
    world
}

fn with_home(home: &str) -> World {
    let mut world = script().in_pod();
    let own = account("rstudio-connect", 999, 998, &[998], Some(home));
    world.accounts.accounts.insert("rstudio-connect".to_owned(), own);
    world
}

/// Proves: FS3 (P), FS4 (P), PW1 (P)
#[test]
fn a_render_sees_its_own_directories_by_sub_path() {
    let mut place = place();
    place.kubernetes.data_dir_pvc_sub_path = Some("connect/data".to_owned());
    let (_, pod) = last(&report().in_pod(), &place);
    let seen: Vec<(&str, &str, bool)> = mounts(content(&pod))
        .iter()
        .filter(|mount| mount.name == "data")
        .map(|mount| {
            let sub_path = mount.sub_path.as_deref().unwrap();
            let below = sub_path
                .strip_prefix("connect/data/")
                .expect("it lies in the data directory");
            (mount.mount_path.as_str(), below, mount.read_only == Some(true))
        })
        .filter(|(path, ..)| !path.contains("/libraries/"))
        .collect();
    assert_eq!(
        seen,
        [
            ("/opt/offhost/inputs", "jobs/sales/job1/task.inputs", true),
            ("/opt/offhost/source", "apps/sales/7", true),
            (
                "/opt/rstudio-connect/mnt/app",
                "reports/v2/sales/7/temp.render.job1",
                false
            ),
            ("/opt/rstudio-connect/mnt/log", "jobs/sales/job1/log", false),
            (
                "/opt/rstudio-connect/mnt/packrat/4.2.2/v2/library",
                "packrat/4.2.2/v2/library",
                true
            ),
            (
                "/opt/rstudio-connect/mnt/report",
                "reports/v2/sales/default/12",
                false
            ),
        ]
    );
}

/// Proves: RD1 (P)
#[test]
fn the_helper_copies_the_source_for_what_works_on_a_copy() {
    for world in [report(), notebook(), script()].map(World::in_pod) {
        let (_, pod) = last(&world, &place());
        assert_eq!(
            flag(content(&pod), "--copy-from").as_deref(),
            Some("/opt/offhost/source")
        );
        assert_eq!(
            flag(content(&pod), "--copy-to").as_deref(),
            Some("/opt/rstudio-connect/mnt/app")
        );
        assert!(spec(&pod).init_containers.is_none());
    }
    let plan = report().in_pod().plan().unwrap();
    let install = build(&plan, &plan.processes[0], &place());
    assert_eq!(flag(content(&install), "--copy-from"), None);
    assert!(mount(content(&install), "/opt/offhost/source").is_none());
}

/// Proves: ST1 (P)
#[test]
fn the_source_of_a_site_is_out_of_its_reach() {
    for world in [site(), quarto_site()].map(World::in_pod) {
        let (_, pod) = last(&world, &place());
        assert!(
            mounts(content(&pod))
                .iter()
                .all(|mount| mount.sub_path.as_deref() != Some("apps/sales/7"))
        );
        assert_eq!(flag(content(&pod), "--copy-from"), None);
        let copy = init(&pod, "copy").expect("the source is copied");
        assert_eq!(
            copy.args.as_deref().unwrap(),
            ["copy", "/opt/offhost/source", "/opt/rstudio-connect/mnt/report"]
        );
        let (from, to) = (&mounts(copy)[0], &mounts(copy)[1]);
        assert_eq!(
            (from.sub_path.as_deref(), from.read_only),
            (Some("apps/sales/7"), Some(true))
        );
        assert_eq!(
            (to.sub_path.as_deref(), to.read_only),
            (Some("reports/v2/sales/default/12"), None)
        );
        assert_eq!(mounts(copy).len(), 2);
    }
}

#[test]
fn without_image_volumes_the_helper_is_copied_first() {
    let mut place = place();
    place.delivery = Delivery::InitContainer;
    let (_, pod) = last(&site().in_pod(), &place);
    let names: Vec<&str> = spec(&pod)
        .init_containers
        .iter()
        .flatten()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["install", "copy"]);
    let install = init(&pod, "install").unwrap();
    assert_eq!(install.args.as_deref().unwrap(), ["install", "/opt/offhost"]);
    assert_eq!(mount(install, "/opt/offhost").unwrap().read_only, None);
    assert_eq!(
        mount(content(&pod), "/opt/offhost").unwrap().read_only,
        Some(true)
    );
    assert_eq!(violations(&pod), Vec::<String>::new());
}

/// Proves: FS5 (P), EN1 (P)
#[test]
fn home_is_a_directory_of_the_pods_own_where_there_can_be_one() {
    let home_of = |world: &World| {
        let (_, pod) = last(world, &place());
        let home = mounts(content(&pod)).iter().find(|mount| mount.name == "home");
        (
            home.map(|mount| mount.mount_path.clone()),
            value(&task_of(world), "HOME").unwrap().to_owned(),
        )
    };
    let own = |home: &str| (Some(home.to_owned()), home.to_owned());
    assert_eq!(home_of(&script().in_pod()), own("/home/rstudio-connect"));
    assert_eq!(home_of(&with_home("/srv/homes/me")), own("/srv/homes/me"));
    let mut covered = script().in_pod();
    covered.settings.applications.home_mounting = true;
    assert_eq!(home_of(&covered), own("/home"));
    // A directory there would hide programs, or what the Pod has there already.
    for home in [
        "/usr/sbin",
        "/bin",
        "/dev",
        "/opt",
        "/var",
        "/tmp/me",
        "/opt/rstudio-connect/mnt/app",
        "/opt/offhost/x",
    ] {
        assert_eq!(home_of(&with_home(home)), (None, home.to_owned()));
    }
    let mut python = notebook().in_pod();
    let own = account("rstudio-connect", 999, 998, &[998], Some("/opt/python"));
    python.accounts.accounts.insert("rstudio-connect".to_owned(), own);
    assert_eq!(home_of(&python).0, None);
    // No home, and one that content never sees in local mode.
    let mut none = script().in_pod();
    none.accounts.accounts.get_mut("rstudio-connect").unwrap().home = None;
    let tmp = "/tmp/connect-workspaces/job1".to_owned();
    assert_eq!(home_of(&none), (None, tmp.clone()));
    let hidden = with_home("/var/lib/rstudio-connect");
    assert_eq!(home_of(&hidden), (None, tmp));
    assert!(
        hidden
            .plan()
            .unwrap()
            .notes
            .iter()
            .any(|note| note.contains("lies in Server.DataDir"))
    );
    // The image's own volume of homes.
    assert_eq!(home_of(&with_volume("/home", "homes")).0, None);
}

/// Proves: TD1 (P)
#[test]
fn temporary_files_have_directories_that_go_with_the_pod() {
    let at = |world: &World| -> Vec<(String, String)> {
        let (_, pod) = last(world, &place());
        let mounts = mounts(content(&pod)).iter();
        mounts
            .filter(|mount| mount.name.contains("tmp") || mount.name == "shm")
            .map(|mount| (mount.name.clone(), mount.mount_path.clone()))
            .collect()
    };
    let pair = |(name, path): (&str, &str)| (name.to_owned(), path.to_owned());
    let mut world = script().in_pod();
    assert_eq!(
        at(&world),
        [
            ("shm", "/dev/shm"),
            ("slash-tmp", "/tmp"),
            ("tmp", "/tmp/connect-workspaces/job1"),
            ("var-tmp", "/var/tmp"),
        ]
        .map(pair)
    );
    world.settings.sandbox.mask_tmp = true;
    assert_eq!(
        at(&world),
        [("shm", "/dev/shm"), ("tmp", "/tmp"), ("tmp", "/var/tmp")].map(pair)
    );
    let (_, pod) = last(&world, &place());
    for volume in spec(&pod).volumes.iter().flatten() {
        if let Some(empty) = &volume.empty_dir {
            assert_eq!(
                empty.size_limit.as_ref().map(|limit| limit.0.as_str()),
                Some("1Gi")
            );
            assert_eq!(
                empty.medium.as_deref(),
                (volume.name == "shm").then_some("Memory")
            );
        }
    }
    let mut unlimited = place();
    unlimited.kubernetes.tmp_size_limit = 0;
    let (_, pod) = last(&world, &unlimited);
    let tmp = spec(&pod)
        .volumes
        .iter()
        .flatten()
        .find(|volume| volume.name == "tmp")
        .unwrap();
    assert_eq!(tmp.empty_dir.as_ref().unwrap().size_limit, None);
}

/// Proves: EN3 (P), EN4 (P)
#[test]
fn values_are_taken_literally_and_secrets_by_reference() {
    let mut world = script().in_pod();
    world.task.spec.env = vec![variable("A", "$(HOME) $$ $é"), report().task.spec.env[1].clone()];
    world.task.spec.command = ["sh", "-c", "echo $(id)"].map(str::to_owned).to_vec();
    let (_, pod) = last(&world, &place());
    let env = content(&pod).env.as_ref().unwrap();
    let of = |name: &str| env.iter().find(|variable| variable.name == name).unwrap();
    assert_eq!(of("A").value.as_deref(), Some("$$(HOME) $$$$ $$é"));
    let token = of("TOKEN");
    let secret = token
        .value_from
        .as_ref()
        .unwrap()
        .secret_key_ref
        .as_ref()
        .unwrap();
    assert_eq!(
        (secret.name.as_str(), secret.key.as_str(), secret.optional),
        ("tokens", "sales", None)
    );
    assert_eq!(token.value, None);
    assert_eq!(
        content(&pod).args.as_ref().unwrap().last().unwrap(),
        "echo $$(id)"
    );
    assert_eq!(
        arguments(content(&pod)).1,
        ["/opt/image/supervise", "sh", "-c", "echo $(id)"]
    );
    assert!(content(&pod).env_from.is_none());
}

/// Proves: OH4 (P)
#[test]
fn a_token_is_mounted_only_for_content_that_asks() {
    let mut place = place();
    place.kubernetes.service_account = Some("content".to_owned());
    let of = |world: &World, place: &PodPlace| {
        let plan = world.plan().unwrap();
        let account = |process| {
            let pod = build(&plan, process, place);
            let spec = spec(&pod);
            (
                spec.service_account_name.clone(),
                spec.automount_service_account_token,
            )
        };
        plan.processes.iter().map(account).collect::<Vec<_>>()
    };
    let default = (Some("content".to_owned()), Some(false));
    let world = report().in_pod();
    assert_eq!(of(&world, &place), [default.clone(), default.clone()]);
    place.service_account_name = Some("reads".to_owned());
    assert_eq!(
        of(&world, &place),
        [default, (Some("reads".to_owned()), Some(true))]
    );
}

/// Proves: OH3 (P)
#[test]
fn a_pod_belongs_to_its_job_and_says_what_it_is_for() {
    let mut place = place();
    place.job.name = format!("{}.{}", "a".repeat(60), "b".repeat(60));
    place
        .job
        .labels
        .insert("offhost.dev/job-uid".to_owned(), "forged".to_owned());
    let mut world = script().in_pod();
    world.task.content = "Sales_2024+x".to_owned();
    let (_, pod) = last(&world, &place);
    let labels = pod.metadata.labels.as_ref().unwrap();
    assert_eq!(labels["offhost.dev/job-uid"], place.job.uid);
    assert_eq!(labels["offhost.dev/job-name"], label_value(&place.job.name));
    assert!(labels["offhost.dev/content"].starts_with("Sales_2024x-"));
    assert_eq!(labels["team"], "finance");
    assert_eq!(labels["app.kubernetes.io/component"], "run");
    let owner = &pod.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(
        (owner.name.as_str(), owner.controller),
        (place.job.name.as_str(), Some(true))
    );
    assert_eq!(
        pod.metadata.finalizers.as_deref().unwrap(),
        ["offhost.dev/result"]
    );
}

#[test]
fn a_silent_node_is_given_up_after_the_time_of_the_settings() {
    let mut place = place();
    place.kubernetes.node_lost_seconds = 7;
    place.kubernetes.tolerations = ["spot:NoSchedule", "node.kubernetes.io/unreachable:NoExecute:90"]
        .map(|text| parse_toleration(text).unwrap())
        .to_vec();
    let (_, pod) = last(&script().in_pod(), &place);
    let tolerations = spec(&pod).tolerations.as_ref().unwrap();
    let seen: Vec<(&str, Option<i64>)> = tolerations
        .iter()
        .map(|one| (one.key.as_deref().unwrap(), one.toleration_seconds))
        .collect();
    assert_eq!(
        seen,
        [
            ("spot", None),
            ("node.kubernetes.io/unreachable", Some(90)),
            ("node.kubernetes.io/not-ready", Some(7)),
        ]
    );
    assert_eq!(spec(&pod).restart_policy.as_deref(), Some("Never"));
}

/// Proves: RA1 (P), RA5 (P)
#[test]
fn ids_that_a_pod_can_not_have_are_refused() {
    let with = |uid, gid, groups: &[u32], user_namespaces| {
        let mut world = script().in_pod();
        let own = account("rstudio-connect", uid, gid, groups, None);
        world.accounts.accounts.insert("rstudio-connect".to_owned(), own);
        world.settings.kubernetes.user_namespaces = user_namespaces;
        world
    };
    assert!(with(0x7fff_ffff, 998, &[998], false).plan().is_ok());
    let message = with(0x8000_0000, 998, &[998], false).refusal();
    assert!(
        message.contains("id 2147483648, and Kubernetes knows none above 2147483647"),
        "{message}"
    );
    assert!(with(65_535, 998, &[998], true).plan().is_ok());
    let message = with(999, 998, &[998, 70_000], true).refusal();
    assert!(
        message.contains("id 70000, and the user namespace of a Pod knows none above 65535")
            && message.contains("set Kubernetes.UserNamespaces to false"),
        "{message}"
    );
}

/// Proves: PW3 (P), FS4 (P)
#[test]
fn the_volumes_of_an_image_cover_nothing_and_are_not_the_data_directory() {
    for (path, said) in [
        ("/var/lib/rstudio-connect", "cover Server.DataDir"),
        ("/var/lib", "cover Server.DataDir"),
        ("/var/lib/rstudio-connect/db", "cover Server.DataDir"),
        ("/tmp", "cover the temporary directories of processes"),
        (
            "/tmp/connect-workspaces/x",
            "cover the temporary directories of processes",
        ),
        ("/var/tmp", "cover /var/tmp"),
        ("/dev/shm", "cover /dev"),
        ("/proc/x", "cover /proc"),
    ] {
        let message = with_volume(path, "other").refusal();
        assert!(
            message.contains(said) && message.contains(&format!("a volume at '{path}'")),
            "{path}: {message}"
        );
    }
    for path in ["/home", "/tmp/shared", "/opt/R", "/licences"] {
        let world = with_volume(path, "other");
        let (_, pod) = last(&world, &place());
        assert_eq!(mount(content(&pod), path).unwrap().name, "image-0");
        assert_eq!(violations(&pod), Vec::<String>::new());
    }
    let mut covered = with_volume("/home", "homes");
    covered.settings.applications.home_mounting = true;
    assert!(covered.refusal().contains("Applications.HomeMounting"));
    let mut data = with_volume("/licences", "connect-data");
    data.settings.kubernetes.data_dir_pvc_name = Some("connect-data".to_owned());
    assert!(
        data.refusal()
            .contains("mounts the claim 'connect-data', which holds Server.DataDir")
    );
}

/// Proves: EX4 (P), OH4 (P)
#[test]
fn a_volume_from_an_nfs_server_is_mounted_and_what_it_costs_is_said() {
    let mut world = script().in_pod();
    world.runtimes.runtimes[0].volume_mounts = vec![VolumeMount {
        source: VolumeSource::Nfs {
            nfs_host: "files.example.com".to_owned(),
            nfs_export_path: "/export/models".to_owned(),
        },
        target: VolumeTarget {
            path: "/models".to_owned(),
            read_only: true,
        },
    }];
    let (plan, pod) = last(&world, &place());
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("'/models' is mounted from an NFS server"))
    );
    assert_eq!(violations(&pod), ["volume image-0"]);
    assert_eq!(mount(content(&pod), "/models").unwrap().read_only, Some(true));
    let nfs = spec(&pod)
        .volumes
        .iter()
        .flatten()
        .find_map(|volume| volume.nfs.as_ref())
        .unwrap();
    assert_eq!(
        (nfs.server.as_str(), nfs.path.as_str()),
        ("files.example.com", "/export/models")
    );
}

#[test]
fn temporary_directories_can_not_lie_in_what_a_pod_mounts() {
    for place in ["/opt/rstudio-connect/mnt/x", "/opt/offhost", "/dev/shm", "/proc"] {
        let mut world = script().in_pod();
        world.settings.server.temp_dir = PathBuf::from(place);
        let message = world.refusal();
        assert!(
            message.contains(&format!("Server.TempDir '{place}' lies in")),
            "{message}"
        );
    }
}

/// Proves: PK2 (P)
#[test]
fn pip_installs_where_nobody_knows_of_uv() {
    let mut world = notebook().in_pod();
    world.settings.python_package_manager = offhost::settings::PackageManager::Uv;
    let plan = world.plan().unwrap();
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("Python.PackageManager 'uv' has no effect in Pod mode"))
    );
    assert!(plan.processes[0].command.join(" ").contains("--manager pip"));
}
