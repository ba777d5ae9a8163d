//! Node.js: its packages, its environment, and who may have it (PK5).

use offhost::api::job::{InstallLanguage, TaskKind};
use offhost::plan::{EnvValue, Purpose};
use offhost::runtimes::LanguageName;

use super::install_path;
use crate::plan_fixture::{World, node, report};

/// Proves: PK5 (L, P)
#[test]
fn the_same_lock_on_the_same_node_shares_an_environment() {
    let first = install_path(&node());
    assert!(first.starts_with("node-environments/22.12.0/"), "{first}");
    let mut other = node();
    other.task.content = "elsewhere".to_owned();
    other.task.job_key = "job2".to_owned();
    assert_eq!(install_path(&other), first);
    other.task.facts.node.as_mut().unwrap().digest.push('0');
    assert_ne!(install_path(&other), first);
    assert_ne!(install_path(&node().in_pod()), first, "another image");
}

/// Proves: PK5 (L, P)
#[test]
fn what_is_installed_or_not_managed_is_not_installed() {
    let mut world = node();
    let installed = world.plan().unwrap().processes[0].purpose.clone();
    let Purpose::Install(key) = installed else {
        panic!("{installed:?}");
    };
    world.task.installed = vec![key];
    assert_eq!(world.plan().unwrap().processes.len(), 1);
    let mut world = node();
    let facts = world.task.facts.languages.get_mut(&LanguageName::Nodejs).unwrap();
    facts.manage_packages = Some(false);
    let plan = world.plan().unwrap();
    assert_eq!(plan.processes.len(), 1);
    assert!(
        plan.notes
            .iter()
            .any(|note| note.starts_with("Node.js packages are not installed")),
        "{:?}",
        plan.notes
    );
}

/// Proves: PK5 (L, P), RA4 (L, P)
#[test]
fn an_installation_sees_the_source_read_only_and_no_settings_of_the_accounts() {
    let value = |world: &World| {
        let plan = world.plan().unwrap();
        assert_eq!(plan.processes[0].identity.user, "rstudio-connect");
        plan.processes[0].env.get("NPM_CONFIG_USERCONFIG").cloned()
    };
    let mut world = node();
    assert_eq!(value(&world), Some(EnvValue::Value("/dev/null".to_owned())));
    let name = "NPM_CONFIG_USERCONFIG".to_owned();
    world
        .task
        .server_env
        .insert(name, "/etc/npm/server.npmrc".to_owned());
    assert_eq!(
        value(&world),
        Some(EnvValue::Value("/etc/npm/server.npmrc".to_owned()))
    );
}

/// Proves: PK5 (L, P)
#[test]
fn its_packages_can_be_installed_alone() {
    let mut world = node();
    world.task.spec.command.clear();
    world.task.spec.task = Some(TaskKind::Install);
    world.task.spec.language = Some(InstallLanguage::Node);
    assert_eq!(world.plan().unwrap().processes.len(), 1);
    world.task.spec.language = Some(InstallLanguage::R);
    assert!(world.plan().unwrap().processes.is_empty());
    let mut other = report();
    other.task.spec.task = Some(TaskKind::Install);
    other.task.spec.parameters.clear();
    other.task.spec.language = Some(InstallLanguage::Node);
    assert!(other.plan().unwrap().processes.is_empty());
}

/// Proves: EX3 (L, P)
#[test]
fn its_version_is_matched_as_the_settings_the_application_and_the_job_say() {
    let refusal = |change: &dyn Fn(&mut World)| {
        let mut world = node();
        change(&mut world);
        world.refusal()
    };
    let said = refusal(&|world| {
        world.settings.nodejs.enabled = false;
        world.runtimes.runtimes[0]
            .installations
            .remove(&LanguageName::Nodejs);
    });
    assert!(said.contains("Node.js"), "{said}");
    let said = refusal(&|world| world.task.spec.runtime.nodejs = Some(">=23".to_owned()));
    assert!(said.contains("'>=23'"), "{said}");
    let said = refusal(&|world| {
        let facts = world.task.facts.languages.get_mut(&LanguageName::Nodejs).unwrap();
        facts.requires = Some("^20 || 21.x".to_owned());
    });
    assert!(said.contains("'^20 || 21.x'"), "{said}");
    let mut world = node();
    world.task.spec.runtime.nodejs = Some("18.2.0".to_owned());
    assert!(world.plan().is_ok(), "the nearest is taken");
    world.settings.nodejs.version_matching = offhost::runtimes::Matching::MajorMinor;
    assert!(world.refusal().contains("18.2"), "{}", world.refusal());
}
