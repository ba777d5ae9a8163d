//! What is seen, hidden and written (FS, TD, PW).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use offhost::plan::{Access, HomePlan, ProcessPlan, Source};
use offhost::runtimes::LanguageName;
use offhost::sandbox::build;

use super::{check_invariants, everything, path_of, task_of, value};
use crate::plan_fixture::{World, notebook, package, place, report, script, site};

/// Proves: FS1 (L)
#[test]
fn everything_of_the_server_is_masked() {
    let mut world = script();
    world.settings.sqlite_dir = PathBuf::from("/srv/sqlite");
    world.settings.config_dir = Some(PathBuf::from("/srv/config"));
    world.settings.server.temp_dir = PathBuf::from("/scratch");
    let process = task_of(&world);
    let masked: Vec<(&str, &str, bool)> = process
        .masks
        .iter()
        .map(|mask| (mask.path.to_str().unwrap(), mask.setting.as_str(), mask.required))
        .collect();
    assert_eq!(
        masked,
        [
            ("/etc/rstudio-connect", "the configuration directory", false),
            ("/scratch/connect-workspaces", "Server.TempDir", true),
            ("/srv/config", "the directory of the configuration file", true),
            ("/srv/sqlite", "SQLite.Dir", true),
            ("/var/lib/rstudio-connect", "Server.DataDir", true),
        ]
    );
    assert_eq!(build(&process, &place()).masks.len(), 5);
}

/// Proves: FS6 (L)
#[test]
fn a_mask_that_hides_what_is_needed_names_its_setting() {
    let with = |change: &dyn Fn(&mut World)| {
        let mut world = notebook();
        change(&mut world);
        world.refusal()
    };
    let data_dir = |path: &'static str| {
        with(&move |world: &mut World| world.settings.server.data_dir = PathBuf::from(path))
    };
    for path in [
        "/",
        "/usr",
        "/etc",
        "/opt",
        "/opt/rstudio-connect",
        "/opt/rstudio-connect/mnt",
        "/opt/offhost",
    ] {
        let message = data_dir(path);
        assert!(
            message.contains(&format!("Server.DataDir is {path}, and hiding that")),
            "{message}"
        );
    }
    assert!(data_dir("/opt/python").contains("the interpreter '/opt/python/3.11.2/bin/python3'"));
    assert!(data_dir("data").contains("no absolute path"));
    assert!(data_dir("/data/../etc").contains("no absolute path"));
    let config = with(&|world| world.settings.config_dir = Some(PathBuf::from("/etc")));
    assert!(
        config.contains("the directory of the configuration file is /etc"),
        "{config}"
    );
    let temp = with(&|world| world.settings.server.temp_dir = PathBuf::from("tmp"));
    assert!(temp.contains("Server.TempDir 'tmp'"), "{temp}");
    let hidden_in = |path: &'static str| {
        move |world: &mut World| {
            world.runtimes.runtimes[0]
                .installations
                .get_mut(&LanguageName::Python)
                .unwrap()[0]
                .path = path.to_owned();
        }
    };
    let home = with(&|world| {
        world.settings.applications.home_mounting = true;
        hidden_in("/home/ana/.pyenv/bin/python")(world);
    });
    assert!(home.contains("Applications.HomeMounting is /home"), "{home}");
    let tmp = with(&|world| {
        world.settings.sandbox.mask_tmp = true;
        hidden_in("/var/tmp/python/bin/python")(world);
    });
    assert!(tmp.contains("Sandbox.MaskTmp is /var/tmp"), "{tmp}");
}

/// Proves: SV5 (L)
#[test]
fn a_supervisor_in_a_masked_directory_is_refused() {
    let mut world = script();
    world.settings.applications.supervisor = vec!["/var/lib/rstudio-connect/bin/run".to_owned()];
    assert!(
        world
            .refusal()
            .contains("hide the supervisor '/var/lib/rstudio-connect/bin/run'")
    );
}

/// Proves: FS3 (L, P)
#[test]
fn only_what_a_process_makes_can_be_written() {
    let writable = |process: &ProcessPlan| -> BTreeSet<String> {
        let writable = process
            .mounts
            .iter()
            .filter(|mount| mount.access == Access::ReadWrite);
        writable
            .map(|mount| mount.target.replace("/opt/rstudio-connect/mnt/", ""))
            .collect()
    };
    let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    for world in [report(), report().in_pod()] {
        let plan = world.plan().unwrap();
        assert_eq!(writable(&plan.processes[0]), set(&["R", "log"]));
        assert_eq!(writable(&plan.processes[1]), set(&["app", "log", "report"]));
        assert!(
            !plan.processes[1]
                .mounts
                .iter()
                .any(|mount| mount.target.ends_with("/mnt/R"))
        );
    }
    let plan = notebook().plan().unwrap();
    let environment = path_of(&plan.processes[0].purpose);
    assert_eq!(writable(&plan.processes[0]), set(&["log", environment]));
    assert_eq!(writable(&plan.processes[1]), set(&["app", "log", "report"]));
    assert_eq!(writable(&task_of(&site())), set(&["log", "report"]));
    assert_eq!(writable(&task_of(&script())), set(&["app", "log"]));
}

/// Proves: FS5 (L)
#[test]
fn home_always_names_the_directory() {
    let mut world = script();
    world.accounts.accounts.get_mut("rstudio-connect").unwrap().home = None;
    let process = task_of(&world);
    assert_eq!(value(&process, "HOME"), value(&process, "TMPDIR"));
    world.settings.applications.home_mounting = true;
    let process = task_of(&world);
    assert_eq!(
        (&process.home, value(&process, "HOME")),
        (&HomePlan::Empty, Some("/home"))
    );
    let spec = build(&process, &place());
    let covered = spec
        .binds
        .iter()
        .find(|bind| bind.target == Path::new("/home"))
        .unwrap();
    assert_eq!(covered.source, None);
    // Nothing of the server's homes reaches a Pod.
    let mut pod = script().in_pod();
    pod.settings.applications.home_mounting = true;
    assert_eq!(task_of(&pod).home, HomePlan::Empty);
}

/// Proves: FS1 (L)
#[test]
fn a_home_never_shows_what_is_masked() {
    let mut world = script();
    world.settings.applications.home_mounting = true;
    world.settings.server.data_dir = PathBuf::from("/home/rstudio-connect/data");
    world.settings.sqlite_dir = PathBuf::from("/home/rstudio-connect/data/db");
    let spec = build(&task_of(&world), &place());
    let hidden = spec
        .binds
        .iter()
        .position(|bind| bind.target == Path::new("/home/data"))
        .unwrap();
    let home = spec
        .binds
        .iter()
        .position(|bind| bind.target == Path::new("/home"))
        .unwrap();
    assert!(home < hidden && spec.binds[hidden].source.is_none() && spec.binds[hidden].read_only);
    for inside in ["/home/rstudio-connect", "/home"] {
        world.settings.server.data_dir = PathBuf::from(inside);
        world.settings.sqlite_dir = PathBuf::from(inside);
        let plan = world.plan().unwrap();
        assert_eq!(plan.processes[0].home, HomePlan::Empty);
        assert!(
            plan.notes
                .iter()
                .any(|note| note.contains("lies in Server.DataDir")),
            "{:?}",
            plan.notes
        );
    }
}

/// Proves: TD1 (L, P)
#[test]
fn each_process_has_a_temporary_directory_of_its_own() {
    let mut world = notebook();
    world.task.facts.r = report().task.facts.r;
    let plan = world.plan().unwrap();
    let paths: BTreeSet<&Path> = plan
        .processes
        .iter()
        .map(|process| process.tmp.path.as_path())
        .collect();
    assert_eq!(paths.len(), 3);
    for process in &plan.processes {
        let spec = build(process, &place());
        let shown = spec
            .binds
            .iter()
            .find(|bind| Some(bind.target.to_str().unwrap()) == value(process, "TMPDIR"))
            .unwrap();
        assert_eq!(
            (shown.source.as_deref(), shown.read_only),
            (Some(process.tmp.path.as_path()), false)
        );
    }
}

/// Proves: TD2 (L)
#[test]
fn temporary_directories_lie_below_connect_workspaces() {
    let mut world = script();
    world.settings.server.temp_dir = PathBuf::from("/scratch");
    assert_eq!(
        task_of(&world).tmp.path,
        Path::new("/scratch/connect-workspaces/job1")
    );
}

/// Proves: FS4 (L, P)
#[test]
fn names_can_not_lead_elsewhere() {
    for bad in [
        "..",
        ".",
        "",
        "a/b",
        "/a",
        ".staging",
        "a\0",
        "a b",
        &"x".repeat(129),
    ] {
        let changes: [fn(&mut World, String); 5] = [
            |world, name| world.task.content = name,
            |world, name| world.task.bundle = name,
            |world, name| world.task.job_key = name,
            |world, name| world.task.rendering = name,
            |world, name| world.task.spec.variant = Some(name),
        ];
        for change in changes {
            let mut world = report();
            change(&mut world, bad.to_owned());
            assert!(world.refusal().contains("can not be part of a path"), "{bad:?}");
        }
    }
    let mut world = notebook();
    let python = world.runtimes.runtimes[0]
        .installations
        .get_mut(&LanguageName::Python)
        .unwrap();
    python[0].version = "../3".to_owned();
    assert!(world.plan().is_err());
    let mut world = report();
    world
        .task
        .facts
        .r
        .as_mut()
        .unwrap()
        .packages
        .push(package("../x", "1", &[]));
    assert!(world.refusal().contains("'../x 1'"));
}

/// Proves: PW3 (L, P)
#[test]
fn nothing_covers_the_mount_directory() {
    for world in everything() {
        check_invariants(&world.plan().unwrap());
    }
}

/// Proves: PW1 (L, P)
#[test]
fn paths_are_those_of_the_products() {
    let plan = report().plan().unwrap();
    for mount in &plan.processes[1].mounts {
        let Source::Data(path) = &mount.source else {
            continue;
        };
        let expected = match path.as_str() {
            "reports/v2/sales/7/temp.render.job1" => "app",
            "reports/v2/sales/default/12" => "report",
            "jobs/sales/job1/log" => "log",
            same => same,
        };
        assert_eq!(mount.target, format!("/opt/rstudio-connect/mnt/{expected}"));
    }
}
