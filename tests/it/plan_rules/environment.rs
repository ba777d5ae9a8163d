//! Variables (EN).

use std::path::PathBuf;

use offhost::api::job::EnvVar;
use offhost::plan::EnvValue;
use offhost::sandbox::build;

use super::{everything, task_of, value};
use crate::plan_fixture::{env, notebook, place, report, script, variable};

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

#[test]
fn both_languages_find_each_other() {
    let mut world = report();
    world.task.facts.python = notebook().task.facts.python;
    let process = task_of(&world);
    let python = value(&process, "RETICULATE_PYTHON").unwrap();
    assert!(python.ends_with("/bin/python") && python.starts_with(value(&process, "VIRTUAL_ENV").unwrap()));
}
