//! Random jobs and applications that can be planned, and what they become as Pods. Shared by the property tests, by the comparison with
//! the evaluator of Pod Security, and by the program that prints them for a dry run on a real API server.
//!
//! Whoever includes this file has `plan_fixture` beside it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Pod;
use offhost::api::job::{EnvVar, EnvVarSource, KeyRef, TaskKind};
use offhost::plan::Plan;
use offhost::plan::Purpose;
use offhost::pod::{Delivery, Job, PodPlace, build, mark_app};
use offhost::runtimes::{VolumeMount, VolumeSource, VolumeTarget};
use offhost::settings::values::parse_toleration;
use offhost::settings::{Amounts, Devices, ImageVolumes, Kubernetes, Scheduler};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::plan_fixture::{
    World, account, applications, notebook, quarto_document, quarto_site, report, script, site, variable,
};

/// What a cluster must have before it takes these Pods: the API server looks for them when a Pod is made.
pub(crate) const PRIORITY_CLASS: &str = "offhost-random";
/// A service account.
pub(crate) const SERVICE_ACCOUNT: &str = "offhost-random";
/// A runtime class.
pub(crate) const RUNTIME_CLASS: &str = "offhost-random";

/// One job or application with everything around it.
#[derive(Clone, Debug)]
pub(crate) struct RandomJob {
    pub(crate) world: World,
    pub(crate) place: PodPlace,
}

impl RandomJob {
    /// Its plan; `None` where two random values do not go together.
    pub(crate) fn plan(&self) -> Option<Plan> {
        self.world.plan().ok()
    }

    /// Its Pods, as if each process were an attempt of its own.
    pub(crate) fn pods(&self) -> Vec<Pod> {
        let plan = self.plan();
        let processes = plan.iter().flat_map(|plan| &plan.processes).zip(1..);
        let pod = |(process, number)| {
            let mut place = self.place.clone();
            place.pod_name = format!("{}{number}", place.pod_name);
            let mut pod = build(plan.as_ref().expect("it has processes"), process, &place);
            if process.purpose == Purpose::Serve {
                let task = &self.world.task;
                mark_app(
                    &mut pod,
                    &place.key,
                    "0123456789abcdef",
                    &task.content,
                    &task.bundle,
                );
            }
            pod
        };
        processes.map(pod).collect()
    }
}

/// The Pods of as many random jobs and applications, the same every time: every third is an application.
pub(crate) fn pods_of(count: usize) -> Vec<Pod> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let (jobs, apps) = (random_jobs().boxed(), random_apps().boxed());
    let mut pods = Vec::new();
    let mut planned = 0;
    while planned < count {
        let strategy = if planned % 3 == 2 { &apps } else { &jobs };
        let tree = strategy.new_tree(&mut runner).expect("the strategy makes jobs");
        let new = tree.current().pods();
        planned += usize::from(!new.is_empty());
        for mut pod in new {
            // Their names are random as well: none occurs twice.
            let name = format!("job-{}-{}", pods.len(), pod.metadata.name.unwrap_or_default());
            pod.metadata.name = Some(
                name.chars()
                    .take(63)
                    .collect::<String>()
                    .trim_end_matches(['-', '.'])
                    .to_owned(),
            );
            pods.push(pod);
        }
    }
    pods
}

/// Jobs of every kind; nearly all of them can be planned.
pub(crate) fn random_jobs() -> impl Strategy<Value = RandomJob> {
    random(contents())
}

/// Applications of every kind.
pub(crate) fn random_apps() -> impl Strategy<Value = RandomJob> {
    let kinds = proptest::sample::select(applications());
    random(dressed(kinds).prop_map(World::in_pod))
}

fn random(worlds: impl Strategy<Value = World>) -> impl Strategy<Value = RandomJob> {
    (worlds, accounts(), servers(), clusters(), images(), places()).prop_map(
        |(mut world, accounts, server, (kubernetes, scheduler), image, mut place)| {
            let settings = &mut world.settings;
            (settings.applications.home_mounting, settings.sandbox.mask_tmp) = server.switches;
            settings.server.temp_dir = PathBuf::from(server.temp_dir);
            (
                settings.sandbox.open_files_limit,
                settings.sandbox.file_size_limit,
            ) = server.limits;
            settings.scheduler = scheduler;
            settings.kubernetes = kubernetes.clone();
            let most = if kubernetes.user_namespaces {
                0xffff
            } else {
                0x7fff_ffff
            };
            let (ids, home, own) = accounts;
            let [uid, gid, group] = ids.map(|id| id % most + 1);
            let name = "rstudio-connect";
            let default = account(name, uid, gid, &[gid, group], home);
            world.accounts.accounts.insert(name.to_owned(), default);
            let other = account("hadley", uid / 2 + 1, group, &[gid, group], home);
            world.accounts.accounts.insert("hadley".to_owned(), other);
            world.task.spec.run_as = own.then(|| "hadley".to_owned());
            let runtime = &mut world.runtimes.runtimes[0];
            (runtime.supervisor, runtime.volume_mounts) = image;
            world.task.job_key.clone_from(&place.key);
            place.kubernetes = kubernetes;
            RandomJob { world, place }
        },
    )
}

fn name(most: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[a-z0-9]([a-z0-9-]{{0,{}}}[a-z0-9])?", most - 2))
        .expect("a pattern")
}

/// Text that a program may be given: also what Kubernetes would replace.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,24}",
        "[$()A-Z]{0,12}",
        Just("$(HOME)/$HOME/${HOME}/$$(HOME)".to_owned()),
        Just("two\nlines\tand a tab".to_owned()),
        Just(String::new()),
    ]
}

fn contents() -> impl Strategy<Value = World> {
    let kinds = prop_oneof![
        Just(notebook as fn() -> World),
        Just(report as fn() -> World),
        Just(site as fn() -> World),
        Just(quarto_document as fn() -> World),
        Just(quarto_site as fn() -> World),
        Just(script as fn() -> World),
    ];
    let names = (option::of(name(63)), 1_u32..);
    let command = (option::of("[a-z./]{1,12}"), vec(text(), 0..4));
    let worlds = dressed(kinds.prop_map(|kind| kind().in_pod()));
    (worlds, names, command, option::of(1_i64..=31_536_000)).prop_map(
        |(mut world, (variant, rendering), command, timeout)| {
            world.task.rendering = rendering.to_string();
            let spec = &mut world.task.spec;
            spec.variant = variant;
            spec.timeout_seconds = timeout;
            if let (Some(program), words) = command {
                spec.task = Some(TaskKind::Run);
                spec.parameters.clear();
                spec.command = std::iter::once(program).chain(words).collect();
            }
            world
        },
    )
}

/// What jobs and applications have in common: a name, variables, amounts.
fn dressed(worlds: impl Strategy<Value = World>) -> impl Strategy<Value = World> {
    let resources = (
        option::of(amounts()),
        option::of(amounts()),
        option::of(devices()),
    );
    (worlds, (name(63), 1_u32..), vec(variables(), 0..5), resources).prop_map(
        |(mut world, (content, bundle), env, (requests, limits, devices))| {
            world.task.content = content;
            world.task.bundle = bundle.to_string();
            let spec = &mut world.task.spec;
            let env: BTreeMap<String, EnvVar> = env.into_iter().map(|var| (var.name.clone(), var)).collect();
            spec.env = env.into_values().collect();
            spec.resources.requests = requests.unwrap_or_default();
            spec.resources.limits = limits.unwrap_or_default();
            spec.resources.limits.extend(devices);
            world
        },
    )
}

fn variables() -> impl Strategy<Value = EnvVar> {
    // No letter that a variable of the server begins with.
    let name = "[A-BD-GI-KM-NP-SV-Za-z_][A-Za-z0-9_]{0,12}";
    let reference = |secret| {
        (self::name(63), "[a-zA-Z0-9][-._a-zA-Z0-9]{0,20}").prop_map(move |(name, key)| {
            let key = KeyRef { name, key };
            match secret {
                true => EnvVarSource::SecretKeyRef(key),
                false => EnvVarSource::ConfigMapKeyRef(key),
            }
        })
    };
    let value = prop_oneof![
        3 => text().prop_map(|text| variable("", &text)),
        1 => prop_oneof![reference(true), reference(false)].prop_map(|source| EnvVar {
            name: String::new(),
            value: None,
            value_from: Some(source),
        }),
    ];
    (name, value).prop_map(|(name, variable)| EnvVar { name, ..variable })
}

fn amounts() -> impl Strategy<Value = BTreeMap<String, String>> {
    let amount = prop_oneof![
        (1_u32..64_000).prop_map(|millis| ("cpu".to_owned(), format!("{millis}m"))),
        (1_u32..4096).prop_map(|mebibytes| ("memory".to_owned(), format!("{mebibytes}Mi"))),
        (1_u32..100).prop_map(|gigabytes| ("ephemeral-storage".to_owned(), format!("{gigabytes}G"))),
        (1_u32..100).prop_map(|count| ("pids".to_owned(), count.to_string())),
    ];
    vec(amount, 0..4).prop_map(|amounts| amounts.into_iter().collect())
}

fn devices() -> impl Strategy<Value = (String, String)> {
    let device = prop_oneof![
        Just("nvidia.com/gpu"),
        Just("amd.com/gpu"),
        Just("nvidia.com/mig-1g.5gb"),
        Just("example.com/fpga")
    ];
    (device, 0_u32..9).prop_map(|(name, count)| (name.to_owned(), count.to_string()))
}

type Accounts = ([u32; 3], Option<&'static str>, bool);

fn accounts() -> impl Strategy<Value = Accounts> {
    let homes = prop_oneof![
        Just("/home/rstudio-connect"),
        Just("/var/lib/rstudio-connect"),
        Just("/usr/sbin"),
        Just("/opt"),
        Just("/var"),
        Just("/tmp/home"),
        Just("/opt/rstudio-connect/mnt/app"),
        Just("/srv//shared/"),
        Just("/home/../root"),
        Just("/dev"),
    ];
    (any::<[u32; 3]>(), option::of(homes), any::<bool>())
}

#[derive(Clone, Debug)]
struct Server {
    switches: (bool, bool),
    temp_dir: &'static str,
    limits: (u64, u64),
}

fn servers() -> impl Strategy<Value = Server> {
    let temp_dir = prop_oneof![
        4 => Just("/tmp"),
        1 => Just("/scratch"),
        1 => Just("/var/tmp/x"),
        1 => Just("/home/rstudio-connect/tmp"),
    ];
    let limit = || prop_oneof![Just(0), 1_u64..1 << 40];
    ((any::<bool>(), any::<bool>()), temp_dir, (limit(), limit())).prop_map(|(switches, temp_dir, limits)| {
        Server {
            switches,
            temp_dir,
            limits,
        }
    })
}

fn clusters() -> impl Strategy<Value = (Kubernetes, Scheduler)> {
    let bound = |most: u64| prop_oneof![2 => Just(0), 1 => 1..most];
    let amounts = move |most| {
        (bound(most), bound(most), bound(most), bound(most)).prop_map(
            |(request, limit, max_request, max_limit)| Amounts {
                request,
                limit,
                max_request,
                max_limit,
            },
        )
    };
    let devices = move || (bound(4), bound(4)).prop_map(|(limit, max_limit)| Devices { limit, max_limit });
    let scheduler = (
        amounts(16_000),
        amounts(1 << 34),
        amounts(1 << 38),
        devices(),
        devices(),
    )
        .prop_map(
            |(cpu, memory, ephemeral_storage, nvidia_gpu, amd_gpu)| Scheduler {
                cpu,
                memory,
                ephemeral_storage,
                nvidia_gpu,
                amd_gpu,
                ..Scheduler::default()
            },
        );
    let tolerations = prop_oneof![
        Just("gpu:NoSchedule"),
        Just("pool=content:NoExecute:30"),
        Just("example.com/spot=:PreferNoSchedule"),
        Just("node.kubernetes.io/unreachable:NoExecute:7"),
    ]
    .prop_map(|text| parse_toleration(text).expect("a toleration"));
    let lists = (
        btree_map("(example\\.com/)?[a-z]{1,8}", "[A-Za-z0-9]{0,8}", 0..3),
        vec(tolerations, 0..3),
        vec(name(63), 0..3),
    );
    let choices = (
        option::of(name(63)),
        prop_oneof![
            Just(None),
            Just(Some("Always")),
            Just(Some("IfNotPresent")),
            Just(Some("Never"))
        ],
        option::of(Just(RUNTIME_CLASS)),
        option::of(Just(PRIORITY_CLASS)),
        option::of(Just(SERVICE_ACCOUNT)),
        any::<bool>(),
    );
    let sizes = (bound(1 << 40), bound(1 << 40), 0_u32..3600);
    let kubernetes = (lists, choices, sizes).prop_map(|(lists, choices, sizes)| Kubernetes {
        namespace: None,
        data_dir_pvc_name: Some("connect-data".to_owned()),
        data_dir_pvc_sub_path: choices.0,
        exec_image: None,
        image_volumes: ImageVolumes::Auto,
        image_pull_policy: choices.1,
        image_pull_secrets: lists.2,
        service_account: choices.4.map(str::to_owned),
        runtime_class_name: choices.2.map(str::to_owned),
        priority_class_name: choices.3.map(str::to_owned),
        user_namespaces: choices.5,
        node_selector: lists.0,
        tolerations: lists.1,
        tmp_size_limit: sizes.0,
        home_size_limit: sizes.1,
        node_lost_seconds: sizes.2,
        ttl_seconds_after_finished: None,
    });
    (kubernetes, scheduler)
}

type Image = (Vec<String>, Vec<VolumeMount>);

/// The supervisor and the volumes of an image. Of the volumes only claims: NFS is what the level `restricted` refuses.
fn images() -> impl Strategy<Value = Image> {
    let supervisor = prop_oneof![
        Just(Vec::new()),
        vec(text(), 0..2).prop_map(|words| {
            let program = "/opt/image/supervise".to_owned();
            std::iter::once(program).chain(words).collect()
        }),
    ];
    let target = prop_oneof![
        Just("/licences"),
        Just("/home"),
        Just("/home/rstudio-connect"),
        Just("/tmp/shared"),
        Just("/opt/R"),
        Just("/srv/shared/data"),
    ];
    let volumes = btree_map(target, (name(63), any::<bool>()), 0..3).prop_map(|volumes| {
        let volumes = volumes
            .into_iter()
            .map(|(path, (pvc_name, read_only))| VolumeMount {
                source: VolumeSource::Pvc { pvc_name },
                target: VolumeTarget {
                    path: path.to_owned(),
                    read_only,
                },
            });
        volumes.collect()
    });
    (supervisor, volumes)
}

fn places() -> impl Strategy<Value = PodPlace> {
    let job = (
        "[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?(\\.[a-z0-9]{1,30})?",
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    );
    let labels = btree_map(
        "([a-z]{1,8}\\.example\\.com/)?[a-z]{1,8}",
        "[A-Za-z0-9]{0,12}",
        0..4,
    );
    let own = (
        option::of(Just(PRIORITY_CLASS.to_owned())),
        option::of(Just(SERVICE_ACCOUNT.to_owned())),
        proptest::collection::btree_set("[a-z]{1,9}\\.example\\.com/[a-z]{1,9}", 0..3),
    );
    (job, labels, own, 1_i32..1000, any::<bool>()).prop_map(
        |((name, uid), labels, own, attempt, image_volume)| {
            let digits: String = uid.chars().filter(|c| *c != '-').take(16).collect();
            let cut: String = name.chars().take(40).collect();
            PodPlace {
                pod_name: format!("{}-{}-{attempt}", cut.trim_end_matches(['-', '.']), &uid[..8]),
                namespace: "content".to_owned(),
                key: format!("{digits}-{attempt}"),
                job: Job { name, uid, labels },
                attempt,
                claim: "connect-data".to_owned(),
                exec_image: "registry.example.com/offhost/exec:1".to_owned(),
                delivery: if image_volume {
                    Delivery::ImageVolume
                } else {
                    Delivery::InitContainer
                },
                priority_class_name: own.0,
                service_account_name: own.1,
                scheduling_gates: own.2.into_iter().collect(),
                kubernetes: Kubernetes::default(),
            }
        },
    )
}
