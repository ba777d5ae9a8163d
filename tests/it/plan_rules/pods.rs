//! What a job file says of Pods alone, and tasks that run nothing.

use offhost::api::job::{InstallLanguage, TaskKind};
use offhost::runtimes::LanguageName;

use crate::plan_fixture::{World, notebook, report};

fn notes(world: &World) -> String {
    world.plan().expect("it can be planned").notes.join("\n")
}

/// Proves: OH6 (P)
#[test]
fn fields_that_are_for_pods_are_told_where_they_have_no_effect() {
    let mut world = notebook();
    assert!(!notes(&world).contains("for Pods"));
    // What the API server fills in is no wish.
    world.task.spec.start_deadline_seconds = Some(3600);
    assert!(!notes(&world).contains("for Pods"));
    let spec = &mut world.task.spec;
    spec.suspended = true;
    spec.retries = 2;
    spec.start_deadline_seconds = Some(60);
    spec.ttl_seconds_after_finished = Some(0);
    spec.priority_class_name = Some("high".to_owned());
    spec.service_account_name = Some("reader".to_owned());
    spec.scheduling_gates = vec!["example.com/queue".to_owned()];
    let line = "no effect in local mode, as they are for Pods: spec.suspended, spec.retries, spec.startDeadlineSeconds, \
        spec.ttlSecondsAfterFinished, spec.priorityClassName, spec.serviceAccountName, spec.schedulingGates";
    assert!(notes(&world).contains(line), "{}", notes(&world));
    assert!(!notes(&world.in_pod()).contains("for Pods"));
}

#[test]
fn a_deployment_runs_nothing_and_asks_for_no_interpreter() {
    for world in [notebook(), notebook().in_pod()] {
        let mut world = world;
        world.task.spec.task = Some(TaskKind::Deploy);
        world.runtimes.runtimes[0].installations.clear();
        let plan = world.plan().expect("nothing is needed to deploy");
        assert_eq!(plan.processes, []);
        assert_eq!(
            plan.notes.last().map(String::as_str),
            Some("nothing is run: the bundle is deployed")
        );
    }
}

/// Proves: PK1 (L, P)
#[test]
fn an_installation_can_be_of_one_language_alone() {
    let mut world = report();
    world.task.spec.task = Some(TaskKind::Install);
    world.task.spec.parameters.clear();
    let languages = |world: &World| -> Vec<String> {
        let plan = world.plan().expect("it can be planned");
        plan.processes
            .iter()
            .map(|process| format!("{:?}", process.purpose))
            .collect()
    };
    let all = languages(&world);
    assert!(all.iter().any(|purpose| purpose.contains("R")), "{all:?}");
    world.task.spec.language = Some(InstallLanguage::Python);
    assert!(
        !languages(&world)
            .iter()
            .any(|purpose| purpose.contains(&format!("{:?}", LanguageName::R))),
        "{:?}",
        languages(&world)
    );
}
