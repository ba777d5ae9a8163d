//! Rules of the plan, one at a time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use offhost::api::job::{Activation, EnvVar, Parameter, TaskKind};
use offhost::content::{AppMode, LanguageFacts, PythonFormat};
use offhost::plan::{Access, EnvValue, HomePlan, Output, Plan, ProcessPlan, Purpose, Source};
use offhost::reason::Reason;
use offhost::runtimes::LanguageName;
use offhost::sandbox::build;
use offhost::settings::PackageManager;

use crate::plan_fixture::{
    World, account, env, facts, notebook, package, place, quarto_document, quarto_site, report, repository,
    script, site, variable,
};

fn task_of(world: &World) -> ProcessPlan {
    world.plan().unwrap().processes.pop().unwrap()
}

fn value<'a>(process: &'a ProcessPlan, name: &str) -> Option<&'a str> {
    match process.env.get(name)? {
        EnvValue::Value(value) => Some(value),
        other => panic!("{name} is {other:?}"),
    }
}

fn path_of(purpose: &Purpose) -> &str {
    match purpose {
        Purpose::Install(key) => &key.path,
        Purpose::Task(_) => panic!("{purpose:?} installs nothing"),
    }
}

fn install_path(world: &World) -> String {
    path_of(&world.plan().unwrap().processes[0].purpose).to_owned()
}

/// Proves: RA1 (L, P)
#[test]
fn root_never_runs_content_by_any_spelling() {
    for (name, expected) in [
        ("root", "by name"),
        ("0", "user id 0"),
        ("00", "user id 0"),
        ("0000000000", "user id 0"),
        ("toor", "user id 0"),
        ("wheel", "primary group id 0"),
        ("sneaky", "group id 0 among its groups"),
        ("-1", "names no account"),
        ("+0", "names no account"),
        (" 0", "names no account"),
        ("0\n", "names no account"),
        ("4294967295", "names no account"),
        ("4294967296", "names no account"),
        ("", "names no account"),
        ("0x0", "not known"),
        ("nobody-here", "not known"),
    ] {
        for own in [false, true] {
            for mut world in [script(), script().in_pod()] {
                if own {
                    world.task.spec.run_as = Some(name.to_owned());
                } else {
                    world.settings.applications.run_as = name.to_owned();
                }
                let error = world.plan().unwrap_err();
                assert!(error.to_string().contains(expected), "{name:?}: {error}");
                assert_eq!(error.reason(), Reason::AccountRefused);
                let setting = if own { "spec.runAs" } else { "Applications.RunAs" };
                assert!(error.to_string().contains(setting), "{error}");
            }
        }
    }
}

/// Proves: RA2 (L, P)
#[test]
fn another_account_runs_the_content_and_the_plan_says_so() {
    for name in ["hadley", "1001"] {
        let mut world = script();
        world.task.spec.run_as = Some(name.to_owned());
        let plan = world.plan().unwrap();
        assert_eq!(plan.processes[0].identity.uid, 1001);
        assert_eq!(value(&plan.processes[0], "USER"), Some("hadley"));
        assert!(
            plan.notes
                .iter()
                .any(|note| note.contains("only an administrator")),
            "{:?}",
            plan.notes
        );
    }
}

/// Proves: RA3 (L, P)
#[test]
fn other_accounts_must_be_in_the_shared_group() {
    let mut world = script();
    world.task.spec.run_as = Some("outsider".to_owned());
    assert!(
        world
            .refusal()
            .contains("'outsider' is not a member of group 998, the primary group of Applications.RunAs")
    );
    // With a group of the settings, membership of the primary group of RunAs is not enough, and the group counts
    // where it is the account's primary one.
    world.settings.applications.shared_run_as_unix_group = Some("data-scientists".to_owned());
    assert_eq!(task_of(&world).identity.uid, 1002);
    world.task.spec.run_as = Some("svc".to_owned());
    assert!(
        world
            .refusal()
            .contains("Applications.SharedRunAsUnixGroup 'data-scientists'")
    );
    world.settings.applications.shared_run_as_unix_group = Some("gone".to_owned());
    assert!(world.refusal().contains("'gone' is not known"));
    // The default account needs no membership, also where the content names it.
    world.task.spec.run_as = Some("rstudio-connect".to_owned());
    assert_eq!(task_of(&world).identity.uid, 999);
}

/// Proves: RA4 (L, P)
#[test]
fn packages_are_installed_as_the_default_account() {
    for mut world in [notebook(), report(), notebook().in_pod()] {
        world.task.spec.run_as = Some("hadley".to_owned());
        let plan = world.plan().unwrap();
        assert_eq!(
            plan.processes
                .iter()
                .map(|process| process.identity.uid)
                .collect::<Vec<_>>(),
            [999, 1001]
        );
    }
}

/// Proves: RA6 (L, P)
#[test]
fn the_primary_group_is_always_among_the_groups() {
    let mut world = script();
    world.accounts.accounts.insert(
        "rstudio-connect".to_owned(),
        account("rstudio-connect", 999, 998, &[50, 7], None),
    );
    assert_eq!(task_of(&world).identity.groups, [7, 50, 998]);
    assert_eq!(build(&task_of(&world), &place()).groups, [7, 50, 998]);
}

/// Proves: SB9 (L)
#[test]
fn an_ordinary_user_runs_content_as_themselves_only() {
    let mut world = script();
    world.accounts.ordinary_user = Some(account("ana", 1500, 1500, &[1500], Some("/home/ana")));
    let plan = world.plan().unwrap();
    assert_eq!(plan.processes[0].identity.user, "ana");
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("only root can change accounts")),
        "{:?}",
        plan.notes
    );
    world.task.spec.run_as = Some("hadley".to_owned());
    assert!(world.refusal().contains("is another account than yours ('ana')"));
    world.task.spec.run_as = None;
    world.accounts.ordinary_user = Some(account("ana", 1500, 0, &[0], None));
    assert!(world.refusal().contains("primary group id 0"));
}

/// Proves: RA5 (P)
#[test]
fn a_pod_gets_the_ids_known_here() {
    let world = script().in_pod();
    let process = task_of(&world);
    assert_eq!((process.identity.uid, process.identity.gid), (999, 998));
    for (name, expected) in [
        ("USER", "rstudio-connect"),
        ("LOGNAME", "rstudio-connect"),
        ("HOME", "/home/rstudio-connect"),
    ] {
        assert_eq!(value(&process, name), Some(expected));
    }
}

/// Proves: EN1 (L, P)
#[test]
fn five_variables_are_always_set() {
    for world in everything() {
        for process in world.plan().unwrap().processes {
            let user = process.identity.user.as_str();
            for name in ["USER", "USERNAME", "LOGNAME"] {
                assert_eq!(value(&process, name), Some(user));
            }
            assert_eq!(value(&process, "TMPDIR"), Some(process.tmp.target.as_str()));
            assert!(value(&process, "HOME").is_some_and(|home| home.starts_with('/')));
        }
    }
}

/// Proves: EN2 (L)
#[test]
fn the_servers_environment_is_inherited_but_for_what_is_its_own() {
    let mut world = notebook();
    world.task.server_env.extend(env(&[
        ("COMPANY", "example"),
        ("CONNECT_POSTGRES_PASSWORD", "x"),
        ("CONNECT_SERVER", "https://c.example/"),
        ("PACKAGEMANAGER_ENCRYPTION_KEY", "x"),
        ("LD_PRELOAD", "x"),
        ("SSH_AUTH_SOCK", "x"),
        ("NOTIFY_SOCKET", "x"),
        ("SUDO_USER", "x"),
        ("PWD", "/root"),
        ("R_LIBS", "x"),
    ]));
    for process in world.plan().unwrap().processes {
        assert_eq!(value(&process, "COMPANY"), Some("example"));
        assert_eq!(value(&process, "CONNECT_SERVER"), Some("https://c.example/"));
        let leaked = process.env.iter().filter(|(name, value)| {
            **value == EnvValue::Value("x".to_owned())
                || name.starts_with("OFFHOST_")
                || *value == &EnvValue::Value("/root".to_owned())
        });
        assert_eq!(leaked.count(), 0);
    }
    world.settings.applications.inherit_system_env_vars = false;
    let process = task_of(&world);
    assert_eq!(value(&process, "COMPANY"), None);
    assert!(
        value(&process, "PATH")
            .unwrap()
            .ends_with(":/usr/local/bin:/usr/bin:/bin"),
        "PATH always is"
    );
}

/// Proves: EN3 (P)
#[test]
fn a_pod_inherits_nothing() {
    let mut world = script().in_pod();
    world.task.server_env = env(&[("COMPANY", "example"), ("PATH", "/server/bin")]);
    let process = task_of(&world);
    assert_eq!(value(&process, "COMPANY"), None);
    assert!(!value(&process, "PATH").unwrap().contains("/server"));
}

/// Proves: EN4 (L, P)
#[test]
fn content_sets_variables_but_not_every_one() {
    let mut world = script();
    world.settings.applications.prohibited_environment = vec!["R_CONFIG_ACTIVE".to_owned()];
    for (name, expected) in [
        ("R_CONFIG_ACTIVE", "Applications.ProhibitedEnvironment names it"),
        ("HOME", "the server sets it"),
        ("TMPDIR", "the server sets it"),
        ("USER", "the server sets it"),
        ("LOGNAME", "the server sets it"),
        ("USERNAME", "the server sets it"),
        ("CONNECT_CONTENT_GUID", "the server sets it"),
        ("OFFHOST_X", "settings of the server"),
        ("1A", "has a name"),
        ("A=B", "has a name"),
        ("", "has a name"),
        ("A B", "has a name"),
    ] {
        world.task.spec.env = vec![variable(name, "x")];
        assert!(world.refusal().contains(expected), "{}", world.refusal());
    }
    world.task.spec.env = vec![variable("A", "1"), variable("A", "2")];
    assert!(world.refusal().contains("given twice"));
    world.task.spec.env = vec![variable("A", "a\0b")];
    assert!(world.refusal().contains("NUL"));
    world.task.spec.env = vec![EnvVar {
        name: "A".to_owned(),
        value: None,
        value_from: None,
    }];
    assert!(world.refusal().contains("neither"));
}

/// Proves: EN4 (L, P)
#[test]
fn a_secret_is_a_reference_until_the_process_starts() {
    let mut world = report();
    let plan = world.plan().unwrap();
    assert!(!serde_json::to_string(&plan).unwrap().contains("resolved"));
    assert!(matches!(
        plan.processes[1].env["TOKEN"],
        EnvValue::SecretKeyRef(_)
    ));
    assert!(
        !plan.processes[0].env.contains_key("TOKEN"),
        "an installation is shared: it sees none of them"
    );
    let spec = build(&plan.processes[1], &place());
    assert!(spec.env.contains(&"TOKEN=resolved".to_owned()));
    assert!(!spec.argv.join(" ").contains("resolved"));
    world.task.spec.env.clear();
    assert!(!build(&task_of(&world), &place()).env.join(" ").contains("TOKEN"));
}

/// Proves: EN5 (L, P)
#[test]
fn the_active_configuration_is_named_for_content_and_not_for_installs() {
    let mut world = report();
    world
        .task
        .server_env
        .insert("R_CONFIG_ACTIVE".to_owned(), "server".to_owned());
    let plan = world.plan().unwrap();
    assert_eq!(value(&plan.processes[0], "R_CONFIG_ACTIVE"), None);
    assert_eq!(value(&plan.processes[1], "R_CONFIG_ACTIVE"), Some("rsconnect"));
    world.settings.r_config_active = "production".to_owned();
    assert_eq!(value(&task_of(&world), "R_CONFIG_ACTIVE"), Some("production"));
    world.task.spec.env = vec![variable("R_CONFIG_ACTIVE", "mine")];
    assert_eq!(value(&task_of(&world), "R_CONFIG_ACTIVE"), Some("mine"));
    assert_eq!(
        value(&task_of(&script()), "R_CONFIG_ACTIVE"),
        None,
        "only where R runs"
    );
}

/// Proves: EN6 (L, P)
#[test]
fn pandoc_follows_the_version_of_rmarkdown() {
    let mut world = report();
    let applications = &mut world.settings.applications;
    applications.pandoc1_dir = Some(PathBuf::from("/p1"));
    applications.pandoc2_dir = Some(PathBuf::from("/p2"));
    applications.pandoc211_dir = Some(PathBuf::from("/p211"));
    for (version, expected) in [
        ("0.9.5", "/p1"),
        ("1.8", "/p1"),
        ("1.8.10", "/p1"),
        ("1.9", "/p2"),
        ("1.10", "/p2"),
        ("1.18", "/p2"),
        ("2.4", "/p2"),
        ("2.5", "/p211"),
        ("2.10", "/p211"),
        ("2.20", "/p211"),
    ] {
        world.task.facts.r.as_mut().unwrap().packages[1].version = version.to_owned();
        assert_eq!(
            value(&task_of(&world), "RSTUDIO_PANDOC"),
            Some(expected),
            "{version}"
        );
    }
    assert_eq!(value(&world.plan().unwrap().processes[0], "RSTUDIO_PANDOC"), None);
    world
        .task
        .server_env
        .insert("RSTUDIO_PANDOC".to_owned(), "/server".to_owned());
    assert_eq!(value(&task_of(&world), "RSTUDIO_PANDOC"), Some("/server"));
    world.task.spec.env = vec![variable("RSTUDIO_PANDOC", "/mine")];
    assert_eq!(value(&task_of(&world), "RSTUDIO_PANDOC"), Some("/mine"));
}

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

/// Proves: SV1 (L)
#[test]
fn the_supervisor_comes_first_and_is_an_absolute_path() {
    let mut world = script();
    world.settings.applications.supervisor = ["/usr/bin/nice", "-n", "2"].map(str::to_owned).to_vec();
    let process = task_of(&world);
    assert_eq!(
        process.command,
        ["/usr/bin/nice", "-n", "2", "./nightly.sh", "--all"]
    );
    assert_eq!(process.supervisor_words, 3);
    world.settings.applications.supervisor = vec!["nice".to_owned()];
    let error = world.plan().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Applications.Supervisor 'nice' is no absolute path")
    );
    assert_eq!(error.reason(), Reason::SupervisorRefused);
}

/// Proves: SV3 (L, P)
#[test]
fn the_supervisor_runs_installs_too() {
    let mut local = notebook();
    local.settings.applications.supervisor = vec!["/usr/local/bin/supervise".to_owned()];
    for (world, first) in [
        (local, "/usr/local/bin/supervise"),
        (notebook().in_pod(), "/opt/image/supervise"),
    ] {
        for process in world.plan().unwrap().processes {
            assert_eq!(
                (process.command[0].as_str(), process.supervisor_words),
                (first, 1)
            );
        }
    }
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

/// Proves: RD1 (L, P)
#[test]
fn a_render_works_on_a_copy_of_its_own() {
    for world in [report(), report().in_pod(), notebook(), quarto_document()] {
        let process = task_of(&world);
        let copy = "reports/v2/sales/7/temp.render.job1";
        assert_eq!(process.working_dir, "/opt/rstudio-connect/mnt/app");
        assert!(matches!(&process.output, Output::Result { source_copy: Some(path), .. } if path == copy));
        assert!(
            process
                .mounts
                .iter()
                .any(|mount| mount.source == Source::Data(copy.to_owned()))
        );
        assert!(
            !process
                .mounts
                .iter()
                .any(|mount| mount.source == Source::Data("apps/sales/7".to_owned()))
        );
    }
}

/// Proves: RD2 (L, P)
#[test]
fn each_result_has_a_directory_of_its_own() {
    let mut world = report();
    world.task.spec.variant = Some("q1".to_owned());
    world.task.spec.activation = Activation::Manual;
    let process = task_of(&world);
    let Output::Result {
        directory, activate, ..
    } = &process.output
    else {
        panic!("{:?}", process.output)
    };
    assert_eq!((directory.as_str(), *activate), ("reports/v2/sales/q1/12", false));
}

/// Proves: ST1 (L, P)
#[test]
fn a_site_sees_only_its_output_directory() {
    for world in [site(), site().in_pod(), quarto_site()] {
        let process = task_of(&world);
        assert_eq!(process.working_dir, "/opt/rstudio-connect/mnt/report");
        assert!(!process.mounts.iter().any(|mount| mount.target.ends_with("/app")));
        assert!(matches!(
            &process.output,
            Output::Result {
                source_copy: None,
                ..
            }
        ));
    }
}

/// Proves: ST2 (L, P)
#[test]
fn a_sites_output_directory_is_the_configured_one() {
    let output = |configured: Option<&str>| {
        let mut world = site();
        world.task.facts.site_output_dir = configured.map(str::to_owned);
        match task_of(&world).output {
            Output::Result { site_output_dir, .. } => site_output_dir,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(output(Some("docs")).as_deref(), Some("docs"));
    assert_eq!(output(None).as_deref(), Some("_site"));
}

/// Proves: ST3 (L, P)
#[test]
fn a_site_in_its_own_directory_is_left_as_it_is() {
    let mut world = site();
    world.task.facts.site_output_dir = Some(".".to_owned());
    assert!(matches!(
        task_of(&world).output,
        Output::Result {
            site_output_dir: None,
            ..
        }
    ));
}

/// Proves: PK2 (L, P)
#[test]
fn the_same_requirements_on_the_same_interpreter_share_an_environment() {
    let first = install_path(&notebook());
    assert_eq!(first.rsplit('/').next().unwrap().len(), 22);
    let mut other = notebook();
    other.task.content = "elsewhere".to_owned();
    other.task.bundle = "3".to_owned();
    other.task.job_key = "job2".to_owned();
    assert_eq!(install_path(&other), first);
    let differs = |change: &dyn Fn(&mut World)| {
        let mut world = notebook();
        change(&mut world);
        assert_ne!(install_path(&world), first);
    };
    differs(&|world| {
        world
            .task
            .facts
            .python
            .as_mut()
            .unwrap()
            .lines
            .push("x==1".to_owned())
    });
    differs(&|world| world.task.facts.python.as_mut().unwrap().lines.swap(0, 1));
    differs(&|world| world.task.facts.python.as_mut().unwrap().format = PythonFormat::Pyproject);
    differs(&|world| {
        let python = world.runtimes.runtimes[0]
            .installations
            .get_mut(&LanguageName::Python)
            .unwrap();
        python[0].path = "/usr/bin/python3".to_owned();
    });
    differs(&|world| {
        world.settings.python_package_manager = PackageManager::Uv;
        world.task.uv = Some(PathBuf::from("/usr/bin/uv"));
    });
    assert_ne!(install_path(&notebook().in_pod()), first, "another image");
}

/// Proves: PK2 (L, P)
#[test]
fn requirements_that_name_the_bundles_files_are_not_shared() {
    let key = |content: &str| {
        let mut world = notebook();
        world
            .task
            .facts
            .python
            .as_mut()
            .unwrap()
            .lines
            .push("./helpers".to_owned());
        world.task.content = content.to_owned();
        install_path(&world)
    };
    assert_ne!(key("a"), key("b"));
    assert_eq!(key("a"), key("a"));
}

/// Proves: PK2 (L)
#[test]
fn uv_is_used_when_asked_for_allowed_and_present() {
    let manager = |setting, allowed, uv: Option<&str>| {
        let mut world = notebook();
        world.settings.python_package_manager = setting;
        world.task.facts.python.as_mut().unwrap().allow_uv = allowed;
        world.task.uv = uv.map(PathBuf::from);
        let plan = world.plan().unwrap();
        let command = plan.processes[0].command.join(" ");
        (command.split("--manager ").nth(1).unwrap().to_owned(), plan.notes)
    };
    assert_eq!(
        manager(PackageManager::Uv, true, Some("/usr/bin/uv")).0,
        "uv --uv /usr/bin/uv"
    );
    assert_eq!(manager(PackageManager::Uv, false, Some("/usr/bin/uv")).0, "pip");
    assert_eq!(manager(PackageManager::Pip, true, Some("/usr/bin/uv")).0, "pip");
    let (missing, notes) = manager(PackageManager::Uv, true, None);
    assert_eq!(
        (missing.as_str(), notes),
        (
            "pip",
            vec!["pip installs the Python packages: uv was not found".to_owned()]
        )
    );
}

/// Proves: PK1 (L, P)
#[test]
fn r_packages_are_listed_with_what_the_cache_has() {
    let mut world = report();
    let dcf = |world: &World| world.plan().unwrap().processes[0].inputs[0].text.clone();
    let text = dcf(&world);
    let record = text
        .split("\n\n")
        .find(|record| record.starts_with("Package: xfun"))
        .unwrap();
    assert!(record.ends_with("Cached: no"));
    let hash = record
        .lines()
        .find_map(|line| line.strip_prefix("Hash: "))
        .unwrap();
    world
        .task
        .r_cache
        .insert(format!("packrat/4.2.2/v2/library/xfun/{hash}"));
    assert!(dcf(&world).contains(&format!("Hash: {hash}\nRequires: \nCached: yes")));
    world.settings.packages_external = vec!["xfun".to_owned()];
    assert!(!dcf(&world).contains("Package: xfun"));
    assert!(world.plan().unwrap().notes[0].contains("Packages.External names them: xfun"));
}

/// Proves: PK1 (L, P)
#[test]
fn the_settings_repositories_come_first() {
    let mut world = report();
    world.settings.r_repositories = vec![
        repository("CRAN", "https://a.example/"),
        repository("In", "file:///srv/r"),
    ];
    world.task.facts.r.as_mut().unwrap().repositories = vec![
        repository("CRAN", "https://b.example"),
        repository("X", "https://a.example"),
    ];
    let text = &world.plan().unwrap().processes[0].inputs[0].text;
    assert!(
        text.contains(
            "Repositories: CRAN=https://a.example/\n In=file:///srv/r\n CRAN.1=https://b.example\n\n"
        ),
        "{text}"
    );
    world.settings.r_repositories.clear();
    world.task.facts.r.as_mut().unwrap().repositories.clear();
    assert!(
        world
            .refusal()
            .contains("needs 3 R packages, but no repository is named")
    );
}

#[test]
fn a_lock_file_can_not_smuggle_fields_into_the_list() {
    let mut world = report();
    world.task.facts.r.as_mut().unwrap().packages[0].source = "CRAN\nCached: yes".to_owned();
    world.task.facts.r.as_mut().unwrap().repositories[0].url = "u\n\nPackage: evil".to_owned();
    let text = &world.plan().unwrap().processes[0].inputs[0].text;
    assert!(
        !text.contains("\nCached: yes") && !text.contains("\nPackage: evil"),
        "{text}"
    );
}

#[test]
fn nothing_is_installed_twice_or_against_the_manifests_will() {
    let mut world = notebook();
    let Purpose::Install(key) = world.plan().unwrap().processes[0].purpose.clone() else {
        panic!()
    };
    world.task.installed = vec![key];
    assert_eq!(world.plan().unwrap().processes.len(), 1);
    world.task.spec.task = Some(TaskKind::Install);
    let plan = world.plan().unwrap();
    assert!(plan.processes.is_empty() && plan.notes[0].contains("installed already"));
    let mut world = notebook();
    let python = LanguageFacts {
        manage_packages: Some(false),
        ..LanguageFacts::default()
    };
    world.task.facts.languages.insert(LanguageName::Python, python);
    let plan = world.plan().unwrap();
    assert_eq!(plan.processes.len(), 1);
    assert_eq!(plan.processes[0].command[0], "/opt/python/3.11.2/bin/python3");
    assert!(plan.notes[0].contains("the manifest says so"));
}

/// Proves: PK9 (L, P)
#[test]
fn the_job_overrides_the_manifest() {
    let mut world = notebook();
    world.task.spec.app_mode = Some("rmd-static".to_owned());
    world.task.spec.entrypoint = Some("docs/other.Rmd".to_owned());
    let command = task_of(&world).command;
    assert!(
        command
            .windows(2)
            .any(|pair| pair == ["--input", "docs/other.Rmd"]),
        "{command:?}"
    );
    world.task.spec.app_mode = Some("rmd-statik".to_owned());
    assert!(world.refusal().contains("did you mean 'rmd-static'?"));
}

#[test]
fn entry_points_stay_in_the_bundle() {
    for bad in ["/etc/passwd", "../x.Rmd", "a/../../x", "-e", "", "a\nb"] {
        let mut world = report();
        world.task.spec.entrypoint = Some(bad.to_owned());
        assert!(world.refusal().contains("relative to the bundle"), "{bad}");
    }
    let mut world = report();
    world.task.facts.entrypoint = None;
    assert!(world.refusal().contains("set spec.entrypoint"));
}

#[test]
fn tasks_that_do_not_fit_the_content_say_what_does() {
    let refusal = |app_mode, task, command: &[&str]| {
        let mut world = World::of(facts(app_mode, "app.R"));
        world.task.spec.task = task;
        world.task.spec.command = command.iter().map(|word| (*word).to_owned()).collect();
        world.refusal()
    };
    assert!(
        refusal(AppMode::Shiny, None, &[])
            .contains("'shiny' can not be used for the task Render; it is interactive")
    );
    assert!(refusal(AppMode::Static, None, &[]).contains("served as it is"));
    assert!(refusal(AppMode::Script, None, &[]).contains("has no command"));
    assert!(refusal(AppMode::JupyterStatic, Some(TaskKind::RenderSite), &[]).contains("can be a site"));
    assert!(refusal(AppMode::RmdStatic, Some(TaskKind::Render), &["ls"]).contains("runs none"));
    assert!(refusal(AppMode::Script, None, &[""]).contains("word 0 of spec.command is empty"));
    assert!(refusal(AppMode::Script, None, &["a", "b\0"]).contains("word 1 of spec.command has a NUL"));
}

/// Proves: PK3 (L, P)
#[test]
fn parameters_are_those_of_the_report() {
    let mut world = report();
    world.task.spec.parameters.push(Parameter {
        name: "yaer".to_owned(),
        value: "1".to_owned(),
    });
    assert!(world.refusal().contains("'yaer'"));
    let mut world = site();
    world.task.spec.parameters = vec![Parameter {
        name: "year".to_owned(),
        value: "1".to_owned(),
    }];
    assert!(world.refusal().contains("the task RenderSite takes none"));
    let mut world = report();
    world.task.spec.parameters.clear();
    let process = task_of(&world);
    assert!(process.inputs.is_empty() && !process.command.contains(&"--params".to_owned()));
    assert!(!process.mounts.iter().any(|mount| mount.source == Source::Inputs));
}

/// Proves: PK3 (L, P)
#[test]
fn quartos_command_lines_are_those_of_its_render_command() {
    let command = |world: &World| task_of(world).command.join(" ");
    let quarto = "/opt/quarto/1.4.553/bin/quarto render";
    let app = "/opt/rstudio-connect/mnt/app";
    let mut world = quarto_document();
    assert_eq!(
        command(&world),
        format!(
            "{quarto} report.qmd --execute-dir {app} --output-dir ../report --no-clean --execute-params /opt/offhost/inputs/params.json"
        )
    );
    world.task.spec.parameters.clear();
    world.task.spec.entrypoint = Some("docs/a.qmd".to_owned());
    assert_eq!(
        command(&world),
        format!("{quarto} docs/a.qmd --execute-dir {app} --output-dir ../../report --no-clean")
    );
    assert_eq!(command(&quarto_site()), format!("{quarto} ."));
    let site = task_of(&quarto_site());
    assert_eq!(value(&site, "QUARTO_R"), Some("/usr/bin/R"));
    assert_eq!(value(&site, "QUARTO_PYTHON"), None);
}

#[test]
fn r_before_4_has_its_own_name_for_quiet() {
    let mut world = site();
    let r = world.runtimes.runtimes[0]
        .installations
        .get_mut(&LanguageName::R)
        .unwrap();
    r[0].version = "3.6.3".to_owned();
    assert_eq!(task_of(&world).command[1], "--slave");
}

#[test]
fn both_languages_find_each_other() {
    let mut world = report();
    world.task.facts.python = notebook().task.facts.python;
    let process = task_of(&world);
    let python = value(&process, "RETICULATE_PYTHON").unwrap();
    assert!(python.ends_with("/bin/python") && python.starts_with(value(&process, "VIRTUAL_ENV").unwrap()));
}

#[test]
fn limits_are_the_lower_of_job_and_settings() {
    let mut world = report();
    world.settings.sandbox.memory_limit = 256 << 20;
    world.settings.sandbox.cpu_limit_millis = 4000;
    world.settings.sandbox.process_limit = 100;
    world.settings.sandbox.open_files_limit = 512;
    let plan = world.plan().unwrap();
    let limits = &plan.processes[1].limits;
    assert_eq!(
        (limits.memory_bytes, limits.cpu_millis, limits.pids),
        (Some(256 << 20), Some(1500), Some(100))
    );
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("memory is lowered to Sandbox.MemoryLimit")),
        "{:?}",
        plan.notes
    );
    assert_eq!(
        plan.processes[0].limits.cpu_millis,
        Some(4000),
        "an installation has the settings' limits"
    );
    assert_eq!(plan.processes[0].timeout_seconds, None);
    for (list, name, text, expected) in [
        (
            "limits",
            "memory",
            "512mb",
            "spec.resources.limits.memory: '512mb' is no quantity",
        ),
        ("limits", "memroy", "1", "did you mean 'memory'?"),
        ("requests", "cpu", "-1", "is not above zero"),
        ("requests", "memory", "1Gi", "asks for more memory than its limit"),
    ] {
        let mut world = report();
        let resources = &mut world.task.spec.resources;
        let chosen = if list == "limits" {
            &mut resources.limits
        } else {
            &mut resources.requests
        };
        chosen.insert(name.to_owned(), text.to_owned());
        assert!(world.refusal().contains(expected), "{}", world.refusal());
    }
    for seconds in [0, -1, i64::MAX, i64::MIN] {
        let mut world = report();
        world.task.spec.timeout_seconds = Some(seconds);
        assert!(world.refusal().contains("spec.timeoutSeconds is"));
    }
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
    assert!(world.refusal().contains("interpreter version '../3'"));
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

/// Every kind of content in both modes.
pub(crate) fn everything() -> Vec<World> {
    let local = || {
        [
            notebook(),
            report(),
            site(),
            quarto_document(),
            quarto_site(),
            script(),
        ]
    };
    local().into_iter().chain(local().map(World::in_pod)).collect()
}

/// What holds for every plan, whatever it is for.
pub(crate) fn check_invariants(plan: &Plan) {
    for process in &plan.processes {
        assert!(
            process.identity.uid != 0 && process.identity.gid != 0 && !process.identity.groups.contains(&0)
        );
        assert!(process.identity.groups.contains(&process.identity.gid));
        assert!(!process.command.is_empty() && process.supervisor_words < process.command.len());
        let targets: Vec<&Path> = process
            .mounts
            .iter()
            .map(|mount| Path::new(&mount.target))
            .collect();
        for (index, target) in targets.iter().enumerate() {
            assert!(
                !Path::new("/opt/rstudio-connect/mnt").starts_with(target),
                "PW3: {target:?}"
            );
            assert!(
                targets[index + 1..]
                    .iter()
                    .all(|later| !target.starts_with(later)),
                "{targets:?}"
            );
        }
        for mount in &process.mounts {
            if let Source::Data(path) = &mount.source {
                assert!(
                    Path::new(path).is_relative()
                        && !path.split('/').any(|part| part == ".." || part.is_empty())
                );
            }
        }
        let writable = process
            .mounts
            .iter()
            .filter(|mount| mount.access == Access::ReadWrite);
        for mount in writable {
            let inside = |other: &offhost::plan::Mount| match (&other.source, &mount.source) {
                (Source::Data(other), Source::Data(own)) => other != own && Path::new(other).starts_with(own),
                _ => false,
            };
            assert!(
                !process.mounts.iter().any(inside),
                "a writable parent of another mount: {mount:?}"
            );
        }
        let spec = build(process, &place());
        for (index, bind) in spec.binds.iter().enumerate() {
            assert!(
                spec.binds[index + 1..]
                    .iter()
                    .all(|later| !bind.target.starts_with(&later.target))
            );
        }
        for mask in &spec.masks {
            assert!(!Path::new("/opt/rstudio-connect/mnt").starts_with(&mask.path));
            assert!(!Path::new("/usr/bin/R").starts_with(&mask.path));
        }
        assert!(spec.env.iter().all(|entry| !entry.contains('\0')));
    }
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
