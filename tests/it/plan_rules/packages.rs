//! Installations and their caches (PK1, PK2).

use std::path::PathBuf;

use offhost::api::job::TaskKind;
use offhost::content::{LanguageFacts, PythonFormat};
use offhost::plan::Purpose;
use offhost::runtimes::LanguageName;
use offhost::settings::PackageManager;

use super::install_path;
use crate::plan_fixture::{World, notebook, report, repository};

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
