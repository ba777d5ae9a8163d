//! The Pod of a Git build is its sandbox: made from the very same, and with nothing of the builder's in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use offhost::builds::cluster::work::Work;
use offhost::builds::cluster::{Site, Step};
use offhost::builds::limits::put_on;
use offhost::builds::view::{self, Builder, Exposed, Seen};
use offhost::plan::POD_PATH;
use offhost::pod::{Delivery, Job};
use offhost::runtimes::{Choice, Installation, LanguageName};
use offhost::sandbox::{RlimitName, SandboxSpec};
use offhost::settings::{Amounts, BuildLimits, BuildPods, Kubernetes, Scheduler};

use super::restricted::violations;
use super::{arguments, content, environment, flag, mounts, spec};

const ROOT: &str = "/var/lib/rstudio-pm";
const LIMIT: Duration = Duration::from_mins(30);

fn site(delivery: Delivery) -> Site {
    let settings = BuildPods {
        kubernetes: Kubernetes {
            data_dir_pvc_sub_path: Some("git-builds".to_owned()),
            service_account: Some("offhost-content".to_owned()),
            tmp_size_limit: 4 << 30,
            node_lost_seconds: 30,
            ..Kubernetes::default()
        },
        scheduler: Scheduler {
            memory: Amounts {
                request: 1 << 30,
                limit: 2 << 30,
                ..Amounts::default()
            },
            ..Scheduler::default()
        },
        runtimes_file: None,
        start_timeout: Duration::from_mins(15),
    };
    Site {
        namespace: "content".to_owned(),
        claim: "connect-data".to_owned(),
        exec_image: "registry.example.com/offhost/exec:1".to_owned(),
        delivery,
        owner: Job {
            name: "offhost-builder-7d9f-x2x".to_owned(),
            uid: "0b5f3a6e-8c1d-4a70-9d2e-5f6a7b8c9d0e".to_owned(),
            labels: BTreeMap::new(),
        },
        builder: "build-0123456789ab".to_owned(),
        root: ROOT.into(),
        settings,
    }
}

fn choice(supervisor: &[&str]) -> Choice {
    let r = Installation {
        version: "4.4.1".to_owned(),
        path: "/opt/R/4.4.1/bin/R".to_owned(),
    };
    Choice {
        runtime: "registry.example.com/r:4.4".to_owned(),
        supervisor: supervisor.iter().map(|word| (*word).to_owned()).collect(),
        interpreters: BTreeMap::from([(LanguageName::R, r)]),
        explanation: Vec::new(),
        volume_mounts: Vec::new(),
    }
}

fn space(key: &str) -> PathBuf {
    Path::new(ROOT).join("rspm-workspaces").join(key)
}

fn exposed(key: &str) -> Exposed {
    Exposed {
        source: space(key).join("source"),
        source_is_own: false,
        output: space(key).join("output"),
        temp: space(key).join("tmp"),
    }
}

/// The sandbox of a process, as a machine would make it.
fn sandbox(key: &str, argv: &[&str], hidden: &[PathBuf]) -> SandboxSpec {
    let builder = Builder {
        uid: 999,
        gid: 998,
        name: Some("rstudio-pm".to_owned()),
        home: Some("/home/rstudio-pm".into()),
    };
    let temp = Seen::in_sandbox().temp.display().to_string();
    let environment = view::environment(&builder, POD_PATH, &temp);
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    let mut spec = view::sandbox(&builder, hidden, Some(&exposed(key)), argv, &environment, LIMIT);
    let usual = BuildLimits {
        processes: 1024,
        file_size: 8 << 30,
        ..BuildLimits::default()
    };
    put_on(&mut spec, usual, key, false);
    spec
}

fn pod_of(site: &Site, sandbox: &SandboxSpec, key: &str, choice: &Choice) -> Pod {
    let of = "https://git.example.com/praise.git v1.0 1f0c".to_owned();
    let work = Work::new("https://git.example.com/praise.git", of, &["1f0c"]);
    let step = Step {
        what: "R CMD build",
        sandbox,
        work: &work,
        key,
        log: &space(key).join("log-source"),
        limit: LIMIT,
    };
    site.pod(&step, choice).unwrap()
}

const BUILD: [&str; 5] = [
    "/opt/R/4.4.1/bin/R",
    "CMD",
    "build",
    "--no-manual",
    "/opt/offhost/build/source/a $(b)",
];

/// Proves: GB6 (P), OH4 (P)
#[test]
fn the_pod_of_a_build() {
    for (name, delivery) in [
        ("pod-build", Delivery::ImageVolume),
        ("pod-build-without-image-volumes", Delivery::InitContainer),
    ] {
        let pod = pod_of(&site(delivery), &sandbox("k1", &BUILD, &[]), "k1", &choice(&[]));
        assert_eq!(violations(&pod), [""; 0]);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_yaml_snapshot!(name, pod));
    }
}

/// Proves: GB6 (P)
#[test]
fn the_limits_of_a_build_come_before_those_of_the_settings() {
    let mut own = sandbox("k1", &BUILD, &[]);
    let limits = BuildLimits {
        memory: 512 << 20,
        cpu_millis: 1500,
        ..BuildLimits::default()
    };
    put_on(&mut own, limits, "k1", false);
    let pod = pod_of(&site(Delivery::ImageVolume), &own, "k1", &choice(&[]));
    let resources = pod.spec.unwrap().containers[0].resources.clone().unwrap();
    let of = |list: Option<BTreeMap<String, Quantity>>, name: &str| list.unwrap()[name].0.clone();
    assert_eq!(of(resources.limits.clone(), "memory"), "512Mi");
    assert_eq!(of(resources.limits, "cpu"), "1500m");
    // Kubernetes takes no request above the limit.
    assert_eq!(of(resources.requests, "memory"), "512Mi");
}

/// Proves: GB6 (P), GB4 (B), TD1 (P), SV3 (P), SV3 (B)
#[test]
fn what_a_build_is_and_sees_is_the_same_in_a_pod_as_in_the_sandbox() {
    // On a machine there is something to hide.
    let local = sandbox("k1", &BUILD, &["/etc/rstudio-pm".into(), ROOT.into()]);
    for supervisor in [&[][..], &["/bin/nice", "-n", "5"]] {
        let pod = pod_of(
            &site(Delivery::ImageVolume),
            &sandbox("k1", &BUILD, &[]),
            "k1",
            &choice(supervisor),
        );
        let container = content(&pod);
        let (_, argv) = arguments(container);
        let supervised: Vec<String> = supervisor
            .iter()
            .map(|word| (*word).to_owned())
            .chain(local.argv.clone())
            .collect();
        assert_eq!(argv, supervised);
        let words = (!supervisor.is_empty()).then(|| supervisor.len().to_string());
        assert_eq!(flag(container, "--supervisor-words"), words);
        assert_eq!(environment(container, &BTreeMap::new()), local.env);
        assert_eq!(container.working_dir.as_deref(), local.cwd.to_str());
        let security = spec(&pod).security_context.clone().unwrap();
        assert_eq!(security.run_as_user, Some(local.uid.into()));
        assert_eq!(security.run_as_group, Some(local.gid.into()));
        assert_eq!(security.supplemental_groups, Some(vec![local.gid.into()]));
        assert_eq!(
            flag(container, "--timeout-seconds"),
            Some(LIMIT.as_secs().to_string())
        );
        let file_size = local
            .rlimits
            .iter()
            .find(|limit| limit.resource == RlimitName::Fsize);
        assert_eq!(
            flag(container, "--file-size"),
            file_size.map(|limit| limit.limit.to_string())
        );
        let seen: BTreeMap<PathBuf, bool> = mounts(container)
            .iter()
            .map(|mount| (PathBuf::from(&mount.mount_path), mount.read_only == Some(true)))
            .collect();
        let mut expected: BTreeMap<PathBuf, bool> = local
            .binds
            .iter()
            .map(|bind| (bind.target.clone(), bind.read_only))
            .collect();
        // The helper, and where it writes down what the process says.
        expected.insert("/opt/offhost".into(), true);
        expected.insert("/opt/rstudio-connect/mnt/log".into(), false);
        assert_eq!(seen, expected);
    }
}

/// Proves: GB6 (P), GB4 (B), TD1 (P)
#[test]
fn a_build_sees_three_directories_of_its_own_and_nothing_of_the_builders() {
    let pods = ["k1", "k2"].map(|key| {
        let site = site(Delivery::ImageVolume);
        pod_of(&site, &sandbox(key, &BUILD, &[]), key, &choice(&[]))
    });
    for (pod, (own, other)) in pods.iter().zip([("k1", "k2"), ("k2", "k1")]) {
        let claims: Vec<&str> = mounts(content(pod))
            .iter()
            .filter(|mount| mount.name == "data")
            .map(|mount| mount.sub_path.as_deref().expect("never the whole volume"))
            .collect();
        let path = |name: &str| format!("git-builds/rspm-workspaces/{own}/{name}");
        assert_eq!(claims, [path("output"), path("source"), path("log-source")]);
        // No directory that a build can write has another's below it.
        assert!(claims.iter().all(|claim| claim.split('/').count() == 4));
        let text = serde_json::to_string(pod).unwrap();
        for secret in [other, "/etc/rstudio-pm", "secret\":", "configMap\":", "/home/"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert_eq!(spec(pod).automount_service_account_token, Some(false));
        let kinds: Vec<&str> = spec(pod)
            .volumes
            .iter()
            .flatten()
            .map(|volume| volume.name.as_str())
            .collect();
        assert_eq!(kinds, ["offhost", "data", "tmp", "shm"]);
    }
}

/// Proves: GB6 (P)
#[test]
fn a_pod_goes_with_its_builder_and_ends_without_it() {
    let mut site = site(Delivery::ImageVolume);
    let sandbox = sandbox("k1", &BUILD, &[]);
    let pod = pod_of(&site, &sandbox, "k1", &choice(&[]));
    let owner = &pod.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!(
        (owner.kind.as_str(), owner.name.as_str()),
        ("Pod", "offhost-builder-7d9f-x2x")
    );
    assert_eq!(pod.metadata.finalizers, None);
    assert_eq!(spec(&pod).active_deadline_seconds, Some(45 * 60));
    site.owner = Job::default();
    assert_eq!(
        pod_of(&site, &sandbox, "k1", &choice(&[]))
            .metadata
            .owner_references,
        None
    );
}

/// Proves: SV3 (P)
#[test]
fn a_supervisor_without_a_path_is_refused() {
    let step = |supervisor: &[&str], root: &str| {
        let mut site = site(Delivery::ImageVolume);
        site.root = root.into();
        let work = Work::new("praise", String::new(), &[]);
        let (sandbox, log) = (sandbox("k1", &BUILD, &[]), space("k1").join("log-source"));
        let step = Step {
            what: "R CMD build",
            sandbox: &sandbox,
            work: &work,
            key: "k1",
            log: &log,
            limit: LIMIT,
        };
        site.pod(&step, &choice(supervisor)).unwrap_err().to_string()
    };
    let said = step(&["nice"], ROOT);
    assert!(said.contains("'nice', which is no absolute path"), "{said}");
    let said = step(&[], "/elsewhere");
    assert!(said.contains("Server.DataDir"), "{said}");
}
