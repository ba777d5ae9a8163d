//! Whole plans and sandboxes, as a person would read them, kept in `tests/golden`.

use std::collections::BTreeMap;

use offhost::content::AppMode;
use offhost::plan::Plan;
use offhost::sandbox::{SandboxSpec, build};
use serde::Serialize;

use crate::plan_fixture::{
    World, application, applications, node, notebook, place, python, quarto_document, quarto_site, report,
    script, site,
};

/// A plan, and what each of its processes becomes on this machine.
#[derive(Serialize)]
struct Golden {
    plan: Plan,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sandboxes: Vec<SandboxSpec>,
}

fn check(name: &str, world: &World) {
    let plan = world.plan().expect("it can be planned");
    check_parts(
        name,
        Golden {
            sandboxes: plan
                .processes
                .iter()
                .map(|process| build(process, &place()))
                .collect(),
            plan,
        },
    );
}

/// In Pod mode there is no sandbox.
fn check_pod(name: &str, world: World) {
    let plan = world.in_pod().plan().expect("it can be planned");
    check_parts(
        name,
        Golden {
            plan,
            sandboxes: Vec::new(),
        },
    );
}

fn check_parts(name: &str, golden: Golden) {
    check_snapshot(name, &golden);
}

fn check_snapshot(name: &str, golden: &impl Serialize) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_yaml_snapshot!(name, golden));
}

/// What each kind of application is started with, in both modes.
///
/// Proves: PK5 (L, P)
#[test]
fn every_kind_of_application() {
    let mut all = BTreeMap::new();
    for world in applications() {
        for world in [world.clone(), world.in_pod()] {
            let process = world.plan().expect("it can be planned").processes.remove(0);
            let engine = world
                .task
                .facts
                .languages
                .keys()
                .next()
                .map(|language| language.label());
            let name = format!(
                "{} ({}, {:?})",
                world.task.facts.app_mode.name(),
                engine.unwrap_or_default(),
                world.task.mode
            );
            all.insert(name, (process.command, process.serve));
        }
    }
    check_snapshot("applications", &all);
}

/// Proves: PK5 (L), AP1 (L)
#[test]
fn a_shiny_application() {
    check("app-shiny", &application(AppMode::Shiny, "app.R"));
}

/// Proves: PK5 (P), AP1 (P)
#[test]
fn a_shiny_application_in_a_pod() {
    check_pod("app-shiny-pod", application(AppMode::Shiny, "app.R"));
}

/// Proves: PK5 (L), AP1 (L)
#[test]
fn an_asgi_application_with_packages() {
    let mut world = application(AppMode::PythonFastapi, "app");
    world.task.facts.python = Some(python(&["fastapi==0.115.0"]));
    check("app-fastapi", &world);
}

/// Proves: PK2 (L)
#[test]
fn notebook_installs_its_packages_then_renders() {
    check("notebook", &notebook());
}

/// Proves: PK2 (P)
#[test]
fn notebook_in_a_pod() {
    check_pod("notebook-pod", notebook());
}

/// Proves: PK1 (L)
#[test]
fn report_with_packages_and_parameters() {
    check("report", &report());
}

/// Proves: PK1 (P)
#[test]
fn report_in_a_pod() {
    check_pod("report-pod", report());
}

/// Proves: PK4 (L)
#[test]
fn site_is_rendered_in_place() {
    check("site", &site());
}

/// Proves: PK3 (L)
#[test]
fn quarto_document_with_parameters() {
    let mut world = quarto_document();
    let installed = world.plan().unwrap().processes[0].purpose.clone();
    if let offhost::plan::Purpose::Install(key) = installed {
        world.task.installed = vec![key];
    }
    check("quarto-document", &world);
}

/// Proves: PK4 (L)
#[test]
fn quarto_website() {
    check("quarto-site", &quarto_site());
}

/// Proves: PK5 (L), EX3 (L)
#[test]
fn node_installs_its_packages_then_runs() {
    check("node", &node());
}

/// Proves: PK5 (P), EX3 (P)
#[test]
fn node_in_a_pod() {
    check_pod("node-pod", node());
}

/// Proves: PK8 (L)
#[test]
fn script_with_a_supervisor() {
    let mut world = script();
    world.settings.applications.supervisor = ["/usr/bin/nice", "-n", "2"].map(str::to_owned).to_vec();
    check("script", &world);
}

/// Proves: PK8 (P)
#[test]
fn script_in_a_pod() {
    check_pod("script-pod", script());
}

/// Proves: FS2 (L)
#[test]
fn mask_tmp_covers_both_temporary_directories() {
    let mut world = script();
    world.settings.sandbox.mask_tmp = true;
    check("mask-tmp", &world);
}

/// Proves: FS5 (L)
#[test]
fn home_mounting_covers_home() {
    let mut world = script();
    world.settings.applications.home_mounting = true;
    check("home-mounting", &world);
}
